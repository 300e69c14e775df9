"""Counting and indexing in little memory, against the same in one go: equal to the bit, wherever the pieces are cut."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from conftest import make_corpus, toy_posts
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rejoinder.errors import ModelError
from rejoinder.models.bm25 import BM25, BM25Config
from rejoinder.models.directory import load_array, save_array, save_config
from rejoinder.models.forward_index import build_index
from rejoinder.models.interfaces import Job
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.models.smoothing import Followers, best_first, discounts
from rejoinder.post import Kind, Post
from rejoinder.text import ngrams
from rejoinder.text.calls import InThisProcess
from rejoinder.text.columns import NumberColumn, NumberColumns, in_file
from rejoinder.text.counting import Room, count_both, count_ngrams
from rejoinder.text.ngrams import Ints, Level, NgramCounts, keys
from rejoinder.text.sums import in_order
from rejoinder.text.tensors import TokenArrays
from rejoinder.text.tokenizer import WordTokenizer

WORDS = WordTokenizer(["a", "b", "c", "d", "e"])
BEGINS = (WORDS.post, WORDS.reply)
TEXTS = st.lists(st.lists(st.sampled_from(WORDS.words), min_size=1, max_size=9), min_size=0, max_size=14)
LITTLE = st.integers(1, 3_000)  # bytes: pieces of one post, ranges of one n-gram and up


def arrays(texts: Sequence[Sequence[str]]) -> TokenArrays:
    """Every other post is a reply."""
    posts = [[BEGINS[at % 2], *WORDS.encode(" ".join(text)), WORDS.end] for at, text in enumerate(texts)]
    offsets = np.concatenate([[0], np.cumsum([len(post) for post in posts])]).astype(np.int64)
    return TokenArrays(np.array([token for post in posts for token in post], np.uint16), offsets, np.arange(len(posts)))


def on_disk(found: TokenArrays, directory: Path) -> TokenArrays:
    """The same, memory-mapped, as a fit has them."""
    np.save(directory / "tokens.npy", found.tokens)
    return TokenArrays(np.load(directory / "tokens.npy", mmap_mode="r"), found.offsets, found.posts)


class Threads(InThisProcess):
    """One process of several threads."""

    def __init__(self, threads: int) -> None:
        self.threads = threads


def bits(levels: Sequence[Level] | Sequence[Followers]) -> list[tuple[str, str, bytes]]:
    """Every array of these levels, with its kind."""
    return [(name, array.dtype.str, array.tobytes()) for level in levels for name, array in vars(level).items()]


# --- the oracle: an index built whole orders at a time -------------------------------------------------------------------


def whole_orders(
    counts: NgramCounts,
    begins: tuple[int, int],
    kept: Sequence[NDArray[np.bool_]],
) -> list[Followers]:
    """The index of `counts`, whole orders at a time, each suffix searched for in the order below.

    Args:
        counts: what everything is worked out from, whether kept or not.
        begins: the separators, which never come next.
        kept: for each order (M,) bool, which n-grams to write down; with an n-gram those inside it are kept, too.
    """
    adjusted, suffixes = _adjusted_counts(counts, begins)
    size = counts.vocabulary
    probs: NDArray[np.float64] = np.empty(0)  # of the order below, by place in the counts
    index: list[Followers] = []
    place = np.zeros(1, dtype=np.int64)  # where the contexts of this order stand in the index, by place in the counts
    contexts = 1
    for n, level in enumerate(counts.levels, start=1):
        a = adjusted[n - 1]
        discount = discounts(np.bincount(np.minimum(a, 5), minlength=6)[:5], n)[np.minimum(a, 3)]
        above = 1 if n == 1 else len(counts.levels[n - 2])
        total = np.bincount(level.parent, weights=a, minlength=above)
        freed = np.bincount(level.parent, weights=np.where(kept[n - 1], np.minimum(discount, a), a), minlength=above)
        backoff = np.divide(freed, total, out=np.ones(above), where=total > 0)
        lower = 1.0 / (size - len(begins)) if n == 1 else probs[suffixes[n - 1]]
        with np.errstate(invalid="ignore", divide="ignore"):
            probs = np.maximum(a - discount, 0) / total[level.parent] + backoff[level.parent] * lower
        if n == 1:
            first, order, log_prob = _every_token(level, probs, backoff[0], size, begins)
            token = np.arange(size).astype(level.token.dtype)
        else:
            _set_backoff(index[-1], place, backoff)
            where = np.flatnonzero(kept[n - 1])
            log_prob = np.log(probs[where]).astype(np.float32)
            first, sorting = best_first(place[level.parent[where]], log_prob, contexts)
            order, log_prob = where[sorting], log_prob[sorting]
            token = level.token[order]
        place = np.full(len(level), -1, dtype=np.int64)
        place[order] = level.token if n == 1 else np.arange(len(order))
        contexts = len(token)
        index.append(Followers(first, token, log_prob, np.zeros(contexts if n < counts.order else 0, dtype=np.float32)))
    return index


def _adjusted_counts(counts: NgramCounts, begins: tuple[int, int]) -> tuple[list[Ints], list[Ints]]:
    """For each order a(g) of every n-gram g, and the place of g without its first token in the order below."""
    adjusted: list[Ints] = [level.count for level in counts.levels]
    suffixes: list[Ints] = [np.zeros(len(counts.levels[0]), dtype=np.uint32)]
    starting = np.isin(counts.levels[0].token, begins)  # begins a post
    for n, (below, level) in enumerate(zip(counts.levels, counts.levels[1:], strict=False), start=1):
        wanted = keys(level, counts.vocabulary, suffixes[n - 1][level.parent])
        suffix = np.searchsorted(keys(below, counts.vocabulary), wanted).astype(np.uint32)
        ways = np.bincount(suffix, minlength=len(below))
        adjusted[n - 1] = np.where(starting, below.count, ways).astype(np.uint32)
        suffixes.append(suffix)
        starting = starting[level.parent]
    adjusted[0] = np.where(np.isin(counts.levels[0].token, begins), 0, adjusted[0]).astype(np.uint32)
    return adjusted, suffixes


def _every_token(
    level: Level, probs: NDArray[np.float64], spread: float, size: int, begins: tuple[int, int]
) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.float32]]:
    """Level 1 by token id: tokens that never came have their share of what discounting freed, separators nothing."""
    everything = np.full(size, spread / (size - len(begins)))
    everything[level.token] = probs
    everything[list(begins)] = 0.0
    with np.errstate(divide="ignore"):
        log_prob = np.log(everything).astype(np.float32)
    return np.array([0, size], dtype=np.uint32), np.arange(len(level)), log_prob


def _set_backoff(level: Followers, place: NDArray[np.int64], backoff: NDArray[np.float64]) -> None:
    there = place >= 0
    level.backoff[place[there]] = np.log(backoff[there]).astype(np.float32)


# --- equal to it, to the bit -----------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(TEXTS, st.integers(1, 5), LITTLE, st.integers(0, 2), st.integers(2, 3))
def test_an_index_made_in_little_memory_is_that_of_whole_orders(
    texts: list[list[str]], order: int, memory: int, prune: int, prune_from: int
) -> None:
    config = KneserNeyConfig(order=order, prune=prune, prune_from=prune_from)
    straight = count_ngrams(arrays(texts), order, WORDS.vocabulary)
    kept = [level.count > (prune if n >= prune_from else 0) for n, level in enumerate(straight.levels, start=1)]
    expected = whole_orders(straight, BEGINS, kept)
    with TemporaryDirectory() as directory:
        for workdir, threads in ((None, 1), (Path(directory), 1), (Path(directory), 3)):  # in memory, and in files
            room = Room(memory, workdir, runner=Threads(threads))
            counts = count_ngrams(on_disk(arrays(texts), Path(directory)), order, WORDS.vocabulary, room)
            assert bits(counts.levels) == bits(straight.levels)
            assert bits(KneserNey.from_counts(config, WORDS, counts, room=room).index) == bits(expected)
    assert bits(KneserNey.from_counts(config, WORDS, straight).index) == bits(expected)


@settings(max_examples=80)
@given(TEXTS, st.integers(1, 4), LITTLE, st.data())
def test_what_few_writers_wrote_is_left_out_in_little_memory_as_in_much(
    texts: list[list[str]], order: int, memory: int, data: st.DataObject
) -> None:
    writers = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(texts), max_size=len(texts))), np.uint64)
    config = KneserNeyConfig(order=order, posts=2, prune_from=2)
    straight = count_ngrams(arrays(texts), order, WORDS.vocabulary)
    spread = count_ngrams(arrays(texts), order, WORDS.vocabulary, writers=writers)
    kept = [(level.count >= 2) | (n < 2) for n, level in enumerate(spread.levels, start=1)]
    expected = whole_orders(straight, BEGINS, kept)
    with TemporaryDirectory() as directory:
        room = Room(memory, Path(directory))
        counts, widely = count_both(on_disk(arrays(texts), Path(directory)), order, WORDS.vocabulary, writers, room)
        assert bits(counts.levels) == bits(straight.levels) and bits(widely.levels) == bits(spread.levels)
        assert bits(KneserNey.from_counts(config, WORDS, counts, widely, room).index) == bits(expected)


def test_a_large_vocabulary_and_many_first_tokens(tmp_path: Path) -> None:
    """Tokens of 32 bits, drawn so that some contexts are frequent and most are not."""
    rng = np.random.default_rng(0)
    size = 70_000
    tokens = np.minimum(rng.zipf(1.3, 30_000), size - 4).astype(np.uint32)
    offsets = np.append(np.arange(0, 30_000, 50), 30_000)
    tokens[offsets[:-1]] = size - 3
    tokens[offsets[1:] - 1] = size - 1
    posts = TokenArrays(tokens, offsets, np.arange(len(offsets) - 1))
    straight = count_ngrams(posts, 4, size)
    expected = whole_orders(straight, (size - 3, size - 2), [np.ones(len(level), bool) for level in straight.levels])
    room = Room(150_000, tmp_path)
    counts = count_ngrams(posts, 4, size, room)
    assert in_file(counts.levels[3].count) is not None
    assert bits(counts.levels) == bits(straight.levels)
    assert bits(build_index(counts, (size - 3, size - 2), room=room)) == bits(expected)


def test_a_fit_in_little_memory_is_the_same_model_on_disk(tmp_path: Path) -> None:
    drawn = np.random.default_rng(0).zipf(1.4, (600, 40)) % 500
    corpus = make_corpus(tmp_path, (Post(n, Kind.STORY, " ".join(f"word{w}" for w in row)) for n, row in enumerate(drawn, 1)))
    saved = []
    for name, memory in (("much", 2**30), ("little", 2**20)):
        config = KneserNeyConfig(order=4, memory=memory)
        (tmp_path / name).mkdir()
        model = KneserNey.fit(corpus, config, rng=np.random.default_rng(0), job=Job(tmp_path / name))
        model.save(tmp_path / f"{name}.saved")
        assert (in_file(model.index[2].token) is not None) is (name == "little")
        files = (file for file in sorted((tmp_path / f"{name}.saved").iterdir()) if file.name != "config.json")
        saved.append({file.name: file.read_bytes() for file in files})
    assert saved[0] == saved[1] and "counts4.count.npy" in saved[0]


@settings(max_examples=100)
@given(st.lists(st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))), st.integers(0, 62))
def test_sorting_numbers_with_their_places_is_sorting_places(values: list[int], shift: int) -> None:
    given_keys = np.array(values, np.int64) >> shift
    order = np.argsort(given_keys, kind="stable")
    ordered, places = in_order(given_keys.copy())
    assert ordered.tolist() == given_keys[order].tolist() and places.tolist() == order.tolist()


def test_more_n_grams_than_places_have_bits_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    posts = arrays([["a", "b"], ["c", "d"], ["e", "a"]])
    most = max(len(level) for level in count_ngrams(posts, 3, WORDS.vocabulary).levels)
    monkeypatch.setattr(ngrams, "MOST", most)
    count_ngrams(posts, 3, WORDS.vocabulary, Room(100))
    monkeypatch.setattr(ngrams, "MOST", most - 1)
    with pytest.raises(ModelError, match=r"n-grams of one length; fit with a smaller `kneser_ney\.order`"):
        count_ngrams(posts, 3, WORDS.vocabulary, Room(100))


# --- columns ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("files", [False, True])
def test_a_column_is_written_and_read_in_pieces(tmp_path: Path, files: bool) -> None:
    columns = NumberColumns(tmp_path if files else None)
    column = columns.new(np.uint16, 6)
    column.write(3, np.array([4, 5, 6]))
    column.write(0, np.array([1, 2, 3], np.int64))
    assert column.read(1, 4).tolist() == [2, 3, 4] and column.read(2, 2).tolist() == [] and len(column) == 6
    done = column.done(5)
    assert done.tolist() == [1, 2, 3, 4, 5] and done.dtype == np.uint16 and (in_file(done) is not None) is files
    over = NumberColumn.over(done)
    assert over.read(2, 5).tolist() == [3, 4, 5]
    assert NumberColumn.over(done[1:]).read(0, 2).tolist() == [2, 3]  # a part of a file is not the file
    kept = columns.keep(done[:2])
    assert kept.tolist() == [1, 2]
    column.drop()
    assert len(list(tmp_path.rglob("*.npy"))) == (1 if files else 0)


def test_what_is_read_of_a_file_is_not_mapped_and_no_file_stays_open(tmp_path: Path) -> None:
    done = NumberColumns(tmp_path).keep(np.arange(10))
    gc.collect()
    opened = Path("/proc/self/fd")
    before = len(list(opened.iterdir())) if opened.is_dir() else 0
    column = NumberColumn.over(done)
    assert in_file(column.read(0, 10)) is None
    del column
    gc.collect()
    assert not before or len(list(opened.iterdir())) == before


def test_a_file_that_was_cut_short_is_told(tmp_path: Path) -> None:
    done = NumberColumns(tmp_path).keep(np.arange(10))
    mapped = in_file(done)
    assert mapped is not None
    column = NumberColumn.over(done)
    os.truncate(str(mapped.filename), 150)
    with pytest.raises(EOFError, match="is shorter than it was"):
        column.read(0, 10)


def test_a_column_is_saved_as_an_array_is(tmp_path: Path) -> None:
    array = np.arange(5, dtype=np.uint32)
    for name, value in (
        ("memory", array),
        ("file", NumberColumns(tmp_path).keep(array)),
        ("part", NumberColumns(tmp_path).keep(array)[1:]),
    ):
        save_array(tmp_path, name, value)
        assert np.load(tmp_path / f"{name}.npy").tolist() == value.tolist()
    assert (tmp_path / "memory.npy").read_bytes() == (tmp_path / "file.npy").read_bytes()


def test_what_a_fit_left_on_the_disk_is_not_copied_and_what_another_model_has_is(tmp_path: Path) -> None:
    made = NumberColumns(tmp_path).keep(np.arange(9))
    source = Path(str(in_file(made).filename))  # type: ignore[union-attr]
    for model in ("one", "other"):
        save_config(tmp_path / model, "kneser_ney", KneserNeyConfig())
    save_array(tmp_path / "one", "array", made)
    save_array(tmp_path / "other", "array", load_array(tmp_path / "one", "array"))
    one, other = (tmp_path / model / "array.npy" for model in ("one", "other"))
    assert one.samefile(source) and not other.samefile(one)
    source.unlink()  # with the folder of the fit
    assert np.load(one).tolist() == np.load(other).tolist() == list(range(9))


def test_nor_is_an_index_for_search(tmp_path: Path) -> None:
    (work := tmp_path / "work").mkdir()
    rng = np.random.default_rng(0)
    model = BM25.fit(make_corpus(tmp_path, toy_posts()), BM25Config(), rng=rng, job=Job(work))
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        model.save(tmp_path / name)
        model = BM25.load(tmp_path / name)
    (store,) = (work / "index").glob("*.store")
    one, other = (tmp_path / name / "index" / store.name for name in ("one", "other"))
    assert one.samefile(store) and not other.samefile(one)
    asked = Post(0, Kind.STORY, "How many days did it take?")
    assert model.propose([asked], 3) == BM25.load(tmp_path / "one").propose([asked], 3)
    assert len(model.propose([asked], 3)) == 3


def test_where_a_file_cannot_have_two_names_it_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(os, "link", refuse)
    save_array(tmp_path, "array", NumberColumns(tmp_path).keep(np.arange(9)))
    assert np.load(tmp_path / "array.npy").tolist() == list(range(9))


# --- serving -------------------------------------------------------------------------------------------------------------

_OPEN = """
import sys
from pathlib import Path
from rejoinder.models.kneser_ney import KneserNey

