"""The contract: what every rung of the ladder must do, made from LADDER. A new rung gets the whole suite for one line there.

One that is not in the house (yet) gets it by `--rung FILE`; chapter 8 of the tour does so.
"""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import llm_server
import numpy as np
import pytest
import tiny_bert
import tiny_gguf
from conftest import OUTSIDE, toy_posts

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.models import LADDER, Can, parts_of, those_that
from rejoinder.models.interfaces import Job
from rejoinder.post import Kind, Post

SMALL_LSTM = {"embedding": 24, "hidden": 32, "batch": 16, "steps": 8, "learning_rate": 0.02, "epochs": 1, "least_steps": 400}
# sizes that a test can wait for, where the defaults are made for real archives
SMALL: dict[str, dict[str, Any]] = {
    "lstm": SMALL_LSTM,
    "pmi_svd": {"size": 16, "rarest": 1, "buckets": 500},
    "word2vec": {"size": 16, "rarest": 1, "buckets": 500, "workers": 1, "epochs": 40, "subsample": 0.0},
    "dual_encoder": {"size": 16, "buckets": 4096, "epochs": 3, "batch": 32, "learning_rate": 0.01},
    "fusion": {"models": ("bm25",)},
    "trigger": {"models": ("bm25",)},
    "llm": {"base_url": llm_server.shared().url},
    "pretrained": {"file": str(tiny_gguf.shared())},
    "sentence_encoder": {"file": str(tiny_bert.shared())},
}
# settings that differ from the defaults, so that save and load cannot pass by forgetting them
OTHER: dict[str, dict[str, Any]] = {
    "canned": {"longest": 3, "repeats": 2, "keep": 7},
    "unigram": {"pseudo_count": 2.0},
    "markov": {"discount": 0.3},
    "logistic": {"window": 3, "size": 24, "weighed": False, "least_steps": 60, "frequent": 50, "drawn": 40, "batch": 100},
    "kneser_ney": {
        "order": 3,
        "prune": 1,
        "posts": 2,
        "prune_from": 2,
        "cache": 50,
        "cache_half_life": 20.0,
        "cache_weights": (0.2, 0.1),
    },
    "lstm": {**SMALL_LSTM, "layers": 2, "context": 9, "half": False, "weight_drop": 0.2, "drawn": 20, "frequent": 40},
    "pmi_svd": {"size": 9, "window": 3, "rarest": 2, "smoothing": 1.0, "shift": 1.5, "power": 0.0, "buckets": 0},
    "word2vec": {
        "size": 9,
        "window": 3,
        "rarest": 2,
        "negatives": 2,
        "epochs": 2,
        "subsample": 0.01,
        "buckets": 90,
        "workers": 1,
    },
    "bm25": {"k1": 0.9, "b": 0.4, "terms": 5},
    "pair_encoder": {"posts": 2, "longest": 9},
    "trigger": {"models": ("canned", "bm25"), "precision": 0.3, "contexts": 50},
    "dual_encoder": {
        "longest": 50,
        "posts": 2,
        "buckets": 999,
        "rarity": 1.0,
        "size": 9,
        "models": (),
        "epochs": 1,
        "batch": 16,
        "dropout": 0.0,
        "word_dropout": 0.0,
        "learning_rate": 0.002,
        "patience": 1,
        "dev_pairs": 9,
    },
    "fusion": {"models": (), "lists": 1, "pairs": 9, "train_pairs": 50, "shrink": 1.5},
    "llm": {
        **SMALL["llm"],
        "model": "toy-2",
        "timeout": 20.0,
        "temperature": 0.0,
        "max_tokens": 50,
        "proposals": 2,
        "context": 100,
    },
    "pretrained": {
        **SMALL["pretrained"],
        "context": 9,
        "reach": 40,
        "threads": 1,
        "ends": 0.1,
        "longest": 5,
    },
    "sentence_encoder": {**SMALL["sentence_encoder"], "longest": 9, "threads": 1},
    "sentence": {"title": 0.3},
    "word_mixture": {"models": ("markov", "pretrained"), "lengths": 3, "shrink": 9.0, "dev_tokens": 500},
    "mixture": {
        "models": ("kneser_ney", "markov"),
        "recall": False,
        "levels": 3,
        "shrink": 9.0,
        "dev_tokens": 500,
        "personal": 0.4,
    },
    **OUTSIDE,
}
CONTEXTS: list[tuple[Post, ...]] = [
    (),
    (Post(7, Kind.STORY, "Why does the engine stall ?"),),
    (Post(7, Kind.STORY, "", title="Bread"), Post(8, Kind.COMMENT, "The dough is cold .", parent=7)),
    (Post(9, Kind.STORY, "ἀρχή 🍞\u200d\u0301 \x00 ﷽ \U0010ffff"),),
    (Post(9, Kind.STORY, ""),),
]
ANY_TEXT = ["", " ", "The dough", "naïve 🍞\u0301", "日本語のテキスト", "\U0010ffff\x00\t\n", "<|end|> </s> [POST] <unk>"]


