"""The embedded archive: a small discussion that comes with the package, to try everything on before anything is imported."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from rejoinder.archive.places import place
from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.workspace import Workspace
from rejoinder.models.interfaces import Progress, silent

SAMPLE = "sample.jsonl"
REPLYING = ("canned", "bm25", "fusion", "trigger")  # the rungs that answer a post
VOCABULARY = 2048  # pieces of its tokenizer


def import_sample(space: Workspace) -> None:
    """Bring the embedded archive into an empty home."""
    source = resources.files("rejoinder.bundle") / SAMPLE
    with space.open_archive(create=True) as archive, resources.as_file(source) as file:
        place(archive, "sample", hashed=False)
        archive.add(HACKER_NEWS.read(file, space.hasher()))


def sample(space: Workspace, names: Sequence[str] = (), progress: Progress = silent) -> Workspace:
    """The embedded archive as a home of its own inside this one, with these rungs fitted that are not yet."""
    inside = Workspace(space.home / "sample")
    if inside.is_empty:
        import_sample(inside)
    missing = [name for name in names if inside.fitted_or_none(name) is None]
    if missing:
        fit(inside, missing, FitConfig(vocabulary=VOCABULARY), {}, progress)
    return inside
