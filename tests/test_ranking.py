"""The measure of rankers, by hand: ranks, recall, MRR, draws, the harder variant, intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from rejoinder.errors import UsageError
from rejoinder.ladder import metrics, ranking
from rejoinder.ladder.ranking import Pool, difference, draw_lists, figures, find_ranks
from rejoinder.post import Kind, Post, Thread


def threads(n: int) -> list[Thread]:
    """Each with a story (three words of its own), two answers to it, and one answer to the first of these."""
    found = []
    for key in range(1, n + 1):
        root = Post(key * 10, Kind.STORY, "", title=f"story number t{key}", thread=key)
        first = Post(key * 10 + 1, Kind.COMMENT, f"an answer t{key} first", parent=root.id, thread=key)
        second = Post(key * 10 + 2, Kind.COMMENT, f"an answer t{key} second", parent=root.id, thread=key)
        below = Post(key * 10 + 3, Kind.COMMENT, f"an answer t{key} below first", parent=first.id, thread=key)
        found.append(Thread(key, (root, first, second, below)))
    return found


class Constant:
    """Gives every candidate the same."""

    def score_replies(self, context: Sequence[Post], candidates: Sequence[str]) -> Any:
        return np.zeros(len(candidates))


class Counting:
    """Counts words in common, and how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def score_replies(self, context: Sequence[Post], candidates: Sequence[str]) -> Any:
        self.asked.append(len(candidates))
        known = set(context[-1].body.split())
        return np.array([len(known & set(text.split())) for text in candidates], np.float64)


# --- figures ---------------------------------------------------------------------------------------------------------


def test_ranks_by_hand() -> None:
    true = np.array([3.0, 1.0, 2.0])
    others = np.array([[1.0, 2.0, 2.5], [0.0, 4.0, 5.0], [9.0, 8.0, 7.0]])
    assert metrics.ranks(true, others).tolist() == [1, 3, 4]


def test_ties_and_what_is_no_number_never_help() -> None:
    nan = float("nan")
    assert metrics.ranks(np.array([1.0, nan, 1.0, 1.0]), np.array([[1.0, 1.0], [0.0, 0.0], [nan, 0.0], [1.0, 0.0]])).tolist() == [
        3,
        3,
        2,
        2,
    ]


def test_recall_and_mrr_by_hand() -> None:
    found = np.array([1, 2, 10, 11])
    assert metrics.recall_at(found, 1).mean() == 1 / 4
    assert metrics.recall_at(found, 10).mean() == 3 / 4
    assert metrics.reciprocal_rank(found).mean() == pytest.approx((1 + 1 / 2 + 1 / 10 + 1 / 11) / 4)


def test_the_bootstrap_is_over_threads_and_weighs_them_by_their_pairs() -> None:
    # thread 1 has three pairs, all right; thread 2 one, wrong: the mean is 3/4, and a draw of (1, 1), (1, 2) or (2, 2)
    # has the mean 1, 3/4 or 0, in a quarter, a half and a quarter of all draws
    sums, counts = metrics.by_thread(np.array([1, 1, 2, 1]), np.array([1.0, 1.0, 0.0, 1.0]), np.ones(4))
    found = metrics.bootstrap_mean(sums, counts, np.random.default_rng(0))
    assert (found.value, found.low, found.high) == (0.75, 0.0, 1.0)


def test_figures_are_means_over_draws_and_pairs() -> None:
    found = figures(np.array([[1, 1], [1, 20]]), np.array([4, 4]), np.random.default_rng(0))  # one thread: no spread
    assert found["recall@1"] == metrics.Estimate(0.75, 0.75, 0.75)
    assert found["recall@10"].value == 0.75
    assert found["MRR"].value == pytest.approx((1 + 1 + 1 + 1 / 20) / 4)


def test_a_difference_is_paired() -> None:
    # one is right wherever the other is, and once more in each of two threads of two pairs: 1/2 in every resample
    one, other = np.array([[1, 1, 1, 1]]), np.array([[1, 5, 7, 1]])
    assert difference(one, other, np.array([1, 1, 2, 2]), np.random.default_rng(0)) == metrics.Estimate(0.5, 0.5, 0.5)


