"""Train, dev and test: stable, disjoint, in the shares that were promised."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.archive.split import Split, hash_split, time_split

PROPERTY = settings(max_examples=50, derandomize=True, database=None)
WORD = 2**64
GOLDEN = 0x9E3779B97F4A7C15  # what SplitMix64 adds to its state before each number
KEYS = st.integers(-(2**63), 2**63 - 1)


def splitmix64(seed: int) -> int:
    """The first number of SplitMix64 for a seed, in whole numbers of Python (Steele, Lea & Flood 2014)."""
    z = (seed + GOLDEN) % WORD
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % WORD
    return z ^ (z >> 31)


def part(key: int) -> Split:
    """The part of one key."""
    return Split(hash_split(np.array([key], dtype=np.int64))[0])


def slow_part(key: int) -> Split:
    """The same by the reference, compared as whole numbers: below 8 tenths of 2**64 train, below 9 tenths dev."""
    tenths = splitmix64(key % WORD) * 10
    return Split.TRAIN if tenths < 8 * WORD else Split.DEV if tenths < 9 * WORD else Split.TEST


def parts(times: list[float], posts: list[int]) -> list[str]:
    """The parts of threads by time, by name."""
    found = time_split(np.array(times, dtype=np.float64), np.array(posts, dtype=np.int64))
    return [Split(part).name for part in found]


# --- by hash -------------------------------------------------------------------------------------------------------

# The published first numbers of SplitMix64 for the seed 1234567; the n-th is the first of the seed 1234567 + n * GOLDEN.
PUBLISHED = [
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
]


@pytest.mark.parametrize(("number", "value"), list(enumerate(PUBLISHED)))
def test_the_reference_gives_the_published_numbers(number: int, value: int) -> None:
    assert splitmix64((1234567 + number * GOLDEN) % WORD) == value


def test_parts_are_those_of_the_published_numbers() -> None:
    # 2**64 = 18446744073709551616; shares 0.350, 0.174, 0.532, 0.249 are below 0.8; 0.8895 is below 0.9
    seeds = [(1234567 + number * GOLDEN) % WORD for number in range(5)]
    keys = [seed - WORD if seed >= 2**63 else seed for seed in seeds]  # the same 64 bits with a sign
    assert [part(key).name for key in keys] == ["TRAIN", "TRAIN", "TRAIN", "TRAIN", "DEV"]


def test_the_part_of_key_0_was_worked_by_hand() -> None:
    # the first number of seed 0 is 0xE220A8397B1DCDAF: 0xE2 of 0x100 is 226/256 = 0.883, between 0.8 and 0.9
    assert splitmix64(0) == 0xE220A8397B1DCDAF
    assert part(0) is Split.DEV


@PROPERTY
@given(st.lists(KEYS, max_size=50))
def test_parts_are_those_of_the_independent_reference(keys: list[int]) -> None:
    assert [Split(found) for found in hash_split(np.array(keys, dtype=np.int64))] == [slow_part(key) for key in keys]


@PROPERTY
@given(KEYS, st.lists(KEYS, max_size=20))
def test_the_part_of_a_key_depends_on_no_other_key(key: int, others: list[int]) -> None:
    assert hash_split(np.array([*others, key], dtype=np.int64))[-1] == part(key)


@pytest.mark.parametrize("step", [1, 2, 10, 1_000, 2**20])
def test_the_shares_are_80_10_10_however_the_keys_lie(step: int) -> None:
    # of 100,000 keys 80,000 +- 126 and 10,000 +- 95 would be usual (one standard deviation): allow six
    counts = np.bincount(hash_split(np.arange(100_000, dtype=np.int64) * step), minlength=3)
    assert abs(counts[Split.TRAIN] - 80_000) < 6 * 126
    assert abs(counts[Split.DEV] - 10_000) < 6 * 95
    assert abs(counts[Split.TEST] - 10_000) < 6 * 95


def test_the_keys_themselves_are_not_changed() -> None:
    keys = np.arange(10, dtype=np.int64)
    hash_split(keys)
    assert keys.tolist() == list(range(10))


def test_no_keys_have_no_parts() -> None:
    assert hash_split(np.array([], dtype=np.int64)).shape == (0,)


# --- by time -------------------------------------------------------------------------------------------------------


def test_the_newest_tenth_is_test_and_the_tenth_before_it_dev() -> None:
    times = [5, 3, 9, 1, 7, 0, 8, 2, 6, 4]  # ten threads of one post: 9 is the newest, 8 the next
    expected = ["TEST" if time == 9 else "DEV" if time == 8 else "TRAIN" for time in times]
    assert parts([float(time) for time in times], [1] * 10) == expected


def test_it_is_posts_that_make_a_tenth_and_not_threads() -> None:
    # 100 posts. Before the threads stand 0, 60, 79, 80, 89, 95 posts: the part is that of what stands before.
    assert parts([1, 2, 3, 4, 5, 6], [60, 19, 1, 9, 6, 5]) == ["TRAIN", "TRAIN", "TRAIN", "DEV", "DEV", "TEST"]


def test_threads_of_the_same_second_share_a_part() -> None:
    # eight before, then four at once: the first of them would be train (8/12), so all are
    assert parts([1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9], [1] * 12) == ["TRAIN"] * 12
    # nine before of ten: test, and so is whatever shares its second
    assert parts([9, *range(9), 9], [1] * 11)[0] == parts([9, *range(9), 9], [1] * 11)[-1]


def test_threads_without_a_time_go_to_train() -> None:
    nan = float("nan")
    assert parts([nan, 1, nan, 2, nan], [1, 1, 1, 1, 96]) == ["TRAIN", "TEST", "TRAIN", "TEST", "TRAIN"]
    assert parts([nan, nan], [1, 1]) == ["TRAIN", "TRAIN"]


def test_one_thread_alone_goes_to_train() -> None:
    assert parts([5.0], [3]) == ["TRAIN"]


def test_no_threads_have_no_parts_by_time() -> None:
    assert parts([], []) == []


TIMES = st.one_of(st.integers(0, 15).map(float), st.just(float("nan")))


@PROPERTY
@given(st.lists(st.tuples(TIMES, st.integers(1, 20)), max_size=30))
def test_what_is_held_out_is_never_older_than_what_is_learned(threads: list[tuple[float, int]]) -> None:
    times = [time for time, _ in threads]
    names = parts(times, [posts for _, posts in threads])
    order = {"TRAIN": 0, "DEV": 1, "TEST": 2}
    dated = sorted((time, order[name]) for time, name in zip(times, names, strict=True) if time == time)
    assert [part for _, part in dated] == sorted(part for _, part in dated)
    assert all(name == "TRAIN" for time, name in zip(times, names, strict=True) if time != time)
    assert len({(time, part) for time, part in dated}) == len({time for time, _ in dated})  # one part to a second


@PROPERTY
@given(st.lists(st.tuples(TIMES, st.integers(1, 20)), max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_the_threads_does_not_matter(threads: list[tuple[float, int]], rng: random.Random) -> None:
    shuffled = list(enumerate(threads))
    rng.shuffle(shuffled)
    again = parts([time for _, (time, _) in shuffled], [posts for _, (_, posts) in shuffled])
    first = parts([time for time, _ in threads], [posts for _, posts in threads])
    assert [again[[at for at, _ in shuffled].index(at)] for at in range(len(threads))] == first


def test_the_shares_by_time_are_80_10_10() -> None:
    rng = np.random.default_rng(0)
    posts = rng.integers(1, 20, 10_000)
    found = time_split(rng.permutation(10_000).astype(np.float64), posts)
    shares = np.bincount(found, weights=posts, minlength=3) / posts.sum()
    assert np.abs(shares - [0.8, 0.1, 0.1]).max() < 0.001  # a thread, at most, on the wrong side of each border
