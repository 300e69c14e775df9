"""Mail: the whole `rejoinder import` of an mbox that is made of the mailing lists' archive, and of the same file again.

Mails a second and peak memory, with the second process that parses; the processor's time of both processes for each mail, which
says the same on a machine that is busy with other things, where mails a second say nothing.
"""

from __future__ import annotations

import gzip
import html
import json
import re
import subprocess
import sys
import tempfile
import textwrap
from email.utils import formatdate
from os import times
from pathlib import Path
from time import perf_counter, sleep
from typing import NamedTuple

from figures import arguments, real_archive, report
from import_bounds import memory

_WIDTH = 72  # characters of a line, as mailers break them


def plain(source: str) -> str:
    """The text of an item as a mailer would have sent it."""
    text = re.sub(r'<a href="([^"]*)"[^>]*>.*?</a>', r"\1", source.replace("<p>", "\n\n"))
    lines = html.unescape(re.sub(r"</?(?:i|pre|code)>", "", text)).split("\n")
    broken = ("\n".join(textwrap.wrap(line, _WIDTH)) if line[:1] not in (" ", ">") else line for line in lines)
    return re.sub(r"(?m)^(>*From )", r">\1", "\n".join(broken))


def write_mbox(lists: Path, file: Path, size: int) -> int:
    """An mbox of `size` bytes: the lists once, and again with other ids while there is room. How many mails it holds."""
    count = written = again = 0
    with file.open("wb") as out:
        while True:
            with gzip.open(lists, "rt", encoding="utf-8") as rows:
                for row in map(json.loads, rows):
                    who, own = f"a{row['id'] % 977}@example.org", f"{row['id']}.{again}@example.org"
                    head = [f"From {who} Thu Jan  1 00:00:00 1970", f"From: Person <{who}>", f"Message-ID: <{own}>"]
                    head += [f"Subject: {row.get('title') or 'Re: it'}", f"Date: {formatdate(row.get('time') or 0)}"]
                    if row.get("parent"):
                        above = f"<{row['parent']}.{again}@example.org>"
                        head += [f"In-Reply-To: {above}", f"References: {above}"]
                    head += [
                        "MIME-Version: 1.0",
                        "Content-Type: text/plain; charset=utf-8",
                        "Content-Transfer-Encoding: 8bit",
                        "",
                    ]
                    mail = ("\n".join(head) + f"\n{plain(row.get('text') or '')}\n\n").encode("utf-8", "replace")
                    out.write(mail)
                    count, written = count + 1, written + len(mail)
                    if written >= size:
                        return count
            again += 1


class Imported(NamedTuple):
    """What one import took."""

    seconds: float
    processor: float  # seconds, of both its processes
    peak: float  # MB


def imported(file: Path, home: str, count: int) -> Imported:
    """Import `file`, all of whose `count` mails must have been read."""
    before, began, most = times(), perf_counter(), 0
    command = [sys.executable, "-m", "rejoinder", "import", str(file), "--home", home, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        while running.poll() is None:
            most = max(most, memory(running.pid))
            sleep(0.1)
        said = running.stdout.read() if running.stdout else ""
    if running.returncode or json.loads(said)["files"][0]["lines"] != count:
        raise SystemExit(f"the import ended with {running.returncode}: {said[:300]}")
    after = times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return Imported(perf_counter() - began, processor, most / 1e6)


def main() -> None:
    args = arguments(__doc__ or "", megabytes=(int, 200, "of mail"), runs=(int, 3, "new homes, each imported into twice"))
    with tempfile.TemporaryDirectory() as directory:
        file, began = Path(directory) / "lists.mbox", perf_counter()
        count = write_mbox(real_archive("lists.jsonl.gz"), file, args.megabytes * 1_000_000)
        report("making the mails", [perf_counter() - began], "s", as_json=args.json)
        rounds = []
        for _ in range(args.runs):
            with tempfile.TemporaryDirectory() as home:
                rounds.append([imported(file, home, count), imported(file, home, count)])
    for place, name in enumerate((f"importing {count:,} mails, {args.megabytes} MB of mbox", "the same mails again")):
        took = [one[place] for one in rounds]
        report(name, [count / one.seconds for one in took], "mails/s", as_json=args.json)
        report(f"processor, {name}", [one.processor / count * 1e6 for one in took], "us/mail", as_json=args.json)
        report(f"peak memory, {name}", [one.peak for one in took], "MB", as_json=args.json)


if __name__ == "__main__":
    main()
