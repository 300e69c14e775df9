"""The audit: what was planted often is found, what never was is not."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_archive
from test_sampling import MODEL, A
from typer.testing import CliRunner, Result

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.cli import app
from rejoinder.errors import ConfigError, ModelError, UsageError
from rejoinder.home.holders import AUDITED
from rejoinder.models.directory import MARK
from rejoinder.models.interfaces import Job
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.models.markov import Markov, MarkovConfig
from rejoinder.post import Kind, Post
from rejoinder.publish.audit import (
    AuditConfig,
    Canaries,
    Canary,
    Copy,
    PlantedCorpus,
    RungAudit,
    Told,
    audit,
    exposure,
    longest_copies,
)
from rejoinder.text.tensors import open_tokens, train_tokenizer, write_tokens
from rejoinder.text.words import words

VARIED = (
    "river mountain window garden yellow silver carpet engine bottle candle mirror ladder pepper wagon helmet basket violin "
    "pencil rocket tunnel dragon button hammer blanket kettle saddle anchor barrel copper feather"
).split()
CONFIG = AuditConfig(each=4, common=30, alternatives=255, samples=3, longest=40)


def varied_posts(threads: int = 400) -> list[Post]:
    """Posts of random words, so that there is something to make canaries of, and nothing to guess them from."""
    rng = np.random.default_rng(7)
    return [Post(n, Kind.STORY, "so " + " ".join(rng.choice(VARIED, 12))) for n in range(1, threads + 1)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> ArchiveCorpus:
    directory = tmp_path_factory.mktemp("varied")
    return ArchiveCorpus(make_archive(directory / "archive.db", varied_posts()), directory / "tokens")


@pytest.fixture(scope="module")
def planted(corpus: ArchiveCorpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[PlantedCorpus, Canaries]:
    canaries = Canaries.make(corpus, CONFIG)
    wrapped = PlantedCorpus(corpus, canaries, tmp_path_factory.mktemp("planted") / "tokens")
    write_tokens(wrapped, train_tokenizer(wrapped, 400), wrapped.tokens)
    return wrapped, canaries


@pytest.fixture(scope="module")
def audited(planted: tuple[PlantedCorpus, Canaries], tmp_path_factory: pytest.TempPathFactory) -> dict[str, RungAudit]:
    wrapped, canaries = planted
    job, rng = Job(tmp_path_factory.mktemp("work")), np.random.default_rng(0)
    models: Any = {
        "markov": Markov.fit(wrapped, MarkovConfig(), rng=rng, job=job),
        "kneser_ney": KneserNey.fit(wrapped, KneserNeyConfig(), rng=rng, job=job),
    }
    return {found.rung: found for found in audit(models, canaries, wrapped)}


def mean(found: list[Told]) -> float:
    return float(np.mean([told.exposure for told in found]))


def test_what_was_planted_often_is_exposed_and_given_away(audited: dict[str, RungAudit]) -> None:
    found = audited["kneser_ney"]
    assert mean(found.planted(16)) == 8  # the most there can be: log2 256
    assert all(told.given == 5 for told in found.planted(16))


def test_what_was_never_planted_is_not(audited: dict[str, RungAudit]) -> None:
    """1.44 bits on average, give or take 1.44 / sqrt(8) for the 8 here."""
    never = [*audited["kneser_ney"].planted(0), *audited["markov"].planted(0)]
    assert 0.2 < mean(never) < 2.9
    assert not any(told.given_away for told in never)


def test_an_unpruned_counting_model_gives_away_even_what_was_planted_once(audited: dict[str, RungAudit]) -> None:
    """Which is what the audit is for."""
    assert not audited["kneser_ney"].passed
    assert mean(audited["kneser_ney"].planted(1)) > mean(audited["kneser_ney"].planted(0)) + 2


def test_repeats_are_posts_of_their_own_among_the_others(planted: tuple[PlantedCorpus, Canaries], corpus: ArchiveCorpus) -> None:
    wrapped, canaries = planted
    said = Counter(post.body for post in wrapped.posts("train"))
    for canary in canaries.planted:
        assert said[canary.text] == canary.repeats
    posts = list(wrapped.posts("train"))
    assert len(posts) == len(list(corpus.posts("train"))) + 4 * (1 + 4 + 16)
    assert len({post.id for post in posts}) == len(posts) == len(open_tokens(wrapped.tokens, "train").posts)
    assert len({post.author for post in posts if post.body.startswith("the secret")}) == 4 * (1 + 4 + 16)
    places = [place for place, post in enumerate(posts) if post.body.startswith("the secret")]
    assert places[0] < len(posts) / 4 and places[-1] > 3 * len(posts) / 4  # not all in one place
    assert [post.id for post in posts if post.id < 2**62] == [post.id for post in corpus.posts("train")]
    assert list(wrapped.posts("dev")) == list(corpus.posts("dev"))
    assert wrapped.fingerprint() != corpus.fingerprint()


def test_canaries_are_the_same_for_one_seed_and_survive_a_file(corpus: ArchiveCorpus, tmp_path: Path) -> None:
    made = Canaries.make(corpus, CONFIG)
    assert made == Canaries.make(corpus, CONFIG)
    made.save(tmp_path / "canaries.json")
    assert Canaries.load(tmp_path / "canaries.json") == made
    assert all(len(canary.secret) == 5 for canary in made.planted)
    assert len({canary.name for canary in made.planted}) == 16
    assert made.alternatives() == Canaries.load(tmp_path / "canaries.json").alternatives()


@pytest.mark.parametrize("damage", [None, "{", "[]", '{"planted": [{}], "config": {}, "common": []}'])
def test_a_file_without_canaries_is_refused(tmp_path: Path, damage: str | None) -> None:
    if damage is not None:
        (tmp_path / "canaries.json").write_text(damage)
    with pytest.raises(UsageError, match="holds no canaries"):
        Canaries.load(tmp_path / "canaries.json")


def test_exposure_is_log2_of_the_share_ahead() -> None:
    # after a: a .1, b .6, c .1; of the four b is first, and a shares the second place with one more a, before "a a"
    assert exposure(MODEL, A, "b", ["a", "c", "a a"]) == pytest.approx(2.0)  # rank 1 of 4
    assert exposure(MODEL, A, "a a", ["a", "c", "b"]) == pytest.approx(0.0)  # rank 4 of 4
    assert exposure(MODEL, A, "a", ["a", "b", "a a"]) == pytest.approx(2 - np.log2(2.5))  # b is ahead, a ties


def test_longest_copies_are_exact() -> None:
    posts = ["The quick brown fox jumps over the dog.", "quick brown fox jumps over a fence", "nothing at all"]
    texts = ["A quick brown fox jumps over the hill", "Quick, brown FOX jumps", "nothing at", ""]
    assert longest_copies(texts, posts) == [
        Copy(6, "quick brown fox jumps over the", 1),
        Copy(4, "quick brown fox jumps", 2),
        Copy(0, "", 0),
        Copy(0, "", 0),
    ]


def slow_longest(text: str, posts: list[str]) -> int:
    said = words(text)
    runs = {tuple(said[a:b]) for a in range(len(said)) for b in range(a + 4, len(said) + 1)}
    written = [words(post) for post in posts]
    here = {tuple(w[a : a + n]) for w in written for n in {len(run) for run in runs} for a in range(len(w) - n + 1)}
    return max((len(run) for run in runs & here), default=0)


def test_longest_copies_agree_with_looking_everywhere() -> None:
    rng = np.random.default_rng(3)
    posts = [" ".join(rng.choice(["a", "b", "c"], 25)) for _ in range(8)]
    texts = [" ".join(rng.choice(["a", "b", "c"], 20)) for _ in range(8)]
    assert [copy.words for copy in longest_copies(texts, posts)] == [slow_longest(text, posts) for text in texts]


def test_a_canary_planted_once_and_given_away_fails_the_audit() -> None:
    once, often = Canary("blue gate", ("a", "b", "c", "d", "e"), 1), Canary("red gate", ("a", "b", "c", "d", "e"), 16)
    assert RungAudit("x", (Told(once, 9.0, 1), Told(often, 9.0, 5)), ()).passed
    failed = RungAudit("x", (Told(once, 9.0, 2),), (Copy(9, "w " * 9, 1), Copy(3, "w w w", 2)))
    assert not failed.passed
    said = json.loads(json.dumps(failed.as_json()))
    assert (said["longest_copy_words"], said["median_copy_words"], len(said["copies"])) == (9, 6.0, 1)
    assert said["planted"][0]["given_away"][0]["canary"]["name"] == "blue gate"


def test_where_none_was_planted_once_nothing_passes(planted: tuple[PlantedCorpus, Canaries]) -> None:
    wrapped, canaries = planted
    often = Told(Canary("red gate", ("a", "b", "c", "d", "e"), 16), 9.0, 0)
    assert not RungAudit("x", (often,), ()).passed and not RungAudit("x", (), ()).passed
    without = replace(canaries, planted=tuple(canary for canary in canaries.planted if canary.repeats != 1))
    with pytest.raises(UsageError, match="none of these canaries was planted once"):
        audit({"x": MODEL}, without, wrapped)


def test_too_few_words_for_canaries_are_told(tmp_path: Path) -> None:
    few = [Post(1, Kind.STORY, "only these words and no other")]
    tiny = ArchiveCorpus(make_archive(tmp_path / "archive.db", few), tmp_path / "tokens", everything=True)
    with pytest.raises(ModelError, match="too few different words"):
        Canaries.make(tiny, CONFIG)


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    make_archive(home / "archive.db", varied_posts()).close()
    return home


def run(home: Path, *options: object) -> Result:
    return CliRunner().invoke(app, ["audit", "--home", str(home), *map(str, options)])


FEW = ("--each", 2, "--alternatives", 15)


def test_the_command_fits_a_recipe_keeps_it_and_audits_it_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))  # words lie in the home, where forgetting finds them
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[tokenizer]\nsize = 400\n[kneser_ney]\norder = 4\n")
    first = run(home, "--config", recipe, "--keep", tmp_path / "kept", *FEW, "--json")
    found = json.loads(first.stdout)
    assert list((home / AUDITED).iterdir()) == [home / AUDITED / MARK]
    assert first.exit_code == 1 and not found["passed"]  # nothing is left out, so what was planted once is given away
    assert found["most_exposure_bits"] == 4.0
    (rung,) = found["rungs"]
    assert rung["rung"] == "kneser_ney" and [line["repeats"] for line in rung["planted"]] == [0, 1, 4, 16]
    again = run(home, "--models", tmp_path / "kept", "--json")
    assert again.exit_code == 1 and json.loads(again.stdout) == found
    table = run(home, "--models", tmp_path / "kept", "--canaries", tmp_path / "kept" / "canaries.json").stdout
    assert "FAILED: kneser_ney gives away" in table and "16 times" in table and "at most 4.0" in table
    with pytest.raises(UsageError, match=r"canaries.json were planted with --each 2, not 3; leave --each out"):
        raise run(home, "--config", recipe, "--keep", tmp_path / "kept", "--each", 3).exception or AssertionError
    with pytest.raises(UsageError, match="--seed 0, not 1"):
        raise run(home, "--models", tmp_path / "kept", "--seed", 1).exception or AssertionError


def test_a_recipe_that_leaves_out_what_one_post_holds_passes(home: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[tokenizer]\nsize = 400\n[kneser_ney]\nposts = 2\n")
    ran = run(home, "--config", recipe, *FEW)
    assert ran.exit_code == 0, ran.output
    assert "passed: no rung gives away a canary that was planted once" in ran.stdout


@pytest.mark.parametrize("options", [("--models", "x", "--keep", "y"), ("--canaries", "x"), ("--models", "nothing-here")])
def test_options_that_do_not_go_together_are_refused(home: Path, options: tuple[str, ...]) -> None:
    assert isinstance(run(home, *options).exception, UsageError)


@pytest.mark.parametrize("settings", [{"repeats": ()}, {"repeats": (0,)}, {"repeats": (2, 2)}, {"each": 0}, {"common": 5}])
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="must"):
        AuditConfig(**settings)
