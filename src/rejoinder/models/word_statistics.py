"""What a train part says of its words: how common each is, how often a reply takes it up, and what other words it calls up.

    idf(w)   = ln(1 + (N - df + 0.5) / (df + 0.5))                         df of N posts have w
    lift(w)  = ln( (both + a) / (expected + a / L(df)) ), at least 0          a = 2
    call(c, w) = max((n(c, w) - 1) / (n(c) + 5) - n(w) / P, 0)                where n(c, w) is far above chance

Over P pairs of a post and a reply: `both` counts those where w stands in both, `expected` is what chance would give,
n(c) n(w) / P, and L the ratio of the two for all words about as common: a word that was rarely seen is taken for one of its like.
A word such as "however" is rare but not taken up, a name is. call(c, w) is by how much a w in the reply is likelier after a c in
the post (as in a translation model, Berger & Lafferty 1999); far above chance is (n - e) / sqrt(e + 1/2) > 2.5, and very common
words are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.errors import DamagedModel
from rejoinder.models.bags import Bags, find, read
from rejoinder.models.directory import load_array, save_array
from rejoinder.text.sums import add_up, spans

_SMOOTHING = 2.0  # a
_RARELY = 50.0  # L of words that no pair has
_FAR = 2.5  # standard deviations
_FEWEST = 3  # texts of a word that calls up or is called up
_COMMON = 0.03  # share of posts from which on a word neither calls up nor is called up
_WAITING = 2**20  # words of batches that are merged together, at least
_PENDING = 2**23  # pairs of words that are counted at a time, about
_ARRAYS = ("codes", "idf", "share", "lift", "usual", "offsets", "called", "call")

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class WordStatistics:
    """Of V words; place V stands for all that were never met."""

    codes: NDArray[np.uint32]  # (V,) ascending, see `bags`
    idf: NDArray[np.float32]  # (V+1,) nats
    share: NDArray[np.float32]  # (V+1,) of all words of train
    lift: NDArray[np.float32]  # (V+1,) nats
    usual: NDArray[np.float32]  # (V+1,) share of replies that have it
    offsets: Ints  # (V+1,) what word v calls up is called[offsets[v] : offsets[v + 1]]
    called: NDArray[np.int32]  # (E,) places
    call: NDArray[np.float32]  # (E,)

    @classmethod
    def count(
        cls, posts: Iterator[Sequence[str]], pairs: Sequence[tuple[Sequence[str], Sequence[str]]], letters: int | None
    ) -> Self:
        """Count words.

        Args:
            posts: batches of texts of the train part.
            pairs: batches of what was answered, and of the replies.
            letters: of each word the first so many, None for all.
        """
        total, codes, df, occurrences = _count_words(posts, letters)
        asked, replies = ([Bags.of(read(batch[side]), letters) for batch in pairs] for side in (0, 1))
        number = max(sum(len(bags.lengths) for bags in replies), 1)
        words = len(codes)
        nc, nr = (sum((_places(codes, bags, words) for bags in some), np.zeros(words + 1, np.int64)) for some in (asked, replies))
        both = np.zeros(words + 1, np.int64)
        for one, other in zip(asked, replies, strict=True):
            common = np.intersect1d(one.keys(), other.keys(), assume_unique=True) & 0xFFFFFFFF
            both += np.bincount(find(codes, common), minlength=words + 1)
        nc[words] = nr[words] = both[words] = 0  # whatever is not of train
        df = np.append(df, 0)
        lift = _lift(both, nc * nr / number, df)
        able = (df[:words] < _COMMON * total) & (df[:words] > 0)
        offsets, called, call = _calls(codes, asked, replies, (nc[:words], nr[:words]), able)
        share = (np.append(occurrences, 0) + 0.5) / (occurrences.sum() + 0.5 * (words + 1))
        idf = np.log1p((total - df + 0.5) / (df + 0.5))
        of_words: list[Any] = [array.astype(np.float32) for array in (idf, share, lift, nr / number + 1e-4)]
        of_calls: list[Any] = [offsets, called.astype(np.int32), call.astype(np.float32)]
        return cls(codes.astype(np.uint32), *of_words, *of_calls)

    def called_up(self, codes: Ints, local: Ints) -> Floats:
        """(U,) float64: how much likelier each word `local` (U,), ascending, has become through the words `codes`."""
        places = find(self.codes, codes)
        places = places[places < len(self.codes)]
        sizes = self.offsets[places + 1] - self.offsets[places]
        within = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        entries = np.repeat(self.offsets[places], sizes) + within
        here = find(local, self.codes[self.called[entries]].astype(np.int64))
        return np.asarray(np.bincount(here, self.call[entries], len(local) + 1)[: len(local)], np.float64)

    def save(self, directory: Path, name: str) -> None:
        """Write the arrays, their names beginning with `name`."""
        for array in _ARRAYS:
            save_array(directory, f"{name}.{array}", getattr(self, array))

    @classmethod
    def load(cls, directory: Path, name: str) -> Self:
        """Read what `save` wrote, memory-mapped.

        Raises:
            DamagedModel: something is missing, or does not fit the rest.
        """
        found = cls(*(np.asarray(load_array(directory, f"{name}.{array}")) for array in _ARRAYS))
        words = len(found.codes) + 1
        sizes = {len(array) for array in (found.idf, found.share, found.lift, found.usual, found.offsets)}
        if sizes != {words} or len(found.called) != len(found.call) or found.offsets[-1] != len(found.call):
            raise DamagedModel(f"{directory}: the statistics of words do not fit together; fit again: rejoinder fit fusion")
        return found


def _places(codes: Ints, bags: Bags, words: int) -> Ints:
    return np.bincount(find(codes, bags.codes), minlength=words + 1)


def _count_words(posts: Iterator[Sequence[str]], letters: int | None) -> tuple[int, Ints, Ints, Ints]:
    """How many texts; the words they have (V,), ascending; in how many texts each is, and how often (V,).

    What was counted waits until it is as much as there is already, so that each word is merged few times, not once a batch.
    """
    total = waiting = 0
    codes, counts = np.empty(0, np.int64), np.empty((0, 2), np.int64)
    pending: list[tuple[Ints, Ints]] = []
    for batch in posts:
        bags = Bags.of(read(batch), letters)
        total += len(batch)
        pending.append(add_up(bags.codes, np.stack([np.ones_like(bags.counts), bags.counts], axis=1)))
        waiting += len(pending[-1][0])
        if waiting > max(len(codes), _WAITING):
            codes, counts = _merged([(codes, counts), *pending])
            pending, waiting = [], 0
    codes, counts = _merged([(codes, counts), *pending])
    return total, codes, counts[:, 0], counts[:, 1]


def _merged(parts: Sequence[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    return add_up(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _lift(both: Ints, expected: Floats, df: Ints) -> Floats:
    """(V,) nats: see the formula above; words are alike whose df has the same power of two."""
    bins = np.log2(df + 1).astype(np.int64)
    usual = (np.bincount(bins, both) + 0.1) / (np.bincount(bins, expected) + 0.1 / _RARELY)
    return np.asarray(np.maximum(np.log((both + _SMOOTHING) / (expected + _SMOOTHING / usual[bins])), 0))


def _calls(
    codes: Ints, asked: Sequence[Bags], replies: Sequence[Bags], counts: tuple[Ints, Ints], able: NDArray[np.bool_]
) -> tuple[Ints, Ints, Floats]:
    """Offsets (V+1,), places (E,) and strengths (E,) of what each word calls up; worked out for a range of words at a time."""
    words, number = len(codes), max(sum(len(bags.lengths) for bags in replies), 1)
    sides = [np.append(able & (count >= _FEWEST), False) for count in counts]
    crossings = [_Crossing.of(codes, one, other, sides) for one, other in zip(asked, replies, strict=True)]
    sizes = sum((crossing.sizes(words) for crossing in crossings), np.zeros(words, np.int64))
    found: list[tuple[Ints, Ints, Floats]] = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for begin, end in spans(np.append(0, np.cumsum(sizes)), _PENDING):
        crossed = np.concatenate([np.empty(0, np.int64), *(crossing.pairs(begin, end, words) for crossing in crossings)])
        keys, times = np.unique(crossed, return_counts=True)
        first, second = np.divmod(keys, words)
        expected = counts[0][first] * counts[1][second] / number
        far = (times - expected > _FAR * np.sqrt(expected + 0.5)) & (first != second)
        first, second, times = first[far], second[far], times[far]
        call = (times - 1) / (counts[0][first] + 5) - counts[1][second] / number
        more = call > 0
        found.append((first[more], second[more], call[more]))
    first, second, call = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return np.searchsorted(first, np.arange(words + 1)), second, call


@dataclass(frozen=True, eq=False)
class _Crossing:
    """Every word of some texts with every word of the reply to each, as far as they may call up and be called up."""

    left: Ints  # (L,) words of the texts
    begins: Ints  # (L,) where the words of the reply to each begin
    many: Ints  # (L,) how many these are
    right: NDArray[np.int32]  # (R,) words of the replies

    @classmethod
    def of(cls, codes: Ints, one: Bags, other: Bags, sides: Sequence[NDArray[np.bool_]]) -> Self:
        """Of the texts `one` and the replies `other`."""
        (owner, left), (owners, right) = (
            (bags.owner[keep], places[keep])
            for bags, able in zip((one, other), sides, strict=True)
            for places in [find(codes, bags.codes)]
            for keep in [able[places]]
        )
        order = np.argsort(left, kind="stable")
        begins = np.searchsorted(owners, np.arange(len(other.lengths) + 1))
        return cls(left[order], begins[owner[order]], np.diff(begins)[owner[order]], right.astype(np.int32))

    def sizes(self, words: int) -> Ints:
        """(V,) how many pairs each word is the first of."""
        return np.bincount(self.left, self.many, words).astype(np.int64)

    def pairs(self, begin: int, end: int, words: int) -> Ints:
        """(N,) those whose first word is one from `begin` up to `end`: first * V + second."""
        some = slice(*np.searchsorted(self.left, [begin, end]).tolist())
        many = self.many[some]
        within = np.arange(int(many.sum())) - np.repeat(np.cumsum(many) - many, many)
        found: Ints = np.repeat(self.left[some], many) * words + self.right[np.repeat(self.begins[some], many) + within]
        return found
