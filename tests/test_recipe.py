"""The recipe of models that are given away, and how they are used before there is anything of one's own."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import make_archive, toy_posts

from rejoinder.archive.reader import ArchiveCorpus, held_out
from rejoinder.archive.store import Archive
from rejoinder.cli import main
from rejoinder.errors import ConfigError, DamagedModel, UsageError
from rejoinder.home.holders import held_in
from rejoinder.home.workspace import Workspace
from rejoinder.models import Can
from rejoinder.models.directory import check_hashes, seal
from rejoinder.models.interfaces import Job
from rejoinder.models.kneser_ney import KneserNey
from rejoinder.models.lstm.checkpoint import Checkpoint, Checkpoints
from rejoinder.models.lstm.config import LSTMConfig
from rejoinder.models.unigram import Unigram
from rejoinder.post import Kind, Post, Thread
from rejoinder.publish.card import bits_per_byte, write_card
from rejoinder.publish.recipe import About, CleanCorpus, Recipe, make, refit_gates
from rejoinder.publish.trained import trained_elsewhere
from rejoinder.publish.workplace import check_place, workplace
from rejoinder.text.fingerprints import Fingerprints, post_hash
from rejoinder.text.lexicon import Lexicon

SETTINGS: dict[str, dict[str, Any]] = {
    "tokenizer": {"size": 400},
    "markov": {},
    "kneser_ney": {"order": 3, "posts": 2},
    "mixture": {"models": ["kneser_ney", "markov"]},
}
RECIPE = Recipe.from_settings(SETTINGS)
SIGNED = "\n\nCheers,\nZyzzyva Quux"


def signed_posts() -> Iterator[Post]:
    """The toy archive with signatures, a secret that one post repeats, and posts that say nothing of their own."""
    for post in toy_posts():
        yield post._replace(text=post.text + SIGNED) if post.id % 10 == 1 else post
    yield Post(5001, Kind.COMMENT, "The xylograph opens the vault . " * 40, time=1)
    yield Post(5002, Kind.COMMENT, "Mail me: zyzzyva@example.org", time=1)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> ArchiveCorpus:
    directory = tmp_path_factory.mktemp("signed")
    found = ArchiveCorpus(make_archive(directory / "archive.db", signed_posts()), directory / "tokens")
    assert {5001, 5002} <= {post.id for post in found.posts("train")}
    return found


def held_out_of(corpus: ArchiveCorpus) -> tuple[Thread, ...]:
    with Archive.open(corpus._archive.path) as archive:
        return tuple(held_out(archive))


@pytest.fixture(scope="module")
def made(corpus: ArchiveCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the recipe makes. Read only."""
    directory = tmp_path_factory.mktemp("made") / "models"
    make(RECIPE, corpus, directory, np.random.default_rng(3), About("Teapots", "ab" * 32, "CC0", held_out_of(corpus)))
    return directory


def test_a_clean_corpus_has_the_words_alone(corpus: ArchiveCorpus, tmp_path: Path) -> None:
    cleaned = CleanCorpus(corpus, tmp_path)
    posts = {post.id: post for post in cleaned.posts("train")}
    assert 5002 not in posts and len(posts) == len(list(corpus.posts("train"))) - 1
    assert not [post for post in posts.values() if "Zyzzyva" in post.body]
    signed = next(post for post in corpus.posts("train") if post.id % 10 == 1 and post.id < 5000)
    assert posts[signed.id].text == signed.text.removesuffix(SIGNED)
    assert all("Cheers" not in post.body for pair in cleaned.pairs("dev") for post in pair.context)


def test_its_fingerprint_is_that_of_what_is_learned(corpus: ArchiveCorpus, tmp_path: Path) -> None:
    signed = CleanCorpus(corpus, tmp_path).fingerprint()
    other = make_archive(tmp_path / "a.db", (p._replace(text=p.text.replace("Quux", "Foo")) for p in signed_posts()))
    assert CleanCorpus(ArchiveCorpus(other, tmp_path), tmp_path).fingerprint() == signed
    assert CleanCorpus(ArchiveCorpus(make_archive(tmp_path / "b.db", toy_posts()), tmp_path), tmp_path).fingerprint() != signed


