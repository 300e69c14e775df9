"""The mixture of words: what a home says in its tokens, said in those of a net."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_gguf

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.models.interfaces import Job
from rejoinder.models.kneser_ney import KneserNey
from rejoinder.models.markov import Markov
from rejoinder.models.pretrained.rung import Pretrained, PretrainedConfig
from rejoinder.models.pretrained.word_mixture import WordMixture, WordMixtureConfig, fit_shares

TEXT = "Check the spark plug and the fuel filter , an old engine stalls ."


def fitted(rung: Any, toy: ArchiveCorpus, tmp_path: Path, **settings: Any) -> Any:
    return rung.fit(toy, rung.Config(**settings), rng=np.random.default_rng(0), job=Job(tmp_path))


@pytest.fixture
def words(toy: ArchiveCorpus, tmp_path: Path) -> WordMixture:
    net = Pretrained.read(tiny_gguf.shared(), PretrainedConfig(), Job(tmp_path))
    return WordMixture(WordMixtureConfig(), {"kneser_ney": fitted(KneserNey, toy, tmp_path), "pretrained": net})


def states_of(model: WordMixture, text: str) -> list[tuple[Any, int]]:
    """Before each token of a text: the state, and the token."""
    state, found = model.start(()), []
    for token in model.tokenizer.encode(text):
        found.append((state, token))
        state = model.advance(state, token)
    return found


def test_where_both_have_one_tokenizer_nothing_is_lost_in_translation(toy: ArchiveCorpus, tmp_path: Path) -> None:
    parts = {"kneser_ney": fitted(KneserNey, toy, tmp_path), "markov": fitted(Markov, toy, tmp_path)}
    model = WordMixture(WordMixtureConfig(models=("kneser_ney", "markov")), parts)
    plain = parts["kneser_ney"].start(())
    for state, token in states_of(model, TEXT):
        said, _ = model._translated(state, np.exp(parts["markov"].log_probs(state.net).astype(np.float64)))
        assert said == pytest.approx(np.exp(parts["kneser_ney"].log_probs(plain).astype(np.float64)), abs=1e-6)
        plain = parts["kneser_ney"].advance(plain, token)


def test_a_word_the_home_is_sure_of_is_spelled_as_the_net_does(words: WordMixture) -> None:
    """After "the spark" the home has only ever seen " plug": each piece of it, in the net's tokens, is nearly certain."""
    state = words.start(())
    for token in words.tokenizer.encode("Check the spark"):
        state = words.advance(state, token)
    for token in words.tokenizer.encode(" plug"):
        net = np.exp(words._net.log_probs(state.net).astype(np.float64))
        said, _ = words._translated(state, net)
        assert said.sum() == pytest.approx(1, abs=1e-9)
        assert said[token] > 0.7
        state = words.advance(state, token)


def test_tokens_of_a_text_read_by_both_are_the_texts_own(words: WordMixture) -> None:
    """The home reads word by word what it would read at once."""
    state = words.start(())
    for token in words.tokenizer.encode(TEXT):
        state = words.advance(state, token)
    home = words._home.start(())
    for token in words._home.tokenizer.encode(TEXT):
        home = words._home.advance(home, token)
    done = words._read(state.home, words._home.tokenizer.encode(words._text(state).decode()))
    assert np.array_equal(words._home.log_probs(done), words._home.log_probs(home))


def test_the_mixture_pays_less_than_either_for_what_the_home_is_made_of(toy: ArchiveCorpus, tmp_path: Path) -> None:
    tiny_gguf.write(tmp_path / "random.gguf", tiny_gguf.Sizes())
    net = Pretrained.read(tmp_path / "random.gguf", PretrainedConfig(), Job(tmp_path))
    counts = fitted(KneserNey, toy, tmp_path)
    job = Job(tmp_path, parts={"kneser_ney": counts, "pretrained": net})
    model = WordMixture.fit(toy, WordMixtureConfig(dev_tokens=400), rng=np.random.default_rng(0), job=job)
    tokens, theirs = model.tokenizer.encode(TEXT), counts.tokenizer.encode(TEXT)
    mixed = model.score_tokens(model.start(()), tokens).sum()
    assert mixed > net.score_tokens(net.start(()), tokens).sum() + 50
    assert mixed > counts.score_tokens(counts.start(()), theirs).sum() - 10


def test_the_weight_of_a_bucket_by_hand() -> None:
    """Two tokens of one bucket, of which each model knows one: by symmetry a half. In another bucket the home knows nothing."""
    config = WordMixtureConfig(lengths=1, shrink=1e-9)
    seen = [(0, np.log(0.8), 0.1), (0, np.log(0.1), 0.8), (1, np.log(0.5), 0.0)]
    found = fit_shares(seen, config)
    assert found[0, 0] == pytest.approx(0.5, abs=0.01) and found[1, 0] < 0.01
