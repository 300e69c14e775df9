"""GitLab: issues and merge requests, and the notes on them, as its REST API gives them, alone or in discussions, or in an export.

A page of notes says which issue they belong to by a number only: `noteable_id`, which is that issue's `id`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.source import Record
from rejoinder.archive.values import flag


class GitLab(JsonSource):
    """Issues and notes."""

    name = "gitlab"
    what = "GitLab issues, merge requests and their notes, as its API gives them"
    marks = "records with iid and description, or noteable_type and body"
    places = {
        "noteable_type body": "",
        "iid title description web_url": "",
        "notes.noteable_type notes.body individual_note": "",
        "iid title description notes.note": "",
    }

    def within(self, value: Mapping[str, Any], outer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """The record, or the notes of a discussion, in which all but the first answer that one; or an issue and its notes."""
        notes = [one for one in value.get("notes") or () if isinstance(one, Mapping)]
        if "individual_note" not in value:
            yield value
            about = f"{'MergeRequest' if 'merge_status' in value else 'Issue'} {_number(value)}"
            yield from ({**note, "above": about, "body": note.get("note")} for note in notes)
        elif notes:
            yield notes[0]
            yield from ({**note, "answers": f"note {notes[0].get('id')}"} for note in notes[1:])

    def record(self, part: Mapping[str, Any], known: None) -> Record | str:
        """The post of an issue, a merge request or a note."""
        get = part.get
        if flag(get("system")):
            return "a notice of the service"
        who = get("author") or {}
        note = "noteable_type" in part
        kind = get("noteable_type") if note else "MergeRequest" if "merge_status" in part else "Issue"
        about = get("above") or f"{kind} {get('noteable_id') if note else _number(part)}"
        return Record(
            id=f"note {get('id') or get('created_at')}" if note else about,
            text=get("body") if note else get("description"),
            markup="markdown-breaks",
            title=get("title"),
            parent=get("answers") or about if note else None,
            root=about if note else None,
            time=get("created_at"),
            author=who.get("username") or who.get("id") or get("author_id"),
            link=None if note else get("web_url"),
            solved=get("state") if kind == "Issue" and not note else None,
        )


SOURCE = GitLab()


def _number(issue: Mapping[str, Any]) -> object:
    """By which notes name an issue; an export of a project names it by its number in the project alone."""
    return issue.get("id") or issue.get("iid")
