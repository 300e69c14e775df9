"""Forum threads as scrapers write them, a page a file: a title, and posts with author, body and created.

Pages name no parents: each post answers the opening post. Bodies are HTML.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.json_pages import load_as_far
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded, guarded_all


class ForumPages(Source):
    """One page of a thread."""

    name = "forum-pages"
    what = "a thread of a forum as a scraper wrote it: a title and posts, a page a file"
    marks = "totalPages, and posts with author, body and created"

    def recognises(self, path: Path) -> bool:
        """Whether there are such posts."""
        return {"title", "totalPages", "posts.body", "posts.author", "posts.created"} <= set(peek(path).fields)

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The posts of the page.

        Raises:
            SourceError: the file cannot be read, is no JSON, or too large.
        """
        return guarded_all(_items(path, hasher), path.name)


SOURCE = ForumPages()


def _items(path: Path, hasher: Hasher) -> Iterator[Item]:
    page, error = load_as_far(path)
    posts = [post for post in page.get("posts") or () if isinstance(post, Mapping)]
    thread = str(page.get("url") or path.stem).partition("?")[0].rpartition("/page")[0] or str(page.get("url") or path.stem)
    for number, post in enumerate(posts, start=1):
        where = f"{path.name}, post {number}"
        yield guarded(partial(_item, post, page, (thread, number == 1 and _opens(post, page)), hasher, where), where)
    if error is not None:
        raise error


def _opens(post: Mapping[str, Any], page: Mapping[str, Any]) -> bool:
    """Whether the first post of a page opens the thread: it then has a title, or there is no other page."""
    return bool(post.get("title")) or page.get("totalPages") == 1


def _item(post: Mapping[str, Any], page: Mapping[str, Any], place: tuple[str, bool], hasher: Hasher, where: str) -> Item:
    get, (thread, opens) = post.get, place
    if not get("body"):
        return Skipped("no words, only what is attached", where)
    return Record(
        id=f"{thread}#opening" if opens else f"{thread}#{get('id')}", text=get("body"), markup="html",
        title=page.get("title"), parent=None if opens else f"{thread}#opening", time=get("created"),
        author=get("authorId") or get("author"),
    ).post(hasher, where)  # fmt: skip
