"""Settings: one frozen dataclass per rung; defaults < TOML file < `--set rung.key=value`.

This file turns text and tables into such a dataclass and names the nearest key when one is unknown.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from rejoinder.errors import ConfigError

C = TypeVar("C")
Settings = Mapping[str, Mapping[str, Any]]  # rung -> key -> value


def read_settings(file: Path | None, overrides: Iterable[str], rungs: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Settings from a TOML file, then from `rung.key=value` strings (values read as TOML, else as plain text).

    Raises:
        ConfigError: the file is not TOML, or a table or override names no rung of `rungs`.
    """
    settings: dict[str, dict[str, Any]] = {}
    known = sorted(rungs)
    if file is not None:
        try:
            loaded = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"settings file {file}: {error}; expected TOML with one table per rung") from error
        for rung, table in loaded.items():
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


def resolve(config: type[C], values: Mapping[str, Any], rung: str) -> C:
    """Build the dataclass `config` from `values`, checking names and types (ranges are the dataclass' own business).

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
    if expected is NoneType:
        return value is None
    if expected is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if expected is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, expected)
