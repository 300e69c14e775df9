"""One file per kind of source; each yields `Item`s: a post, or why a record was skipped."""
