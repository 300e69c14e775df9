"""The mixture: weights by hand, what EM must never do, and a rung made of other rungs."""

from __future__ import annotations

from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_archive, make_corpus, toy_posts
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from typer.testing import CliRunner

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.cli import app
from rejoinder.errors import (
    ConfigError,
    DamagedModel,
    MissingExtra,
    ModelError,
    NotFitted,
    SourceError,
    StaleModel,
    UsageError,
    missing_extra,
)
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.own_text import count_own, with_own
from rejoinder.home.workspace import Workspace
from rejoinder.models import LADDER, Can, Rung, parts_of, without_extras
from rejoinder.models.interfaces import NOTHING, Job, Recalled
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.models.markov import Markov, MarkovConfig
from rejoinder.models.mixture import Mixture, MixtureConfig, MixtureWeights, expectation_maximisation, fit_weights
from rejoinder.models.unigram import Unigram, UnigramConfig
from rejoinder.post import Kind, Post
from rejoinder.text.tensors import open_tokenizer

SMALL = FitConfig(vocabulary=300)
TWO = MixtureConfig(models=("kneser_ney", "markov"), shrink=5.0)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def parts(toy: ArchiveCorpus, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    job = Job(tmp_path_factory.mktemp("parts"))
    return {
        "kneser_ney": KneserNey.fit(toy, KneserNeyConfig(order=3), rng=rng(), job=job),
        "markov": Markov.fit(toy, MarkovConfig(), rng=rng(), job=job),
        "unigram": Unigram.fit(toy, UnigramConfig(), rng=rng(), job=job),
    }


@pytest.fixture
def mixture(toy: ArchiveCorpus, tmp_path: Path, parts: dict[str, Any]) -> Mixture:
    return Mixture.fit(toy, TWO, rng=rng(), job=Job(tmp_path, parts=parts))


def config(**settings: Any) -> MixtureConfig:
    return MixtureConfig(models=("kneser_ney", "markov"), **settings)


# --- weights ---------------------------------------------------------------------------------------------------------


def test_one_step_of_em_by_hand() -> None:
    # bucket 0 holds two tokens, bucket 1 one; two models
    probs = np.array([[0.8, 0.2], [0.5, 0.5], [0.1, 0.3]])
    found = expectation_maximisation(
        np.log(probs), np.array([0, 0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]]), config(shrink=2.0, steps=1)
    )
    # bucket 0, from 1/2 each: shares of the first model 0.8 and 0.5. (0.8 + 0.5 + 2 * 0.5) / (2 + 2) = 2.3 / 4
    # bucket 1: the share is 0.1 / 0.4 = 0.25. (0.25 + 2 * 0.5) / (1 + 2) = 1.25 / 3
    assert found[0].tolist() == pytest.approx([2.3 / 4, 1.7 / 4])
    assert found[1].tolist() == pytest.approx([1.25 / 3, 1.75 / 3])


def test_weights_of_two_buckets_by_hand() -> None:
    # every token is one that only one model can make, so its share is known at once.
    # length 0: 6 by the first model, 2 by the second; length 1: 1 and 7. c = 10
    first, second = [0.0, -np.inf], [-np.inf, 0.0]
    log_probs = np.array([first] * 6 + [second] * 2 + [first] + [second] * 7)
    found = fit_weights(log_probs, np.array([0] * 8 + [1] * 8), np.full(16, -np.inf, np.float32), config(shrink=10.0)).of
    whole = (7 + 10 / 2) / (16 + 10)  # drawn to equal weights
    lengths = [(6 + 10 * whole) / (8 + 10), (1 + 10 * whole) / (8 + 10)]
    cells = [(6 + 10 * lengths[0]) / (8 + 10), (1 + 10 * lengths[1]) / (8 + 10)]
    assert found[:, 0, 0].tolist() == pytest.approx(cells)
    assert found.sum(axis=2).tolist() == [[1.0], [1.0]]


