"""A home to serve, and a server over it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conftest import make_archive, toy_posts

from rejoinder.archive.places import place
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.trial import Trial
from rejoinder.home.workspace import Workspace
from rejoinder.ladder.metrics import FEWEST
from rejoinder.models.directory import identity

JSON = {"content-type": "application/json"}


def make_home(directory: Path) -> Workspace:
    """The toy archive, with a rung that predicts and two that propose."""
    archive = make_archive(directory / "archive.db", toy_posts())
    place(archive, "hn")
    archive.close()
    space = Workspace(directory)
    assert not fit(space, ["canned", "markov", "kneser_ney", "bm25"], FitConfig(vocabulary=400), {})
    let_speak(space, "kneser_ney")
    return space


def let_speak(space: Workspace, name: str) -> None:
    """Note that a rung pays half of what the best of the package does: a toy archive is too small to measure that."""
    paid = {name: 1.0, "package/mixture": 2.0}
    rows = {one: (identity(found.directory), (nats,) * FEWEST) for one, nats in paid.items() if (found := space.fitted(one))}
    Trial("0", FEWEST, (1,) * FEWEST, rows).save(space.home)


@dataclass(frozen=True)
class Server:
    """A server in a process of its own."""

    url: str
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


_IMPATIENT = """
from rejoinder.serve.http import config

class Impatient(config.ServeConfig):
    def __init__(self, **given):
        super().__init__(**{{**given, "patience": {}}})

config.ServeConfig = Impatient
from rejoinder.cli import main
main()
"""


@contextmanager
def serving(home: Path, *options: str, patience: float | None = None) -> Iterator[Server]:
    """`rejoinder serve` on a free port; it must end well when it is told to. `patience`: seconds, other than its own."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("REJOINDER_")}
    command = [sys.executable, "-m", "rejoinder", "serve", "--port", "0", "--home", str(home), *options]
    if patience is not None:
        command[1:3] = ["-c", _IMPATIENT.format(patience)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ours) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "http://" in line:
                break
        else:
            raise AssertionError("".join(said))
        try:
            yield Server("http://" + said[-1].partition("http://")[2].split()[0].rstrip("/"), process)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(30)
