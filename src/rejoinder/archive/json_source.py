"""Sources whose files are JSON: they say where in a file the records lie, and what post each is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from rejoinder.archive.json_pages import page_records
from rejoinder.archive.json_records import Row, json_records
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Hasher, Item, Record, Skipped, Source, guarded, guarded_all


class JsonForm(Source):
    """A form of JSON: where in a file its records lie. What they are is said by those below."""

    places: ClassVar[Mapping[str, str]] = {}  # fields that only this form has, with blanks -> where the records then lie
    whole: ClassVar[bool] = False  # whether a file is one value, read at once; else record by record

    def recognises(self, path: Path) -> bool:
        """Whether the fields of one of the places are there."""
        return self.at(path) is not None

    def at(self, path: Path) -> str | None:
        """Where in the file the records lie, as names with dots; "*" is any element, "" the file as a whole, None unknown."""
        fields = peek(path).fields
        return next((at for names, at in self.places.items() if fields.keys() >= set(names.split())), None)

    def rows(self, path: Path) -> Iterator[Row]:
        """The records, in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        at = self.at(path)
        if at is None:  # a person says that it is of this form
            known = [*dict.fromkeys(self.places.values())]
            at = next((place for place in known if place in peek(path).fields), known[0] if len(known) == 1 else "")
        return (page_records if self.whole else json_records)(path, at.split(".") if at else ())


class JsonSource(JsonForm):
    """A form of JSON whose records are posts, or hold some. At the least it has `places` and `record`."""

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The posts, in the file's order.

        Raises:
            SourceError: the file cannot be read, or breaks off.
        """
        return guarded_all(self._items(path, hasher), path.name)

    def _items(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        known = self.begin(path)
        for row in self.rows(path):
            if isinstance(row.value, Skipped):
                yield row.value
                continue
            for part in self.within(row.value, row.outer):
                yield guarded(partial(self.item, part, known, hasher, row.where), row.where)

    def item(self, part: Any, known: Any, hasher: Hasher, where: str) -> Item:
        """The post in a part of a record, or why there is none."""
        found = self.record(part, known)
        return Skipped(found, where) if isinstance(found, str) else found.post(hasher, where)

    def begin(self, path: Path) -> Any:
        """What is known of a file before its first record, and may grow from record to record: the turns of a chat."""

    def within(self, value: Mapping[str, Any], outer: Mapping[str, Any]) -> Iterable[Any]:
        """What may be a post in a record: the record itself, or several. `outer` has the fields of what encloses it."""
        return (value,)

    @abstractmethod
    def record(self, part: Any, known: Any) -> Record | str:
        """The post in a part of a record, or why it is none; what it raises costs that part."""
