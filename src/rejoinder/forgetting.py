"""Forgetting over the whole home: the archive, and every rung that learned from what is forgotten.

- A rung that counts exactly (`Kneser-Ney`) is brought to what a fit on the remaining posts would give, to the bit.
- A rung that holds words of posts as they were written (`bm25`, `canned`) is removed at once, bytes and all.
- Any other is marked: it may still know what was forgotten, and is not used until it is fitted again.

The tokenizer is kept, unless it is asked to be learned anew: its pieces may stem from what was forgotten.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rejoinder.archive.forget import Forgotten, forget
from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.errors import RejoinderError
from rejoinder.models import LADDER
from rejoinder.models.kneser_ney import KneserNey
from rejoinder.text.tensors import post_tokens
from rejoinder.workspace import Fitted, Workspace

_HOLD_WORDS = ("bm25", "canned")


@dataclass
class Outcome:
    """What became of each rung."""

    posts: int
    exact: list[str] = field(default_factory=list)  # as if fitted on what remains
    removed: list[str] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)  # stale until fitted again


def forget_everywhere(space: Workspace, items: Sequence[int], author: str | None) -> Outcome:
    """Erase items, and all posts of an author, from the archive and from every fitted rung.

    Raises:
        UnknownPost: no such item or author; nothing was changed.
    """
    fitted = {name: found for name in LADDER if (found := space.fitted(name)) is not None}
    with space.open_archive() as archive:
        forgotten = forget(archive, items, space.hasher()(author) if author is not None else None)
    outcome = Outcome(len(forgotten.gone))
    for name, found in fitted.items():
        if name in _HOLD_WORDS:
            shutil.rmtree(found.directory.parent)
            outcome.removed.append(name)
        elif name == "kneser_ney" and _subtract(space, found, forgotten):
            outcome.exact.append(name)
        else:
            outcome.marked.append(name)
    shutil.rmtree(space.home / "scratch", ignore_errors=True)
    return outcome


def _subtract(space: Workspace, found: Fitted, forgotten: Forgotten) -> bool:
    """Bring a Kneser-Ney model to what remains; False where that cannot be exact.

    It cannot where the archive had already changed since the fit, since the words learned are then not those erased; nor where
    threads are dealt by time, since the dates at which the parts begin move.
    """
    by_time = found.manifest["split"] == "time" and found.manifest["on"] != "all"
    if found.behind or by_time:
        return False
    model = space.load("kneser_ney", allow_stale=True)
    if not isinstance(model, KneserNey):
        return False
    everything = found.manifest["on"] == "all"
    left = forgotten.gone if everything else forgotten.left_train
    joined = () if everything else forgotten.joined_train
    try:
        changed = model.changed(post_tokens(left, model.tokenizer), post_tokens(joined, model.tokenizer))
    except RejoinderError:
        return False
    with space.open_archive() as archive:
        corpus = ArchiveCorpus(archive, Path(), everything=everything)
        facts = {"data": corpus.fingerprint(), "revision": archive.meta("revision", 0)}
    manifest = {key: value for key, value in found.manifest.items() if key not in ("format", "files", "hashes")}
    space.keep(changed, {**manifest, **facts})
    return True
