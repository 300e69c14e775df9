"""Loading a rung from its directory. What a damaged file makes it raise or say, at once or in use, comes out as `DamagedModel`.

Opening a directory compares its small files with the manifest (`rejoinder.models.directory`). To read the large ones, too, would
make every start wait; they are compared when the model raises what it should not, or says something that is no log probability.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from math import isfinite
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

import numpy as np

from rejoinder.errors import DamagedModel, MissingExtra, ModelError, RejoinderError
from rejoinder.models import LADDER
from rejoinder.models import directory as sealed
from rejoinder.models.interfaces import Suggester

T = TypeVar("T")
_ROUNDING = 1e-3  # nats; a log probability above 0 by more is none


def load_model(rung: type[Suggester], directory: Path, parts: Mapping[str, Suggester]) -> Suggester:
    """The model in a sealed directory, made of `parts`.

    Raises:
        DamagedModel: it cannot be loaded. If it has large files, so may every method, where one of them turns out to be damaged.
    """
    try:
        model = rung.load(directory, parts)
    except RejoinderError as error:
        told = _with_command(error, directory)
        sealed.give_up(directory, told)
        raise told from error
    except BaseException as error:
        if not _may_be_damage(error):
            raise
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
        damaged = _with_command(DamagedModel(f"{directory} cannot be loaded ({said}); fit again"), directory)
        sealed.give_up(directory, damaged)
        raise damaged from error
    if max(sealed.read_manifest(directory)["files"].values(), default=0) > sealed.SMALL:
        _watch(model, directory)
    return model


def without_damaged(use: Callable[[], T]) -> T:
    """What `use` gives. Where a model that it chose turns out to be damaged, it is asked again, and will not choose that one."""
    while True:
        before = sealed.given_up()
        try:
            return use()
        except (ModelError, MissingExtra):
            if sealed.given_up() == before:
                raise


def _with_command(error: RejoinderError, directory: Path) -> RejoinderError:
    """The error, with the command that fits again what lies there: files do not know which rung is made of them."""
    name = str(sealed.read_manifest(directory).get("rung"))
    if not str(error).endswith("fit again") or name not in LADDER or not LADDER[name].learns:
        return error
    return DamagedModel(f"{error}: rejoinder fit {name}")


def _may_be_damage(error: BaseException) -> bool:
    """Whether an exception may come of what a file holds; the panics of libraries in Rust, which are no `Exception`, may."""
    foreign = isinstance(error, Exception) and not isinstance(error, RejoinderError | MemoryError)
    return foreign or type(error).__name__ == "PanicException"


def _watch(model: Suggester, directory: Path) -> None:
    """Have the methods of this one model look at its files when something is wrong."""
    kind = type(model)
    look = _once(directory)
    methods = {name: inspect.getattr_static(kind, name) for name in dir(kind) if not name.startswith("_")}
    watched = {name: _watched(method, look) for name, method in methods.items() if isinstance(method, FunctionType)}
    model.__class__ = type(kind.__name__, (kind,), {"__module__": kind.__module__, "__doc__": kind.__doc__, **watched})


def _once(directory: Path) -> Callable[[], None]:
    """What compares all files with the manifest, until they were found to be whole."""
    whole = False

    def look() -> None:
        nonlocal whole
        if not whole:
            try:
                sealed.check_hashes(directory)
            except DamagedModel as error:
                sealed.give_up(directory, error)
                raise
            whole = True

    return look


def _watched(method: FunctionType, look: Callable[[], None]) -> Callable[..., Any]:
    sane = _SANE.get(method.__name__)

    @wraps(method)
    def asked(*given: Any, **named: Any) -> Any:
        try:
            found = method(*given, **named)
        except BaseException as error:
            if _may_be_damage(error):
                look()
            raise
        if sane is not None and not sane(found):
            look()
        return found

    return asked


def _below_one(found: Any) -> bool:
    """Whether all are at most 0, as log probabilities are: not above, and no NaN."""
    return not len(found) or bool(np.maximum.reduce(found, None) <= _ROUNDING)


_SANE: dict[str, Callable[[Any], bool]] = {
    "log_prob": lambda found: found <= _ROUNDING,
    "log_probs": _below_one,
    "log_probs_many": _below_one,
    "score_tokens": _below_one,
    "top": lambda found: all(value <= _ROUNDING for _, value in found),
    "propose": lambda found: all(isfinite(suggestion.score) for suggestion in found),
    "score_replies": lambda found: bool(np.isfinite(found).all()),
}