def test_each_bucket_finds_the_model_that_is_better_there() -> None:
    """Tokens drawn from one of two models by known weights, which differ by bucket: the weights come out again."""
    draws, size = rng(), 8000
    first, second = np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.3, 0.6])
    truth = {(0, 0): 0.2, (0, 1): 0.5, (1, 0): 0.7, (1, 1): 0.95}
    log_probs, lengths, certainty = [], [], []
    for (length, level), weight in truth.items():
        tokens = draws.choice(3, size=size, p=weight * first + (1 - weight) * second)
        log_probs.append(np.log(np.stack([first[tokens], second[tokens]], axis=1)))
        lengths.append(np.full(size, length))
        certainty.append(draws.uniform(level, level + 1, size).astype(np.float32))  # half of them below 1, half above
    settings = config(levels=2, shrink=1.0, steps=500)
    found = fit_weights(np.concatenate(log_probs), np.concatenate(lengths), np.concatenate(certainty), settings)
    assert found.edges == pytest.approx(1, abs=0.01)
    for (length, level), weight in truth.items():
        assert found.at(length, level + 0.5)[0] == pytest.approx(weight, abs=0.05)


def test_a_bucket_without_tokens_has_the_weights_of_its_like() -> None:
    log_probs = np.log(np.array([[0.9, 0.1]] * 50))
    certainty = np.full(50, 3, np.float32)  # all of one certainty, so all on the upper side of every edge
    found = fit_weights(log_probs, np.full(50, 2), certainty, config(levels=3, shrink=5.0)).of
    assert found.shape == (3, 4, 2)
    assert found[2, 0].tolist() == found[2, 2].tolist()  # those of length 2
    assert 0.5 < found[0, 0, 0] < found[2, 0, 0] < found[2, 3, 0]  # length 0: those of all lengths


def test_without_tokens_the_weights_are_equal() -> None:
    found = fit_weights(np.empty((0, 3)), np.empty(0, np.int64), np.empty(0, np.float32), config(levels=2)).of
    assert found.shape == (1, 1, 3) and found.ravel().tolist() == pytest.approx([1 / 3] * 3)


@given(arrays(np.float64, (30, 3), elements=st.floats(-20, 0)), st.lists(st.integers(0, 2), min_size=30, max_size=30))
def test_em_never_lowers_the_likelihood(log_probs: Any, bucket: list[int]) -> None:
    """Of the tokens and the c tokens of the prior: with c near 0 that is the likelihood of dev itself."""
    above = np.array([[0.2, 0.3, 0.5]] * 3)
    for shrink in (1e-6, 4.0):
        scores = []
        for steps in range(1, 9):
            weights = expectation_maximisation(log_probs, np.array(bucket), above, config(shrink=shrink, steps=steps))
            assert weights.sum(axis=1) == pytest.approx(np.ones(3))
            mixed = np.log((weights[bucket] * np.exp(log_probs)).sum(axis=1)).sum()
            prior = (shrink * above * np.log(np.maximum(weights, 1e-300))).sum()
            scores.append(mixed + prior)
        assert (np.diff(scores) >= -1e-9).all()


# --- the model -------------------------------------------------------------------------------------------------------


def test_it_is_the_weighted_sum_of_its_parts(mixture: Mixture, parts: dict[str, Any]) -> None:
    tokens = mixture.tokenizer.encode("Let the dough rest")
    context = (Post(1, Kind.STORY, "bread"),)
    state, ours = mixture.start(context), {name: parts[name].start(context) for name in TWO.models}
    for token in [*tokens, mixture.tokenizer.end]:
        weights = mixture.weights(state)
        assert sum(weights.values()) == pytest.approx(1) and min(weights.values()) > 0
        expected = sum(weights[name] * np.exp(parts[name].log_probs(ours[name]).astype(float)) for name in TWO.models)
        assert np.exp(mixture.log_probs(state).astype(float)) == pytest.approx(expected, abs=1e-6)
        state = mixture.advance(state, token)
        ours = {name: parts[name].advance(ours[name], token) for name in TWO.models}


def test_the_bucket_is_the_length_of_what_was_met(mixture: Mixture, parts: dict[str, Any]) -> None:
    counts = parts["kneser_ney"]
    assert counts.seen(counts.start(())) == 1  # POST was met
    state = mixture.start(())
    for token in mixture.tokenizer.encode("Let the dough"):
        state = mixture.advance(state, token)
    assert counts.seen(state.parts[0]) == 2
    assert list(mixture.weights(state).values()) == mixture._weights.of[2, 0].tolist()


class Parrot(Unigram):
    """A unigram that recalls the one token it is told to."""

    recalled = (0, -np.inf)  # which, how certain

    def recall(self, state: Any) -> Recalled:
        token, certainty = self.recalled
        if certainty == -np.inf:
            return NOTHING
        return Recalled(np.array([token, token]), np.array([0.5, 0.5], np.float32), certainty)

    def score_recall(self, state: Any, tokens: Any) -> Any:
        token, certainty = self.recalled
        with np.errstate(divide="ignore"):
            nats = np.log((np.asarray(tokens) == token) * float(certainty > -np.inf))
        return self.score_tokens(state, tokens), nats.astype(np.float32), np.full(len(tokens), certainty, np.float32)


