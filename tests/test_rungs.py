"""The first rungs, by hand: the counting stands in the comments."""

from __future__ import annotations

from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_corpus
from test_contract import fit, fit_parts

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.errors import ConfigError, DamagedModel, ModelError
from rejoinder.models import LADDER
from rejoinder.models.bm25 import BM25, BM25Config
from rejoinder.models.canned import Canned, CannedConfig
from rejoinder.models.interfaces import Job
from rejoinder.models.markov import Markov, MarkovConfig
from rejoinder.models.unigram import Unigram, UnigramConfig
from rejoinder.post import Kind, Post

RNG = np.random.default_rng(0)


def everything(directory: Path, posts: list[Post]) -> ArchiveCorpus:
    """A corpus whose train part is all of `posts`, so that counts can be worked by hand."""
    return make_corpus(directory, posts, 256, everything=True)  # 256 pieces: every token is a byte


@pytest.fixture
def abab(tmp_path: Path) -> ArchiveCorpus:
    """Two posts that answer nothing, 'ab' and 'aab': POST a b END, POST a a b END."""
    return everything(tmp_path, [Post(1, Kind.STORY, "ab"), Post(2, Kind.STORY, "aab")])


def test_unigram_by_hand(abab: ArchiveCorpus, tmp_path: Path) -> None:
    model = Unigram.fit(abab, UnigramConfig(pseudo_count=1.0), rng=RNG, job=Job(tmp_path))
    # tokens that can come next: 256 bytes and END, 257. Counts: a 3, b 2, END 2, sum 7; with one more each 7 + 257 = 264
    a, b, end = model.tokenizer.encode("a")[0], model.tokenizer.encode("b")[0], model.tokenizer.end
    probs = np.exp(model.log_probs(()))
    assert probs[[a, b, end]].tolist() == pytest.approx([4 / 264, 3 / 264, 3 / 264], rel=1e-5)
    assert probs[model.tokenizer.encode("z")[0]] == pytest.approx(1 / 264, rel=1e-5)
    # b and END tie at 3/264: the smaller id, b, comes first
    assert [token for token, _ in model.top((), 3)] == [a, b, end]


def test_markov_by_hand(abab: ArchiveCorpus, tmp_path: Path) -> None:
    model = Markov.fit(abab, MarkovConfig(discount=0.5), rng=RNG, job=Job(tmp_path))
    a, b, end = model.tokenizer.encode("a")[0], model.tokenizer.encode("b")[0], model.tokenizer.end
    # edges: POST->a 2; a->b 2, a->a 1; b->END 2
    assert model.edges(model.tokenizer.post, 9) == [(a, 2)]
    assert model.edges(a, 9) == [(b, 2), (a, 1)]
    assert model.edges(a, 1) == [(b, 2)]
    assert model.edges(b, 9) == [(end, 2)]
    assert model.edges(end, 9) == []
    # unigram, 0.5 added to each of 257: a 3.5, b 2.5, END 2.5 over 7 + 128.5 = 135.5
    ua, ub, uz = 3.5 / 135.5, 2.5 / 135.5, 0.5 / 135.5
    # after a: 3 in all, 2 kinds, d = 0.5: b (2 - 0.5)/3, a (1 - 0.5)/3, and 0.5 * 2 / 3 = 1/3 spread by the unigram
    probs = np.exp(model.log_probs(a))
    z = model.tokenizer.encode("z")[0]
    assert probs[[a, b, z]].tolist() == pytest.approx([0.5 / 3 + ua / 3, 1.5 / 3 + ub / 3, uz / 3], rel=1e-5)
    # after z, which was never seen: the unigram
    assert np.exp(model.log_probs(z))[a] == pytest.approx(ua, rel=1e-5)
    # a reply was never seen: REPLY has no edges, so the unigram again
    assert np.exp(model.log_probs(model.start([Post(1)])))[a] == pytest.approx(ua, rel=1e-5)


def test_markov_estimates_its_discount(abab: ArchiveCorpus, tmp_path: Path) -> None:
    model = Markov.fit(abab, MarkovConfig(), rng=RNG, job=Job(tmp_path))
    # edges of weight 1: a->a; of weight 2: POST->a, a->b, b->END. d = 1 / (1 + 2 * 3) = 1/7
    a = model.tokenizer.encode("a")[0]
    expected = (1 - 1 / 7) / 3 + (1 / 7) * 2 / 3 * 3.5 / 135.5
    assert exp(model.log_probs(a)[a]) == pytest.approx(expected, rel=1e-5)


