"""The typing engine, keystroke by keystroke: right words, whole texts, silence, and never late."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Iterator
from functools import cache
from importlib import resources
from threading import Thread
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typists import Fake, all_words, dice, parrot

from rejoinder.engine import prefix_cache, typing, voice_scheduler
from rejoinder.engine.best_first import SearchResult
from rejoinder.engine.gate import Calibration
from rejoinder.engine.prefix_cache import Deadline, LatencyEstimate, PrefixCache
from rejoinder.engine.replay import seam_fault
from rejoinder.engine.token_healing import HealedDraft, TokenTable
from rejoinder.engine.typing import Engine, Gate, TypingConfig, TypingSession
from rejoinder.engine.voice_scheduler import Voice, VoiceScheduler
from rejoinder.errors import ConfigError
from rejoinder.home.workspace import Workspace
from rejoinder.models import Can
from rejoinder.models.cache import Cache
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.post import Kind, Post
from rejoinder.text.counting import count_ngrams
from rejoinder.text.phrases import Phrases
from rejoinder.text.tensors import post_tokens
from rejoinder.text.tokenizer import Tokenizer

NO_LIMIT = TypingConfig(deadline=1e6)
TEXTS = ["the cat that they've had thanks them, then the hat. Don't ask; it's theirs!", "a bath, a path; héllo — naïve 日本"] * 9
SPARK = "Check the spark plug and the fuel filter. Then drive."


@cache
def small() -> Tokenizer:
    """At most 300 tokens."""
    return Tokenizer.train(TEXTS, 297)


@cache
def words() -> Tokenizer:
    return Tokenizer.train(
        [*TEXTS, *[SPARK, "See https://example.org/a now or write to joe@example.org today... and so on"] * 5], 420
    )


def session(model: Fake, config: TypingConfig = NO_LIMIT, **more: object) -> TypingSession:
    return Engine({"fake": model}, {}, None, config).open(**more)  # type: ignore[arg-type]


def ask(draft: str, *texts: str, context: tuple[Post, ...] = (), blocked: tuple[str, ...] = ()) -> str:
    """The ghost text of one who knows these texts."""
    return session(parrot(words(), *texts), context=context, blocked=blocked).suggest(draft).ghost


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("draft", ["", "a", "th", "the", "the ", "a th", "the th", "a, t", "th'", "a the"])
def test_words_are_those_of_an_exhaustive_search(draft: str, seed: int) -> None:
    """Over all sequences of at most 4 tokens. Of few tokens only that can come at all, so that it ends before tomorrow."""
    tokenizer = small()
    pieces = [b"t", b"h", b"e", b"a", b" ", b" t", b" a", b" th", b"th", b" the", b"the", b"'", b",", b"at", b"he"]
    live = [tokenizer.bytes.index(piece) for piece in pieces if piece in tokenizer.bytes]
    assert tokenizer.vocabulary <= 300 and len(live) > 10
    model = dice(tokenizer, live, seed)
    expected = sorted(all_words(model, draft, 4).items(), key=lambda item: -item[1])
    config = TypingConfig(deadline=1e6, words=12, steps=10_000, least=0.0, said=False)
    typed = session(model, config).suggest(draft)
    short = [word for word in typed.words if len(tokenizer.encode(HealedDraft.of(draft).owed + word.text)) <= 4]
    assert short and [word.text for word in short] == [text for text, _ in expected[: len(short)]]
    odds = [np.log(w.probability / (1 - w.probability)) for w in typed.words]
    assert odds == sorted(odds, reverse=True)
    ratios = [word.probability / short[0].probability for word in short]
    assert ratios == pytest.approx([np.exp(total - expected[0][1]) for _, total in expected[: len(short)]], rel=1e-3)


def test_a_probability_worked_out_by_hand() -> None:
    """After "a": p(" t") = 1/2, p(" b") = 1/4, p(b) = 1/4; a word goes on with probability 1/4 (p(b)) wherever it stands.

    "a" typed after nothing: its token alone begins with it, so the sum over sequences that begin so is p(a) = 1.
    Then " t" comes with 1/2, and no letter next with 3/4: 3/8. " b": 1/4 x 3/4 = 3/16. "b": the same.
    """
    tokenizer = Tokenizer.train(["a t", "a b"] * 9, 258)  # 256 bytes, " t" and " b"
    t, b, more, a = (tokenizer.bytes.index(piece) for piece in (b" t", b" b", b"b", b"a"))

    def rows(state: tuple[int, ...]) -> np.ndarray:
        row = np.full(tokenizer.vocabulary, -np.inf, np.float32)
        if not state:
            row[a] = 0.0
        else:
            row[[t, b, more]] = np.log([0.5, 0.25, 0.25])
        return row

    found = session(Fake(tokenizer, rows)).suggest("a").words
    assert {word.text: round(word.probability, 4) for word in found} == {" t": 0.375, " b": 0.1875, "b": 0.1875}


@pytest.mark.parametrize("place", range(len("Check the spark plug")))
def test_ghost_text_goes_on_where_the_draft_stops(place: int) -> None:
    ghost = ask(SPARK[:place], SPARK)
    assert SPARK.startswith(SPARK[:place] + ghost) and (len(ghost) > 2 or place < 2)


def test_ghost_text_ends_with_the_sentence() -> None:
    assert ask("Check the spark plug and the", SPARK) == " fuel filter."
    assert ask("Check the spark plug and the fuel filter.", SPARK) == " Then drive."
    long = session(parrot(words(), SPARK), TypingConfig(deadline=1e6, longest=2))
    assert long.suggest("Check").ghost == " the spark"


@pytest.mark.parametrize(("sure", "follows"), [(0.95, True), (0.75, True), (0.65, False), (0.1, False)])
def test_a_space_is_said_to_follow_where_the_model_is_sure_enough(sure: float, follows: bool) -> None:
    """After "a" comes " b", shown alone; then " b" with probability `sure` x 0.8, "," with the rest of 0.8, "b" with 0.2.

    So a space follows "b" with probability `sure`, given that no letter does.
    """
    tokenizer = Tokenizer.train(["a b", "a b"] * 9, 258)
    spaced, comma, more = (tokenizer.bytes.index(piece) for piece in (b" b", b",", b"b"))

    def rows(state: tuple[int, ...]) -> np.ndarray:
        row = np.full(tokenizer.vocabulary, -np.inf, np.float32)
        row[tokenizer.bytes.index(b"a") if not state else spaced] = 0.0
        if len(state) >= 2:
            row[[spaced, comma, more]] = np.log([0.8 * sure, 0.8 * (1 - sure), 0.2])
        return row

    typist = session(Fake(tokenizer, rows), TypingConfig(deadline=1e6, longest=1))
    for after, expected in (("", follows), ("\nmore", follows), (")", False), (" ", False)):
        typed = typist.suggest("a", after, gate=Gate.EAGER)
        assert (typed.ghost, typed.space) == (" b", expected)
    assert not typist.suggest("a", " next", gate=Gate.EAGER).space


def test_ghost_text_gets_shorter_as_the_gate_narrows() -> None:
    lengths = [
        len(session(parrot(words(), SPARK, sure=0.9)).suggest("Check", gate=gate).ghost)
        for gate in (Gate.QUIET, Gate.NORMAL, Gate.EAGER)
    ]
    assert lengths == sorted(lengths) and lengths[0] < lengths[-1]
    assert session(parrot(words(), SPARK, sure=0.3)).suggest("Check", gate=Gate.EAGER).ghost == ""


def test_silence_still_says_what_the_best_word_is_and_how_probable() -> None:
    typed = session(parrot(words(), SPARK, "Check a bath", sure=0.9)).suggest("Check", gate=Gate.QUIET)
    assert typed.ghost == "" and 0.3 < typed.probability < 0.5
    assert {word.text for word in typed.words[:2]} == {" the", " a"} and typed.words[0].probability == typed.probability


@pytest.mark.parametrize(
    ("draft", "text"),
    [
        ("See", "See https://example.org/a now"),
        ("or write to", "or write to joe@example.org today"),
        ("See https://exam", "See https://example.org/a now"),
        ("today", "today... and so on"),
        ("See", "See\n\nthe cat"),
    ],
)
def test_links_addresses_dots_and_new_lines_are_never_shown(draft: str, text: str) -> None:
    ghost = ask(draft, text)
    assert not set(":@/.\n") & set(ghost) and "http" not in ghost


@pytest.mark.parametrize(
    ("draft", "text"),
    [("Check.", "Check...the"), ("Check", "Check..the"), ("Check ", "Check ..the"), ("the _spark", "the _spark_spark plug")],
)
def test_no_next_word_has_dots_or_repeats_what_is_typed(draft: str, text: str) -> None:
    typed = session(parrot(words(), text)).suggest(draft)
    assert all(seam_fault(draft, said) is None for said in (typed.ghost, *(word.text for word in typed.words)))


def test_a_copy_of_the_line_above_is_not_shown() -> None:
    above = (Post(1, Kind.COMMENT, "I read this.\nCheck the spark plug and the fuel filter."),)
    assert ask("Check the spark", SPARK).startswith(" plug")
    assert ask("Check the spark", SPARK, context=above) == ""
    twice = f"{SPARK}\n{SPARK}"
    assert ask(f"{SPARK}\nCheck the spark", twice) == ""


def test_blocked_words_and_all_that_follows_them_are_not_shown() -> None:
    assert ask("Check the", SPARK, blocked=("Plug",)) == " spark"
    assert "plug" not in [
        w.text.strip() for w in session(parrot(words(), SPARK), blocked=["PLUG"]).suggest("Check the spark").words
    ]


def test_words_that_one_author_alone_wrote_are_not_gone_on_with() -> None:
    alone = "one two three four five six seven eight nine ten"
    tokenizer = Tokenizer.train([alone] * 5, 320)
    phrases = Phrases.build([Post(1, text=alone, author=b"x")])
    engine = Engine({"fake": parrot(tokenizer, alone)}, {}, phrases, NO_LIMIT)
    assert engine.open().suggest("one two three four five six").ghost == ""
    assert Engine({"fake": parrot(tokenizer, alone)}, {}, None, NO_LIMIT).open().suggest("one two three four five six").ghost


def test_one_more_letter_reads_nothing_new_and_going_back_costs_nothing() -> None:
    model = parrot(words(), SPARK)
    typist = session(model)
    answers, costs = {}, []
    text = "Check the spark"
    for length in range(len(text) + 1):
        before = len(model.steps)
        answers[length] = typist.suggest(text[:length])
        costs.append(len(model.steps) - before)
    assert sum(cost == 0 for cost in costs) > len(costs) / 2
    read = len(model.steps)
    for length in range(len(text), len(text) - 8, -1):
        assert typist.suggest(text[:length]) == answers[length]
    assert len(model.steps) == read


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), min_size=1, max_size=12))
def test_a_session_answers_as_a_new_one_would_wherever_the_caret_jumps(jumps: list[tuple[int, int]]) -> None:
    texts = [SPARK, SPARK.replace("spark", "cat"), TEXTS[0], TEXTS[1]]
    tight = TypingConfig(deadline=1e6, kept=3)
    old = session(parrot(words(), SPARK, TEXTS[0], sure=0.8), tight)
    for text, length in jumps:
        draft = texts[text][:length]
        assert old.suggest(draft) == session(parrot(words(), SPARK, TEXTS[0], sure=0.8), tight).suggest(draft)


@settings(max_examples=80)
@given(st.text(max_size=40))
def test_a_draft_is_cut_where_the_tokenizer_cuts(draft: str) -> None:
    cut, encode = HealedDraft.of(draft), words().encode
    assert cut.head + cut.owed == draft
    assert encode(cut.head) + encode(cut.owed) == encode(draft)


@settings(max_examples=60)
@given(st.text(max_size=20), st.sampled_from(["", " th", "'", "日", "e\u0301", "👩\u200d", "\ud800", "\n", " \t"]))
def test_any_draft_is_taken(draft: str, end: str) -> None:
    typist = session(dice(small(), [small().bytes.index(bytes([byte])) for byte in b"the a"], 1))
    typed = typist.suggest(draft + end, gate=Gate.EAGER)
    assert seam_fault(draft + end, typed.ghost) is None
    assert all(seam_fault(draft + end, word.text) is None for word in typed.words)


def sample_texts() -> Iterator[str]:
    lines = (resources.files("rejoinder.bundle") / "sample.jsonl").read_text(encoding="utf-8").splitlines()
    for line in lines:
        text = json.loads(line).get("text", "")
        if len(text) > 60 and "<" not in text and "&" not in text:
            yield text


def test_every_prefix_of_twenty_posts_is_gone_on_with_to_the_letter() -> None:
    """By the counts in the package; where ghost text is shown it is taken, and the draft then goes on from there."""
    space = Workspace.shipped()
    assert space is not None
    model = space.load_those(Can.PREDICT, ["kneser_ney"])["kneser_ney"]
    engine = Engine({"kneser_ney": model}, {}, None, TypingConfig(deadline=1e6, steps=8))
    shown = 0
    texts = [text for text, _ in zip(sample_texts(), range(20), strict=False)]
    assert len(texts) == 20
    for text in texts:
        typist = engine.open((Post(0),))
        for length in range(min(len(text), 80)):
            draft = text[:length]
            typed = typist.suggest(draft, gate=Gate.EAGER)
            for said in (typed.ghost, *(word.text for word in typed.words)):
                assert seam_fault(draft, said) is None, (draft, said)
            if typed.ghost and length % 8 == 0:
                after = typist.suggest(draft + typed.ghost, gate=Gate.EAGER).ghost
                assert seam_fault(draft + typed.ghost, after) is None
            shown += bool(typed.ghost)
    assert shown > 100


# --- time ----------------------------------------------------------------------------------------------------------


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def tick(self) -> None:
        self.now += 0.01


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(prefix_cache, "perf_counter", found)
    for module in (typing, voice_scheduler):
        monkeypatch.setattr(module, "perf_counter", found)
    return found


def test_what_is_due_already_is_answered_with_silence_and_without_a_step() -> None:
    model = parrot(words(), SPARK)
    typed = session(model).suggest("Check the", deadline=0.0)
    assert (typed.ghost, typed.words, typed.cut, model.steps) == ("", (), True, [])


def test_where_time_is_short_the_cheaper_voice_speaks(clock: Clock) -> None:
    """The slow voice takes 10 ms a step and needs several for what it has not read."""
    slow, quick = parrot(words(), SPARK), parrot(words(), SPARK)
    slow.before = clock.tick
    engine = Engine({"slow": slow, "quick": quick}, {}, None, TypingConfig(deadline=0.025, reserve=0.002, calm=0.0))
    typist = engine.open()
    typist.suggest("See", deadline=clock.now + 9)  # now it is known how long a step takes
    typed = typist.suggest("Check the spark")
    assert (typed.rung, typed.cut) == ("quick", True) and typed.ghost.startswith(" plug")
    for _ in range(9):  # what it has read is kept, so that it catches up
        typed = typist.suggest("Check the spark")
    assert (typed.rung, typed.cut) == ("slow", False)


@pytest.mark.parametrize(
    ("keystrokes", "cut", "left", "backoffs"),
    [
        ((9.0, 0.0, 0.0), {"middle"}, 0.05, [4.0, 2.0, 1.0]),  # the best took no time: it is no slower for what the next did
        ((9.0, 9.0, 0.0), {"quick"}, 0.05, [4.0, 1.0, 2.0]),
        ((0.0, 0.0, 0.0), {"best", "middle"}, 0.05, [8.0, 1.0, 1.0]),  # the best took what the next then lacked
        ((9.0, 0.0, 0.0), set(), 0.05, [3.96, 1.0, 1.0]),  # who was passed over is tried again after a while: 4 x 0.99
        ((0.0, 0.0, 0.0), {"quick"}, -0.01, [8.0, 1.0, 1.0]),  # it waited too long: the voice that costs most makes room
    ],
)
def test_the_first_that_was_asked_answers_for_what_is_late(
    clock: Clock, keystrokes: tuple[float, ...], cut: set[str], left: float, backoffs: list[float]
) -> None:
    caches = [PrefixCache(parrot(words(), SPARK), (), 4) for _ in keystrokes]
    names = ("best", "middle", "quick")
    voices = [Voice(name, TokenTable(words()), Calibration(), one) for name, one in zip(names, caches, strict=True)]
    for place, keystroke in enumerate(keystrokes):
        caches[place].latency.keystroke = keystroke
    caches[0].latency.backoff = 4.0

    def search(voice: Voice, _: Deadline) -> SearchResult:
        return SearchResult([], cut=voice.name in cut, begun=True)

    VoiceScheduler(voices, 0.002, 1.0).ask("Check ", search, Deadline(clock.now + left))
    assert [one.latency.backoff for one in caches] == pytest.approx(backoffs)


def test_a_first_step_that_is_slow_shuts_nobody_out() -> None:
    """Tables are made for it, and files are read; who was passed over for a slow one is tried again."""
    latency = LatencyEstimate()
    latency.observe("step", 0.9)
    assert latency.step == 0.0
    latency.observe("step", 0.2)
    assert latency.step == 0.2
    for _ in range(100):
        latency.in_time()
    assert latency.step == pytest.approx(0.2 * 0.99**100)


def test_no_step_is_begun_that_would_end_late(clock: Clock) -> None:
    slow = parrot(words(), SPARK)
    slow.before = clock.tick
    typist = session(slow, TypingConfig(deadline=0.045, reserve=0.0))
    typist.suggest("See", deadline=clock.now + 9)  # now it is known how long a step takes
    for draft in ("Check the spark plug", "Check the spark plug and the", "", "Check the spark plug and the fuel"):
        due = clock.now + 0.045
        typist.suggest(draft)
        assert clock.now <= due


def test_who_is_cancelled_stops_at_the_next_step() -> None:
    model = parrot(words(), SPARK)
    typed = session(model).suggest("Check the spark plug and", cancelled=lambda: len(model.steps) >= 2)
    assert len(model.steps) == 2 and typed.cut and typed.ghost == ""


def test_who_waits_for_the_keystroke_before_waits_no_longer_than_there_is_time() -> None:
    model = parrot(words(), SPARK)
    typist = session(model)
    answers: list[typing.Typed] = []

    def meanwhile() -> None:
        model.before = lambda: None
        other = Thread(target=lambda: answers.append(typist.suggest("Check", deadline=perf_counter() + 0.01)))
        other.start()
        other.join()

    model.before = meanwhile
    assert typist.suggest("Check the").ghost and answers[0].cut and not answers[0].words


def test_a_session_keeps_so_many_places_and_no_more() -> None:
    model = parrot(words(), SPARK)
    typist = session(model, TypingConfig(deadline=1e6, kept=5))
    for text in (SPARK, TEXTS[0], TEXTS[1]) * 3:
        for length in range(0, len(text), 3):
            typist.suggest(text[:length])
    cache = typist._scheduler.voices[0].cache
    nodes = [cache._root]
    for node in nodes:
        nodes += node.children.values()
    states = [node for node in nodes if node.state is not None and node is not cache._root]
    assert len(states) <= 5 + prefix_cache._FAR
    assert sum(node.row is not None for node in nodes) <= 5 + 1
    assert len(nodes) < 400


def test_a_session_that_is_over_lets_go_of_all_it_held_at_once() -> None:
    typist = session(parrot(words(), SPARK))
    typist.suggest("Check the spark")
    row = next(node.row for node in typist._scheduler.voices[0].cache._near.values() if node.row is not None)
    gone = weakref.ref(row)
    del row
    gc.disable()
    try:
        del typist
        assert gone() is None
    finally:
        gc.enable()


def test_two_sessions_share_nothing() -> None:
    engine = Engine({"fake": parrot(words(), SPARK)}, {}, None, NO_LIMIT)
    one, other = engine.open(), engine.open(blocked=["spark"])
    assert one.suggest("Check the").ghost.startswith(" spark") and "spark" not in other.suggest("Check the").ghost


def test_the_calibration_of_its_rung_is_used() -> None:
    doubting = Calibration(intercepts=(-9.0,) * 6)
    engine = Engine({"fake": parrot(words(), SPARK)}, {"fake": doubting}, None, NO_LIMIT)
    typed = engine.open().suggest("Check the")
    assert typed.ghost == "" and typed.probability < 0.1


def test_settings_out_of_range_are_refused() -> None:
    for wrong in ({"deadline": 0.001}, {"kept": 0}, {"least": 1.0}, {"longest": 0}):
        with pytest.raises(ConfigError, match="typing"):
            TypingConfig(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="rejoinder fit"):
        Engine({}, {})


# --- a cache counts what is written ------------------------------------------------------------------------------------


@cache
def counted(cache: int) -> KneserNey:
    """Counts of a few texts, and a cache of so many tokens."""
    posts = [Post(number, text=text) for number, text in enumerate([*TEXTS, SPARK, SPARK.replace("spark", "cat")], start=1)]
    counts = count_ngrams(post_tokens(posts, words()), 3, words().vocabulary)
    return KneserNey.from_counts(KneserNeyConfig(order=3, cache=cache, cache_weights=(0.3, 0.3, 0.3)), words(), counts)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), min_size=1, max_size=12))
def test_a_session_with_a_cache_answers_as_a_new_one_would_wherever_the_caret_jumps(jumps: list[tuple[int, int]]) -> None:
    texts = [SPARK, SPARK.replace("spark", "cat"), TEXTS[0], TEXTS[1]]

    def new() -> TypingSession:
        return Engine({"counts": counted(100)}, {}, None, TypingConfig(deadline=1e6, kept=6)).open()

    old = new()
    for text, length in jumps:
        draft = texts[text][:length]
        assert old.suggest(draft, gate=Gate.EAGER) == new().suggest(draft, gate=Gate.EAGER)


@pytest.mark.parametrize("kept", [3, 64])
def test_a_cache_hears_what_is_written_and_not_what_is_made(kept: int) -> None:
    """Each node's probabilities, against the counts alone mixed by hand with a cache of the written tokens only."""
    model, alone, cached = counted(100), counted(0), Cache(100, 100.0, (0.3, 0.3, 0.3))
    reading, now = prefix_cache.PrefixCache(model, (), kept), prefix_cache.Deadline()
    written, made = words().encode("Check the spark plug and"), words().encode(" the spark plug")
    for count in (2, len(written), 3):
        node, state, plain, last = reading.reach(written[:count], now), model.start(()), alone.start(()), (words().post,)
        reading.look_ahead_from(node)
        history = cached.remember(b"", *written[:count])
        for place, token in enumerate([*written[:count], *made], start=1):
            state, plain, last = model.advance(state, token), alone.advance(plain, token), (*last[-1:], token)
            if place > count:
                node = reading.child(node, token, now)
                here = reading.log_probs(node, now)
                assert here == pytest.approx(cached.mix(alone.log_probs(plain), history, last), abs=1e-6)
                assert not np.allclose(here, model.log_probs(state))
