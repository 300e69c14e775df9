"""Reading from services into the archive: one file a service. It only ever reads.

A fetcher is a generator of pages: answers of the service, in a form that a source of `rejoinder.archive.sources` reads, each
with a bookmark from which the next run goes on. `rejoinder.archive.fetchers.run` stores a page, then its bookmark: whatever
breaks off in between is read again, and changes nothing.
"""
