"""A home with five places of five forms: each answers its own questions, with its links, and is forgotten to the last byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import made_places
import pytest
from conftest import made_once
from test_cli import Rejoinder
from test_cli import rejoinder as _rejoinder

from rejoinder.archive.store import Archive
from rejoinder.home.holders import LADDER_FOLDER, folder
from rejoinder.home.workspace import Workspace

run = _rejoinder  # the fixture
PLACES = {
    "kettles": (made_places.discourse, made_places.KETTLES),
    "boats": (made_places.mbox, made_places.BOATS),
    "office": (made_places.slack, made_places.PRINTERS),
    "bees": (made_places.stackexchange, made_places.BEES),
    "roofs": (made_places.github, made_places.ROOFS),
}
LINKS = {"roofs": "https://github.com/roofs/help/issues/{0}#issuecomment-{0}"}  # the others' files name no address


@pytest.fixture
def home(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, run: Rejoinder) -> Path:
    """All five imported, and a rung that proposes replies fitted; a copy for each test."""

    def make(folder: Path) -> None:
        for name, (write, _) in PLACES.items():
            ran = run("import", write(folder.parent / f"{folder.name}-{name}"), "--source", name, "--home", folder, "--json")
            assert ran.code == 0 and ran.json["files"][0]["new"] == 80, ran.err
        assert run("fit", "bm25", "--home", folder).code == 0

    made = made_once(tmp_path_factory, "five-places", make)
    shutil.copytree(made, tmp_path / "home")
    return tmp_path / "home"


def learned(home: Path) -> set[str]:
    """The answers that a rung may propose: those of the train part."""
    with Archive.open(home / "archive.db") as archive:
        return {post.text.rpartition("\n")[2] for post in archive.posts("parent IS NOT NULL AND split = 0")}


@pytest.mark.parametrize("name", sorted(PLACES))
def test_a_question_is_answered_by_the_place_that_knows_with_a_link_that_leads_there(
    name: str, home: Path, run: Rejoinder
) -> None:
    known = learned(home)
    asked = [(number, talk) for number, talk in enumerate(PLACES[name][1], start=1) if talk.answer in known]
    assert len(asked) >= 20
    for number, talk in asked[::8]:
        (reply,) = run("reply", f"{talk.title}. {talk.question}", "--all", "-k", 1, "--home", home, "--json").json["replies"]
        assert (reply["source"], reply["text"].split("\n")[-1]) == (name, talk.answer)
        assert reply["url"] == (LINKS[name].format(number) if name in LINKS else None)


def words_in(home: Path, words: str) -> list[str]:
    """The files of a home that hold these words."""
    return [file.name for file in sorted(home.rglob("*")) if file.is_file() and words.encode() in file.read_bytes()]


@pytest.mark.parametrize(
    ("option", "value", "gone", "stays"),
    [
        ("--author", "bo@boats.example", "find the leaking through-hull with dye", "boil it three times"),
        ("--author", "lou", "fix a copper strip along the ridge", "give the colony more room"),
        ("--source", "office", "tighten the four screws", "find the leaking through-hull with dye"),
        ("--source", "kettles", "clean the heating plate", "tighten the four screws"),
    ],
)
def test_what_is_forgotten_of_one_place_leaves_no_byte_and_the_others_stay(
    option: str, value: str, gone: str, stays: str, home: Path, run: Rejoinder
) -> None:
    assert words_in(home, gone) and words_in(home, stays)
    report = folder(home, LADDER_FOLDER) / "ladder.json"  # which says of what places it was made
    report.write_text('{"data": "office, kettles"}')
    ran = run("forget", option, value, "--home", home)
    assert ran.code == 0, ran.err
    assert words_in(home, gone) == [] and words_in(home, stays)
    assert report.is_file() == (option == "--author")
    if option == "--source":
        assert words_in(home, value) == []
    with Workspace(home).open_archive() as archive:
        assert not any(gone in post.text for post in archive.posts("1"))
