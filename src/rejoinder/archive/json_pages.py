"""Small JSON files that are one value, such as the answers of an API: read whole, or, where one breaks off, as far as it goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import ijson
from ijson.common import ObjectBuilder

from rejoinder.archive.json_records import Row, load_json
from rejoinder.archive.source import Skipped
from rejoinder.archive.streams import UNREADABLE, open_stream
from rejoinder.errors import SourceError


def load_as_far(path: Path) -> tuple[Any, SourceError | None]:
    """The value of a file, and what is wrong with the file, if it breaks off; the last record may then lack its end.

    Raises:
        SourceError: nothing can be read.
    """
    try:
        return load_json(path), None
    except SourceError as error:
        builder = ObjectBuilder()
        with suppress(ijson.JSONError, ValueError, RecursionError, *UNREADABLE), open_stream(path) as file:
            for event, value in ijson.basic_parse(file, use_float=True):
                builder.event(event, value)
        found = getattr(builder, "value", None)
        if not found:
            raise
        return found, error


def page_records(path: Path, at: Sequence[str] = ()) -> Iterator[Row]:
    """The records that lie at the names `at` in a file's value: an array of them, or one.

    Raises:
        SourceError: the file cannot be read, has nothing there, or breaks off (after its records).
    """
    value, error = load_as_far(path)
    for name in at:
        value = value.get(name) if isinstance(value, dict) else None
    found = value if isinstance(value, list) else [] if value is None else [value]
    for number, record in enumerate(found, start=1):
        where = f"{path.name}, record {number}"
        yield Row(where, record if isinstance(record, dict) else Skipped("not a record (a JSON object)", where), {})
    if error is not None or value is None:
        raise error or SourceError(f"{path}: nothing at {'.'.join(at)}. Nothing was imported")
