"""Forum threads as scrapers write them, a page a file: a title, and posts with author, body and created.

Pages name no parents: each post answers the opening post. Bodies are HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rejoinder.archive.json_pages import picked_records
from rejoinder.archive.json_records import Row
from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.source import Record


class ForumPages(JsonSource):
    """One page of a thread."""

    name = "forum-pages"
    what = "a thread of a forum as a scraper wrote it: a title and posts, a page a file"
    marks = "totalPages, and posts with author, body and created"
    threading = "a post that names none it answers is taken to answer the opening post"
    places = {"title totalPages posts.body posts.author posts.created": "posts"}

    def rows(self, path: Path) -> Iterator[Row]:
        """The posts of the page; there may be none.

        Raises:
            SourceError: the file cannot be read, is no JSON, or too large.
        """
        return picked_records(path, lambda page: [post for post in page.get("posts") or () if isinstance(post, Mapping)])

    def begin(self, path: Path) -> str:
        """The name of the file, which stands for a thread without an address."""
        return path.stem

    def within(self, value: Mapping[str, Any], outer: Mapping[str, Any]) -> Iterable[Any]:
        """The post, its page, and whether it opens the thread: the first of a page that has a title, or of the only page."""
        first = value is next(post for post in outer["posts"] if isinstance(post, Mapping))
        yield value, outer, first and (bool(value.get("title")) or outer.get("totalPages") == 1)

    def record(self, part: tuple[Mapping[str, Any], Mapping[str, Any], bool], known: str) -> Record | str:
        """The post."""
        post, page, opens = part
        if not post.get("body"):
            return "no words, only what is attached"
        address = str(page.get("url") or known)
        thread = address.partition("?")[0].rpartition("/page")[0] or address
        return Record(
            id=f"{thread}#opening" if opens else f"{thread}#{post.get('id')}", text=post["body"], markup="html",
            title=page.get("title"), parent=None if opens else f"{thread}#opening", time=post.get("created"),
            author=post.get("authorId") or post.get("author"),
        )  # fmt: skip


SOURCE = ForumPages()
