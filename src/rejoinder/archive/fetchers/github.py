"""GitHub: the issues and pull requests of a repository, and all comments on them, as its REST API gives them.

Each list is asked for in the order of what changed, since the last change that was read; discussions come by GraphQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rejoinder.archive.fetchers import github_discussions
from rejoinder.archive.fetchers.http import Reader
from rejoinder.archive.fetchers.run import Bookmark, FetchedPage
from rejoinder.archive.sources.github import SOURCE as SOURCE
from rejoinder.errors import SourceError

OFFICIAL = "https://api.github.com"
_LISTS = ("issues", "issues/comments", "pulls/comments")


def changed(reader: Reader, repository: str, bookmark: Bookmark, *, discussions: bool) -> Iterator[FetchedPage]:
    """What changed since the last run, list by list, the oldest change first; the discussions last, if they are wanted."""
    for name in _LISTS:
        since = bookmark.get(name)
        query = {"state": "all" if name == "issues" else None, "sort": "updated", "direction": "asc", "since": since}
        for rows in reader.pages(f"/repos/{repository}/{name}", per_page=100, **query):
            if not isinstance(rows, list):
                raise SourceError(f"{reader.base}/repos/{repository}/{name}: expected a list; got {str(rows)[:60]!r}")
            last = max((str(row.get("updated_at", "")) for row in rows if isinstance(row, dict)), default="")
            bookmark = {**bookmark, name: max(last, bookmark.get(name) or "") or None}
            yield FetchedPage(_new(rows, since), bookmark)
    if discussions:
        yield from github_discussions.changed(reader, repository, bookmark)


def _new(rows: list[Any], since: str | None) -> list[Any]:
    """`since` includes its own moment, so that what was read last comes again."""
    return [row for row in rows if isinstance(row, dict) and (since is None or str(row.get("updated_at")) != since)]
