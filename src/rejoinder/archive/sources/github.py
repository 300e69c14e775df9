"""GitHub: issues, pull requests, their comments and reviews, discussions; from its REST API, GraphQL, or `gh ... --json`.

An issue's own address is its id (`OWNER/REPO#12`), a comment's is its number behind that of its issue; so that a comment
finds what it answers whichever file came first. A review comment that answers another one says which; every other comment
answers the issue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rejoinder.archive.json_pages import page_records
from rejoinder.archive.json_records import json_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded, guarded_all

_ADDRESS = re.compile(r"(?:repos/|github\.com/)([^/]+/[^/]+)/(?:issues|pull|pulls|discussions)/(\d+)")
_TREES = {  # where the issues, or discussions, of an answer of GraphQL lie
    "data.repository.issues.nodes": ("data", "repository", "issues", "nodes"),
    "data.repository.discussions.nodes": ("data", "repository", "discussions", "nodes"),
    "data.repository.pullRequests.nodes": ("data", "repository", "pullRequests", "nodes"),
    "data.repository.issue": ("data", "repository", "issue"),
    "data.repository.discussion": ("data", "repository", "discussion"),
    "data.repository.pullRequest": ("data", "repository", "pullRequest"),
}
_ROWS = ("issue_url", "pull_request_url", "comments_url")  # of the REST API


class GitHub(Source):
    """Issues, pull requests and discussions."""

    name = "github"
    what = "GitHub issues, pull requests, discussions and their comments (REST, GraphQL, `gh --json`)"
    marks = "addresses of an issue or pull request, and a body"

    def recognises(self, path: Path) -> bool:
        """Whether there are such records."""
        fields = peek(path).fields
        rest = any("github" in str(fields.get(name, "")) for name in _ROWS) and ("body" in fields or "title" in fields)
        listed = {"number", "title", "body"} <= set(fields) and "github.com" in str(fields.get("url", ""))
        return rest or listed or _tree(fields) is not None

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The posts, in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        return guarded_all(_items(path, hasher), path.name)


SOURCE = GitHub()


def _items(path: Path, hasher: Hasher) -> Iterator[Item]:
    tree = _tree(peek(path).fields)
    for row in json_records(path) if tree is None else page_records(path, tree):
        if isinstance(row.value, Skipped):
            yield row.value
            continue
        for post, parent, root in _within(row.value):
            yield guarded(partial(_item, post, parent, root, hasher, row.where), row.where)


def _tree(fields: Mapping[str, Any]) -> tuple[str, ...] | None:
    return next((at for name, at in _TREES.items() if f"{name}.number" in fields or f"{name}.title" in fields), None)


def _within(record: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str | None, str | None]]:
    """A record and the comments inside it, each with what it answers and where its thread begins."""
    root = _issue_of(record)
    yield record, None, None
    for comment in _nodes(record.get("comments")):
        yield comment, root, root
        for reply in _nodes(comment.get("replies")):
            yield reply, _comment_id(comment, root), root


def _nodes(value: object) -> Iterator[Mapping[str, Any]]:
    found = value.get("nodes") if isinstance(value, Mapping) else value
    return (one for one in found if isinstance(one, Mapping)) if isinstance(found, list) else iter(())


def _issue_of(record: Mapping[str, Any]) -> str | None:
    """The id of the issue that a record is, or belongs to."""
    for name in ("issue_url", "pull_request_url", "html_url", "url"):
        found = _ADDRESS.search(str(record.get(name) or ""))
        if found:
            return f"{found[1]}#{found[2]}"
    number = record.get("number")
    return f"#{number}" if number is not None else None


def _comment_id(comment: Mapping[str, Any], root: str | None) -> str | None:
    own = comment.get("databaseId") or comment.get("id") or comment.get("url")
    if own is None and comment.get("createdAt"):  # a short answer of GraphQL gives comments no id
        own = f"{_writer(comment)}@{comment['createdAt']}"
    return None if own is None else f"{root}/{own}"


def _item(post: Mapping[str, Any], parent: str | None, root: str | None, hasher: Hasher, where: str) -> Item:
    get = post.get
    above = root or (_issue_of(post) if get("issue_url") or get("pull_request_url") else None)
    comment = above is not None
    answered = parent or above
    if comment and parent is None and get("in_reply_to_id"):
        answered = f"{above}/{get('in_reply_to_id')}"
    if comment and not get("body"):
        return Skipped("a review or comment without words", where)
    link = get("html_url") or get("url")
    return Record(
        id=_comment_id(post, above) if comment else _issue_of(post),
        text=get("body") or "",
        markup="markdown-breaks",
        title=get("title"),
        parent=answered if comment else None,
        root=above,
        time=get("created_at") or get("createdAt") or get("submitted_at"),
        author=_writer(post),
        link=link if str(link).startswith("https://github.com/") else None,
    ).post(hasher, where)


def _writer(post: Mapping[str, Any]) -> str | None:
    who = post.get("user") or post.get("author")
    return who.get("login") if isinstance(who, Mapping) else who if isinstance(who, str) else None
