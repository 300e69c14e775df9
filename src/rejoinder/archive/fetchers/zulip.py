"""Zulip: the messages of an organisation's channels, topic by topic.

Of each topic what came since the last run is asked for, from the last message that was read (which comes again), so that the
next one finds what it follows. Topics are remembered by their hashes.
"""

from __future__ import annotations

import configparser
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rejoinder.archive.fetchers.http import Access, Reader
from rejoinder.archive.fetchers.run import Bookmark, FetchedPage
from rejoinder.archive.source import Hasher
from rejoinder.archive.sources.zulip import Zulip
from rejoinder.errors import SourceError, UsageError

_AT_ONCE = 1_000  # messages; the service gives at most 5,000


def source(base: str) -> Zulip:
    """The source of that organisation, whose messages have an address."""
    made: Zulip = type("Organisation", (Zulip,), {"link": f"{base}/#narrow/near/{{id}}"})()
    return made


def access(zuliprc: Path) -> Access:
    """The name and key in a `zuliprc` file, as Zulip gives it to be saved.

    Raises:
        UsageError: there are none in it.
    """
    file = configparser.ConfigParser(interpolation=None)
    try:
        file.read_string(zuliprc.read_text(encoding="utf-8"))
        return Access(basic=(file["api"]["email"], file["api"]["key"]))
    except (OSError, KeyError, UnicodeDecodeError, configparser.Error):
        raise UsageError(f"--zuliprc {zuliprc}: expected [api] with email and key (Zulip: Settings, Account & privacy)") from None


def messages(reader: Reader, channels: Sequence[str], hasher: Hasher, bookmark: Bookmark) -> Iterator[FetchedPage]:
    """What is new in the channels of these names, or in all that one is subscribed to."""
    listed = reader.get("/api/v1/users/me/subscriptions").get("subscriptions") or []
    missing = sorted(set(channels) - {str(one.get("name")) for one in listed})
    if missing:
        raise SourceError(f"{reader.base}: not subscribed to a channel {missing[0]!r}")
    for channel in (one for one in listed if not channels or one.get("name") in channels):
        number = channel["stream_id"]
        for topic in reader.get(f"/api/v1/users/me/{number}/topics").get("topics") or []:
            name = topic["name"]
            key = f"{hasher.number(f'{number}/{name}'):x}"
            last = int(bookmark.get(key, 0))
            while last < topic["max_id"]:
                narrow = [{"operator": "channel", "operand": number}, {"operator": "topic", "operand": name}]
                answer = reader.get(
                    "/api/v1/messages", anchor=last, num_before=0, num_after=_AT_ONCE, include_anchor="true",
                    narrow=json.dumps(narrow), apply_markdown="false",
                )  # fmt: skip
                found = [one for one in answer.get("messages") or [] if type(one.get("id")) is int]
                if not found or found[-1]["id"] <= last:
                    break
                last = found[-1]["id"]
                bookmark = {**bookmark, key: last}
                yield FetchedPage({"messages": found}, bookmark)
