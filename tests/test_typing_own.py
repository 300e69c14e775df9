"""Text of one's own: kept in one private file, counted in, shown and erased."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path
from time import process_time

import numpy as np
import pytest
from test_typing import NO_LIMIT, SPARK
from typer.testing import CliRunner
from typists import parrot

from rejoinder.cli import app
from rejoinder.engine.typing import Engine
from rejoinder.errors import SourceError, UsageError
from rejoinder.home import own_text
from rejoinder.home.open_home import OpenHome
from rejoinder.home.workspace import Workspace
from rejoinder.post import Post
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


def test_what_is_forgotten_of_a_large_file_is_gone_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_text, "MOST", 1_000)

    def seconds(posts: int) -> float:
        began = process_time()
        own_text.remember(tmp_path, "words\n\n" * posts)
        return process_time() - began

    small = min(seconds(2_000) for _ in range(5))
    assert any(seconds(16_000) < 24 * small for _ in range(3))
    assert own_text.remembered(tmp_path).split() == ["words"] * 200


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


def test_how_often_it_was_right_worked_out_by_hand() -> None:
    """Of the least sure 1 of 3 was right, of the surest 8 of 8; each level is drawn to the one before it by one try."""
    outcomes = np.zeros((2, own_text.ORDER, 5))
    outcomes[:, 2, 0], outcomes[:, 4, 4] = (3, 1), (8, 8)
    shares = own_text._shares(outcomes)
    least = (1 + 0.05) / 4  # half of what the counts say in the middle of the level, by one try
    assert shares[2, 0] == (1 + least) / 4 and shares[2, 1] == least  # the level before, where nothing was tried
    assert shares[4, 4] == pytest.approx((8 + 8.45 / 9) / 9) and shares[3, 4] == pytest.approx(8.45 / 9)
    assert own_text._shares(np.zeros((2, own_text.ORDER, 5)))[2] == pytest.approx([0.05, 0.15, 0.25, 0.35, 0.45])


def test_what_was_written_three_times_is_offered_whole_and_no_more_once_erased(tmp_path: Path) -> None:
    """By the models in the package, at the normal gate."""
    opened = OpenHome(Workspace(tmp_path), lambda line: None)

    def ghost(draft: str) -> str:
        opened.refresh()
        return opened.open_typing((Post(0),), ()).suggest(draft, deadline=inf).ghost

    draft = "That is all for now. Kind reg"
    before, after = ghost(draft), list[str]()
    for text in (
        "See you there. Kind regards, Ada Quill",
        "It works now. Kind regards, Ada Quill",
        "No hurry. Kind regards, Ada Quill",
    ):
        own_text.remember(tmp_path, text)
        after.append(ghost(draft))
    assert after[0] == before and after[-1] == "ards, Ada Quill" and "Quill" not in before  # once is not enough
    assert own_text.most_used(own_text.remembered(tmp_path))[0] == ("Kind regards, Ada Quill", 3)
    own_text.erase(tmp_path)
    assert ghost(draft) == before


def test_it_weighs_more_the_more_often_it_was_right() -> None:
    tokenizer = Tokenizer.train([OWN, SPARK] * 9, 400)

    def right(text: str) -> float:
        own, state = own_text.count_own(text, tokenizer), None
        state = own.start(())
        for token in tokenizer.encode("my zebra eats"):
            state = own.advance(state, token)
        return own.likeliest(state)[1]

    shares = [right("\n\n".join([OWN] * times)) for times in (1, 2, 4, 8)]
    assert shares[:2] == [0, 0.45] and shares == sorted(shares) and 0.5 < shares[2] < shares[-1] < 1


def test_counting_on_from_before_is_counting_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is encoded twice; how often it was right is found again once there is an eighth more, or something was erased."""
    tokenizer = Tokenizer.train([OWN, SPARK] * 9, 400)
    posts = [f"{OWN}, {number}" for number in range(20)]
    encoded, encode = list[str](), Tokenizer.encode_many
    monkeypatch.setattr(Tokenizer, "encode_many", lambda self, texts: encoded.extend(texts) or encode(self, texts))
    before = own_text.count_own("\n\n".join(posts[:16]), tokenizer)
    for text, new, same in (
        (posts[:17], 1, True),
        ([*posts[:16], posts[0], SPARK], 1, True),
        (posts[1:17], 1, True),  # the oldest has gone
        (posts, 4, False),
        ([*posts[:5], *posts[6:16]], 0, False),
    ):
        encoded.clear()
        after = own_text.count_own("\n\n".join(text), tokenizer, before)
        assert len(encoded) == new and (after.right is before.right) == same
        fresh = own_text.count_own("\n\n".join(text), tokenizer)
        assert same or np.array_equal(after.right, fresh.right)
        for level, other in zip(after.index, fresh.index, strict=True):
            assert all(np.array_equal(array, vars(other)[name]) for name, array in vars(level).items())
        assert list(after.read) == list(dict.fromkeys(text))  # nothing of what has gone


def test_the_phrases_used_most_by_hand() -> None:
    """`as far as I know` saves most: 3 more times 15 letters; what stands in it is not told again, nor what comes once."""
    text = "as far as I know\nas far as I know it\nso far so good, so far\nas far as I know\n> as far as I know\nas far as I know"
    assert own_text.most_used(text) == [("as far as I know", 4), ("so far", 2)]
    assert own_text.most_used(text, 1) == [("as far as I know", 4)] and own_text.most_used("once only") == []


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
    run("add", "written by me")
    assert run("phrases").split() == ["2", "written", "by", "me"]
    assert json.loads(run("phrases", "-n", "1", "--json")) == [{"text": "written by me", "times": 2}]
    assert "is erased" in run("erase") and "Nothing" in run("erase")
    with pytest.raises(UsageError, match="one of"):
        CliRunner().invoke(app, ["own", "add", "--home", str(tmp_path)], catch_exceptions=False)
