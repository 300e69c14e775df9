"""Settings: one frozen dataclass per rung; defaults < TOML file < `--set rung.key=value`.

This file turns text and tables into such a dataclass, checks what its fields declare of themselves, and names the nearest key
when one is unknown.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from math import inf
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args, get_origin, get_type_hints

from rejoinder.errors import ConfigError

C = TypeVar("C")
Settings = Mapping[str, Mapping[str, Any]]  # rung -> key -> value


@dataclass(frozen=True)
class At:
    """The range of a setting, as in `Annotated[float, At(above=0, most=1)]`; of a tuple, each entry's."""

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def holds(self, value: Any) -> bool:
        """Whether a number lies in the range; what is no number, or beyond all bounds, never does."""
        low = value > self.above if self.above is not None else value >= (-inf if self.least is None else self.least)
        high = value < self.below if self.below is not None else value <= (inf if self.most is None else self.most)
        return bool(low and high and -inf < value < inf)

    def __str__(self) -> str:
        """What must be, in words."""
        low, high = self.above if self.least is None else self.least, self.below if self.most is None else self.most
        if high is None:
            return f"be at least {low:,}" if self.above is None else f"be above {low:,}"
        if low is None:
            return f"be at most {high:,}" if self.below is None else f"be below {high:,}"
        return f"lie in {'[' if self.above is None else '('}{low:,}, {high:,}{']' if self.below is None else ')'}"


PositiveInt = Annotated[int, At(least=1)]
NonNegativeInt = Annotated[int, At(least=0)]
PositiveFloat = Annotated[float, At(above=0)]
NonNegativeFloat = Annotated[float, At(least=0)]
Share = Annotated[float, At(least=0, most=1)]


class Checked:
    """A base for a frozen dataclass of settings: the ranges that its fields declare hold, and lists become tuples.

    `of` is what messages put before a setting's name, such as the rung's: `class BM25Config(Checked, of="bm25")`.
    """

    _of: ClassVar[str] = ""

    def __init_subclass__(cls, of: str = "") -> None:
        """Remember whose settings they are."""
        cls._of = of and f"{of}."

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: one is out of its range; the message names it, the range and the value.
        """
        whose: Any = type(self)
        for name, (expected, bounds) in _declared(whose).items():
            value = getattr(self, name)
            if isinstance(value, list):  # JSON and TOML know lists only
                value = tuple(value)
                object.__setattr__(self, name, value)
            some = value if isinstance(value, tuple) else () if value is None else (value,)
            if not all(bound.holds(entry) for bound in bounds for entry in some):
                off = ", or be off" if _fits(None, expected) else ""
                got = f"{value:,}" if isinstance(value, int) else value
                raise ConfigError(f"`{self._of}{name}` must {' and '.join(map(str, bounds))}{off}; got {got}")
            if get_origin(expected) is Literal and value not in get_args(expected):
                raise ConfigError(f"`{self._of}{name}` must be one of {', '.join(get_args(expected))}; got {value!r}")


@cache
def _declared(config: type) -> dict[str, tuple[Any, tuple[At, ...]]]:
    """The type of each field, and its ranges."""
    hints = get_type_hints(config, include_extras=True)
    found = {field.name: hints[field.name] for field in fields(config)}
    return {
        name: (hint.__origin__, tuple(extra for extra in hint.__metadata__ if isinstance(extra, At)))
        if get_origin(hint) is Annotated
        else (hint, ())
        for name, hint in found.items()
    }


def read_tables(file: Path, name: str) -> list[dict[str, Any]]:
    """The tables `[[name]]` of a TOML file, in order; none where it has none.

    Raises:
        ConfigError: the file is not TOML, or what is called so are no such tables.
    """
    tables = _loaded(file).get(name, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"settings file {file}: `{name}` must be tables [[{name}]]; got {tables!r}")
    return tables


def read_settings(
    file: Path | None, overrides: Iterable[str], rungs: Iterable[str], beside: Iterable[str] = ()
) -> dict[str, dict[str, Any]]:
    """Settings from a TOML file, then from `rung.key=value` strings (values read as TOML, else as plain text).

    Names in `beside` are passed over: they are read by `read_tables`.

    Raises:
        ConfigError: the file is not TOML, or a table or override names no rung of `rungs`.
    """
    settings: dict[str, dict[str, Any]] = {}
    known = sorted(rungs)
    if file is not None:
        for rung, table in _loaded(file).items():
            if rung in beside:
                continue
            if not isinstance(table, dict):
                raise ConfigError(f"settings file {file}: `{rung}` must be a table such as [{known[0]}]; got {table!r}")
            settings[rung] = dict(table)
    for text in overrides:
        name, equals, value = text.partition("=")
        rung, dot, key = name.strip().partition(".")
        if not (equals and dot and key):
            raise ConfigError(f"--set takes rung.key=value, such as markov.discount=0.5; got {text!r}")
        settings.setdefault(rung, {})[key] = _value(value.strip())
    for rung in settings:
        if rung not in known:
            raise ConfigError(f"no rung `{rung}`{nearest(rung, known)}; rungs: {', '.join(known)}")
    return settings


def _loaded(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"settings file {file}: {error}; expected TOML with one table per rung") from error


def resolve(config: type[C], values: Mapping[str, Any], rung: str) -> C:
    """Build the dataclass `config` from `values`, checking names and types (ranges are checked as it is made, see `Checked`).

    Raises:
        ConfigError: an unknown key, or a value of the wrong type.
    """
    types = get_type_hints(config)
    names = [f.name for f in fields(config)]  # type: ignore[arg-type]
    for key, value in values.items():
        if key not in names:
            raise ConfigError(f"rung `{rung}` has no setting `{key}`{nearest(key, names)}; settings: {', '.join(names)}")
        if not _fits(value, types[key]):
            expected = str(getattr(types[key], "__name__", types[key]))
            raise ConfigError(f"`{rung}.{key}` must be {expected}; got {value!r}")
    return config(**values)


def as_dict(config: Any) -> dict[str, Any]:
    """The settings of `config` as plain JSON values."""
    return asdict(config)


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean `x`?)`, or nothing when no known name is close."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean `{close[0]}`?)" if close else ""


def _value(text: str) -> Any:
    if text in ("None", "none", "off"):
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _fits(value: Any, expected: Any) -> bool:
    if get_origin(expected) is UnionType:
        return any(_fits(value, option) for option in get_args(expected))
    if get_origin(expected) is tuple:
        return isinstance(value, list | tuple) and all(_fits(entry, get_args(expected)[0]) for entry in value)
    if get_origin(expected) is Literal:
        return isinstance(value, str)  # which one, `Checked` asks
    if expected is NoneType:
        return value is None
    if expected is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if expected is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, expected)
