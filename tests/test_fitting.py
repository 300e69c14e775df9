"""Fitting: how it goes is told with totals, and a tokenizer is one that may stay."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import make_archive, toy_posts
from typer.testing import CliRunner

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.archive.split import Split, hash_split
from rejoinder.cli import app
from rejoinder.home import tokenizing
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.tokenizing import would_gain
from rejoinder.home.workspace import Workspace
from rejoinder.post import Kind, Post
from rejoinder.text.tensors import open_tokenizer
from rejoinder.text.tokenizer import Tokenizer


def toy_home(home: Path, *more: Post) -> Workspace:
    make_archive(home / "archive.db", [*toy_posts(), *more]).close()
    return Workspace(home)


def test_what_takes_long_says_how_much_there_is_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """240 posts, of which train and dev have some; n-grams of 5 tokens; an index of as many orders."""
    told: dict[str, list[tuple[int, int | None]]] = {}
    monkeypatch.setattr("rejoinder.text.shards._SAID_EVERY", 50)
    space = toy_home(tmp_path)

    def report(what: str, done: int, total: int | None) -> None:
        told.setdefault(what, []).append((done, total))

    assert not fit(space, ["kneser_ney", "bm25"], FitConfig(vocabulary=400), {}, report)
    with space.open_archive() as archive:
        corpus = ArchiveCorpus(archive, tmp_path)
        train, dev = (sum(len(thread.posts) for thread in corpus.threads(part)) for part in ("train", "dev"))  # type: ignore[arg-type]
    assert told["posts to tokens"][-1] == (train + dev, train + dev)
    assert told["counting n-grams"] == told["building the index"] == [(n, 5) for n in range(1, 6)]
    assert {total for _, total in told["indexing replies: posts read"]} == {train} and len(
        told["indexing replies: posts read"]
    ) > 2


def test_a_tokenizer_never_learns_from_what_a_later_fit_holds_out(tmp_path: Path) -> None:
    """A word that stands in all test threads, and in no other, often enough to be one piece: not with `--on all` either."""
    keys = np.arange(20_000, 20_200)
    held_out = keys[hash_split(keys) == Split.TEST].tolist()
    said = [Post(key, Kind.STORY, "xylograph xylograph xylograph", time=key) for key in held_out]
    found = []
    for on in ("all", "train"):
        (tmp_path / on).mkdir()
        space = toy_home(tmp_path / on, *said)
        assert len(said) > 10 and not fit(space, ["unigram"], FitConfig(on, vocabulary=400), {})  # type: ignore[arg-type]
        found.append(open_tokenizer(space.home))
    assert found[0].fingerprint() == found[1].fingerprint() and len(found[0].encode("xylograph")) > 1
    again = Tokenizer.train((post.text for post in [*toy_posts(), *said]), 400)
    assert len(again.encode("xylograph")) < len(found[0].encode("xylograph"))  # it would be, of all posts


def test_a_home_is_told_what_another_tokenizer_would_gain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = toy_home(tmp_path)
    assert would_gain(space) == ""  # it has none yet
    assert not fit(space, ["unigram"], FitConfig(), {})
    assert would_gain(space) == ""  # it has the package's
    texts = [post.own_text for post in toy_posts()]
    words, letters = Tokenizer.train(texts, 600), Tokenizer.train(["?"], 300)
    monkeypatch.setattr(tokenizing, "package_tokenizer", lambda: words)
    with space.open_archive() as archive:
        train = [post.own_text for post in ArchiveCorpus(archive, tmp_path).posts("train")]
    fewer = 1 - sum(len(words.encode(text)) for text in train) / sum(len(open_tokenizer(tmp_path).encode(text)) for text in train)
    line = would_gain(space)
    assert f"{fewer:.1%} fewer tokens on {len(train)} posts of yours" in line and fewer > 0.1
    for command in ("rungs", "info"):
        ran = CliRunner().invoke(app, [command, "--home", str(tmp_path)])
        assert ran.exit_code == 0 and line in " ".join(ran.stdout.split()) and not ran.stderr
        assert json.dumps(line) in CliRunner().invoke(app, [command, "--json", "--home", str(tmp_path)]).stdout
    monkeypatch.setattr(tokenizing, "package_tokenizer", lambda: letters)
    assert would_gain(space) == ""  # its own is worth more, so that it stays
