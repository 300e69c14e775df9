"""Auditing a recipe on the archive of a home: canaries planted in a copy of it, models fitted on that, and what they give away.

DIR/RUNG/0001/       the models, where they are kept
DIR/canaries.json    what was planted in them
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.config import Settings
from rejoinder.corpus import Corpus
from rejoinder.errors import NotFitted, UsageError
from rejoinder.home.holders import AUDITED, held
from rejoinder.home.workspace import Workspace
from rejoinder.models import LADDER, Can, without_extras
from rejoinder.models.interfaces import Progress, silent
from rejoinder.publish.audit import AuditConfig, Canaries, PlantedCorpus, RungAudit, audit
from rejoinder.publish.recipe import Recipe, make

CANARIES = "canaries.json"


@dataclass(frozen=True)
class AuditPlan:
    """What to audit."""

    recipe: Settings | None = None  # its tables; None: every rung that counts tokens, as `fit` makes it
    keep: Path | None = None  # a folder for the models and their canaries; a run broken off goes on there
    models: Path | None = None  # instead: models of an earlier run, to which nothing is fitted
    canaries: Path | None = None  # what was planted in those; None: what lies beside them
    config: Mapping[str, Any] = field(default_factory=dict)  # fields of `AuditConfig`

    def __post_init__(self) -> None:
        """Check that it does not ask for two things at once."""
        if self.models is not None and (self.recipe is not None or self.keep is not None):
            raise UsageError("--models audits what is fitted already: leave out --config and --keep")
        if self.canaries is not None and self.models is None:
            raise UsageError("--canaries says what was planted in --models DIR; give both")


@dataclass(frozen=True)
class Audited:
    """What was found."""

    secrets: Canaries
    rungs: list[RungAudit]

    @property
    def passed(self) -> bool:
        """Whether no rung gives away what was planted once."""
        return all(one.passed for one in self.rungs)

    @property
    def most_exposure_bits(self) -> float:
        """How high an exposure can be."""
        return round(math.log2(self.secrets.config.alternatives + 1), 2)


def audit_home(space: Workspace, plan: AuditPlan, progress: Progress = silent) -> Audited:
    """Plant secrets in a copy of a home's archive, fit a recipe on it, and see what can be got out again.

    Raises:
        UsageError: the canaries of an earlier run are not what is asked for.
        NotFitted: there are no models.
        RejoinderError: no archive, a wrong setting.
    """
    with ExitStack() as opened:
        scratch = opened.enter_context(held(space.home, AUDITED))
        corpus = ArchiveCorpus(opened.enter_context(space.open_archive()), scratch / "tokens")
        where = plan.models or plan.keep or scratch / "models"
        file = plan.canaries or where / CANARIES
        if plan.models is not None or file.is_file():
            secrets = Canaries.load(file)
            _check_same(secrets, plan.config, file)
        else:
            secrets = Canaries.make(corpus, AuditConfig(**plan.config))
        planted = PlantedCorpus(corpus, secrets, scratch / "tokens")
        if plan.models is None:
            _fit(plan.recipe, planted, where, secrets, progress)
        fitted = Workspace(where, models=where).load_those(Can.PREDICT)
        if not fitted:
            raise NotFitted(f"{where} holds no fitted rung that predicts; `rejoinder audit --keep DIR` makes some")
        return Audited(secrets, audit(fitted, secrets, planted, progress))


def _fit(settings: Settings | None, corpus: Corpus, where: Path, secrets: Canaries, progress: Progress) -> None:
    """Make the recipe, with its canaries beside it."""
    plain: Settings = {name: {} for name in without_extras() if Can.PREDICT in LADDER[name].can}
    recipe = Recipe.from_settings(plain if settings is None else settings)
    where.mkdir(parents=True, exist_ok=True)
    secrets.save(where / CANARIES)
    make(recipe, corpus, where, np.random.default_rng(secrets.config.seed), progress=progress)


def _check_same(secrets: Canaries, given: Mapping[str, Any], file: Path) -> None:
    """What was planted is as it is: an option that asks for something else would be without effect."""
    for name, value in given.items():
        planted = getattr(secrets.config, name)
        if value != planted:
            raise UsageError(
                f"the canaries in {file} were planted with --{name} {planted}, not {value}; "
                f"leave --{name} out, or plant others in another folder: --keep DIR"
            )
