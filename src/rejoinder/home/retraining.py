"""A tokenizer learned anew, and with it whatever was fitted with the one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rejoinder.errors import RejoinderError
from rejoinder.home.arpa import ELSEWHERE
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.forgetting import Outcome, forget_everywhere
from rejoinder.home.lock import locked
from rejoinder.home.workspace import Workspace
from rejoinder.models import LADDER
from rejoinder.models.interfaces import Progress, silent
from rejoinder.text.tensors import TOKENIZER_FILE


@dataclass(frozen=True)
class Retrained:
    """What became of a home whose tokenizer was learned anew."""

    outcome: Outcome  # of forgetting
    again: tuple[str, ...]  # rungs fitted again, as they were
    failed: dict[str, RejoinderError]
    foreign: tuple[str, ...]  # rungs that came from a file of another tool, and are not fitted here


def forget_and_retrain(
    space: Workspace,
    items: Sequence[int],
    author: str | None = None,
    source: str | None = None,
    waiting: Callable[[str], object] | None = None,
    progress: Progress = silent,
) -> Retrained:
    """Forget as `forget_everywhere` does, then learn the tokenizer anew in any case, and fit what was fitted, as it was.

    Raises:
        RejoinderError: as `forget_everywhere` does; nothing was changed.
    """
    ladder = [name for name, line in LADDER.items() if line.parts or not line.added]  # nets of others stay as they are
    before = {name: found.manifest for name in ladder if (found := space.fitted_or_none(name)) is not None}
    foreign = tuple(name for name, was in before.items() if was["on"] == ELSEWHERE)
    ours = [name for name in before if name not in foreign]
    space.open_archive().close()  # is there one?
    failed: dict[str, RejoinderError] = {}
    with locked(space.home, "forget", waiting=waiting):
        outcome = forget_everywhere(space, items, author, source, waiting=waiting)
        (space.home / TOKENIZER_FILE).unlink(missing_ok=True)
        for name, was in ((name, before[name]) for name in ours):
            config = FitConfig(was["on"], was["split"], was["seed"])
            failed |= fit(space, [name], config, {name: was["config"]}, progress)
    outcome.tokenizer = "learned anew"
    return Retrained(outcome, tuple(name for name in ours if name not in failed), failed, foreign)
