"""The contract of every source, tested on the fixtures in `tests/forms/NAME/`, with what they hold in `expected.json` there.

For each file or folder: `posts`, `threads`, `parents` (replies whose parent is in it), `skipped`; and, where they apply, `names`
that must not be found in what is read, `gone` (posts without words that are not marked deleted), `solved` (the posts of which
the file says whether they are solved or accepted, by their own ids) and `whole` (true where a file is one value that cannot be
read in part). A fixture whose text holds the word Zebra also gets any Unicode in its place.
"""

from __future__ import annotations

import inspect
import json
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from batching import together
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.archive import registry
from rejoinder.archive.batches import batch
from rejoinder.archive.html import clean
from rejoinder.archive.info import read_info
from rejoinder.archive.intake import Unit, units
from rejoinder.archive.places import Place, place
from rejoinder.archive.read_ahead import read_ahead
from rejoinder.archive.source import Gone, Hasher, Item, Skipped, Source
from rejoinder.archive.store import Archive
from rejoinder.errors import RejoinderError, SourceError, UsageError
from rejoinder.post import Post, State

FORMS = Path(__file__).parent / "forms"
MUTANTS = int(os.environ.get("REJOINDER_MUTANTS", "60"))  # for each form; 1,000 take minutes
EXPECTED: dict[str, dict[str, Any]] = {
    f"{file.parent.name}/{name}": holds
    for file in sorted(FORMS.glob("*/expected.json"))
    for name, holds in json.loads(file.read_text(encoding="utf-8")).items()
}
FIXTURES = sorted(EXPECTED)
FILES = [name for name in FIXTURES if (FORMS / name).is_file()]


def source_of(name: str) -> Source:
    return registry.source(name.partition("/")[0])


def hasher(name: str) -> Hasher:
    return Hasher(b"key", name.partition("/")[0])


def place_of(archive: Archive, name: str) -> Place:
    return place(archive, name.partition("/")[0], source_of(name))


def read(name: str, path: Path | None = None) -> list[Item]:
    return list(source_of(name).read(path or FORMS / name, hasher(name)))


def until_break(name: str, path: Path) -> list[Item]:
    """What is read up to the end or to an error of ours; any other error fails the test."""
    got: list[Item] = []
    try:
        for item in source_of(name).read(path, hasher(name)):
            got.append(item)
    except RejoinderError as error:
        assert "\n" not in str(error)
    return got


def posts(items: list[Item]) -> list[Post]:
    return [item for item in items if isinstance(item, Post)]


def test_every_form_has_fixtures_and_every_fixture_a_form() -> None:
    tested = {name.partition("/")[0] for name in FIXTURES}
    assert tested == {name for name, source in registry.sources().items() if type(source).__module__.startswith("rejoinder.")}
    there = {f"{file.parent.name}/{file.name}" for file in FORMS.glob("*/*") if file.name != "expected.json"}
    assert there == set(FIXTURES)


@pytest.mark.parametrize("name", sorted(registry.sources()))
def test_a_source_says_what_people_must_know(name: str) -> None:
    source = registry.sources()[name]
    assert name == source.name == name.lower() and " " not in name
    assert source.what and source.marks and "\n" not in source.what + source.marks
    assert source.link is None or "{id}" in source.link
    chats = "rejoinder.archive.chat" in Path(inspect.getfile(type(source))).read_text(encoding="utf-8")
    assert bool(source.threading) or not chats  # what is only taken for an answer is said to be


@pytest.mark.parametrize("name", FIXTURES)
def test_a_file_is_recognised_by_its_own_source_alone(name: str, tmp_path: Path) -> None:
    (found,) = units(FORMS / name, None, lambda: tmp_path)
    assert isinstance(found, Unit)
    assert [found.source] == list(registry.recognised(found.path))
    assert found.source.name == name.partition("/")[0]


@pytest.mark.parametrize("name", FIXTURES)
def test_what_a_file_holds_was_counted_by_hand(name: str, tmp_path: Path) -> None:
    expected = EXPECTED[name]
    items = read(name)
    with Archive.open(tmp_path / "archive.db", create=True) as archive:
        counts = archive.add(items, at=place_of(archive, name))
        info = read_info(archive)
        found = posts(items)
        ids = {post.id for post in found}
    assert len(items) == counts.lines == counts.new + counts.updated + counts.unchanged + counts.skipped
    assert counts.new == len(ids) == info.posts == expected["posts"]
    assert (info.threads, counts.skipped) == (expected["threads"], expected["skipped"])
    assert sum(post.parent in ids for post in {post.id: post for post in found}.values()) == expected["parents"]
    assert sum(not post.body and post.state is State.LIVE for post in found) == expected.get("gone", 0)
    assert not any(word in repr(found) for word in expected.get("names", ()))