def fit(name: str, corpus: ArchiveCorpus, workdir: Path, **settings: Any) -> Any:
    rung = LADDER[name].load()
    settings = {**SMALL.get(name, {}), **settings}
    workdir.mkdir(parents=True, exist_ok=True)
    job = Job(workdir, parts=fit_parts(name, corpus, workdir / "parts", **settings))
    return rung.fit(corpus, rung.Config(**settings), rng=np.random.default_rng(3), job=job)


def fit_parts(name: str, corpus: ArchiveCorpus, workdir: Path, **settings: Any) -> dict[str, Any]:
    """The rungs that this one, with these settings, is made of, with their defaults."""
    return {part: fit(part, corpus, workdir / part) for part in parts_of(name, LADDER[name].load().Config(**settings))}


class Fitted(dict[str, Any]):
    """Each rung, fitted when a test first asks for it."""

    def __init__(self, toy: ArchiveCorpus, folders: pytest.TempPathFactory) -> None:
        super().__init__()
        self.toy, self.folders = toy, folders

    def __missing__(self, name: str) -> Any:
        self[name] = fit(name, self.toy, self.folders.mktemp(name))
        return self[name]


@pytest.fixture(scope="session")
def fitted(toy: ArchiveCorpus, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return Fitted(toy, tmp_path_factory)


every_rung = pytest.mark.parametrize("name", list(LADDER))
predictors = pytest.mark.parametrize("name", those_that(Can.PREDICT))
proposers = pytest.mark.parametrize("name", those_that(Can.PROPOSE, asked=True))
rankers = pytest.mark.parametrize("name", those_that(Can.RANK, asked=True))


def states(model: Any) -> list[Any]:
    """A state after every prefix of a few texts, in every context."""
    found = []
    for context in CONTEXTS:
        for text in ANY_TEXT:
            state = model.start(context)
            found.append(state)
            for token in model.tokenizer.encode(text):
                state = model.advance(state, token)
                found.append(state)
    return found


def answers(name: str, model: Any) -> Any:
    """Everything a model says, to compare two of them."""
    said: list[Any] = []
    can = LADDER[name].can
    if Can.PREDICT in can:
        said += [model.log_probs(state).tobytes() for state in states(model)[:40]]
        said += [model.top(state, 5, b" ") for state in states(model)[:40]]
    if Can.PROPOSE in can:
        said += [model.propose(context, 5) for context in CONTEXTS]
    if Can.RANK in can:
        said += [model.score_replies(context, ANY_TEXT).tobytes() for context in CONTEXTS]
    return said


# --- every rung ------------------------------------------------------------------------------------------------------


@every_rung
def test_save_and_load_give_the_same_model_with_other_settings_than_the_defaults(
    name: str, toy: ArchiveCorpus, tmp_path: Path
) -> None:
    model = fit(name, toy, tmp_path / "work", **OTHER[name])
    model.save(tmp_path / "saved")
    parts = fit_parts(name, toy, tmp_path / "parts", **OTHER[name])
    loaded = LADDER[name].load().load(tmp_path / "saved", parts)
    assert loaded.config == model.config == LADDER[name].load().Config(**OTHER[name])
    assert answers(name, loaded) == answers(name, model)


@every_rung
def test_two_fits_with_one_seed_are_one_model(name: str, toy: ArchiveCorpus, tmp_path: Path, fitted: Fitted) -> None:
    assert answers(name, fit(name, toy, tmp_path / "again")) == answers(name, fitted[name])


@every_rung
def test_settings_are_frozen(name: str) -> None:
    config = LADDER[name].load().Config()
    with pytest.raises(AttributeError):
        setattr(config, next(iter(OTHER[name])), 1)


@every_rung
def test_no_pickle_is_saved(name: str, fitted: Fitted, tmp_path: Path) -> None:
    fitted[name].save(tmp_path / "saved")
    for file in (tmp_path / "saved").rglob("*.npy"):
        np.load(file, allow_pickle=False)
    assert not [f for f in (tmp_path / "saved").rglob("*") if f.suffix in {".pkl", ".pickle", ".pt", ".joblib"}]


# --- language models -------------------------------------------------------------------------------------------------


@predictors
def test_probabilities_sum_to_one_and_separators_that_begin_posts_have_none(name: str, fitted: Fitted) -> None:
    model = fitted[name]
    for state in states(model):
        log_probs = model.log_probs(state)
        assert log_probs.shape == (model.tokenizer.vocabulary,) and log_probs.dtype == np.float32
        assert abs(np.exp(log_probs.astype(np.float64)).sum() - 1) <= 1e-4
        assert log_probs[model.tokenizer.post] == log_probs[model.tokenizer.reply] == -np.inf
        assert np.isfinite(np.delete(log_probs, [model.tokenizer.post, model.tokenizer.reply])).all()


@predictors
def test_advance_changes_nothing_it_was_given(name: str, fitted: Fitted) -> None:
    model = fitted[name]
    state = model.start(CONTEXTS[2])
    before, said = copy.deepcopy(state), model.log_probs(state).copy()
    for token in model.tokenizer.encode("The dough is cold"):
        model.advance(state, token)
    assert state == before
    assert np.array_equal(model.log_probs(state), said)


@predictors
def test_the_same_tokens_give_the_same_state_by_whatever_road(name: str, fitted: Fitted) -> None:
    model = fitted[name]
    tokens = model.tokenizer.encode("Why does the engine stall")
    other = model.tokenizer.encode("bread")
    straight = crooked = model.start(())
    for token in tokens:
        straight = model.advance(straight, token)
    for token in tokens:
        for wrong in other:
            model.advance(crooked, wrong)  # a road not taken
        crooked = model.advance(crooked, token)
    assert np.array_equal(model.log_probs(straight), model.log_probs(crooked))


@predictors
@pytest.mark.parametrize("prefix", [b"", b" ", b" th", b"e", b"\xf0", b"\xff\xff", b" dough", "é".encode()])
def test_top_is_the_sorted_full_distribution(name: str, prefix: bytes, fitted: Fitted) -> None:
    model = fitted[name]
    for state in states(model)[::7]:
        log_probs = model.log_probs(state)
        fits = [t for t in range(model.tokenizer.vocabulary) if model.tokenizer.bytes[t].startswith(prefix)]
        expected = sorted((t for t in fits if log_probs[t] > -np.inf), key=lambda t: (-log_probs[t], t))
        for k in (0, 1, 10, 10_000):
            found = model.top(state, k, prefix)
            assert [token for token, _ in found] == expected[:k]
            assert all(math.isclose(value, log_probs[token], abs_tol=1e-6) for token, value in found)


@predictors
def test_many_at_once_are_the_same_as_one_by_one(name: str, fitted: Fitted) -> None:
    model = fitted[name]
    some = states(model)[:9]
    tokens = [(token * 7) % model.tokenizer.size for token in range(len(some))]
    assert np.array_equal(model.log_probs_many(some), np.stack([model.log_probs(state) for state in some]))
    together = model.advance_many(some, tokens)
    for state, token, advanced in zip(some, tokens, together, strict=True):
        assert np.array_equal(model.log_probs(advanced), model.log_probs(model.advance(state, token)))
    assert model.log_probs_many([]).shape == (0, model.tokenizer.vocabulary) and model.advance_many([], []) == []


@predictors
def test_a_text_scored_at_once_is_scored_token_by_token(name: str, fitted: Fitted) -> None:
    model = fitted[name]
    for context in CONTEXTS[:3]:
        state = model.start(context)
        tokens = [*model.tokenizer.encode("The dough is naïve 🍞"), model.tokenizer.end]
        found = model.score_tokens(state, tokens)
        assert found.shape == (len(tokens),) and found.dtype == np.float32
        for token, nats in zip(tokens, found, strict=True):
            assert math.isclose(nats, model.log_probs(state)[token], abs_tol=1e-4)
            state = model.advance(state, token)
        assert model.score_tokens(state, []).shape == (0,)


@pytest.mark.parametrize("name", those_that(Can.COUNT))
def test_how_well_a_text_is_known_is_a_length(name: str, fitted: Fitted) -> None:
    model = fitted[name]
    for state in states(model):
        length = model.seen(state)
        assert isinstance(length, int) and length >= 0
    state, tokens = model.start(CONTEXTS[2]), model.tokenizer.encode("The dough is cold . The dough")
    nats, lengths = model.score_seen(state, tokens)
    assert nats == pytest.approx(model.score_tokens(state, tokens), abs=1e-4)
    for token, length in zip(tokens, lengths.tolist(), strict=True):
        assert model.seen(state) == length
        state = model.advance(state, token)


@pytest.mark.parametrize("name", those_that(Can.RECALL))
def test_what_is_recalled_of_a_text_is_the_same_at_once_and_token_by_token(name: str, fitted: Fitted) -> None:
    model = fitted[name]
    state = model.start(CONTEXTS[2])
    tokens = [*model.tokenizer.encode("The dough is cold . The dough is warm"), model.tokenizer.end]
    said, nats, certainties = model.score_recall(state, tokens)
    assert said == pytest.approx(model.score_tokens(state, tokens), abs=1e-4)
    for token, expected, certainty in zip(tokens, nats, certainties, strict=True):
        recalled = model.recall(state)
        assert recalled.shares.sum() == pytest.approx(1, abs=1e-5) and (recalled.shares >= 0).all()
        assert recalled.certainty == pytest.approx(certainty, abs=1e-3)
        share = recalled.shares[recalled.tokens == token].sum()
        assert share == pytest.approx(np.exp(expected), abs=1e-4)
        state = model.advance(state, token)
    nothing = model.recall(model.start(()))
    assert not len(nothing.tokens) and nothing.certainty == -np.inf


# --- sources and rankers ---------------------------------------------------------------------------------------------


@proposers
def test_at_most_k_proposals_sorted_and_unique(name: str, fitted: Fitted) -> None:
    for context in CONTEXTS:
        for k in (0, 1, 3, 1000):
            found = fitted[name].propose(context, k)
            assert len(found) <= k
            assert all(s.rung == name and s.text for s in found)
            assert len({(s.text, s.post) for s in found}) == len(found)
            if Can.RANK in LADDER[name].can:
                assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)


