"""`service`: the server begun by the system whenever its person logs in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rejoinder.cli.help import with_example
from rejoinder.cli.options import Home, Json, workspace
from rejoinder.cli.output import print_json

if TYPE_CHECKING:
    from pathlib import Path

    from rejoinder.serve.service import Service

service_app = typer.Typer(
    help=with_example("Have the system begin `rejoinder serve` whenever you log in.", "service install"), no_args_is_help=True
)
Port = Annotated[int, typer.Option(min=1, max=65_535, help="The port, of this machine alone.")]
_STARTS_WITHIN = 60.0  # seconds


@service_app.command("install")
def install(port: Port = 8765, home: Home = None, as_json: Json = False) -> None:
    """Begin it now and at each login: a systemd user unit, a launchd agent, or a task of Windows.

    It starts without its models and reads them when it is first asked. What is written is printed by `rejoinder service show`.

    \b
    Example:
      rejoinder service install
      rejoinder service install --port 8800 --home ~/work
    """
    from rejoinder.serve.http.running import listen

    service = _service(_command(port, home))
    if not service.installed:
        listen("127.0.0.1", port).close()  # what it would only say in a log is said here
    service.install()
    _wait_for(port, service.file)
    url = f"http://127.0.0.1:{port}/"
    if as_json:
        print_json({"file": str(service.file), "url": url})
    else:
        typer.echo(f"rejoinder is at {url} from now on; `rejoinder service remove` ends that ({service.file})")


@service_app.command("show")
def show(port: Port = 8765, home: Home = None, as_json: Json = False) -> None:
    """Print the file that is installed, or what would be.

    \b
    Example:
      rejoinder service show
    """
    service = _service(_command(port, home))
    there = service.installed
    data = service.file.read_bytes() if there else service.data
    text = data.decode("utf-16" if service.file.suffix == ".xml" else "utf-8")
    if as_json:
        print_json({"file": str(service.file), "installed": there, "text": text})
        return
    typer.echo(f"{service.file} is {'installed' if there else 'not installed; it would be'}:\n\n{text.rstrip()}")


@service_app.command("remove")
def remove(as_json: Json = False) -> None:
    """End it, and have the system forget it. Archive and models stay.

    \b
    Example:
      rejoinder service remove
    """
    service = _service([])
    there = service.remove()
    if as_json:
        print_json({"file": str(service.file), "removed": there})
    else:
        typer.echo(f"{service.file} is removed" if there else f"there is no {service.file}; nothing was removed")


def _command(port: int, home: Path | None) -> list[str]:
    """The server of a home, by this very interpreter."""
    import sys
    from pathlib import Path

    program = Path(sys.executable)
    silent = program.with_name("pythonw.exe")  # opens no window
    folder = str(workspace(home).home.absolute())
    command = [str(silent if silent.exists() else program), "-m", "rejoinder", "serve", "--asleep"]
    return [*command, "--port", str(port), "--home", folder]


def _service(command: list[str]) -> Service:
    """The service of this person on this system."""
    import os
    import sys
    from pathlib import Path

    from rejoinder.serve.service import service_for

    return service_for(sys.platform, command or [sys.executable], Path.home(), os.environ)


def _wait_for(port: int, file: Path) -> None:
    """Wait until it answers.

    Raises:
        RejoinderError: it does not.
    """
    from contextlib import closing
    from http.client import HTTPConnection, HTTPException
    from time import monotonic, sleep

    from rejoinder.errors import RejoinderError

    until = monotonic() + _STARTS_WITHIN
    while monotonic() < until:
        try:
            with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
                connection.request("GET", "/health")
                connection.getresponse()
                return
        except (OSError, HTTPException):
            sleep(0.1)
    log = "journalctl --user -u rejoinder"
    raise RejoinderError(f"{file} is installed, but nothing answers at port {port} yet; its log says why ({log})")