@pytest.mark.parametrize("name", FIXTURES)
def test_what_was_solved_is_known_where_the_form_says_it_and_nowhere_else(name: str, tmp_path: Path) -> None:
    with Archive.open(tmp_path / "archive.db", create=True) as archive:
        archive.add(read(name), at=place_of(archive, name))
        own = dict(archive.query("SELECT id, own FROM origin"))
        found = {own.get(post.id, post.id): post.solved for post in archive.posts("solved IS NOT NULL OR answer IS NOT NULL")}
        accepted = {own.get(post.id, post.id): True for post in archive.posts("1") if post.solved}
    assert found | accepted == EXPECTED[name].get("solved", {})


@pytest.mark.parametrize("name", FIXTURES)
def test_the_same_again_changes_nothing(name: str, tmp_path: Path) -> None:
    with Archive.open(tmp_path / "archive.db", create=True) as archive:
        at = place_of(archive, name)
        first = archive.add(read(name), at=at)
        before = sorted(archive.posts("1"))
        again = archive.add(read(name), at=at)
        assert (again.new, again.skipped, again.moved) == (0, first.skipped, 0)
        assert sorted(archive.posts("1")) == before
        if not first.updated:  # where a file names a post twice, its last word stands
            assert again.updated == 0


@pytest.mark.parametrize("name", FIXTURES)
def test_what_is_read_can_be_kept_and_shown_anywhere(name: str) -> None:
    for post in posts(read(name)):
        assert 0 < post.id < 2**63 and (post.parent is None or 0 < post.parent < 2**63)
        for text in (post.text, post.title):
            assert clean(text) == text == text.strip("\n")
            text.encode()
        assert post.time is None or 0 <= post.time < 2**33
        assert post.author is None or len(post.author) == 16


@pytest.mark.parametrize("name", FIXTURES)
def test_another_process_reads_the_same(name: str) -> None:
    assert together(read_ahead(source_of(name), FORMS / name, hasher(name))) == batch(read(name))


@pytest.mark.parametrize("name", [name for name in FILES if not EXPECTED[name].get("whole")])
def test_a_file_that_is_cut_short_keeps_its_complete_records(name: str, tmp_path: Path) -> None:
    """All but the record that was cut are as in the whole file, and the cut of the last bytes costs one record at most."""
    whole = {post.id: post for post in posts(read(name))}
    data = (FORMS / name).read_bytes()
    path = tmp_path / name.rpartition("/")[2]
    for end in {len(data) * share // 20 for share in range(1, 20)} | {len(data) - 2}:
        path.write_bytes(data[:end])
        kept = {post.id: post for post in posts(until_break(name, path))}
        strange = [number for number, post in kept.items() if number not in whole or post.text != whole[number].text]
        assert len(strange) <= 1
        if end == len(data) - 2:
            assert len(kept) >= len(whole) - 1


def is_text_with_zebra(name: str) -> bool:
    data = (FORMS / name).read_bytes()
    return b"Zebra" in data and b"\0" not in data


WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "So"], exclude_characters="\ufeff"), min_size=1, max_size=40)


@settings(max_examples=40, derandomize=True, database=None)
@given(st.data())
def test_any_unicode_survives(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([name for name in FILES if is_text_with_zebra(name)]))
    word = data.draw(WORDS)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / name.rpartition("/")[2]
        path.write_bytes((FORMS / name).read_bytes().replace(b"Zebra", word.encode()))
        assert any(word in post.body for post in posts(read(name, path)))


# --- mutated files -------------------------------------------------------------------------------------------------

