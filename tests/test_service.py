"""`rejoinder service`: what each system is told, and on Linux its whole life, under a stand-in for systemd that obeys units."""

from __future__ import annotations

import json
import ntpath
import os
import plistlib
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest
from browsing import until
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.errors import RejoinderError, UsageError
from rejoinder.serve.service import OURS, quoted_for_systemd, service_for

ODD = ["/opt/my python/bin/python", "-m", "rejoinder", "--home", '/home/ä "b" \\c $HOME %h & <d>']
MOST = 350  # MB
SYSTEMCTL = r"""#!PYTHON
# Obeys a unit as systemd does, as far as ours goes.
import os, re, signal, subprocess, sys, time
from pathlib import Path

folder, (user, verb, *more) = Path(__file__).resolve().parents[1], sys.argv[1:]
pid = folder / "pid"
with (folder / "asked.txt").open("a") as log:
    log.write(verb + "\n")
if os.environ.get("SYSTEMCTL") == "fails":
    sys.exit("Failed to connect to bus")
if verb in ("restart", "disable") and pid.exists():
    os.kill(int(pid.read_text()), signal.SIGTERM)
    while Path("/proc", pid.read_text(), "smaps").exists() and Path("/proc", pid.read_text(), "cmdline").read_bytes():
        time.sleep(0.05)
    pid.unlink()
if verb == "restart":
    unit = (folder / "config/systemd/user" / more[0]).read_text()
    line = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    parts = [re.sub(r"\\(.)", r"\1", part) for part in re.findall(r'"((?:[^"\\]|\\.)*)"', line)]
    parts = [part.replace("%%", "%").replace("$$", "$") for part in parts]
    with (folder / "journal.txt").open("w") as journal:
        running = subprocess.Popen(parts, stdin=subprocess.DEVNULL, stdout=journal, stderr=journal, start_new_session=True)
    pid.write_text(str(running.pid))
"""


