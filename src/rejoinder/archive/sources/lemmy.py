"""Lemmy: a post and pages of comments, as its API (v3) gives them. A comment's `path` names all it stands below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.rest import Named
from rejoinder.archive.source import Record
from rejoinder.archive.values import flag
from rejoinder.post import State


class Lemmy(JsonSource):
    """Posts and comments."""

    name = "lemmy"
    what = "Lemmy posts and comments, as its API gives them"
    marks = "comments with a path, or a post_view"
    rest = "save `/api/v3/comment/list?post_id=ID&type_=All&limit=50&page=1` and the pages after it"
    places = {
        "comments.comment.path": "comments",
        "posts.post.ap_id": "posts",
        "post_view.post.ap_id": "post_view",
        "comment_view.comment.path": "comment_view",
        "comment.path comment.content": "",
        "post.ap_id post.name": "",
    }

    def named(self, page: Mapping[str, Any]) -> Iterable[Named]:
        """How many comments a post has, and which are here."""
        if "post_view" in page:
            yield Named(page["post_view"]["post"]["id"], page["post_view"]["counts"]["comments"])
        yield from (Named(one["comment"]["post_id"], here=1) for one in page.get("comments") or ())

    def record(self, part: Mapping[str, Any], known: None) -> Record | str:
        """The post of a view of a post or a comment."""
        comment, post, who, counts = (part.get(name) or {} for name in ("comment", "post", "creator", "counts"))
        said = comment or post
        gone = State.DELETED if flag(said.get("deleted")) else State.DEAD if flag(said.get("removed")) else State.LIVE
        above = str(comment.get("path", "")).split(".")[-2:-1] if comment else []
        about = f"p{comment.get('post_id') or post.get('id')}"
        return Record(
            id=f"c{comment['id']}" if comment else about,
            text=comment["content"] if comment else post.get("body"),
            markup="markdown-breaks",
            title=post.get("name"),
            parent=(about if above in ([], ["0"]) else f"c{above[0]}") if comment else None,
            root=about if comment else None,
            time=said.get("published") or said.get("published_at"),
            author=who.get("actor_id") or who.get("name"),
            link=said.get("ap_id"),
            url=post.get("url") if not comment else None,
            score=counts.get("score", said.get("score")),
            state=gone,
        )


SOURCE = Lemmy()