ODD: list[Any] = [
    None, True, 0, -1, 2**63, 10**30, 1e300, float("nan"), "", "x", "0", "1.0", "\\N", "NULL", "\ud83d", "&#" + "9" * 5_000,
    [], {}, [None], {"id": 1}, [[[]]], "2006-13-01", "a" * 5_000, "\0", "<", "[quote", "```", "> ", {"a": {"b": []}},
]  # fmt: skip


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) within a JSON value."""
    stack = [value]
    while stack:
        here = stack.pop()
        for key, inside in list(here.items() if isinstance(here, dict) else enumerate(here)):
            yield here, key
            if isinstance(inside, dict | list):
                stack.append(inside)


def mutated_json(text: str, rng: random.Random) -> str:
    """Fields dropped, moved or given another type, in one line or in the whole value."""
    lines = text.splitlines()
    try:
        value, rest = json.loads(text), None
    except ValueError:
        rest = rng.randrange(len(lines))
        value = json.loads(lines[rest])
    if not isinstance(value, dict | list):
        return text
    for _ in range(rng.randint(1, 3)):
        found = list(places(value))
        if not found:
            break
        here, key = rng.choice(found)
        choice = rng.random()
        if choice < 0.3:
            del here[key]
        elif choice < 0.4:
            other, name = rng.choice(found)
            here[key] = deepcopy(other[name]) if (name in other if isinstance(other, dict) else name < len(other)) else None
        else:
            here[key] = deepcopy(rng.choice(ODD))  # or a container would come to hold itself
    made = json.dumps(value)
    if rest is None:
        return made
    lines[rest] = made
    return "\n".join(lines)


def mutated_bytes(data: bytes, rng: random.Random) -> bytes:
    """Bytes flipped, pieces dropped, doubled or put elsewhere."""
    made = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        at, length = rng.randrange(len(made) + 1), rng.randint(1, 40)
        piece = made[at : at + length]
        choice = rng.randrange(5)
        if choice == 0 and at < len(made):
            made[at] ^= 1 << rng.randrange(8)
        elif choice == 1:
            del made[at : at + length]
        elif choice == 2:
            made[at:at] = piece
        elif choice == 3:
            made[at:at] = rng.randbytes(3)
        else:
            to = rng.randrange(len(made) + 1)
            made[to:to] = piece
    return bytes(made)


def mutate(path: Path, original: Path, rng: random.Random) -> None:
    data = original.read_bytes()
    if rng.random() < 0.5:
        try:
            path.write_text(mutated_json(data.decode("utf-8-sig"), rng), encoding="utf-8", errors="replace")
            return
        except (ValueError, IndexError):
            pass
    path.write_bytes(mutated_bytes(data, rng))


@pytest.mark.parametrize("form", sorted({name.partition("/")[0] for name in FIXTURES}))
def test_no_mutated_file_gives_a_traceback_and_counts_add_up(form: str, tmp_path: Path) -> None:
    names = [name for name in FIXTURES if name.startswith(f"{form}/")]
    rng = random.Random(form)
    with Archive.open(tmp_path / "archive.db", create=True) as archive:
        for round_ in range(MUTANTS):
            name = names[round_ % len(names)]
            original, path = FORMS / name, tmp_path / name.rpartition("/")[2]
            if original.is_dir():
                if round_ < len(names) or rng.random() < 0.05:  # begin anew from time to time
                    shutil.rmtree(path, ignore_errors=True)
                    shutil.copytree(original, path)
                inside = rng.choice(sorted(file for file in original.rglob("*") if file.is_file()))
                mutate(path / inside.relative_to(original), inside, rng)
            else:
                mutate(path, original, rng)
            items = until_break(name, path)
            if round_ % 20 == 0:
                counts = archive.add(items, at=place_of(archive, name))
                assert counts.lines == len(items) == counts.new + counts.updated + counts.unchanged + counts.skipped
            assert all(isinstance(item, Post | Skipped | Gone) for item in items)
            if round_ % 20 == 0:
                assert all(source.folder != path.is_dir() or source.recognises(path) in (True, False) for source in ALL)


ALL = list(registry.sources().values())


# --- the registry --------------------------------------------------------------------------------------------------


def test_a_form_that_is_not_known_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no form of archive is called 'hnn'; did you mean hn\?"):
        registry.source("hnn")


def test_a_broken_source_of_another_package_costs_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name, value = "bad", "bad.module:Bad"

        def load(self) -> object:
            raise ImportError("no module named bad")

    monkeypatch.setattr(registry, "entry_points", lambda group: [Point()])
    registry._others.cache_clear()
    try:
        assert registry.broken() == []  # nobody has looked
        assert [found.name for found in registry.recognised(FORMS / "hn" / "items.jsonl")] == ["hn"]
        assert registry.broken() == ["the source `bad` (bad.module:Bad) cannot be used: ImportError: no module named bad"]
    finally:
        monkeypatch.undo()
        registry._others.cache_clear()


def test_a_file_that_nobody_takes_is_told_what_it_has_and_what_is_known(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text('[{"nummer": 1, "worte": "a"}]', encoding="utf-8")
    (found,) = units(path, None, lambda: tmp_path / "scratch")
    assert isinstance(found, SourceError)
    assert "its fields are nummer, worte. Nothing was taken of it" in str(found) and "hn" in str(found)


def test_a_file_that_a_person_names_is_read_where_its_form_keeps_records(tmp_path: Path) -> None:
    file = tmp_path / "some.json"
    file.write_text('{"comments": [{"comment": {"id": 1, "content": "no path", "post_id": 2}}]}')
    lemmy = registry.source("lemmy")
    assert not lemmy.recognises(file)
    assert [post.text for post in posts(list(lemmy.read(file, Hasher(b"key", "lemmy"))))] == ["no path"]