@pytest.mark.parametrize("certainty", [-np.inf, 1.0, 9.0])
def test_what_is_recalled_is_one_more_voice(
    monkeypatch: pytest.MonkeyPatch, parts: dict[str, Any], tmp_path: Path, certainty: float
) -> None:
    line = LADDER["unigram"]
    monkeypatch.setitem(LADDER, "unigram", Rung(line.place, line.can | Can.RECALL, line.what))
    unigram = parts["unigram"]
    parrot = Parrot.load(_saved(unigram, tmp_path / "unigram"))
    three = MixtureWeights(np.array([[[0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7]]]), np.array([5], np.float32))
    model = Mixture(MixtureConfig(models=("kneser_ney", "unigram")), {**parts, "unigram": parrot}, three)
    token = model.tokenizer.encode("dough")[0]
    parrot.recalled = token, certainty  # type: ignore[misc]
    state = model.start(())
    weights = {-np.inf: [0.5, 0.3, 0.2], 1.0: [0.6, 0.3, 0.1], 9.0: [0.1, 0.2, 0.7]}[certainty]
    assert model.weights(state) == dict(zip(("kneser_ney", "unigram", "recall"), weights, strict=True))
    counts, cell = (np.exp(parts[n].log_probs(parts[n].start(())).astype(float)) for n in ("kneser_ney", "unigram"))
    voice = cell if certainty == -np.inf else np.eye(len(cell))[token]  # nothing to recall: what the cell says, twice
    expected = weights[0] * counts + weights[1] * cell + weights[2] * voice
    assert np.exp(model.log_probs(state).astype(float)) == pytest.approx(expected, abs=1e-6)
    other = model.tokenizer.encode("z")[0]
    assert np.exp(model.score_tokens(state, [token, other])[:1]) == pytest.approx(expected[token], rel=1e-5)
    model.save(tmp_path / "saved")
    again = Mixture.load(tmp_path / "saved", {**parts, "unigram": parrot})
    assert np.array_equal(again.log_probs(state), model.log_probs(state))
    with pytest.raises(DamagedModel, match="fit again"):  # saved with a voice more than these parts have
        monkeypatch.setitem(LADDER, "unigram", line)
        Mixture.load(tmp_path / "saved", parts)


def _saved(model: Any, directory: Path) -> Path:
    model.save(directory)
    return directory


def test_seen_of_kneser_ney_by_hand(tmp_path: Path) -> None:
    posts = [Post(1, Kind.STORY, "ab"), Post(2, Kind.STORY, "aab")]
    corpus = make_corpus(tmp_path, posts, 256, everything=True)
    model = KneserNey.fit(corpus, KneserNeyConfig(order=2), rng=rng(), job=Job(tmp_path / "w"))
    a, z = model.tokenizer.encode("a")[0], model.tokenizer.encode("z")[0]
    assert model.seen(model.advance(model.start(()), a)) == 1
    assert model.seen(model.advance(model.start(()), z)) == 0


def test_it_predicts_dev_better_than_either_part(toy: ArchiveCorpus, mixture: Mixture, parts: dict[str, Any]) -> None:
    def nats(model: Any) -> float:
        total = 0.0
        for thread in toy.threads("dev"):
            for post in thread.posts:
                tokens = [*model.tokenizer.encode(post.own_text), model.tokenizer.end]
                total -= float(model.score_tokens(model.start(thread.context(post)), tokens).sum())
        return total

    assert nats(mixture) < min(nats(parts["kneser_ney"]), nats(parts["markov"]))


def test_saved_weights_are_the_same_and_others_are_refused(mixture: Mixture, parts: dict[str, Any], tmp_path: Path) -> None:
    mixture.save(tmp_path / "saved")
    loaded = Mixture.load(tmp_path / "saved", parts)
    state = mixture.start(())
    assert loaded.config == TWO and np.array_equal(loaded.log_probs(state), mixture.log_probs(state))
    with pytest.raises(ModelError, match=r"needs markov.*rejoinder fit markov"):
        Mixture.load(tmp_path / "saved", {"kneser_ney": parts["kneser_ney"]})
    np.save(tmp_path / "saved" / "weights.npy", np.ones((2, 1, 3)) / 3)
    with pytest.raises(DamagedModel, match="fit again"):
        Mixture.load(tmp_path / "saved", parts)


