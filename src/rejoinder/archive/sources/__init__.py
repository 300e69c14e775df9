"""One file per form of archive. Nothing is listed anywhere: a module here that has a `SOURCE` is a source.

How to add one:

1. `archive/sources/FORM.py`: a subclass of `rejoinder.archive.source.Source`, or of what spares work: `json_source.JsonSource`
for JSON, `tickets.TicketSource` for the JSON of a help desk; and `SOURCE = ThatClass()`. Fill in `name`, `what` and `marks`
(people read them), and `link`, `notice` or `folder = True` where the form has them. From another package: the same class (or an
instance) under the entry point `rejoinder.sources`.

2. How it is recognised. JSON: `places`, from the fields that only this form has to where the records then lie. Else
`recognises(path)`: look at `peek(path)`, which is free: `.fields` (dotted names of a JSON file's beginning, with first
values), `.columns` (of a table), `.text`, `.name`, and for a folder `.names`. No file of another form may be taken for yours:
`tests/test_sources.py` asks every source about every fixture.

3. What it holds. JSON: `record(part, known)` says of each record what the form says, or why it is no post::

       places = {"channel.topic messages.content": "messages"}

       def record(self, part: Mapping[str, Any], known: None) -> Record | str:
           \"""The post of a message.\"""
           if part["type"] == "joined":
               return "a notice of the service"
           return Record(id=part["id"], parent=..., text=part["content"], markup="markdown", author=part["user"])

   Else `read(path, hasher)` yields items: `Record(...).post(hasher, where)`, or `Skipped(reason, where)`.
   `Record` reads numbers, ids and times however they are written, turns markup into plain text, hides the author and numbers
   the post; a bad required value gives a `Skipped` with its reason, a bad optional one costs that field, and nothing it meets
   raises. What you compute on the way there (`part["a"]["b"]`) may raise in `record`, and elsewhere under `guarded`.
   Records that are no posts (joins, system lines) are skipped: the lines read must equal the posts and the skipped.
   `id` must be unique within the source: put in the chat, channel or topic where ids are counted anew in each, and the host
   where the file names one. `parent` is the id of what a post answers, in the same words; the parent need not have been seen.

4. Files: `open_stream` unpacks gz, bz2, xz, zst. Zip and tar are unpacked before you are asked: you get the folder or its
files. Hold nothing that grows with the file; yield as you read.

5. `tests/forms/FORM/`: one or two small fixtures of your own making, and in `tests/test_sources.py` a line in `EXPECTED` with
the posts, threads and parents they hold. The contract suite does the rest: the same again changes nothing, counts add up, a
truncated file keeps its complete records, 1,000 mutated files give no traceback, any Unicode survives.

6. `docs/archives.md`: a line for people: how to get the export, the command, what is lost.
"""
