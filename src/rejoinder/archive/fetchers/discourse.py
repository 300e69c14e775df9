"""Discourse: all posts of a forum that anybody may read, from the newest to the oldest, or those of some topics.

`/posts.json?before=N` answers with the posts whose numbers are N and the 49 below it, as far as there are any (newer servers:
with the nearest 50 posts, down to whatever number). Which numbers
were read is remembered, so that the next run asks for what is new, and for what an earlier one did not come to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from rejoinder.archive.fetch import Spans, union, without
from rejoinder.archive.fetchers.http import Reader
from rejoinder.archive.fetchers.run import Bookmark, FetchedPage
from rejoinder.archive.sources.discourse import Discourse
from rejoinder.errors import SourceError

_WINDOW = 50  # numbers that one answer covers
_CHUNK = 20  # posts of a topic asked for at once


def source(base: str) -> Discourse:
    """The source of that forum, whose posts have an address."""
    made: Discourse = type("Forum", (Discourse,), {"link": f"{base}/t/{{id}}"})()
    return made


def latest(reader: Reader, since: datetime | None, bookmark: Bookmark) -> Iterator[FetchedPage]:
    """What was not read yet, down to `since`."""
    read: Spans = [(first, last) for first, last in bookmark.get("read", [])]
    top = max((post["id"] for post in _posts(reader.get("/posts.json"))), default=0)
    left = without([(1, top)], read)
    while left:
        last = left[-1][1]
        posts = _posts(reader.get("/posts.json", before=last))
        first = max(min([last - _WINDOW + 1, *(post["id"] for post in posts)]), 1)
        read = union(read, [(first, last)])
        yield FetchedPage({"latest_posts": posts} if posts else None, {**bookmark, "read": read})
        left = without([(1, last)], read)
        if since is not None and posts and max(_written(post) for post in posts) < since:
            return


def topics(reader: Reader, wanted: Sequence[int], bookmark: Bookmark) -> Iterator[FetchedPage]:
    """The posts of these topics, of each those that came since it was read last."""
    for topic in wanted:
        known = dict(bookmark.get("topics", {}))
        whole = reader.get(f"/t/{topic}.json", include_raw="true")
        try:
            stream = [number for number in whole["post_stream"]["stream"] if number > known.get(str(topic), 0)]
        except (KeyError, TypeError) as error:
            raise SourceError(f"{reader.base}/t/{topic}.json: no topic of a Discourse forum") from error
        for at in range(0, len(stream), _CHUNK):
            chunk = stream[at : at + _CHUNK]
            found = reader.get(f"/t/{topic}/posts.json", **{"post_ids[]": chunk, "include_raw": "true"})
            known[str(topic)] = chunk[-1]
            bookmark = {**bookmark, "topics": dict(known)}
            yield FetchedPage({"id": topic, "title": whole.get("title"), "post_stream": found.get("post_stream")}, bookmark)


def _posts(value: Any) -> list[dict[str, Any]]:
    posts = value.get("latest_posts") if isinstance(value, dict) else None
    if not isinstance(posts, list) or not all(isinstance(post, dict) and type(post.get("id")) is int for post in posts):
        raise SourceError(f"/posts.json: expected posts of a Discourse forum; got {str(value)[:60]!r}")
    return posts


def _written(post: dict[str, Any]) -> datetime:
    try:
        moment = datetime.fromisoformat(str(post.get("created_at")))
    except ValueError:
        return datetime.now(UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
