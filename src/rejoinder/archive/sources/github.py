"""GitHub: issues, pull requests, their comments and reviews, discussions.

From its REST API, GraphQL, `gh ... --json`, or an archive of a migration.

An issue's own address is its id (`OWNER/REPO#12`), a comment's is its number behind that of its issue; so that a comment
finds what it answers whichever file came first. A review comment that answers another one says which; every other comment
answers the issue.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rejoinder.archive.json_pages import page_records
from rejoinder.archive.json_records import Row, json_records
from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.peek import peek
from rejoinder.archive.rest import Named
from rejoinder.archive.source import Record
from rejoinder.archive.values import solved

_ADDRESS = re.compile(r"(?:repos/|://[^/]+/)([^/]+/[^/]+)/(?:issues|pull|pulls|discussions)/(\d+)")
_API = re.compile("github|/api/v3/repos/")
_MANY = ("issues", "discussions", "pullRequests")
_TREES = [  # where the issues, or discussions, of an answer of GraphQL lie
    *(f"data.repository.{name}.{at}" for name in _MANY for at in ("nodes", "edges.node")),
    *(f"data.repository.{name}" for name in ("issue", "discussion", "pullRequest")),
    *("data.search.nodes", "data.search.edges.node", "data.node"),
]
_ROWS = ("issue_url", "pull_request_url", "comments_url")  # of the REST API
_MIGRATED = ("issue", "issue_comment", "pull_request", "pull_request_review", "pull_request_review_comment")  # types of records
_BY_MAIL = ("notifications@github.com", "Reply to this email directly", "@reply.github.com")  # in what an answer by mail quotes
_WITHIN = ("issue_url", "pull_request_url", "issue", "pull_request")  # where a comment says what it belongs to


class _Said(NamedTuple):
    post: Mapping[str, Any]
    parent: str | None = None  # what it answers, and where its thread begins, if it lies inside of that
    root: str | None = None
    accepted: object = None  # whether it is the answer of a discussion


class GitHub(JsonSource):
    """Issues, pull requests and discussions."""

    name = "github"
    what = "GitHub issues, pull requests, discussions and their comments (REST, GraphQL, `gh --json`)"
    beside = (
        "attachments_* bots_* collaborators_* issue_events_* labels_* milestones_* organizations_* projects_* releases_* "
        "protected_branches_* repositories_* repository_files_* schema.json teams_* urls.json users_*"
    )
    marks = "addresses of an issue or pull request, and a body"
    rest = "`rejoinder fetch github OWNER/REPO`, or `gh api --paginate`"
    places = {
        **{f"{tree}.{name}": tree for tree in _TREES for name in ("number", "title")},
        "items.comments_url items.title": "items",  # of a search
    }

    def recognises(self, path: Path) -> bool:
        """Whether there are such records."""
        fields = peek(path).fields
        rest = any(_API.search(str(fields.get(name))) for name in _ROWS) and ("body" in fields or "title" in fields)
        listed = {"number", "title", "body"} <= set(fields) and any(
            "github.com" in str(value) for name, value in fields.items() if name.rpartition(".")[2] == "url"
        )
        migrated = fields.get("type") in _MIGRATED and {"url", "user", "body"} <= set(fields)
        return rest or listed or migrated or super().recognises(path)

    def named(self, page: Mapping[str, Any]) -> Iterable[Named]:
        """How many issues a search found, or comments an issue has; of GraphQL, whether anything has a next page."""
        if "total_count" in page:
            yield Named("", page["total_count"], len(page["items"]))
        elif "data" in page:
            yield Named("", goes_on='"hasNextPage": true' in json.dumps(page))
        elif "issue_url" in page:
            yield Named(_issue_of(page), here=1)
        elif "comments_url" in page:
            yield Named(_issue_of(page), page.get("comments"))

    def rows(self, path: Path) -> Iterator[Row]:
        """The issues and comments, in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        tree = self.at(path)
        return json_records(path) if tree is None else page_records(path, tree.split("."))

    def within(self, value: Mapping[str, Any], outer: Mapping[str, Any]) -> Iterator[_Said]:
        """A record, and the comments inside it."""
        root, answer = _issue_of(value), value.get("answer")
        yield _Said(value)
        for comment in _nodes(value.get("comments")):
            yield _Said(comment, root, root, _accepted(comment, answer))
            for reply in _nodes(comment.get("replies")):
                yield _Said(reply, _comment_id(comment, root), root)
        for review in _nodes(value.get("reviews")):
            yield _Said(review, root, root)
        for talk in _nodes(value.get("reviewThreads")):
            first: str | None = None
            for comment in _nodes(talk.get("comments")):
                yield _Said(comment, first or root, root)
                first = first or _comment_id(comment, root)

    def record(self, part: _Said, known: None) -> Record | str:
        """The post of an issue or a comment."""
        get = part.post.get
        within = any(isinstance(get(name), str) for name in _WITHIN)
        above = part.root or (_issue_of(part.post) if within else None)
        comment = above is not None
        answered = part.parent or above
        if comment and part.parent is None and get("in_reply_to_id"):
            answered = f"{above}/{get('in_reply_to_id')}"
        if comment and not get("body"):
            return "a review or comment without words"
        link = get("html_url") or get("url")
        return Record(
            id=_comment_id(part.post, above) if comment else _issue_of(part.post),
            text=get("body") or "",
            markup="mail-markdown" if _by_mail(part.post) else "markdown-breaks",
            title=get("title"),
            parent=answered if comment else None,
            root=above,
            time=get("created_at") or get("createdAt") or get("submitted_at") or get("submittedAt"),
            author=_writer(part.post),
            link=link if str(link).startswith("https://github.com/") else None,
            solved=part.accepted if comment else _state(part.post),
        )


