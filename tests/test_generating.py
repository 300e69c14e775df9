"""Made replies: scored by how well they fit, and turned away when they should not be shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from conftest import toy_posts
from typer.testing import CliRunner

from rejoinder.archive.places import place
from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.cli import app
from rejoinder.engine.generation import GenerateConfig, ReplyGenerator, cases_in, goes_round, guarded
from rejoinder.engine.replier import Replier
from rejoinder.engine.sampling import SampleConfig
from rejoinder.errors import ConfigError
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.workspace import Workspace
from rejoinder.models.interfaces import Job, LanguageModel
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.post import Case, Kind, Post, Suggestion
from rejoinder.text.phrases import Phrases
from rejoinder.text.sentences import finished
from rejoinder.text.tokenizer import WordTokenizer
from rejoinder.text.words import words

QUESTION = (Post(1, Kind.STORY, "Why does the engine stall ?"),)
NOBODYS = Phrases.build([])
PLAIN = "You should look at the fuel filter first ."
OTHER = "It may well be an old spark plug again ."


def test_what_a_case_says_is_not_passed_off_as_new() -> None:
    """Both texts are as likely; one stands in a case that the model was given to read, and it has more than COPIED words."""
    told = "You should look at the old fuel filter first , then at the plug ."
    model = Saying({told: 0.5, OTHER: 0.5})
    model.reads_cases = True  # type: ignore[misc]
    made = ReplyGenerator("it", model, NOBODYS)
    assert {one.text for one in made.propose(QUESTION, 2)} == {told, OTHER}
    assert [one.text for one in made.propose(QUESTION, 2, [("Why did it stall ?", told)])] == [OTHER]
    assert guarded(NOBODYS, [("", told)]).copied(told) and not NOBODYS.copied(told)


def test_cases_are_those_of_what_people_wrote() -> None:
    case = Case("Why did it stall ?", None, "")
    shown = [Suggestion(text, 0.0, "it", case=case) for text in "abc"]
    assert cases_in([Suggestion("made", 0.0, "it", generated=True, case=case), Suggestion("bare", 0.0, "it"), *shown]) == [
        ("Why did it stall ?", "a"),
        ("Why did it stall ?", "b"),
    ]


class Saying(LanguageModel):
    """Says whole texts, each with its probability: one table where something was said before, one where nothing was."""

    config: Any = None
    Config: ClassVar[type] = type(None)

    def __init__(self, said: Mapping[str, float], anywhere: Mapping[str, float] | None = None) -> None:
        texts = list({**said, **(anywhere or {})})
        self.tokenizer = WordTokenizer(sorted({word for text in texts for word in text.split()}))
        self.tables = [
            {(*self.tokenizer.encode(text), self.tokenizer.end): p for text, p in table.items()}
            for table in (anywhere or said, said)
        ]

    def start(self, context: Sequence[Post]) -> Any:
        return int(any(post.body for post in context)), ()

    def advance(self, state: Any, token: int) -> Any:
        return state[0], (*state[1], token)

    def log_probs(self, state: Any) -> np.ndarray:
        table, said = self.tables[state[0]], state[1]
        probs = np.full(self.tokenizer.vocabulary, 1e-9)
        probs[[self.tokenizer.post, self.tokenizer.reply]] = 0
        for text, p in table.items():
            if text[: len(said)] == said:
                probs[text[len(said)]] += p
        with np.errstate(divide="ignore"):
            return np.log(probs / probs.sum()).astype(np.float32)


def proposed(
    said: Mapping[str, float], anywhere: Mapping[str, float] | None = None, phrases: Phrases = NOBODYS, **settings: Any
) -> list[Suggestion]:
    model: Any = Saying(said, anywhere)
    config = GenerateConfig(**{"sampling": SampleConfig(), **settings})
    return ReplyGenerator("saying", model, phrases, config).propose(QUESTION, 10)


@pytest.fixture(scope="module")
def generated(toy: ArchiveCorpus, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ReplyGenerator]:
    job = Job(tmp_path_factory.mktemp("work"))
    model = KneserNey.fit(toy, KneserNeyConfig(), rng=np.random.default_rng(0), job=job)
    phrases = Phrases.build(toy.posts("train"))
    return lambda seed=0: ReplyGenerator("kneser_ney", model, phrases, GenerateConfig(bar=-9.0), seed=seed)  # whatever it makes


def test_made_replies_say_that_they_are_made(generated: Callable[..., ReplyGenerator]) -> None:
    found = generated().propose(QUESTION, 3)
    assert 1 <= len(found) <= 3
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)
    for suggestion in found:
        assert suggestion.rung == "kneser_ney (generated)" and suggestion.generated
        assert suggestion.post is suggestion.thread is suggestion.url is None
        assert len(words(suggestion.text)) >= 4


def test_one_seed_gives_one_list_and_another_seed_another(generated: Callable[..., ReplyGenerator]) -> None:
    assert generated(1).propose(QUESTION, 5) == generated(1).propose(QUESTION, 5)
    assert generated(1).propose(QUESTION, 5) != generated(2).propose(QUESTION, 5)


@pytest.mark.parametrize("k", [0, -1])
def test_none_are_made_when_none_are_wanted(k: int, generated: Callable[..., ReplyGenerator]) -> None:
    assert generated().propose(QUESTION, k) == []


def test_what_is_below_the_bar_is_not_shown_unless_the_model_was_taught_to_answer() -> None:
    """OTHER is likelier here than anywhere, PLAIN less: ln(.4 / .01) / 10 and ln(.6 / .99) / 9, about 0.37 and -0.06."""
    here, anywhere = {PLAIN: 0.6, OTHER: 0.4}, {PLAIN: 0.99, OTHER: 0.01}
    assert [s.text for s in proposed(here, anywhere, on_topic=1.0, bar=0.0)] == [OTHER]
    assert proposed(here, anywhere, on_topic=1.0, bar=0.4) == []
    model = Saying(here, anywhere)
    model.reads_cases = True  # type: ignore[misc]
    config = GenerateConfig(sampling=SampleConfig(), on_topic=1.0, bar=0.4)
    made = ReplyGenerator("it", model, NOBODYS, config)  # type: ignore[arg-type]
    assert [s.text for s in made.propose(QUESTION, 2)] == [OTHER, PLAIN]


def test_what_fits_this_context_beats_what_fits_any() -> None:
    """PLAIN is likelier here, but it is as likely anywhere; OTHER is said only here."""
    here, anywhere = {PLAIN: 0.6, OTHER: 0.4}, {PLAIN: 0.99, OTHER: 0.01}
    assert [s.text for s in proposed(here, anywhere, on_topic=0.0)] == [PLAIN, OTHER]
    found = proposed(here, anywhere, on_topic=1.0)
    assert [s.text for s in found] == [OTHER, PLAIN]
    # 10 tokens and 9: ln(.4 / .01) / 10 and ln(.6 / .99) / 9 (END is not part of the text)
    assert [s.score for s in found] == pytest.approx([np.log(40) / 10, np.log(0.6 / 0.99) / 9], abs=1e-4)


@pytest.mark.parametrize(
    "text",
    [
        "read this at www.example.org and all will be clear",
        "write to jane@example.org and all will be clear",
        "no no no no that is not how it is done",
        "of the best of the best of the best of the best",
        "too short",
        "Why does the engine stall ? Why does the engine stall ?",
        "So why does the engine stall in the rain ?",  # two of its six runs of four words
        'They said " it will be fine by tomorrow morning .',
        '"I have seen this change dramatically in the last few years .',
    ],
)
def test_what_should_not_be_shown_is_not(text: str) -> None:
    assert [s.text for s in proposed({text: 0.9, PLAIN: 0.1})] == [PLAIN]


def test_a_copy_of_eight_words_from_one_author_is_withheld() -> None:
    phrases = Phrases.build([Post(5, text=f"As I said : {OTHER}", author=b"jane")])
    assert len(proposed({PLAIN: 0.5, OTHER: 0.5})) == 2
    assert [s.text for s in proposed({PLAIN: 0.5, OTHER: 0.5}, phrases=phrases)] == [PLAIN]


def test_the_same_is_not_said_twice() -> None:
    nearly = PLAIN.replace("first", "now")
    assert len(proposed({PLAIN: 0.5, nearly: 0.5})) == 1


def test_what_announces_a_reply_is_none() -> None:
    made = ReplyGenerator("it", Saying({PLAIN: 1.0}), NOBODYS)
    for text in ("Here is a reply that you could give:\n\nIt is old .", "It is old , I think .\n\nWrite a reply that says:"):
        assert made.fault(text) == "announces a reply instead of giving one"
    assert made.fault("Two things: it is old , and it is dirty .") is None


def test_the_task_that_a_model_is_told_is_no_reply() -> None:
    told = "Write a short reply that says what you think of it ."
    model = Saying({told: 0.5, PLAIN: 0.5})
    made = ReplyGenerator("it", model, NOBODYS)
    assert {one.text for one in made.propose(QUESTION, 2)} == {told, PLAIN}
    model.told = told  # type: ignore[misc]
    assert [one.text for one in made.propose(QUESTION, 2)] == [PLAIN]


def test_what_is_cut_off_ends_with_a_whole_sentence() -> None:
    long = f"I would not do that . {PLAIN} And after that you could"
    assert [s.text for s in proposed({long: 1.0}, sampling=SampleConfig(longest=16))] == [f"I would not do that . {PLAIN}"]
    assert proposed({long: 1.0}, sampling=SampleConfig(longest=5)) == []  # not one sentence is whole


@pytest.mark.parametrize(
    ("text", "whole", "expected"),
    [
        ("One. Two and", False, "One."),
        ('He said "no." And', False, 'He said "no."'),
        ("Version 3.5 is", False, ""),
        ("Cut at the end.", False, ""),  # it might have gone on: 3.5, or three dots
        (" no full stop ", True, "no full stop"),
        ("", False, ""),
    ],
)
def test_how_far_a_text_is_finished(text: str, whole: bool, expected: str) -> None:
    assert finished(text, whole=whole) == expected


def test_a_trimmed_reply_is_scored_as_far_as_it_goes() -> None:
    """Begun here with p 0.3 + 0.2, anywhere with 0.25: ln(0.5) - ln(0.25) over its 6 tokens; what was cut off does not count."""
    first = "I would not do that ."
    there = {f"{first} And after that you could not": 0.3, f"{first} After all that you could not": 0.2, PLAIN: 0.5}
    anywhere = {f"{first} And after that you could go": 0.25, OTHER: 0.75}
    found = proposed(there, anywhere, on_topic=1.0, sampling=SampleConfig(longest=11))
    assert {s.text: s.score for s in found}[first] == pytest.approx(np.log(2) / 6, abs=1e-4)


def test_going_round_in_circles() -> None:
    # 7 runs of three words, two of which came before: 2/7 = 0.29
    text = "a b c d a b c d a".split()
    assert goes_round(text, 0.28) and goes_round(text, 0.0)
    assert not goes_round(text, 0.5)
    assert goes_round("very very very good".split(), 1.0)
    assert not goes_round([], 0.0) and not goes_round(["one"], 0.0)


def test_made_replies_stand_behind_those_that_were_found(generated: Callable[..., ReplyGenerator]) -> None:
    class Listed:
        def propose(self, context: Sequence[Post], k: int) -> list[Suggestion]:
            return [Suggestion("People wrote this one once.", 1.0, "listed", post=5), Suggestion("Fine by me.", 0.5, "listed")]

    found = Replier({"listed": Listed()}, None, generated=generated()).reply(QUESTION, 2)  # type: ignore[dict-item]
    assert [s.generated for s in found][:3] == [False, False, True] and len(found) <= 4
    alone = Replier({}, None, generated=generated()).reply(QUESTION, 2)
    assert alone and all(s.generated for s in alone)


@pytest.mark.parametrize(
    "settings", [{"samples": 0}, {"on_topic": 1.5}, {"shortest": 0}, {"shortest": 9, "longest": 8}, {"repeated": -0.1}]
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="must"):
        GenerateConfig(**settings)


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def nothing_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The models in the package would be used before the counts of these homes."""
    monkeypatch.setattr(Workspace, "shipped", classmethod(lambda cls: None))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    with Workspace(home).open_archive(create=True) as archive:
        place(archive, "hn")
        archive.add(toy_posts(40))
    fit(Workspace(home), ["markov", "kneser_ney", "bm25"], FitConfig(vocabulary=400), {})
    return home


