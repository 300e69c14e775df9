"""The kinds of text and number that the bodies of requests are made of. Every text has a longest length."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from rejoinder.archive.html import clean

LARGEST_ID = 2**63 - 1


def _cleaned(value: object) -> object:
    """Half a surrogate pair is read as U+FFFD."""
    return clean(value) if isinstance(value, str) else value


_Clean = BeforeValidator(_cleaned)
Text = Annotated[str, _Clean, Field(max_length=100_000)]
Title = Annotated[str, _Clean, Field(max_length=1_000)]
Word = Annotated[str, _Clean, Field(min_length=1, max_length=64)]
PostNumber = Annotated[int, Field(ge=1, le=LARGEST_ID)]
