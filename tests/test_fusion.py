"""The fusion: words as numbers, what texts have in common, two regressions by hand, weights, scores that are log-odds."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, log1p, sqrt
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from conftest import make_corpus, toy_posts

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.errors import ConfigError, DamagedModel, ModelError
from rejoinder.models import word_statistics
from rejoinder.models.bags import LONGEST, Bags, find, read
from rejoinder.models.bm25 import BM25, BM25Config
from rejoinder.models.fusion import CandidateLists, Fusion, FusionConfig, fit_weights
from rejoinder.models.interfaces import Job
from rejoinder.models.overlap import NAMES, Overlap
from rejoinder.models.regression import conditional_logit, logistic
from rejoinder.models.word_statistics import WordStatistics
from rejoinder.post import Kind, Post
from rejoinder.text.batches import batches

POSTS = ["red cat", "red dog red", "blue fish", "blue cat"]  # N = 4; 9 words
ASKED = ["red cat", "blue fish", "blue cat", "red dog"]
REPLIES = ["red mat", "sea", "red", "red red bone"]


def code(word: str) -> int:
    return crc32(word.encode())


def counted(**changes: Any) -> WordStatistics:
    given = {"posts": iter([POSTS]), "pairs": [(ASKED, REPLIES)], "letters": None, **changes}
    return WordStatistics.count(given["posts"], given["pairs"], given["letters"])


def at(of: WordStatistics, word: str) -> int:
    return int(find(of.codes, np.array([code(word)]))[0])


@pytest.fixture(scope="module")
def fusion(toy: ArchiveCorpus, tmp_path_factory: pytest.TempPathFactory) -> Fusion:
    return fit(toy, tmp_path_factory.mktemp("fusion"))


def fit(corpus: ArchiveCorpus, directory: Path, config: FusionConfig | None = None) -> Fusion:
    rng = np.random.default_rng(0)
    (directory / "bm25").mkdir()
    bm25 = BM25.fit(corpus, BM25Config(), rng=rng, job=Job(directory / "bm25"))
    return Fusion.fit(corpus, config or FusionConfig(), rng=rng, job=Job(directory, parts={"bm25": bm25}))


# --- bags ------------------------------------------------------------------------------------------------------------


def test_bags_hold_each_word_of_each_text_once_with_its_count() -> None:
    bags = Bags.of(read(["b a b", "", "A"]))
    assert bags.lengths.tolist() == [3, 0, 1]
    assert bags.owner.tolist() == [0, 0, 2]
    assert dict(zip(bags.codes[:2].tolist(), bags.counts[:2].tolist(), strict=True)) == {code("a"): 1, code("b"): 2}
    assert sorted(bags.codes[:2].tolist()) == bags.codes[:2].tolist() and bags.codes[2] == code("a")
    assert bags.damped[bags.counts == 2] == pytest.approx(1 + log(2))
    assert bags.total(np.array([1.0, 2.0, 5.0])).tolist() == [3, 0, 5]


def test_stems_are_the_first_letters() -> None:
    bags = Bags.of(read(["compile compiler company"]), 5)
    assert dict(zip(bags.codes.tolist(), bags.counts.tolist(), strict=True)) == {code("compi"): 2, code("compa"): 1}


def test_of_a_long_text_the_first_words_are_read() -> None:
    assert Bags.of(read(["a " * 5000])).counts.tolist() == [LONGEST]


def test_find_gives_places_and_the_length_for_what_is_not_there() -> None:
    assert find(np.array([2, 5, 9]), np.array([9, 1, 5, 10])).tolist() == [2, 3, 1, 3]
    assert find(np.array([], np.int64), np.array([9])).tolist() == [0]


# --- statistics of words ---------------------------------------------------------------------------------------------


def test_document_frequencies_and_shares_by_hand() -> None:
    of = counted()
    # red is in 2 of 4 posts, three times among 9 words; 5 words and the unknown one get half a count each
    assert of.idf[at(of, "red")] == pytest.approx(log(1 + (4 - 2 + 0.5) / 2.5))
    assert of.share[at(of, "red")] == pytest.approx((3 + 0.5) / (9 + 3))
    assert of.idf[-1] == pytest.approx(log(1 + 4.5 / 0.5)) and of.share[-1] == pytest.approx(0.5 / 12)
    assert of.share.sum() == pytest.approx(1)
    assert at(of, "sea") == len(of.codes) == 5  # only words of posts are known


def test_batches_change_nothing() -> None:
    one = counted()
    two = counted(posts=iter([POSTS[:1], POSTS[1:]]), pairs=[(ASKED[:3], REPLIES[:3]), (ASKED[3:], REPLIES[3:])])
    for name in ("codes", "idf", "share", "lift", "usual", "offsets", "called", "call"):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name
    assert [len(some) for some in batches(range(5), 2)] == [2, 2, 1] and not list(batches([], 2))


def test_little_memory_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    vocabulary = np.array([f"w{n}" for n in range(300)])
    asked, replies = ([" ".join(vocabulary[rng.zipf(1.3, 20) % 300]) for _ in range(240)] for _ in range(2))
    pairs = [(asked[at : at + 60], replies[at : at + 60]) for at in range(0, 240, 60)]
    alike = counted(posts=iter([asked, replies, asked]), pairs=pairs)
    monkeypatch.setattr(word_statistics, "_WAITING", 0)  # each batch is merged by itself, once there are as many
    monkeypatch.setattr(word_statistics, "_PENDING", 200)  # pairs of words, so that they are counted in many ranges
    ranges = set[tuple[int, int]]()
    pairs_of = word_statistics._Crossing.pairs

    def noted(self: word_statistics._Crossing, begin: int, end: int, words: int) -> Any:
        ranges.add((begin, end))
        return pairs_of(self, begin, end, words)

    monkeypatch.setattr(word_statistics._Crossing, "pairs", noted)
    little = counted(posts=iter([asked, replies, asked]), pairs=pairs)
    assert len(alike.called) > 5 and len(ranges) > 5
    for name in ("codes", "idf", "share", "lift", "usual", "offsets", "called", "call"):
        assert np.array_equal(getattr(alike, name), getattr(little, name)), name


def test_a_word_that_replies_take_up_is_lifted_by_hand() -> None:
    of = counted()
    # red: in 2 of 4 posts asked (0 and 3), in 3 of 4 replies (0, 2, 3), in both in pairs 0 and 3: both = 2, expected = 2 * 3 / 4.
    # Words with df 2 or less than 7 (log2(df + 1) in [1, 2)): red, blue, cat have df 2: of them both = 2, expected = 1.5
    usual = (2 + 0.1) / (1.5 + 0.1 / 50)
    assert of.lift[at(of, "red")] == pytest.approx(log((2 + 2) / (1.5 + 2 / usual)))
    # cat: asked in two, replied in none: both = expected = 0, so it is taken for one of its like
    assert of.lift[at(of, "cat")] == pytest.approx(log(usual))
    assert of.usual[at(of, "red")] == pytest.approx(3 / 4 + 1e-4)


def test_words_that_call_up_others_by_hand() -> None:
    # of 200 posts 4 have "rust", and 4 replies to these "borrow"; all else is different each time
    asked = [f"rust q{n}" if n < 4 else f"p{n} q{n}" for n in range(200)]
    replies = [f"borrow r{n}" if n < 4 else f"r{n}" for n in range(200)]
    of = WordStatistics.count(iter([asked + replies]), [(asked, replies)], None)
    rust, borrow = at(of, "rust"), at(of, "borrow")
    assert of.called[of.offsets[rust] : of.offsets[rust + 1]].tolist() == [borrow] and len(of.call) == 1
    # n = 4, expected 4 * 4 / 200 = 0.08, far above chance: (4 - 1) / (4 + 5) - 4 / 200
    assert of.call[0] == pytest.approx(3 / 9 - 0.02)
    local = np.sort(np.array([code("borrow"), code("rust"), code("elsewhere")]))
    found = dict(zip(local.tolist(), of.called_up(np.array([code("rust"), code("never")]), local).tolist(), strict=True))
    assert found == {code("borrow"): pytest.approx(3 / 9 - 0.02), code("rust"): 0, code("elsewhere"): 0}


def test_calls_are_those_of_a_slow_count() -> None:
    rng = np.random.default_rng(0)
    vocabulary = [f"w{n}" for n in range(60)]
    texts = [" ".join(rng.choice(vocabulary, 4)) for _ in range(600)]
    asked, replies = texts[:300], texts[300:]
    for place in range(0, 300, 30):  # something to find
        asked[place], replies[place] = "w1 w2", "w3 w1"
    posts = [*texts, *[f"x{n}" for n in range(3000)]]
    of = WordStatistics.count(iter([posts]), [(asked[:100], replies[:100]), (asked[100:], replies[100:])], None)
    split = [({*a.split()}, {*r.split()}) for a, r in zip(asked, replies, strict=True)]
    expected = {}
    for one in vocabulary:
        for other in vocabulary:
            n = sum(one in a and other in r for a, r in split)
            nc, nr = sum(one in a for a, _ in split), sum(other in r for _, r in split)
            e = nc * nr / 300
            call = (n - 1) / (nc + 5) - nr / 300
            if one != other and min(nc, nr) >= 3 and (n - e) > 2.5 * sqrt(e + 0.5) and call > 0:
                expected[at(of, one), at(of, other)] = call
    found = {
        (c, int(of.called[e])): float(of.call[e]) for c in range(len(of.codes)) for e in range(of.offsets[c], of.offsets[c + 1])
    }
    assert found.keys() == expected.keys() and len(found) >= 2
    assert all(found[key] == pytest.approx(expected[key], rel=1e-5) for key in expected)


# --- overlap ---------------------------------------------------------------------------------------------------------


def slow_cosine(of: WordStatistics, one: Sequence[str], other: Sequence[str]) -> float:
    def vector(text: Sequence[str]) -> dict[str, float]:
        return {w: (1 + log(text.count(w))) * float(of.idf[at(of, w)]) ** 1.5 for w in text}

    a, b = vector(one), vector(other)
    size = sqrt(sum(x * x for x in a.values())) * sqrt(sum(x * x for x in b.values()))
    return sum(a[w] * b.get(w, 0.0) for w in a) / size if size else 0.0


def test_features_are_those_of_slow_formulas() -> None:
    words, stems = counted(), counted(letters=5)
    overlap = Overlap({"word": words, "stem": stems})
    context = (Post(1, Kind.STORY, title="Blue fish"), Post(2, text="Red cat"), Post(3, text="a red dog, red", parent=2))
    candidates = ["red red fish", "bone", ""]
    found = overlap.features(context, candidates)
    assert found.shape == (3, len(NAMES))
    last, above, opening = ["a", "red", "dog", "red"], ["blue", "fish", "red", "cat"], ["blue", "fish"]
    for row, text in enumerate(candidates):
        said = text.split()
        got = dict(zip(NAMES, found[row].tolist(), strict=True))
        for name, asked in (("last", last), ("above", above), ("opening", opening)):
            assert got[f"{name}_word"] == pytest.approx(slow_cosine(words, asked, said))
        size = len(last) + 0.3 * len(above)
        likely = sum(
            log1p((last.count(w) + 0.3 * above.count(w)) / (3000 * float(words.share[at(words, w)]))) + log(3000 / (size + 3000))
            for w in said
        )
        assert got["likely_word"] == pytest.approx(likely / sqrt(len(said) + 5), rel=1e-5)
        answered = sum(
            log1p(said.count(w) / (1000 * float(words.share[at(words, w)]))) + log(1000 / (len(said) + 1000)) for w in last
        )
        assert got["answered_word"] == pytest.approx(answered, rel=1e-5, abs=1e-12)
        assert got["taken_up_word"] == pytest.approx(sum(float(words.lift[at(words, w)]) for w in {*said} & {*last}))
        assert got["length"] == pytest.approx(log(1 + len(said)))
        assert got["length_by_context"] == pytest.approx(log(1 + len(said)) * log(5))
    assert found[1, NAMES.index("called_up_word")] == 0


def test_stems_meet_where_words_do_not(fusion: Fusion) -> None:
    (row,) = fusion._overlap.features((Post(1, text="engines stalled"),), ["the engine stalls"])
    got = dict(zip(NAMES, row.tolist(), strict=True))
    assert got["last_word"] == 0 and got["last_stem"] > 0.3


# --- regressions -----------------------------------------------------------------------------------------------------


def test_conditional_logit_by_hand() -> None:
    # one feature, lists of two that differ by 1: in three of four the first is the larger. p = 1 / (1 + exp(-w)) = 3/4
    x = np.array([[[1], [0]], [[1], [0]], [[1], [0]], [[0], [1]]], np.float32)
    assert conditional_logit(x, 1e-9, np.zeros(1)) == pytest.approx([log(3)], abs=1e-4)
    assert conditional_logit(x, 1e9, np.array([2.0])) == pytest.approx([2.0], abs=1e-4)


def test_conditional_logit_finds_the_weights_that_chose() -> None:
    rng = np.random.default_rng(0)
    true = np.array([1.5, -0.7, 0.0])
    x = rng.normal(size=(4000, 8, 3))
    chosen = (x @ true + rng.gumbel(size=(4000, 8))).argmax(axis=1)  # Gumbel noise makes the choice a softmax
    rows = np.arange(4000)
    x[rows, 0], x[rows, chosen] = x[rows, chosen].copy(), x[rows, 0].copy()
    assert conditional_logit(x.astype(np.float32), 1.0, np.zeros(3)) == pytest.approx(true, abs=0.1)


def test_logistic_by_hand() -> None:
    # a constant alone: p is the share of what counts, here 3 of 3 + 9
    y, mass = np.array([1.0, 0.0]), np.array([3.0, 9.0])
    assert logistic(np.ones((2, 1)), y, mass, 1e-9, np.zeros(1)) == pytest.approx([log(3 / 9)], abs=1e-4)


# --- the rung --------------------------------------------------------------------------------------------------------


def synthetic(kind_weights: Sequence[Sequence[float]], n: int = 600, others: int = 99) -> list[CandidateLists]:
    rng = np.random.default_rng(1)
    found = []
    for weights in kind_weights:
        x = rng.normal(size=(n, 1 + others, 2))
        chosen = (x @ np.array(weights) + rng.gumbel(size=(n, 1 + others))).argmax(axis=1)
        rows = np.arange(n)
        x[rows, 0], x[rows, chosen] = x[rows, chosen].copy(), x[rows, 0].copy()
        found.append(CandidateLists(x.astype(np.float32), np.tile([1.0, 2.0, 0.0], (n, 1))))
    return found


def test_each_kind_has_weights_of_its_own_and_scores_are_log_odds_of_one_in_a_hundred() -> None:
    kinds = synthetic([(2.0, 0.0), (0.0, 2.0)])
    fitted = fit_weights(kinds, 2, 1.0)
    assert fitted.weights[0] == pytest.approx([2, 0], abs=0.25) and fitted.weights[1] == pytest.approx([0, 2], abs=0.25)
    for kind, lists in enumerate(kinds):
        scores = np.stack([fitted.scores(x.astype(np.float64), kind, lists.known[0]) for x in lists.x])
        p = 1 / (1 + np.exp(-scores))
        assert p.sum() / len(p) == pytest.approx(1, abs=0.05)  # one of a hundred is the true one
        likely = (p > 0.1) & (p < 0.6)
        assert likely[:, 0].sum() / likely.sum() == pytest.approx(p[likely].mean(), abs=0.05)


def test_a_kind_without_pairs_has_the_common_weights() -> None:
    one, _ = synthetic([(2.0, 0.0), (0.0, 0.0)])
    none = CandidateLists(np.empty((0, 1, 2), np.float32), np.empty((0, 3)))
    fitted = fit_weights([none, one], 2, 1.0)
    assert fitted.weights[0] == pytest.approx([2, 0], abs=0.25)
    with pytest.raises(ModelError, match="replies in two threads at least"):
        fit_weights([none, none], 2, 1.0)


def test_it_ranks_by_all_its_parts(fusion: Fusion) -> None:
    context = (Post(1, Kind.STORY, title="Why does my engine stall ?"),)
    scores = fusion.score_replies(context, ["Check the fuel filter of the engine", "Let the dough rest", ""])
    assert scores.argmax() == 0
    assert fusion.features == ("bm25", *NAMES)
    assert fusion.measure(context, ["the engine"])[0, 0] == fusion._parts["bm25"].score_replies(context, ["the engine"])[0]


def test_what_says_the_context_again_is_no_answer(fusion: Fusion) -> None:
    """Of all texts it has most in common with it; in the thread itself it stands among the candidates."""
    context = (Post(1, Kind.STORY, "Why does the engine stall ?"), Post(2, text="Is the filter clean ?", parent=1))
    said = ["is the filter clean", "WHY does the engine stall?", "Why does the engine stall at all"]
    scores = fusion.score_replies(context, said)
    assert scores[:2].tolist() == [-20.0, -20.0] and scores[2] > -20
    assert fusion.score_replies(context, said[2:])[0] == scores[2]  # the same in any company


def test_without_dev_pairs_it_is_weighed_on_train(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    corpus = make_corpus(tmp_path, toy_posts(30), everything=True)
    found = fit(corpus, tmp_path, FusionConfig(pairs=40))
    assert "weighed on train" in caplog.text
    assert np.isfinite(found.score_replies((Post(1, text="dough"),), ["dough", "fuel"])).all()


def test_parts_that_are_named_must_be_there(toy: ArchiveCorpus, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="needs bm25, fitted; rejoinder fit bm25"):
        Fusion.fit(toy, FusionConfig(models=("bm25",)), rng=np.random.default_rng(0), job=Job(tmp_path))


def test_a_directory_that_does_not_fit_is_refused(fusion: Fusion, tmp_path: Path) -> None:
    fusion.save(tmp_path)
    with pytest.raises(DamagedModel, match="do not fit together"):
        Fusion.load(tmp_path, {})
    (tmp_path / "features.json").write_text("[]")
    with pytest.raises(DamagedModel, match="do not fit together"):
        Fusion.load(tmp_path, fusion._parts)


@pytest.mark.parametrize(
    ("settings", "what"),
    [({"models": ("bm26",)}, "fusion.models"), ({"models": ("lstm",)}, "fusion.models"), ({"shrink": 0.0}, "fusion.shrink")],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        FusionConfig(**settings)


def test_a_thread_may_say_a_word_more_often_than_a_text_has_words() -> None:
    """What is asked is a whole thread: its posts are read up to a bound each, not all of them together."""
    assert Bags.of([["the"] * (LONGEST + 13)]).damped.tolist() == [pytest.approx(1 + log(LONGEST + 13))]
