"""`rejoinder serve` as a service of the person's own: a systemd user unit, a launchd agent, or a task of Windows.

Each is one file in a place of that person, so that nothing here needs more rights than they have. The file says in a line that it
is ours; another's of that name is left alone.
"""

from __future__ import annotations

import os
import plistlib
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from rejoinder.errors import RejoinderError, UsageError
from rejoinder.files import write_atomically

OURS = "written by `rejoinder service install`"
_LABEL = "org.rejoinder.serve"  # what launchd calls it
_PATIENCE = 60.0  # seconds for the system's own tool
_UNIT = """\
# {ours}
[Unit]
Description=rejoinder: help with writing, on this machine alone

[Service]
ExecStart={command}
Restart=on-failure
RestartSec=10
NoNewPrivileges=yes
UMask=0077

[Install]
WantedBy=default.target
"""
_TASK = """\
<?xml version="1.0" encoding="UTF-16"?>
<!-- {ours} -->
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>rejoinder: help with writing, on this machine alone</Description></RegistrationInfo>
  <Triggers><LogonTrigger><UserId>{user}</UserId></LogonTrigger></Triggers>
  <Principals><Principal id="Author"><UserId>{user}</UserId><LogonType>InteractiveToken</LogonType></Principal></Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>3</Count></RestartOnFailure>
  </Settings>
  <Actions><Exec><Command>{program}</Command><Arguments>{arguments}</Arguments></Exec></Actions>
</Task>
"""


@dataclass(frozen=True)
class Service:
    """What is written where, and which commands of the system begin and end it."""

    file: Path
    data: bytes
    begin: tuple[tuple[str, ...], ...]
    end: tuple[tuple[str, ...], ...]

    @property
    def installed(self) -> bool:
        """Whether it is here, as we would write it or as an older rejoinder did.

        Raises:
            UsageError: there is another's file of that name.
        """
        try:
            ours = self._told(OURS) in self.file.read_bytes()
        except FileNotFoundError:
            return False
        if not ours:
            raise UsageError(f"{self.file} is not {OURS}; move it away first")
        return True

    def install(self) -> None:
        """Write it and have the system begin it, now and whenever the person logs in.

        Raises:
            UsageError: there is another's file of that name.
            RejoinderError: the system does not begin it.
        """
        already = self.installed
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.file, self.data)
        if already:
            self._run(self.end[:1], must=False)  # else launchd and Windows keep the old one
        self._run(self.begin)

    def remove(self) -> bool:
        """Have the system end it and forget it; whether there was one.

        Raises:
            UsageError: there is another's file of that name.
        """
        if not self.installed:
            return False
        self._run(self.end[:1], must=False)
        self.file.unlink()
        self._run(self.end[1:], must=False)
        return True

    def _told(self, text: str) -> bytes:
        return text.encode("utf-16-le" if self.file.suffix == ".xml" else "utf-8")

    def _run(self, commands: Sequence[Sequence[str]], *, must: bool = True) -> None:
        for command in commands:
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)  # noqa: S603
                failed = (done.stderr or done.stdout).strip() or "nothing" if done.returncode else ""
            except (OSError, subprocess.TimeoutExpired) as error:
                failed = str(error)
            if failed and must:
                raise RejoinderError(f"{self.file} is written, but `{' '.join(command)}` said: {failed}")


def service_for(system: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Service:
    """The service that runs a command.

    Args:
        system: as `sys.platform` has it.
        command: a program by its whole path, and its arguments.
        folder: the person's own.
        environment: their variables.

    Raises:
        UsageError: the command cannot be told to the system in one line.
    """
    odd = next((part for part in command if re.search(r"[\x00-\x1f\x7f]", part)), None)
    if odd is not None:
        raise UsageError(f"a service cannot be told {odd!r}; choose a path without such characters")
    if system == "win32":
        return _windows_task(command, folder, environment)
    return _launchd_agent(command, folder) if system == "darwin" else _systemd_unit(command, folder, environment)


def _systemd_unit(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Service:
    base = Path(environment.get("XDG_CONFIG_HOME") or folder / ".config")
    file = base / "systemd" / "user" / "rejoinder.service"
    told = " ".join(quoted_for_systemd(part) for part in command)
    control = ("systemctl", "--user")
    begin = ((*control, "daemon-reload"), (*control, "enable", file.name), (*control, "restart", file.name))
    end = ((*control, "disable", "--now", file.name), (*control, "daemon-reload"))
    return Service(file, _UNIT.format(ours=OURS, command=told).encode(), begin, end)


def quoted_for_systemd(part: str) -> str:
    """An argument as systemd.service(5) and systemd.syntax(7) want it: what they would replace or obey stands for itself."""
    for sign, kept in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        part = part.replace(sign, kept)
    return f'"{part}"'


def _launchd_agent(command: Sequence[str], folder: Path) -> Service:
    told = {
        "Label": _LABEL,
        "ProgramArguments": list(command),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ProcessType": "Interactive",
        "Umask": 0o077,
        "Comment": OURS,
    }
    file = folder / "Library" / "LaunchAgents" / f"{_LABEL}.plist"
    domain = f"gui/{os.getuid() if hasattr(os, 'getuid') else 0}"
    begin = (("launchctl", "bootstrap", domain, str(file)),)
    return Service(file, plistlib.dumps(told), begin, (("launchctl", "bootout", f"{domain}/{_LABEL}"),))


def _windows_task(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Service:
    user = "\\".join(environment[name] for name in ("USERDOMAIN", "USERNAME") if environment.get(name))
    arguments = subprocess.list2cmdline(command[1:])
    text = _TASK.format(ours=OURS, user=escape(user), program=escape(command[0]), arguments=escape(arguments))
    file = Path(environment.get("LOCALAPPDATA") or folder / "AppData" / "Local") / "rejoinder" / "service.xml"
    tasks = ("schtasks", "/TN", "rejoinder")
    begin = ((*tasks, "/Create", "/F", "/XML", str(file)), (*tasks, "/Run"))
    ending = ((*tasks, "/End"), (*tasks, "/Delete", "/F"))
    return Service(file, text.encode("utf-16"), begin, ending)
