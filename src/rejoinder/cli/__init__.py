"""The front door: parse, call, print. One file per group of commands; each loads what it needs when it runs."""

from __future__ import annotations

import sys
from errno import EDQUOT, EFBIG, ENOSPC
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rejoinder import __version__
from rejoinder.cli import (
    archive,
    arpa,
    audit,
    bundle,
    fetching,
    forget,
    inspect,
    ladder,
    lsp,
    model,
    own,
    pair,
    rungs,
    serve,
    suggest,
    tour,
)
from rejoinder.cli.output import be_quiet
from rejoinder.errors import RejoinderError, Stopped


class _Commands(TyperGroup):
    """The commands, any of which may be stopped."""

    def invoke(self, ctx: Any) -> Any:
        """Run one; Ctrl-C is an error of ours where the command has no better word."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Stopped("stopped; what was finished is kept") from None


app = typer.Typer(
    name="rejoinder",
    cls=_Commands,
    help="Learns from an archive of threaded discussion, finishes your sentence and proposes replies, on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help starts in half the time
    pretty_exceptions_enable=False,
)
_debug = False


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rejoinder {__version__}")
        raise typer.Exit


@app.callback(epilog="It never posts anywhere. Start: rejoinder reply 'Why do people still use Makefiles?'")
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


app.command("import")(archive.import_files)
archive.fetch_app.command("discourse")(fetching.fetch_discourse)
archive.fetch_app.command("github")(fetching.fetch_github)
archive.fetch_app.command("zulip")(fetching.fetch_zulip)
archive.fetch_app.command("zammad")(fetching.fetch_zammad)
archive.fetch_app.command("chatwoot")(fetching.fetch_chatwoot)
archive.fetch_app.command("imap")(fetching.fetch_imap)
app.add_typer(archive.fetch_app, name="fetch")
app.command("info")(archive.info)
app.command("fit")(rungs.fit)
app.command("rungs")(rungs.list_rungs)
app.command("reply")(suggest.reply)
app.command("complete")(suggest.complete)
app.command("serve")(serve.serve)
app.command("pair")(pair.pair)
app.command("lsp")(lsp.lsp)
app.command("ladder")(ladder.ladder)
app.command("tour")(tour.tour)
app.add_typer(model.model_app, name="model")
app.add_typer(own.own_app, name="own")
app.command("forget")(forget.forget)
app.command("bundle")(bundle.bundle)
app.add_typer(arpa.app, name="arpa")
app.command("audit")(audit.audit)
app.add_typer(inspect.inspect_app, name="inspect")


def main() -> None:
    """Run the command line; an error of ours is one line on stderr and exit status 2, or 130 if somebody stopped it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # names of files and arguments need not be UTF-8
    try:
        app()
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
