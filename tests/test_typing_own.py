"""Text of one's own: kept in one private file, counted in, shown and erased."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_typing import NO_LIMIT, SPARK
from typer.testing import CliRunner
from typists import parrot

from rejoinder.cli import app
from rejoinder.engine.typing import Engine
from rejoinder.errors import SourceError, UsageError
from rejoinder.home import own_text
from rejoinder.text.tokenizer import Tokenizer

OWN = "my zebra eats quinoa every day"


def test_what_is_remembered_is_there_until_it_is_erased(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert own_text.remembered(home) == "" and not home.exists()
    own_text.remember(home, "one\n")
    own_text.remember(home, "  two \n\n\n three\ud800")
    assert own_text.remembered(home) == "one\n\ntwo\n\nthree?\n"
    assert (home / own_text.FILE).stat().st_mode & 0o777 == 0o600
    assert own_text.erase(home) and not own_text.erase(home) and own_text.remembered(home) == ""
    with pytest.raises(UsageError, match="nothing to remember"):
        own_text.remember(home, " \n")


def test_the_oldest_is_forgotten_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_text, "MOST", 10)
    for text in ("first", "second", "third"):
        own_text.remember(tmp_path, text)
    assert own_text.remembered(tmp_path) == "third\n"


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / own_text.FILE).write_bytes(b"\xff")
    with pytest.raises(SourceError, match="own erase"):
        own_text.remembered(tmp_path)


def test_own_words_are_offered_and_no_longer_once_erased(tmp_path: Path) -> None:
    tokenizer = Tokenizer.train([OWN, SPARK] * 9, 400)
    engine = Engine({"kneser_ney": parrot(tokenizer, SPARK)}, {}, None, NO_LIMIT)
    assert own_text.own_model(tmp_path, tokenizer) is None
    own_text.remember(tmp_path, "\n\n".join([OWN] * 5))
    draft = "my zebra eats q"

    def chance() -> float:
        counts = own_text.own_model(tmp_path, tokenizer)
        offered = engine.open(own=[counts] if counts else ()).suggest(draft).words
        return max((word.probability for word in offered if word.text == "uinoa"), default=0.0)

    known = chance()
    own_text.erase(tmp_path)
    assert known > 0.3 and known > 2 * chance()


def test_the_command_adds_shows_and_erases(tmp_path: Path) -> None:
    def run(*arguments: str, given: str | None = None) -> str:
        done = CliRunner().invoke(app, ["own", *arguments, "--home", str(tmp_path)], input=given, catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    file = tmp_path / "posts.txt"
    file.write_text("written by me")
    assert "Nothing" in run("show")
    assert "3 words" in run("add", "--file", str(file)) and "5 words" in run("add", "-", given="and this\n")
    assert run("show") == "written by me\n\nand this\n"
    assert json.loads(run("show", "--json"))["words"] == 5
    assert "is erased" in run("erase") and "Nothing" in run("erase")
    with pytest.raises(UsageError, match="one of"):
        CliRunner().invoke(app, ["own", "add", "--home", str(tmp_path)], catch_exceptions=False)