class Person:
    """Somebody with a systemd of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / 'my "home" $1 100%'
        commands = folder / "commands"
        commands.mkdir()
        (commands / "systemctl").write_text(SYSTEMCTL.replace("PYTHON", sys.executable))
        (commands / "systemctl").chmod(0o755)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        path = f"{commands}{os.pathsep}{os.environ['PATH']}"
        self.env = {**os.environ, "PATH": path, "XDG_CONFIG_HOME": str(folder / "config"), "REJOINDER_HOME": str(self.home)}
        self.unit = folder / "config/systemd/user/rejoinder.service"

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rejoinder", "service", *arguments]
        return subprocess.run(command, env={**self.env, **environment}, capture_output=True, text=True)

    @property
    def megabytes(self) -> float:
        """What the service and its second process hold; what they share counts once."""
        first = int((self.folder / "pid").read_text())
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        rolled = [Path(f"/proc/{one}/smaps_rollup").read_text() for one in (first, *children)]
        return sum(int(re.findall(r"^Pss:\s+(\d+)", text, re.MULTILINE)[0]) for text in rolled) / 1000


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    somebody = Person(tmp_path)
    yield somebody
    somebody.run("remove")


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux'")
def test_the_service_starts_at_once_answers_when_asked_and_is_removed(person: Person) -> None:
    installed = person.run("install", "--port", person.port)
    assert installed.returncode == 0, installed.stderr
    assert f"rejoinder is at {person.url}/ from now on" in installed.stdout
    asleep = person.megabytes
    ask = {"draft": "I think that the prob"}
    ghost = until(lambda: httpx.post(f"{person.url}/v1/suggest", json=ask, timeout=30).json().get("ghost"))
    assert ghost.startswith("lem")
    asked = {"context": {"posts": [{"text": "Why do people still use Makefiles?"}]}}
    assert httpx.post(f"{person.url}/v1/reply", json=asked, timeout=90).json()["replies"]
    assert asleep < person.megabytes < MOST
    again = person.run("install", "--port", person.port)  # an upgrade: the same again begins it anew
    assert again.returncode == 0, again.stderr
    assert httpx.get(f"{person.url}/health", timeout=30).is_success
    assert "is installed:" in person.run("show").stdout
    assert json.loads(person.run("remove", "--json").stdout) == {"file": str(person.unit), "removed": True}
    assert not person.unit.exists()
    assert person.home.exists()
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"{person.url}/health", timeout=5)
    verbs = (person.folder / "asked.txt").read_text().split()
    begin, end = ["daemon-reload", "enable", "restart"], ["disable", "daemon-reload"]
    assert verbs == [*begin, end[0], *begin, *end]


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux'")
def test_what_stands_in_the_way_is_said(person: Person) -> None:
    """A system without it, a port that is taken, and a unit of somebody else."""
    failed = person.run("install", "--port", person.port, SYSTEMCTL="fails")
    assert failed.returncode == 2
    assert "Failed to connect to bus" in failed.stderr and f"{person.unit} is written" in failed.stderr
    assert person.run("remove").stdout == f"{person.unit} is removed\n"
    assert "nothing was removed" in person.run("remove").stdout
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = person.run("install", "--port", str(taken.getsockname()[1]))
    assert refused.returncode == 2 and "choose another --port" in refused.stderr
    assert not person.unit.exists()
    person.unit.write_text("[Service]\n")
    for verb in ("install", "show", "remove"):
        refused = person.run(verb)
        assert refused.returncode == 2 and "move it away first" in refused.stderr
    assert person.unit.read_text() == "[Service]\n"
    person.unit.unlink()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd is installed")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    """Its own check, which names what it does not know and programs that are not there."""
    for program, found in ((sys.executable, True), ("/no/such/python", False)):
        service = service_for("linux", [program, *ODD[1:]], tmp_path, {})
        service.file.parent.mkdir(parents=True, exist_ok=True)
        service.file.write_bytes(service.data)
        env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "none")}
        command = ["systemd-analyze", "--user", "--man=no", "verify", str(service.file)]
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        assert ("rejoinder.service" in done.stderr) is not found, done.stderr
        assert (done.returncode == 0) is found, done.stderr


def test_launchd_is_told_each_argument(tmp_path: Path) -> None:
    service = service_for("darwin", ODD, tmp_path, {})
    told = plistlib.loads(service.data)
    assert told["ProgramArguments"] == ODD and told["RunAtLoad"] is True
    assert service.file == tmp_path / "Library/LaunchAgents" / f"{told['Label']}.plist"
    assert service.begin[0][:2] == ("launchctl", "bootstrap") and service.end[0][2].endswith(told["Label"])


def test_windows_is_told_one_line(tmp_path: Path) -> None:
    environment = {"LOCALAPPDATA": str(tmp_path), "USERDOMAIN": "HOUSE", "USERNAME": "a & b"}
    service = service_for("win32", ODD, tmp_path, environment)
    space = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
    told = {one.tag.removeprefix(space): one.text for one in ElementTree.fromstring(service.data).iter()}
    assert told["Command"] == ODD[0] and told["UserId"] == "HOUSE\\a & b"
    assert told["Arguments"] == '-m rejoinder --home "/home/ä \\"b\\" \\c $HOME %h & <d>"'  # list2cmdline's, by its rules
    assert ntpath.basename(str(service.file)).endswith("service.xml")


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_each_knows_its_own_file_and_refuses_arguments_of_several_lines(system: str, tmp_path: Path) -> None:
    service = service_for(system, ODD, tmp_path, {})
    assert not service.installed
    service.file.parent.mkdir(parents=True)
    service.file.write_bytes(service.data)
    assert service.installed
    with pytest.raises(UsageError, match="without such characters"):
        service_for(system, ["python", "a\nExecStartPre=b"], tmp_path, {})
    assert OURS and issubclass(UsageError, RejoinderError)


@given(st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=("Cs",))))
def test_an_argument_is_what_systemd_makes_of_it(text: str) -> None:
    quoted = quoted_for_systemd(text)
    inner = re.fullmatch(r'"((?:[^"\\]|\\["\\])*)"', quoted)
    assert inner
    assert re.sub(r"\\(.)", r"\1", inner[1]).replace("%%", "%").replace("$$", "$") == text
    assert not re.search(r"(?<!%)%(?:%%)*(?!%)", inner[1]) and not re.search(r"(?<!\$)\$(?:\$\$)*(?!\$)", inner[1])
