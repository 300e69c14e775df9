"""`arpa`: n-gram models for other tools, and from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rejoinder.cli.help import with_example
from rejoinder.cli.options import Home, Json, workspace
from rejoinder.cli.output import print_json
from rejoinder.errors import UsageError

if TYPE_CHECKING:
    from rejoinder.models.kneser_ney import KneserNey

app = typer.Typer(
    help=with_example("Exchange n-gram models with other tools.", "arpa export model.arpa"),
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write; - for stdout.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write the fitted Kneser-Ney model as an ARPA file, for other tools.

    \b
    Example:
      rejoinder arpa export model.arpa
    """
    from rejoinder.home.arpa import export_arpa

    if str(file) == "-":
        if as_json:
            raise UsageError("what goes to stdout is the model: leave --json out")
        export_arpa(workspace(home), None)
    else:
        _tell("wrote", export_arpa(workspace(home), file), file, as_json=as_json)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An ARPA file, of order 1 to 8.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Take an n-gram model of another tool as the Kneser-Ney rung.

    One of words keeps its words as tokens. One of a tokenizer's pieces, as `arpa export` writes it, works with the other rungs,
    and is taken only where that tokenizer is the home's (or, in a home without one, the package's).

    \b
    Example:
      rejoinder arpa import model.arpa
    """
    from rejoinder.home.arpa import import_arpa

    _tell("took", import_arpa(workspace(home), file), file, as_json=as_json)


def _tell(did: str, model: KneserNey, file: Path, *, as_json: bool) -> None:
    grams = [len(level.token) for level in model.index]
    if as_json:
        print_json({did: str(file), "order": len(grams), "ngrams": grams})
    else:
        typer.echo(f"{did} {sum(grams):,} n-grams of order up to {len(grams)}: {file}")
