"""`own`: text of one's own that typing help may learn from, kept on this machine, shown and erased by one command each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rejoinder.cli.help import with_example
from rejoinder.cli.input import read_stdin, read_text
from rejoinder.cli.options import Home, Json, workspace
from rejoinder.cli.output import print_json

own_app = typer.Typer(
    help=with_example(
        "Text of your own that typing help learns from; it stays on this machine.", "own add --file my-posts.txt", "own show"
    ),
    no_args_is_help=True,
)


@own_app.command("add")
def add(
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT | -", help="What you wrote; - reads stdin.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file of it, posts parted by blank lines.", show_default=False)
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Remember text you wrote.

    \b
    Example:
      rejoinder own add --file my-posts.txt
    """
    from rejoinder.errors import UsageError
    from rejoinder.home.own_text import FILE, remember, remembered

    if (text is None) == (file is None):
        raise UsageError("give one of TEXT and --file")
    folder = workspace(home).home
    remember(folder, read_text(file) if file is not None else read_stdin() if text == "-" else str(text))
    words = len(remembered(folder).split())
    if as_json:
        print_json({"file": str(folder / FILE), "words": words})
    else:
        typer.echo(f"{words:,} words are remembered in {folder / FILE}; `rejoinder own erase` forgets them")


@own_app.command("show")
def show(home: Home = None, as_json: Json = False) -> None:
    """Print all that is remembered.

    \b
    Example:
      rejoinder own show
    """
    from rejoinder.home.own_text import FILE, remembered

    folder = workspace(home).home
    text = remembered(folder)
    if as_json:
        print_json({"file": str(folder / FILE), "words": len(text.split()), "text": text})
    else:
        typer.echo(text.rstrip("\n") or "Nothing is remembered.")


@own_app.command("phrases")
def phrases(
    count: Annotated[int, typer.Option("-n", min=1, max=1_000, help="How many.")] = 20, home: Home = None, as_json: Json = False
) -> None:
    """Print the phrases you use most, of what is remembered.

    \b
    Example:
      rejoinder own phrases -n 50
    """
    from rejoinder.home.own_text import most_used, remembered

    found = most_used(remembered(workspace(home).home), count)
    if as_json:
        print_json([{"text": text, "times": times} for text, times in found])
    else:
        typer.echo("\n".join(f"{times:>5}  {text}" for text, times in found) or "Nothing is remembered that comes twice.")


@own_app.command("erase")
def erase_all(home: Home = None, as_json: Json = False) -> None:
    """Forget all text of your own that typing help learned from.

    \b
    Example:
      rejoinder own erase
    """
    from rejoinder.home.own_text import FILE, erase

    file = workspace(home).home / FILE
    erased = erase(file.parent)
    if as_json:
        print_json({"file": str(file), "erased": erased})
    else:
        typer.echo(f"{file} is erased" if erased else "Nothing was remembered.")
