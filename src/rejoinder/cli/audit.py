"""`audit`: what models made by a recipe would give away."""

from __future__ import annotations

import math
import textwrap
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from rejoinder.cli.archive import or_sample
from rejoinder.cli.options import Home, Json, workspace
from rejoinder.cli.output import ProgressCallback, print_json, progress, table
from rejoinder.errors import NotFitted, UsageError

if TYPE_CHECKING:
    from rejoinder.corpus import Corpus
    from rejoinder.publish.audit import Canaries, RungAudit

_CANARIES = "canaries.json"
_SHOWN = 120  # characters of a copy


def audit(
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The recipe; if none, every rung that counts tokens, as `fit` makes it.",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Keep the models and their canaries here; a run broken off goes on.", show_default=False
        ),
    ] = None,
    models: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Audit these models of an earlier run; fit nothing.", show_default=False)
    ] = None,
    canaries: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What was planted in them; DIR/canaries.json, if none.", show_default=False),
    ] = None,
    each: Annotated[
        int | None, typer.Option(min=1, help="Canaries of each number of repeats (0, 1, 4 and 16).", show_default="10")
    ] = None,
    alternatives: Annotated[
        int | None, typer.Option(min=1, help="Random secrets that each is ranked among.", show_default="1000")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of what is random.", show_default="0")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Plant made-up secrets in a copy of the archive, fit a recipe on it, and report what can be got out again.

    Exits with status 1 if a secret that one post alone held is among what a rung suggests.

    \b
    Example:
      rejoinder audit
      rejoinder audit --config configs/bundle.toml --keep audited
      rejoinder audit --models audited
    """
    from rejoinder.archive.reader import ArchiveCorpus
    from rejoinder.home.holders import AUDITED, held
    from rejoinder.home.workspace import Workspace
    from rejoinder.models import Can
    from rejoinder.publish.audit import AuditConfig, Canaries, PlantedCorpus
    from rejoinder.publish.audit import audit as ask

    if models is not None and (config is not None or keep is not None):
        raise UsageError("--models audits what is fitted already: leave out --config and --keep")
    if canaries is not None and models is None:
        raise UsageError("--canaries says what was planted in --models DIR; give both")
    space = or_sample(workspace(home))
    with ExitStack() as opened, progress() as report:
        scratch = opened.enter_context(held(space.home, AUDITED))
        corpus = ArchiveCorpus(opened.enter_context(space.open_archive()), scratch / "tokens")
        where = models or keep or scratch / "models"
        file = canaries or where / _CANARIES
        asked = {"each": each, "alternatives": alternatives, "seed": seed}
        given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
        if models is not None or file.is_file():
            secrets = Canaries.load(file)
            _check_same(secrets, given, file)
        else:
            secrets = Canaries.make(corpus, AuditConfig(**given))
        planted = PlantedCorpus(corpus, secrets, scratch / "tokens")
        if models is None:
            _fit(config, planted, where, secrets, report)
        fitted = Workspace(where, models=where).load_those(Can.PREDICT)
        if not fitted:
            raise NotFitted(f"{where} holds no fitted rung that predicts; `rejoinder audit --keep DIR` makes some")
        found = ask(fitted, secrets, planted, report)
    passed = all(one.passed for one in found)
    if as_json:
        print_json({"passed": passed, "most_exposure_bits": _most(secrets), "rungs": [one.as_json() for one in found]})
    else:
        _show(found, secrets)
    if not passed:
        raise typer.Exit(1)


def _fit(config: Path | None, corpus: Corpus, where: Path, secrets: Canaries, report: ProgressCallback) -> None:
    """Make the recipe, with its canaries beside it."""
    import numpy as np

    from rejoinder.config import read_settings
    from rejoinder.models import LADDER, Can, without_extras
    from rejoinder.publish.recipe import TOKENIZER, Recipe, make

    plain: dict[str, dict[str, object]] = {name: {} for name in without_extras() if Can.PREDICT in LADDER[name].can}
    recipe = Recipe.from_settings(read_settings(config, (), [TOKENIZER, *LADDER]) if config else plain)
    where.mkdir(parents=True, exist_ok=True)
    secrets.save(where / _CANARIES)
    make(recipe, corpus, where, np.random.default_rng(secrets.config.seed), progress=report)


def _check_same(secrets: Canaries, given: dict[str, Any], file: Path) -> None:
    """What was planted is as it is: an option that asks for something else would be without effect."""
    for name, value in given.items():
        planted = getattr(secrets.config, name)
        if value != planted:
            raise UsageError(
                f"the canaries in {file} were planted with --{name} {planted}, not {value}; "
                f"leave --{name} out, or plant others in another folder: --keep DIR"
            )


def _most(secrets: Canaries) -> float:
    return round(math.log2(secrets.config.alternatives + 1), 2)


def _show(found: list[RungAudit], secrets: Canaries) -> None:
    lines = [cast("dict[str, object]", {"rung": one.rung, **line}) for one in found for line in one.as_json()["planted"]]
    table(
        ["rung", "planted", "canaries", "exposure (bits)", "highest", "given away"],
        [
            [
                str(line["rung"]),
                f"{line['repeats']} times",
                str(line["canaries"]),
                f"{line['mean_exposure_bits']:.2f}",
                f"{line['highest_exposure_bits']:.2f}",
                str(len(cast("list[object]", line["given_away"]))),
            ]
            for line in lines
        ],
    )
    typer.echo(
        f"\nExposure: Carlini et al. 2019, the sampling estimate among {secrets.config.alternatives + 1:,} secrets, so at most "
        f"{_most(secrets)}; 1.44 on average for what the model never saw.\n"
        "Given away: two words of the secret and more begin a suggestion, a find of the beam or a sample.\n"
    )
    for one in found:
        said = one.as_json()
        longest = max(one.copies, key=lambda copy: copy.words)
        where = (
            f", in {longest.posts} posts: “{textwrap.shorten(longest.text, _SHOWN, placeholder=' …')}”" if longest.words else ""
        )
        typer.echo(
            f"{one.rung}: of {said['samples']} sampled texts the longest run of words that a training post has too is "
            f"{said['median_copy_words']:g} words in the median, {longest.words} at most{where}"
        )
    failed = [one.rung for one in found if not one.passed]
    verdict = f"FAILED: {', '.join(failed)} give" + "s" * (len(failed) == 1) + " away what one post alone held"
    typer.echo("\n" + (verdict if failed else "passed: no rung gives away a canary that was planted once"))
