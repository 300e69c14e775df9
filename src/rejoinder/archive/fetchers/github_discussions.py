"""GitHub's discussions, which only its GraphQL API gives, and only to those who show a token.

They are asked for from the one that changed last down to what the last run knew; each comes whole, with all its comments and
the replies to them. A run that breaks off goes on from its last page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rejoinder.archive.fetchers.http import Reader
from rejoinder.archive.fetchers.run import Bookmark, FetchedPage
from rejoinder.errors import SourceError

_SAID = "id databaseId url body createdAt author { login }"
_MORE = "pageInfo { hasNextPage endCursor }"
_NEXT = ", after: $after"


def _replies(after: str = "") -> str:
    return f"replies(first: 20{after}) {{ {_MORE} nodes {{ {_SAID} }} }}"


def _comments(after: str = "") -> str:
    return f"comments(first: 20{after}) {{ {_MORE} nodes {{ {_SAID} isAnswer {_replies()} }} }}"


_DISCUSSIONS = f"""query($owner: String!, $name: String!, $after: String) {{
  repository(owner: $owner, name: $name) {{
    discussions(first: 20{_NEXT}, orderBy: {{field: UPDATED_AT, direction: DESC}}) {{
      {_MORE} nodes {{ {_SAID} number title updatedAt isAnswered {_comments()} }}
    }}
  }}
}}"""
_REST = {  # what lies below the first page, by what is missing
    "comments": f"query($id: ID!, $after: String) {{ node(id: $id) {{ ... on Discussion {{ {_comments(_NEXT)} }} }} }}",
    "replies": f"query($id: ID!, $after: String) {{ node(id: $id) {{ ... on DiscussionComment {{ {_replies(_NEXT)} }} }} }}",
}


def changed(reader: Reader, repository: str, bookmark: Bookmark) -> Iterator[FetchedPage]:
    """Each page of what changed since the last run that came to its end, the last change first."""
    since, going = bookmark.get("discussions") or "", dict(bookmark.get("discussions at") or {})
    owner, name = repository.split("/")
    while True:
        data = _ask(reader, _DISCUSSIONS, owner=owner, name=name, after=going.get("after"))
        listed, after = _page(reader, data["repository"], "discussions")
        new = [one for one in listed if str(one.get("updatedAt")) > since]
        newest = max((str(one.get("updatedAt")) for one in new), default=since)
        going = {"after": after, "newest": going.get("newest") or newest}
        for one in new:
            _complete(reader, one, "comments")
            for comment in one["comments"]["nodes"]:
                _complete(reader, comment, "replies")
        if after is None or len(new) < len(listed):
            yield FetchedPage(new, {**bookmark, "discussions": going["newest"] or None, "discussions at": None})
            return
        yield FetchedPage(new, {**bookmark, "discussions at": going})


def _complete(reader: Reader, holder: dict[str, Any], name: str) -> None:
    """Put all of what is said below into `holder[name]["nodes"]`."""
    found, after = _page(reader, holder, name)
    while after is not None:
        more, after = _page(reader, _ask(reader, _REST[name], id=holder.get("id"), after=after)["node"], name)
        found += more
    holder[name] = {"nodes": found}


def _page(reader: Reader, holder: Any, name: str) -> tuple[list[dict[str, Any]], str | None]:
    """The nodes of a connection, and behind what the next ones come, if there are any."""
    try:
        nodes, more = holder[name]["nodes"], holder[name]["pageInfo"]
        found = [one for one in nodes if isinstance(one, dict)]
        return found, more["endCursor"] if more["hasNextPage"] else None
    except (KeyError, TypeError) as error:
        raise SourceError(f"{reader.base}: expected {name}; got {str(holder)[:60]!r}") from error


def _ask(reader: Reader, query: str, **variables: object) -> Any:
    """On a GitHub of one's own the REST API lies at `/api/v3`, and GraphQL at `/api/graphql`."""
    return reader.question(f"{reader.base.removesuffix('/v3')}/graphql", query, **variables)
