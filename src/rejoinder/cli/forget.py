"""`forget`: posts erased from the archive and from what was learned from them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rejoinder.cli.options import Home, Json, workspace
from rejoinder.cli.output import note, print_json, progress
from rejoinder.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rejoinder.home.forgetting import Outcome


def forget(
    item: Annotated[
        list[int] | None, typer.Option(min=1, max=2**63 - 1, metavar="ID", help="A post to forget.", show_default=False)
    ] = None,
    author: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Forget all posts of this author, as the form of archive names one (docs/archives.md).",
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Forget all posts of this place (see `rejoinder info`).", show_default=False),
    ] = None,
    retrain_tokenizer: Annotated[
        bool, typer.Option("--retrain-tokenizer", help="Learn the tokenizer anew in any case, and fit what was fitted.")
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Erase posts from the archive and from what was learned from them, for good.

    By --item (several, if you like), --author or --source: one of the three. A later import or fetch does not bring them back.

    \b
    Example:
      rejoinder forget --item 8863
      rejoinder forget --author jane
      rejoinder forget --source old-forum
    """
    from rejoinder.home.forgetting import forget_everywhere
    from rejoinder.home.retraining import forget_and_retrain

    for option, given in (("--author", author), ("--source", source)):
        if given and len(given) > 1:
            raise UsageError(f"{option} was given {len(given)} times; forget one after the other")
    whose, place = (given[0] if given else None for given in (author, source))
    space = workspace(home)
    again: tuple[str, ...] = ()
    failed: dict[str, str] = {}
    if not retrain_tokenizer:
        outcome = forget_everywhere(space, item or [], whose, place, waiting=note)
    else:
        with progress() as report:
            done = forget_and_retrain(space, item or [], whose, place, note, report)
        outcome, again, failed = done.outcome, done.again, {name: str(error) for name, error in done.failed.items()}
        for name in done.foreign:
            note(f"rejoinder: {name} came from a file of another tool (`arpa import`), and is not fitted again")
        for name, error in failed.items():
            note(f"rejoinder: {name}: {error}")
    if as_json:
        print_json({**asdict(outcome), **({"failed": failed} if retrain_tokenizer else {})})
    else:
        _say(outcome, again)
    for path in outcome.left:
        note(f"rejoinder: {path} could not be removed, or is not rejoinder's own: see whether it holds what was forgotten")
    if failed:
        raise typer.Exit(2)


def _say(outcome: Outcome, again: Sequence[str]) -> None:
    typer.echo(f"forgot {outcome.posts:,} post{'s' * (outcome.posts != 1)}; a later import or fetch will skip what was forgotten")
    if outcome.tokenizer == "learned anew":
        typer.echo(f"  learned anew: {', '.join(again) or 'nothing was fitted'}; the old tokenizer is gone")
        return
    for names, what in (
        (outcome.exact, "as if fitted on what remains"),
        (outcome.removed, "removed with the words in them; `rejoinder fit` makes them anew"),
        (outcome.marked, "cannot forget exactly, so not used until `rejoinder fit` makes them anew"),
    ):
        if names:
            typer.echo(f"  {', '.join(names)}: {what}")
    if outcome.tokenizer == "removed":
        typer.echo("  removed: the tokenizer, since it holds a word that no post has any more; `rejoinder fit` learns a new one")