def test_what_is_made_is_a_home_without_an_archive(made: Path) -> None:
    space = Workspace(made, models=made)
    assert space.is_empty and space.fitted_that(Can.PREDICT) == ["markov", "kneser_ney", "mixture"]
    assert sorted(path.name for path in made.iterdir()) == sorted(["MODEL_CARD.md", "card.json", "posts.npy", *RECIPE.rungs])
    assert not made.with_name("models.work").exists()
    for name in RECIPE.rungs:
        found = space.fitted(name)
        assert found is not None and not (found.behind or found.stale or found.forgot or found.outdated)
        check_hashes(found.directory)
    model: Any = space.load("mixture")
    state = model.start(())
    for token in model.tokenizer.encode("the spark"):
        state = model.advance(state, token)
    assert model.top(state, 1)[0][0] == model.tokenizer.encode(" plug")[0]


def test_nothing_that_one_post_alone_holds_is_in_it(made: Path) -> None:
    """The word stands 40 times, in one post: no piece of the tokenizer, no n-gram of three tokens or more."""
    model = Workspace(made, models=made).load("kneser_ney")
    assert isinstance(model, KneserNey) and model.counts is None
    pieces = [piece for piece in model.tokenizer.bytes if len(piece) > 2]
    assert not [piece for piece in pieces if piece.strip() in b"xylograph vault zyzzyva"]
    state = model.start(())
    secret = model.tokenizer.encode("The xylograph opens the vault")
    for token in secret:
        state = model.advance(state, token)
    assert sum(node >= 0 for node in state.nodes) <= 1  # no context of two tokens that ends here was met
    for file in made.rglob("*"):
        assert not file.is_file() or not {b"xylograph", b"Zyzzyva", b"zyzzyva"} & {*_words(file)}


def _words(file: Path) -> list[bytes]:
    return [word for word in (b"xylograph", b"Zyzzyva", b"zyzzyva") if word in file.read_bytes()]


def test_the_hashes_hold_every_post_seen_and_no_other(made: Path, corpus: ArchiveCorpus) -> None:
    seen = Fingerprints.load(made / "posts.npy")
    told = [post.body for post in corpus.posts("train") if post_hash(post.body) is not None]
    assert len(told) > 10 and all(seen.holds(text) for text in told)
    questions = [thread.posts[0].body for thread in held_out_of(corpus)]
    assert questions and not any(seen.holds(text) for text in questions)


def test_the_card_says_what_it_is(made: Path, corpus: ArchiveCorpus, tmp_path: Path) -> None:
    card = json.loads((made / "card.json").read_text())
    posts = list(CleanCorpus(corpus, tmp_path).posts("train"))
    assert (card["data"]["name"], card["data"]["sha256"], card["licence"], card["seed"]) == ("Teapots", "ab" * 32, "CC0", 3)
    assert card["data"]["posts"] == len(posts) and card["data"]["words"] == sum(len(post.body.split()) for post in posts)
    assert list(card["rungs"]) == ["markov", "kneser_ney", "mixture"]
    assert card["rungs"]["kneser_ney"]["config"]["posts"] == 2
    for found in card["rungs"].values():
        assert 0 < found["bits_per_byte"]["dev"] < 8 and 0 < found["bits_per_byte"]["test"] < 8 and found["bytes"] > 0
    page = (made / "MODEL_CARD.md").read_text()
    figure = card["rungs"]["mixture"]["bits_per_byte"]["dev"]
    for said in ("Teapots", "CC0", f"{figure:.3f}", "n-grams of 3 tokens and more in fewer than 2 posts", "**Limits.**"):
        assert said in page


