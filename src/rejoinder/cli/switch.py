"""`switch`: all help while typing, on or off at once."""

from __future__ import annotations

from typing import Annotated

import typer

from rejoinder.cli.options import Home, Json, workspace


def switch(
    to: Annotated[str | None, typer.Argument(metavar="on | off", help="Without it, say how it is.", show_default=False)] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Switch help while typing on or off wherever you write: the page, the browser extension, editors.

    \b
    Example:
      rejoinder switch off
    """
    from rejoinder.cli.output import print_json
    from rejoinder.errors import UsageError
    from rejoinder.home import switch as switches

    folder = workspace(home).home
    if to not in (None, "on", "off"):
        raise UsageError(f"`rejoinder switch` takes on or off; got {to!r}")
    if to is not None:
        switches.switch(folder, to == "on")
    on = switches.is_on(folder)
    if as_json:
        print_json({"on": on})
        return
    typer.echo(f"Help while typing is {'on' if on else 'off everywhere; `rejoinder switch on` brings it back'}.")
