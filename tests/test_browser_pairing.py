"""Who of the browser's extensions may ask: the one whose code a person confirmed, from its own origin, for what typing needs."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from rejoinder.cli import app
from rejoinder.errors import NotPaired, SourceError
from rejoinder.home.pairing import FILE, MOST_ASKING, MOST_WRONG, SECONDS, Pairings, is_extension
from rejoinder.home.workspace import Workspace
from rejoinder.serve.http.app import create_app
from rejoinder.serve.http.config import ServeConfig

OURS = f"chrome-extension://{'a' * 32}"
ANOTHER = f"chrome-extension://{'b' * 32}"
FIREFOX = "moz-extension://0f0e5a10-32d1-4b2c-9c3e-1a2b3c4d5e6f"
SECRET = "s" * 43
DRAFT = {"draft": "The problem with"}


def client_of(home: Path, address: str = "127.0.0.1", **settings: str) -> TestClient:
    served = create_app(Workspace(home), ServeConfig(**settings))
    return TestClient(served, base_url="http://127.0.0.1:8765", client=(address, 50_000))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with client_of(tmp_path) as opened:
        yield opened


def asks(client: TestClient, origin: str = OURS, secret: str = SECRET) -> Response:
    return client.post("/v1/pair", json={"secret": secret, "name": "Chromium"}, headers={"origin": origin})


def claims(client: TestClient, origin: str = OURS, secret: str = SECRET) -> Response:
    return client.post("/v1/pair/claim", json={"secret": secret}, headers={"origin": origin})


def confirms(client: TestClient, code: str) -> Response:
    return client.post("/v1/pairings", json={"code": code})


def paired(client: TestClient, origin: str = OURS) -> str:
    confirms(client, asks(client, origin).json()["code"])
    return str(claims(client, origin).json()["token"])


def bearing(token: str, origin: str | None = OURS) -> dict[str, str]:
    told = {"authorization": f"Bearer {token}", "sec-fetch-site": "none", "sec-fetch-mode": "cors"}
    return told if origin is None else {**told, "origin": origin}


def test_an_extension_is_let_in_by_a_person_who_types_its_code(client: TestClient) -> None:
    code = asks(client).json()["code"]
    assert len(code) == 9 and code[4] == "-"
    assert claims(client).json() == {"token": None}  # nobody has confirmed it
    assert client.get("/v1/pairings").json() == {"paired": [], "waiting": 1}
    told = confirms(client, code.lower().replace("-", " ")).json()
    assert told == {"paired": [], "waiting": 0}
    token = claims(client).json()["token"]
    assert client.post("/v1/suggest", json=DRAFT, headers=bearing(token)).status_code == 200
    assert client.get("/v1/rungs", headers=bearing(token, None)).status_code == 200  # with GET a browser names no origin
    (one,) = client.get("/v1/pairings").json()["paired"]
    assert (one["origin"], one["name"]) == (OURS, "Chromium")


@pytest.mark.parametrize("origin", [OURS, ANOTHER, FIREFOX, "http://evil.example", "null", None])
@pytest.mark.parametrize("token", ["", "wrong", "Ünï"])
def test_without_its_token_nobody_is_let_in(client: TestClient, origin: str | None, token: str) -> None:
    paired(client)
    headers = bearing(token.encode("latin-1").decode("latin-1"), origin)
    answer = client.post("/v1/suggest", json=DRAFT, headers={name: value.encode("latin-1") for name, value in headers.items()})
    assert answer.status_code == 403


@pytest.mark.parametrize("origin", [ANOTHER, FIREFOX, "http://evil.example"])
def test_a_token_is_good_for_its_own_origin_alone(client: TestClient, origin: str) -> None:
    token = paired(client)
    assert client.post("/v1/suggest", json=DRAFT, headers=bearing(token, origin)).status_code == 403


def test_a_code_and_a_secret_are_good_for_once(client: TestClient) -> None:
    code = asks(client).json()["code"]
    assert claims(client, ANOTHER).status_code == 403  # another extension with the same secret
    assert claims(client, OURS, "t" * 43).status_code == 403
    assert confirms(client, code).status_code == 200
    assert confirms(client, code).status_code == 403
    assert claims(client, ANOTHER).status_code == 403
    assert claims(client).json()["token"]
    assert claims(client).status_code == 403
    assert confirms(client, code).status_code == 403


def test_pages_and_programs_are_not_paired_and_extensions_confirm_nothing(client: TestClient) -> None:
    assert asks(client, "http://evil.example").status_code == 403
    assert client.post("/v1/pair", json={"secret": SECRET}).status_code == 403
    code = asks(client).json()["code"]
    assert client.post("/v1/pairings", json={"code": code}, headers={"origin": OURS}).status_code == 403
    token = paired(client)
    assert client.post("/v1/pairings", json={"code": code}, headers=bearing(token)).status_code == 403


@pytest.mark.parametrize(
    "path", ["/", "/v1/posts/1", "/v1/search?q=a", "/v1/models", "/openapi.json", "/v1/pairings", "/metrics"]
)
@pytest.mark.parametrize("origin", [OURS, None])
def test_a_paired_extension_may_not_read_the_archive(client: TestClient, path: str, origin: str | None) -> None:
    assert client.get(path, headers=bearing(paired(client), origin)).status_code == 403


def test_a_script_that_is_no_page_needs_a_token_and_an_address_bar_does_not(client: TestClient) -> None:
    script = {"sec-fetch-site": "none", "sec-fetch-mode": "cors"}
    assert client.get("/v1/own", headers=script).status_code == 403
    assert client.get("/v1/own", headers={"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}).status_code == 200
    assert client.get("/v1/own", headers={"sec-fetch-mode": "cors"}).status_code == 200  # as programs in JavaScript send it


def test_a_pairing_is_revoked_at_once(client: TestClient) -> None:
    token = paired(client)
    number = client.get("/v1/pairings").json()["paired"][0]["id"]
    assert client.delete("/v1/pairings/nobody").status_code == 404
    assert client.delete(f"/v1/pairings/{number}").json()["paired"] == []
    answer = client.post("/v1/suggest", json=DRAFT, headers=bearing(token))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_paired")


def test_pairing_again_ends_the_pairing_before(client: TestClient) -> None:
    before, after = paired(client), paired(client)
    assert client.post("/v1/suggest", json=DRAFT, headers=bearing(before)).status_code == 403
    assert client.post("/v1/suggest", json=DRAFT, headers=bearing(after)).status_code == 200


def test_pairing_begins_at_this_machine_and_needs_no_token_of_the_server(tmp_path: Path) -> None:
    with client_of(tmp_path, "10.0.0.7", token="s3cret") as far:
        assert asks(far).status_code == 403
    with client_of(tmp_path, token="s3cret") as near:
        code = asks(near).json()["code"]
        assert confirms(near, code).status_code == 401  # a person brings it
        assert near.post("/v1/pairings", json={"code": code}, headers={"authorization": "Bearer s3cret"}).status_code == 200
        token = claims(near).json()["token"]
        assert near.post("/v1/suggest", json=DRAFT, headers=bearing(token)).status_code == 200
        assert near.post("/v1/suggest", json=DRAFT, headers=bearing("s3cret")).status_code == 403  # an extension has its own


def test_the_file_is_for_this_user_alone_and_holds_no_token(client: TestClient, tmp_path: Path) -> None:
    token = paired(client)
    file = tmp_path / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert token not in file.read_text() and SECRET not in file.read_text()


def test_the_command_confirms_lists_and_revokes(client: TestClient, tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["pair", *arguments, "--home", str(tmp_path)], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    assert run() == "No extension is paired.\n"
    assert "Chromium may ask now" in run(asks(client).json()["code"])
    token = claims(client).json()["token"]
    number = json.loads(run("--json"))["paired"][0]["id"]
    assert OURS in run()
    run("--revoke", number)
    assert client.post("/v1/suggest", json=DRAFT, headers=bearing(token)).status_code == 403


def test_codes_age_and_wrong_ones_end_all_that_wait(tmp_path: Path) -> None:
    time = [1_000.0]
    pairings = Pairings(tmp_path, lambda: time[0])
    code = pairings.ask(OURS, SECRET, "one")
    time[0] += SECONDS
    with pytest.raises(NotPaired):
        pairings.confirm(code)
    code = pairings.ask(OURS, SECRET, "one")
    time[0] -= 3600  # the clock is set back, and gives nobody an hour more
    with pytest.raises(NotPaired):
        pairings.confirm(code)
    code = pairings.ask(OURS, SECRET, "one")
    for _ in range(MOST_WRONG):
        with pytest.raises(NotPaired):
            pairings.confirm("0000-0000")
    with pytest.raises(NotPaired):
        pairings.confirm(code)
    with pytest.raises(NotPaired):
        pairings.claim(OURS, SECRET)


def test_those_who_ask_are_few(tmp_path: Path) -> None:
    pairings = Pairings(tmp_path)
    for number in range(MOST_ASKING + 5):
        pairings.ask(f"chrome-extension://{'abcdefghijklmnop'[number] * 32}", SECRET, "many")
    assert pairings.waiting() == MOST_ASKING


def test_a_damaged_file_is_named(client: TestClient, tmp_path: Path) -> None:
    token = paired(client)
    (tmp_path / FILE).write_text("{")
    with pytest.raises(SourceError, match=FILE):
        Pairings(tmp_path).listed()
    answer = client.post("/v1/suggest", json=DRAFT, headers=bearing(token))
    assert answer.status_code == 500 and "pair the extensions again" in answer.json()["error"]["message"]


@given(st.text(max_size=60))
def test_only_extensions_have_the_origin_of_one(text: str) -> None:
    assert not is_extension(f"http://{text}") and not is_extension(f"{OURS}{text or '/'}")
