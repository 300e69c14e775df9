"""`lsp`: ghost text in the editors people already use."""

from __future__ import annotations

from typing import Annotated

import typer

from rejoinder.cli.options import Home, workspace


def lsp(
    gate: Annotated[str, typer.Option(metavar="quiet|normal|eager", help="When to speak.")] = "normal",
    deadline: Annotated[int, typer.Option(min=1, max=1000, metavar="MS", help="Milliseconds for an answer.")] = 80,
    block: Annotated[
        list[str] | None, typer.Option("--block", metavar="WORD", help="A word never to suggest.", show_default=False)
    ] = None,
    learn: Annotated[
        bool, typer.Option("--learn", help="Learn from the sentences you finish; `rejoinder own` shows them.")
    ] = False,
    home: Home = None,
) -> None:
    """Finish sentences in an editor, by the Language Server Protocol over stdin and stdout.

    Editors start it themselves; docs/editors.md says how to tell yours.

    \b
    Example:
      rejoinder lsp --gate quiet
    """
    from functools import partial

    from rejoinder.cli.output import note
    from rejoinder.engine.typing import Gate
    from rejoinder.errors import UsageError
    from rejoinder.home import switch
    from rejoinder.home.open_home import OpenHome
    from rejoinder.home.own_text import remember
    from rejoinder.serve.editor.lsp import EditorHome, EditorOptions, serve_editor

    if gate not in list(Gate):
        raise UsageError(f"`--gate` must be one of {', '.join(Gate)}; got {gate!r}")
    space = workspace(home)
    opened = OpenHome(space, note)
    helped = EditorHome(
        lambda context: opened.open_typing(context, block or [], own=True),
        opened.refresh,
        partial(switch.is_on, space.home),
        partial(switch.switch, space.home),
        partial(remember, space.home) if learn else None,
    )
    serve_editor(helped, EditorOptions(Gate(gate), deadline / 1000))
