"""The library: its names, what importing it costs, and its page, every block of which runs."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import make_archive, toy_posts
from typer.testing import CliRunner

import rejoinder
from rejoinder import Home, Kind, Post
from rejoinder.cli import app
from rejoinder.errors import NotFitted, SourceError, UsageError
from rejoinder.home.own_text import erase, remember

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")


def test_the_names_are_these() -> None:
    """One that goes, or changes its place, is a change that users notice."""
    assert rejoinder.__all__ == [
        "Continuation", "FitConfig", "Home", "Kind", "Pair", "Post", "Query", "RejoinderError", "Suggestion", "Thread",
        "__version__", "complete", "reply",
    ]  # fmt: skip
    for name in rejoinder.__all__:
        assert getattr(rejoinder, name) is not None and name in dir(rejoinder)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rejoinder.nothing


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import sys; from rejoinder import Home; import json; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert not {"numpy", "tokenizers", "tantivy", "onnxruntime", "httpx", "fastapi", "typer", "rich", "sqlite3"} & set(loaded)


def test_importing_it_is_quick() -> None:
    """In processor time beside a Python that does nothing: at most eight times as much, where a quiet machine starts in 20 ms."""

    def spent(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    pairs = [(spent("pass"), spent("from rejoinder import Home")) for _ in range(5)]
    assert min(ours for _, ours in pairs) < 8 * min(bare for bare, _ in pairs)


def test_every_block_of_the_page_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 11
    script = tmp_path / "page.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    environment = {"PYTHONPATH": ":".join(sys.path), "TMPDIR": str(tmp_path), "PATH": "", "HOME": str(tmp_path)}
    command = [sys.executable, "-W", "error", str(script)]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(ran.stdout.splitlines()) >= 10


def test_a_home_that_is_not_named_is_the_one_of_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tmp_path in Home().folder.parents
    monkeypatch.setenv("REJOINDER_HOME", str(tmp_path / "mine"))
    assert Home().folder == tmp_path / "mine"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """The toy archive, nothing fitted."""
    make_archive(tmp_path / "archive.db", toy_posts()).close()
    return Home(tmp_path)


def test_making_a_home_touches_nothing(tmp_path: Path) -> None:
    assert Home(tmp_path / "home").folder == tmp_path / "home"
    assert Home(str(tmp_path / "home")).rungs() == {} and not list(tmp_path.iterdir())


def test_what_was_fitted_meanwhile_is_used(home: Home) -> None:
    home.fit("bm25")
    before = home.reply("How long should bread dough rest ?", 1)
    home.fit("bm25", "markov", settings={"markov": {"discount": 0.5}})
    assert [found.text for found in home.reply("How long should bread dough rest ?", 1)] == [found.text for found in before]
    assert home.voices().best in home.voices().names and home.complete("Let the", 11, k=2)
    assert home.rungs()["markov"].manifest["config"]["discount"] == 0.5


def test_what_is_answered_may_be_said_in_four_ways(home: Home) -> None:
    home.fit("bm25")
    with_thread = home.reply(11, everything=True)
    (thread,) = (thread for thread in home.threads() if thread.posts[0].id == 10)
    assert with_thread == home.reply([thread.posts[0], thread.posts[1]], everything=True)
    text = "How long should bread dough rest ?"
    assert home.reply(text) == home.reply(Post(0, Kind.STORY, text))


def test_threads_are_all_there(home: Home) -> None:
    assert sorted(post.id for thread in home.threads() for post in thread.posts) == sorted(post.id for post in toy_posts())


def test_a_rung_that_has_read_the_test_posts_is_not_measured_on_them(home: Home) -> None:
    home.fit("unigram", "bm25")
    assert 0 < home.measure("unigram", 20).value < 8
    home.fit("unigram", config=rejoinder.FitConfig(on="all"))
    with pytest.raises(UsageError, match="fit it on train anew"):
        home.measure("unigram")
    with pytest.raises(NotFitted):
        home.measure("markov")


@pytest.mark.parametrize("number", [0, -1])
def test_less_than_one_of_anything_is_a_clear_error(home: Home, number: int) -> None:
    for ask, name in (
        (lambda: home.measure("kneser_ney", posts=number), "posts"),
        (lambda: home.complete("The", k=number), "k"),
        (lambda: home.complete("The", words=number), "words"),
        (lambda: home.reply("Why?", k=number), "k"),
    ):
        with pytest.raises(UsageError, match=f"`{name}` must be at least 1; got {number}"):
            ask()


def test_what_is_remembered_is_heard_until_it_is_erased(tmp_path: Path) -> None:
    home, draft = Home(tmp_path), "Kind reg"
    text = "\n\n".join(f"Thanks for letter {number}.\nKind regards, Zyzzyva Quill" for number in range(4))

    def heard() -> set[bool]:
        ran = CliRunner().invoke(app, ["complete", draft, "--home", str(tmp_path), "--json"])
        theirs = [found["text"] for found in json.loads(ran.stdout)["continuations"]]
        ours = [found.text for found in home.complete(draft)]
        assert ours == theirs
        return {any("Zyzzyva" in found for found in ours)}

    assert heard() == {False}
    remember(tmp_path, text)
    assert heard() == {True}
    erase(tmp_path)
    assert heard() == {False}


def test_a_file_that_is_not_there_is_an_error_and_what_was_read_before_it_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1, "type": "story", "title": "Which teapot?", "time": 1}\n')
    home = Home(tmp_path / "home")
    with pytest.raises(SourceError, match=r"b\.jsonl: no such file"):
        home.add(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert [post.title for thread in home.threads() for post in thread.posts] == ["Which teapot?"]
