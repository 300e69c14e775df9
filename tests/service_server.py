"""Real servers on loopback that play services of which posts are read: HTTP by a function, and a small IMAP server.

with Service(lambda asked: answer({"posts": []})) as service: ...   # service.url, service.asked
"""

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request."""

    verb: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes = b""

    def one(self, name: str, otherwise: str = "") -> str:
        return self.query.get(name, [otherwise])[0]


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(value: object, status: int = 200, **headers: str) -> Answer:
    """JSON; `Retry_After="1"` becomes a header."""
    return Answer(status, json.dumps(value).encode(), {name.replace("_", "-"): text for name, text in headers.items()})


class Service:
    """A server that answers as a function does, to GET, and at `/graphql` to POST alone; `asked` is all it was asked.

    `faults` are given first.
    """

    def __init__(self, answers: Callable[[Asked], Answer]) -> None:
        self.asked: list[Asked] = []
        self.faults: list[Answer] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                headers = {name.lower(): text for name, text in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", 0)))
                asked = Asked(self.command, parts.path, parse_qs(parts.query), headers, body)
                service.asked.append(asked)
                given = service.faults.pop(0) if service.faults else answers(asked)
                if (self.command == "POST") != parts.path.endswith("/graphql"):
                    given = Answer(405, b"{}")
                self.send_response(given.status)
                for name, text in {"Content-Type": "application/json", **given.headers}.items():
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(given.body)))
                self.end_headers()
                self.wfile.write(given.body)

            do_POST = do_GET  # noqa: N815 - the name is that of the library

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Imap:
    """As much of IMAP4rev1 as reading folders needs; `said` is every command. Mails are (uid, bytes) by folder."""

    def __init__(self, folders: dict[str, list[tuple[int, bytes]]], password: str) -> None:
        self.folders, self.password, self.said, self.valid = folders, password, list[str](), 7
        imap = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"* OK ready\r\n")
                folder: list[tuple[int, bytes]] = []
                while line := self.rfile.readline().decode().strip():
                    imap.said.append(line)
                    tag, _, command = line.partition(" ")
                    said = "OK done"
                    if command.startswith("CAPABILITY"):
                        self.wfile.write(b"* CAPABILITY IMAP4rev1\r\n")
                    elif command.startswith("LOGIN"):
                        said = "OK in" if imap.password in command else "NO wrong password"
                    elif command.startswith(("SELECT", "EXAMINE")):
                        name = re.sub(r"\\(.)", r"\1", command.partition(" ")[2].strip('"'))
                        folder = imap.folders.get(name, [])
                        said = "OK [READ-ONLY] open" if name in imap.folders else "NO no such folder"
                        self.wfile.write(f"* {len(folder)} EXISTS\r\n* OK [UIDVALIDITY {imap.valid}] valid\r\n".encode())
                    elif command.startswith("UID SEARCH"):
                        first = int(command.partition(":")[0].rpartition(" ")[2])
                        found = [uid for uid, _ in folder if uid >= first] or [uid for uid, _ in folder[-1:]]
                        self.wfile.write(f"* SEARCH {' '.join(map(str, found))}\r\n".encode())
                    elif command.startswith("UID FETCH"):
                        wanted = set(command.split()[2].split(","))
                        for place, (uid, mail) in enumerate(folder, start=1):
                            if str(uid) in wanted:
                                self.wfile.write(
                                    f"* {place} FETCH (UID {uid} BODY[] {{{len(mail)}}}\r\n".encode() + mail + b")\r\n"
                                )
                    elif command.startswith("LOGOUT"):
                        self.wfile.write(b"* BYE\r\n")
                    self.wfile.write(f"{tag} {said}\r\n".encode())
                    if command.startswith("LOGOUT"):
                        return

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
