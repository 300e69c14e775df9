"""The server of our own API: who may ask, how much, and what is answered."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from serving import make_home

from rejoinder.engine.typing import Typed
from rejoinder.errors import ConfigError, NotFitted
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.forgetting import forget_everywhere
from rejoinder.home.workspace import Workspace
from rejoinder.models.kneser_ney import KneserNey
from rejoinder.post import Kind, Post
from rejoinder.serve.api import suggest as suggest_routes
from rejoinder.serve.api.browse import _by_reply
from rejoinder.serve.http.app import create_app
from rejoinder.serve.http.config import ServeConfig
from rejoinder.serve.http.limits import RequestLimits
from rejoinder.serve.http.sessions import Sessions

SECRET = "xyzzy plugh"
HERE = "http://127.0.0.1:8765"


def client_of(space: Workspace, **settings: Any) -> TestClient:
    return TestClient(create_app(space, ServeConfig(**settings)), base_url=HERE)


@pytest.fixture(scope="module")
def client(toy_home: Workspace) -> Iterator[TestClient]:
    with client_of(toy_home) as opened:
        yield opened


def said(answer: Any) -> str:
    """What an error says; all have one shape."""
    told = answer.json()
    assert set(told) == {"error"} and set(told["error"]) == {"message", "type", "param", "code"}
    return str(told["error"]["message"])


# --- who may ask -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LocalHost:8765", "127.0.0.1:1", "[::1]:80"])
def test_this_machine_has_several_names(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8765", "10.0.0.1", "::1", "localhost:80:80", ""]
)
def test_a_foreign_name_that_points_here_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/health", headers={"host": host})
    assert answer.status_code == 403 and "its own name" in said(answer)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:8766"},  # another server of this machine is another origin
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
    ],
)
@pytest.mark.parametrize("path", ["/health", "/v1/suggest", "/v1/models", "/openapi.json", "/", "/nowhere"])
def test_a_page_from_elsewhere_is_refused(client: TestClient, path: str, headers: dict[str, str]) -> None:
    answer = (
        client.post(path, json={"draft": "a"}, headers=headers) if path == "/v1/suggest" else client.get(path, headers=headers)
    )
    assert answer.status_code == 403 and "from elsewhere" in said(answer)


def test_our_own_page_may_ask(client: TestClient) -> None:
    headers = {"origin": HERE, "sec-fetch-site": "same-origin"}
    assert client.post("/v1/suggest", json={"draft": "a"}, headers=headers).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_form_can_send_is_refused(client: TestClient, kind: str) -> None:
    answer = client.post("/v1/suggest", content=b'{"draft": "a"}', headers={"content-type": kind})
    assert answer.status_code == 415 and "application/json" in said(answer)


@pytest.mark.parametrize("path", ["/health", "/nowhere", "/v1/posts/999999", "/metrics"])
def test_every_answer_keeps_the_browser_at_home(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'") and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "http:" not in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"


def test_there_are_no_cors_headers(client: TestClient) -> None:
    asked = {"origin": HERE, "access-control-request-method": "POST"}
    for answer in (client.options("/v1/suggest", headers=asked), client.get("/health", headers={"origin": HERE})):
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_with_a_token_every_request_must_bring_it(toy_home: Workspace) -> None:
    client = client_of(toy_home, token="s3cret")
    basic = "Basic " + base64.b64encode(b"anybody:s3cret").decode()  # what a browser sends when it has asked for it
    for path in ("/health", "/metrics", "/v1/rungs", "/openapi.json", "/"):
        refused = client.get(path)
        assert refused.status_code == 401 and "token" in said(refused)
        assert refused.headers.get_list("www-authenticate")[0].startswith("Basic ")
    for wrong in ("Bearer s3cre", "Bearer", "s3cret", "Basic s3cret", "Basic ====", "Bearer s3crét", "Digest s3cret"):
        assert client.get("/health", headers={"authorization": wrong.encode()}).status_code == 401, wrong
    for right in ("Bearer s3cret", "bearer s3cret", basic):
        assert client.get("/health", headers={"authorization": right}).status_code == 200, right


def test_who_listens_to_the_world_needs_a_token() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.2", "example.org", "8.8.8.8"):
        with pytest.raises(ConfigError, match="needed: give --token or set REJOINDER_TOKEN"):
            ServeConfig(host=host)
        ServeConfig(host=host, token="s3cret")
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        ServeConfig(host=host)
    with pytest.raises(ConfigError, match="printable ASCII"):
        ServeConfig(token="  ")


def test_who_listens_at_every_address_answers_to_numbers_not_to_names(toy_home: Workspace) -> None:
    client = client_of(toy_home, host="0.0.0.0", token="s3cret")
    token = {"authorization": "Bearer s3cret"}
    for host, status in (("10.1.2.3:80", 200), ("[fe80::1]", 200), ("localhost", 200), ("evil.example", 403)):
        assert client.get("/health", headers={"host": host, **token}).status_code == status, host
    named = client_of(toy_home, host="box.example", token="s3cret")
    for host, status in (("box.example:80", 200), ("10.1.2.3", 403), ("evil.example", 403)):
        assert named.get("/health", headers={"host": host, **token}).status_code == status, host


# --- how much --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_has_a_largest_size_whatever_it_says(toy_home: Workspace, chunked: bool) -> None:
    client = client_of(toy_home, body=1_000)
    body = json.dumps({"draft": "a" * 2_000}).encode()
    answer = client.post("/v1/suggest", content=iter([body]) if chunked else body, headers={"content-type": "application/json"})
    assert answer.status_code == 413 and "1,000 bytes" in said(answer)
    assert client.post("/v1/suggest", json={"draft": "a" * 900}).status_code == 200


def ask(app: Any, body: list[bytes | float], path: str = "/") -> list[dict[str, Any]]:
    """The messages with which an ASGI app answers a body that comes in pieces, with pauses (seconds) between."""
    sent: list[dict[str, Any]] = []
    scope = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b""}

    async def receive() -> dict[str, Any]:
        piece = body.pop(0)
        if isinstance(piece, float):
            await asyncio.sleep(piece)
            piece = body.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(body)}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    asyncio.run(app(scope, receive, send))
    return sent


def test_a_request_that_does_not_come_to_its_end_is_given_up() -> None:
    async def never(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the app is not asked")

    sent = ask(RequestLimits(never, ServeConfig(patience=0.02)), [b"{", 5.0, b"}"])
    assert sent[0]["status"] == 408 and (b"connection", b"close") in sent[0]["headers"]


def test_an_answer_that_takes_too_long_is_given_up() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(5)

    assert ask(RequestLimits(slow, ServeConfig(longest=0.02)), [b"{}"])[0]["status"] == 503

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await asyncio.sleep(5)

    sent = ask(RequestLimits(endless, ServeConfig(longest=0.02)), [b"{}"])
    assert [sent[0]["status"], sent[-1]["more_body"]] == [200, False]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/suggest", {}),
        ("/v1/suggest", {"draft": "a" * 100_001}),
        ("/v1/suggest", {"draft": "a", "deadline_ms": 0}),
        ("/v1/suggest", {"draft": "a", "deadline_ms": 1_001}),
        ("/v1/suggest", {"draft": "a", "gate": "loud"}),
        ("/v1/suggest", {"draft": "a", "drafts": "b"}),
        ("/v1/suggest", {"draft": "a", "context": {"item": 1, "text": "a"}}),
        ("/v1/suggest", {"draft": "a", "session": ""}),
        ("/v1/suggest", {"draft": "a", "sequence": 2**63}),
        ("/v1/reply", {"context": None}),
        ("/v1/reply", {"context": {"posts": []}}),
        ("/v1/reply", {"context": {"text": "a"}, "k": 51}),
        ("/v1/inspect/cell", {"text": "a", "cells": 0}),
    ],
)
def test_what_is_out_of_range_is_refused_without_saying_it_again(client: TestClient, path: str, body: dict[str, Any]) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == 422
    assert len(answer.text) < 500 and said(answer)


@pytest.mark.parametrize("body", [b"\xff\xfe{", b'{"draft": "\xff"}', b"{", b"[" * 10_000, b"", b"null", b'{"draft": NaN}'])
def test_what_is_no_json_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/v1/suggest", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422) and said(answer)


# --- typing ----------------------------------------------------------------------------------------------------------


def suggest(client: TestClient, draft: str, **more: Any) -> dict[str, Any]:
    answer = client.post("/v1/suggest", json={"draft": draft, "deadline_ms": 1_000, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_keystroke_is_answered(client: TestClient) -> None:
    """Half of the toy archive's threads say "Let the dough rest until it doubles", so after "Let the dou" comes "gh"."""
    found = suggest(client, "Let the dou", gate="eager")
    assert found["words"][0]["text"] == "gh" and found["words"][0]["probability"] == found["probability"] > 0.5
    assert found["ghost"].startswith("gh rest until") and found["rung"] == "kneser_ney"
    assert not found["cut"] and not found["superseded"] and found["milliseconds"] > 0
    assert len(found["words"]) <= 3


