"""Discourse: topics and posts as its API gives them (`/t/ID.json`, `/t/ID/posts.json`, `/posts.json`), and tables of posts.

A table is `user_archive.csv`, which an account's own export holds, or rows of the forum's table of posts, as its Data Explorer
and its database give them.

A post that answers none by name answers the topic, and so its opening post. A file holds no address of its forum: name it with
`--source`, above all where posts of two forums come into one home.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.json_pages import load_as_far
from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.peek import peek
from rejoinder.archive.rest import Named
from rejoinder.archive.source import Hasher, Item, Record, Skipped, guarded, guarded_all
from rejoinder.archive.tables import rows
from rejoinder.archive.values import escaped_line, flag, is_nothing
from rejoinder.errors import SourceError
from rejoinder.post import State

_WHISPERS = (4, "4")  # post types of what only the staff can read
_NOTICES = (3, "3")  # post types of what nobody wrote: closed, pinned, moved
_OF_AN_ACCOUNT, _OF_A_FORUM = frozenset(("post_raw", "url", "topic_title")), frozenset(("topic_id", "post_number"))  # columns
_ADDRESS = re.compile(r"/t/(?:[^/\s]*/)??(\d+)(?:/(\d+))?/?(?:[?#]\S*)?$")


class Discourse(JsonSource):
    """Posts of topics."""

    name = "discourse"
    what = "topics and posts of a Discourse forum, as its API gives them"
    beside = (
        "auth_*.csv badges.csv bookmarks.csv category_preferences.csv flags.csv likes.csv post_actions.csv preferences.* "
        "queued_posts.csv user_archive_profile.csv visits.csv"
    )
    marks = "posts with post_number, topic_id and cooked or raw"
    rest = "`rejoinder fetch discourse https://HOST`, or save `/t/ID.json?print=true`"
    threading = "a post that names none it answers is taken to answer the opening post"
    places = {
        f"{at}post_number {at}{words}": at.strip(".")
        for at in ("post_stream.posts.", "latest_posts.", "")
        for words in ("cooked", "raw")
    }

    def recognises(self, path: Path) -> bool:
        """Whether there are such posts, or the columns of such a table."""
        columns = set(peek(path).columns)
        table = columns >= _OF_AN_ACCOUNT or (columns >= _OF_A_FORUM and bool(columns & {"raw", "cooked"}))
        return table or super().recognises(path)

    def named(self, page: Mapping[str, Any]) -> Iterable[Named]:
        """How many posts the topic has."""
        if "posts_count" in page:
            yield Named(page.get("id"), page["posts_count"], len(page["post_stream"]["posts"]))

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The posts, in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        if peek(path).json:
            return super().read(path, hasher)
        found = (
            row if isinstance(row, Skipped) else guarded(partial(self.item, _post(row), {}, hasher, where), where)
            for where, row in rows(path)
        )
        return guarded_all(found, path.name)

    def begin(self, path: Path) -> Mapping[str, Any]:
        """What the file says of the topic as a whole, which may stand below its posts; nothing, where the file is too large."""
        try:
            whole, _ = load_as_far(path)
        except SourceError:
            return {}
        return whole if isinstance(whole, Mapping) else {}

    def record(self, part: Mapping[str, Any], known: Mapping[str, Any]) -> Record | str:
        """A post of the topic `known`."""
        get = part.get
        if get("post_type") in _NOTICES:
            return "a notice of the service"
        if get("post_type") in _WHISPERS:
            return "a note among the staff"
        about, number, answered = get("topic_id") or known.get("id"), get("post_number"), get("reply_to_post_number")
        opens = str(number) == "1"
        gone = (
            State.DELETED if get("deleted_at") or flag(get("user_deleted")) else State.DEAD if flag(get("hidden")) else State.LIVE
        )
        written, accepted = get("raw"), known.get("accepted_answer")
        answer = accepted.get("post_number") if isinstance(accepted, Mapping) else None
        return Record(
            id=f"{about}/{number}" if number else None,
            text=written or get("cooked"),
            markup="discourse" if written else "html",
            title=get("topic_title") or known.get("title") or escaped_line(known.get("fancy_title")),
            parent=None if opens else f"{about}/{answered or 1}",
            root=f"{about}/1",
            time=get("created_at"),
            author=get("username") or get("user_id"),
            link=get("link"),
            score=get("like_count"),
            state=gone,
            solved=(flag(get("topic_accepted_answer")) or None) if opens else get("accepted_answer"),
            answer=f"{about}/{answer}" if opens and answer else None,
        )


SOURCE = Discourse()


def _post(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a table under the names of the API."""
    post = {name: value for name, value in row.items() if not is_nothing(value)}
    if "post_raw" in row or "post_cooked" in row:
        found = _ADDRESS.search(str(row.get("url")))
        post |= {"raw": row.get("post_raw"), "cooked": row.get("post_cooked"), "link": row.get("url")}
        post |= {"topic_id": found[1], "post_number": found[2] or 1} if found else {}
    return post
