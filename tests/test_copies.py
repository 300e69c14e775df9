"""The copy guard over more than can be kept: the likeliest runs that one thread alone holds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kneser_ney import TEXTS, WORDS, arrays

from rejoinder.models.interfaces import Job
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.publish.arrays import learn_tokenizer, write_arrays
from rejoinder.publish.copies import TokenScores, _alone, _Likeliest, guard
from rejoinder.publish.counting import fit_counts
from rejoinder.publish.reading import TALK, ReadConfig, reading
from rejoinder.text.ngrams import count_ngrams
from rejoinder.text.phrases import RUN
from rejoinder.text.words import placed_words, words


@settings(deadline=None, max_examples=40)
@given(TEXTS, TEXTS, st.integers(1, 4))
def test_all_tokens_at_once_are_scored_as_one_after_the_other(
    learned: list[list[str]], said: list[list[str]], order: int
) -> None:
    counts = count_ngrams(arrays(learned), order, WORDS.vocabulary)
    model = KneserNey.from_counts(KneserNeyConfig(order=order), WORDS, counts)
    wanted: list[float] = []
    for text in said:
        state = model.start(())
        wanted.append(0.0)
        for token in [*WORDS.encode(" ".join(text)), WORDS.end]:
            wanted.append(model.log_prob(state, token))
            state = model.advance(state, token)
    found = TokenScores(model.index).of(arrays(said), 0, len(said))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.floats(-20, 0, width=32)), max_size=80), st.integers(1, 12))
def test_the_likeliest_are_those_of_a_sort(shown: list[tuple[int, float]], most: int) -> None:
    kept = _Likeliest(most)
    for start in range(0, len(shown), 7):
        part = shown[start : start + 7]
        kept.add(np.array([run for run, _ in part], np.uint64), np.array([score for _, score in part], np.float32))
    runs, scores = kept.sorted()
    best: dict[int, float] = {}
    for run, score in shown:
        best[run] = max(score, best.get(run, -np.inf))
    assert len(runs) <= most and runs.tolist() == sorted(set(runs.tolist()))
    assert all(best[run] == score for run, score in zip(runs.tolist(), scores.tolist(), strict=True))
    left = [score for run, score in best.items() if run not in set(runs.tolist())]
    if len(best) <= most:
        assert not left
    elif left and len(runs):
        assert max(left) <= scores.min()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=60))
def test_whose_a_run_is_is_what_a_search_finds(records: list[tuple[int, int]]) -> None:
    stored = np.array(records, dtype=[("run", "<u8"), ("thread", "<u8")])
    found = np.unique(stored["run"])
    wanted = [len({thread for run, thread in records if run == one}) == 1 for one in found.tolist()]
    assert _alone(found, stored).tolist() == wanted


@settings(deadline=None)
@given(st.text(max_size=80))
def test_words_stand_where_they_are_said_to(text: str) -> None:
    placed = placed_words(text)
    if text.isascii():
        assert [word for word, _ in placed] == words(text)
    assert all(0 < end <= len(text) for _, end in placed)


def test_words_of_an_address_are_not_looked_at() -> None:
    text = "See https://example.org/a/b for it"
    assert placed_words(text) == [("see", 3), ("for", 31), ("it", 34)] and text[:31].endswith("for")


COMMON = "the kettle is on the stove and the tea is in the pot"
OWN = "a purple walrus plays chess on sundays near the old lighthouse"


@pytest.mark.filterwarnings("ignore")
def test_a_run_of_one_thread_is_caught_and_one_of_two_is_not(tmp_path: Path) -> None:
    posts = [{"id": n, "text": f"{COMMON} said number{n}"} for n in range(1, 60)]
    posts += [{"id": 100 + n, "text": OWN, "parent": 100} for n in range(4)]  # one thread, though four posts
    posts += [{"id": 200 + n, "text": f"we all like tea so much number{n}"} for n in range(40)]
    (tmp_path / "talk.jsonl").write_text("\n".join(json.dumps(post) for post in posts))
    config = ReadConfig("talk.jsonl", register="speech", map=TALK)
    with reading([config], tmp_path, tmp_path / "work") as found:
        write_arrays(found, learn_tokenizer(found, 300, 2))
        model = fit_counts(found, KneserNeyConfig(order=3, posts=1, size=100_000), Job(tmp_path))
        train = {post.text for post in found.posts("train")}
        assert any(COMMON in text for text in train)
        whole = guard(found.sources, model, 10_000, tmp_path)
        tight = guard(found.sources, model, 2, tmp_path)
    held_out = OWN not in train
    assert not whole.copied(COMMON)
    assert held_out or whole.copied(OWN)
    assert tight.runs <= 1 < whole.runs and len(words(OWN)) > RUN
