"""The front door: parse, call, print. One file per group of commands; each loads what it needs when it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from errno import EDQUOT, EFBIG, ENOSPC
from functools import cache
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from rejoinder import __version__
from rejoinder.cli.help import HelpCommand, HelpGroup
from rejoinder.cli.output import be_quiet
from rejoinder.errors import RejoinderError, Stopped, UsageError

_PLACES = {  # the command, or the group of commands, and where it lies; in the order of a day
    "import": "archive:import_files",
    "fetch": "fetching:fetch_app",
    "fit": "rungs:fit",
    "reply": "suggest:reply",
    "complete": "suggest:complete",
    "serve": "serve:serve",
    "info": "archive:info",
    "rungs": "rungs:list_rungs",
    "own": "own:own_app",
    "switch": "switch:switch",
    "pair": "pair:pair",
    "service": "service:service_app",
    "lsp": "lsp:lsp",
    "model": "model:model_app",
    "ladder": "ladder:ladder",
    "inspect": "inspect:inspect_app",
    "tour": "tour:tour",
    "forget": "forget:forget",
    "arpa": "arpa:app",
    "audit": "audit:audit",
    "bundle": "bundle:bundle",
}


_Refused: Any = typer.BadParameter.__bases__[0]  # what typer raises for an option, an argument or a command that it does not take


class _Commands(HelpGroup):
    """The commands, any of which may be stopped."""

    def make_context(self, *given: Any, **more: Any) -> Any:
        """What was asked for; a mistake in it is an error of ours."""
        with _told_in_one_line():
            return super().make_context(*given, **more)

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the order of a day."""
        return [name for name in _PLACES if name in self.commands]

    def invoke(self, ctx: Any) -> Any:
        """Run one; Ctrl-C is an error of ours where the command has no better word."""
        try:
            with _told_in_one_line():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Stopped("stopped; what was finished is kept") from None


@contextmanager
def _told_in_one_line() -> Iterator[None]:
    try:
        yield
    except _Refused as error:
        said = error.format_message()
        if "\n" in said:  # the help of a group, of which no command was named
            raise
        said = said.replace("Input should be", "it should be").partition(", unable to")[0].rstrip(".")
        asked = error.ctx.command_path if error.ctx else "rejoinder"
        raise UsageError(f"{said[:1].lower()}{said[1:]}; see {asked} --help") from None


app: typer.Typer
_debug = False


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rejoinder {__version__}")
        raise typer.Exit


def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", envvar="REJOINDER_QUIET", show_envvar=False, help="Show no progress.")
    ] = False,
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    global _debug
    _debug = debug
    be_quiet(quiet)


def build(names: Iterable[str] = _PLACES) -> typer.Typer:
    """The command line with these commands; all of them take a tenth of the time of `rejoinder complete`."""
    made = typer.Typer(
        name="rejoinder",
        cls=_Commands,
        help="Learns from an archive of threaded discussion, finishes your sentence and proposes replies, on your own machine.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,  # plain help starts in half the time
        pretty_exceptions_enable=False,
    )
    made.callback(epilog="It never posts anywhere. Start: rejoinder reply 'Why do people still use Makefiles?'")(_root)
    for name in names:
        module, _, attribute = _PLACES[name].partition(":")
        found = getattr(import_module(f"rejoinder.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            for command in found.registered_commands:
                command.cls = HelpCommand
            made.add_typer(found, name=name, cls=HelpGroup)
        else:
            made.command(name, cls=HelpCommand)(found)
    return made


@cache
def _whole() -> typer.Typer:
    return build()


def __getattr__(name: str) -> typer.Typer:
    """`app`, the whole command line, made when it is first asked for."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _whole()


def main() -> None:
    """Run the command line; an error of ours is one line on stderr and exit status 2, or 130 if somebody stopped it."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # whoever began us closed it
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - until we end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # names of files and arguments need not be UTF-8
    named = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")  # no option before it has a value
    try:
        (build([named]) if named in _PLACES else _whole())()
    except KeyboardInterrupt:  # before a command ran
        sys.exit(130)
    except (RejoinderError, OSError) as error:
        if _debug:
            raise
        typer.echo(f"rejoinder: {error if isinstance(error, RejoinderError) else _told(error)}", err=True)
        sys.exit(130 if isinstance(error, Stopped) else 2)


def _told(error: OSError) -> str:
    """What the system said, and of which file if of any."""
    said = error.strerror or str(error) or type(error).__name__
    if error.errno in (ENOSPC, EFBIG, EDQUOT):
        said += "; free some space there, then run the same command again"
    return said if error.filename is None else f"{error.filename}: {said}"
