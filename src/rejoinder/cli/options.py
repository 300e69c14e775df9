"""The options that every command shares."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rejoinder.home.workspace import Workspace


def _folder(given: str) -> Path:
    """The folder that an option names; not the one we are in for "", which is a variable of the shell that was not set."""
    if not given:
        from rejoinder.errors import UsageError

        raise UsageError("--home names no folder; for the one you are in: --home .")
    return Path(given)


Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        envvar="REJOINDER_HOME",
        help="The folder with archive and models.",
        show_default=False,
        parser=_folder,
    ),
]
Split = Annotated[str, typer.Option(metavar="hash|time", help="How threads are dealt to train, dev and test.")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="RUNG.KEY=VALUE", help="A setting.", show_default=False)]
ConfigFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Settings as TOML, a table for each rung.", show_default=False)
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of what is random.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def workspace(home: Path | None) -> Workspace:
    """The workspace of `home`, else of the usual one.

    Raises:
        UsageError: it is a file, or the folder holds other things.
    """
    from rejoinder.errors import UsageError
    from rejoinder.home.holders import is_home
    from rejoinder.home.workspace import Workspace, usual_home

    home = (home or usual_home()).expanduser()
    if home.is_file():
        raise UsageError(f"{home} is a file; a home is a folder: choose another --home")
    if not is_home(home):
        raise UsageError(f"{home} holds folders that are not rejoinder's; choose another --home, or a new folder in it")
    return Workspace(home)