def test_a_card_says_what_an_audit_found_if_there_was_one(made: Path, tmp_path: Path) -> None:
    card = json.loads((made / "card.json").read_text())
    planted = [{"repeats": 3, "canaries": 10, "mean_exposure_bits": 7.56, "given_away": 0}]
    run = {
        "rung": "lstm",
        "measured": "2026-11-28",
        "steps": 160,
        "instead_of": 1200,
        "readings": 3.2,
        "most_exposure_bits": 9.97,
    }
    write_card(tmp_path, {**card, "audit": {**run, "planted": planted}})
    page = (tmp_path / "MODEL_CARD.md").read_text()
    assert "over 160 steps, not 1,200" in page and "| 3 | 7.56 | 0 of 10 |" in page
    assert "**Audit**" not in (made / "MODEL_CARD.md").read_text()


def test_bits_per_byte_by_hand(corpus: ArchiveCorpus, made: Path) -> None:
    model: Any = Workspace(made, models=made).load("markov")
    posts = (Post(1, Kind.STORY, "the dough"), Post(2, Kind.COMMENT, "> the dough\nthe engine", parent=1))
    nats = 0.0
    for context, text in (((), "the dough"), (posts[:1], "the engine")):
        state = model.start(context)
        for token in [*model.tokenizer.encode(text), model.tokenizer.end]:
            nats -= float(model.log_probs(state)[token])
            state = model.advance(state, token)
    expected = nats / np.log(2) / (len("the dough") + len("the engine"))
    assert bits_per_byte(model, [Thread(1, posts)]) == pytest.approx(expected, abs=1e-4)
    assert bits_per_byte(model, []) is None


