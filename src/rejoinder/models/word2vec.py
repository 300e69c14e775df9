"""The word2vec rung: word vectors learned by telling true neighbours from drawn ones, and posts compared by them.

For every word w and every word c within a window of random width around it, with n words d drawn from #(d)^0.75, the loss

    L = - ln s(u_w . v_c) - sum over d of ln s(- u_d . v_c),        s(x) = 1 / (1 + e^-x), nats

is made smaller by a step against its gradient (skip-gram with negative sampling, Mikolov et al. 2013). Frequent words are left
out at random: w is kept with probability min(1, sqrt(t / f) + t / f), f its share of all words, t `subsample`. The v are the
vectors; the u are forgotten. gensim does the steps, on all cores. Cores that write to the same vectors race each other, so two
fits differ a little; with `workers` 1 they do not.

Explained in docs/tour/05-words-to-vectors.md.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rejoinder.config import At, Checked, NonNegativeInt, PositiveInt
from rejoinder.errors import ModelError, missing_extra
from rejoinder.models.interfaces import Job, Progress
from rejoinder.models.similarity import Similarity
from rejoinder.text.static_embeddings import is_static, static_vectors
from rejoinder.text.vector_files import read_vectors
from rejoinder.text.vectors import WordVectors
from rejoinder.text.word_arrays import WordArrays

_LOWEST = 1e-4  # the learning rate at the end
_KNOWN = 0.5  # of the words of the train part, each as often as it occurs, that vectors made elsewhere must know
_LINES = 10_000  # texts written at a time


@dataclass(frozen=True)
class Word2VecConfig(Checked, of="word2vec"):
    """Settings of the word2vec rung."""

    size: PositiveInt = 200  # D, numbers of a vector
    window: PositiveInt = 10  # words to each side at most
    rarest: PositiveInt = 5  # words that occur less often are left out
    most: Annotated[int, At(least=2)] = 200_000  # words at most, the most frequent
    negatives: PositiveInt = 5  # words drawn against each true neighbour
    subsample: Annotated[float, At(least=0, below=1)] = 3e-4  # t: words of a larger share are thinned out; 0: none
    epochs: PositiveInt = 10  # passes over the train part
    learning_rate: Annotated[float, At(above=0, most=1)] = 0.025  # at the beginning; it falls in a straight line to almost 0
    buckets: NonNegativeInt = 32_768  # for the letters of unseen words; 0: these have no vector
    workers: Annotated[int | None, At(least=1)] = None  # cores that learn at once; None: all; 1: equal seeds, equal fits
    file: str | None = (
        None  # of vectors made elsewhere, as word2vec or model2vec writes them, in place of learning (`size`: theirs)
    )


class Word2Vec(Similarity):
    """Posts compared by vectors that were learned."""

    Config: ClassVar[type] = Word2VecConfig
    name: ClassVar[str] = "word2vec"

    @classmethod
    def learn(cls, arrays: WordArrays, config: Word2VecConfig, *, rng: np.random.Generator, job: Job) -> WordVectors:
        """Train, or take over what was trained elsewhere."""
        if config.file is not None:
            return made_elsewhere(Path(config.file), arrays, config.most)
        vectors = train(arrays, config, int(rng.integers(2**31)), job.workdir, job.progress)
        return WordVectors(arrays.words, vectors, arrays.counts)


def train(arrays: WordArrays, config: Word2VecConfig, seed: int, workdir: Path, progress: Progress) -> NDArray[np.float32]:
    """(V, D) float32: a vector for each word of `arrays`."""
    try:
        from gensim.models import Word2Vec as Gensim
        from gensim.models.callbacks import CallbackAny2Vec
    except ImportError as error:
        raise missing_extra("fitting word2vec", "train") from error

    class Epochs(CallbackAny2Vec):  # type: ignore[misc]
        done = 0

        def on_epoch_end(self, _: Any) -> None:
            self.done += 1
            progress("reading the words", self.done, config.epochs)

    file = workdir / "texts"
    write_places(arrays, file)
    model = Gensim(
        vector_size=config.size,
        window=config.window,
        negative=config.negatives,
        sample=config.subsample,
        alpha=config.learning_rate,
        min_alpha=min(_LOWEST, config.learning_rate),
        epochs=config.epochs,
        workers=config.workers or os.cpu_count() or 1,
        seed=seed,
        sg=1,
        min_count=1,
        sorted_vocab=0,  # they come sorted; gensim would not keep the order of equals
    )
    model.build_vocab_from_freq({str(place): int(count) for place, count in enumerate(arrays.counts)})
    model.train(
        corpus_file=str(file),
        total_examples=len(arrays.offsets) - 1,
        total_words=len(arrays.places),
        epochs=config.epochs,
        callbacks=[Epochs()],
    )
    file.unlink()
    return np.asarray(model.wv.vectors, np.float32)


def made_elsewhere(file: Path, arrays: WordArrays, most: int) -> WordVectors:
    """The vectors in `file`, with the counts of `arrays`: the `most` frequent words there, then in the order of the file.

    Of a folder with static embeddings (model2vec's), whose vectors are those of pieces of words: the words of `arrays`.

    Raises:
        SourceError: the file cannot be read.
        ModelError: it knows too few of the words of `arrays`.
    """
    found = static_vectors(file, arrays.words) if is_static(file) else read_vectors(file)
    counts = np.zeros(len(found.words), np.int64)
    for word, count in zip(arrays.words, arrays.counts, strict=True):
        if (place := found.place(word)) is not None:
            counts[place] = count
    known = counts.sum() / arrays.counts.sum()
    if known < _KNOWN:
        raise ModelError(
            f"{file} has vectors for {known:.0%} of the words of the train part, and {_KNOWN:.0%} are needed: "
            "is it of the same language, in lower case?"
        )
    order = np.lexsort((np.arange(len(counts)), -counts))[:most]
    return WordVectors([found.words[place] for place in order], found.vectors[order], counts[order])


def write_places(arrays: WordArrays, file: Path) -> None:
    """Each text as a line of numbers: the places of its words. That is what gensim's threads read without Python."""
    names = np.arange(len(arrays.words)).astype(str).tolist()
    with file.open("w", encoding="ascii") as opened:
        for first in range(0, len(arrays.offsets) - 1, _LINES):
            offsets = arrays.offsets[first : first + _LINES + 1].tolist()
            places = [names[place] for place in arrays.places[offsets[0] : offsets[-1]]]
            ends = [offset - offsets[0] for offset in offsets]
            opened.writelines(" ".join(places[start:end]) + "\n" for start, end in pairwise(ends))