def test_a_walk_follows_edges_and_depends_on_its_seed_alone(toy: ArchiveCorpus, tmp_path: Path) -> None:
    model = Markov.fit(toy, MarkovConfig(), rng=RNG, job=Job(tmp_path))
    walks = [model.walk(np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert walks[0] == walks[1] != walks[2]
    assert all(token < model.tokenizer.size for walk in walks for token in walk)
    assert len(model.walk(np.random.default_rng(0), longest=3)) <= 3


# --- BM25 ------------------------------------------------------------------------------------------------------------

REPLIES = {11: "red apple", 12: "green apple pie", 13: "blue sky", 14: "red red rose in june"}


@pytest.fixture
def bm25(tmp_path: Path) -> BM25:
    posts = [
        Post(1, Kind.STORY, title="which fruit"),
        Post(2, Kind.STORY, title="which weather"),
        Post(3, Kind.STORY, title="flowers"),
    ]
    parents = {11: 1, 12: 1, 13: 2, 14: 3}
    posts += [Post(number, text=text, parent=parents[number]) for number, text in REPLIES.items()]
    return BM25.fit(everything(tmp_path, posts), BM25Config(), rng=RNG, job=Job(tmp_path / "work"))


def test_bm25_of_candidates_by_hand(bm25: BM25) -> None:
    # N = 4 replies of 2, 3, 2, 5 words: average 3. df(red) = 2, df(apple) = 2, df(rose) = 1
    idf2, idf1 = log(1 + (4 - 2 + 0.5) / 2.5), log(1 + (4 - 1 + 0.5) / 1.5)
    found = bm25.score_replies([Post(1, text="A red apple, or a rose?")], ["red apple", "rose rose", "blue", ""])
    # |d| = 2: k1 (1 - b + b 2/3) = 1.2 * 0.75 = 0.9; a word once: 2.2 / 1.9; twice: 2 * 2.2 / 2.9
    assert found.tolist() == pytest.approx([2 * idf2 * 2.2 / 1.9, idf1 * 4.4 / 2.9, 0.0, 0.0])


def test_bm25_proposes_the_replies_that_like_posts_got(bm25: BM25) -> None:
    found = bm25.propose([Post(9, Kind.STORY, "what weather today")], 5)
    assert [(s.post, s.thread, s.text, s.title) for s in found] == [(13, 2, "blue sky", "which weather")]
    # N = 4 pairs whose contexts have 2, 2, 2 and 1 words (average 7/4); df(weather) = 1, tf = 1, |d| = 2
    idf = log(1 + (4 - 1 + 0.5) / 1.5)
    assert found[0].score == pytest.approx(idf * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2 / 1.75)), rel=1e-3)


def test_bm25_knows_what_was_asked_before(bm25: BM25) -> None:
    # N = 4; which stands in what 3 of them answered, fruit in 2, zyzzyva in none
    which, fruit, unseen = (log(1 + (4 - df + 0.5) / (df + 0.5)) ** 2 for df in (3, 2, 0))
    whole = which + fruit + unseen + 100
    found = bm25.asked_before(
        [Post(9, text="Which fruit, zyzzyva? Which?")], [14, 13, 12, 99]
    )  # flowers share nothing; 99 is not here
    assert found == {12: pytest.approx(((which + fruit) / whole) ** 0.5), 13: pytest.approx((which / whole) ** 0.5)}
    assert (
        bm25.asked_before([Post(9, text="?!")], [12])
        == bm25.asked_before([], [12])
        == bm25.asked_before([Post(9, text="fruit")], [])
        == {}
    )


def test_bm25_is_silent_about_words_it_never_saw(bm25: BM25) -> None:
    assert bm25.propose([Post(9, text="zyzzyva")], 5) == []
    assert bm25.propose([Post(9, text='text:"red" OR *:* AND (')], 5) == []  # no query language: only words


