"""Discourse: topics and posts as its API gives them (`/t/ID.json`, `/t/ID/posts.json`, `/posts.json`).

A post that answers none by name answers the topic, and so its opening post. A file holds no address of its forum: name it with
`--source`, above all where posts of two forums come into one home.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rejoinder.archive.json_pages import load_as_far
from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.source import Record
from rejoinder.archive.values import flag
from rejoinder.errors import SourceError
from rejoinder.post import State

_NOTICES = (3, "3")  # post types of what nobody wrote: closed, pinned, moved


class Discourse(JsonSource):
    """Posts of topics."""

    name = "discourse"
    what = "topics and posts of a Discourse forum, as its API gives them"
    marks = "posts with post_number, topic_id and cooked or raw"
    threading = "a post that names none it answers is taken to answer the opening post"
    places = {
        f"{at}post_number {at}{words}": at.strip(".")
        for at in ("post_stream.posts.", "latest_posts.", "")
        for words in ("cooked", "raw")
    }

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
            title=get("topic_title") or known.get("title") or known.get("fancy_title"),
            parent=None if opens else f"{about}/{answered or 1}",
            root=f"{about}/1",
            time=get("created_at"),
            author=get("username"),
            score=get("like_count"),
            state=gone,
            solved=(flag(get("topic_accepted_answer")) or None) if opens else get("accepted_answer"),
            answer=f"{about}/{answer}" if opens and answer else None,
        )


SOURCE = Discourse()
