"""Which runs of words a model must not pass off as its own, where it has read so much that not all can be kept.

`rejoinder.text.phrases` keeps the runs that one author alone wrote; of 92 million words these would take 90 MB. So only those are
kept that a model would itself make: the most probable ones, as many as there is room for. How probable a run is, a model that
counts says, given what stands before it in its post:

    s(run) = sum over the tokens t of the run's words of ln p(t | what stands before it)

A run is copied by chance p; so, of sets of one size, these are the runs of which most copies are caught where continuations are
sampled, and where the likeliest is searched for, too. Authors are not known, so whoever wrote in a thread counts as one.

In two passes, so that it takes little memory: the hashes of all runs lie on the disk, with their threads, while the most probable
ones are collected; then it is seen which of these another thread has, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rejoinder.hashing import hash64
from rejoinder.models.interfaces import Progress, silent
from rejoinder.models.kneser_ney import KneserNey
from rejoinder.models.smoothing import Followers
from rejoinder.post import Post
from rejoinder.publish.reading import ReadCorpus
from rejoinder.text.phrases import RUN, Phrases, run_hashes
from rejoinder.text.tensors import TokenArrays, open_tokens
from rejoinder.text.words import placed_words

BITS = 16  # of the filter for each run
_SPARE = 3  # times as many runs are collected as there is room for, since others may have them too
_AT_ONCE = 2**20  # tokens scored together
_CHUNK = 2**22  # runs looked up together
_RECORD = np.dtype([("run", "<u8"), ("thread", "<u8")])


def guard(sources: Sequence[ReadCorpus], model: KneserNey, size: int, work: Path, progress: Progress = silent) -> Phrases:
    """The filter, in at most `size` bytes, of the likeliest runs that one thread alone holds.

    Args:
        sources: what was read; their token arrays are written.
        model: says how probable a run is.
        size: bytes.
        work: a directory for what is needed on the way.
        progress: told which file is looked at.
    """
    room = size * 8 // BITS
    likeliest = _Likeliest(_SPARE * room)
    scores = TokenScores(model.index)
    file = work / "runs"
    with file.open("wb") as written:
        for source in sources:
            progress(f"likely runs of {source.config.called}", 0, None)
            for runs in _runs(source, model, scores):
                runs.records().tofile(written)
                likeliest.add(runs.run, runs.score)
    progress("whose runs they are", 0, None)
    found, score = likeliest.sorted()
    alone = _alone(found, np.memmap(file, dtype=_RECORD, mode="r") if file.stat().st_size else np.empty(0, _RECORD))
    file.unlink()
    best = np.argsort(-score[alone], kind="stable")[:room]
    return Phrases.of(np.sort(found[alone][best]), BITS * len(best))


@dataclass(frozen=True)
class _Runs:
    """The runs of some posts: their hashes, threads and log probabilities, (N,) each."""

    run: NDArray[np.uint64]
    thread: NDArray[np.uint64]
    score: NDArray[np.float32]

    def records(self) -> NDArray[np.void]:
        """As they lie on the disk."""
        found = np.empty(len(self.run), dtype=_RECORD)
        found["run"], found["thread"] = self.run, self.thread
        return found


class _Likeliest:
    """The runs of the highest scores among all that are shown to it, at most so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._runs: NDArray[np.uint64] = np.empty(0, dtype=np.uint64)
        self._scores: NDArray[np.float32] = np.empty(0, dtype=np.float32)
        self._bar = -np.inf
        self._new: list[tuple[NDArray[np.uint64], NDArray[np.float32]]] = []
        self._waiting = 0

    def add(self, runs: NDArray[np.uint64], scores: NDArray[np.float32]) -> None:
        """Look at some more."""
        likely = scores > self._bar
        self._new.append((runs[likely], scores[likely]))
        self._waiting += int(likely.sum())
        if self._waiting > self._most:
            self._settle()

    def sorted(self) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
        """(N,) the runs, ascending, each once; (N,) the best score of each."""
        self._settle()
        return self._runs, self._scores

    def _settle(self) -> None:
        runs = np.concatenate([self._runs, *(run for run, _ in self._new)])
        scores = np.concatenate([self._scores, *(score for _, score in self._new)])
        order = np.lexsort((-scores, runs))
        runs, scores = runs[order], scores[order]
        first = np.concatenate([[True], runs[1:] != runs[:-1]]) if len(runs) else np.empty(0, dtype=bool)
        runs, scores = runs[first], scores[first]
        if len(runs) > self._most:
            self._bar = float(np.partition(scores, len(scores) - self._most)[len(scores) - self._most])
            kept = scores > self._bar
            runs, scores = runs[kept], scores[kept]
        self._runs, self._scores, self._new, self._waiting = runs, scores, [], 0


def _alone(found: NDArray[np.uint64], records: NDArray[np.void]) -> NDArray[np.bool_]:
    """(N,) which of the runs, ascending, stand in one thread alone."""
    low = np.full(len(found), np.iinfo(np.uint64).max, dtype=np.uint64)
    high = np.zeros(len(found), dtype=np.uint64)
    for first in range(0, len(records) if len(found) else 0, _CHUNK):
        here = records[first : first + _CHUNK]
        place = np.minimum(np.searchsorted(found, here["run"]), len(found) - 1)
        there = found[place] == here["run"]
        np.minimum.at(low, place[there], here["thread"][there])
        np.maximum.at(high, place[there], here["thread"][there])
    return np.asarray(low == high)


