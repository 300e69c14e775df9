"""The measure of predictive text, on cases worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.engine.completion import Continuation
from rejoinder.engine.replay import Replay
from rejoinder.engine.typing import Engine
from rejoinder.ladder import text_evaluation
from rejoinder.ladder.heldout import HeldOut
from rejoinder.ladder.text_evaluation import LETTERS, THRESHOLDS, score_text, type_posts
from rejoinder.models.interfaces import Job
from rejoinder.models.unigram import Unigram, UnigramConfig
from rejoinder.post import Post, Thread

NEVER = float("inf")


def seen() -> Replay:
    """Six keystrokes: "a", then "b" twice at no letter, and one, two and five letters into a word."""
    return Replay(
        shown=np.array([1, 0, 0, 1, 1, 0], bool),
        right=np.array([1, 0, 0, 1, 0, 1], bool),
        among=np.array([1, 1, 0, 1, 0, 1], bool),
        whole=np.zeros(6, bool),
        probability=np.array([0.9, 0.1, 0.3, 0.6, 0.55, 0.8]),
        letters=np.array([0, 0, 0, 1, 2, 5]),
        keys=6,
    )


def test_next_words_by_letters_typed() -> None:
    """No letter: three asked, one right, two among three; one letter: 1, 1, 1; two: 1, 0, 0; three: nobody asked."""
    assert text_evaluation._next_words(seen()).tolist() == [[3, 1, 2], [1, 1, 1], [1, 0, 0], [0, 0, 0]]


def test_the_gate_counts_what_is_at_least_as_sure() -> None:
    """At 0.6: 0.9, 0.6 and 0.8 are shown, all three right. At 0.55 also 0.55, which is wrong. At 0 all six, three right."""
    of = dict(zip(THRESHOLDS.tolist(), text_evaluation._gated(seen()).tolist(), strict=True))
    assert (of[0.6], of[0.55], of[0.0], of[0.95]) == ([3, 3], [4, 3], [6, 3], [0, 0])


def test_exact_match_at_each_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """At "two three four" the model says "two three five six": right at N = 1 and 2, wrong at 3; there is no 4."""

    def says(model: Any, query: Any, *_: Any, **__: Any) -> list[Continuation]:
        return [Continuation("two three five six", 0.5, -1.0, 4)] if query.draft == "one " else []

    monkeypatch.setattr(text_evaluation, "exact_words", says)
    monkeypatch.setattr(text_evaluation, "_EXACT", 10)
    found = text_evaluation._exact(None, (), "one two three four", 0)  # type: ignore[arg-type]
    # three places: "two three four" asks N = 1..3, "three four" N = 1..2, "four" N = 1; only the first is answered
    assert found[:4].tolist() == [[3, 1], [2, 1], [1, 0], [0, 0]]


def fitted(toy: ArchiveCorpus, tmp_path: Any) -> tuple[Unigram, HeldOut]:
    model = Unigram.fit(toy, UnigramConfig(), rng=np.random.default_rng(0), job=Job(tmp_path))
    return model, HeldOut.of(list(toy.threads("dev")), np.random.default_rng(0))


def test_nats_bytes_and_words_of_a_post(toy: ArchiveCorpus, tmp_path: Any) -> None:
    model, _ = fitted(toy, tmp_path)
    held = HeldOut.of([Thread(1, (Post(1, text="bread and water"),))], np.random.default_rng(0))
    tokens = [*model.tokenizer.encode("bread and water"), model.tokenizer.end]
    nats = -sum(float(model.log_probs(model.start(()))[token]) for token in tokens)  # a unigram has one distribution
    assert score_text(model, held, 10, NEVER).tolist() == [[pytest.approx(nats, rel=1e-5), 15, 3]]


def test_time_that_is_up_leaves_the_first_posts(toy: ArchiveCorpus, tmp_path: Any) -> None:
    model, held = fitted(toy, tmp_path)
    whole = score_text(model, held, 10, NEVER)
    assert len(whole) == 10
    assert score_text(model, held, 10, 0.0).tolist() == whole[:1].tolist()  # one at least
    typed = type_posts(Engine({"unigram": model}, {}), held, 3, NEVER)
    first = type_posts(Engine({"unigram": model}, {}), held, 3, 0.0)
    assert {name: column[:1].tolist() for name, column in typed.columns.items()} == {
        name: column.tolist() for name, column in first.columns.items()
    }
    assert typed.columns["next"].shape == (3, LETTERS, 3)
    assert len(typed.milliseconds) == typed.columns["keys"][:, 0].sum()


def test_held_out_posts_come_back_in_their_order(toy: ArchiveCorpus, tmp_path: Any) -> None:
    threads = list(toy.threads("dev"))
    held = HeldOut.of(threads, np.random.default_rng(3)).first(7)
    held.save(tmp_path)
    again = HeldOut.load(tmp_path, threads[::-1])
    assert again.posts == held.posts
    assert again.contexts == held.contexts
    assert again.threads.tolist() == held.threads.tolist()
