"""Cases: a reply with what it answered, as a person reads it who wants to know whether it fits."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rejoinder.archive.places import origin
from rejoinder.post import ACCEPTED, Case, Kind, Origin, Post

if TYPE_CHECKING:
    from rejoinder.archive.store import Archive

_ASKED, _OPENING = 600, 120  # characters of what was answered, and of what the thread is about
_PLACE = """
    SELECT parent, thread, solved OR EXISTS (SELECT 1 FROM post AS asked WHERE asked.answer = post.id)
    FROM post LEFT JOIN place USING (id) WHERE id = ?
"""
_SAID = "SELECT kind, title, text, time FROM post WHERE id = ?"


def case_of(archive: Archive, number: int) -> Origin | None:
    """Where a reply comes from and what it answered; None for a post that is not here."""
    found = origin(archive, number)
    if found is None:
        return None
    parent, thread, accepted = next(archive.query(_PLACE, [number]))
    asked, opening = (_post(archive, one) for one in (parent, thread))
    if not asked.body:
        return found
    about = _short(opening.title or opening.own_text, _OPENING)
    case = Case(_short(asked.own_text, _ASKED), asked.time, about, (ACCEPTED,) if accepted else ())
    return found._replace(case=case)


def _post(archive: Archive, number: int | None) -> Post:
    row = next(archive.query(_SAID, [number]), None)
    if row is None:
        return Post(0)
    kind, title, text, time = row
    return Post(number or 0, Kind(kind), text or "", title or "", time=time)


def _short(text: str, characters: int) -> str:
    return text if len(text) <= characters else textwrap.shorten(text, characters, placeholder=" …")