def _runs(source: ReadCorpus, model: KneserNey, scores: TokenScores) -> Iterator[_Runs]:
    """The runs of a file's train posts, some posts at a time."""
    arrays = open_tokens(source.tokens, "train")
    threads = np.load(source.tokens / "train.threads.npy", mmap_mode="r")
    lengths = np.array([len(piece) for piece in model.tokenizer.bytes])
    posts = (post for post in source.posts("train") if post.own_text)
    known: dict[str, int] = {}
    first = 0
    while first < len(arrays.posts):
        last = max(int(np.searchsorted(arrays.offsets, arrays.offsets[first] + _AT_ONCE, side="right")) - 1, first + 1)
        total = np.cumsum(scores.of(arrays, first, last), dtype=np.float64)
        found: list[tuple[NDArray[np.uint64], NDArray[np.float32], int]] = []
        for row in range(first, last):
            begin, end = (int(arrays.offsets[at] - arrays.offsets[first]) for at in (row, row + 1))
            tokens = arrays.tokens[arrays.offsets[row] + 1 : arrays.offsets[row + 1] - 1]
            spoken = _spoken(next(posts), lengths[tokens], total[begin : end - 1], known)
            if spoken is not None:
                found.append((*spoken, int(threads[row])))
        if found:
            runs = np.concatenate([run for run, _, _ in found])
            whose = np.repeat(np.array([thread for _, _, thread in found], dtype=np.uint64), [len(run) for run, _, _ in found])
            yield _Runs(runs, whose, np.concatenate([score for _, score, _ in found]))
        first = last


def _spoken(
    post: Post, lengths: NDArray[np.int64], total: NDArray[np.float64], known: dict[str, int]
) -> tuple[NDArray[np.uint64], NDArray[np.float32]] | None:
    """(N,) the hashes of a post's runs, (N,) their log probabilities; None where it has none.

    Args:
        post: the post.
        lengths: (T,) bytes of its tokens.
        total: (T + 1,) the log probability of all tokens up to the separator, and up to each of its tokens.
        known: the hashes of words met so far.
    """
    text = post.own_text
    placed = placed_words(text)
    if len(placed) < RUN:
        return None
    hashes = np.empty(len(placed), dtype=np.uint64)
    for place, (word, _) in enumerate(placed):
        if word not in known:
            known[word] = hash64(word.encode("utf-8", "replace"))
        hashes[place] = known[word]
    ends = np.array([end for _, end in placed])
    if not text.isascii():
        ends = np.cumsum([0, *(len(character.encode("utf-8", "replace")) for character in text)])[ends]
    token = np.searchsorted(np.cumsum(lengths), ends)  # which each word ends in
    upto = np.concatenate([[total[0]], total[1:][np.minimum(token, len(total) - 2)]])
    return run_hashes(hashes), (upto[RUN:] - upto[:-RUN]).astype(np.float32)


class TokenScores:
    """The log probabilities of all tokens of many posts at once, as `KneserNey` (without its cache) says one after the other."""

    def __init__(self, index: Sequence[Followers]) -> None:
        """Sort the index by token within each context."""
        self._index = [level for level in index if len(level.token)]  # nobody wrote a post as long as the others
        self._size = len(index[0].token)
        self._keys: list[NDArray[np.int64]] = []
        self._order: list[NDArray[np.int64]] = []
        for level in self._index[1:]:
            keys = level.contexts() * self._size + level.token
            order = np.argsort(keys)
            self._keys.append(keys[order])
            self._order.append(order)

    def of(self, arrays: TokenArrays, first: int, last: int) -> NDArray[np.float64]:
        """(N,) float64, nats: of every token of the posts `first` to `last`; 0 for the separator each begins with."""
        begin = int(arrays.offsets[first])
        tokens = arrays.tokens[begin : int(arrays.offsets[last])].astype(np.int64)
        starts = (arrays.offsets[first:last] - begin).astype(np.int64)
        age = np.arange(len(tokens)) - np.repeat(
            starts, np.diff(arrays.offsets[first : last + 1])
        )  # tokens before it in its post
        place = [tokens]  # of the n-gram that ends at each token, for each n; -1 where there is none
        for n in range(2, len(self._index) + 1):
            place.append(self._longer(place[-1], tokens, age >= n - 1, n))
        value = np.asarray(self._index[0].log_prob, dtype=np.float64)[tokens]
        for n in range(2, len(self._index) + 1):  # shorter contexts first: each longer one backs off to what is known so far
            context = np.concatenate([[-1], place[n - 2][:-1]])
            context[age < n - 1] = -1
            met = context >= 0
            backoff = np.where(met, self._index[n - 2].backoff[np.maximum(context, 0)], 0.0)
            found = place[n - 1]
            value = np.where(found >= 0, self._index[n - 1].log_prob[np.maximum(found, 0)], value + backoff)
        value[starts] = 0.0
        return np.asarray(value)

    def _longer(self, shorter: NDArray[np.int64], tokens: NDArray[np.int64], old: NDArray[np.bool_], n: int) -> NDArray[np.int64]:
        """(N,) the place of the n-gram that ends at each token, given that of the (n - 1)-gram that ends before it."""
        before = np.concatenate([[-1], shorter[:-1]])
        keys, order = self._keys[n - 2], self._order[n - 2]
        wanted = before * self._size + tokens
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(old & (before >= 0) & (keys[at] == wanted), order[at], -1)
