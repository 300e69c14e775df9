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
        import ijson
        from ijson.common import ObjectBuilder

        builder = ObjectBuilder()
        with suppress(ijson.JSONError, ValueError, RecursionError, *UNREADABLE), open_stream(path) as file:
            data = BytesIO(file.read(LARGEST_WHOLE))
            for event, value in ijson.basic_parse(data, use_float=True, buf_size=_AT_ONCE):
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

    def there(value: Any) -> Any:
        for name in at:
            value = value.get(name) if isinstance(value, dict) else None
        return [value] if value is not None and not isinstance(value, list) else value

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
        raise error or SourceError(f"{path}: no records where this form has them. Nothing was imported")