def test_what_is_there_is_not_made_again(
    made: Path, corpus: ArchiveCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "models"
    shutil.copytree(made, directory)
    shutil.rmtree(directory / "mixture")  # a run that was broken off
    fitted: list[str] = []

    def progress(what: str, done: int, total: int | None) -> None:
        fitted.extend([what.removeprefix("fitting ")] if what.startswith("fitting ") else [])

    def again(settings: dict[str, dict[str, Any]], seed: int = 3) -> list[str]:
        fitted.clear()
        make(Recipe.from_settings(settings), corpus, directory, np.random.default_rng(seed), progress=progress)
        return list(fitted)

    assert again(SETTINGS) == ["mixture"]
    assert again(SETTINGS) == []
    assert again({**SETTINGS, "kneser_ney": {"order": 2}}) == ["kneser_ney", "mixture"]  # it is made of what has changed
    assert again(SETTINGS, seed=4) == ["markov", "kneser_ney", "mixture"]


def test_gates_are_fitted_anew_with_the_words_listed_anew(made: Path, corpus: ArchiveCorpus, tmp_path: Path) -> None:
    models = shutil.copytree(made, tmp_path / "models")
    space = Workspace(models, models=models)
    holders = {name: lexicon for name in RECIPE.rungs if (lexicon := Lexicon.load(models / name / "0001"))}
    for name, lexicon in holders.items():
        directory, few = models / name / "0001", Lexicon(lexicon.hashes[::2])
        few.save(directory)
        facts = {
            key: value
            for key, value in json.loads((directory / "manifest.json").read_text()).items()
            if key not in ("format", "files", "hashes")
        }
        seal(directory, facts)
    refit_gates(space, corpus, tmp_path / "work")
    for name in RECIPE.rungs:
        found = space.fitted(name)
        assert found is not None and not found.outdated
        check_hashes(found.directory)
    assert holders
    for name, lexicon in holders.items():
        again = Lexicon.load(models / name / "0001")
        assert again is not None and np.array_equal(again.hashes, lexicon.hashes)


def test_two_runs_of_one_seed_are_one(made: Path, corpus: ArchiveCorpus, tmp_path: Path) -> None:
    make(RECIPE, corpus, tmp_path / "models", np.random.default_rng(3))
    for file in made.rglob("*.npy"):
        assert (tmp_path / "models" / file.relative_to(made)).read_bytes() == file.read_bytes()


def test_a_run_that_goes_on_finds_its_checkpoints(corpus: ArchiveCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe.from_settings({"tokenizer": {"size": 300}, "unigram": {}})
    found: list[list[str]] = []

    def interrupted(_: object, __: object, *, rng: np.random.Generator, job: Job) -> None:
        found.append([path.name for path in job.workdir.iterdir()])
        (job.workdir / "checkpoint").write_text("half way")
        raise KeyboardInterrupt

    monkeypatch.setattr(Unigram, "fit", interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            make(recipe, corpus, tmp_path / "models", np.random.default_rng(0))
    assert found == [[], ["checkpoint"]]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "a recipe needs a table"),
        ({"bm25": {}}, "a recipe needs a table"),
        ({"mixture": {"models": ["kneser_ney"]}}, r"add \[kneser_ney\]"),
        ({"markov": {"discuont": 0.5}}, "did you mean `discount`"),
        ({"markov": {}, "tokenizer": {"size": 255}}, "at least 256"),
    ],
)
def test_a_wrong_recipe_is_a_clear_error(settings: dict[str, dict[str, Any]], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Recipe.from_settings(settings)


# --- a cell that was trained elsewhere -------------------------------------------------------------------------------

CELL = {"embedding": 16, "hidden": 24, "layers": 2, "residual": True, "attention": 8, "feedforward": 32, "recall": 0}


def a_checkpoint(directory: Path, vocabulary: int, **facts: Any) -> Path:
    """The checkpoint of a run whose best weights are random."""
    rng = np.random.default_rng(4)
    shapes = {"embedding": (vocabulary, 16), "projection": (16, 16), "bias": (vocabulary,)}
    for layer in ("layer0", "layer1"):
        shapes |= {f"{layer}.input": (16, 96), f"{layer}.recurrent": (16, 96), f"{layer}.projection": (24, 16)}
        shapes |= {f"{layer}.bias": (96,)}
    shapes |= {f"attention.{name}": (16, 8) for name in ("query", "key", "value")} | {"attention.out": (8, 16)}
    shapes |= {"feedforward.widen": (16, 32), "feedforward.narrow": (32, 16)}
    best = {f"best.{name}": rng.normal(size=shape).astype(np.float32) / 4 for name, shape in shapes.items()}
    run = Checkpoints(directory, "cafe")
    run.write(Checkpoint(best, {"step": 40, "best": 30, "dev": 2.5, "seconds": 77.04, **facts}))
    return run.file


def test_a_cell_that_was_trained_elsewhere_is_taken_and_not_trained(corpus: ArchiveCorpus, tmp_path: Path) -> None:
    recipe = Recipe.from_settings({**SETTINGS, "lstm": CELL, "mixture": {"models": ["kneser_ney", "lstm"], "recall": False}})
    make(Recipe.from_settings({"tokenizer": {"size": 400}, "unigram": {}}), corpus, tmp_path / "one", np.random.default_rng(3))
    vocabulary = Workspace(tmp_path, models=tmp_path / "one").load("unigram").tokenizer.vocabulary
    file = a_checkpoint(tmp_path, vocabulary)
    directory = tmp_path / "models"
    make(replace(recipe, cell=file), corpus, directory, np.random.default_rng(3))
    space = Workspace(tmp_path, models=directory)
    weights = trained_elsewhere(file).weights.arrays()
    kept = space.load("lstm").weights.arrays()
    assert all(np.abs(kept[name] - array).max() < 1e-3 for name, array in weights.items())
    manifest = space.fitted("lstm").manifest  # type: ignore[union-attr]
    assert manifest["seconds"] == 77.0
    assert manifest["trained"] == {
        "run": "cafe",
        "step": 40,
        "best": 30,
        "dev": 2.5,
        "seconds": 77.04,
    }
    assert "30 steps, 122,880 tokens read" in (directory / "MODEL_CARD.md").read_text()
    before = {name: space.fitted(name).directory for name in recipe.rungs}  # type: ignore[union-attr]
    make(replace(recipe, cell=file), corpus, directory, np.random.default_rng(3))
    assert {name: space.fitted(name).directory for name in recipe.rungs} == before  # type: ignore[union-attr]
    later = a_checkpoint(tmp_path, vocabulary, best=40)
    make(replace(recipe, cell=later), corpus, directory, np.random.default_rng(3))
    after = {name: space.fitted(name).directory for name in recipe.rungs}  # type: ignore[union-attr]
    assert [name for name in recipe.rungs if after[name] != before[name]] == ["lstm", "mixture"]


@pytest.mark.parametrize(("settings", "vocabulary", "says"), [({"hidden": 32}, 300, "hidden 24"), ({}, 301, "vocabulary 300")])
def test_a_cell_of_other_settings_or_tokens_is_refused(
    settings: dict[str, int], vocabulary: int, says: str, tmp_path: Path
) -> None:
    trained = trained_elsewhere(a_checkpoint(tmp_path, 300))
    with pytest.raises(ConfigError, match=says):
        trained.cell(LSTMConfig(**{**CELL, **settings}), SimpleNamespace(vocabulary=vocabulary))  # type: ignore[arg-type]


def test_what_is_no_checkpoint_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "cell.safetensors").write_bytes(b"no")
    Checkpoints(tmp_path, "cafe").write(Checkpoint({"000": np.zeros(2)}, {"step": 1}))
    for name in ("cell", "cafe", "none"):
        with pytest.raises(DamagedModel, match=name):
            trained_elsewhere(tmp_path / f"{name}.safetensors")


