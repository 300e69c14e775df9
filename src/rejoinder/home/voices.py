"""Which models speak, in one place: for typing, for making replies, for whoever asks by name; and whose words they learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.engine.gate import Calibration
from rejoinder.engine.generation import ReplyGenerator
from rejoinder.engine.typing import Engine, TypingConfig
from rejoinder.errors import NotFitted
from rejoinder.home.workspace import Workspace
from rejoinder.models import LADDER, Can
from rejoinder.models.interfaces import LanguageModel
from rejoinder.text.phrases import Phrases

Note = Callable[[str], None]  # told, in a sentence, what a person may want to know
_QUICK = ("kneser_ney", "markov")  # the rungs that know a next word in less than a millisecond
MAKERS = ("lstm", "mixture")  # the rungs that make replies: the mixture is a little better, and takes twice as long


def generator(space: Workspace, name: str | None, seed: int, note: Note, *, allow_stale: bool = False) -> ReplyGenerator:
    """The source of generated replies: of the rung `name`, else of the best there is, here or in the package.

    Raises:
        NotFitted: there is none.
    """
    homes = [home for home in (space, Workspace.shipped()) if home is not None]
    wanted = [name] if name else [*MAKERS, *reversed(space.fitted_that(Can.PREDICT))]
    found = next(((home, one) for one in wanted for home in homes if one in home.fitted_that(Can.PREDICT)), None)
    if found is None:
        raise NotFitted(f"no rung that predicts text is fitted; run `rejoinder fit{f' {name}' if name else ''}`")
    home, name = found
    model = home.load_those(Can.PREDICT, [name], allow_stale=allow_stale)[name]
    return ReplyGenerator(name, model, phrases_of(home, name, note), seed=seed)


def typist(space: Workspace, models: Mapping[str, LanguageModel], note: Note, config: TypingConfig | None = None) -> Engine:
    """What finishes sentences: the best of `models`, which are fitted in `space`, and a cheaper one for when time is short.

    Raises:
        NotFitted: there is no model.
    """
    if not models:
        raise NotFitted("no rung that predicts text is fitted; run `rejoinder fit`")
    best = list(models)[-1]
    cheaper = next((name for name in (*_QUICK, *models) if name in models), best)
    voices = {name: models[name] for name in (best, cheaper)}
    found = {name: space.fitted(name) for name in voices}
    gates = {name: Calibration.load(fitted.directory) for name, fitted in found.items() if fitted is not None}
    return Engine(voices, gates, phrases_of(space, best, note), config)


def phrases_of(space: Workspace, name: str, note: Note) -> Phrases:
    """Whose words the posts are that a fitted rung learned from: kept beside it or its part, else read from the archive."""
    found = space.fitted(name)
    if found is None:
        raise NotFitted(f"the rung `{name}` is not fitted in {space.home}; run `rejoinder fit {name}`")
    for other in dict.fromkeys((name, *LADDER)):
        beside = space.fitted_or_none(other)
        if beside is not None and beside.manifest.get("data") == found.manifest.get("data"):
            kept = Phrases.load(beside.directory)
            if kept is not None:
                return kept
    note(f"nothing is kept of whose words `{name}` learned from, so it is read from the archive; `rejoinder fit {name}` keeps it")
    with space.open_archive() as archive:
        everything = found.manifest["on"] != "train"
        return Phrases.build(ArchiveCorpus(archive, Path(), found.manifest["split"], everything=everything).posts("train"))
