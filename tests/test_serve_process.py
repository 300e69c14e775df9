"""The server as people run it: a process, real sockets, the clients they have, and clients that mean harm."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import openai
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from serving import Server, serving

from rejoinder.home.workspace import Workspace
from rejoinder.serve.http.app import create_app
from rejoinder.serve.http.config import ServeConfig
from rejoinder.serve.http.connection import make_protocol

MODEL = "kneser_ney"
LARGE = 50_000_000  # bytes
EXAMPLES = int(os.environ.get("REJOINDER_HOSTILE", "0")) // 15 or 12  # for each operation; 10,000 in all for the whole of it


@pytest.fixture(scope="module")
def server(toy_home: Workspace) -> Iterator[Server]:
    with serving(toy_home.home) as running:
        yield running
    assert running.process.returncode == 0


@pytest.fixture(autouse=True)
def healthy(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test does, the server answers afterwards, and has logged no defect."""
    yield
    if "server" in request.fixturenames:
        running = request.getfixturevalue("server")
        assert running.process.poll() is None
        assert httpx.get(f"{running.url}/health", timeout=10).json()["status"] == "ok"


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as opened:
        yield opened


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as connection:
        yield connection


def head(path: str, *lines: str, verb: str = "POST") -> bytes:
    return "\r\n".join([f"{verb} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def count(server: Server, line: str) -> float:
    """A number of the metrics."""
    text = httpx.get(f"{server.url}/metrics").text
    return next((float(found.rpartition(" ")[2]) for found in text.splitlines() if found.startswith(line)), 0.0)


# --- clients that people have ----------------------------------------------------------------------------------------


def test_the_openai_client(client: openai.OpenAI) -> None:
    package = ["package/kneser_ney", "package/lstm", "package/mixture"]
    assert sorted(model.id for model in client.models.list()) == sorted(["bm25", "canned", "kneser_ney", "markov", *package])
    made = client.completions.create(model=MODEL, prompt="Let the", max_tokens=6, temperature=0, logprobs=1, stop=["zzz"])
    choice = made.choices[0]
    assert choice.logprobs is not None and choice.logprobs.tokens is not None and made.usage is not None
    assert "".join(choice.logprobs.tokens) == choice.text and made.usage.completion_tokens == 6
    pieces = client.completions.create(model=MODEL, prompt="Let the", max_tokens=6, temperature=0, stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == choice.text


def test_the_openai_client_chats(client: openai.OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "How long should bread dough rest ?"}]
    said = client.chat.completions.create(model=MODEL, messages=messages, seed=1, max_tokens=8).choices[0].message.content
    chunks = client.chat.completions.create(
        model=MODEL, messages=messages, seed=1, max_tokens=8, stream=True, stream_options={"include_usage": True}
    )
    told = list(chunks)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in told if chunk.choices) == said
    assert told[-1].usage is not None and told[-1].usage.total_tokens > told[-1].usage.completion_tokens


def test_the_openai_client_understands_refusals(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no such model here; models: bm25, canned, kneser_ney, markov"):
        client.completions.create(model="gpt-9", prompt="a")
    with pytest.raises(openai.BadRequestError, match="not offered here"):
        client.completions.create(model=MODEL, prompt="a", presence_penalty=1)


@pytest.mark.parametrize("kind", ["chat", "completion"])
def test_the_llm_tool(server: Server, tmp_path: Path, kind: str) -> None:
    lines = [f"- model_id: {MODEL}", f"  model_name: {MODEL}", f"  api_base: {server.url}/v1"]
    (tmp_path / "extra-openai-models.yaml").write_text("\n".join([*lines, *(["  completion: true"] * (kind == "completion"))]))
    environment = {**os.environ, "LLM_USER_PATH": str(tmp_path), "OPENAI_API_KEY": "none"}
    command = [sys.executable, "-m", "llm", "prompt", "-m", MODEL, "-o", "max_tokens", "9", "Let the dough"]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, stdin=subprocess.DEVNULL)
    assert ended.returncode == 0 and ended.stdout.strip(), ended.stderr


def test_no_description_of_a_request_leads_to_a_defect(server: Server) -> None:
    """Schemathesis makes requests from the OpenAPI description, sound ones and others; none may end in a 5xx."""
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(max_examples=EXAMPLES, derandomize=True, database=None, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(case=operation.as_strategy())
        def no_defect(case: Any) -> None:
            answer = case.call(timeout=60)  # seconds: the machine may have other things to do
            assert answer.status_code < 500, (case.as_curl_command(), answer.text)
            if answer.status_code >= 400 and case.method != "HEAD":
                assert set(answer.json()["error"]) == {"message", "type", "param", "code"}, case.as_curl_command()

        no_defect()
    httpx.post(
        f"{server.url}/v1/switch", json={"on": True}
    ).raise_for_status()  # it may have been turned, and others use this home
    assert count(server, 'rejoinder_requests_total{method="POST",route="/v1/suggest"') > 0


# --- clients that mean harm ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_50_megabytes(server: Server, chunked: bool) -> None:
    """It is refused before it has come; a client that goes on sending is hung up on."""
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {LARGE}"
    piece = b"a" * 100_000
    said = b""
    with connected(server) as connection:
        connection.sendall(head("/v1/suggest", "Content-Type: application/json", length))
        try:
            for _ in range(LARGE // len(piece)):
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            said = connection.recv(1_000)
        except (BrokenPipeError, ConnectionResetError):
            said = b"HTTP/1.1 413 "
    assert said.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "sent",
    [
        head("/v1/suggest", "Content-Type: application/json", "Content-Length: 3") + b"\xff\xfe\xfd",
        head("/v1/suggest", "Content-Type: application/json", "Content-Length: -1"),
        head("/v1/suggest", "Content-Type: application/json", "Content-Length: 9" * 2),
        head("/v1/suggest", "Content-Type: application/json", "Transfer-Encoding: chunked") + b"zz\r\n",
        head("/" + "a" * 100_000, verb="GET"),
        head("/v1/posts/\xff\x00", verb="GET"),
        head("/../../etc/passwd", verb="GET"),
        head("/%2e%2e/%2e%2e/etc/passwd", verb="GET"),
        head("/health", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: a", verb="GET"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # somebody tries TLS
        b"GET /health HTTP/1.1\r\n\r\n",  # no Host
        b"\r\n" * 1_000,
    ],
    ids=range(12),
)
def test_what_is_no_request(server: Server, sent: bytes) -> None:
    with connected(server) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        try:
            said = connection.recv(10_000)
        except ConnectionResetError:
            said = b""
    assert said == b"" or (said.startswith(b"HTTP/1.1 ") and b" 5" not in said[8:12] and b"root:" not in said)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_hangs_up_in_the_midst_of_an_answer(server: Server, stream: bool) -> None:
    """What nobody reads is not made: fewer tokens than a reader who stays would get for the same seed."""
    # So much that a busy machine, too, tells of the end before half of it is made.
    asked = {"model": MODEL, "prompt": ["Let"] * 8, "max_tokens": 500, "n": 16, "temperature": 2.0, "seed": 1}
    whole = httpx.post(f"{server.url}/v1/completions", json=asked, timeout=60).json()["usage"]["completion_tokens"]
    answered = 'rejoinder_requests_total{method="POST",route="/v1/completions",status="200"}'
    before, requests = count(server, "rejoinder_tokens_total"), count(server, answered)
    body = json.dumps({**asked, "stream": stream}).encode()
    with connected(server) as connection:
        connection.sendall(head("/v1/completions", "Content-Type: application/json", f"Content-Length: {len(body)}") + body)
        if stream:
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
    ends = monotonic() + 20
    while count(server, answered) == requests and monotonic() < ends:
        sleep(0.02)
    assert count(server, "rejoinder_tokens_total") - before < whole / 2


def test_many_silent_connections_do_not_shut_others_out(server: Server) -> None:
    with connected(server) as first, connected(server) as second:
        first.sendall(b"POST /v1/suggest HTTP/1.1\r\nHost: local")  # and nothing more
        second.sendall(head("/v1/suggest", "Content-Type: application/json", "Content-Length: 100") + b'{"dr')
        assert httpx.get(f"{server.url}/health").status_code == 200


@pytest.mark.parametrize("sent", [b"", b"GET /health HT", b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea"])
def test_a_connection_that_falls_silent_is_closed(toy_home: Workspace, sent: bytes) -> None:
    """Before a request, within one, and within the next."""
    config = uvicorn.Config(
        create_app(toy_home),
        http=make_protocol(ServeConfig(patience=0.1)),
        port=0,
        log_config=None,
        timeout_keep_alive=0,
        lifespan="off",
    )
    served = uvicorn.Server(config)
    thread = threading.Thread(target=served.run)
    thread.start()
    try:
        while not served.started:
            sleep(0.01)
        port = served.servers[0].sockets[0].getsockname()[1]
        with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as connection:
            connection.sendall(sent)
            while connection.recv(1_000):
                pass  # until it is closed
    finally:
        served.should_exit = True
        thread.join()


def test_more_sessions_than_are_kept(server: Server) -> None:
    with httpx.Client(base_url=server.url) as client:
        for number in range(200):
            answer = client.post("/v1/suggest", json={"draft": "Let the dou", "session": f"s{number}", "deadline_ms": 1_000})
            assert answer.status_code == 200
        again = client.post("/v1/suggest", json={"draft": "Let the dou", "session": "s0", "deadline_ms": 1_000}).json()
        assert again["words"][0]["text"] == "gh"  # what was dropped is read again
        assert client.get("/health").json()["sessions"] == 128


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "http://evil.example"}, {"origin": "null"}])
def test_a_page_from_elsewhere_is_refused(server: Server, headers: dict[str, str]) -> None:
    assert httpx.post(f"{server.url}/v1/suggest", json={"draft": "a"}, headers=headers).status_code == 403


# --- beginning and end -----------------------------------------------------------------------------------------------


def test_told_to_stop_it_ends_its_streams(toy_home: Workspace) -> None:
    body = {"model": MODEL, "prompt": "Let", "max_tokens": 512, "n": 16, "stream": True, "temperature": 2.0}
    with serving(toy_home.home) as running:
        with httpx.stream("POST", f"{running.url}/v1/completions", json=body, timeout=30) as answer:
            lines = answer.iter_lines()
            assert next(lines).startswith("data: {")
            running.process.terminate()
            assert [line for line in lines if line][-1] == "data: [DONE]"
        assert running.process.wait(30) == 0


def test_with_a_token(toy_home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(toy_home.home, "--token", "s3cret") as running:
        assert httpx.get(f"{running.url}/v1/models").status_code == 401
        with openai.OpenAI(base_url=f"{running.url}/v1", api_key="s3cret") as client:
            assert client.models.list().data[2].id == MODEL


def test_a_port_that_is_taken(toy_home: Workspace) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = ["serve", "--home", str(toy_home.home), "--port", str(taken.getsockname()[1])]
        ended = subprocess.run([sys.executable, "-m", "rejoinder", *command], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1 and "choose another --port" in ended.stderr


def test_who_listens_to_the_world_needs_a_token(toy_home: Workspace) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "REJOINDER_TOKEN"}
    command = [sys.executable, "-m", "rejoinder", "serve", "--home", str(toy_home.home), "--host", "0.0.0.0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1 and "REJOINDER_TOKEN" in ended.stderr
