"""`forget` and `arpa`: what only exact counts can do."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rejoinder.cli.options import Home, Json, workspace
from rejoinder.cli.output import note, print_json, progress
from rejoinder.errors import ModelError, UsageError

if TYPE_CHECKING:
    from rejoinder.models.kneser_ney import KneserNey

arpa_app = typer.Typer(help="Exchange n-gram models with other tools.", no_args_is_help=True, rich_markup_mode=None)


def forget(
    item: Annotated[
        list[int] | None, typer.Option(min=1, max=2**63 - 1, metavar="ID", help="A post to forget.", show_default=False)
    ] = None,
    author: Annotated[
        str | None, typer.Option(metavar="NAME", help="Forget all posts of this author.", show_default=False)
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
    """
    from rejoinder.home.fitting import FitConfig, fit
    from rejoinder.home.forgetting import forget_everywhere
    from rejoinder.models import LADDER
    from rejoinder.text.tensors import TOKENIZER_FILE

    if not item and author is None:
        raise UsageError("nothing to forget: give --item ID or --author NAME")
    space = workspace(home)
    before = {name: found.manifest for name in LADDER if (found := space.fitted_or_none(name)) is not None}
    outcome = forget_everywhere(space, item or [], author)
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


@arpa_app.command("export")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write the fitted Kneser-Ney model as an ARPA file, for other tools.

    \b
    Example:
      rejoinder arpa export model.arpa
    """
    from rejoinder.models.arpa import write_arpa
    from rejoinder.models.kneser_ney import KneserNey

    model = workspace(home).load("kneser_ney")
    assert isinstance(model, KneserNey)  # noqa: S101 - for the type checker
    partial = file.with_name(f".{file.name}.partial")
    with partial.open("w", encoding="utf-8") as target:
        write_arpa(model, target)
    partial.replace(file)
    _tell("wrote", model, file, as_json=as_json)


@arpa_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An ARPA file, of order 1 to 8.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Take an n-gram model of another tool as the Kneser-Ney rung.

    If its tokens are those of the home's tokenizer it works with the other rungs; else it has the file's own words as tokens.

    \b
    Example:
      rejoinder arpa import model.arpa
    """
    from datetime import UTC, datetime

    from rejoinder import __version__
    from rejoinder.config import as_dict
    from rejoinder.models.arpa import read_arpa
    from rejoinder.text.tensors import TOKENIZER_FILE
    from rejoinder.text.tokenizer import load_tokenizer

    space = workspace(home)
    ours = space.home / TOKENIZER_FILE
    try:
        model = read_arpa(file, load_tokenizer(ours) if ours.is_file() else None)
    except ModelError:
        model = read_arpa(file)
    when = datetime.now(UTC).isoformat(timespec="seconds")
    facts = {
        "on": "elsewhere",
        "split": "hash",
        "seed": 0,
        "data": "",
        "revision": space.revision,
        "code": __version__,
        "seconds": 0.0,
    }
    space.keep(model, {"rung": "kneser_ney", "config": as_dict(model.config), **facts, "fitted": when})
    _tell("took", model, file, as_json=as_json)


def _tell(did: str, model: KneserNey, file: Path, *, as_json: bool) -> None:
    grams = [len(level.token) for level in model.index]
    if as_json:
        print_json({did: str(file), "order": len(grams), "ngrams": grams})
    else:
        typer.echo(f"{did} {sum(grams):,} n-grams of order up to {len(grams)}: {file}")
