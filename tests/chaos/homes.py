"""Homes to attack: posts of a few authors, one of whom uses words that nobody else does."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

from hn_server import Record, forum

SECRET_AUTHOR, SECRET = "zz_unmistakable", "xylographic"  # who will be forgotten, and a word of theirs
OWN_SECRET = "marmaladewords"  # a word of the person's own
_SUBJECTS = "bread dough engine garden compiler kettle bicycle lantern harbour violin".split()
_VERBS = "rests stalls grows fails boils rattles shines leaks sings breaks".split()
_ENDS = "in the cold morning|after a long winter|when nobody looks|at the third attempt|for no reason at all".split("|")


def sentence(number: int) -> str:
    """A sentence that is made of its number."""
    digest = hashlib.blake2b(str(number).encode(), digest_size=4).digest()
    subject, verb, end = _SUBJECTS[digest[0] % 10], _VERBS[digest[1] % 10], _ENDS[digest[2] % 5]
    return f"The {subject} {verb} {end}, and the {_SUBJECTS[digest[3] % 10]} {_VERBS[digest[2] % 10]} too."


def write_posts(file: Path, threads: int = 300, first: int = 1) -> Path:
    """Threads of four posts; every 20th thread has posts of the author who will be forgotten."""
    with file.open("w") as out:
        for number in range(first, first + threads):
            secret = number % 20 == 0
            for place in range(4):
                theirs = secret and place in (0, 2)
                words = (
                    f"{sentence(10 * number + place)} It is {SECRET} work number{number}."
                    if theirs
                    else sentence(10 * number + place)
                )
                record = {
                    "id": 10 * number + place,
                    "type": "comment" if place else "story",
                    "by": SECRET_AUTHOR if theirs else f"author{(number + place) % 17}",
                    "time": 1_700_000_000 + 60 * number + place,
                    "text": words if place else f"What about it? {words}",
                    **({"parent": 10 * number + place - 1} if place else {"title": f"On the {words}"}),
                }
                out.write(json.dumps(record) + "\n")
    return file


def items(count: int) -> dict[int, Record | None]:
    """Items for a server to be fetched from: threads of four, every 20th with posts of the author who will be forgotten."""
    found = forum({number: number - 1 if (number - 1) % 4 else None for number in range(1, count + 1)})
    for number in range(20, count + 1, 20):
        found[number] |= {"by": SECRET_AUTHOR, "text": f"It is {SECRET} work number{number}."}
    return {**found}


def holders(home: Path, word: str) -> list[str]:
    """The files of a home that hold a word, in their bytes or in their names; links are followed."""
    mark, found = word.encode(), []
    for file in sorted(home.rglob("*")):
        if mark in str(file.relative_to(home)).encode() or (file.is_file() and mark in file.read_bytes()):
            found.append(str(file.relative_to(home)))
    return found


def rows(home: Path) -> list[tuple[object, ...]]:
    """Every post of a home's archive with its place, after asking SQLite whether the file is sound.

    None of them where no archive was made, or its making was cut off before it had tables.
    """
    if not (home / "archive.db").is_file():
        return []
    db = sqlite3.connect(home / "archive.db")
    try:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'post'").fetchall():
            return []
        return db.execute("SELECT * FROM post LEFT JOIN place USING (id) ORDER BY id").fetchall()
    finally:
        db.close()


def without_author(found: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Rows but for the author, whose hash has another key in every home."""
    return [row[:7] + row[8:] for row in found]
