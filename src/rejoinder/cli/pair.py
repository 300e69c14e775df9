"""`pair`: which browser extensions may ask the server of a home."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from rejoinder.cli.options import Home, Json, workspace
from rejoinder.cli.output import print_json


def pair(
    code: Annotated[
        str | None, typer.Argument(metavar="CODE", help="The code that the extension shows.", show_default=False)
    ] = None,
    revoke: Annotated[
        str | None, typer.Option("--revoke", metavar="ID", help="End the pairing of that id.", show_default=False)
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Let in the browser extension that shows CODE; without a code, list those that are let in.

    \b
    Example:
      rejoinder pair K7M4-QX2P
      rejoinder pair
      rejoinder pair --revoke 5f3a90c1
    """
    from rejoinder.errors import UsageError
    from rejoinder.home.pairing import Pairings

    if code is not None and revoke is not None:
        raise UsageError("give a code or --revoke, not both")
    pairings = Pairings(workspace(home).home)
    said = ""
    if code is not None:
        said = f"{pairings.confirm(code)} may ask now; `rejoinder pair` lists who may"
    if revoke is not None:
        if not pairings.revoke(revoke):
            raise UsageError(f"there is no pairing {revoke}; `rejoinder pair` lists them")
        said = "That extension may no longer ask."
    if as_json:
        print_json(
            {"paired": [{"id": one.id, "origin": one.origin, "name": one.name, "since": one.since} for one in pairings.listed()]}
        )
    elif said:
        typer.echo(said)
    else:
        lines = [
            f"{one.id}  {datetime.fromtimestamp(one.since, UTC):%Y-%m-%d}  {one.name}  {one.origin}" for one in pairings.listed()
        ]
        typer.echo("\n".join(lines) or "No extension is paired.")
