"""Many people type at once, over HTTP: how long each keystroke waits for its answer, who answers, and whether memory stays.

The server is a process of its own with the shipped models; the typists share this one. A keystroke's time runs from when it was
due to when its answer was read. As the page does, a typist asks about the newest draft once the last answer has come. The text
typed is that of the embedded archive. Then one types beside five clients that ask for as much as they may: chats of 850 kB,
replies with made ones, searches, embeddings, completions; they are processes of their own, so that this one only types. Last, so
many drafts are begun one after the other, more than are kept, and 200 ask for answers that they never read.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
from figures import arguments, report

MEBI = 2**20
LARGE = (b"/openapi.json", b"/v1/threads/202")  # answers
HEAD = "POST /v1/suggest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"


@dataclass
class Seen:
    """What the typists saw."""

    seconds: list[float] = field(default_factory=list)
    rungs: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    cut: int = 0
    shown: int = 0
    overtaken: int = 0  # keystrokes that nobody asked about, since another had come before the last answer


class Typist:
    """One connection, one draft after the other."""

    def __init__(self, name: str, port: int, seen: Seen, deadline: int) -> None:
        """`seen` is where it writes down what it sees; `deadline` in milliseconds."""
        self.name, self.port, self.seen, self.deadline = name, port, seen, deadline
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def __aenter__(self) -> Typist:
        """Connect."""
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        self.writer.close()

    async def press(self, draft: str, session: str, due: float) -> None:
        """Send a draft, read the answer, write down how it was."""
        body = json.dumps({"draft": draft, "session": session, "deadline_ms": self.deadline}).encode()
        self.writer.write(HEAD.format(len(body)).encode() + body)
        head = await self.reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        length = next(int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: "))
        answer: dict[str, Any] = json.loads(await self.reader.readexactly(length))
        self.seen.seconds.append(perf_counter() - due)
        self.seen.statuses[status] += 1
        if status == 200:
            self.seen.rungs[answer["rung"] or "nobody"] += 1
            self.seen.cut += answer["cut"]
            self.seen.shown += bool(answer["ghost"])

    async def type(self, texts: Sequence[str], every: float, until: float) -> None:
        """Type text after text, a character every so many seconds, and ask about the newest draft."""
        due = perf_counter() + random.random() * every
        for number in range(10**6):
            text = texts[random.randrange(len(texts))]
            size = 1
            while size <= len(text):
                if due > until:
                    return
                await asyncio.sleep(max(due - perf_counter(), 0))
                while perf_counter() >= due + every and size < len(text):  # typed while the last answer was awaited
                    size, due = size + 1, due + every
                    self.seen.overtaken += 1
                await self.press(text[:size], f"{self.name}-{number}", due)
                size, due = size + 1, due + every


def texts() -> list[str]:
    """What is typed."""
    lines = (resources.files("rejoinder.bundle") / "sample.jsonl").read_text(encoding="utf-8").splitlines()
    found = [str(json.loads(line).get("text", "")) for line in lines]
    return [text for text in found if 100 < len(text) < 600 and "<" not in text and "&" not in text]


def memory(process: int) -> float:
    """Bytes that a process holds."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmRSS:"))) * 1024


def held(process: int) -> float:
    """Bytes that all of the server's processes hold."""
    return sum(memory(one) for one in family(process))


def cpu(process: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def crowd(port: int, typists: int, rate: float, seconds: float, deadline: int) -> Seen:
    """So many people type for so long."""
    seen, until, written = Seen(), perf_counter() + seconds, texts()

    async def one(number: int) -> None:
        async with Typist(f"t{number}", port, seen, deadline) as typist:
            await typist.type(written, 1 / rate, until)

    await asyncio.gather(*(one(number) for number in range(typists)))
    return seen


async def many(port: int, sessions: int) -> Seen:
    """So many drafts, one keystroke each."""
    seen, written = Seen(), texts()
    async with Typist("many", port, seen, 1_000) as typist:
        for number in range(sessions):
            text = written[number % len(written)]
            await typist.press(text[: 20 + number % 60], f"s{number}", perf_counter())
    return seen


HEAVY = """
import itertools, sys
import httpx
url, kind, model = sys.argv[1], int(sys.argv[2]), sys.argv[3]
long = "Why does nobody answer what was asked, and what would you have done in their place? " * 1_000
chat = {"messages": [{"role": "user", "content": long}] * 10, "max_tokens": 128}
asked = [
    ("chat/completions", {**chat, "model": model}),
    ("reply", {"context": {"text": long}, "k": 50, "generate": True, "all": True}),
    ("completions", {"model": model, "prompt": [long] * 8, "echo": True, "n": 2, "max_tokens": 200, "logprobs": 5}),
    ("embeddings", {"input": [long] * 10}),
    ("chat/completions", chat),
]
with httpx.Client(base_url=url, timeout=300) as client:
    print(flush=True)
    for _ in itertools.count():
        path, body = asked[kind]
        client.post(f"v1/{path}", json=body)
        client.get("v1/search", params={"q": "what would you have done in their place", "k": 50})
"""


def beside_heavy_clients(url: str, port: int, seconds: float, deadline: int, model: str) -> Seen:
    """One who types, beside five who ask for much."""
    commands = [[sys.executable, "-c", HEAVY, url, str(kind), model] for kind in range(5)]
    clients = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for command in commands]
    try:
        for client in clients:
            assert client.stdout is not None
            client.stdout.readline()
        return asyncio.run(crowd(port, 1, 8.0, seconds, deadline))
    finally:
        for client in clients:
            client.kill()
            client.wait()


