"""Modified Kneser-Ney: by hand, against slow oracles, and exact under merging and forgetting."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import islice, pairwise
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_corpus, toy_posts
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.errors import ConfigError, DamagedModel, ModelError
from rejoinder.models.cache import Cache, fit_weights
from rejoinder.models.interfaces import Job
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.models.smoothing import FALLBACK
from rejoinder.post import Kind, Post
from rejoinder.text.counting import Room, count_ngrams
from rejoinder.text.ngrams import NgramCounts, merge, subtract
from rejoinder.text.tensors import TokenArrays, open_tokens
from rejoinder.text.tokenizer import WordTokenizer

WORDS = WordTokenizer(["a", "b", "c", "d"])
POST, REPLY, END = WORDS.post, WORDS.reply, WORDS.end
TEXTS = st.lists(st.lists(st.sampled_from(WORDS.words), min_size=1, max_size=8), min_size=1, max_size=12)


def arrays(texts: Sequence[Sequence[str]]) -> TokenArrays:
    posts = [[POST, *WORDS.encode(" ".join(text)), END] for text in texts]
    offsets = np.concatenate([[0], np.cumsum([len(post) for post in posts])]).astype(np.int64)
    return TokenArrays(np.concatenate([np.array(post, np.uint16) for post in posts]), offsets, np.arange(len(posts)))


def model_of(texts: Sequence[Sequence[str]], **config: Any) -> KneserNey:
    settings = KneserNeyConfig(**config)
    return KneserNey.from_counts(settings, WORDS, count_ngrams(arrays(texts), settings.order, WORDS.vocabulary))


def after(model: KneserNey, text: str) -> Any:
    state = model.start(())
    for token in WORDS.encode(text):
        state = model.advance(state, token)
    return state


def same(one: NgramCounts, other: NgramCounts) -> bool:
    return all(
        np.array_equal(getattr(a, name), getattr(b, name)) and getattr(a, name).dtype == getattr(b, name).dtype
        for a, b in zip(one.levels, other.levels, strict=True)
        for name in ("parent", "token", "count")
    )


def all_arrays(model: KneserNey) -> list[bytes]:
    assert model.counts is not None
    levels = [*model.index, *model.counts.levels]
    return [np.ascontiguousarray(array).tobytes() for level in levels for array in vars(level).values()]


# --- by hand ---------------------------------------------------------------------------------------------------------


def test_a_bigram_model_by_hand() -> None:
    # posts "a b" and "a c": POST a b END, POST a c END
    model = model_of([["a", "b"], ["a", "c"]], order=2)
    # counts of counts are too few, so D1, D2, D3 = 0.5, 1, 1.5 for both orders
    assert FALLBACK == (0.5, 1.0, 1.5)
    # unigrams count in how many ways a token was preceded: a 1 (POST), b 1 (a), c 1 (a), END 2 (b, c); together A = 5
    # discounted: a .5, b .5, c .5, END 2 - 1 = 1; freed 0.5 * 3 + 1 * 1 = 2.5; V' = 4 words and END = 5
    # p(a) = .5/5 + (2.5/5)/5 = 0.2, p(END) = 1/5 + 0.1 = 0.3, p(d) = 0.1
    unigram = {"a": 0.2, "b": 0.2, "c": 0.2, "d": 0.1, "END": 0.3}
    assert sum(unigram.values()) == pytest.approx(1)
    # bigrams keep their counts. After a: b 1, c 1; A = 2, freed 0.5 + 0.5 = 1, so g = 0.5
    # p(b | a) = 0.5/2 + 0.5 * 0.2 = 0.35; p(d | a) = 0.5 * 0.1 = 0.05
    here = np.exp(model.log_probs(after(model, "a")))
    assert here[WORDS.encode("b c d")] == pytest.approx([0.35, 0.35, 0.05])
    # at the beginning: a 2 of 2, discounted by 1: p(a | POST) = 1/2 + 1/2 * 0.2 = 0.6
    assert np.exp(model.log_probs(model.start(())))[WORDS.encode("a")] == pytest.approx([0.6])
    # d was never seen, so after it the unigram speaks
    assert np.exp(model.log_probs(after(model, "d")))[[*WORDS.encode("a b c d"), END]] == pytest.approx(list(unigram.values()))


class Slow:
    """Modified Kneser-Ney with dictionaries, straight from the formulas: one probability at a time."""

    def __init__(self, texts: Sequence[Sequence[str]], order: int) -> None:
        self.order = order
        self.counts: list[Counter[tuple[int, ...]]] = [Counter() for _ in range(order + 1)]
        for text in texts:
            post = [POST, *WORDS.encode(" ".join(text)), END]
            for n in range(1, order + 1):
                self.counts[n].update(tuple(post[i : i + n]) for i in range(len(post) - n + 1))
        self.adjusted: list[dict[tuple[int, ...], int]] = [{} for _ in range(order + 1)]
        for n in range(1, order + 1):
            for gram, count in self.counts[n].items():
                ways = len({longer[0] for longer in self.counts[n + 1] if longer[1:] == gram}) if n < order else count
                self.adjusted[n][gram] = count if gram[0] == POST else ways
        self.adjusted[1].pop((POST,), None)
        self.discounts = [self._discounts(list(level.values())) for level in self.adjusted]

    @staticmethod
    def _discounts(values: list[int]) -> tuple[float, ...]:
        n = [values.count(k) for k in range(5)]
        if n[1] and n[2] and n[3]:
            y = n[1] / (n[1] + 2 * n[2])
            found = tuple(k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3))
            if all(0 < d <= k for k, d in enumerate(found, start=1)):
                return (0.0, *found)
        return (0.0, *FALLBACK)

    def prob(self, context: tuple[int, ...], token: int) -> float:
        n = len(context) + 1
        lower = self.prob(context[1:], token) if context else 1 / (WORDS.vocabulary - 2)
        followers = {gram[-1]: a for gram, a in self.adjusted[n].items() if gram[:-1] == context}
        total = sum(followers.values())
        if not total:
            return lower
        discount = self.discounts[n]
        freed = sum(discount[min(a, 3)] for a in followers.values())
        return max(followers.get(token, 0) - discount[min(followers.get(token, 0), 3)], 0) / total + freed / total * lower


@settings(max_examples=60)
@given(TEXTS, st.integers(1, 5), st.lists(st.sampled_from(WORDS.words), max_size=6))
@example([["a"], ["a"], ["a", "a", "b"], ["a", "b"], ["c", "a"], ["b", "c", "a", "b", "b", "a", "d"]], 2, [])  # D3 would be 0
def test_every_probability_is_that_of_the_slow_one(texts: list[list[str]], order: int, context: list[str]) -> None:
    model, slow = model_of(texts, order=order), Slow(texts, order)
    ids = [POST, *WORDS.encode(" ".join(context))]
    state = after(model, " ".join(context))
    probs = np.exp(model.log_probs(state).astype(np.float64))
    for token in [*range(WORDS.size), END]:
        expected = slow.prob(tuple(ids[max(len(ids) - (order - 1), 0) :]) if order > 1 else (), token)
        assert probs[token] == pytest.approx(expected, rel=1e-4)
        assert model.log_prob(state, token) == pytest.approx(log(expected), abs=1e-4)


@settings(max_examples=60)
@given(TEXTS, st.integers(1, 6), st.integers(0, 2), st.lists(st.sampled_from(WORDS.words), max_size=6), st.integers(1, 8))
def test_sums_to_one_and_top_is_the_sorted_distribution(
    texts: list[list[str]], order: int, prune: int, context: list[str], k: int
) -> None:
    model = model_of(texts, order=order, prune=prune)
    state = after(model, " ".join(context))
    log_probs = model.log_probs(state)
    assert abs(np.exp(log_probs.astype(np.float64)).sum() - 1) <= 1e-4
    assert log_probs[POST] == log_probs[REPLY] == -np.inf
    possible = [token for token in range(WORDS.vocabulary) if token not in (POST, REPLY)]
    expected = sorted(possible, key=lambda token: (-log_probs[token], token))[:k]
    assert [token for token, _ in model.top(state, k)] == expected
    assert [value for _, value in model.top(state, k)] == [float(log_probs[token]) for token in expected]


# --- counting --------------------------------------------------------------------------------------------------------


def spelled(counts: NgramCounts) -> list[dict[tuple[int, ...], int]]:
    """The n-grams of each order, as dictionaries."""
    grams: list[tuple[int, ...]] = [()]
    found = []
    for level in counts.levels:
        grams = [(*grams[parent], token) for parent, token in zip(level.parent.tolist(), level.token.tolist(), strict=True)]
        found.append(dict(zip(grams, level.count.tolist(), strict=True)))
    return found


@settings(max_examples=50)
@given(TEXTS, st.integers(1, 6))
def test_counting_is_counting(texts: list[list[str]], order: int) -> None:
    slow: list[defaultdict[tuple[int, ...], int]] = [defaultdict(int) for _ in range(order)]
    for text in texts:
        post = [POST, *WORDS.encode(" ".join(text)), END]
        for n in range(1, order + 1):
            for start in range(len(post) - n + 1):
                slow[n - 1][tuple(post[start : start + n])] += 1
    counts = count_ngrams(arrays(texts), order, WORDS.vocabulary)
    assert spelled(counts) == slow
    for level in spelled(counts):
        assert list(level) == sorted(level)


@settings(max_examples=50)
@given(TEXTS, st.integers(1, 5), st.integers(1, 40))
def test_counting_in_pieces_is_counting_at_once(texts: list[list[str]], order: int, tokens: int) -> None:
    at_once = count_ngrams(arrays(texts), order, WORDS.vocabulary)
    assert same(count_ngrams(arrays(texts), order, WORDS.vocabulary, Room(40 * tokens)), at_once)


@settings(max_examples=50)
@given(TEXTS, TEXTS, TEXTS, st.integers(1, 5))
def test_merged_counts_are_the_counts_of_all_and_subtracting_takes_them_back(
    one: list[list[str]], two: list[list[str]], three: list[list[str]], order: int
) -> None:
    parts = [count_ngrams(arrays(texts), order, WORDS.vocabulary) for texts in (one, two, three)]
    whole = count_ngrams(arrays(one + two + three), order, WORDS.vocabulary)
    assert same(merge(parts), whole)
    assert same(merge(parts, at_a_time=3), whole)  # range by range
    assert same(subtract(whole, parts[1]), merge([parts[0], parts[2]]))


def test_what_was_never_counted_cannot_be_subtracted() -> None:
    one, two = (count_ngrams(arrays(texts), 2, WORDS.vocabulary) for texts in ([["a"]], [["b"]]))
    with pytest.raises(ValueError, match="the others do not"):
        subtract(one, two)
    with pytest.raises(ValueError, match="different vocabularies or orders"):
        merge([one, count_ngrams(arrays([["a"]]), 3, WORDS.vocabulary)])


def test_four_shards_of_real_text_merge_to_the_very_model_of_one_run(real_corpus: ArchiveCorpus) -> None:
    train = open_tokens(real_corpus.tokens, "train")
    tokenizer = _tokenizer(real_corpus)
    cuts = np.linspace(0, len(train.posts), 5).astype(int)
    shards = [
        TokenArrays(train.tokens, train.offsets[first : last + 1], train.posts[first:last]) for first, last in pairwise(cuts)
    ]
    config = KneserNeyConfig()
    merged = merge([count_ngrams(shard, 5, tokenizer.vocabulary) for shard in shards])
    straight = count_ngrams(train, 5, tokenizer.vocabulary)
    one, other = (KneserNey.from_counts(config, tokenizer, counts) for counts in (merged, straight))
    assert all_arrays(one) == all_arrays(other)


@pytest.fixture(scope="module")
def real_corpus(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> ArchiveCorpus:
    """A corpus of real text where it is at hand, else of the embedded archive."""
    from conftest import find_real_data

    from rejoinder.archive.source import Hasher
    from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
    from rejoinder.home.sample import SAMPLE

    directory = find_real_data()
    file = directory / "hn.jsonl.gz" if directory else Path(__file__).parents[1] / "src" / "rejoinder" / "bundle" / SAMPLE
    posts = (item for item in islice(HACKER_NEWS.read(file, Hasher()), 6_000) if isinstance(item, Post))
    return make_corpus(tmp_path_factory.mktemp("real"), posts, 2_000)


def _tokenizer(corpus: ArchiveCorpus) -> Any:
    from rejoinder.text.tensors import open_tokenizer

    return open_tokenizer(corpus.tokens)


# --- pruning and cache -----------------------------------------------------------------------------------------------


def test_pruning_leaves_out_rare_long_n_grams_only() -> None:
    texts = [["a", "b", "c"]] * 3 + [["a", "b", "d"]]
    full, pruned = model_of(texts, order=3), model_of(texts, order=3, prune=1)
    assert len(pruned.index[1].token) == len(full.index[1].token)
    # trigrams: POST a b (4), a b c (3), b c END (3), a b d (1), b d END (1): two were seen once
    assert (len(full.index[2].token), len(pruned.index[2].token)) == (5, 3)


def test_the_cache_by_hand() -> None:
    # history a b a, half-life 1 token: the last counts 1/2, the one before 1/4, the first 1/8: a 5/8, b 2/8, together 7/8
    cache = Cache(10, 1.0, (0.5, 0.2))
    history = cache.remember(b"", 0, 1, 0)
    even = np.log(np.full(4, 0.25, np.float32))
    assert np.exp(cache.mix(even, history)).tolist() == pytest.approx([0.125 + 0.5 * 5 / 7, 0.125 + 0.5 * 2 / 7, 0.125, 0.125])
    # after a, b came once (a is the last token too, but nothing has followed it yet): all of the second weight goes to b
    first = np.exp(cache.mix(even, history))
    expected = 0.8 * first + 0.2 * np.array([0, 1, 0, 0])
    assert np.exp(cache.mix(even, history, (0,))).tolist() == pytest.approx(expected.tolist())
    never = np.where(np.arange(4) == 2, -np.inf, even).astype(np.float32)
    assert cache.mix(never, history)[2] == -np.inf


def test_a_cache_whose_only_match_is_old_is_no_less_sure_of_it() -> None:
    cache = Cache(3_000, 1.0, (0.5, 0.5))
    history = cache.remember(b"", 1, 2, *[3] * 2_500)
    mixed = np.exp(cache.mix(np.log(np.full(4, 0.25, np.float32)), history, (1,)))
    assert np.isfinite(mixed).all() and mixed.sum() == pytest.approx(1) and mixed[2] > 0.5


def test_the_weights_of_a_cache_are_those_that_drew_the_text() -> None:
    """Tokens drawn by known weights: with 0.3 by c_0, of the rest with 0.4 by c_1, which half of them have; never by c_2."""
    drawn, seen = np.random.default_rng(0), []
    for _ in range(20_000):
        known = int(drawn.integers(1, 3))
        by = 1 if known == 2 and drawn.random() < 0.4 else 0 if drawn.random() < 0.3 else -1
        parts = [0.9 if by == 0 else 0.01, 0.8 if by == 1 else 0.01][:known]
        seen.append((log(0.7 if by < 0 else 0.01), parts))
    found = fit_weights(seen)
    assert found == (pytest.approx(0.3, abs=0.02), pytest.approx(0.4, abs=0.02), 0.0)  # c_2 was never known
    cache = Cache(10, 1.0, found)
    assert cache.parts(0, cache.remember(b"", 0, 1, 0)) == [pytest.approx(5 / 7)]  # ages 0 and 2 of 0, 1 of 1: 1.25 of 1.75


def test_a_cache_without_weights_takes_those_of_dev(tmp_path: Path) -> None:
    """Posts that say one made-up word again and again, each another: only a cache knows it. Nothing is counted twice."""
    posts = [Post(n, Kind.STORY, " ".join([f"w{n}x{n}"] * 30)) for n in range(1, 150)]
    corpus = make_corpus(tmp_path, posts)
    plain, cached = KneserNeyConfig(order=2), KneserNeyConfig(order=2, cache=200, cache_weights=())
    counted = KneserNey.fit(corpus, plain, rng=np.random.default_rng(0), job=Job(tmp_path))
    alone = KneserNey.fit(corpus, cached, rng=np.random.default_rng(0), job=Job(tmp_path))
    made = KneserNey.fit(corpus, cached, rng=np.random.default_rng(0), job=Job(tmp_path, parts={"kneser_ney": counted}))
    assert made.config == alone.config and sum(made.config.cache_weights) > 0.5
    assert all(ours.token is theirs.token for ours, theirs in zip(made.index, counted.index, strict=True))
    tokens = counted.tokenizer.encode(posts[0].text)
    assert made.score_tokens(made.start(()), tokens).sum() > counted.score_tokens(counted.start(()), tokens).sum() / 2


def test_the_cache_forgets_beyond_its_size_and_makes_what_was_said_likelier() -> None:
    cache = Cache(2, 100.0, (0.1,))
    assert cache.remember(cache.remember(b"", 1, 2), 3) == cache.remember(b"", 2, 3)
    texts = [["a", "b"], ["c", "d"]] * 5
    plain, cached = model_of(texts, order=2), model_of(texts, order=2, cache=20)
    context = [Post(1, Kind.STORY, "d d d d")]
    d = WORDS.encode("d")[0]
    assert cached.log_probs(cached.start(context))[d] > plain.log_probs(plain.start(context))[d]
    assert cached.log_probs(cached.start(())).tolist() == plain.log_probs(plain.start(())).tolist()
    assert abs(np.exp(cached.log_probs(cached.start(context)).astype(np.float64)).sum() - 1) <= 1e-4


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [0, 9, -1])
def test_an_order_out_of_range_is_named(order: int) -> None:
    with pytest.raises(ConfigError, match=rf"`kneser_ney.order` must lie in \[1, 8\]; got {order}"):
        KneserNeyConfig(order=order)


def test_an_empty_corpus_is_a_clear_error(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, [])
    with pytest.raises(ModelError, match="no posts with words"):
        KneserNey.fit(corpus, KneserNeyConfig(), rng=np.random.default_rng(0), job=Job(tmp_path))


def test_a_corpus_of_one_token_is_a_model() -> None:
    model = model_of([["a"]], order=5)
    assert exp(model.log_probs(model.start(()))[0]) > 0.4
    assert model.top(after(model, "a"), 1)[0][0] == END


def test_few_n_grams_fall_back_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    model_of([["a"]], order=2)
    assert "order 2: too few n-grams to estimate discounts; using (0.5, 1.0, 1.5)" in caplog.text


def test_altered_arrays_are_noticed(toy: ArchiveCorpus, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    model = KneserNey.fit(toy, KneserNeyConfig(order=3), rng=np.random.default_rng(0), job=Job(tmp_path / "w"))
    model.save(tmp_path / "m")
    np.save(tmp_path / "m" / "index3.token.npy", model.index[2].token[:-1])
    with pytest.raises(DamagedModel, match="do not belong together"):
        KneserNey.load(tmp_path / "m")


def test_saved_and_loaded_all_arrays_are_the_same(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, toy_posts())
    (tmp_path / "w").mkdir()
    model = KneserNey.fit(corpus, KneserNeyConfig(order=4), rng=np.random.default_rng(0), job=Job(tmp_path / "w"))
    model.save(tmp_path / "m")
    assert all_arrays(KneserNey.load(tmp_path / "m")) == all_arrays(model)


def test_the_index_takes_at_most_16_bytes_an_n_gram_and_the_counts_12(real_corpus: ArchiveCorpus) -> None:
    tokenizer = _tokenizer(real_corpus)
    counts = count_ngrams(open_tokens(real_corpus.tokens, "train"), 5, tokenizer.vocabulary)
    model = KneserNey.from_counts(KneserNeyConfig(), tokenizer, counts)
    grams = sum(len(level.token) for level in model.index)
    assert sum(array.nbytes for level in model.index for array in vars(level).values()) <= 16 * grams
    assert sum(array.nbytes for level in counts.levels for array in vars(level).values()) <= 12 * grams


# --- n-grams that few posts hold -------------------------------------------------------------------------------------


def fitted_on(texts: Sequence[Sequence[str]], **config: Any) -> KneserNey:
    settings = KneserNeyConfig(**config)
    counts = count_ngrams(arrays(texts), settings.order, WORDS.vocabulary)
    spread = count_ngrams(arrays(texts), settings.order, WORDS.vocabulary, writers=np.arange(len(texts)))
    return KneserNey.from_counts(settings, WORDS, counts, spread)


def ngrams_in(model: KneserNey, order: int) -> set[tuple[int, ...]]:
    """The n-grams of the index, spelled out."""
    found = [(token,) for token in range(model.tokenizer.vocabulary)]
    for level in model.index[1:order]:
        found = [(*found[context], int(token)) for context, token in zip(level.contexts(), level.token, strict=True)]
    return set(found)


@settings(max_examples=80)
@given(
    st.lists(st.tuples(st.integers(0, 3), TEXTS.map(lambda texts: texts[0])), min_size=1, max_size=12),
    st.integers(1, 5),
    st.integers(40, 2000),
)
def test_writers_of_each_ngram_are_those_of_a_search_through_all(
    written: list[tuple[int, list[str]]], order: int, memory: int
) -> None:
    holders: dict[tuple[int, ...], set[int]] = {}
    for writer, text in written:
        ids = [POST, *WORDS.encode(" ".join(text)), END]
        for gram in (tuple(ids[i : i + n]) for n in range(1, order + 1) for i in range(len(ids) - n + 1)):
            holders.setdefault(gram, set()).add(writer)
    writers = np.array([2**63 + 7 - writer for writer, _ in written], dtype=np.uint64)
    counted = count_ngrams(arrays([text for _, text in written]), order, WORDS.vocabulary, Room(memory), writers=writers)
    grams: list[tuple[int, ...]] = [()]
    found: dict[tuple[int, ...], int] = {}
    for level in counted.levels:
        grams = [(*grams[p], int(t)) for p, t in zip(level.parent, level.token, strict=True)]
        found |= dict(zip(grams, level.count.tolist(), strict=True))
    assert found == {gram: len(who) for gram, who in holders.items()}


@settings(max_examples=60)
@given(TEXTS, st.integers(1, 4), st.integers(40, 2000))
def test_posts_of_writers_of_their_own_are_counted_as_posts(texts: list[list[str]], order: int, memory: int) -> None:
    """Whatever they are numbered, and in one piece or many."""
    numbers = np.random.default_rng(len(texts)).permutation(len(texts)).astype(np.uint64)
    counted = [
        count_ngrams(arrays(texts), order, WORDS.vocabulary, writers=np.arange(len(texts))),
        count_ngrams(arrays(texts), order, WORDS.vocabulary, Room(memory), writers=numbers),
    ]
    assert same(*counted)


@settings(max_examples=60)
@given(TEXTS, st.integers(2, 4), st.integers(2, 3), st.integers(2, 3))
def test_what_few_posts_hold_is_not_in_the_index_and_the_rest_sums_to_one(
    texts: list[list[str]], order: int, posts: int, prune_from: int
) -> None:
    model = fitted_on(texts, order=order, posts=posts, prune_from=prune_from)
    everything = [[POST, *WORDS.encode(" ".join(text)), END] for text in texts]
    for n in range(1, order + 1):
        held = Counter(gram for ids in everything for gram in {tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)})
        kept = {gram for gram, count in held.items() if count >= posts or n < prune_from}
        assert ngrams_in(model, n) == (kept if n > 1 else {(token,) for token in range(WORDS.vocabulary)})
    for text in texts:
        state = after(model, " ".join(text))
        log_probs = model.log_probs(state)
        assert abs(np.exp(log_probs.astype(np.float64)).sum() - 1) <= 1e-4
        expected = sorted((t for t in range(WORDS.vocabulary) if log_probs[t] > -np.inf), key=lambda t: (-log_probs[t], t))
        assert [token for token, _ in model.top(state, 4)] == expected[:4]


def test_a_phrase_of_one_post_is_left_out_and_that_of_two_is_kept() -> None:
    texts = [["a", "b", "c"] * 3, ["a", "d"], ["a", "d"]]
    model = fitted_on(texts, order=3, posts=2)
    # "a b c" stands three times in one post; POST "a d" and "a d END" in two
    kept = {tuple(WORDS.encode("a b c")): False, (POST, *WORDS.encode("a d")): True, (*WORDS.encode("a d"), END): True}
    assert {gram: gram in ngrams_in(model, 3) for gram in kept} == kept
    assert tuple(WORDS.encode("b c")) in ngrams_in(model, 2)  # shorter than prune_from


def test_writers_of_other_posts_are_refused() -> None:
    with pytest.raises(ValueError, match="each of the 2 posts needs its writer; got 1"):
        count_ngrams(arrays([["a"], ["b"]]), 2, WORDS.vocabulary, writers=np.arange(1))


def test_what_one_person_says_twice_is_said_once(tmp_path: Path) -> None:
    """ "xyzzy" stands in two posts of one author, and "plugh" in two of the same words: neither is anybody else's."""
    filler = [Post(n, Kind.STORY, f"so it is , number {n}", author=b"%d" % n) for n in range(10, 40)]
    twice = [
        Post(1, Kind.STORY, "the xyzzy opens the door", author=b"a"),
        Post(2, Kind.STORY, "as said , the xyzzy opens the door", author=b"a"),
        Post(3, Kind.STORY, "the plugh opens a door"),
        Post(4, Kind.STORY, "The plugh opens a door !"),
        Post(5, Kind.STORY, "the crate opens no door", author=b"a"),
        Post(6, Kind.STORY, "and the crate opens no door", author=b"b"),
    ]
    corpus = make_corpus(tmp_path, [*filler, *twice], everything=True)
    model = KneserNey.fit(
        corpus, KneserNeyConfig(order=3, posts=2, prune_from=2), rng=np.random.default_rng(0), job=Job(tmp_path / "w")
    )
    tokens = model.tokenizer
    kept = ngrams_in(model, 2)
    for word, expected in ((" xyzzy", False), (" plugh", False), (" crate", True)):
        assert (tuple(tokens.encode(f"the{word} opens")[-2:]) in kept) is expected, word


