"""The verdict: every answer it may give, from figures made up for it."""

from __future__ import annotations

from dataclasses import replace

from rejoinder.ladder.report import Figure
from rejoinder.ladder.verdict import Contender, Gain, ties, verdict

BITS = {"unigram": 3.0, "markov": 2.2, "kneser_ney": 2.0, "lstm": 1.8}
SECONDS = {"unigram": 0.1, "markov": 0.5, "kneser_ney": 6.0, "lstm": 900.0}


def contenders(**bits: float) -> list[Contender]:
    found = {**BITS, **bits}
    return [Contender(name, name == "lstm", -value, SECONDS[name], 1.0, 10**6) for name, value in found.items()]


def gain(width: float = 0.01, number: int = 100, **bits: float) -> Gain:
    found = {**BITS, **bits}

    def of(upper: str, lower: str) -> Figure:
        value = 1 - found[upper] / found[lower]
        return Figure(value, value - width, value + width, number)

    return of


def test_a_net_that_is_well_ahead_is_needed() -> None:
    """1.8 against 2.0 bits is 10% less, more than the margin of 3%, and 9% to 11% is above 0."""
    found = verdict("typing", contenders(), gain())
    assert found is not None
    assert (found.neural, found.rung, found.best) == (True, "lstm", "lstm")
    assert found.headline.startswith("Yes")


def test_a_yes_says_which_rungs_without_a_net_were_starved() -> None:
    starved = [replace(one, settled=False, why="was stopped") if one.name == "kneser_ney" else one for one in contenders()]
    found, fair = verdict("typing", starved, gain()), verdict("typing", contenders(), gain())
    assert found is not None and fair is not None and found.neural is True
    assert any("But the budget stopped kneser_ney" in sentence for sentence in found.sentences)
    assert found.headline.startswith("So far, yes: ") and fair.headline.startswith("Yes, you need")
    assert not any("But the budget" in sentence for sentence in fair.sentences)


def test_a_net_within_the_margin_is_not_needed() -> None:
    found = verdict("typing", contenders(lstm=1.97), gain(lstm=1.97))
    assert found is not None
    assert (found.neural, found.rung, found.best) == (False, "kneser_ney", "lstm")
    assert found.headline.startswith("No")
    assert any("1.5%" in sentence for sentence in found.sentences)  # what the net would give: 1 - 1.97 / 2.0


def test_a_net_that_is_behind_is_not_needed() -> None:
    found = verdict("typing", contenders(lstm=2.5), gain(lstm=2.5))
    assert found is not None
    assert found.neural is False
    assert any("behind" in sentence for sentence in found.sentences)


def test_the_cheapest_that_is_good_enough_is_taken() -> None:
    found = verdict("typing", contenders(lstm=1.98, markov=2.03), gain(lstm=1.98, markov=2.03))
    assert found is not None
    assert found.rung == "markov"


def test_who_is_there_already_but_slow_is_not_the_cheapest() -> None:
    """Fitted in 6 s, with 1 ms a keystroke, is 56 s a week; fitted elsewhere, with 16 ms, 800 s. Of replies it is 6.5 s to 8."""
    made = [replace(one, seconds=0.0, milliseconds=16.0) if one.net else one for one in contenders(lstm=1.99)]
    taken = {kind: verdict(kind, made, gain(0.1, lstm=1.99)) for kind in ("typing", "replies")}
    assert all(found is not None and found.neural is None for found in taken.values())
    assert taken["typing"].rung == taken["replies"].rung == "kneser_ney"
    slow = [replace(one, seconds=9.0) if one.name == "kneser_ney" else one for one in made]
    assert verdict("replies", slow, gain(0.1, lstm=1.99)).rung == "lstm" != verdict("typing", slow, gain(0.1, lstm=1.99)).rung


def test_what_one_rung_down_saves_and_what_it_costs() -> None:
    came = [replace(one, seconds=0.0, milliseconds=16.0) if one.net else one for one in contenders()]
    found, usual = verdict("typing", came, gain()), verdict("typing", contenders(), gain())
    assert found is not None and usual is not None
    assert found.sentences[2].endswith("of that, and saves 15 ms each time, though it takes 6.0 s more to fit.")
    assert usual.sentences[2].endswith("of that, and saves 15 min of fitting.")


