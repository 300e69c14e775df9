"""What a reply and what it answers have in common, as numbers: the plain features of the fusion.

Twice, over words and over stems (the first letters of each word, so that "compile" and "compiler" meet):

    last, above, opening   cosine of the reply with the last post, with all before it, with the opening post
    likely           sum over words w of the reply of ln(1 + c(w) / (m p(w))) + ln(m / (|c| + m)), by the root of its length
    answered         the same the other way round: how likely the reply makes the last post
    taken_up         sum over words in both of their lift
    called_up        sum over words of the reply of ln(1 + called / (2 usual)), by the root of its length

The cosine is of (1 + ln tf) idf^1.5. `likely` is the query likelihood under a Dirichlet-smoothed unigram model (Zhai & Lafferty
2004) of the last post and, at a third of the weight, all before it. What idf, lift and called are stands in `word_statistics`.
Besides, how long the reply is. All logarithms are natural. A candidate's features do not depend on its company, to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.corpus import Corpus
from rejoinder.models.bags import Bags, find, read
from rejoinder.models.pairs import clean_pairs
from rejoinder.models.remembered import Remembered
from rejoinder.models.word_statistics import WordStatistics
from rejoinder.post import Post
from rejoinder.text.batches import batches
from rejoinder.text.sums import each_once

LETTERS: Mapping[str, int | None] = {"word": None, "stem": 5}
_KINDS = ("last", "above", "opening", "likely", "answered", "taken_up", "called_up")
_LENGTHS = ("length", "length_squared", "length_by_context")
NAMES = (*(f"{kind}_{alphabet}" for alphabet in LETTERS for kind in _KINDS), *_LENGTHS)
_POWER = 1.5  # of idf
_OF_POST, _OF_REPLY = 3000.0, 1000.0  # m: words of train that count as part of a post, of a reply
_ABOVE = 0.3  # how much a word further up counts beside one of the last post
_AT_ONCE = 2048  # texts counted together
_FEW = 5.0  # words added to a length, so that short replies are not made much of

Floats = NDArray[np.float64]


class Overlap:
    """Computes the F features of candidates."""

    def __init__(self, statistics: Mapping[str, WordStatistics]) -> None:
        """`statistics` of words and of stems."""
        self._statistics = statistics
        self._candidates = Remembered(_bags)

    @classmethod
    def fit(cls, corpus: Corpus, most: int, rng: np.random.Generator) -> Self:
        """Count words of the train part, and of at most so many pairs drawn at random."""
        number = sum(1 for thread in corpus.threads("train") for _ in thread.pairs(limit=1))
        share = most / max(number, 1)
        drawn = (pair for pair in clean_pairs(corpus.pairs("train", limit=1)) if share >= 1 or rng.random() < share)
        pairs = [
            ([pair.context[-1].own_text for pair in some], [pair.reply.own_text for pair in some])
            for some in batches(drawn, _AT_ONCE)
        ]
        posts = {name: batches((post.own_text for post in corpus.posts("train")), _AT_ONCE) for name in LETTERS}
        return cls({name: WordStatistics.count(posts[name], pairs, letters) for name, letters in LETTERS.items()})

    def features(self, context: Sequence[Post], candidates: Sequence[str]) -> Floats:
        """(C, F) float64, in the order of `NAMES`; `context` is not empty."""
        said = self._candidates.of(candidates)
        above = [word for post in context[:-1] for word in read([post.own_text])[0]]
        asked = [read([context[-1].own_text])[0], above, read([context[0].own_text])[0] if len(context) > 1 else []]
        columns: list[Any] = []
        for place, (name, letters) in enumerate(LETTERS.items()):
            columns += _compare(self._statistics[name], Bags.of(asked, letters), Bags.join([bags[place] for bags in said]))
        lengths = np.log1p(np.array([bags[0].lengths[0] for bags in said], np.float64))
        return np.stack([*columns, lengths, lengths**2, lengths * np.log1p(len(asked[0]))], axis=1)

    def save(self, directory: Path) -> None:
        """Write the statistics into `directory`."""
        for name, found in self._statistics.items():
            found.save(directory, name)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what `save` wrote, memory-mapped.

        Raises:
            DamagedModel: something is missing, or does not fit the rest.
        """
        return cls({name: WordStatistics.load(directory, name) for name in LETTERS})


def _bags(texts: Sequence[str]) -> Iterator[tuple[Bags, ...]]:
    """The bags of each text, by words and by stems."""
    for said in read(texts):
        yield tuple(Bags.of([said], letters) for letters in LETTERS.values())


def _compare(of: WordStatistics, asked: Bags, said: Bags) -> list[Floats]:
    """(C,) each of `_KINDS`; `asked` are the last post, all before it, and the opening post."""
    local = each_once(np.concatenate([asked.codes, said.codes]))
    place = find(of.codes, local)
    idf, share = of.idf[place].astype(np.float64) ** _POWER, of.share[place].astype(np.float64)
    at, entry = np.searchsorted(local, asked.codes), np.searchsorted(local, said.codes)

    def cosine(post: int) -> Floats:
        mine = asked.owner == post
        query = np.zeros(len(local))
        query[at[mine]] = asked.damped[mine] * idf[at[mine]]
        return _divide(said.total(weights * query[entry]), float(np.sqrt((query[at[mine]] ** 2).sum())) * norms)

    weights = said.damped * idf[entry]
    norms = np.sqrt(said.total(weights**2))
    last, above = asked.owner == 0, asked.owner == 1
    counts = np.zeros(len(local))
    counts[at[last]] = asked.counts[last]
    last_counts = counts.copy()
    counts[at[above]] += _ABOVE * asked.counts[above]
    size, root = asked.lengths[0] + _ABOVE * asked.lengths[1], np.sqrt(said.lengths + _FEW)
    likely = said.total(said.counts * np.log1p(counts / (_OF_POST * share))[entry])
    likely = (likely + said.lengths * np.log(_OF_POST / (size + _OF_POST))) / root
    answered = said.total(last_counts[entry] * np.log1p(said.counts / (_OF_REPLY * share[entry])))
    answered = answered + asked.lengths[0] * np.log(_OF_REPLY / (said.lengths + _OF_REPLY))
    taken_up = said.total(((last_counts > 0) * of.lift[place])[entry])
    called = np.log1p(of.called_up(asked.codes[last], local) / (2 * of.usual[place].astype(np.float64)))
    return [cosine(0), cosine(1), cosine(2), likely, answered, taken_up, said.total(called[entry]) / root]


def _divide(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