def test_such_a_model_keeps_no_counts_and_says_that_it_cannot_forget(tmp_path: Path) -> None:
    texts = [["a", "b", "c"], ["a", "b", "c"], ["a", "b", "d"]]
    model = fitted_on(texts, order=3, posts=2)
    model.save(tmp_path)
    assert not list(tmp_path.glob("counts*"))
    loaded = KneserNey.load(tmp_path)
    for context in ("", "a", "a b", "b c"):
        assert np.array_equal(loaded.log_probs(after(loaded, context)), model.log_probs(after(model, context)))
        assert loaded.top(after(loaded, context), 3) == model.top(after(model, context), 3)
    with pytest.raises(ModelError, match=r"`kneser_ney\.posts` above 1"):
        loaded.changed(arrays(texts[:1]), arrays(texts[:1]))
    with pytest.raises(ModelError, match="number of writers"):
        model_of(texts, order=3, posts=2)


@pytest.mark.parametrize(("name", "least"), [("posts", 1), ("prune_from", 2)])
def test_settings_of_what_is_left_out_are_checked(name: str, least: int) -> None:
    with pytest.raises(ConfigError, match=rf"`kneser_ney.{name}` must be at least {least}; got {least - 1}"):
        KneserNeyConfig(**{name: least - 1})  # type: ignore[arg-type]
