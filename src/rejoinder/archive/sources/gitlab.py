"""GitLab: issues and merge requests, and the notes on them, as its REST API gives them.

A page of notes says which issue they belong to by a number only: `noteable_id`, which is that issue's `id`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.source import Record
from rejoinder.archive.values import flag


class GitLab(JsonSource):
    """Issues and notes."""

    name = "gitlab"
    what = "GitLab issues, merge requests and their notes, as its API gives them"
    marks = "records with iid and description, or noteable_type and body"
    places = {"noteable_type body": "", "iid title description web_url": ""}

    def record(self, part: Mapping[str, Any], known: None) -> Record | str:
        """The post of an issue, a merge request or a note."""
        get = part.get
        if flag(get("system")):
            return "a notice of the service"
        who = get("author") or {}
        note = "noteable_type" in part
        kind = get("noteable_type") if note else "MergeRequest" if "merge_status" in part else "Issue"
        about = f"{kind} {get('noteable_id') if note else get('id')}"
        return Record(
            id=f"note {get('id')}" if note else about,
            text=get("body") if note else get("description"),
            markup="markdown-breaks",
            title=get("title"),
            parent=about if note else None,
            root=about if note else None,
            time=get("created_at"),
            author=who.get("username") or who.get("id"),
            link=None if note else get("web_url"),
            solved=get("state") if kind == "Issue" and not note else None,
        )


SOURCE = GitLab()