def test_parts_of_different_tokenizers_are_refused(tmp_path: Path, parts: dict[str, Any], toy: ArchiveCorpus) -> None:
    other = make_corpus(tmp_path / "other", toy_posts(), 300)
    markov = Markov.fit(other, MarkovConfig(), rng=rng(), job=Job(tmp_path))
    with pytest.raises(ModelError, match="`kneser_ney` and `markov` have different tokenizers"):
        Mixture.fit(toy, TWO, rng=rng(), job=Job(tmp_path, parts={**parts, "markov": markov}))


@pytest.mark.parametrize(
    "settings",
    [
        {"models": ()},
        {"models": ("kneser_ney", "bm25")},
        {"models": ("kneser_ney", "kneser_ney")},
        {"models": ("kneser_ney", "mixture")},
        {"models": ("markov", "kneser_ney")},  # does not count
        {"models": ("kneser_ney",), "levels": 0},
        {"models": ("kneser_ney",), "shrink": 0.0},
        {"models": ("kneser_ney",), "personal": 1.0},
    ],
)
def test_settings_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="`mixture"):
        MixtureConfig(**settings)


def test_about_as_many_dev_tokens_as_wanted(toy: ArchiveCorpus, parts: dict[str, Any], tmp_path: Path) -> None:
    counted: list[int] = []
    few = MixtureConfig(models=("kneser_ney", "unigram"), dev_tokens=150)
    Mixture.fit(toy, few, rng=rng(), job=Job(tmp_path, lambda what, done, of: counted.append(done), parts))
    everything = sum(len(parts["markov"].tokenizer.encode(p.own_text)) + 1 for p in toy.posts("dev"))
    assert counted and 0 < counted[-1] <= 300 < everything


# --- a personal model ------------------------------------------------------------------------------------------------

OWN = "the dough of my grandmother\n\n> the dough rests\n\nthe dough of my grandmother is sour\n"


def test_a_personal_model_is_heard_where_it_knows_the_context(mixture: Mixture) -> None:
    own = count_own(OWN, mixture.tokenizer)
    mine = mixture.with_personal(own)
    state, known, alone = mine.start(()), own.start(()), mixture.start(())
    for token in mixture.tokenizer.encode("the dough"):
        state, known, alone = mine.advance(state, token), own.advance(known, token), mixture.advance(alone, token)
    share, (likeliest, right) = mixture.config.personal, own.likeliest(known)
    expected = (1 - share) * np.exp(mixture.log_probs(alone)) + share * np.exp(own.log_probs(known))
    expected = (1 - right) * expected
    expected[likeliest] += right
    assert np.exp(mine.log_probs(state)) == pytest.approx(expected, abs=1e-6)
    of = mixture.tokenizer.encode(" of")[0]
    assert mine.log_probs(state)[of] > mixture.log_probs(alone)[of] + 1
    z = mixture.tokenizer.encode("Z")[0]  # never written by this person
    state, alone = mine.advance(state, z), mixture.advance(alone, z)
    assert np.array_equal(mine.log_probs(state), mixture.log_probs(alone))


def test_a_text_is_scored_with_the_personal_model_too(mixture: Mixture) -> None:
    mine = mixture.with_personal(count_own(OWN, mixture.tokenizer))
    state = mine.start(())
    tokens = mine.tokenizer.encode("the dough Z of my")
    found = mine.score_tokens(state, tokens)
    for token, nats in zip(tokens, found, strict=True):
        log_probs = mine.log_probs(state)
        assert nats == pytest.approx(log_probs[token], abs=1e-5)
        assert abs(np.exp(log_probs.astype(float)).sum() - 1) <= 1e-4
        assert np.array_equal(mine.log_probs_many([state, state])[1], log_probs)
        (state,) = mine.advance_many([state], [token])