def test_too_few_threads_to_be_sure() -> None:
    found = verdict("typing", contenders(), gain(width=0.2))
    assert found is not None
    assert found.neural is None
    assert found.headline.startswith("No difference found")


def test_however_far_ahead_by_too_few_threads_it_is_open() -> None:
    """By one thread an interval is a point."""
    for bits in (1.0, 1.99):
        one, many = (verdict("typing", contenders(lstm=bits), gain(width=0.0, lstm=bits), threads=n) for n in (1, 20))
        assert one is not None and many is not None
        assert one.neural is None and one.headline.startswith("No difference found") and many.neural is not None
        assert "No difference found: what was measured is of 1 thread, and posts of one thread are alike" in one.sentences[1]


def test_how_many_more_posts_would_tell() -> None:
    """10% ahead, 20% to each side, on 100 posts: an interval half as wide needs four times as many, 300 more.

    1.5% ahead, 5% to each side, may be 6.5%; to be at most 6% it must be 4.5% to each side: (5 / 4.5)^2 - 1 = 23% more.
    """
    wide, narrow = (
        verdict("typing", contenders(), gain(width=0.2)),
        verdict("replies", contenders(lstm=1.97), gain(0.05, lstm=1.97)),
    )
    assert wide is not None and narrow is not None
    assert any("needs about 300 more posts than the 100 measured" in sentence for sentence in wide.sentences)
    assert any("needs about 24 more answered posts than the 100 measured" in sentence for sentence in narrow.sentences)


def test_a_net_that_the_budget_stopped_cannot_be_ruled_out() -> None:
    stopped = [replace(c, settled=False, why="was stopped") if c.net else c for c in contenders(lstm=2.1)]
    found = verdict("typing", stopped, gain(lstm=2.1))
    assert found is not None
    assert found.neural is None
    assert any("lstm was stopped" in sentence for sentence in found.sentences)
    assert "behind" in found.sentences[1] and "no more than the margin" not in found.sentences[1]
    ahead = verdict("typing", [replace(c, settled=not c.net) for c in contenders()], gain())
    assert ahead is not None
    assert ahead.neural is True  # it is well ahead already


def test_without_a_net_there_is_nothing_to_compare_with() -> None:
    found = verdict("typing", [c for c in contenders() if not c.net], gain())
    assert found is not None
    assert (found.neural, found.rung) == (None, "kneser_ney")
    assert found.headline.startswith("No net measured")
    assert verdict("replies", [], gain()) is None


def test_too_few_threads_to_be_sure_that_it_is_not() -> None:
    """1.97 against 2.0 is 1.5% ahead, and with 5% to each side perhaps 6.5%: more than twice the margin."""
    found = verdict("typing", contenders(lstm=1.97), gain(width=0.05, lstm=1.97))
    assert found is not None
    assert found.neural is None


def test_a_net_that_was_never_measured_cannot_be_ruled_out() -> None:
    found = verdict("typing", contenders(lstm=2.5), gain(lstm=2.5), ["mixture"])
    assert found is not None
    assert found.neural is None
    assert any("stopped mixture" in sentence for sentence in found.sentences)
    ahead = verdict("typing", contenders(), gain(), ["mixture"])
    assert ahead is not None
    assert ahead.neural is True


def test_what_is_not_told_apart_stands_together() -> None:
    """Intervals of 5% about 1.8, 1.85 (2.7% more), 2.0 (10% more than the first) and 3.0."""
    names = ["lstm", "mixture", "kneser_ney", "unigram"]
    assert ties(names, gain(0.05, mixture=1.85)) == (("lstm", "mixture"), ("kneser_ney",), ("unigram",))
    assert ties(names, gain(0.001, mixture=1.85)) == (("lstm",), ("mixture",), ("kneser_ney",), ("unigram",))
    assert ties([], gain()) == ()
