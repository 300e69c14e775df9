"""Titles and addresses: entities are characters where the form writes HTML, and stay what they are where it does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rejoinder.archive import registry
from rejoinder.archive.mapping import read_map
from rejoinder.archive.source import Hasher
from rejoinder.post import Post

ADDRESS = "https://example.org/?a=1&param=2&copy=3&region=eu"
TITLE = "How do I write &lt; and &nbsp; in HTML?"
SHOWN = "How do I write < and &amp; in HTML?"
ESCAPED = "How do I write &lt; and &amp;amp; in HTML?"
ON = "2024-01-01T10:00:00.000Z"
ISSUE = {
    "number": 1,
    "title": TITLE,
    "body": "x",
    "comments_url": "https://api.github.com/repos/o/r/issues/1/comments",
    "created_at": ON,
}

FORMS: dict[str, tuple[str, str, Any, str, str | None]] = {  # the form, the file, what it holds, the title and the address
    "lobsters": (
        "lobsters", "a.json",
        {"short_id": "abc", "title": TITLE, "created_at": ON, "comments_url": "https://lobste.rs/s/abc", "url": ADDRESS,
         "description": "", "comments": []},
        TITLE, ADDRESS,
    ),
    "a mail": ("eml", "a.eml", f"From: a@x\nSubject: {TITLE}\nMessage-ID: <1@x>\n\nx\n", TITLE, None),
    "github": ("github", "a.json", [ISSUE], TITLE, None),
    "reddit": (
        "reddit", "a.ndjson",
        {"id": "abc", "subreddit": "x", "created_utc": 1704103200, "title": ESCAPED, "selftext": "", "author": "a",
         "url": ADDRESS.replace("&", "&amp;"), "is_self": False},
        SHOWN, ADDRESS,
    ),
    "a dump of Stack Exchange": (
        "stackexchange", "Posts.xml",
        '<?xml version="1.0"?>\n<posts>\n  <row Id="1" PostTypeId="1" CreationDate="2024-01-01T10:00:00.000" Score="1" Body="x" '
        f'Title="{TITLE.replace("&", "&amp;")}" />\n</posts>\n',
        TITLE, None,
    ),
    "the API of Stack Exchange": (
        "stackexchange", "a.json",
        {"items": [{"question_id": 1, "title": ESCAPED, "body": "<p>x</p>", "creation_date": 1704103200, "is_answered": False,
                    "tags": [], "owner": {}, "answer_count": 0}], "has_more": False},
        SHOWN, None,
    ),
    "discourse": (
        "discourse", "a.json",
        {"id": 3, "title": TITLE, "fancy_title": "other", "post_stream": {"posts": [
            {"id": 1, "post_number": 1, "topic_id": 3, "cooked": "<p>a</p>", "created_at": ON, "username": "u"}
        ]}},
        TITLE, None,
    ),
    "discourse's fancy title": (
        "discourse", "a.json",
        {"id": 3, "fancy_title": ESCAPED, "post_stream": {"posts": [
            {"id": 1, "post_number": 1, "topic_id": 3, "cooked": "<p>a</p>", "created_at": ON, "username": "u"}
        ]}},
        SHOWN, None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_entities_are_characters_only_where_the_form_writes_html(name: str, tmp_path: Path) -> None:
    form, called, holds, title, address = FORMS[name]
    file = tmp_path / called
    file.write_text(holds if isinstance(holds, str) else json.dumps(holds))
    source = registry.source(form)
    assert source.recognises(file)
    (post,) = (item for item in source.read(file, Hasher(b"key", form)) if isinstance(item, Post))
    assert (post.title, post.url) == (title, address)


@pytest.mark.parametrize(
    ("markup", "title"), [("plain", TITLE), ("markdown", TITLE), ("bbcode", "How do I write < and \N{NO-BREAK SPACE} in HTML?")]
)
def test_titles_of_a_table_are_unescaped_where_its_texts_are_markup_of_a_board(markup: str, title: str, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"id,subject,body,url\n1,{TITLE},hello,{ADDRESS}\n")
    (post,) = read_map(f"id=id,text=body,title=subject,url=url,markup={markup}").read(file, Hasher(b"key", "map"))
    assert isinstance(post, Post) and (post.title, post.url) == (" ".join(title.split()), ADDRESS)