def test_every_mixture_sums_to_one_whatever_was_read(mixture: Mixture, parts: dict[str, Any]) -> None:
    """One model, several with recall, both with a personal model: the probabilities of the whole vocabulary, in float64."""
    own = count_own("\n\n".join([OWN] * 4), mixture.tokenizer)
    mixtures = [
        mixture,
        mixture.with_personal(own),
        Mixture.of_one("unigram", parts["unigram"]),
        with_own("unigram", parts["unigram"], OWN),
    ]
    rng, likeliest = np.random.default_rng(0), 0.0
    for one in mixtures:
        state = one.start((Post(7, text="the dough of my grandmother"),))
        for token in [
            *one.tokenizer.encode("the dough of my grandmother is"),
            *rng.integers(0, one.tokenizer.vocabulary, 40).tolist(),
        ]:
            rows = [one.log_probs(state), *one.log_probs_many([state, one.ahead(state, 1)])]
            assert all(abs(np.exp(row.astype(np.float64)).sum() - 1) <= 1e-4 for row in rows)
            likeliest = max(likeliest, own.likeliest(state.own)[1]) if one is mixtures[1] else likeliest
            state = one.advance(state, token)
    assert likeliest > 0.5  # what the person writes was heard with all its weight


def test_quotes_are_not_ones_own_words(mixture: Mixture) -> None:
    own = count_own(OWN, mixture.tokenizer)
    state = own.start(())
    for token in mixture.tokenizer.encode("the dough"):
        state = own.advance(state, token)
    of, rests = mixture.tokenizer.encode(" of")[0], mixture.tokenizer.encode(" rests")[0]
    probs = np.exp(own.log_probs(state))
    # `the dough` was followed by ` of` twice: a = 2, D2 = 1, so it has more than half; what was quoted has what is spread
    assert probs[of] > 0.5 > 0.01 > probs[rests]


def test_a_personal_model_goes_with_any_rung_that_predicts(parts: dict[str, Any]) -> None:
    plain = parts["unigram"]
    mine = with_own("unigram", plain, OWN)
    state = mine.start(())
    for token in plain.tokenizer.encode("the dough"):
        state = mine.advance(state, token)
    of = plain.tokenizer.encode(" of")[0]
    assert mine.log_probs(state)[of] > plain.log_probs(())[of] + log(2)


def test_a_personal_model_without_words_or_of_another_tokenizer_is_refused(
    mixture: Mixture, parts: dict[str, Any], tmp_path: Path
) -> None:
    other = open_tokenizer(make_corpus(tmp_path, toy_posts(), 256).tokens)
    with pytest.raises(ModelError, match="`personal model` have different tokenizers"):
        mixture.with_personal(count_own(OWN, other))
    for text in ("", " \n\n ", "> only\n> quotes"):
        with pytest.raises(UsageError, match="text of your own"):
            count_own(text, mixture.tokenizer)


# --- a rung made of others, in a home --------------------------------------------------------------------------------

MODELS = {"mixture": {"models": ["kneser_ney", "markov"]}}


class NeedsExtra:
    """A rung that cannot be fitted here."""

    Config = UnigramConfig

    @classmethod
    def fit(cls, *_: Any, **__: Any) -> None:
        raise missing_extra("training", "train")


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    for name in ("mixture", "lstm"):  # no test here trains a net
        monkeypatch.delitem(LADDER, name, raising=False)
    monkeypatch.setitem(LADDER, "needs_extra", Rung("test_mixture:NeedsExtra", Can.PREDICT, "none", extra="train"))
    line = Rung("rejoinder.models.mixture:Mixture", Can.PREDICT, "a mixture", parts=("kneser_ney", "needs_extra"))
    monkeypatch.setitem(LADDER, "mixture", line)
    monkeypatch.setattr(Workspace, "shipped", classmethod(lambda cls: None))
    make_archive(tmp_path / "archive.db", toy_posts()).close()
    return Workspace(tmp_path)


def test_the_parts_are_fitted_first_and_loaded_with_it(space: Workspace) -> None:
    assert fit(space, ["mixture", "markov", "kneser_ney"], SMALL, MODELS) == {}
    found = space.fitted("mixture")
    assert found and not found.outdated
    assert list(found.manifest["parts"]) == ["kneser_ney", "markov"] and all(found.manifest["parts"].values())
    model = space.load("mixture")
    assert isinstance(model, Mixture) and sum(model.weights(model.start(())).values()) == pytest.approx(1)
    assert space.fitted_that(Can.PREDICT)[-1] == "mixture"


def test_parts_fitted_before_are_used(space: Workspace) -> None:
    fit(space, ["kneser_ney", "markov"], SMALL, {})
    assert fit(space, ["mixture"], SMALL, MODELS) == {}


def test_a_part_that_is_not_fitted_is_named(space: Workspace) -> None:
    fit(space, ["kneser_ney"], SMALL, {})
    failed = fit(space, ["mixture"], SMALL, MODELS)
    assert isinstance(failed["mixture"], NotFitted) and "run `rejoinder fit markov` first" in str(failed["mixture"])


