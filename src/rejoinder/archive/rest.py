"""What files themselves name that is not in them: an answer of an API is often only the first page of what there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

_LARGEST = 2**21  # bytes; what is larger is no page


class Named(NamedTuple):
    """What a page says of a thread, or of anything else that comes in pages."""

    about: object
    posts: object = 0  # that there are, if it says so
    here: int = 0  # of them in this page
    goes_on: bool | None = None  # whether it says that more follow, of which it does not say how many; None: it says nothing


@dataclass
class Rest:
    """What all files of one form name together."""

    posts: Counter[str] = field(default_factory=Counter)  # by what they are about
    here: Counter[str] = field(default_factory=Counter)
    open: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    blind: bool = False  # whether a file was too large to be looked at, so that nobody knows what is absent

    def add(self, found: Iterable[Named]) -> None:
        """Take in what one page says; a value that is not what it should be says nothing."""
        with suppress(AttributeError, KeyError, TypeError, ValueError):
            for one in found:
                about = str(one.about)
                if isinstance(one.posts, int):
                    self.posts[about] = max(self.posts[about], one.posts)
                self.here[about] += one.here
                if one.goes_on is not None:
                    (self.open if one.goes_on else self.ended).add(about)

    def look_into(self, path: Path, named: Callable[[Mapping[str, Any]], Iterable[Named]]) -> None:
        """Take in what the objects of a file of JSON say, which may be pages."""
        from rejoinder.archive.json_pages import listed, load_as_far
        from rejoinder.archive.peek import peek
        from rejoinder.errors import SourceError

        if not peek(path).json:
            return
        self.blind |= path.stat().st_size > _LARGEST
        if not self.blind:
            with suppress(SourceError):
                for page in listed(load_as_far(path)[0]):
                    if isinstance(page, Mapping):
                        self.add(named(page))

    def update(self, other: Rest) -> None:
        """Take in what other files say."""
        self.posts |= other.posts  # the larger of the two
        self.here += other.here
        self.open |= other.open
        self.ended |= other.ended
        self.blind |= other.blind

    @property
    def absent(self) -> int:
        """How many posts are named, and in none of the files."""
        return 0 if self.blind else sum(max(count - self.here[about], 0) for about, count in self.posts.items())

    @property
    def goes_on(self) -> bool:
        """Whether something has no end in any of the files."""
        return not self.blind and bool(self.open - self.ended)
