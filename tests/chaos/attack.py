"""Attacks on commands: each runs in a process of its own, forked from one that has all modules loaded, and can be ended anywhere.

    with Attacker() as attacker:
        ran = attacker.run("import", file, home=home)                 # to its end
        attacker.kill_within(0.3, "fit", "markov", home=home)         # SIGKILL at a moment of chance

Why forked: starting Python takes longer than most commands do, and a kill would mostly meet the start.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

PATIENCE = 120.0  # seconds for which a command may run before it counts as stuck
_PAUSE = 0.005
_RIGHTS = 0b1110  # of root: to write, to read, and to do as an owner, whatever the modes of files say


@dataclass(frozen=True)
class Ran:
    """How a command ended: its exit status, or minus the number of the signal that ended it."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def traceback(self) -> bool:
        """Whether it failed in a way nobody meant."""
        return "Traceback" in self.out + self.err or self.code not in (0, 2, 130, -signal.SIGKILL)

    @property
    def one_line(self) -> bool:
        """Whether it worked, or said in one line of its own why not."""
        said = [line for line in self.err.splitlines() if line.startswith("rejoinder:")]
        return self.code == 0 or (self.code == 2 and bool(said) and not self.traceback)


@dataclass(frozen=True)
class Limits:
    """What a command is kept from: files larger than `file_bytes`; writing where only root may."""

    file_bytes: int | None = None
    plain: bool = False


class Command:
    """One that runs."""

    def __init__(self, attacker: Attacker, number: int) -> None:
        """Use `Attacker.start`."""
        self._attacker, self.number, self.began = attacker, number, monotonic()

    def kill(self) -> None:
        """End it as a power cut would, with all it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.number, signal.SIGKILL)

    def wait(self) -> Ran:
        """How it ended."""
        code = self._attacker.wait(self.number)
        files = [self._attacker.folder / f"{self.number}.{name}" for name in ("out", "err")]
        said = [file.read_text(errors="replace") if file.exists() else "" for file in files]  # none, if it was killed at once
        return Ran(code, said[0], said[1], monotonic() - self.began)


class Attacker:
    """Starts commands from a process that has everything loaded."""

    def __enter__(self) -> Self:
        """Load everything."""
        self._folder = TemporaryDirectory(prefix="chaos")
        self.folder = Path(self._folder.name)
        self.folder.chmod(0o755)
        self._ended: dict[int, int] = {}
        here = str(Path(__file__).parents[1])
        ours = {name: value for name, value in os.environ.items() if not name.startswith("REJOINDER_")}
        environment = {**ours, "COLUMNS": "100", "PYTHONPATH": os.pathsep.join([*sys.path, here])}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos.attack"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=self.folder,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End it."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()
        self._folder.cleanup()

    def start(self, *arguments: object, home: Path, limits: Limits | None = None, stdin: str = "") -> Command:
        """A command that runs from now on."""
        what = [str(one) for one in arguments]
        what += ["--home", str(home)]
        number = self._ask(do="start", arguments=what, stdin=stdin, **vars(limits or Limits()))
        return Command(self, number)

    def run(self, *arguments: object, home: Path, limits: Limits | None = None, stdin: str = "") -> Ran:
        """A command, to its end."""
        return self.start(*arguments, home=home, limits=limits, stdin=stdin).wait()

    def together(self, *commands: tuple[object, ...], home: Path) -> list[Ran]:
        """Several at once."""
        begun = [self.start(*arguments, home=home) for arguments in commands]
        return [command.wait() for command in begun]

    def kill_after(self, seconds: float, *arguments: object, home: Path, stdin: str = "") -> Ran:
        """A command that is killed after so many seconds, if it runs that long."""
        command = self.start(*arguments, home=home, stdin=stdin)
        ends = command.began + seconds
        while monotonic() < ends and not self._look(command.number):
            sleep(min(_PAUSE, max(ends - monotonic(), 0)))
        command.kill()
        return command.wait()

    def wait(self, number: int) -> int:
        """The exit status of a process that was started."""
        ends = monotonic() + PATIENCE
        while not self._look(number):
            if monotonic() > ends:
                os.killpg(number, signal.SIGABRT)
                said = (self.folder / f"{number}.err").read_text(errors="replace")
                raise AssertionError(f"a command has not ended in {PATIENCE:.0f} s: {said}")
            sleep(_PAUSE)
        return self._ended[number]

    def _look(self, number: int) -> bool:
        if number not in self._ended:
            found = self._ask(do="look", number=number)
            if found is None:
                return False
            self._ended[number] = found
        return True

    def _ask(self, **what: object) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError("the process that starts commands has ended")
        return json.loads(line)


# --- in the process that starts commands -----------------------------------------------------------------------------


def _serve() -> None:
    """Start what is asked for, and say how it ended, until stdin ends."""
    import rejoinder.archive.fetch
    import rejoinder.cli.archive
    import rejoinder.climb.run
    import rejoinder.home.forgetting
    import rejoinder.home.open_home  # noqa: F401 - loaded before anything is forked
    from rejoinder.models import LADDER, without_extras

    for name in without_extras():
        LADDER[name].load()
    ended: dict[int, int] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["do"] == "start":
            answer: int | None = _start(asked)
        else:
            with contextlib.suppress(ChildProcessError):
                while True:
                    number, status = os.waitpid(-1, os.WNOHANG)
                    if not number:
                        break
                    ended[number] = os.waitstatus_to_exitcode(status)
            answer = ended.get(asked["number"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _start(asked: dict[str, Any]) -> int:
    started = os.fork()
    if started:
        with contextlib.suppress(OSError):
            os.setpgid(started, started)  # here too, so that it is so before anybody kills the group
        return started
    try:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        _become(asked)
    except BaseException as error:
        os.write(2, f"Traceback: {error!r}\n".encode())
    os._exit(70)


def _become(asked: dict[str, Any]) -> None:
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{os.getpid()}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
    readable, writable = os.pipe()
    os.dup2(readable, 0)
    if not os.fork():  # whatever is said on stdin, however long
        os.write(writable, asked["stdin"].encode())
        os._exit(0)
    os.close(writable)
    if asked["file_bytes"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (asked["file_bytes"], asked["file_bytes"]))
    if asked["plain"] and os.geteuid() == 0:
        _be_plain()
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    sys.argv = ["rejoinder", *asked["arguments"]]
    from rejoinder.cli import main

    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _be_plain() -> None:
    """Give up what root may do to files of any mode (capabilities(7)); still root, since Python may lie where only root reads."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()  # version 3, this process; two sets of three
    if libc.capget(header, data):
        raise OSError(ctypes.get_errno(), "capget")
    for place in (0, 1):  # effective, permitted
        data[place] &= ~_RIGHTS & 0xFFFFFFFF
    if libc.capset(header, data):
        raise OSError(ctypes.get_errno(), "capset")


if __name__ == "__main__":
    _serve()
