"""Stack Exchange: a site's data dump (Posts.xml, Comments.xml), and questions as the API gives them.

A question opens a thread, an answer answers it, a comment answers the post below which it stands. Body texts are HTML inside
an XML attribute. The dumps are read row by row, without their document type. Users are known by their numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

from rejoinder.archive.json_source import JsonSource
from rejoinder.archive.peek import peek
from rejoinder.archive.rest import Named
from rejoinder.archive.source import Hasher, Item, Record, Skipped, guarded, guarded_all
from rejoinder.archive.streams import UNREADABLE, open_stream
from rejoinder.archive.values import LONGEST_TEXT, escaped_line
from rejoinder.errors import SourceError

_ATTRIBUTE = re.compile(r'\s([A-Za-z]+)="([^"]*)"')
_QUESTION, _ANSWER = "1", "2"
_LONGEST_ROW = 8 * LONGEST_TEXT  # bytes; entities take more room than what they stand for


class StackExchange(JsonSource):
    """Questions, answers and comments."""

    name = "stackexchange"
    what = "a Stack Exchange site's dump (Posts.xml, Comments.xml) or questions from its API"
    marks = "rows with PostTypeId or PostId and Body or Text; items with question_id"
    rest = "save the next pages too (`&page=2&pagesize=100` and so on)"

    beside = "Badges.xml PostHistory.xml PostLinks.xml Tags.xml Users.xml Votes.xml"
    places = {"items.question_id": "items", "items.comment_id items.post_id": "items"}
    whole = True

    def recognises(self, path: Path) -> bool:
        """Whether the file is one of the two tables, or a page of questions."""
        head = peek(path).text
        comments = " PostId=" in head and " Text=" in head and "PostHistoryTypeId=" not in head
        rows = "<row " in head and ("PostTypeId=" in head or comments)
        return rows or super().recognises(path)

    def named(self, page: Mapping[str, Any]) -> Iterable[Named]:
        """Whether an answer of the API has a next page."""
        if "has_more" in page:
            yield Named("", goes_on=page["has_more"] is True)

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The posts, in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        return super().read(path, hasher) if peek(path).json else guarded_all(_dump(path, hasher), path.name)

    def within(self, value: Mapping[str, Any], outer: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """A question, its answers, and the comments on each; or an answer or a comment by itself."""
        yield next((kind for kind in ("comment", "answer") if f"{kind}_id" in value), "question"), value
        answers = [one for one in value.get("answers") or () if isinstance(one, Mapping)]
        yield from (("answer", one) for one in answers)
        for post in (value, *answers):
            yield from (("comment", one) for one in post.get("comments") or () if isinstance(one, Mapping))

    def record(self, part: tuple[str, Mapping[str, Any]], known: None) -> Record | str:
        """The post of a question, an answer or a comment."""
        kind, post = part
        get, owner = post.get, post.get("owner") or {}
        number = get(f"{kind}_id")
        return Record(
            id=f"c{number}" if kind == "comment" and number else number,
            text=get("body") or unescape(str(get("body_markdown") or "")),
            markup="html" if get("body") else "markdown",
            title=escaped_line(get("title")),
            parent={"question": None, "answer": get("question_id"), "comment": get("post_id")}[kind],
            time=get("creation_date"),
            author=owner.get("user_id") or owner.get("display_name"),
            link=get("link") if str(get("link")).startswith("http") else None,
            score=get("score"),
            solved=get("is_accepted"),
            answer=get("accepted_answer_id"),
        )


SOURCE = StackExchange()


def _dump(path: Path, hasher: Hasher) -> Iterator[Item]:
    number = 0
    try:
        with open_stream(path) as file:
            while line := file.readline(_LONGEST_ROW):
                number += 1
                where = f"{path.name} line {number}"
                if not line.lstrip().startswith(b"<row"):
                    continue
                if not line.rstrip().endswith(b"/>"):
                    yield Skipped("a row that is not whole, or too long", where)
                    while line and not line.endswith(b"\n"):
                        line = file.readline(_LONGEST_ROW)
                    continue
                text = line.decode("utf-8", "replace")
                yield guarded(partial(_row, text, hasher, where), where)
    except UNREADABLE as error:
        raise SourceError(f"{path}: breaks off after line {number:,}: {error}") from error


def _row(text: str, hasher: Hasher, where: str) -> Item:
    row = {name: unescape(value) for name, value in _ATTRIBUTE.findall(text)}
    get = row.get
    author = get("OwnerUserId") or get("UserId") or get("OwnerDisplayName") or get("UserDisplayName")
    if "PostTypeId" not in row:
        return Record(
            id=f"c{row['Id']}", text=get("Text"), markup="markdown", parent=get("PostId"), time=get("CreationDate"),
            author=author, score=get("Score"),
        ).post(hasher, where)  # fmt: skip
    if row["PostTypeId"] not in (_QUESTION, _ANSWER):
        return Skipped("a page about a tag, or a notice", where)
    return Record(
        id=get("Id"), text=get("Body"), markup="html", title=get("Title"), parent=get("ParentId"), time=get("CreationDate"),
        author=author, score=get("Score"), answer=get("AcceptedAnswerId"),
    ).post(hasher, where)  # fmt: skip
