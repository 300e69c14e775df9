"""`forget`: posts erased from the archive and from what was learned from them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from rejoinder.cli.options import Home, Json, workspace
from rejoinder.cli.output import note, print_json, progress
from rejoinder.errors import UsageError


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
        bool, typer.Option("--retrain-tokenizer", help="Learn the tokenizer anew too, and fit everything that was fitted.")
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
    from rejoinder.home.fitting import FitConfig, fit
    from rejoinder.home.forgetting import forget_everywhere
    from rejoinder.models import LADDER
    from rejoinder.text.tensors import TOKENIZER_FILE

    if not item and author is None and source is None:
        raise UsageError("nothing to forget: give --item ID, --author NAME or --source NAME")
    space = workspace(home)
    before = {name: found.manifest for name in LADDER if (found := space.fitted_or_none(name)) is not None}
    outcome = forget_everywhere(space, item or [], author, source)
    failed: list[str] = []
    if retrain_tokenizer:
        (space.home / TOKENIZER_FILE).unlink(missing_ok=True)
        with progress() as report:
            for name, was in before.items():
                config = FitConfig(was["on"], was["split"], was["seed"])
                for error in fit(space, [name], config, {name: was["config"]}, report).values():
                    note(f"rejoinder: {name}: {error}")
                    failed.append(name)
    again = [name for name in before if name not in failed]
    if as_json:
        print_json({**asdict(outcome), "tokenizer": "learned anew" if retrain_tokenizer else "kept"})
        return
    typer.echo(f"forgot {outcome.posts:,} posts; a later import or fetch will skip them")
    if retrain_tokenizer:
        typer.echo(f"  learned anew: {', '.join(again) or 'nothing was fitted'}; the old tokenizer is gone")
        if failed:
            raise typer.Exit(2)
        return
    for names, what in (
        (outcome.exact, "as if fitted on what remains"),
        (outcome.removed, "removed, since it held the words themselves; `rejoinder fit` brings it back"),
        (outcome.marked, "cannot forget exactly: not used until it is fitted again (`rejoinder fit`)"),
    ):
        if names:
            typer.echo(f"  {', '.join(names)}: {what}")
    typer.echo("  kept: the tokenizer, whose pieces may stem from what was forgotten (--retrain-tokenizer learns it anew)")
