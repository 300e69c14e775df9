"""What is open of a home is as the home is: never what was erased while it was being made, and looked at cheaply."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from chaos.homes import SECRET, SECRET_AUTHOR, write_posts
from serving import let_speak, make_home, serving

from rejoinder.home import open_home
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.forgetting import forget_everywhere
from rejoinder.home.importing import import_files
from rejoinder.home.open_home import OpenHome
from rejoinder.home.own_text import erase, remember
from rejoinder.home.workspace import Workspace

TEXT = "Thank you kitchen .\n\n" * 20


def said(_: str) -> None:
    pass


def test_own_text_that_is_erased_while_it_is_counted_is_not_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor by whoever had asked for it, nor by the next."""
    remember(tmp_path, TEXT)
    opened, counted = OpenHome(make_home(tmp_path), said), []
    count = open_home.own_model

    def slowly(*given: Any) -> Any:
        counted.append(count(*given))
        if len(counted) == 1:
            with ThreadPoolExecutor(1) as other:  # who erases it is another thread
                other.submit(lambda: erase(tmp_path) and opened.refresh()).result()
        return counted[-1]

    monkeypatch.setattr(open_home, "own_model", slowly)
    assert opened._own() == opened._own() == ((), frozenset())
    assert counted[0] is not None and len(counted) == 1


def test_a_model_that_is_forgotten_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = make_home(tmp_path)
    opened, loads = OpenHome(space, said), []
    load = space.load_parts

    def slowly(names: Any, loaded: Any) -> Any:
        found = load(names, loaded)
        loads.append(found)
        if len(loads) == 1:
            forget_everywhere(space, [11], None)
            opened.refresh()
        return found

    monkeypatch.setattr(space, "load_parts", slowly)
    assert opened.model("kneser_ney") is loads[1]["kneser_ney"] is not loads[0]["kneser_ney"]


def test_where_no_file_was_touched_nothing_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = make_home(tmp_path)
    monkeypatch.setattr(open_home, "_TICK", -(10**18))  # as if all had been written long ago
    opened = OpenHome(space, said)
    opened.refresh()
    model = opened.model("kneser_ney")
    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "open_archive", lambda *_: pytest.fail("the archive was opened"))
        assert not opened.refresh()
    remember(tmp_path, TEXT)
    assert opened.refresh() and opened.model("kneser_ney") is model  # one's own text loads no model again
    erase(tmp_path)
    assert opened.refresh() and not opened.refresh()
    assert not fit(space, ["kneser_ney"], FitConfig(vocabulary=400), {})
    assert opened.refresh() and opened.model("kneser_ney") is not model


def test_of_files_that_were_just_written_nothing_is_taken_for_granted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two writes may leave the same time."""
    opened = OpenHome(make_home(tmp_path), said)
    monkeypatch.setattr(open_home, "_TICK", 10**18)
    opened.refresh()
    monkeypatch.setattr(OpenHome, "_signature", lambda _: ("other",))
    assert opened.refresh()


def test_a_server_shows_nothing_that_was_forgotten_or_erased(tmp_path: Path) -> None:
    """Neither of its processes, from the moment at which `forget` has ended; it may have shown it until then."""
    space = Workspace(tmp_path / "home")
    list(import_files(space, [write_posts(tmp_path / "posts.jsonl")], None, None))
    assert not fit(space, ["canned", "kneser_ney", "bm25"], FitConfig(vocabulary=400), {})
    let_speak(space, "kneser_ney")
    with serving(space.home) as server, httpx.Client(base_url=server.url, timeout=60) as client:

        def answers() -> dict[str, str]:
            typed = {"draft": f"It is {SECRET[:6]}", "gate": "eager", "deadline_ms": 1000}
            chat = {"model": "bm25", "messages": [{"role": "user", "content": f"What of {SECRET} work?"}]}
            text = {"model": "kneser_ney", "prompt": f"It is {SECRET[:6]}", "temperature": 0, "max_tokens": 8}
            return {
                "suggest": client.post("/v1/suggest", json=typed).text,
                "search": client.get("/v1/search", params={"q": SECRET}).text,
                "post": client.get("/v1/posts/200").text,
                "chat": client.post("/v1/chat/completions", json=chat).text,
                "text": client.post("/v1/completions", json=text).text,
            }

        def telling() -> set[str]:
            return {name for name, answer in answers().items() if SECRET in answer or SECRET[6:] in answer}

        assert telling() == {"search", "post", "chat"}  # nobody else says it, so nobody is helped to type it
        forget_everywhere(space, [], SECRET_AUTHOR)
        assert telling() == set()

        def words() -> list[str]:
            typed = {"draft": "Thank you my ke", "deadline_ms": 1000}
            return ["ke" + word["text"] for word in client.post("/v1/suggest", json=typed).json()["words"]]

        assert "kettle" in words() and "keen" not in words()
        remember(space.home, "Thank you my keen friend .\n\n" * 40)
        assert "keen" in words()
        erase(space.home)
        assert "kettle" in words() and "keen" not in words()


def test_posts_that_come_in_are_searched_once_they_are_indexed_and_a_server_answers_meanwhile(tmp_path: Path) -> None:
    """The index that it has open stays as it is; the new one is merged by who makes it."""
    space = Workspace(tmp_path / "home")

    def bring(threads: int, first: int) -> None:
        list(import_files(space, [write_posts(tmp_path / "posts.jsonl", threads, first)], None, None))

    bring(30, 1)
    assert not fit(space, ["bm25"], FitConfig(), {})
    with serving(space.home) as server, httpx.Client(base_url=server.url, timeout=60) as client, ThreadPoolExecutor(1) as other:

        def found() -> int:
            return len(client.get("/v1/search", params={"q": SECRET, "k": 50}).raise_for_status().json()["found"])

        before = found()
        bring(300, 31)
        assert found() == before > 0
        fitting = other.submit(fit, space, ["bm25"], FitConfig(), {})
        during = {found()}
        while not fitting.done():
            during.add(found())
        assert not fitting.result()
        assert found() > before and min(during) == before and len(during) <= 2


def test_what_was_erased_is_let_go_of_though_nobody_types(tmp_path: Path) -> None:
    remember(tmp_path, TEXT)
    opened = OpenHome(make_home(tmp_path), said)
    assert opened._own()[0] and opened._own_before
    erase(tmp_path)
    opened.refresh()
    assert not opened._own_before
