"""A model that cannot be loaded or used costs a line at every door, and the next best speaks."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import made_once
from fastapi.testclient import TestClient
from lsprotocol.types import Position
from pygls.workspace import TextDocument
from serving import make_home
from typer.testing import CliRunner

from rejoinder.cli import app
from rejoinder.files import write_json
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.library import Home
from rejoinder.home.open_home import OpenHome
from rejoinder.home.trial import Trial
from rejoinder.home.workspace import Workspace
from rejoinder.ladder.metrics import FEWEST
from rejoinder.models import directory as sealed
from rejoinder.models.directory import identity, seal
from rejoinder.serve.editor.lsp import Completer, EditorHome, EditorOptions
from rejoinder.serve.http.app import create_app

QUESTION = "How long should bread dough rest in a cold kitchen ?"


def several(home: Path) -> None:
    """A home of its own whose mixture is the best, then its counts, its cell, its graph, and last the package."""
    space = make_home(home)
    package = Workspace.shipped()
    assert package is not None
    for name in ("kneser_ney", "lstm", "mixture"):
        shutil.rmtree(space.models / name, ignore_errors=True)
        shutil.copytree(package.models / name, space.models / name)
    assert not fit(space, ["trigger"], FitConfig(vocabulary=400), {})
    order = ("mixture", "kneser_ney", "lstm", "markov", "package/mixture")
    rows = {}
    for nats, name in enumerate(order, start=1):
        found = space.fitted(name)
        assert found is not None
        rows[name] = (identity(found.directory), (float(nats),) * FEWEST)
    Trial("0", FEWEST, (1,) * FEWEST, rows).save(space.home)


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(sealed, "_given_up", {})
    return Workspace(Path(shutil.copytree(made_once(tmp_path_factory, "several", several), tmp_path / "home")))


def flip(file: Path, at: int, count: int = 1) -> None:
    was = bytearray(file.read_bytes())
    was[at : at + count] = bytes(byte ^ 0xFF for byte in was[at : at + count])
    file.write_bytes(was)


def nans(file: Path, at: int) -> None:
    was = file.read_bytes()
    file.write_bytes(was[:at] + b"\xff" * (len(was) - at))


HARMS: dict[str, tuple[str, str, Callable[[Path], None], str]] = {  # the rung, its file, what is done to it, who speaks then
    "a small file of the mixture": ("mixture", "weights.npy", lambda file: flip(file, -3), "kneser_ney"),
    "the cell cannot be loaded": ("lstm", "weights.safetensors", lambda file: flip(file, 0, 8), "kneser_ney"),
    "the cell gives no number": ("lstm", "weights.safetensors", lambda file: nans(file, 10_000), "kneser_ney"),
    "the counts give no number": ("kneser_ney", "packed3.value.npy", lambda file: nans(file, 128), "lstm"),
    "the counts lead nowhere": ("kneser_ney", "packed2.token.npy", lambda file: nans(file, 128), "lstm"),
}


def run(*command: object) -> tuple[Any, list[str]]:
    """What a command answers, and what it says of models passed over."""
    sealed._given_up.clear()  # a command has a process of its own
    ran = CliRunner().invoke(app, [*map(str, command), "--json"])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout), [line for line in ran.stderr.splitlines() if "passed over" in line]


@pytest.mark.parametrize("harm", HARMS)
def test_the_next_best_finishes_sentences(harm: str, home: Workspace) -> None:
    name, file, change, expected = HARMS[harm]
    assert run("complete", "The problem with", "--home", home.home)[0]["rung"] == "mixture"
    change(home.models / name / "0001" / file)
    answer, told = run("complete", "The problem with", "--home", home.home)
    assert answer["rung"] == expected and answer["continuations"]
    assert any(line.startswith(f"`{name}` is passed over") and file in line for line in told), told
    assert len(told) == len(set(told)) <= 2  # itself, and the mixture that is made of it
    sealed._given_up.clear()
    noted: list[str] = []
    assert Home(home.home, noted.append).complete("The problem with", "What do you think?")
    assert sum(line.startswith(f"`{name}` is passed over") for line in noted) == 1


@pytest.mark.parametrize("harm", HARMS)
def test_the_server_and_the_editor_go_on(harm: str, home: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    name, file, change, expected = HARMS[harm]
    change(home.models / name / "0001" / file)
    body = {"draft": "The problem with the ", "deadline_ms": 1000, "gate": "eager"}
    with TestClient(create_app(home), base_url="http://localhost") as client:
        for session in ("one", "two"):  # while the models are read, and where one turns out to be damaged, there is silence
            keys = (client.post("/v1/suggest", json={**body, "session": session, "sequence": k}) for k in range(100))
            assert next(rung for key in keys if (rung := key.json()["rung"])) == expected
        chosen = client.post("/v1/completions", json={"prompt": "The problem", "max_tokens": 5})
        assert chosen.status_code == 200, chosen.text
        assert client.get("/v1/rungs").status_code == client.get("/v1/models").status_code == 200
    (line,) = (record.getMessage() for record in caplog.records if record.getMessage().startswith(f"`{name}` is passed"))
    assert file in line
    sealed._given_up.clear()
    opened = OpenHome(home, lambda line: None)
    editor = Completer(EditorHome(lambda context: opened.open_typing(context, []), opened.refresh), EditorOptions(deadline=30.0))
    draft = "The problem with the "
    document = TextDocument("file:///draft.md", draft, 0, "markdown")
    typed = [asyncio.run(editor.at(document, Position(0, len(draft)))) for _ in range(3)]  # the first two may find damage
    assert typed[-1] is not None and typed[-1].typed.rung == expected


@pytest.mark.parametrize(("name", "file"), [("bm25", "lengths.json"), ("bm25", "index/meta.json"), ("trigger", "trigger.json")])
def test_the_others_reply(name: str, file: str, home: Workspace) -> None:
    (found,) = (home.models / name).glob("*/" + file)
    flip(found, found.stat().st_size // 2)
    answer, told = run("reply", QUESTION, "--all", "--home", home.home)
    assert answer["replies"]
    assert sum(line.startswith(f"`{name}` is passed over") for line in told) == 1, told
    with TestClient(create_app(home), base_url="http://localhost") as client:
        said = client.post("/v1/reply", json={"context": {"text": QUESTION}, "all": True})
        assert said.status_code == 200 and said.json()["replies"]
        assert client.get("/v1/models").status_code == 200


def test_a_trigger_of_an_earlier_version_costs_a_line_that_says_what_to_run(home: Workspace) -> None:
    """As 0.1 wrote it: two JSON files, and none of the arrays that are there now."""
    (there,) = (home.models / "trigger").glob("*")
    facts, manifest = (json.loads((there / name).read_text()) for name in ("trigger.json", "manifest.json"))
    config = {"models": list(facts["sources"]), "precision": 0.6, "contexts": 500}
    weights = {"centre": [0.0] * 4, "spread": [1.0] * 4, "weights": [0.0] * 5}
    shutil.rmtree(there)
    there.mkdir()
    write_json(there / "config.json", {"rung": "trigger", "config": config})
    write_json(there / "trigger.json", {"sources": facts["sources"], "learned": weights, "threshold": 0.7, "figures": {}})
    seal(there, {key: value for key, value in manifest.items() if key not in ("format", "files", "hashes")})
    answer, told = run("reply", QUESTION, "--all", "--home", home.home)
    assert answer["replies"]
    (line,) = told
    assert line.startswith("`trigger` is passed over") and line.endswith("rejoinder fit trigger")


@pytest.mark.parametrize("large", [False, True])
def test_an_index_that_is_found_to_be_damaged_while_it_is_asked(
    large: bool, home: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (store,) = (home.models / "bm25").glob("*/index/*.store")
    flip(store, 0, store.stat().st_size - 100)
    monkeypatch.setattr(sealed, "SMALL", 0 if large else 2**20)
    answer, told = run("reply", QUESTION, "--all", "--home", home.home)
    assert answer["replies"] and all(reply["rung"] == "canned" for reply in answer["replies"])
    assert sum(line.startswith("`bm25` is passed over") for line in told) == 1, told


def test_rungs_and_info_go_on_and_name_what_is_damaged(home: Workspace) -> None:
    for name, file in (("mixture", "weights.npy"), ("bm25", "lengths.json"), ("lstm", "manifest.json")):
        (found,) = (home.models / name).glob("*/" + file)
        flip(found, found.stat().st_size // 2)
    rows, _ = run("rungs", "--home", home.home)
    assert {row["rung"] for row in rows if "damaged" in row} >= {"mixture", "bm25"}
    (speaks,) = (row["rung"] for row in rows if "speaks" in row)
    assert speaks == "kneser_ney"
    assert run("info", "--home", home.home)[0]["posts"] == 240


def test_a_damaged_sample_is_made_anew(sample_home: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(sample_home, tmp_path / "home"))
    for file in ((home / "sample" / "archive.db"), *(home / "sample" / "models" / "bm25").glob("*/lengths.json")):
        flip(file, 0, 60)
    assert run("info", "--home", home)[0]["posts"] > 100
    answer, told = run("reply", "Why do people still use Makefiles?", "--all", "--home", home)
    assert answer["replies"] and not told


def test_a_model_of_an_arpa_file_is_shown_where_there_are_no_posts(tmp_path: Path) -> None:
    (tmp_path / "small.arpa").write_text(
        "\\data\\\nngram 1=4\n\n\\1-grams:\n-99\t<s>\n-0.5\t</s>\n-0.5\tdough\n-0.6\t<unk>\n\n\\end\\\n", encoding="utf-8"
    )
    home = tmp_path / "home"
    ran = CliRunner().invoke(app, ["arpa", "import", str(tmp_path / "small.arpa"), "--home", str(home)])
    assert ran.exit_code == 0, ran.output
    (row,) = (row for row in run("rungs", "--home", home)[0] if row["rung"] == "kneser_ney")
    assert row["on"] == "elsewhere" and row["fitted"]
