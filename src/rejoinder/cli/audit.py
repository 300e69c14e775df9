"""`audit`: what models made by a recipe would give away."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from rejoinder.cli.archive import or_sample
from rejoinder.cli.options import Home, Json, workspace
from rejoinder.cli.output import print_json, progress, table

if TYPE_CHECKING:
    from rejoinder.publish.auditing import Audited

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
    from rejoinder.config import read_settings
    from rejoinder.models import LADDER
    from rejoinder.publish.auditing import AuditPlan, audit_home
    from rejoinder.publish.reading import READ
    from rejoinder.publish.recipe import TOKENIZER

    asked = {"each": each, "alternatives": alternatives, "seed": seed}
    recipe = read_settings(config, (), [TOKENIZER, *LADDER], [READ]) if config else None
    plan = AuditPlan(recipe, keep, models, canaries, {name: value for name, value in asked.items() if value is not None})
    space = or_sample(workspace(home))
    with progress() as report:
        found = audit_home(space, plan, report)
    if as_json:
        rungs = [one.as_json() for one in found.rungs]
        print_json({"passed": found.passed, "most_exposure_bits": found.most_exposure_bits, "rungs": rungs})
    else:
        _show(found)
    if not found.passed:
        raise typer.Exit(1)


def _show(found: Audited) -> None:
    lines = [cast("dict[str, object]", {"rung": one.rung, **line}) for one in found.rungs for line in one.as_json()["planted"]]
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
        f"\nExposure: Carlini et al. 2019, the sampling estimate among {found.secrets.config.alternatives + 1:,} secrets, "
        f"so at most {found.most_exposure_bits}; 1.44 on average for what the model never saw.\n"
        "Given away: two words of the secret and more begin a suggestion, a find of the beam or a sample.\n"
    )
    for one in found.rungs:
        said = one.as_json()
        longest = max(one.copies, key=lambda copy: copy.words)
        where = (
            f", in {longest.posts} posts: “{textwrap.shorten(longest.text, _SHOWN, placeholder=' …')}”" if longest.words else ""
        )
        typer.echo(
            f"{one.rung}: of {said['samples']} sampled texts the longest run of words that a training post has too is "
            f"{said['median_copy_words']:g} words in the median, {longest.words} at most{where}"
        )
    failed = [one.rung for one in found.rungs if not one.passed]
    verdict = f"FAILED: {', '.join(failed)} give" + "s" * (len(failed) == 1) + " away what one post alone held"
    typer.echo("\n" + (verdict if failed else "passed: no rung gives away a canary that was planted once"))