def test_bm25_uses_the_rarest_words_of_a_long_post(tmp_path: Path) -> None:
    posts = [Post(n, Kind.STORY, title=f"common word{n}") for n in range(1, 50)]
    posts += [Post(100 + n, text=f"reply {n}", parent=n) for n in range(1, 50)]
    model = BM25.fit(everything(tmp_path, posts), BM25Config(terms=1), rng=RNG, job=Job(tmp_path / "w"))
    assert [s.text for s in model.propose([Post(9, text="common common word7")], 5)] == ["reply 7"]


def test_bm25_without_replies_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no reply whose parent"):
        BM25.fit(everything(tmp_path, [Post(1, Kind.STORY, "alone")]), BM25Config(), rng=RNG, job=Job(tmp_path / "w"))


# --- canned ----------------------------------------------------------------------------------------------------------


def test_canned_counts_each_thread_once_and_shows_one_of_each_kind(tmp_path: Path) -> None:
    posts: list[Post] = []
    said = {"Thanks!": 5, "thanks": 2, "I disagree.": 4, "Why?": 3, "Source?": 2, "Lunch was soup": 6}
    number = 0
    for text, threads in said.items():
        for _ in range(threads):
            number += 10
            posts += [Post(number, Kind.STORY, "question"), *(Post(number + i, text=text, parent=number) for i in (1, 2))]
    model = Canned.fit(everything(tmp_path, posts), CannedConfig(repeats=3), rng=RNG, job=Job(tmp_path))
    total = len(posts)  # 22 threads of 3 posts: 66
    assert total == 66
    # "Thanks!" and "thanks" are one reply: 7 threads, shown in its usual form; then disagree 4, why 3; soup 6 is of no kind
    assert model.replies == [
        ("Thanks!", pytest.approx(log(7 / 66))),
        ("I disagree.", pytest.approx(log(4 / 66))),
        ("Why?", pytest.approx(log(3 / 66))),
        ("Lunch was soup", pytest.approx(log(6 / 66))),
    ]  # "Source?" was said in 2 threads only


def test_canned_has_a_fixed_reply_of_each_kind_where_the_archive_has_none(tmp_path: Path) -> None:
    model = Canned.fit(everything(tmp_path, [Post(1, Kind.STORY, "alone")]), CannedConfig(), rng=RNG, job=Job(tmp_path))
    assert len(model.replies) == 3 and any(text.endswith("?") for text, _ in model.replies)


# --- settings and directories ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        *[("unigram", "pseudo_count", 0), ("markov", "discount", 1), ("markov", "discount", 0), ("bm25", "b", 1.5)],
        *[("bm25", "terms", 0), ("bm25", "k1", -1), ("canned", "longest", 0), ("canned", "keep", 0)],
    ],
)
def test_settings_out_of_range_are_named(name: str, key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"`{name}.{key}` must .*; got {value}"):
        LADDER[name].load().Config(**{key: value})


@pytest.mark.parametrize("name", list(LADDER))
def test_a_damaged_directory_is_a_clear_error(name: str, toy: ArchiveCorpus, tmp_path: Path) -> None:
    """Every file of a saved model, one after the other, missing and cut short: never a traceback of a library."""
    rung = LADDER[name].load()
    parts = fit_parts(name, toy, tmp_path / "parts")
    fit(name, toy, tmp_path / "w").save(tmp_path / "good")
    for file in sorted(f for f in (tmp_path / "good").rglob("*") if f.is_file()):
        whole = file.read_bytes()
        for damage in (None, whole[: len(whole) // 2], b""):
            file.unlink()
            if damage is not None:
                file.write_bytes(damage)
            try:
                rung.load(tmp_path / "good", parts)
            except DamagedModel as error:
                assert "fit" in str(error)
            else:  # some files are read only when they are needed; the manifest's sizes catch those
                assert file.parent.name == "index" or file.name.startswith("counts")
            file.write_bytes(whole)


def test_a_foreign_directory_is_a_clear_error(toy: ArchiveCorpus, tmp_path: Path) -> None:
    Unigram.fit(toy, UnigramConfig(), rng=RNG, job=Job(tmp_path)).save(tmp_path / "u")
    with pytest.raises(DamagedModel, match="holds no `markov`"):
        Markov.load(tmp_path / "u")