def family(process: int) -> list[int]:
    """The server's processes: the one that is reached, and the one that answers all but keystrokes."""
    return [process, *map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())]


def never_read(port: int, readers: int) -> list[socket.socket]:
    """So many connections that ask for a large answer, and read none of it."""
    deaf = []
    for _ in range(readers):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect(("127.0.0.1", port))
        connection.sendall(20 * b"".join(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path for path in LARGE))
        deaf.append(connection)
    return deaf


def tell(name: str, seen: Seen, as_json: bool) -> None:
    """The figures of one run."""
    for share in (50, 90, 99):
        report(f"{name}: p{share}", [1000 * float(np.percentile(seen.seconds, share))], "ms", as_json=as_json)
    total = len(seen.seconds)
    report(f"{name}: keystrokes", [total + seen.overtaken], "", as_json=as_json)
    report(f"{name}: overtaken", [seen.overtaken / (total + seen.overtaken)], "", as_json=as_json)
    report(f"{name}: not cut short", [1 - seen.cut / total], "", as_json=as_json)
    report(f"{name}: with ghost text", [seen.shown / total], "", as_json=as_json)
    for rung, count in seen.rungs.most_common():
        report(f"{name}: answered by {rung}", [count / total], "", as_json=as_json)
    refused = sum(count for status, count in seen.statuses.items() if status != 200)
    report(f"{name}: refused", [refused], "", as_json=as_json)


def main() -> None:
    """Start a server, measure, stop it."""
    chosen = arguments(
        str(__doc__).splitlines()[0],
        home=(str, "", "the home to serve; none: an empty one, with the embedded archive"),
        typists=(int, 100, "people"),
        rate=(float, 5.0, "keystrokes a second of each"),
        seconds=(float, 30.0, "how long"),
        heavy=(float, 30.0, "seconds of typing beside five who ask for much; 0: none"),
        deaf=(int, 200, "connections that never read"),
        deadline=(int, 80, "milliseconds a keystroke may take"),
        sessions=(int, 10_000, "drafts begun one after the other"),
    )
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "rejoinder", "serve", "--port", "0", "--json", "--home", chosen.home or folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            assert server.stdout is not None
            said = ""
            while not said.rstrip().endswith("}"):
                said += server.stdout.readline()
            opened = json.loads(said)
            port = int(opened["url"].rstrip("/").rpartition(":")[2])
            try:
                asyncio.run(crowd(port, 1, 10.0, 3.0, 1_000))  # to warm it up
                tell("alone", asyncio.run(crowd(port, 1, 12.0, 10.0, chosen.deadline)), chosen.json)
                before, used = held(server.pid), cpu(server.pid)
                tell(
                    f"{chosen.typists} typists",
                    asyncio.run(crowd(port, chosen.typists, chosen.rate, chosen.seconds, chosen.deadline)),
                    chosen.json,
                )
                report("processor, of one core", [(cpu(server.pid) - used) / chosen.seconds], "", as_json=chosen.json)
                if chosen.heavy:
                    seen = beside_heavy_clients(opened["url"], port, chosen.heavy, chosen.deadline, opened["typing"][0])
                    tell("beside five heavy clients", seen, chosen.json)
                    late = 1000 * float(np.percentile(seen.seconds, 99)) - chosen.deadline
                    report("beside five heavy clients: p99 after the deadline", [late], "ms", as_json=chosen.json)
                middle = held(server.pid)
                tell(f"{chosen.sessions:,} drafts", asyncio.run(many(port, chosen.sessions)), chosen.json)
                after = held(server.pid)
                deaf = never_read(port, chosen.deaf)
                most, until = 0.0, perf_counter() + 30
                while perf_counter() < until:
                    most = max(most, held(server.pid))
                    sleep(0.1)
                for connection in deaf:
                    connection.close()
                figures = {"before": before, "after the typists": middle, "after the drafts": after, "most beside the deaf": most}
                for name, value in figures.items():
                    report(f"memory {name}", [value / MEBI], "MiB", as_json=chosen.json)
            finally:
                server.terminate()
                server.wait(30)
        report("exit status", [server.returncode], "", as_json=chosen.json)


if __name__ == "__main__":
    main()
