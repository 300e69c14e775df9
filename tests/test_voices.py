"""Which models speak: one place decides, by what was measured, and every door gives the same answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_archive, toy_posts
from fastapi.testclient import TestClient
from serving import let_speak, make_home
from typer.testing import CliRunner

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.cli import app
from rejoinder.errors import NotFitted, UsageError
from rejoinder.home.arpa import import_arpa
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.open_home import OpenHome
from rejoinder.home.tokenizing import FEWER, package_tokenizer, saved_by_own
from rejoinder.home.trial import FILE, Trial, TrialPosts, WithoutThreads, draw_trial, read_trial
from rejoinder.home.voices import Voices, choose_by_hand, phrases_of, voices
from rejoinder.home.workspace import Workspace
from rejoinder.ladder.metrics import FEWEST
from rejoinder.models.directory import identity
from rejoinder.post import Kind, Post
from rejoinder.serve.http.app import create_app
from rejoinder.text.fingerprints import Fingerprints
from rejoinder.tour import page

SMALL = FitConfig(vocabulary=300)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_home(tmp_path_factory.mktemp("home"))


def measured(space: Workspace, paid: dict[str, float], threads: int = FEWEST, noise: float = 0.0, **facts: Any) -> None:
    """Note what rungs paid: so many nats for each thread of ten bytes, more or less."""
    rng = np.random.default_rng(0)
    rows = {}
    for name, nats in paid.items():
        found = space.fitted(name)
        assert found is not None
        rows[name] = (identity(found.directory), tuple((nats + noise * rng.standard_normal(threads)).tolist()))
    Trial("0", threads, (10,) * threads, rows, **facts).save(space.home)


def invoke(*command: str) -> Any:
    ran = CliRunner().invoke(app, [*command, "--json"])
    assert ran.exit_code == 0, ran.stderr
    return json.loads(ran.stdout)


def every_door(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What each door of a home says who speaks."""
    told_in_tour: list[str] = []
    monkeypatch.setattr(page, "say", told_in_tour.append)
    where = ("--home", str(space.home))
    (row,) = (rung for rung in invoke("rungs", *where) if "speaks" in rung)
    said = {"rungs": row["rung"], "complete": invoke("complete", "The", *where)["rung"]}
    opened = OpenHome(space, lambda _: None)
    said["lsp"] = next(iter(opened.engine.voices))
    said["keystroke"] = opened.open_typing((), ()).suggest("The dough ", deadline=float("inf")).rung
    with TestClient(create_app(space), base_url="http://localhost") as client:
        told = client.get("/v1/rungs").json()
        said["tour"] = page.who_speaks(space)
        said["page"], said["typing"] = told["speaks"]["rung"], told["typing"][0]
        said["openai"] = next(
            one for each in client.get("/v1/models").json()["data"] if (one := each["id"]) in voices(space).names
        )
    assert row["speaks"] == told["speaks"]["reason"] == invoke("complete", "The", *where)["reason"] == voices(space).reason
    assert told_in_tour == [f"{row['speaks']}."]
    return said


