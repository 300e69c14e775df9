"""Slack: an export of a workspace, a folder for each channel and a file for each day.

A reply in a thread answers what opened it, which often lies in another day's file; all other messages are turns of a
conversation. What programs wrote, and notices ("has joined the channel"), are left out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from rejoinder.archive.chat import TURNS, Turns
from rejoinder.archive.peek import peek
from rejoinder.archive.slack_messages import messages
from rejoinder.archive.source import Hasher, Item, Source

_DAY = re.compile(r"(?:.*/)?([^/]+)/\d{4}-\d\d-\d\d\.json$")


class Slack(Source):
    """A whole export."""

    name = "slack"
    what = "an export of a Slack workspace"
    marks = "channels.json or users.json, and folders of files named by day"
    threading = TURNS
    folder = True

    def recognises(self, path: Path) -> bool:
        """Whether there are channels with days."""
        names = peek(path).names
        return any(_DAY.match(name) for name in names) and any(
            name.rpartition("/")[2] in ("channels.json", "users.json", "groups.json", "dms.json") for name in names
        )

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The messages, channel by channel, day by day.

        Raises:
            SourceError: a file cannot be read, or breaks off.
        """
        turns = Turns()
        for at, folders, files in os.walk(path):  # one can hold more files than `peek` lists
            folders.sort()
            for name in sorted(files):
                if found := _DAY.match(f"{Path(at).name}/{name}"):
                    yield from messages(Path(at) / name, found[1], turns, hasher)


SOURCE = Slack()
