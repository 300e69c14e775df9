"""Which runs of words a model must not pass off as its own, where it has read so much that not all can be kept.

`rejoinder.text.phrases` keeps the runs that one author alone wrote; of 92 million words these would take 90 MB. So kept are

    what a net read once in a pass or more often (`ReadConfig.passes`): all of it, since what is read often is learned by heart,
        the files that it read most often first;
    of the rest, what the models were heard to say: they go on from random places of all they read (`continuations`), and every
        run of theirs that stands in one thread alone is put in.

Authors are not known, so whoever wrote in a thread counts as one. The hashes of all runs lie on the disk, with their threads;
they are the same for every model that read the same, so they are written once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rejoinder.files import atomically
from rejoinder.hashing import mix64
from rejoinder.models.interfaces import LanguageModel, Progress, silent
from rejoinder.publish.continuations import MadeText, continuations
from rejoinder.publish.reading import ReadCorpus
from rejoinder.text.ownership import WordHashes, every_other, numbers, run_hashes, runs_in
from rejoinder.text.phrases import Phrases
from rejoinder.text.shards import cut
from rejoinder.text.sums import each_once
from rejoinder.text.words import words

BITS = 16  # of the filter for each run
WHOLE = 1.0  # passes from which a file is kept whole
_CHUNK = 2**22  # runs looked up together
_RECORD = np.dtype([("run", "<u8"), ("thread", "<u8")])
_RUNS, _WHOLE = "runs", "whole.npy"
_PAIR = np.uint64(0x9E3779B97F4A7C15)  # any odd number with its bits well mixed


@dataclass(frozen=True)
class GuardConfig:
    """How large the guard is, and how much is listened to."""

    size: int = 5_500_000  # bytes of the filter
    texts: int = 5_000  # that the models make


def guard(
    sources: Sequence[ReadCorpus], voice: LanguageModel, config: GuardConfig, work: Path, progress: Progress = silent
) -> Phrases:
    """The filter.

    Args:
        sources: what was read; their token arrays are written.
        voice: what is given away, which goes on from what it read.
        config: bytes, and texts.
        work: a directory for the hashes of all runs, which may lie there from before, for the same sources.
        progress: told what is being done.
    """
    records = all_records(sources, work, progress)
    made = heard(continuations(voice, sources, config.texts, np.random.default_rng(0), progress))
    progress("whose runs they are", 0, None)
    first = made[alone(made, records)]
    kept = np.concatenate([first, np.load(work / _WHOLE)])[: config.size * 8 // BITS]
    return Phrases.of(each_once(kept), BITS * len(kept))


def heard(texts: Iterable[MadeText]) -> NDArray[np.uint64]:
    """(N,) ascending: the hashes of the runs of words that a model made from its first word to its last."""
    known = WordHashes()
    found = [run_hashes(known.of(own_words(one))) for one in texts]
    return each_once(np.concatenate([np.empty(0, np.uint64), *found]))


def own_words(one: MadeText) -> list[str]:
    """The words of a text that the model made whole."""
    said = words(one.draft + one.text)
    return said[len(words(one.draft)) :]


def all_records(sources: Sequence[ReadCorpus], work: Path, progress: Progress = silent) -> NDArray[np.void]:
    """(N,) the runs of all train posts, in order, each with its thread; written if they are not there."""
    if not (work / _WHOLE).is_file():
        _write(sources, work, progress)
    file = work / _RUNS
    return np.memmap(file, dtype=_RECORD, mode="r") if file.stat().st_size else np.empty(0, _RECORD)


def alone(found: NDArray[np.uint64], records: NDArray[np.void], *, pairs: bool = False) -> NDArray[np.bool_]:
    """(N,) which of the runs, ascending, stand in one thread alone; with `pairs`, of two runs side by side (`paired`)."""
    low = np.full(len(found), np.iinfo(np.uint64).max, dtype=np.uint64)
    high = np.zeros(len(found), dtype=np.uint64)
    for first in range(0, len(records) if len(found) else 0, _CHUNK):
        here = records[first : first + _CHUNK + pairs]
        runs, threads = here["run"], here["thread"]
        if pairs:
            runs, threads = paired(runs), threads[:-1]
        place = np.minimum(np.searchsorted(found, runs), len(found) - 1)
        there = found[place] == runs
        np.minimum.at(low, place[there], threads[there])
        np.maximum.at(high, place[there], threads[there])
    return np.asarray(low == high)


def paired(runs: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(N - 1,) a hash of each two of (N,) runs that follow each other: of RUN + 1 words, where they overlap."""
    return mix64(runs[:-1] * _PAIR + runs[1:])


def _write(sources: Sequence[ReadCorpus], work: Path, progress: Progress) -> None:
    """The runs of all files, and those that are kept of the files that are kept whole."""
    work.mkdir(parents=True, exist_ok=True)
    often: list[tuple[ReadCorpus, NDArray[np.uint64], NDArray[np.int64]]] = []
    with (work / _RUNS).open("wb") as file:
        for source in sources:
            progress(f"runs of {source.config.called}", 0, None)
            kept = []
            for runs, threads, places in _runs_of(source):
                found = np.empty(len(runs), dtype=_RECORD)
                found["run"], found["thread"] = runs, threads
                found.tofile(file)
                kept.append((runs, places))
            if source.config.passes >= WHOLE:
                often.append((source, np.concatenate([runs for runs, _ in kept]), np.concatenate([places for _, places in kept])))
    progress("whose runs they are", 0, None)
    records = np.memmap(work / _RUNS, dtype=_RECORD, mode="r") if (work / _RUNS).stat().st_size else np.empty(0, _RECORD)
    whole = [np.empty(0, np.uint64)]
    for _, runs, places in sorted(often, key=lambda one: -one[0].config.passes):
        unique, place = np.unique(runs, return_inverse=True)
        own = alone(unique, records)[place]
        whole.append(each_once(runs[every_other(own, places)]))
    with atomically(work / _WHOLE) as file:
        np.save(file, np.concatenate(whole))


def _runs_of(source: ReadCorpus) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]]:
    """The runs of the train posts, in order; the thread of each; at which word of its post it begins: some threads at a time."""
    for threads in cut(source.threads("train")):
        said = numbers(threads)
        runs, places, inside = runs_in(said)
        yield runs, np.repeat(said["threads"], said["lengths"])[inside], places
