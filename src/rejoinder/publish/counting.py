"""The counts of everything that is read: one Kneser-Ney model for each group of files, interpolated and pruned to a size.

A register's words are best told by the register's own counts, so the files are counted in groups (`ReadConfig.group`), and the
groups weighted on the dev part of the last file, by EM (Jelinek & Mercer 1980):

    r_g(t) = b_g p_g(t) / sum over k of b_k p_k(t)            for each dev token t
    b_g = sum over t of r_g(t) / N

then made one model (`rejoinder.models.interpolation`). Of a group only n-grams count that two threads of it hold, since authors
are not known there; a thread has at least one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rejoinder.models.interfaces import Job
from rejoinder.models.interpolation import Grams, as_trie, interpolate
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.publish.reading import FilesCorpus, ReadCorpus
from rejoinder.text.counting import Room, count_both
from rejoinder.text.tensors import TokenArrays, open_tokenizer, open_tokens
from rejoinder.text.tokenizer import AnyTokenizer

FOLLOW = 1e-6  # how often a context comes, as a share of all tokens, from which the weights follow the counts
_DEV_POSTS = 1500
_STEPS = 100


def fit_counts(reading: FilesCorpus, config: KneserNeyConfig, job: Job) -> KneserNey:
    """The counted model of all files.

    Args:
        reading: whose token arrays are written.
        config: its `size` bounds the model.
        job: told what is being done; models of groups lie in its work directory until all are there.
    """
    tokenizer = open_tokenizer(reading.tokens)
    groups: dict[str, list[ReadCorpus]] = {}
    for source in reading.sources:
        groups.setdefault(source.config.group or source.config.called, []).append(source)
    tries, said = [], []
    for name, sources in groups.items():
        job.progress(f"counting {name}", 0, None)
        trie, probs = _group(sources, tokenizer, config, job.workdir, _dev(reading))
        tries.append(trie)
        said.append(probs)
    job.progress("making them one", 0, None)
    levels = interpolate(tries, em(np.stack(said)), FOLLOW)
    return KneserNey.pruned(config, tokenizer, levels)


def em(probs: NDArray[np.float64]) -> list[float]:
    """(G,) the weights that make dev tokens most likely, given (G, N) what each model says of each, as probabilities."""
    weights = np.full(len(probs), 1 / len(probs))
    for _ in range(_STEPS):
        shares = weights[:, None] * probs
        weights = (shares / shares.sum(axis=0)).mean(axis=1)
    return list((np.maximum(weights, 1e-6) / np.maximum(weights, 1e-6).sum()).tolist())


def _group(
    sources: Sequence[ReadCorpus], tokenizer: AnyTokenizer, config: KneserNeyConfig, workdir: Path, dev: Sequence[Sequence[int]]
) -> tuple[list[Grams], NDArray[np.float64]]:
    """A group's model as a trie, and what it says of the dev tokens, (N,) as probabilities."""
    arrays, threads = _joined(sources)
    counts, spread = count_both(arrays, config.order, tokenizer.vocabulary, threads, Room(config.memory, workdir))
    model = KneserNey.from_counts(replace(config, size=0, cache=0), tokenizer, counts, spread)
    probs = [np.exp(model.score_tokens(model.advance(model.start(()), tokens[0]), tokens[1:])) for tokens in dev]
    return as_trie(model.index, counts), np.concatenate(probs).astype(np.float64)


def _joined(sources: Sequence[ReadCorpus]) -> tuple[TokenArrays, NDArray[np.int64]]:
    """The train arrays of some files as those of one, (P,) the thread of each post."""
    found = [open_tokens(source.tokens, "train") for source in sources]
    before = np.cumsum([0, *(len(arrays.tokens) for arrays in found)])
    offsets = np.concatenate([*(a.offsets[:-1] + start for a, start in zip(found, before, strict=False)), before[-1:]])
    threads = np.concatenate([np.load(source.tokens / "train.threads.npy") for source in sources])
    tokens = np.concatenate([arrays.tokens for arrays in found])
    return TokenArrays(tokens, offsets.astype(np.int64), np.concatenate([arrays.posts for arrays in found])), threads


def _dev(reading: FilesCorpus) -> list[list[int]]:
    """The tokens of some dev posts."""
    arrays = open_tokens(reading.tokens, "dev")
    order = np.random.default_rng(0).permutation(len(arrays.posts))
    return [arrays.tokens[arrays.offsets[at] : arrays.offsets[at + 1]].tolist() for at in islice(order, _DEV_POSTS)]
