"""What is never offered, however probable: circles, and words that are none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_typing import words as tokenizer
from typists import Fake, parrot

from rejoinder.engine.completion import complete
from rejoinder.engine.typing import Engine, Gate, TypingConfig
from rejoinder.engine.word_rules import WordRules
from rejoinder.home.voices import phrases_of
from rejoinder.home.workspace import Workspace
from rejoinder.models import PACKAGE, Can
from rejoinder.models.interfaces import LanguageModel
from rejoinder.post import Post, Query
from rejoinder.text.lexicon import Lexicon
from rejoinder.text.phrases import Phrases
from rejoinder.text.words import words

CONTEXT = (Post(0),)
BY_HAND = (
    "I think the main reason is|What's the best way to|I can't|Could you elaborate on|A friend of mine moved to San Francisco"
    "|Have you tried turning it off|Thanks for the link, I don’t|the api returns a json|In my experience|to be or not to be"
    "|I'm not sure what you mean by \"better\"|No no no no|It's been a long time|¿Qué? — naïve café 日本|3.5 GHz in 2009, 2010"
).split("|")


@cache
def shipped() -> tuple[dict[str, LanguageModel], Phrases]:
    """The counts and the mixture in the package, and the words they know."""
    space = Workspace.shipped()
    assert space is not None
    phrases = phrases_of(Workspace(Path("nowhere")), f"{PACKAGE}mixture", lambda line: None)
    assert phrases.lexicon is not None
    return dict(space.load_those(Can.PREDICT, ["kneser_ney", "mixture"])), phrases


def drafts(number: int) -> Iterator[str]:
    """Texts of the sample in the package, and some by hand, cut anywhere."""
    rng = np.random.default_rng(500)
    lines = (resources.files("rejoinder.bundle") / "sample.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [*BY_HAND, *(text for line in lines if len(text := json.loads(line).get("text", "")) > 20)]
    for place in rng.permutation(np.arange(number) % len(texts)).tolist():
        text = texts[place]
        cut = int(rng.integers(min(len(text), 300))) + 1
        yield text[max(cut - 200, 0) : cut]


def fault(draft: str, text: str, phrases: Phrases) -> str | None:
    """What is wrong with `text` after `draft`, by the letter of the promise; None if nothing is."""
    typed, said = words(draft), words(draft + text)
    made = said[next((i for i, (a, b) in enumerate(zip(typed, said, strict=False)) if a != b), len(typed)) :]
    runs = Counter(pairwise(made))
    if runs and max(runs.values()) > 1:
        return "a run said twice"
    unknown = [word for word in made if word not in typed and not phrases.knows(word)]
    return f"no words: {unknown}" if unknown else None


@pytest.mark.parametrize(("rung", "number"), [("kneser_ney", 500), ("mixture", 120)])
def test_no_continuation_of_500_drafts_goes_round_or_holds_a_word_nobody_knows(rung: str, number: int) -> None:
    models, phrases = shipped()
    engine = Engine({rung: models[rung]}, {}, phrases, TypingConfig(deadline=1e6, steps=8))
    shown = 0
    for draft in drafts(number):
        typed = engine.open(CONTEXT).suggest(draft, gate=Gate.EAGER)
        texts = [typed.ghost, *(word.text for word in typed.words)]
        texts += [found.text for found in complete(models[rung], Query(CONTEXT, draft), k=1, phrases=phrases)]
        for text in texts:
            assert fault(draft, text, phrases) is None, (draft, text, fault(draft, text, phrases))
        shown += bool(texts[-1])
    assert shown > number / 2


@pytest.mark.parametrize(
    ("draft", "wrong"),
    [("I", " can't't't"), ("Could you elabor", "ateate"), ("He lives in San Fr", "anciscoisco"), ("It is", " a the a the")],
)
def test_what_was_once_shown_is_so_no_more(draft: str, wrong: str) -> None:
    """The faults that people met, by a model that is sure of them."""
    phrases = shipped()[1]
    model = parrot(tokenizer(), draft + wrong, sure=0.99)
    typed = Engine({"fake": model}, {}, phrases, TypingConfig(deadline=1e6)).open(CONTEXT).suggest(draft, gate=Gate.EAGER)
    assert wrong not in (typed.ghost, *(word.text for word in typed.words))
    assert wrong not in [found.text for found in complete(model, Query(CONTEXT, draft), phrases=phrases)]
    assert fault(draft, wrong, phrases)


def known(text: str, *posts: Post, **more: object) -> bool:
    rules = WordRules(more.get("context", ()), Phrases.build(posts), more.get("own", ()), more.get("blocked", ()))  # type: ignore[arg-type]
    return rules.at(str(more.get("draft", ""))).allow(text)


def test_a_word_is_known_by_two_writers_the_draft_what_is_answered_or_the_own_text() -> None:
    """`gizmo` is of two posts, `frob` of one, `twice` of one sent twice; `widget` of two posts by one author."""
    posts = [
        Post(1, text="a gizmo and a frob", author=None),
        Post(2, text="no gizmo here", author=None),
        Post(3, text="said twice", author=None),
        Post(4, text="Said twice", author=None),
        Post(5, text="one widget", author=b"x"),
        Post(6, text="two widget", author=b"x"),
    ]
    offered = {word: known(f" {word}", *posts) for word in ("gizmo", "Gizmo's", "frob", "twice", "widget", "v2", "n", "日本")}
    assert offered == {
        "gizmo": True,
        "Gizmo's": True,
        "frob": False,
        "twice": False,
        "widget": False,
        "v2": True,
        "n": True,
        "日本": True,
    }
    assert known(" frob", *posts, draft="My frob and my")
    assert known(" frob", *posts, context=(Post(9, text="Which Frob?"),))
    assert known(" frob", *posts, own={"frob"})
    assert not known(" gizmo", *posts, blocked=["Gizmo"])
    assert known("mo", *posts, draft="a giz") and not known("momo", *posts, draft="a giz")


def test_circles_are_told_by_runs_of_two_words() -> None:
    rules = WordRules()
    assert rules.at("What's the best").allow(" way to do with the")
    assert not rules.at("What's the best").allow(" way to do with the best")  # which was typed a moment ago
    assert not rules.at("I").allow(" see that I see")
    assert not rules.at("I").allow(" am very very")
    assert rules.at("the").allow(" the")  # the first word is the person's to repeat
    assert rules.at("the best of all things that I ever saw in my life is").allow(" the best")  # long ago


def test_words_that_two_wrote_are_kept_beside_a_model_as_hashes(tmp_path: object) -> None:
    posts = [Post(1, text="alpha beta"), Post(2, text="beta gamma")]
    found = Lexicon.build(posts)
    assert len(found.hashes) == 1 and "beta" in found and "alpha" not in found
    assert np.array_equal(Phrases.build(posts).lexicon.hashes, found.hashes)  # type: ignore[union-attr]


def test_who_has_read_much_knows_the_words_that_are_not_too_rare() -> None:
    posts = [Post(n, text=f"tea {n}" + " kettle" * (n % 2) + " samovar" * (n in (3, 7))) for n in range(30)]
    known = {None: "tea kettle samovar", 15: "tea kettle samovar", 14: "tea kettle", 2: "tea kettle", 1: "tea"}
    for one_in, words_known in known.items():
        found = Lexicon.build(posts, one_in)
        assert " ".join(word for word in ("tea", "kettle", "samovar") if word in found) == words_known


def test_a_model_without_such_a_list_says_no_letters_twice_over() -> None:
    old = Phrases(np.zeros(8, np.uint8), 0)
    assert [old.knows(word) for word in ("elaborate", "elaborateate", "can't", "can't't")] == [True, False, True, False]


def test_the_personal_word_list_reaches_the_engine() -> None:
    model: Fake = parrot(tokenizer(), "Check the spark plug", sure=0.99)
    engine = Engine({"fake": model}, {}, Phrases.build([]), TypingConfig(deadline=1e6))
    assert not engine.open().suggest("Check the").words
    assert engine.open(own_words={"spark"}).suggest("Check the").words[0].text == " spark"


@pytest.mark.parametrize(
    ("blocked", "draft", "text"),
    [
        ("third-party", "a third-par", "ty"),
        ("well-known", "It is a", " well-known fact"),
        ("New York", "I live in New Yo", "rk"),
        ("new york", "I live in", " New York"),
        ("don\u2019t", "I don", "'t"),
        ("don't", "I don", "\u2019t"),
        (" problem ", "I think the prob", "lem is"),
    ],
)
def test_what_is_blocked_is_not_offered_however_it_is_written(blocked: str, draft: str, text: str) -> None:
    rules, free = WordRules(blocked=[blocked]), WordRules(blocked=["!"])
    assert rules.blocks(draft, text) and not free.blocks(draft, text)
    assert not rules.at(draft).allow(text.removesuffix(" fact").removesuffix(" is"))


def test_a_blocked_word_that_was_typed_blocks_nothing_after_it() -> None:
    rules = WordRules(blocked=["plug", "spark plug"])
    assert (
        not rules.blocks("the spark plug", " is") and not rules.blocks("the spark plu", "s") and rules.blocks("a spark p", "lug")
    )


@given(st.lists(st.tuples(st.integers(0, 12), st.text("ab' .\n\x1c’日", max_size=8)), min_size=1, max_size=6))
def test_a_word_of_the_draft_is_known_wherever_the_caret_jumps(edits: list[tuple[int, str]]) -> None:
    rules, draft = WordRules((), replace(Phrases.unknown(), lexicon=Lexicon.build([]))), ""
    for kept, more in edits:
        draft = draft[:kept] + more
        for word in ("aa", "ab", "ba'b", "aab"):
            assert rules.knows(word, draft) is (word in words(draft))


def test_of_a_long_draft_only_what_is_new_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def counted(text: str) -> list[str]:
        read.append(len(text))
        return words(text)

    rules, draft = WordRules((), replace(Phrases.unknown(), lexicon=Lexicon.build([]))), "so many words " * 1_000
    assert not rules.knows("qwert", draft)
    monkeypatch.setattr("rejoinder.engine.word_rules.words", counted)
    assert not rules.knows("qwert", draft + "and s") and rules.knows("many", draft + "and so")
    assert sum(read) < 20