def test_where_no_help_belongs_the_answer_says_so_to_clients_with_words_of_their_own(client: TestClient) -> None:
    silent = {draft: suggest(client, draft)["silent"] for draft in ("Let the dou", "Run `Let the dou", "Zzxq qqz vvk zzxq")}
    assert silent["Run `Let the dou"] and not silent["Let the dou"] and not silent["Zzxq qqz vvk zzxq"]
    assert suggest(client, "Let the dou", after="gh rest")["silent"]


def test_blocked_words_are_not_shown(client: TestClient) -> None:
    found = suggest(client, "Let the dou", blocked=["dough"])
    assert "gh" not in [word["text"] for word in found["words"]] and not found["ghost"].startswith("gh ")


def test_a_session_is_named_and_goes_on(client: TestClient) -> None:
    first = suggest(client, "Let the")
    assert len(first["session"]) >= 16 and first["sequence"] == 0
    second = suggest(client, "Let the dou", session=first["session"])
    assert (second["session"], second["sequence"]) == (first["session"], 1)
    assert suggest(client, "Let the dou")["words"] == second["words"]


@pytest.mark.parametrize(
    "context",
    [
        None,
        {"item": 11},
        {"text": "Why does my engine stall?"},
        {"posts": [{"title": "Engines", "text": "Why does mine stall?"}, {"text": "Which one?"}]},
    ],
)
def test_a_draft_may_answer_something(client: TestClient, context: Any) -> None:
    assert suggest(client, "Check the spark pl", context=context)["words"][0]["text"] == "ug"