def reply(home: Path, *options: str) -> Any:
    ran = CliRunner().invoke(app, ["reply", QUESTION[0].text, "--home", str(home), "--json", *options])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def test_generated_replies_are_marked_and_only_there_when_asked_for(home: Path) -> None:
    assert not any(r["generated"] for r in reply(home)["replies"])
    found = reply(home, "--generate")
    made = [r for r in found["replies"] if r["generated"]]
    assert made and {r["rung"] for r in made} == {"kneser_ney (generated)"}
    assert "no generated" in found["notice"]
    ran = CliRunner().invoke(app, ["reply", QUESTION[0].text, "--home", str(home), "--generate"])
    assert "(generated)" in ran.stdout and "nobody wrote this" in ran.stdout and "Hacker News asks" in ran.stdout


def test_a_command_says_when_nothing_made_is_worth_showing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rejoinder.engine.generation.ReplyGenerator._scores", lambda self, drafts: [-1.0] * len(drafts))
    ran = CliRunner().invoke(app, ["reply", QUESTION[0].text, "--home", str(home), "--generate"])
    assert "nothing is worth showing" in ran.stdout and "(generated)" not in ran.stdout


def test_the_rung_that_makes_replies_can_be_named(home: Path) -> None:
    made = reply(home, "--generate", "--rung", "markov")["replies"]
    assert {r["rung"] for r in made} <= {"markov (generated)"}


def test_another_seed_makes_other_replies(home: Path) -> None:
    alone = ("--generate", "--rung", "kneser_ney")
    assert reply(home, *alone) == reply(home, *alone)
    assert reply(home, *alone, "--seed", "1") != reply(home, *alone)


def test_what_is_kept_beside_the_model_is_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy check reads whose words they are from the model's directory, not from the archive."""
    assert list((home / "models" / "kneser_ney").glob("*/phrases.npy"))
    built: list[Any] = []
    monkeypatch.setattr(Phrases, "build", lambda posts: built.append(posts) or NOBODYS)
    reply(home, "--generate")
    assert not built