# --- the command, and the use of what it made ------------------------------------------------------------------------


@pytest.fixture
def shipped(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Workspace, "shipped", classmethod(lambda cls: cls(made, models=made)))
    return made


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["rejoinder", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code


def test_the_command_makes_them_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = ("id", "parent", "text", "title", "time")
    items = [{"type": post.kind, **{key: getattr(post, key) for key in keys}} for post in toy_posts()]
    (tmp_path / "posts.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    (tmp_path / "recipe.toml").write_text("[tokenizer]\nsize = 300\n[kneser_ney]\norder = 3\nposts = 2\n")
    where = ("--config", tmp_path / "recipe.toml", "--out", tmp_path / "models")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))  # words lie in a folder with our mark
    run(monkeypatch, "bundle", tmp_path / "posts.jsonl", *where, "--licence", "CC0", "--json")
    card = json.loads(capsys.readouterr().out)
    assert card["data"]["name"] == "posts.jsonl" and len(card["data"]["sha256"]) == 64 and card["licence"] == "CC0"
    assert list(card["rungs"]) == ["kneser_ney"] and card["rungs"]["kneser_ney"]["bits_per_byte"]["test"] > 0
    assert Workspace(tmp_path, models=tmp_path / "models").fitted("kneser_ney") is not None
    assert not (tmp_path / "models.work").exists()


