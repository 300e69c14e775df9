"""Messages of Slack, out of a file of an export or an answer of its API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.chat import Turns
from rejoinder.archive.json_pages import page_records
from rejoinder.archive.json_records import json_records, oldest_first
from rejoinder.archive.source import Hasher, Item, Record, Skipped, guarded

_WRITTEN = (None, "", "thread_broadcast", "me_message", "file_share")  # subtypes of what somebody wrote
_BY_PROGRAMS = ("bot_message",)


def messages(path: Path, channel: str, turns: Turns, hasher: Hasher, at: Sequence[str] = ()) -> Iterator[Item]:
    """The messages of one file, which lie at `at` in it; `turns` knows those before.

    Raises:
        SourceError: the file cannot be read, or breaks off.
    """
    for row in oldest_first(page_records(path, at) if at else json_records(path), _moment):
        if isinstance(row.value, Skipped):
            yield row.value
            continue
        yield guarded(partial(_item, row.value, channel, turns, hasher, row.where), row.where)
        for reply in row.value.get("slackdump_thread_replies") or ():  # as one exporter nests them
            yield guarded(partial(_item, reply, channel, turns, hasher, row.where), row.where)


def _moment(message: Mapping[str, Any]) -> float:
    try:
        return float(message["ts"])
    except (KeyError, TypeError, ValueError):
        return 0.0


def _item(message: Mapping[str, Any], channel: str, turns: Turns, hasher: Hasher, where: str) -> Item:
    get = message.get
    if get("subtype") in _BY_PROGRAMS or get("bot_profile") or (get("bot_id") and not get("user")):
        return Skipped("written by a program", where)
    upload = (
        get("subtype") == "file_share" and get("upload") and str(get("text")).startswith("<@")
    )  # as exports before 2018 say it
    if get("subtype") not in _WRITTEN or upload:
        return Skipped("a notice of the service", where)
    if not get("text"):
        return Skipped("no words, only what is attached", where)
    place = str(get("channel_name") or channel)
    own, thread = f"{place}/{message['ts']}", get("thread_ts")
    root = f"{place}/{thread}"
    if thread and thread != message["ts"]:
        parent: str | None = root
    elif thread:
        parent = None
        turns.answered(place, own, float(message["ts"]))
    else:
        parent, root = turns.answered(place, own, float(message["ts"]))
    return Record(
        id=own, text=get("text"), markup="slack", parent=parent, root=root, time=str(message["ts"]).partition(".")[0],
        author=get("user") or get("username"),
    ).post(hasher, where)  # fmt: skip