def test_a_rung_is_made_of_rungs_before_it(space: Workspace) -> None:
    assert parts_of("mixture", TWO) == TWO.models and parts_of("markov", MarkovConfig()) == ()
    LADDER["later"] = LADDER["unigram"]
    try:
        with pytest.raises(ConfigError, match=r"`mixture.models` must be rungs before it.*got `later`"):
            fit(space, ["mixture"], SMALL, {"mixture": {"models": ["kneser_ney", "later"]}})
    finally:
        del LADDER["later"]


def test_a_part_fitted_again_makes_it_stale_until_it_is_fitted_again_too(space: Workspace) -> None:
    fit(space, ["kneser_ney", "markov", "mixture"], SMALL, MODELS)
    fit(space, ["markov"], SMALL, {"markov": {"discount": 0.4}})
    found = space.fitted("mixture")
    assert found and found.outdated
    with pytest.raises(StaleModel, match=r"made of kneser_ney, markov, .* run `rejoinder fit mixture`"):
        space.load("mixture")
    assert isinstance(space.load("mixture", allow_stale=True), Mixture)
    assert space.fitted_that(Can.PREDICT)[-1] == "kneser_ney"  # what still stands
    fit(space, ["mixture"], SMALL, MODELS)
    assert isinstance(space.load("mixture"), Mixture)


def test_a_part_that_has_learned_from_dev_is_refused(space: Workspace) -> None:
    everything = FitConfig(on="all", vocabulary=300)
    fit(space, ["kneser_ney", "markov"], everything, {})
    failed = fit(space, ["mixture"], SMALL, MODELS)
    assert "has learned from the dev part; run `rejoinder fit kneser_ney` first" in str(failed["mixture"])
    assert fit(space, ["mixture"], everything, MODELS) == {}  # nothing is left to weigh on, so all weights are equal
    model = space.load("mixture")
    assert isinstance(model, Mixture) and set(model.weights(model.start(())).values()) == {0.5}


def test_what_needs_an_extra_fails_as_such_with_all_that_is_made_of_it(space: Workspace) -> None:
    settings = {"mixture": {"models": ["kneser_ney", "needs_extra"]}}
    failed = fit(space, ["kneser_ney", "needs_extra", "mixture"], SMALL, settings)
    assert {name: type(error) for name, error in failed.items()} == {"needs_extra": MissingExtra, "mixture": MissingExtra}
    assert "it is made of `needs_extra`, which was not fitted: training needs the extra `train`" in str(failed["mixture"])
    assert not {"needs_extra", "mixture"} & set(without_extras()) and "kneser_ney" in without_extras()


def test_fit_without_names_leaves_what_must_be_trained_and_says_how(space: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[mixture]\nmodels = ["kneser_ney", "needs_extra"]\n')
    ran = CliRunner().invoke(app, ["fit", "--home", str(space.home), "--config", str(file)])
    assert ran.exit_code == 0 and "\nkneser_ney " in ran.stdout and "mixture" not in ran.stdout
    assert "needs_extra mixture" in ran.stderr and "rejoinder fit" in ran.stderr
    named = CliRunner().invoke(app, ["fit", "kneser_ney", "needs_extra", "--home", str(space.home), "--config", str(file)])
    assert named.exit_code == 2 and "rejoinder: needs_extra: training needs the extra" in named.stderr


def test_complete_with_ones_own_text(space: Workspace, tmp_path: Path) -> None:
    fit(space, ["kneser_ney", "markov", "mixture"], SMALL, {"mixture": {**MODELS["mixture"], "personal": 0.9}})
    own = tmp_path / "own.txt"
    own.write_text("My neighbour plays the accordion every night .\n\n" * 20)
    command = ["complete", "My neighbour plays the", "--home", str(space.home)]
    assert "accordion every" in CliRunner().invoke(app, [*command, "--own", str(own)]).stdout
    assert "accordion" not in CliRunner().invoke(app, command).stdout
    assert CliRunner().invoke(app, [*command, "--rung", "unigram", "--own", str(own)]).exit_code == 1  # not fitted
    fit(space, ["unigram"], SMALL, {})
    assert CliRunner().invoke(app, [*command, "--rung", "unigram", "--own", str(own)]).exit_code == 0
    own.write_bytes(b"\xff\xfe")
    ran = CliRunner().invoke(app, ["complete", "My", "--home", str(space.home), "--own", str(own)])
    assert isinstance(ran.exception, SourceError) and "is not UTF-8" in str(ran.exception)