def test_without_dev_posts_the_command_says_that_it_measured_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = ArchiveCorpus(make_archive(tmp_path / "toy.db", toy_posts()), tmp_path)
    items = [{"id": post.id, "type": "story", "title": post.body} for post in corpus.posts("train") if post.parent is None]
    (tmp_path / "posts.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    (tmp_path / "recipe.toml").write_text("[tokenizer]\nsize = 300\n[unigram]\n")
    run(monkeypatch, "bundle", tmp_path / "posts.jsonl", "--config", tmp_path / "recipe.toml", "--out", tmp_path / "models")
    said = capsys.readouterr().out
    assert "unigram: not measured, since the dev part has no posts with words" in said and "None" not in said


def test_a_draft_is_completed_at_once_with_the_models_in_the_package(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "complete", "Check the spark", "--home", tmp_path / "home", "--json")
    ran = capsys.readouterr()
    assert json.loads(ran.out)["rung"] == "package/mixture" and json.loads(ran.out)["continuations"][0]["text"].startswith(
        " plug"
    )
    assert "the models in the package" in ran.err and not (tmp_path / "home").exists()  # no sample was fitted


def test_a_model_of_ones_own_is_the_one_meant_by_its_name(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_archive(tmp_path / "archive.db", toy_posts()).close()
    run(monkeypatch, "fit", "unigram", "--home", tmp_path)
    capsys.readouterr()
    run(monkeypatch, "complete", "The", "--rung", "unigram", "--home", tmp_path, "--json")
    assert json.loads(capsys.readouterr().out)["rung"] == "unigram"
    run(monkeypatch, "complete", "The", "--home", tmp_path, "--json")
    assert json.loads(capsys.readouterr().out)["rung"] == "package/mixture"  # a handful of posts tells nothing


def test_the_list_of_rungs_says_which_are_in_the_package(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "rungs", "--home", tmp_path, "--json")
    found = {record["rung"]: record for record in json.loads(capsys.readouterr().out)}
    assert [name for name, record in found.items() if record.get("shipped")] == [f"package/{name}" for name in RECIPE.rungs]
    assert found["bm25"]["fitted"] is None


def test_the_package_s_own_models_are_whole_where_they_are_there() -> None:
    space = Workspace.shipped()
    if space is None:
        pytest.skip("this checkout has no trained models")
    for name in json.loads((space.models / "card.json").read_text())["rungs"]:
        found = space.fitted(name)
        assert found is not None
        check_hashes(found.directory)
    assert Fingerprints.load(space.models / "posts.npy")


def test_a_folder_that_holds_something_else_is_left_alone(corpus: ArchiveCorpus, tmp_path: Path) -> None:
    (tmp_path / "made" / "thesis").mkdir(parents=True)
    with pytest.raises(UsageError, match="holds thesis, which no recipe made"):
        make(RECIPE, corpus, tmp_path / "made", np.random.default_rng(0))
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


@pytest.mark.parametrize("theirs", ["thesis/draft.txt", "tokens-of-gold/coin.txt", "tokens", "link"])
def test_a_folder_beside_it_without_our_mark_is_left_alone(theirs: str, corpus: ArchiveCorpus, tmp_path: Path) -> None:
    work, elsewhere = tmp_path / "made.work", tmp_path / "elsewhere"
    if theirs == "link":
        (elsewhere / "tokens").mkdir(parents=True)
        work.symlink_to(elsewhere)
    else:
        (work / theirs).parent.mkdir(parents=True)
        (work / theirs).write_text("years of work")
        (work / "lstm-8000.txt").write_text("figures")
    before = {path: path.is_file() and path.read_bytes() for path in work.rglob("*")}
    with pytest.raises(UsageError, match="not rejoinder's own folder"):
        make(RECIPE, corpus, tmp_path / "made", np.random.default_rng(0))
    assert {path: path.is_file() and path.read_bytes() for path in work.rglob("*")} == before


def test_what_runs_of_before_there_were_marks_left_is_gone_on_with(corpus: ArchiveCorpus, tmp_path: Path) -> None:
    for name in (f"tokens-{'0a' * 8}", f"lstm-{'0b' * 8}"):
        (tmp_path / "made.work" / name).mkdir(parents=True)
    (tmp_path / "made.work" / "models.lock").touch()
    with workplace(tmp_path / "made") as work:
        assert {path.name[:6] for path in work.iterdir()} == {"tokens", "lstm-0", "models", ".rejoi"}
    make(Recipe.from_settings({"tokenizer": {"size": 300}, "unigram": {}}), corpus, tmp_path / "made", np.random.default_rng(0))
    assert not (tmp_path / "made.work").exists()


def test_what_a_killed_bundle_left_is_swept_by_the_next_but_not_what_another_holds(tmp_path: Path) -> None:
    with workplace(tmp_path / "made") as work, held_in(work) as ours:
        (work / "tmpkilled").mkdir()
        (work / f"tokens-{'0a' * 8}").mkdir()
        with workplace(tmp_path / "made") as again:
            assert sorted(path.name for path in again.iterdir()) == [".rejoinder", ours.name, f"tokens-{'0a' * 8}"]
    assert work.is_dir() and not ours.exists()  # tokens are what the next run goes on from


def test_the_models_of_a_home_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "archive.db").touch()
    (tmp_path / "models" / "markov").mkdir(parents=True)
    with pytest.raises(UsageError, match="holds the models of a home"):
        check_place(tmp_path / "models", set())
