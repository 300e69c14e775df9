"""`serve`: the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rejoinder.cli.archive import or_sample
from rejoinder.cli.options import Home, Json, workspace
from rejoinder.cli.output import note, print_json

if TYPE_CHECKING:
    from rejoinder.home.open_home import OpenHome


def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="The address to listen at; any but this machine's own needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port; 0 takes a free one.")] = 8765,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="REJOINDER_TOKEN", metavar="TOKEN", help="What every request must bring as Bearer.", show_default=False
        ),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    asleep: Annotated[
        bool, typer.Option("--asleep", help="Start without the models; they are read when first asked for.")
    ] = False,
    log: Annotated[bool, typer.Option("--log", help="A line for each request: route, status and time, no text.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Serve the page, the API and an OpenAI-compatible API, to this machine alone.

    Nothing that is written is logged or sent anywhere.

    \b
    Example:
      rejoinder serve --open
      rejoinder serve --port 0
      REJOINDER_TOKEN=... rejoinder serve --host 0.0.0.0
    """
    import logging

    from rejoinder.serve.http.config import ServeConfig

    config = ServeConfig(host=host, token=token or None)
    space = workspace(home)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("rejoinder.serve").setLevel(logging.INFO if log else logging.WARNING)

    from rejoinder.serve.http.allocator import give_back, keep_large_arrays_apart
    from rejoinder.serve.http.app import create_app
    from rejoinder.serve.http.backend import Backend, can_have_backend
    from rejoinder.serve.http.running import listen, run, url_of

    keep_large_arrays_apart()
    listening = listen(host, port)
    or_sample(space)
    backend = Backend(space, config) if can_have_backend() else None
    app = create_app(space, config, backend)
    opened = app.state.services.opened
    voices = [] if asleep else _wake(opened)
    give_back()
    url = url_of(listening)

    def ready() -> None:
        if as_json:
            print_json({"url": url, "typing": voices})  # none while it is asleep
        else:
            typer.echo(f"rejoinder is at {url} (Ctrl-C ends it)")
        if open_page:
            import webbrowser

            webbrowser.open(url)

    try:
        run(app, config, listening, ready)
    finally:
        if backend is not None:
            backend.close()


def _wake(opened: OpenHome) -> list[str]:
    """Have what a keystroke needs ready, and say which models it is; their names."""
    opened.warm()
    voices = list(opened.engine.voices)
    note(f"typing: {', and in haste '.join(voices)}; replies are loaded when they are first asked for")
    note(opened.voices.reason)
    return voices
