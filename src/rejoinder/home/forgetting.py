"""Forgetting over the whole home: the archive, and everything that learned from what is forgotten.

- A rung that counts exactly (`Kneser-Ney`) is brought to what a fit on the remaining posts would give, to the bit.
- A rung that keeps posts as they were written (`verbatim` in LADDER) is removed at once, bytes and all.
- Any other is marked: it may still know what was forgotten, and is not used until it is fitted again.
- A tokenizer is removed, with every rung that has it, if one of its pieces is a word that no remaining post holds; else kept.
- What else may hold words (`rejoinder.home.holders`) is removed.

Whoever forgets holds the lock of the models, so that no fit that has read the posts is still to be kept. What cannot be removed,
or is not ours, does not stop the rest; it is named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from rejoinder.archive.forget import Forgotten, forget, spellings
from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.archive.store import Archive
from rejoinder.errors import ArchiveBusy, ModelError, RejoinderError
from rejoinder.files import told_when_full
from rejoinder.home.holders import clear, is_ours, remove, scratch_folder
from rejoinder.home.lock import locked
from rejoinder.home.trial import read_trial
from rejoinder.home.workspace import Workspace
from rejoinder.models import LADDER
from rejoinder.models.directory import MANIFEST, identity
from rejoinder.models.kneser_ney import KneserNey
from rejoinder.text.phrases import Phrases
from rejoinder.text.tensors import TOKENIZER_FILE, post_tokens
from rejoinder.text.tokenizer import WordTokenizer, load_tokenizer

_WORD = re.compile(rb"[A-Za-z\x80-\xff]{3,}")  # a piece with so many letters on end may be a word
_BATCH = 2_000  # posts looked through at a time


@dataclass
class Outcome:
    """What became of each rung, and of the tokenizer."""

    posts: int
    exact: list[str] = field(default_factory=list)  # as if fitted on what remains
    removed: list[str] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)  # stale until fitted again
    tokenizer: str = "kept"  # or "removed", or "none"
    left: list[str] = field(default_factory=list)  # paths that could not be removed, or are not ours


def forget_everywhere(
    space: Workspace,
    items: Sequence[int],
    author: str | None,
    source: str | None = None,
    waiting: Callable[[str], object] | None = None,
) -> Outcome:
    """Erase items, or all posts of an author or of a place, from the archive and from everything that learned from them.

    Raises:
        UsageError: not one of the three is given; nothing was changed.
        UnknownPost: no such item, author or place; nothing was changed.
        HomeBusy: another process is writing models; nothing was changed.
        ArchiveBusy: all is forgotten, but a reader keeps the archive's log alive: run the same again when it has ended.
    """
    with space.open_archive() as archive, locked(space.home, "forget", waiting=waiting), told_when_full(space.home):
        theirs = [] if author is None else list(map(space.hasher(), spellings(author)))
        forgotten = forget(archive, items, theirs, source)
        outcome = Outcome(len(forgotten.gone), left=[str(path) for path in clear(space.home, names=source is not None)])
        _forget_tokenizers(space, archive, outcome)
        for name in LADDER:
            _forget_rung(space, name, forgotten, outcome)
    if not forgotten.clean:
        raise ArchiveBusy(
            f"the posts are forgotten, but another process is reading {space.archive_file} and keeps its log alive; "
            "run the same command again when it has ended"
        )
    return outcome


def _forget_rung(space: Workspace, name: str, forgotten: Forgotten, outcome: Outcome) -> None:
    directory = space.models / name
    if not directory.is_dir():
        return
    if LADDER[name].verbatim:
        _remove_rung(space, name, outcome)
        return
    for broken in [path for path in directory.iterdir() if not (path / MANIFEST).is_file()]:  # a fit that a crash ended
        outcome.left += map(str, remove(broken) if is_ours(broken) else [broken])
    if name == "kneser_ney" and _subtract(space, forgotten):
        outcome.exact.append(name)
    elif any(is_ours(path) for path in directory.iterdir()) and LADDER[name].learns and _may_know(space, name):
        outcome.marked.append(name)


def _may_know(space: Workspace, name: str) -> bool:
    """Whether a model may hold what was forgotten, as one that cannot be read may; one of another tool does not."""
    found = space.fitted_or_none(name)
    return found is None or found.forgot


def _remove_rung(space: Workspace, name: str, outcome: Outcome) -> None:
    """Remove the models of a rung; its folder may be a link to where they lie."""
    directory = space.models / name
    present = list(directory.iterdir())
    outcome.left += [str(left) for path in present for left in (remove(path) if is_ours(path) else [path])]
    if any(not path.exists() for path in present):
        outcome.removed.append(name)
    if not directory.is_symlink() and not any(directory.iterdir()):
        directory.rmdir()


def _forget_tokenizers(space: Workspace, archive: Archive, outcome: Outcome) -> None:
    """Remove the tokenizers, and the rungs that have them, of which a piece is a word that no post holds any more."""
    of_rungs = {
        directory.name: directory.glob(f"*/{TOKENIZER_FILE}")
        for directory in space.models.glob("*")
        if directory.name in LADDER and LADDER[directory.name].learns
    }
    files = {space.home / TOKENIZER_FILE: ""} | {file: name for name, found in of_rungs.items() for file in found}
    tainted = _tainted((file for file in files if file.is_file()), archive)
    ours = space.home / TOKENIZER_FILE
    if ours in tainted:
        outcome.left += map(str, remove(ours))
    outcome.tokenizer = "removed" if ours in tainted else "kept" if ours.is_file() else "none"
    for name in dict.fromkeys(files[file] for file in files if file in tainted and files[file]):
        _remove_rung(space, name, outcome)


def _tainted(files: Iterable[Path], archive: Archive) -> set[Path]:
    """Those of the tokenizers of which a word stands in no post of the archive any more."""
    pieces = {file: found for file in files if (found := _words_of(file))}
    missing = set().union(*pieces.values())
    rows = archive.query("SELECT title, text FROM post WHERE text <> '' OR title <> ''")
    while missing and (batch := list(islice(rows, _BATCH))):
        text = "\0".join("\0".join(row) for row in batch).encode("utf-8", "replace")
        missing = {piece for piece in missing if piece not in text}
    return {file for file, words in pieces.items() if words & missing}


def _words_of(file: Path) -> set[bytes]:
    """The pieces of a tokenizer that may be words; none of one that is the package's, or that another tool made."""
    shipped = Workspace.shipped()
    try:
        tokenizer = load_tokenizer(file)
        if shipped is not None and any(
            load_tokenizer(other).fingerprint() == tokenizer.fingerprint()
            for other in shipped.models.glob(f"*/*/{TOKENIZER_FILE}")
        ):
            return set()
    except ModelError:
        return set()
    if isinstance(tokenizer, WordTokenizer):
        return set()
    return {piece.strip() for piece in tokenizer.bytes if _WORD.search(piece)}


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
    with space.open_archive() as archive, scratch_folder(space.home) as scratch:
        corpus = ArchiveCorpus(archive, Path(), everything=everything)
        data, whose = corpus.fingerprint(), Phrases.of_corpus(corpus, scratch)
    manifest = {key: value for key, value in found.manifest.items() if key not in ("format", "files", "hashes")}
    space.keep(changed, {**manifest, "data": data, "revision": forgotten.after}, whose.save)
    now = space.fitted("kneser_ney")
    trial = read_trial(space.home)
    if now is not None and trial.paid:
        trial.carried("kneser_ney", identity(now.directory)).save(space.home)
    return True
