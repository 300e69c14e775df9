"""N-gram models of a home as other tools know them: its Kneser-Ney rung to an ARPA file, and from one."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import cast

import numpy as np

from rejoinder import __version__
from rejoinder.config import as_dict
from rejoinder.errors import ModelError
from rejoinder.files import atomically
from rejoinder.home.lock import locked
from rejoinder.home.tokenizing import package_tokenizer
from rejoinder.home.workspace import Workspace
from rejoinder.models.arpa import read_arpa, write_arpa
from rejoinder.models.kneser_ney import KneserNey
from rejoinder.text.phrases import Phrases
from rejoinder.text.tensors import TOKENIZER_FILE
from rejoinder.text.tokenizer import WordTokenizer, load_tokenizer

ELSEWHERE = "elsewhere"  # what the manifest of such a model says that it was fitted on
_RUNGS = ("kneser_ney",)  # that are exchanged with other tools
_NEVER_BEHIND = 2**62  # the revision of a model of other tokens than ours: nothing that is here, or forgotten, was in it


def from_elsewhere(space: Workspace) -> tuple[str, ...]:
    """The rungs of a home that came from a file of another tool, and may be used: what is fitted here would take their place."""
    found = {name: space.fitted_or_none(name) for name in _RUNGS}
    return tuple(name for name, was in found.items() if was is not None and was.manifest["on"] == ELSEWHERE and not was.forgot)


def export_arpa(space: Workspace, file: Path | None) -> KneserNey:
    """Write the fitted Kneser-Ney model as an ARPA file, to stdout without one; the model.

    Raises:
        ModelError: there is none, or it is damaged.
    """
    model = cast(KneserNey, space.load("kneser_ney"))
    with atomically(file) if file else nullcontext(sys.stdout.buffer) as target:
        text = TextIOWrapper(target, encoding="utf-8", newline="\n")
        write_arpa(model, text)
        text.detach()  # what is written is flushed; the file is not this one's to close
    return model


def import_arpa(space: Workspace, file: Path) -> KneserNey:
    """Take the model of an ARPA file as the Kneser-Ney rung, over the home's tokenizer if it is of pieces; the model.

    Whose words it learned from nobody knows here, so nothing that it says is told to be a copy; unless it is the home's own model
    that comes back. A home that has no tokenizer yet has the package's for this.

    Raises:
        SourceError: the file cannot be read, or is not ARPA.
        ModelError: it is of the pieces of another tokenizer.
    """
    ours = space.home / TOKENIZER_FILE
    model = read_arpa(file, load_tokenizer(ours) if ours.is_file() else package_tokenizer())
    of_ours = not isinstance(model.tokenizer, WordTokenizer)
    phrases = (_known(space, model) if of_ours else None) or Phrases.unknown()
    revision = space.revision if of_ours else _NEVER_BEHIND
    facts = {"on": ELSEWHERE, "split": "hash", "seed": 0, "data": "", "revision": revision, "code": __version__}
    when = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = {"rung": "kneser_ney", "config": as_dict(model.config), **facts, "seconds": 0.0, "fitted": when}
    with locked(space.home, "arpa import"):
        space.keep(model, manifest, phrases.save)
    return model


def _known(space: Workspace, model: KneserNey) -> Phrases | None:
    """Whose words these are, where the home has a model of the very same n-grams."""
    found = space.fitted_or_none("kneser_ney")
    if found is None or found.forgot:
        return None
    try:
        here = cast(KneserNey, space.load("kneser_ney"))
    except ModelError:  # a damaged one is replaced
        return None
    grams = [[np.sort(level.token) for level in one.index] for one in (here, model)]
    same = len(grams[0]) == len(grams[1]) and all(map(np.array_equal, *grams))
    return Phrases.load(found.directory) if same else None
