"""The embedded archive: a small discussion that comes with the package, to try everything on before anything is imported."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from rejoinder.archive.places import place
from rejoinder.errors import RejoinderError
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.holders import claim, sweep
from rejoinder.home.lock import MODELS, locked
from rejoinder.home.workspace import Workspace
from rejoinder.models.directory import MARK, check_hashes
from rejoinder.models.interfaces import Progress, silent

SAMPLE = "sample.jsonl"
REPLYING = ("canned", "bm25", "pair_encoder", "fusion", "trigger")  # the rungs that answer a post
VOCABULARY = 2048  # pieces of its tokenizer


def import_sample(space: Workspace) -> None:
    """Bring the embedded archive into an empty home."""
    from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS

    source = resources.files("rejoinder.bundle") / SAMPLE
    with space.open_archive(create=True) as archive, resources.as_file(source) as file:
        place(archive, "sample", hashed=False)
        archive.add(HACKER_NEWS.read(file, space.hasher()))


def sample(space: Workspace, names: Sequence[str] = (), progress: Progress = silent) -> Workspace:
    """The embedded archive as a home inside this one, with these rungs fitted; made anew where it is damaged or old."""
    inside = Workspace(space.home / "sample")
    if not _whole(inside, names):
        with locked(inside.home, "sample", waiting=lambda line: progress(line, 0, None)):
            if not _sound(inside):  # nor has whoever held the lock made it
                sweep(_of_ours(inside), (MODELS,))
                import_sample(inside)
            missing = [name for name in names if not _whole(inside, [name])]
            if missing:
                fit(inside, missing, FitConfig(vocabulary=VOCABULARY), {}, progress)
    return inside


def _whole(inside: Workspace, names: Sequence[str]) -> bool:
    """Whether the archive is sound, and the models of these rungs are as they were written."""
    try:
        found = [inside.fitted(name) for name in names] if _sound(inside) else [None]
        for one in found:
            if one is not None:
                check_hashes(one.directory)
        return None not in found
    except RejoinderError:
        return False


def _sound(inside: Workspace) -> bool:
    """Whether there are posts, in a file that is whole."""
    try:
        if inside.is_empty:
            return False
        with inside.open_archive() as archive:
            return next(archive.query("PRAGMA quick_check")) == ("ok",)
    except RejoinderError:
        return False


def _of_ours(inside: Workspace) -> Path:
    """Its folder, with our mark."""
    if inside.archive_file.is_file() and inside.author_key.is_file():  # made before there were marks
        (inside.home / MARK).touch()
    return claim(inside.home, besides=MODELS)
