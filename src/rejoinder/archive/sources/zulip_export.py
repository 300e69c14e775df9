"""Zulip: the export of a whole server (`manage.py export`), whose messages lie in several files that go on from one another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from math import inf
from pathlib import Path

from rejoinder.archive.chat import Turns
from rejoinder.archive.json_records import json_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Skipped, Source, guarded
from rejoinder.archive.sources.zulip import SOURCE as ZULIP
from rejoinder.archive.sources.zulip import Topic

_MESSAGES = re.compile(r"messages-\d+\.json$")


class ZulipExport(Source):
    """A folder, as the export unpacks to."""

    name = "zulip-export"
    what = "the export of a Zulip server"
    marks = "realm.json, and messages-000001.json and so on"
    threading = ZULIP.threading
    folder = True

    def recognises(self, path: Path) -> bool:
        """Whether there are such files."""
        names = peek(path).names
        return "realm.json" in names and any(map(_MESSAGES.match, names))

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The messages, file by file: a topic goes on in the next.

        Raises:
            SourceError: a file cannot be read, or breaks off.
        """
        known = Topic("", Turns(inf))
        for file in sorted(file for file in path.iterdir() if _MESSAGES.match(file.name)):
            for row in json_records(file, ("zerver_message",)):
                if isinstance(row.value, Skipped):
                    yield row.value
                else:
                    yield guarded(partial(ZULIP.item, row.value, known, hasher, row.where), row.where)


SOURCE = ZulipExport()
