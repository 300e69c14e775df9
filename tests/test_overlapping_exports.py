"""Files that overlap, go on from one another, or are not in the order of time: who answers whom does not depend on it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from rejoinder.archive import registry
from rejoinder.archive.places import place
from rejoinder.archive.source import Hasher
from rejoinder.archive.store import Archive
from rejoinder.post import Kind, Post

BEGINS = 1_704_103_200


def discord(numbers: list[int], kind: str = "GuildTextChat") -> Any:
    messages = [
        {
            "id": str(n), "type": "Default", "timestamp": f"2024-01-01T10:{n:02d}:00+00:00", "content": f"Message {n}.",
            "author": {"id": str(n % 2), "name": "x"}, "mentions": [],
        }
        for n in numbers
    ]  # fmt: skip
    channel = {"id": "2", "type": kind, "name": "kettles"}
    return {"guild": {"id": "1", "name": "g"}, "channel": channel, "messages": messages, "messageCount": len(messages)}


def zulip(numbers: list[int]) -> Any:
    return {
        "messages": [
            {
                "id": n, "type": "stream", "stream_id": 9, "sender_id": n % 2, "sender_full_name": "x", "subject": "kettles",
                "timestamp": BEGINS + 60 * n, "content": f"Message {n}.", "content_type": "text/x-markdown",
            }
            for n in numbers
        ]
    }  # fmt: skip


def thread(numbers: list[int]) -> Any:
    return discord(numbers, "GuildPublicThread")


def slack(numbers: list[int]) -> Any:
    return [{"type": "message", "user": f"U{n % 2}", "text": f"Message {n}.", "ts": f"{BEGINS + 60 * n}.000100"} for n in numbers]


def gitter(numbers: list[int]) -> Any:
    return [
        {"id": f"{n:024d}", "text": f"Message {n}.", "sent": f"2024-01-01T10:{n:02d}:00.000Z", "fromUser": {"id": str(n % 2)}}
        for n in numbers
    ]


def matrix(numbers: list[int]) -> Any:
    return [
        {
            "event_id": f"${n}", "type": "m.room.message", "room_id": "!r", "sender": f"@{n % 2}:x",
            "origin_server_ts": 1_000 * BEGINS + 60_000 * n, "content": {"msgtype": "m.text", "body": f"Message {n}."},
        }
        for n in numbers
    ]  # fmt: skip


def mattermost(numbers: list[int]) -> str:
    posts = [
        {
            "team": "t", "channel": "town", "user": f"u{n % 2}", "message": f"Message {n}.",
            "create_at": 1_000 * BEGINS + 60_000 * n, "replies": [],
        }
        for n in numbers
    ]  # fmt: skip
    return "\n".join(map(json.dumps, [{"type": "version", "version": 1}, *({"type": "post", "post": post} for post in posts)]))


FORMS: dict[str, tuple[str, Callable[[list[int]], Any]]] = {
    "discord": ("discord", discord),
    "a thread of discord": ("discord", thread),
    "zulip": ("zulip", zulip),
    "mattermost": ("mattermost", mattermost),
}
ANY_ORDER = FORMS | {"slack": ("slack-file", slack), "gitter": ("gitter", gitter), "matrix": ("matrix", matrix)}


def written(folder: Path, holds: object) -> Path:
    file = folder / f"{len(list(folder.iterdir()))}.json"
    file.write_text(holds if isinstance(holds, str) else json.dumps(holds))
    return file


def links(found: list[Post]) -> dict[str, tuple[str | None, Kind, str]]:
    said = {post.id: post.text for post in found}
    return {post.text: (said.get(post.parent or 0), post.kind, post.title) for post in found}


@pytest.mark.parametrize("name", FORMS)
def test_exports_that_overlap_make_one_thread_in_any_order_and_again_change_nothing(name: str, tmp_path: Path) -> None:
    form, made = FORMS[name]
    source, results = registry.source(form), []
    (tmp_path / "files").mkdir()
    files = [written(tmp_path / "files", made(list(range(*span)))) for span in ((1, 5), (4, 8), (6, 9))]
    for number, order in enumerate(permutations(files)):
        with Archive.open(tmp_path / f"{number}.db", create=True) as archive:
            at = place(archive, form, source)
            counts = [archive.add(source.read(file, Hasher(b"key", form)), at=at) for file in (*order, *order)]
            assert all((one.new, one.updated, one.moved) == (0, 0, 0) for one in counts[3:])
            results.append(links(list(archive.posts("1"))))
            assert len(set(archive.query("SELECT thread FROM place"))) == 1
    one = results[0]
    assert all(other == one for other in results)
    assert [one[f"Message {n}."][0] for n in range(2, 9)] == [f"Message {n}." for n in range(1, 8)]
    assert one["Message 1."][1] is Kind.STORY and all(one[f"Message {n}."][1:] == (Kind.COMMENT, "") for n in range(2, 9))


@pytest.mark.parametrize("name", [name for name in ANY_ORDER if name != "zulip"])
def test_a_question_never_answers_its_answer_whatever_the_order_of_the_file(name: str, tmp_path: Path) -> None:
    form, made = ANY_ORDER[name]
    source, numbers = registry.source(form), list(range(1, 30))
    drawn = random.Random(1).sample(numbers, len(numbers))
    for order in (numbers, numbers[::-1], drawn):
        file = written(tmp_path, made(order))
        assert source.recognises(file)
        found = links([item for item in source.read(file, Hasher(b"key", form)) if isinstance(item, Post)])
        assert [found[f"Message {n}."][0] for n in numbers] == [None, *(f"Message {n}." for n in numbers[:-1])]
