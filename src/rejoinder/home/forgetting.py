"""Forgetting over the whole home: the archive, and every rung that learned from what is forgotten.

- A rung that counts exactly (`Kneser-Ney`) is brought to what a fit on the remaining posts would give, to the bit.
- A rung that keeps posts as they were written (`verbatim` in LADDER) is removed at once, bytes and all.
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
from rejoinder.errors import ArchiveBusy, RejoinderError
from rejoinder.home.trial import read_trial
from rejoinder.home.workspace import Workspace
from rejoinder.models import LADDER
from rejoinder.models.directory import MANIFEST, identity
from rejoinder.models.kneser_ney import KneserNey
from rejoinder.text.phrases import Phrases
from rejoinder.text.tensors import post_tokens


@dataclass
class Outcome:
    """What became of each rung."""

    posts: int
    exact: list[str] = field(default_factory=list)  # as if fitted on what remains
    removed: list[str] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)  # stale until fitted again


def forget_everywhere(space: Workspace, items: Sequence[int], author: str | None, source: str | None = None) -> Outcome:
    """Erase items, and all posts of an author and of a place, from the archive and from every fitted rung.

    Raises:
        UnknownPost: no such item, author or place; nothing was changed.
        ArchiveBusy: all is forgotten, but a reader keeps the archive's log alive: run the same again when it has ended.
    """
    with space.open_archive() as archive:
        forgotten = forget(archive, items, space.hasher()(author) if author is not None else None, source)
    outcome = Outcome(len(forgotten.gone))
    for name in LADDER:
        directory = space.models / name
        if not directory.is_dir():
            continue
        for broken in [d for d in directory.iterdir() if not (d / MANIFEST).is_file()]:  # a fit that a crash ended
            shutil.rmtree(broken, ignore_errors=True)
        if LADDER[name].verbatim:
            shutil.rmtree(directory)
            outcome.removed.append(name)
        elif name == "kneser_ney" and _subtract(space, forgotten):
            outcome.exact.append(name)
        elif any(directory.iterdir()) and not LADDER[name].asked:  # which learned nothing
            outcome.marked.append(name)
    for unfinished in ("scratch", "checkpoints"):
        shutil.rmtree(space.home / unfinished, ignore_errors=True)
    if not forgotten.clean:
        raise ArchiveBusy(
            f"the posts are forgotten, but another process is reading {space.archive_file} and keeps its log alive; "
            "run the same command again when it has ended"
        )
    return outcome


def _subtract(space: Workspace, forgotten: Forgotten) -> bool:
    """Bring a Kneser-Ney model to what remains; False where that cannot be exact.

    It cannot where the archive had changed since the fit, since the words learned are then not those erased; nor where threads
    are dealt by time, since the dates at which the parts begin move.
    """
    try:
        found = space.fitted("kneser_ney")
        if found is None or found.manifest["revision"] != forgotten.before:
            return False
        everything = found.manifest["on"] == "all"
        if found.manifest["split"] == "time" and not everything:
            return False
        model = space.load("kneser_ney", allow_stale=True)
        if not isinstance(model, KneserNey):
            return False
        left = forgotten.gone if everything else forgotten.left_train
        joined = () if everything else forgotten.joined_train
        changed = model.changed(post_tokens(left, model.tokenizer), post_tokens(joined, model.tokenizer))
    except RejoinderError:
        return False
    with space.open_archive() as archive:
        corpus = ArchiveCorpus(archive, Path(), everything=everything)
        data, whose = corpus.fingerprint(), Phrases.build(corpus.posts("train"))
    manifest = {key: value for key, value in found.manifest.items() if key not in ("format", "files", "hashes")}
    space.keep(changed, {**manifest, "data": data, "revision": forgotten.after}, whose.save)
    now = space.fitted("kneser_ney")
    trial = read_trial(space.home)
    if now is not None and trial.paid:
        trial.carried("kneser_ney", identity(now.directory)).save(space.home)
    return True