# --- lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("comment", [True, False])
def test_negatives_are_replies_of_the_same_kind_from_other_threads(comment: bool) -> None:
    pool = Pool.of(threads(120))
    lists = draw_lists(pool, comment=comment, harder=False, draws=2, rng=np.random.default_rng(0))
    n = 120 if comment else 240
    assert lists.candidates.shape == (2, n, 100) and lists.same_thread == 0
    assert (pool.comment[lists.candidates] == comment).all()
    for draw in lists.candidates:
        assert draw[:, 0].tolist() == lists.places.tolist()
        for row in draw:
            assert len(set(row.tolist())) == 100
            assert (pool.threads[row[1:]] != pool.threads[row[0]]).all()
    assert not np.array_equal(lists.candidates[0], lists.candidates[1])


def test_the_harder_variant_takes_replies_to_other_posts_of_the_thread_first() -> None:
    pool = Pool.of(threads(120))
    below = draw_lists(pool, comment=True, harder=True, draws=1, rng=np.random.default_rng(0))
    # the answer below the first: both answers to the story were given to another post
    assert below.same_thread == 2
    row = below.candidates[0, 0]
    texts = {pool.pairs[place].reply.text for place in row[1:3]}
    assert texts == {"an answer t1 first", "an answer t1 second"}
    assert (pool.threads[row[3:]] != 1).all() and pool.comment[row[3:]].all()
    # the two answers to the story answer the same post, so only the one below the first is another
    assert draw_lists(pool, comment=False, harder=True, draws=1, rng=np.random.default_rng(0)).same_thread == 1


def test_too_few_replies_are_an_error_that_says_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"replies to comments .* there are 49; import more"):
        draw_lists(Pool.of(threads(50)), comment=True, harder=False, draws=1, rng=np.random.default_rng(0))


def test_ranks_of_a_model_that_counts_words_in_common() -> None:
    pool = Pool.of(threads(120))
    model = Counting()
    several = {
        name: draw_lists(pool, comment=True, harder=name == "harder", draws=3, rng=np.random.default_rng(1))
        for name in ("plain", "harder")
    }
    found = find_ranks(model, pool, several)
    # context "an answer t1 first": "an answer t1 below first" has four words of it, one of another thread three at most;
    # in the harder variant "an answer t1 first" has all four as well, a tie, and "an answer t1 second" three
    assert found["plain"].tolist() == [[1] * 120] * 3
    assert found["harder"].tolist() == [[2] * 120] * 3
    assert len(model.asked) == 120 and max(model.asked) <= 120 + 2  # each pair once, with the union of its candidates


def test_a_model_that_cannot_tell_is_last() -> None:
    pool = Pool.of(threads(101))
    lists = draw_lists(pool, comment=True, harder=False, draws=1, rng=np.random.default_rng(0))
    found = find_ranks(Constant(), pool, {"plain": lists})["plain"]
    assert (found == 1 + ranking.NEGATIVES).all()
    assert figures(found, pool.threads[lists.places], np.random.default_rng(0))["recall@10"].value == 0


def test_recall_is_what_scikit_learn_finds() -> None:
    """The same figure by `top_k_accuracy_score`, where each of 100 candidates is a class and the true one is the first."""
    from sklearn.metrics import top_k_accuracy_score

    scores = np.random.default_rng(0).standard_normal((300, 100))
    scores[:, 0] += 1.5
    found = metrics.ranks(scores[:, 0], scores[:, 1:])
    for k in (1, 3, 10):
        expected = top_k_accuracy_score(np.zeros(300, int), scores, k=k, labels=np.arange(100))
        assert metrics.recall_at(found, k).mean() == pytest.approx(expected)


def test_shuffled_labels_give_chance() -> None:
    """Whatever the scores, if the true one is drawn at random it is first once in a hundred: 4,000 pairs, three deviations."""
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((4_000, 100)) * rng.random((4_000, 1))
    rng.permuted(scores, axis=1, out=scores)
    found = metrics.ranks(scores[:, 0], scores[:, 1:])
    for k in (1, 10):
        assert metrics.recall_at(found, k).mean() == pytest.approx(k / 100, abs=3 * np.sqrt(k / 100 / 4_000))