SOURCE = GitHub()


def _accepted(comment: Mapping[str, Any], answer: object) -> object:
    """Whether a comment is what its discussion says was the answer, if that was asked for."""
    named = comment.get("id") == answer.get("id") if isinstance(answer, Mapping) else None
    return comment.get("isAnswer", named)


def _state(post: Mapping[str, Any]) -> object:
    """Whether an issue was closed as done, or a discussion answered; of a pull request that is no question."""
    get = post.get
    if "pull_request" in post or "/pull/" in str(get("html_url") or get("url")):
        return None
    if isinstance(get("answer"), Mapping) or get("isAnswered") is not None:
        return get("isAnswered") is not False
    closed = solved(get("state"))
    return (solved(get("state_reason") or get("stateReason")) is not False) if closed else closed


def _by_mail(post: Mapping[str, Any]) -> bool:
    """Whether a comment was sent by mail, which GraphQL says and the REST API does not."""
    return post.get("createdViaEmail") is True or any(mark in str(post.get("body")) for mark in _BY_MAIL)


def _nodes(value: object) -> Iterator[Mapping[str, Any]]:
    """The objects of a list, as the REST API has it, or of a connection of GraphQL."""
    found = value.get("nodes") or value.get("edges") if isinstance(value, Mapping) else value
    for one in found if isinstance(found, list) else ():
        inside = one.get("node", one) if isinstance(one, Mapping) else None
        if isinstance(inside, Mapping):
            yield inside


def _issue_of(record: Mapping[str, Any]) -> str | None:
    """The id of the issue that a record is, or belongs to."""
    for name in (*_WITHIN, "html_url", "url"):
        value = record.get(name)
        if isinstance(value, str) and (found := _ADDRESS.search(value)):
            return f"{found[1]}#{found[2]}"
    number = record.get("number")
    return f"#{number}" if number is not None else None


def _comment_id(comment: Mapping[str, Any], root: str | None) -> str | None:
    own = comment.get("databaseId") or comment.get("id") or comment.get("url")
    if own is None and comment.get("createdAt"):  # a short answer of GraphQL gives comments no id
        own = f"{_writer(comment)}@{comment['createdAt']}"
    return None if own is None else f"{root}/{own}"


def _writer(post: Mapping[str, Any]) -> str | None:
    who = post.get("user") or post.get("author")
    return who.get("login") if isinstance(who, Mapping) else who.rpartition("/")[2] if isinstance(who, str) else None
