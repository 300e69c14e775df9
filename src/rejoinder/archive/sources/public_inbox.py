"""Mail in a public-inbox: git repositories whose commits are mails, as lore.kernel.org gives them to be cloned.

Version 1 keeps a tree of mails, one commit for each; version 2 keeps one mail a commit, as the file `m` (or `d`, where that
mail was taken away), in the epochs `git/0.git`, `git/1.git` and so on. Either way the mails are in the history and are read
from there by the system's git, which is told to run nothing that the repository might name, and to fetch nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from rejoinder.archive.mail.files import LARGEST
from rejoinder.archive.mail.message import read_mail
from rejoinder.archive.mail.records import Mailbox
from rejoinder.archive.peek import peek
from rejoinder.archive.source import Gone, Hasher, Item, Skipped, Source
from rejoinder.errors import SourceError

_QUIET = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "protocol.allow=never", "safe.directory=*")
_ENVIRONMENT = {"GIT_NO_LAZY_FETCH": "1", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
_NONE = b"0" * 40


class PublicInbox(Source):
    """A folder that is such a repository, or holds the epochs of one."""

    name = "public-inbox"
    what = "mail in a public-inbox (git)"
    marks = "a bare git repository, or `git/0.git`"
    folder = True

    def recognises(self, path: Path) -> bool:
        """Whether the folder is a bare repository, or holds epochs."""
        return bool(_repositories(path, peek(path).names))

    def read(self, path: Path, hasher: Hasher) -> Iterator[Item]:
        """The mails, in the order in which they came.

        Raises:
            SourceError: git is not there, or cannot read the repository.
        """
        if shutil.which("git") is None:
            raise SourceError(f"{path}: a public-inbox is read by `git`, which is not installed here")
        mailbox = Mailbox(hasher)
        for repository in _repositories(path, peek(path).names):
            for raw, kept, where in _mails(repository):
                if raw is None:
                    yield Skipped("a mail that is too large, or not whole", where)
                elif kept:
                    yield mailbox.item(raw, where)
                else:
                    yield _gone(raw, where, hasher)


SOURCE = PublicInbox()


def _repositories(path: Path, names: Sequence[str]) -> list[Path]:
    """The bare repositories: the folder itself, or its epochs in their order."""
    heads = [name.removesuffix("HEAD").rstrip("/") for name in names if name == "HEAD" or name.endswith(".git/HEAD")]
    bare = [head for head in heads if (path / head / "objects").is_dir() and (path / head / "refs").is_dir()]
    epochs = sorted((head for head in bare if head.startswith("git/")), key=lambda head: (len(head), head))
    return [path / head for head in epochs] or [path for head in bare if head == ""]


def _mails(repository: Path) -> Iterator[tuple[bytes | None, bool, str]]:
    """Each mail of the history, whether it came (or went), and the commit; None for one that cannot be had."""
    log = _git(repository, "log", "--reverse", "--raw", "--no-renames", "--no-abbrev", "--root", "-m", "--format=%H", "HEAD")
    blobs = _git(repository, "cat-file", "--batch", asked=True)
    try:
        commit = ""
        for line in log.stdout or ():
            if not line.startswith(b":"):
                commit = line.strip().decode("ascii", "replace") or commit
                continue
            facts, _, name = line.rstrip(b"\n").partition(b"\t")
            _, _, before, after, status = facts.split()
            went = status == b"D" or name == b"d"
            if status == b"D" and name in (b"m", b"d"):  # version 2: the next commit has another file, nothing went
                continue
            yield _blob(blobs, before if status == b"D" else after), not went, f"commit {commit[:12]}"
        if log.wait():
            said = b"" if log.stderr is None else log.stderr.read(400)
            raise SourceError(f"{repository}: git cannot read it: {' '.join(said.decode(errors='replace').split())[:160]}")
    except (OSError, ValueError) as error:  # git ended, or said what it never says
        raise SourceError(f"{repository}: git cannot read it: {error}; the mails before were taken") from error
    finally:
        for process in (log, blobs):
            _end(process)


def _git(repository: Path, *arguments: str, asked: bool = False) -> subprocess.Popen[bytes]:
    told = [part for setting in _QUIET for part in ("-c", setting)]
    return subprocess.Popen(  # noqa: S603 - what it is told is ours, but for a folder's name
        ["git", "--no-pager", *told, "--git-dir", str(repository), *arguments],  # noqa: S607 - the system's own
        stdin=subprocess.PIPE if asked else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if asked else subprocess.PIPE,
        env={**{key: value for key, value in os.environ.items() if not key.startswith("GIT_")}, **_ENVIRONMENT},
    )


def _blob(blobs: subprocess.Popen[bytes], name: bytes) -> bytes | None:
    """What is stored under a name; None if it is not there, or larger than a mail is."""
    asked, told = blobs.stdin, blobs.stdout
    if name == _NONE or asked is None or told is None:
        return None
    asked.write(name + b"\n")
    asked.flush()
    head = told.readline().split()
    if len(head) != 3:
        return None
    size = int(head[2])
    data = told.read(min(size, LARGEST))
    _pass_over(told, size - len(data))
    told.read(1)
    return data if size <= LARGEST and head[1] == b"blob" else None


def _pass_over(stream: IO[bytes], size: int) -> None:
    while size > 0 and (data := stream.read(min(size, 2**20))):
        size -= len(data)


def _gone(raw: bytes, where: str, hasher: Hasher) -> Item:
    own = read_mail(raw).id
    return Gone(hasher.number(own), where) if own else Skipped("a mail without a Message-ID was taken away", where)


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        if process.poll() is None:
            process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
