"""Small JSON files that are one value, such as the answers of an API: read whole, or, where one breaks off, as far as it goes.

Of a file that is not small no more than its beginning is read, as if it broke off there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

from rejoinder.archive.json_records import LARGEST_WHOLE, Row, load_json
from rejoinder.archive.source import Skipped
from rejoinder.archive.streams import UNREADABLE, open_stream
from rejoinder.errors import SourceError

_AT_ONCE = 2**23  # bytes for the parser, which begins a text anew with each piece of it


def load_as_far(path: Path) -> tuple[Any, SourceError | None]:
    """The value of a file, and what is wrong with the file, if it breaks off; the last record may then lack its end.

    Raises:
        SourceError: nothing can be read.
    """
    try:
        return load_json(path), None
    except SourceError as error:
        found, whole = _values(path)
        if not found:
            raise
        return found[0] if len(found) == 1 else found, None if whole else error


def _values(path: Path) -> tuple[list[Any], bool]:
    """The values that follow each other in a file, as pages that were put one after the other; whether that is all of it."""
    import ijson
    from ijson.common import ObjectBuilder

    found: list[Any] = []
    builder, depth = ObjectBuilder(), 0
    with suppress(ijson.JSONError, ValueError, RecursionError, *UNREADABLE), open_stream(path) as file:
        data = file.read(LARGEST_WHOLE + 1)
        for event, value in ijson.basic_parse(
            BytesIO(data[:LARGEST_WHOLE].removeprefix(b"\xef\xbb\xbf")), use_float=True, multiple_values=True, buf_size=_AT_ONCE
        ):
            builder.event(event, value)
            depth += event.startswith("start") - event.startswith("end")
            if depth == 0:
                found.append(builder.value)
                builder = ObjectBuilder()
        return found, len(data) <= LARGEST_WHOLE
    return [*found, builder.value] if getattr(builder, "value", None) else found, False


def listed(value: Any) -> Iterator[Any]:
    """The elements of an array, those of arrays in it too, which are pages; of any other value that value."""
    for one in value if isinstance(value, list) else [value]:
        yield from one if isinstance(one, list) else [one]


def page_records(path: Path, at: Sequence[str] = ()) -> Iterator[Row]:
    """The records that lie at the names `at` in a file's value: an array of them, or one.

    Raises:
        SourceError: the file cannot be read, has nothing there, or breaks off (after its records).
    """

    def there(value: Any) -> Iterable[Any] | None:
        found = [value]
        for name in at:
            inside = [one for value in found for one in listed(value)]
            found = [one[name] for one in inside if isinstance(one, dict) and one.get(name) is not None]
        return [one for value in found for one in listed(value)] if found else None

    return picked_records(path, there)


def picked_records(path: Path, pick: Callable[[Any], Iterable[object] | None]) -> Iterator[Row]:
    """The records that `pick` finds in a file's value, each with that value's fields around it.

    Raises:
        SourceError: the file cannot be read, `pick` finds no place for them (None), or it breaks off (after its records).
    """
    value, error = load_as_far(path)
    found = pick(value)
    for number, record in enumerate(found or (), start=1):
        where = f"{path.name}, record {number}"
        outer = value if isinstance(value, dict) else {}
        yield Row(where, record if isinstance(record, dict) else Skipped("not a record (a JSON object)", where), outer)
    if error is not None or found is None:
        raise error or SourceError(f"{path}: no records where this form has them. Nothing was taken of it")
