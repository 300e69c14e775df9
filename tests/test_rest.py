"""What files name that is not in them: counted over all files of an import, and said in one line with how to get it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_cli import Rejoinder
from test_cli import rejoinder as _rejoinder

run = _rejoinder  # the fixture
ON = "2024-01-01T10:00:00Z"


def discourse(*numbers: int) -> Any:
    posts = [
        {"id": n, "post_number": n, "topic_id": 3, "cooked": f"<p>Number {n}.</p>", "created_at": ON, "username": "u"}
        for n in numbers
    ]
    return {"id": 3, "title": "T", "posts_count": 45, "post_stream": {"posts": posts, "stream": list(range(1, 46))}}


def zendesk(page: int) -> Any:
    address, last = "https://x.zendesk.com/api/v2/tickets/5/comments.json", page == 2
    comments = [{"id": 10 * page + n, "author_id": 9, "public": True, "plain_body": "x", "created_at": ON} for n in range(2)]
    return {
        "comments": comments, "count": 4, "next_page": None if last else f"{address}?page=2",
        "previous_page": f"{address}?page=1" if last else None,
    }  # fmt: skip


def slack(*moments: int, more: bool = False, **said: Any) -> Any:
    messages = [{"type": "message", "user": "U1", "text": "hi", "ts": f"{1704103200 + one}.0001", **said} for one in moments]
    return {"ok": True, "messages": messages, "has_more": more}


REPOSITORY = "https://api.github.com/repos/o/r"
ISSUE = {
    "url": f"{REPOSITORY}/issues/3",
    "comments_url": f"{REPOSITORY}/issues/3/comments",
    "title": "T",
    "body": "x",
    "number": 3,
}
COMMENT = {"id": 5, "issue_url": f"{REPOSITORY}/issues/3", "body": "y", "user": {"login": "a"}, "created_at": ON}


FILES: dict[str, tuple[list[Any], str]] = {  # what is imported at once, and what must be said of it; "" for nothing
    "the first 20 posts of a topic": ([discourse(*range(1, 21))], "25 posts that it names itself; to get them: `rejoinder fetch"),
    "all pages of a topic": ([discourse(*range(1, 21)), discourse(*range(21, 41)), discourse(*range(41, 46))], ""),
    "the first page of comments": ([zendesk(1)], "2 posts that it names itself; to get them: save the pages"),
    "both pages of comments": ([zendesk(1), zendesk(2)], ""),
    "the newest messages of a channel": ([slack(1, 2, more=True)], "what it says that follows; to get them: save the pages"),
    "all messages of a channel": ([slack(3, 4, more=True), slack(1, 2)], ""),
    "a thread without its replies": ([slack(1, thread_ts="1704103201.0001", reply_count=3)], "3 posts that it names itself"),
    "a thread with its replies": (
        [slack(1, reply_count=2, thread_ts="1704103201.0001"), slack(2, 3, thread_ts="1704103201.0001")], "",
    ),
    "issues without their comments": ([[{**ISSUE, "comments": 2}]], "2 posts that it names itself"),
    "issues with their comments": ([[{**ISSUE, "comments": 2}], [COMMENT, {**COMMENT, "id": 6}]], ""),
    "a value of the wrong type": ([discourse(1) | {"posts_count": "many"}], ""),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_what_files_name_that_is_not_in_them_is_said_once(name: str, tmp_path: Path, run: Rejoinder) -> None:
    pages, said = FILES[name]
    (tmp_path / "saved").mkdir()
    for number, page in enumerate(pages):
        (tmp_path / "saved" / f"{number}.json").write_text(json.dumps(page))
    ran = run("import", tmp_path / "saved", "--home", tmp_path / "home")
    assert ran.code == 0, ran.err
    assert ran.out.count("not in what was read") == bool(said) and said in ran.out
    (told,) = run("import", tmp_path / "saved", "--home", tmp_path / "home", "--json").json["files"]
    assert bool(told["absent"] or told["goes_on"]) == bool(said)
    one_by_one = run("import", *sorted((tmp_path / "saved").iterdir()), "--home", tmp_path / "home")
    assert one_by_one.out.count("not in what was read") == bool(said)


def test_where_a_file_is_too_large_to_be_looked_into_nothing_is_said(tmp_path: Path, run: Rejoinder) -> None:
    (tmp_path / "1.json").write_text(json.dumps(discourse(*range(1, 21))))
    (tmp_path / "2.json").write_text(json.dumps(discourse(*range(21, 46)) | {"more": "x" * 2**21}))
    assert "not in what was read" in run("import", tmp_path / "1.json", "--home", tmp_path / "a").out
    assert "not in what was read" not in run("import", tmp_path / "1.json", tmp_path / "2.json", "--home", tmp_path / "b").out