@pytest.mark.parametrize("draft", ["", " ", "\n\n", "a\ud83d", "\U0001f600", "é\u0301" * 50, "\x00\x1b[2J", "x" * 10_000])
def test_any_draft_is_answered(client: TestClient, draft: str) -> None:
    body = json.dumps({"draft": draft, "deadline_ms": 1_000}).encode()  # a lone surrogate goes as its escape, as browsers send it
    answer = client.post("/v1/suggest", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text


def test_a_post_that_is_not_there_is_said_so(client: TestClient) -> None:
    answer = client.post("/v1/suggest", json={"draft": "a", "context": {"item": 999_999}})
    assert answer.status_code == 404 and "no post 999999" in said(answer)
    answer = client.post("/v1/reply", json={"context": {"text": " "}})
    assert answer.status_code == 400 and "no words" in said(answer)


class Slow:
    """A typing session that takes its time, and sees when nobody waits any more."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.begun = threading.Event()
        self.cancelled: dict[str, bool] = {}  # what nobody waited for any more, and whether that was before its deadline
        self.left: list[float] = []  # seconds

    def suggest(self, draft: str, after: str, *, gate: Any, deadline: float, cancelled: Callable[[], bool]) -> Typed:
        self.left.append(deadline - perf_counter())
        self.begun.set()
        ends = perf_counter() + self.seconds
        while perf_counter() < ends:
            if cancelled():
                self.cancelled[draft] = perf_counter() < deadline
                break
            sleep(0.002)
        return Typed(f"<{draft}>", 1.0, (), "slow", False)


def slowed(space: Workspace, typing: Slow, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> TestClient:
    monkeypatch.setattr(suggest_routes, "_open", lambda services, body: typing)
    return client_of(space, **settings)


def test_an_answer_is_never_late(toy_home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with slowed(toy_home, Slow(20.0), monkeypatch) as client:
        found = client.post("/v1/suggest", json={"draft": "a", "deadline_ms": 20}).json()
        assert found["cut"] and found["ghost"] == "" and found["milliseconds"] < 1_500
        assert "rejoinder_suggest_cut_total 1.0" in client.get("/metrics").text


def test_a_newer_keystroke_overtakes_an_older_one(toy_home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    typing = Slow(20.0)
    with slowed(toy_home, typing, monkeypatch) as client:
        older: list[Any] = []
        asked = {"draft": "a", "session": "s", "sequence": 5, "deadline_ms": 1_000}
        thread = threading.Thread(target=lambda: older.append(client.post("/v1/suggest", json=asked).json()))
        thread.start()
        assert typing.begun.wait(10)
        typing.seconds = 0.0
        newer = client.post("/v1/suggest", json={**asked, "draft": "ab", "sequence": 6}).json()
        thread.join()
        assert (newer["superseded"], newer["ghost"]) == (False, "<ab>")
        assert (older[0]["superseded"], older[0]["ghost"], older[0]["sequence"]) == (True, "", 5)
        assert typing.cancelled == {"a": True}
        late = client.post("/v1/suggest", json={**asked, "sequence": 4}).json()
        assert (late["superseded"], late["ghost"]) == (True, "")


IN_A_SECOND = {"draft": "a", "deadline_ms": 1_000}


def crowd(client: Any, typing: Slow, typists: int) -> tuple[Any, list[threading.Thread]]:
    """So many who ask at once, where one thread works on the first and the others wait; the app's services, and the askers."""
    threads = [threading.Thread(target=client.post, args=("/v1/suggest",), kwargs={"json": IN_A_SECOND}) for _ in range(typists)]
    for thread in threads:
        thread.start()
        assert typing.begun.wait(10)
    while client.app.state.services.quick.waiting < typists - 1:
        sleep(0.002)
    return client.app.state.services, threads


def test_what_would_have_to_wait_too_long_is_turned_away(toy_home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    typing = Slow(20.0)
    with slowed(toy_home, typing, monkeypatch, quick=1, waiting=1) as client:
        services, threads = crowd(client, typing, 2)
        answer = client.post("/v1/suggest", json=IN_A_SECOND)
        assert answer.status_code == 503 and answer.headers["retry-after"] == "1" and "try again" in said(answer)
        typing.seconds = 0.0
        for session in services.sessions._by_name.values():
            session.begin(None)  # nobody waits any more
        for thread in threads:
            thread.join()
        assert client.get("/health").json()["status"] == "ok"


def test_in_a_crowd_each_has_its_share_of_the_time(toy_home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread works on the first of five keystrokes; the second finds three waiting behind it: a quarter of a second."""
    typing = Slow(20.0)
    with slowed(toy_home, typing, monkeypatch, quick=1) as client:
        services, threads = crowd(client, typing, 5)
        typing.seconds = 0.0
        next(iter(services.sessions._by_name.values())).begin(None)  # the first is given up
        for thread in threads:
            thread.join()
        assert len(typing.left) == 5 and typing.left[1] <= 0.25 < typing.left[0]


def test_sessions_are_few_and_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions(100, 60.0)
    first = sessions.get("0")
    for name in range(1, 10_000):
        sessions.get(str(name))
        sessions.get("0")
    assert len(sessions) == 100 and sessions.get("0") is first
    assert [name for name in ("9999", "9901", "9900") if name in sessions._by_name] == ["9999", "9901"]  # 0, and 99 more
    monkeypatch.setattr("rejoinder.serve.http.sessions.monotonic", lambda: perf_counter() + 1e6)
    sessions.get("new")
    assert len(sessions) == 1


# --- reading ---------------------------------------------------------------------------------------------------------


def test_replies_come_with_where_they_are_from(client: TestClient) -> None:
    found = client.post("/v1/reply", json={"context": {"text": "Why does my engine stall ?"}, "k": 2}).json()
    assert 1 <= len(found["replies"]) <= 2
    best = found["replies"][0]
    assert "spark plug" in best["text"] and best["post"] and not best["generated"]
    assert best["url"] == f"https://news.ycombinator.com/item?id={best['post']}"
    assert found["notice"].startswith("Hacker News asks") and found["score"] == "of the rung" and found["threshold"] == 0


def test_generated_replies_are_marked(client: TestClient) -> None:
    body = {"context": {"item": 11}, "k": 3, "generate": True, "all": True}
    for reply in client.post("/v1/reply", json=body).json()["replies"]:
        assert reply["generated"] == ("generated" in reply["rung"])


def test_a_post_with_what_is_around_it(client: TestClient) -> None:
    """Thread 10 of the toy archive: question 10, answer 11, thanks 12."""
    found = client.get("/v1/posts/11").json()
    assert [post["id"] for post in (*found["context"], found["post"], *found["replies"])] == [10, 11, 12]
    assert found["post"]["parent"] == 10 and found["post"]["kind"] == "comment" and "author" not in found["post"]
    for missing in ("999999", "0", "-1", "x", str(2**63)):
        assert client.get(f"/v1/posts/{missing}").status_code in (404, 422)


def test_a_thread_as_it_is_read(client: TestClient) -> None:
    found = client.get("/v1/threads/12").json()
    assert [(post["id"], post["depth"]) for post in found["posts"]] == [(10, 0), (11, 1), (12, 2)]
    assert found["thread"] == 10 and found["whole"]


def test_replies_follow_what_they_answer() -> None:
    """1 has replies 2 and 4, 2 has 3; 6 answers 5, which is not here; 7 and 8 answer each other."""
    parents = {1: None, 2: 1, 3: 2, 4: 1, 6: 5, 7: 8, 8: 7}
    ordered = _by_reply([Post(number, parent=parent) for number, parent in parents.items()])
    assert [(post.id, depth) for post, depth in ordered] == [(1, 0), (2, 1), (3, 2), (4, 1), (6, 0)]


def test_search_finds_posts_and_what_was_answered(client: TestClient) -> None:
    for words, kinds in (("flour", {"comment"}), ("kitchen", {"story"})):
        found = client.get("/v1/search", params={"q": words, "k": 3}).json()["found"]
        assert len(found) == 3 and {one["post"]["kind"] for one in found} == kinds
        assert all(words in one["post"]["text"] + one["post"]["title"] for one in found)
        assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
        assert all("bread dough" in one["opening"] for one in found)
    for nothing in ("zzzz", '"zqx OR (', "* : ^ ~", "\x00"):
        assert client.get("/v1/search", params={"q": nothing}).json() == {"found": []}


def test_the_rungs_are_listed(client: TestClient) -> None:
    found = client.get("/v1/rungs").json()
    by_name = {line["name"]: line for line in found["rungs"]}
    assert by_name["kneser_ney"]["fitted"] and by_name["kneser_ney"]["can"] == ["predict", "count"]
    assert by_name["lstm"]["shipped"] and not by_name["kneser_ney"]["shipped"] and by_name["bm25"]["fitted"]
    assert found["typing"] == ["kneser_ney"] and found["speaks"]["rung"] == "kneser_ney"
    assert "1.44 bits per byte to the package's 2.89" in found["speaks"]["reason"]
    assert found["forum"] == "hn" and found["notice"]


def test_looking_inside_the_cell(client: TestClient) -> None:
    """The home has no memory cell, so it is the one in the package."""
    found = client.post("/v1/inspect/cell", json={"text": "The dough rests.", "cells": 3}).json()
    size = len(found["tokens"])
    assert found["tokens"][:3] == ["‹post›", "The", "·d"] and found["skipped"] == 0
    assert set(found["values"]) == set("ifgoch") and all(len(row) == 3 for row in found["values"]["i"])
    assert all(len(column) == size for column in (*found["values"].values(), *found["means"].values()))
    assert client.post("/v1/inspect/cell", json={"text": "a", "layer": 9}).status_code == 400


def test_the_report_of_the_ladder(toy_home: Workspace, tmp_path: Path) -> None:
    client = client_of(Workspace(tmp_path))
    for path in ("/ladder", "/v1/ladder"):
        assert "rejoinder ladder" in said(client.get(path))
    (tmp_path / "ladder").mkdir()
    golden = (Path(__file__).parent / "golden" / "ladder.json").read_bytes()
    (tmp_path / "ladder" / "ladder.json").write_bytes(golden)
    (tmp_path / "ladder" / "ladder.html").write_text("<script>1</script>")
    assert client.get("/v1/ladder").content == golden
    (tmp_path / "ladder" / "ladder.json").write_bytes(golden.replace(b'"version": 2', b'"version": 1'))
    assert "its version is not 2" in said(client.get("/v1/ladder"))
    page = client.get("/ladder")
    assert page.headers["content-type"].startswith("text/html") and page.headers["x-frame-options"] == "SAMEORIGIN"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'") and "same-origin" not in policy


def test_text_of_ones_own_is_heard_shown_and_erased(tmp_path: Path) -> None:
    """Nobody in the toy archive thanks a kitchen."""
    draft = "Thank you k"
    with client_of(make_home(tmp_path)) as client:
        before = suggest(client, draft)
        session = before["session"]
        text = "Thank you kitchen .\n\n" * 20
        assert client.post("/v1/own", json={"text": text}).json()["words"] == 80
        assert client.get("/v1/own").json()["text"].startswith("Thank you kitchen .")
        heard = suggest(client, draft, session=session)
        assert heard["words"][0]["text"] == "itchen" and heard["probability"] > before["probability"]
        assert suggest(client, draft, session=session, own=False)["words"] == before["words"]
        assert client.delete("/v1/own").json() == client.get("/v1/own").json() == {"text": "", "words": 0}
        assert suggest(client, draft, session=session)["words"] == before["words"]
        assert client.post("/v1/own", json={"text": " "}).status_code == 400


# --- what is counted, and what is not said ---------------------------------------------------------------------------


def test_what_is_counted(toy_home: Workspace) -> None:
    with client_of(toy_home) as client:
        suggest(client, "Let the dou", gate="eager")
        client.get("/v1/posts/11")
        client.get("/nowhere/at/all")
        text = client.get("/metrics").text
    for line in (
        'rejoinder_requests_total{method="POST",route="/v1/suggest",status="200"} 1.0',
        'rejoinder_requests_total{method="GET",route="/v1/posts/{number}",status="200"} 1.0',
        "rejoinder_suggest_seconds_count 1.0",
        "rejoinder_suggest_shown_total 1.0",
        'rejoinder_suggest_rung_total{rung="kneser_ney"} 1.0',
        "rejoinder_sessions 1.0",
    ):
        assert line in text.splitlines(), line
    assert "nowhere" not in text


def test_no_draft_is_logged(toy_home: Workspace, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(services: Any, body: Any) -> Any:
        raise ValueError(f"a defect about {body.draft}")

    caplog.set_level(logging.DEBUG)
    with client_of(toy_home) as client:
        suggest(client, SECRET)
        client.get("/v1/search", params={"q": SECRET})
        client.post("/v1/suggest", json={"draft": "a", "gate": SECRET})
        client.post("/v1/reply", json={"context": {"text": SECRET}})
        monkeypatch.setattr(suggest_routes, "_open", broken)
        answer = client.post("/v1/suggest", json={"draft": SECRET, "deadline_ms": 1_000})
        metrics = client.get("/metrics").text
    assert answer.status_code == 500 and "defect" in said(answer)
    ours = [record for record in caplog.records if record.name.startswith("rejoinder")]
    assert any("ValueError" in record.getMessage() and "in broken" in record.getMessage() for record in ours)
    spoken = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx")]
    assert not [line for line in (*spoken, metrics, answer.text) if SECRET in line or "xyzzy" in line]


def test_what_changes_at_home_is_seen(tmp_path: Path) -> None:
    space = make_home(tmp_path)
    app: FastAPI = create_app(space)
    services = app.state.services
    before = services.opened.models["kneser_ney"]
    services.refresh()
    assert services.opened.models["kneser_ney"] is before and services.generation == 0
    assert not fit(space, ["kneser_ney"], FitConfig(vocabulary=400), {})
    services.refresh()
    after = services.opened.models["kneser_ney"]
    assert isinstance(after, KneserNey) and after is not before and services.generation == 1
    with space.open_archive() as archive:
        archive.add([Post(99_999, Kind.STORY, "One more.")])
        services.refresh()
        assert services.opened.models["kneser_ney"] is after  # a post more makes no model worse
    assert {"markov", "kneser_ney"} < set(services.opened.models) and services.opened.searcher().search("flour", 3)
    forget_everywhere(space, [11], None)
    services.refresh()
    assert "package/lstm" in services.opened.models  # the home's may know what was forgotten, so those of the package speak
    with pytest.raises(NotFitted):
        services.opened.searcher()