@pytest.mark.parametrize("best", ["kneser_ney", "markov", "package/mixture"])
def test_every_door_gives_one_answer(home: Workspace, best: str, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(home, {name: 5.0 - (name == best) for name in ("kneser_ney", "markov", "package/mixture")})
    assert set(every_door(home, monkeypatch).values()) == {best}


def test_the_one_that_pays_least_speaks_by_more_than_chance_explains(home: Workspace) -> None:
    """20 threads of 10 bytes: 4 nats are 4 / (10 ln 2) = 0.577 bits per byte, 5 nats 0.721."""
    measured(home, {"kneser_ney": 4.0, "markov": 4.5, "package/mixture": 5.0})
    found = voices(home)
    assert (found.best, found.quick) == ("kneser_ney", "kneser_ney") and found.names[:3] == (
        "kneser_ney",
        "markov",
        "package/mixture",
    )
    assert found.bits_per_byte["kneser_ney"] == pytest.approx(0.5771, abs=1e-4)
    assert "0.58 bits per byte to the package's 0.72, on 20 dev posts that neither has read" in found.reason
    measured(home, {"kneser_ney": 5.0, "package/mixture": 4.0})
    assert voices(home).best == "package/mixture" and voices(home).quick == "package/kneser_ney"
    measured(home, {"kneser_ney": 4.99, "package/mixture": 5.0}, noise=1.0)
    found = voices(home)
    assert found.best == "package/mixture" and "too near to tell" in found.reason


def test_too_few_posts_tell_nothing(home: Workspace) -> None:
    measured(home, {"kneser_ney": 1.0, "package/mixture": 5.0}, threads=FEWEST - 1)
    found = voices(home)
    assert found.best == "package/mixture" and "19 dev posts that neither has read, too few to tell" in found.reason
    (home.home / FILE).unlink()
    assert "was not measured" in voices(home).reason and voices(home).best == "package/mixture"
    (home.home / FILE).write_text("{ half")
    assert voices(home).best == "package/mixture"


def test_what_is_damaged_or_stale_costs_a_line_and_the_next_best_speaks(tmp_path: Path) -> None:
    space = make_home(tmp_path)
    measured(space, {"kneser_ney": 3.0, "markov": 4.0, "package/mixture": 5.0})
    found = space.fitted("kneser_ney")
    assert found is not None
    (found.directory / "config.json").write_text("{}")
    told: list[str] = []
    opened = OpenHome(space, told.append)
    assert opened.voices.best == "markov" == next(iter(opened.engine.voices))
    assert len(told) == 1 and told[0].startswith("`kneser_ney` is passed over")


def test_with_nothing_in_the_package_the_best_of_the_home_speaks(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    let_speak(home, "kneser_ney")
    monkeypatch.setattr(Workspace, "shipped", classmethod(lambda cls: None))
    assert voices(home).best == "kneser_ney"
    (home.home / FILE).unlink()
    assert voices(home).best == "kneser_ney" and "highest" in voices(home).reason
    with pytest.raises(NotFitted, match="run `rejoinder fit`"):
        voices(Workspace(home.home / "none"))


def test_a_fit_leaves_the_posts_it_measures_on_to_no_rung(tmp_path: Path) -> None:
    posts = [Post(n, Kind.STORY, f"Kettle {n % 7} pours into cup {n % 5}, as the potter said.") for n in range(1, 200)]
    make_archive(tmp_path / "archive.db", posts).close()
    space = Workspace(tmp_path)
    assert fit(space, ["kneser_ney", "markov"], SMALL, {}) == {}
    trial = read_trial(tmp_path)
    assert set(trial.paid) == {"kneser_ney", "markov", "package/mixture"} and 0 < trial.threads <= trial.posts
    with space.open_archive() as archive:
        corpus = ArchiveCorpus(archive, tmp_path)
        drawn = draw_trial(corpus, 0)
        left = [thread.key for thread in WithoutThreads(corpus, drawn.keys).threads("dev")]
        every = {thread.key for thread in corpus.threads("dev")}
    assert len(drawn.threads) == trial.threads <= len(every) // 2
    assert drawn.keys | set(left) == every and not drawn.keys & set(left)
    model: Any = space.load("kneser_ney")  # the measure again, slowly: every token by itself, in double precision
    paid = []
    for thread in drawn.threads:
        total = 0.0
        for post in thread.posts:
            state = model.start(thread.answered(post))
            for token in [*model.tokenizer.encode(post.own_text), model.tokenizer.end] if post.own_text else []:
                total -= float(model.log_probs(state)[token])
                state = model.advance(state, token)
        paid.append(total)
    assert trial.nats("kneser_ney") == pytest.approx(paid, rel=1e-4)


def corpus_of(posts: list[Post], place: Path) -> ArchiveCorpus:
    return ArchiveCorpus(make_archive(place / "archive.db", posts), place)


def test_where_the_package_has_read_all_but_the_shortest_posts_these_are_no_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = [Post(n, Kind.STORY, f"Kettle {n} pours into cup {n % 5}, as the potter {n} said.") for n in range(1, 600)]
    short = [Post(n, Kind.STORY, f"Thanks, potter {n}!") for n in range(600, 1000)]  # too short to tell whether it was read
    corpus = corpus_of([*long, *short], tmp_path)
    dev = {thread.key: len(thread.posts[0].own_text) for thread in corpus.threads("dev")}

    def drawn(read: list[Post]) -> TrialPosts:
        known = Fingerprints.of(
            post.own_text for post in [*read, Post(1, text="Some other post of at least eight words, read too")]
        )
        monkeypatch.setattr("rejoinder.home.trial._read_by_package", lambda: known)
        return draw_trial(corpus, 0)

    everything = drawn(long)
    assert everything.flattering and everything.read == {*dev}
    assert len(everything.threads) == len(dev) // 2 and max(dev[key] for key in everything.keys) > 40
    half = drawn(long[:300])  # enough of the others are left
    told = {thread.key for thread in corpus.threads("dev") if thread.key <= 300 or (len(half.read) > 40 and thread.key >= 600)}
    assert not half.flattering and half.read == told and not half.read & half.keys
    nothing = drawn([])
    assert not nothing.flattering and not nothing.read and len(nothing.threads) == len(dev) // 2


def test_on_posts_that_the_package_has_read_only_what_is_not_made_of_it_can_win(home: Workspace) -> None:
    measured(home, {"kneser_ney": 4.0, "markov": 4.5, "package/mixture": 5.0}, read=True)
    found = voices(home)
    assert found.best == "kneser_ney" and "on 20 dev posts that the package has read, which flatters it" in found.reason
    there = home.fitted("kneser_ney")
    assert there is not None
    facts = json.loads((there.directory / "manifest.json").read_text())
    (there.directory / "manifest.json").write_text(json.dumps({**facts, "parts": {"package/kneser_ney": _package_identity()}}))
    try:
        measured(home, {"kneser_ney": 4.0, "markov": 4.5, "package/mixture": 5.0}, read=True)
        assert voices(home).best == "markov"
        measured(home, {"kneser_ney": 4.0, "markov": 4.5, "package/mixture": 5.0})
        assert voices(home).best == "kneser_ney"
    finally:
        (there.directory / "manifest.json").write_text(json.dumps(facts))


def _package_identity() -> str:
    package = Workspace.shipped()
    found = package.fitted("kneser_ney") if package is not None else None
    assert found is not None
    return identity(found.directory)


def test_a_person_may_choose_who_speaks(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(home, {"kneser_ney": 4.0, "markov": 5.0, "package/mixture": 5.0})
    assert invoke("model", "use", "markov", "--home", str(home.home))["rung"] == "markov"
    assert set(every_door(home, monkeypatch).values()) == {"markov"} and "it was chosen here" in voices(home).reason
    measured(home, {"kneser_ney": 4.0, "package/mixture": 5.0}, chosen="markov")
    assert voices(home).best == "markov"
    assert invoke("model", "use", "mixture", "--home", str(home.home))["rung"] == "package/mixture"
    with pytest.raises(UsageError, match=r"`bm25` cannot speak here; those that can: .*markov"):
        choose_by_hand(home, "bm25")
    assert invoke("model", "use", "best", "--home", str(home.home))["rung"] == "kneser_ney"


def test_a_choice_outlives_a_fit(tmp_path: Path) -> None:
    space = make_home(tmp_path)
    choose_by_hand(space, "markov")
    assert fit(space, ["unigram"], SMALL, {}) == {} and voices(space).best == "markov"


def test_while_a_net_reads_whoever_measured_best_of_the_others_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rejoinder.home.voices.is_slow", lambda name: name == "pretrained")
    names = ("pretrained", "kneser_ney", "markov", "package/mixture", "package/kneser_ney")
    speaks = Voices("pretrained", "", names, {"pretrained": 1.3, "kneser_ney": 1.8, "package/mixture": 1.5})
    assert speaks.typists == ("pretrained", "package/mixture", "kneser_ney")


def test_a_rung_fitted_on_everything_keeps_what_was_measured_before(tmp_path: Path) -> None:
    space = make_home(tmp_path)
    before = voices(space).bits_per_byte["kneser_ney"]
    assert fit(space, ["kneser_ney"], FitConfig(vocabulary=400, on="all"), {}) == {}
    assert voices(space).best == "kneser_ney" and voices(space).bits_per_byte["kneser_ney"] == before


def test_a_home_mixes_its_counts_with_the_cell_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_archive(tmp_path / "archive.db", toy_posts()).close()
    space = Workspace(tmp_path)
    assert fit(space, ["kneser_ney"], FitConfig(), {}) == {}
    theirs = package_tokenizer()
    assert theirs is not None
    monkeypatch.setattr("rejoinder.home.tokenizing.saved_by_own", lambda *_: 0.05)
    assert fit(space, None, FitConfig(), {"mixture": {"dev_tokens": 500}}) == {}
    found = space.fitted("mixture")
    assert found is not None and not found.outdated
    assert found.manifest["parts"].keys() == {"kneser_ney", "package/lstm", "package/kneser_ney"}
    model: Any = space.load("mixture")
    assert model.tokenizer.fingerprint() == theirs.fingerprint()
    probs = np.exp(model.log_probs(model.advance(model.start(()), model.tokenizer.encode("The dough")[0])).astype(np.float64))
    assert probs.sum() == pytest.approx(1, abs=1e-4)
    package = Workspace.shipped()
    assert package is not None
    own, both, theirs = (phrases_of(*one, print) for one in ((space, "kneser_ney"), (space, "mixture"), (package, "mixture")))
    assert own.beside is None and both.runs == own.runs and both.beside is not None and both.beside.runs == theirs.runs > 0
    monkeypatch.setattr(Workspace, "shipped", classmethod(lambda cls: Workspace(tmp_path / "no", models=tmp_path / "no")))
    changed = space.fitted("mixture")
    assert changed is not None and changed.outdated  # another package, without the part that it was made of


def test_a_small_archive_is_not_told_to_fit_what_it_has_just_fitted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    posts = [Post(1, Kind.STORY, "Kettles pour."), Post(2, Kind.COMMENT, "So do cups.", parent=1)]
    make_archive(tmp_path / "archive.db", posts).close()
    ran = CliRunner().invoke(app, ["fit", "--home", str(tmp_path)])
    assert ran.exit_code == 0, ran.stderr
    assert "there are too few dev posts here to measure on what is fitted; `rejoinder import` brings more" in ran.stdout
    assert caplog.text.count("dev has no replies in two threads") <= 1


def test_a_model_of_another_tool_is_not_to_be_fitted_over_where_it_was_not_measured(tmp_path: Path) -> None:
    make_archive(tmp_path / "archive.db", [Post(1, Kind.STORY, "Kettles pour.")]).close()
    file = tmp_path / "theirs.arpa"
    file.write_text("\\data\\\nngram 1=3\n\n\\1-grams:\n-99\t<s>\n-0.5\t</s>\n-0.5\tdough\n\n\\end\\\n", encoding="utf-8")
    import_arpa(Workspace(tmp_path), file)
    assert "`rejoinder model use kneser_ney` lets it speak" in voices(Workspace(tmp_path)).reason
    choose_by_hand(Workspace(tmp_path), "kneser_ney")
    assert voices(Workspace(tmp_path)).best == "kneser_ney"


def test_an_archive_without_replies_fits_what_it_can(tmp_path: Path) -> None:
    posts = [Post(n, Kind.STORY, f"Kettle {n % 7} pours into cup {n % 5}, as the potter said.") for n in range(1, 200)]
    make_archive(tmp_path / "archive.db", posts).close()
    ran = CliRunner().invoke(app, ["fit", "--home", str(tmp_path)])
    assert ran.exit_code == 0, ran.stderr
    assert [line.split()[0] for line in ran.stdout.splitlines()[:2]] == ["fitted", "kneser_ney"]
    assert ran.stdout.endswith("now: rejoinder serve --open\n") and voices(Workspace(tmp_path)).reason in ran.stdout
    assert "too few replies: bm25, pair_encoder, fusion, trigger; `rejoinder import` brings more" in ran.stderr
    assert CliRunner().invoke(app, ["fit", "bm25", "--home", str(tmp_path)]).exit_code == 2


def test_another_tokenizer_is_worth_more_where_the_language_is_another(tmp_path: Path) -> None:
    theirs = package_tokenizer()
    assert theirs is not None
    english = "The people who run the old library think that the new one is not what they need right now."
    german = "Die Leute, die die alte Bücherei betreiben, meinen, die neue sei gerade nicht das, was sie brauchen."
    for text, worth in ((english, False), (german, True)):
        path = tmp_path / str(worth)
        path.mkdir()
        posts = [Post(n, Kind.STORY, f"{text} {text.swapcase() if n % 7 == 0 else text}") for n in range(1, 400)]
        with make_archive(path / "archive.db", posts) as archive:
            saved = saved_by_own(ArchiveCorpus(archive, path), theirs)
        assert (saved >= FEWER) or not worth
