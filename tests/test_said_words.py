"""Words that were said before: a name or a term of the draft, or of what it answers, is finished from its first letters."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_typing import NO_LIMIT, SPARK, session, words
from typists import parrot

from rejoinder.engine.best_first import Word
from rejoinder.engine.said_words import SaidWords
from rejoinder.engine.typing import Engine, TypingSession
from rejoinder.engine.word_rules import WordRules
from rejoinder.post import Post
from rejoinder.text.lexicon import Lexicon
from rejoinder.text.phrases import Phrases


def mixed(draft: str, *found: tuple[str, float], context: tuple[str, ...] = (), known: bool = True) -> list[tuple[str, float]]:
    """What becomes of next words that a model finds."""
    posts = [Post(number, text=text) for number, text in enumerate(context)]
    phrases = None if known else replace(Phrases.unknown(), lexicon=Lexicon.build([]))
    rules = WordRules(posts, phrases)
    made = SaidWords(posts, rules).mixed(draft, [Word(t, p, p, (), None) for t, p in found], rules.at(draft), 3)
    return [(word.text, round(word.probability, 6)) for word in made]


def test_what_is_mixed_worked_out_by_hand() -> None:
    """Two letters, one word begins so, and people use it: 0.1. Of a model's 0.5 and 0.3 are left 0.45 and 0.27."""
    assert mixed("A zebra ran. The ze", ("ro", 0.5), ("st", 0.3)) == [("ro", 0.45), ("st", 0.27), ("bra", 0.1)]
    assert mixed("A zebra ran. The ze", ("bra", 0.5), ("ro", 0.3)) == [("bra", 0.55), ("ro", 0.27)]  # 0.9 x 0.5 + 0.1
    assert mixed("A zebra ran. The ze", ("bra", 0.5), known=False) == [("bra", 0.74)]  # 0.52 x 0.5 + 0.48
    assert mixed("A zebra ran. The zebr", (" and", 0.5)) == [(" and", 0.5), ("a", 0.24)]  # it ends the word that is begun
    assert mixed("A zebra ran. The ", ("zebra", 0.5)) == [("zebra", 0.5)] and mixed("The ze", ("ro", 0.5)) == [("ro", 0.5)]


def test_of_several_words_those_said_last_count_most_and_those_that_end_there_too() -> None:
    """zebra 100 words before zero, which was said just now: 0.5 ** 1.01 to 1. Three letters, several words begin so: 0.1."""
    far = " ".join(["zeal", *["word"] * 100, "zebra", "ze"])
    near, old = 1 / (1 + 0.5**1.01), 0.5**1.01 / (1 + 0.5**1.01)
    assert mixed(far) == [("bra", round(0.1 * near, 6)), ("al", round(0.1 * old, 6))]
    assert mixed("ze zebra ze") == [("bra", round(0.1 / (1 + 0.5**0.01), 6))]  # "ze" was said as well
    assert mixed("Zebra ze") == []  # as it was written


def test_marks_on_letters_are_part_of_a_word() -> None:
    """A vowel sign of Devanagari, or an accent that stands for itself: no word is cut there, and none begins after one."""
    assert mixed("नमस्ते दोस्त। न") == [("मस्ते", 0.03)] and mixed("नमस्ते हिन") == []
    assert mixed("Zo", context=("Zoe\u0308lla",)) == [("e\u0308lla", 0.1)] and mixed("lla and Zoe\u0308l") == []


def test_what_is_answered_counts_and_the_draft_before_it() -> None:
    assert mixed("the qu", context=("a quokka",)) == [("okka", 0.1)]
    found = dict(mixed("quince, the qu", context=("a quokka",)))
    assert found["ince"] > found["okka"]


def test_nothing_crude_blocked_or_going_round_is_brought_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rejoinder.engine.said_words.is_crude", lambda word: word == "zebra")
    assert mixed("A zebra ran. The ze") == []
    opened = Engine({"fake": parrot(words(), SPARK)}, {}, None, NO_LIMIT).open((Post(0, text="a zebra"),), blocked=["zebra"])
    assert "bra" not in [word.text for word in opened.suggest("The ze").words]


def test_a_name_of_the_thread_is_offered_in_typing_and_what_follows_it_is_not_made_up() -> None:
    def offered(opened: TypingSession) -> list[str]:
        return [word.text for word in opened.suggest("I asked Mirel").words]

    assert offered(session(parrot(words(), SPARK), context=(Post(0, text="Mirella said so"),))) == ["la"]
    assert not offered(session(parrot(words(), SPARK)))
    lines = session(parrot(words(), SPARK), context=(Post(0, text="Mirella said so"),)).without_gate("I asked Mirel", 4)
    assert [[one.text for one in line] for _, line in lines] == [["la"]]
