"""Details of single forms: who is mentioned, what only the staff reads, names of files, files that begin with something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rejoinder.archive import registry
from rejoinder.archive.source import Hasher, Item, Skipped
from rejoinder.post import Post

ON = "2024-01-01T10:00:00+00:00"


def read(form: str, file: Path, holds: Any) -> list[Item]:
    file.write_text(holds if isinstance(holds, str) else json.dumps(holds, indent=1), encoding="utf-8")
    source = registry.source(form)
    assert [found.name for found in registry.recognised(file)] == [form]
    return list(source.read(file, Hasher(b"key", form)))


def texts(items: list[Item]) -> list[str]:
    return [item.text for item in items if isinstance(item, Post)]


def test_whoever_is_mentioned_on_telegram_leaves_the_text(tmp_path: Path) -> None:
    said = [
        [{"type": "mention", "text": "@ada_lovelace"}, ", where is ", {"type": "mention_name", "text": "Bob", "user_id": 5}, "?"],
        "Ask @ada_lovelace, not ada@example.org",
        [{"type": "code", "text": "@staticmethod"}, " it is"],
    ]
    messages = [
        {"id": number, "type": "message", "date_unixtime": "1704103200", "from_id": "user1", "text": text}
        for number, text in enumerate(said, 1)
    ]
    found = texts(read("telegram", tmp_path / "result.json", {"name": "g", "id": 1, "messages": messages}))
    assert found == ["where is?", "Ask, not ada@example.org", "@staticmethod it is"]


def test_an_account_of_telegram_is_known_by_its_beginning_however_many_contacts_it_has(tmp_path: Path) -> None:
    contacts = [
        {"user_id": n, "first_name": f"First {n}", "last_name": f"Last {n}", "phone_number": "0049 170"} for n in range(3_000)
    ]
    message = {"id": 1, "type": "message", "date_unixtime": "1704103200", "from_id": "user1", "text": "Hi."}
    chat = {"name": "g", "type": "private_group", "id": 1, "messages": [message]}
    account = {"personal_information": {"user_id": 1}, "contacts": {"about": "c", "list": contacts}, "chats": {"list": [chat]}}
    assert texts(read("telegram", tmp_path / "result.json", {"about": "x", **account})) == ["Hi."]


def test_whoever_is_mentioned_on_discord_leaves_the_text_though_the_name_has_blanks(tmp_path: Path) -> None:
    message = {
        "id": "10", "type": "Default", "timestamp": ON, "content": "@Ada Lovelace have you seen @Ada (late)?",
        "author": {"id": "5", "name": "x"},
        "mentions": [{"id": "6", "name": "ada", "nickname": "Ada Lovelace"}, {"id": "7", "name": "Ada (late)"}, None],
    }  # fmt: skip
    channel = {
        "guild": {"id": "1"},
        "channel": {"id": "2", "type": "GuildTextChat", "name": "c"},
        "messages": [message],
        "messageCount": 1,
    }
    assert texts(read("discord", tmp_path / "c.json", channel)) == ["have you seen?"]


def test_what_only_the_staff_of_a_forum_reads_is_left_out(tmp_path: Path) -> None:
    posts = [
        {"id": n, "post_number": n, "topic_id": 3, "post_type": kind, "cooked": f"<p>{n}</p>", "created_at": ON, "username": "u"}
        for n, kind in ((1, 1), (2, 4))
    ]
    found = read("discourse", tmp_path / "3.json", {"id": 3, "title": "T", "post_stream": {"posts": posts}})
    assert texts(found) == ["1"] and [item.reason for item in found if isinstance(item, Skipped)] == ["a note among the staff"]


def test_a_topic_of_zulip_is_called_as_its_file_was_named_after_it(tmp_path: Path) -> None:
    message = [{"content": "<p>hi</p>", "id": 1, "sender_full_name": "x", "timestamp": 1704103200}]
    names = {"Gr.C3.BC.C3.9Fe.20aus.20K.C3.B6ln.2C.20lean4-mode": "Grüße aus Köln, lean4-mode", "tea-time": "tea time"}
    for name, title in names.items():
        (post,) = read("zulip", tmp_path / f"{name}.json", message)
        assert isinstance(post, Post) and post.title == title
