"""`--map`: any table or JSON, once a person has said which field is what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rejoinder.archive.mapping import read_map
from rejoinder.archive.source import Hasher, Skipped
from rejoinder.errors import SourceError, UsageError
from rejoinder.post import Kind, Post

DESK = Hasher(b"key", "desk")
MAP = "id=ticket,parent=answers,text=body,time=created,author=from,title=subject"


def test_a_day_that_is_a_number_of_eight_digits_is_a_day(tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", '[{"id": 1, "text": "x", "on": 20061009}, {"id": 2, "text": "y", "on": 1160352000}]')
    first, second = read_map("id=id,text=text,time=on").read(file, DESK)
    assert isinstance(first, Post) and isinstance(second, Post) and first.time == second.time == 1_160_352_000


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def expected() -> list[Post]:
    first, second = (DESK.number(own) for own in ("T-1", "b3f0"))
    return [
        Post(first, Kind.STORY, "It does not start.", "Engine", time=1_160_418_111, author=DESK("Alder"), own="T-1"),
        Post(
            second, Kind.COMMENT, "Have you tried <off> & on?", parent=first, time=1_160_418_112, author=DESK("Birch"), own="b3f0"
        ),
    ]


def test_a_table_with_any_names_is_read(tmp_path: Path) -> None:
    rows = "ticket,answers,body,created,from,subject,secret\nT-1,,It does not start.,2006-10-09 18:21:51,Alder,Engine,x\n"
    path = write(tmp_path / "a.csv", rows + "b3f0,T-1,Have you tried <off> & on?,1160418112,Birch,NULL,y\n")
    assert list(read_map(MAP).read(path, DESK)) == expected()


@pytest.mark.parametrize("form", ["array", "lines", "inside"])
def test_names_with_dots_lead_into_json(tmp_path: Path, form: str) -> None:
    first = {"ticket": "T-1", "body": {"plain": "It does not start."}, "created": 1_160_418_111_000, "subject": "Engine"}
    second = {"ticket": "b3f0", "answers": "T-1", "body": {"plain": "Have you tried <off> & on?"}}
    records = [
        {**first, "by": [{"name": "Alder"}]},
        {**second, "created": "Mon, 09 Oct 2006 18:21:52 +0000", "by": [{"name": "Birch"}]},
    ]
    text = "".join(json.dumps(record) + "\n" for record in records) if form == "lines" else json.dumps(records)
    if form == "inside":
        text = json.dumps({"exported": "today", "data": {"tickets": records}})
    mapped = MAP.replace("text=body", "text=body.plain").replace("author=from", "author=by.0.name")
    found = read_map(mapped + (",at=data.tickets" if form == "inside" else "")).read(write(tmp_path / "a.json", text), DESK)
    assert list(found) == expected()


def test_a_toml_file_says_the_same_and_names_the_markup(tmp_path: Path) -> None:
    file = write(tmp_path / "map.toml", 'id = "n"\ntext = "t"\nmarkup = "html"\n')
    path = write(tmp_path / "a.csv", "n,t\n1,<b>bold</b> &amp; <i>not</i>\n,lost\n")
    post, lost = read_map(str(file)).read(path, DESK)
    assert isinstance(post, Post) and post.text == "bold & not"
    assert lost == Skipped("no id", "a.csv:3")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("id=a", "at least where the id and the text are"),
        ("text=a", "at least where the id and the text are"),
        ("id=a,text=b,perent=c", r"knows no 'perent' \(did you mean parent\?\)"),
        ("id=a,text", "takes NAME=FIELD pairs"),
        ("id=a,text=b,markup=rtf", "markup is one of plain, "),
        ("not-here.toml", "not-here.toml"),
    ],
)
def test_a_map_that_cannot_be_followed_is_told(given: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_map(given)


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no column words, which --map names; there are n, t. Nothing was taken of it"):
        list(read_map("id=n,text=words").read(write(tmp_path / "a.csv", "n,t\n1,2\n"), DESK))