@rankers
def test_every_candidate_gets_a_finite_score_whatever_the_text(name: str, fitted: Fitted) -> None:
    for context in CONTEXTS:
        scores = fitted[name].score_replies(context, ANY_TEXT)
        assert scores.shape == (len(ANY_TEXT),) and scores.dtype == np.float64 and np.isfinite(scores).all()
        assert fitted[name].score_replies(context, []).shape == (0,)


@rankers
def test_a_candidate_scores_the_same_in_any_company(name: str, fitted: Fitted) -> None:
    together = fitted[name].score_replies(CONTEXTS[1], ANY_TEXT)
    alone = [fitted[name].score_replies(CONTEXTS[1], [text])[0] for text in ANY_TEXT]
    assert together.tolist() == alone


# --- the toy archive: two topics that never mix ----------------------------------------------------------------------


@pytest.mark.parametrize("name", those_that(Can.PROPOSE | Can.RANK, asked=True))
@pytest.mark.parametrize(
    ("question", "right", "wrong"), [("cold bread dough", "dough", "engine"), ("engine stall", "engine", "dough")]
)
def test_replies_are_about_the_topic_of_the_question(name: str, question: str, right: str, wrong: str, fitted: Fitted) -> None:
    context = (Post(1, Kind.STORY, question),)
    found = fitted[name].propose(context, 5)
    assert found and all(right in s.text and wrong not in s.text for s in found)
    bread, engine = fitted[name].score_replies(context, ["flour and dough", "the engine and its fuel"])
    assert (bread > engine) == (right == "dough")


@pytest.mark.parametrize("name", [n for n in those_that(Can.PREDICT) if n != "unigram"])
def test_the_next_word_follows_from_the_words_before(name: str, fitted: Fitted) -> None:
    model = fitted[name]
    state = model.start(())
    for token in model.tokenizer.encode("the spark"):
        state = model.advance(state, token)
    expected = model.tokenizer.encode(" plug")[0]
    assert model.top(state, 1)[0][0] == expected


def test_the_toy_archive_is_what_the_tests_take_it_for() -> None:
    posts = list(toy_posts())
    bread = [post for post in posts if "dough" in post.body]
    engine = [post for post in posts if "engine" in post.body]
    assert bread and engine and not {p.id for p in bread} & {p.id for p in engine}