def memory():
    status = Path("/proc/self/status").read_text()
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith(("RssAnon", "RssFile"))) // 1024

KneserNey.load(Path(sys.argv[1]))
before = memory()
model = KneserNey.load(Path(sys.argv[2]))
state = model.start([])
for token in (0, 1, 2, 3, 4) * 3:
    state = model.advance(state, token)
    model.top(state, 3)
print(sum(len(level.token) for level in model.index), memory() - before)
"""


def widen(file: Path, length: int, last: int | None = None) -> None:
    """Make an array as long as that, of which only what was there and the last number takes room on the disk."""
    array = np.load(file)
    with file.open("r+b") as opened:
        header = {"descr": array.dtype.str, "fortran_order": False, "shape": (length,)}
        np.lib.format.write_array_header_1_0(opened, header)
        begins = opened.tell()
        opened.write(array.tobytes())
        opened.truncate(begins + length * array.itemsize)
        if last is not None:
            opened.seek(begins + (length - 1) * array.itemsize)
            opened.write(np.array([last], array.dtype).tobytes())


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc")
def test_a_model_of_a_billion_ngrams_is_opened_without_being_read(tmp_path: Path) -> None:
    """Files with holes, 14 GB long: what is opened and typed with takes no more memory than what is looked at."""
    found = arrays([["a", "b", "c", "d", "e"] * 3, ["c", "a"]])
    for name, many in (("small", 0), ("large", 340_000_000)):
        model = KneserNey.from_counts(KneserNeyConfig(order=5), WORDS, count_ngrams(found, 5, WORDS.vocabulary))
        (tmp_path / name).mkdir()
        model.save(tmp_path / name)
        below = len(model.index[1].token)
        for n in (3, 4, 5) if many else ():
            for part in ("token", "log_prob", "backoff") if n < 5 else ("token", "log_prob"):
                widen(tmp_path / name / f"index{n}.{part}.npy", many)
            widen(tmp_path / name / f"index{n}.first.npy", below + 1, many)
            below = many
    ran = subprocess.run(
        [sys.executable, "-c", _OPEN, *(str(tmp_path / name) for name in ("small", "large"))], capture_output=True, check=True
    )
    ngrams_there, grew = map(int, ran.stdout.split())
    assert ngrams_there > 1_000_000_000 and grew < 32
