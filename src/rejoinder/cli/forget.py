"""`forget`: posts erased from the archive and from what was learned from them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rejoinder.cli.options import Home, Json, workspace
from rejoinder.cli.output import note, print_json, progress
from rejoinder.errors import UsageError

if TYPE_CHECKING:
    from rejoinder.home.forgetting import Outcome
    from rejoinder.home.workspace import Workspace


def forget(
    item: Annotated[
        list[int] | None, typer.Option(min=1, max=2**63 - 1, metavar="ID", help="A post to forget.", show_default=False)
    ] = None,
    author: Annotated[
        str | None, typer.Option(metavar="NAME", help="Forget all posts of this author.", show_default=False)
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Forget all posts of this place (see `rejoinder info`).", show_default=False),
    ] = None,
    retrain_tokenizer: Annotated[
        bool, typer.Option("--retrain-tokenizer", help="Learn the tokenizer anew in any case, and fit what was fitted.")
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Erase posts from the archive and from what was learned from them, for good.

    A later import or fetch does not bring them back.

    \b
    Example:
      rejoinder forget --item 8863
      rejoinder forget --author jane
      rejoinder forget --source old-forum
    """
    from rejoinder.home.arpa import ELSEWHERE
    from rejoinder.home.forgetting import forget_everywhere
    from rejoinder.home.lock import locked
    from rejoinder.models import LADDER

    if not item and author is None and source is None:
        raise UsageError("nothing to forget: give --item ID, --author NAME or --source NAME")
    space = workspace(home)
    before = {name: found.manifest for name in LADDER if (found := space.fitted_or_none(name)) is not None}
    if not retrain_tokenizer:
        outcome = forget_everywhere(space, item or [], author, source, waiting=note)
        failed: dict[str, str] = {}
    else:
        for name in [name for name, was in before.items() if was["on"] == ELSEWHERE]:
            del before[name]
            note(f"rejoinder: {name} came from a file of another tool (`arpa import`), and is not fitted again")
        space.open_archive().close()  # is there one?
        with locked(space.home, "forget", waiting=note):
            outcome = forget_everywhere(space, item or [], author, source, waiting=note)
            failed = _fit_anew(space, before)
        outcome.tokenizer = "learned anew"
    if as_json:
        print_json({**asdict(outcome), **({"failed": failed} if retrain_tokenizer else {})})
    else:
        _say(outcome, [name for name in before if name not in failed])
    for path in outcome.left:
        note(f"rejoinder: {path} could not be removed, or is not rejoinder's own: see whether it holds what was forgotten")
    if failed:
        raise typer.Exit(2)


def _fit_anew(space: Workspace, before: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Learn the tokenizer anew, and fit what was fitted as it was; those that failed, and why."""
    from rejoinder.home.fitting import FitConfig, fit
    from rejoinder.text.tensors import TOKENIZER_FILE

    (space.home / TOKENIZER_FILE).unlink(missing_ok=True)
    failed: dict[str, str] = {}
    with progress() as report:
        for name, was in before.items():
            config = FitConfig(was["on"], was["split"], was["seed"])
            for error in fit(space, [name], config, {name: was["config"]}, report).values():
                note(f"rejoinder: {name}: {error}")
                failed[name] = str(error)
    return failed


def _say(outcome: Outcome, again: list[str]) -> None:
    typer.echo(f"forgot {outcome.posts:,} posts; a later import or fetch will skip them")
    if outcome.tokenizer == "learned anew":
        typer.echo(f"  learned anew: {', '.join(again) or 'nothing was fitted'}; the old tokenizer is gone")
        return
    for names, what in (
        (outcome.exact, "as if fitted on what remains"),
        (outcome.removed, "removed, since it held the words themselves; `rejoinder fit` brings it back"),
        (outcome.marked, "cannot forget exactly: not used until it is fitted again (`rejoinder fit`)"),
    ):
        if names:
            typer.echo(f"  {', '.join(names)}: {what}")
    if outcome.tokenizer == "removed":
        typer.echo("  removed: the tokenizer, since it holds a word that no post has any more; `rejoinder fit` learns a new one")
