"""Files of items: every format and packing, and every way a file can be bad."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pytest
from batching import together
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rejoinder.archive.authors import author_hasher
from rejoinder.archive.batches import batch
from rejoinder.archive.json_records import LONGEST_LINE
from rejoinder.archive.read_ahead import read_ahead
from rejoinder.archive.rows import to_row
from rejoinder.archive.source import Gone, Hasher, Item, Skipped
from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
from rejoinder.archive.sources.hackernews import read_record
from rejoinder.errors import RejoinderError, SourceError
from rejoinder.post import Kind, Post

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACKERS: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".zst": zstd.compress}
LARGE_PAGE = 300 * 2**20  # bytes of memory that no bad file may make us use


T = TypeVar("T")
hashed = Hasher()


def read(path: Path) -> list[Item]:
    return list(HACKER_NEWS.read(path, hashed))


def until_break(items: Iterable[T]) -> tuple[list[T], RejoinderError | None]:
    """All items there are, and the error that ended them."""
    got: list[T] = []
    try:
        for item in items:
            got.append(item)
    except RejoinderError as error:
        return got, error
    return got, None


def reasons(items: Iterable[Item]) -> Counter[str]:
    return Counter(item.reason for item in items if isinstance(item, Skipped))


def ids(items: Iterable[Item]) -> list[int]:
    return [item.id for item in items if not isinstance(item, Skipped)]


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def lines(records: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def many(count: int) -> list[dict[str, Any]]:
    """Records that do not pack well, so that a packed file has many places to break at."""
    return [{"id": number, "text": hashlib.sha256(b"%d" % number).hexdigest()} for number in range(1, count + 1)]


# --- every format, however it is packed ----------------------------------------------------------------------------

STORY = {"id": 1, "type": "story", "by": "a", "time": 100, "title": "A, \"B\" &amp; 'C'", "url": "https://e.org", "score": 7}
REPLY = {
    "id": 2,
    "type": "comment",
    "by": "b",
    "time": 200,
    "text": "one, two;<p>&gt; \"three\"\n'four' | é \u2028",
    "parent": 1,
    "story": 1,
}
DEAD = {"id": 3, "type": "comment", "parent": 2, "dead": True}
RECORDS = [STORY, REPLY, DEAD]
POSTS = [
    Post(1, Kind.STORY, "", "A, \"B\" & 'C'", None, None, 100, hashed("a"), "https://e.org", 7),
    Post(2, Kind.COMMENT, "one, two;\n\n> \"three\"\n'four' | é", "", 1, 1, 200, hashed("b")),
    read_record(DEAD, "", hashed),
]
COLUMNS = list(dict.fromkeys(name for record in RECORDS for name in record))


def comma_separated() -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    writer.writerows(RECORDS)
    return file.getvalue().encode()


def tab_separated() -> bytes:
    """As databases write it: literal, but for what would end a cell or a row."""

    def cell(value: Any) -> str:
        escapes = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
        return "\\N" if value is None else "".join(escapes.get(c, c) for c in str(value))

    rows = [COLUMNS, *([cell(record.get(name)) for name in COLUMNS] for record in RECORDS)]
    return "".join("\t".join(row) + "\n" for row in rows).encode()


TEXTS = {
    ".jsonl": lines(RECORDS),
    ".ndjson": lines(RECORDS),
    ".json": json.dumps(RECORDS, indent=1).encode(),
    ".csv": comma_separated(),
    ".tsv": tab_separated(),
}


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("kind", TEXTS)
def test_every_format_gives_the_same_posts_however_it_is_packed(tmp_path: Path, kind: str, packing: str) -> None:
    assert read(write(tmp_path / f"dump{kind}{packing}", PACKERS[packing](TEXTS[kind]))) == POSTS


def parquet(path: Path, select: str, options: str = "") -> Path:
    with duckdb.connect() as db:
        db.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet{options})")
    return path


@pytest.mark.parametrize("codec", ["uncompressed", "gzip", "zstd", "snappy"])
def test_parquet_gives_the_same_posts_whatever_it_is_packed_with(tmp_path: Path, codec: str) -> None:
    source = write(tmp_path / "source.jsonl", lines(RECORDS))
    path = parquet(tmp_path / "dump.parquet", f"SELECT * FROM read_json('{source}')", f", COMPRESSION {codec}")
    assert read(path) == POSTS


def test_parquet_with_the_types_of_the_clickhouse_dump_is_read(tmp_path: Path) -> None:
    select = """SELECT 7::UINTEGER AS id, 1::TINYINT AS deleted, 2::TINYINT AS type, 'b' AS "by", 5::UINTEGER AS parent,
        TIMESTAMP '2006-10-09 18:21:51' AS time, 'gone' AS text, 0::TINYINT AS dead, [8, 9]::UINTEGER[] AS kids, 0 AS poll
        UNION ALL SELECT 8, 0, 1, 'b', 0, TIMESTAMP '2006-10-09 18:21:51', 'here', 0, [], 0"""
    gone, here = read(parquet(tmp_path / "dump.parquet", select))
    assert isinstance(gone, Post) and isinstance(here, Post)
    assert (gone.text, gone.parent, gone.time, gone.kind) == ("", 5, 1_160_418_111, Kind.COMMENT)
    assert (here.text, here.parent, here.time, here.kind) == ("here", None, 1_160_418_111, Kind.STORY)


def test_parquet_with_times_that_know_their_zone_is_read(tmp_path: Path) -> None:
    # the type of `timestamp` in the dump of BigQuery
    select = """SELECT 7 AS id, 'a' AS text, TIMESTAMPTZ '2006-10-09 18:21:51+00' AS timestamp"""
    assert read(parquet(tmp_path / "dump.parquet", select)) == [Post(7, text="a", time=1_160_418_111)]


def test_columns_that_are_not_known_are_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "dump.csv", "rank,id,text,secret\n1,5,hello,x\n")
    assert read(path) == [Post(5, text="hello")]


def test_a_name_with_other_dots_and_capitals_is_no_matter(tmp_path: Path) -> None:
    assert read(write(tmp_path / "hn.2026-11.JSONL.GZ", gzip.compress(lines(RECORDS)))) == POSTS


@pytest.mark.parametrize(
    ("name", "other"), [("a[1].csv", "a1.csv"), ("a*.csv", "a2.csv"), ("a?.csv", "a3.csv"), ("a'$x.csv", "ax.csv")]
)
def test_the_name_of_a_file_is_no_pattern(tmp_path: Path, name: str, other: str) -> None:
    write(tmp_path / other, "id,text\n2,not asked for\n")
    assert read(write(tmp_path / name, "id,text\n1,asked for\n")) == [Post(1, text="asked for")]


def test_packed_files_may_have_been_joined(tmp_path: Path) -> None:
    first, second = lines(RECORDS[:1]), lines(RECORDS[1:])
    assert read(write(tmp_path / "dump.jsonl.gz", gzip.compress(first) + gzip.compress(second))) == POSTS
    assert read(write(tmp_path / "dump.jsonl.zst", zstd.compress(first) + zstd.compress(second))) == POSTS


def test_one_item_alone_is_a_json_file_too(tmp_path: Path) -> None:
    assert read(write(tmp_path / "item.json", json.dumps(STORY))) == POSTS[:1]


@pytest.mark.parametrize(("name", "data"), [("a.jsonl", ""), ("a.jsonl", "\n\n"), ("a.json", "[]"), ("a.csv", "id,text\n")])
def test_a_file_without_items_is_no_error(tmp_path: Path, name: str, data: str) -> None:
    assert read(write(tmp_path / name, data)) == []


CSV_TEXT = st.text(st.sampled_from("ab ,;|\t\"'\n\\#é1"), max_size=12)


@settings(max_examples=15, derandomize=True, database=None)
@given(st.lists(CSV_TEXT, min_size=1, max_size=6), st.sampled_from(["\n", "\r\n"]))
@example(["'", "'"], "\n")  # a row begins and ends with what some programs quote with
@example(["", "", "a\t|''", "", ""], "\n")
def test_any_text_comes_through_csv_as_it_went_in(texts: list[str], line_end: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "dump.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator=line_end)
            writer.writerows([["id", "text"], *enumerate(texts, start=1)])
        assert read(path) == [read_record({"id": at, "text": text}, "", hashed) for at, text in enumerate(texts, start=1)]


# --- bad lines -----------------------------------------------------------------------------------------------------

GOOD = b'{"id": 1, "text": "a"}\n'


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"id": 2, "text": "b"\n', "not JSON"),
        (b"id: 2\n", "not JSON"),
        (b"\x00\x01\x02\n", "not JSON"),
        (b'{"id": 2, "text": "\xff\xfe"}\n', "not UTF-8"),
        (b"[1, 2]\n", "not a record (a JSON object)"),
        (b'"text"\n', "not a record (a JSON object)"),
        (b'{"text": "b"}\n', "no id"),
        (b'{"id": "x"}\n', "id is not a number"),
        (b"[" * 100_000 + b"\n", "not JSON"),
        (b'{"a":' * 100_000 + b"\n", "not JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_line_costs_one_line(tmp_path: Path, bad: bytes, reason: str) -> None:
    good = [b'{"id": %d}\n' % number for number in (1, 3, 4)]
    items = read(write(tmp_path / "dump.jsonl", good[0] + bad + b"".join(good[1:])))
    assert ids(items) == [1, 3, 4]
    assert items[1] == Skipped(reason, "dump.jsonl:2")


def test_a_bad_line_is_named_by_its_place_in_the_file_blank_lines_counted(tmp_path: Path) -> None:
    items = read(write(tmp_path / "dump.jsonl", b"\n \t\r\n" + GOOD + b"\n\nbad\n"))
    assert items == [Post(1, text="a"), Skipped("not JSON", "dump.jsonl:6")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("form", ["jsonl", "json", "csv"])
def test_text_as_a_shell_of_windows_writes_it_is_read(tmp_path: Path, encoding: str, form: str) -> None:
    said = {
        "jsonl": '{"id": 1, "text": "naïve 🍞"}\r\n',
        "json": '[{"id": 1, "by": "a", "text": "naïve 🍞"}]',
        "csv": "id,by,text\r\n1,a,naïve 🍞\r\n",
    }
    file = tmp_path / f"a.{form}"
    mark = "" if encoding == "utf-16" else "\ufeff"
    file.write_bytes(f"{mark}{said[form]}".encode(encoding))
    assert HACKER_NEWS.recognises(file) or form == "jsonl"
    (post,) = HACKER_NEWS.read(file, Hasher())
    assert isinstance(post, Post) and post.text == "naïve 🍞"


def test_bad_lines_before_the_first_good_one_are_counted_too(tmp_path: Path) -> None:
    items = read(write(tmp_path / "dump.jsonl", b"# a heading\n" * 999 + GOOD))
    assert (ids(items), reasons(items)) == ([1], {"not JSON": 999})


def test_a_last_line_without_an_end_is_a_line(tmp_path: Path) -> None:
    assert ids(read(write(tmp_path / "dump.jsonl", b'{"id": 1}\n{"id": 2}'))) == [1, 2]


def test_lines_may_end_as_on_windows(tmp_path: Path) -> None:
    assert ids(read(write(tmp_path / "dump.jsonl", b'{"id": 1}\r\n\r\n{"id": 2}\r\n'))) == [1, 2]


@pytest.mark.parametrize("kind", TEXTS)
def test_a_byte_order_mark_is_no_part_of_the_first_item(tmp_path: Path, kind: str) -> None:
    assert read(write(tmp_path / f"dump{kind}", b"\xef\xbb\xbf" + TEXTS[kind])) == POSTS


def test_a_lone_surrogate_in_a_line_becomes_the_replacement_character(tmp_path: Path) -> None:
    path = write(tmp_path / "dump.jsonl", r'{"id": 1, "text": "a\ud83d \ude00 \ud83d\ude00"}')
    assert read(path) == [Post(1, text="a\ufffd \ufffd \U0001f600")]


def test_numbers_that_json_does_not_have_do_not_stop_the_file(tmp_path: Path) -> None:
    path = write(
        tmp_path / "dump.jsonl", '{"id": 1, "score": NaN}\n{"id": 2, "score": 1e999}\n{"id": 3, "score": %s}\n' % ("9" * 5_000)
    )
    assert ids(read(path))[:2] == [1, 2]


def test_a_line_of_the_longest_length_is_read_and_a_longer_one_is_not(tmp_path: Path) -> None:
    start = b'{"id": 2, "other": "'
    fits = start + b"a" * (LONGEST_LINE - len(start) - 3) + b'"}\n'
    longer = fits.replace(b"a", b"aa", 1)
    assert len(fits) == LONGEST_LINE
    items = read(write(tmp_path / "dump.jsonl", GOOD + fits + longer + b'{"id": 3}\n'))
    assert ids(items) == [1, 2, 3]
    assert items[2] == Skipped("line longer than 16 MiB", "dump.jsonl:3")


PEAK = """
import resource, sys
from pathlib import Path
from rejoinder.archive.source import Hasher
from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
from rejoinder.archive.source import Skipped
resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))  # should it grow after all, it ends before the machine does
try:
    for item in HACKER_NEWS.read(Path(sys.argv[1]), Hasher()):
        print(item.reason if isinstance(item, Skipped) else item.id)
except Exception as error:
    print(type(error).__name__)
status = Path("/proc/self/status")  # of this program alone; getrusage also counts what its parent had before it
if status.exists():
    peak = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
print(peak * 1024)
"""


def read_elsewhere(path: Path) -> tuple[list[str], int]:
    """What a process of its own says of each item of the file, and the most memory it had, in bytes."""
    done = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True)
    *said, peak = done.stdout.split("\n")[:-1]
    return said, int(peak)


def test_a_line_of_100_megabytes_is_skipped_and_never_held_in_memory(tmp_path: Path) -> None:
    # gzip members may be joined: 100 times the same small one are 100 MB of one line
    member = gzip.compress(b"a" * 10**6)
    start, end = gzip.compress(GOOD + b'{"id": 2, "text": "'), gzip.compress(b'"}\n{"id": 3}\n')
    said, peak = read_elsewhere(write(tmp_path / "dump.jsonl.gz", start + member * 100 + end))
    assert said == ["1", "line longer than 16 MiB", "3"]
    assert peak < LARGE_PAGE


def test_deep_nesting_in_a_json_file_takes_no_more_memory_than_its_size(tmp_path: Path) -> None:
    said, peak = read_elsewhere(write(tmp_path / "dump.json", b'[{"id": 1}, {"id": 2, "text": ' + b"[" * 20_000))
    assert said[-1] == "SourceError"
    assert peak < LARGE_PAGE


# --- files that break off ------------------------------------------------------------------------------------------


def complete_lines(data: bytes, packing: str) -> int:
    """How many whole lines can be had from a packed file that was cut, by the libraries' own incremental readers."""
    unpacker = zlib.decompressobj(31) if packing == ".gz" else zstd.ZstdDecompressor()
    return unpacker.decompress(data).count(b"\n")


@pytest.mark.parametrize("share", [0.3, 0.95])
@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_a_packed_file_cut_short_keeps_every_complete_record_and_says_so(tmp_path: Path, packing: str, share: float) -> None:
    packed = PACKERS[packing](lines(many(8_000)))
    cut = packed[: int(len(packed) * share)]
    complete = complete_lines(cut, packing)
    items, error = until_break(HACKER_NEWS.read(write(tmp_path / f"dump.jsonl{packing}", cut), hashed))
    assert ids(items) == list(range(1, complete + 1))
    assert isinstance(error, SourceError)
    assert f"breaks off after line {complete:,}" in str(error)


def as_text(rows: list[dict[str, Any]], kind: str) -> bytes:
    """The rows in a format; a line to a row in all of them."""
    if kind == ".jsonl":
        return lines(rows)
    if kind == ".json":
        return ("[" + ",\n".join(map(json.dumps, rows)) + "]").encode()
    return ("id,text\n" + "".join(f"{row['id']},{row['text']}\n" for row in rows)).encode()


@pytest.mark.parametrize("kind", [".jsonl", ".json", ".csv"])
def test_a_packed_file_that_lacks_only_its_last_byte_keeps_all_its_records(tmp_path: Path, kind: str) -> None:
    # the last byte of gzip is of a checksum; what was packed is all there
    path = write(tmp_path / f"dump{kind}.gz", gzip.compress(as_text(many(500), kind))[:-1])
    items, error = until_break(HACKER_NEWS.read(path, hashed))
    assert isinstance(error, SourceError)
    assert ids(items) == list(range(1, 501))


@pytest.mark.parametrize("packing", [".gz", ".zst"])
@pytest.mark.parametrize("kind", [".csv", ".json"])
def test_another_packed_format_cut_short_keeps_its_records_too(tmp_path: Path, kind: str, packing: str) -> None:
    packed = PACKERS[packing](as_text(rows := many(8_000), kind))
    cut = packed[: len(packed) * 9 // 10]
    complete = complete_lines(cut, packing) - (kind == ".csv")  # the heading is no row
    assert 4_000 < complete < 8_000
    items, error = until_break(HACKER_NEWS.read(write(tmp_path / f"dump{kind}{packing}", cut), hashed))
    assert isinstance(error, SourceError)
    assert items == [Post(row["id"], text=row["text"]) for row in rows[:complete]]


def test_a_damaged_byte_in_a_packed_file_is_said_and_what_came_before_is_kept(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(lines(many(8_000))))
    packed[len(packed) // 2 : len(packed) // 2 + 64] = bytes(64)
    items, error = until_break(HACKER_NEWS.read(write(tmp_path / "dump.jsonl.gz", bytes(packed)), hashed))
    assert isinstance(error, SourceError)
    good = [item for item in items if isinstance(item, Post)]
    assert good[:1_000] == [Post(row["id"], text=row["text"]) for row in many(1_000)]


def test_a_json_array_broken_half_way_keeps_its_complete_records(tmp_path: Path) -> None:
    data = json.dumps(many(2_000))
    items, error = until_break(HACKER_NEWS.read(write(tmp_path / "dump.json", data[: data.index('{"id": 1500') + 20]), hashed))
    assert ids(items) == list(range(1, 1_500))
    assert isinstance(error, SourceError)
    assert "breaks off after record 1,499" in str(error)


def test_a_plain_file_cut_short_loses_its_last_line_only(tmp_path: Path) -> None:
    items = read(write(tmp_path / "dump.jsonl", lines(many(100))[:-20]))
    assert (ids(items), reasons(items)) == (list(range(1, 100)), {"not JSON": 1})


def test_rows_of_a_table_that_do_not_fit_are_skipped_by_reason(tmp_path: Path) -> None:
    path = write(tmp_path / "dump.csv", b'id,text\n1,a\n2,b,c\n3,\xff\xfe\n4,"d, e"\nx,f\n,g\n5,h\n')
    items = read(path)
    assert sorted(ids(items)) == [1, 4, 5]
    assert len(items) == 7  # a row is a post or is skipped
    assert reasons(items)["id is not a number"] == reasons(items)["no id"] == 1
    assert {item.where for item in items if isinstance(item, Skipped) and item.reason.startswith("not a row")} == {
        "dump.csv:3",
        "dump.csv:4",
    }


# --- files that are not what they claim ----------------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
NOT_WHAT_THEY_CLAIM = {
    "text.jsonl": b"Dear reader,\nthis is a letter.\n",
    "page.jsonl": b"<!doctype html>\n<html><body>404</body></html>\n",
    "array.jsonl": json.dumps(RECORDS, indent=1).replace("{", "").encode(),
    "image.jsonl": PNG,
    "wide.jsonl": lines(RECORDS).decode().encode("utf-16-le"),  # and no mark that says so
    "text.json": b"Dear reader",
    "page.json": b"<!doctype html>",
    "numbers.json": b"[1, 2, 3]",
    "number.json": b"7",
    "image.json": PNG,
    "columns.csv": b"name,age\nAda,36\n",
    "no_text.csv": b"id,by,score\n1,a,2\n",
    "no_id.csv": b"text,title\na,b\n",
    "image.csv": PNG,
    "empty.csv": b"",
    "cut.parquet": b"PAR1" + bytes(100),
    "packed.parquet.gz": gzip.compress(b"PAR1"),
    "page.xlsx": b"PK",
    "none": b"",
}


@pytest.mark.parametrize("name", NOT_WHAT_THEY_CLAIM)
def test_a_file_that_is_not_what_it_claims_gives_nothing_but_an_error(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, NOT_WHAT_THEY_CLAIM[name])
    items: list[Item] = []
    with pytest.raises(SourceError, match=name) as caught:
        items.extend(HACKER_NEWS.read(path, hashed))
    assert items == []
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.parquet", "a.txt", "a"])
@pytest.mark.parametrize("packing", PACKERS)
def test_what_is_in_a_file_goes_before_its_name(tmp_path: Path, name: str, packing: str) -> None:
    assert read(write(tmp_path / name, PACKERS[packing](TEXTS[".jsonl"]))) == POSTS


def test_parquet_with_other_columns_gives_nothing_but_an_error(tmp_path: Path) -> None:
    path = parquet(tmp_path / "dump.parquet", "SELECT 1 AS a, 2 AS b")
    with pytest.raises(SourceError, match=r"expected the columns id and text .*; got a, b\. Nothing was taken of it"):
        read(path)


def test_json_lines_that_are_named_json_are_read_whole_or_not_at_all(tmp_path: Path) -> None:
    items, error = until_break(HACKER_NEWS.read(write(tmp_path / "dump.json", lines(RECORDS)), hashed))
    assert items == ([] if error else POSTS)


def test_after_a_thousand_lines_that_are_none_the_file_is_given_up(tmp_path: Path) -> None:
    # the record at the end is never reached
    path = write(tmp_path / "dump.jsonl", b"a line of a letter\n" * 1_000 + GOOD)
    items, error = until_break(HACKER_NEWS.read(path, hashed))
    assert items == []
    assert isinstance(error, SourceError) and "none of its first 1,000 lines is a JSON object" in str(error)


def test_a_file_of_objects_that_are_no_items_is_json_lines_all_the_same(tmp_path: Path) -> None:
    items = read(write(tmp_path / "dump.jsonl", b'{"name": "Ada"}\n' * 1_500))
    assert reasons(items) == {"no id": 1_500}


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.jsonl: cannot be read: No such file"):
        read(tmp_path / "none.jsonl")


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "dump.jsonl").mkdir()
    with pytest.raises(SourceError, match="Is a directory"):
        read(tmp_path / "dump.jsonl")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_file_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "dump.jsonl", GOOD)
    path.chmod(0)
    with pytest.raises(SourceError, match="Permission denied"):
        read(path)


# --- reading ahead -------------------------------------------------------------------------------------------------


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that read."""
    found: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            found.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    return found


def test_reading_ahead_gives_the_same_items_in_the_same_order(tmp_path: Path, started: list[Any]) -> None:
    data = lines([STORY, *({**row, "by": f"author {row['id'] % 7}"} for row in many(3_500)), {"no": "id"}])
    path, key = write(tmp_path / "dump.jsonl", data + b"bad\n"), tmp_path / "author.key"
    expected = list(HACKER_NEWS.read(path, author_hasher(key)))
    assert together(read_ahead(HACKER_NEWS, path, author_hasher(key))) == batch(expected)
    assert len(expected) == 3_503
    assert all(process.returncode is not None for process in started) and started


@pytest.fixture
def three_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are read in small pieces by three processes."""
    monkeypatch.setattr("rejoinder.archive.read_ahead._cores", lambda: 3)
    monkeypatch.setattr("rejoinder.archive.read_ahead._FOR_EACH", 1)
    monkeypatch.setattr("rejoinder.archive.json_records._PIECE", 5_000)


@pytest.mark.usefixtures("three_readers")
@pytest.mark.parametrize("share", [1, 0.7])
def test_several_processes_read_pieces_of_a_file_as_one_reads_all_of_it(tmp_path: Path, started: list[Any], share: float) -> None:
    rows = [{**row, "by": f"author {row['id'] % 7}", "text": "word " * (row["id"] % 3_000)} for row in many(900)]
    data = gzip.compress(b"\n" + lines([STORY, *rows]).replace(b'"id": 7,', b'"no": 7,') + b"bad\n7")
    path, key = write(tmp_path / "dump.jsonl.gz", data[: int(len(data) * share)]), tmp_path / "author.key"
    expected, error = until_break(HACKER_NEWS.read(path, author_hasher(key)))
    some, same = until_break(read_ahead(HACKER_NEWS, path, author_hasher(key)))
    assert together(some) == batch(expected)
    assert expected and (share == 1) == (error is None) and type(same) is type(error)
    assert len(started) == 3 and all(process.returncode is not None for process in started)


@pytest.mark.usefixtures("three_readers")
def test_a_reader_that_dies_ends_the_reading_in_one_line(tmp_path: Path, started: list[Any]) -> None:
    some = read_ahead(HACKER_NEWS, write(tmp_path / "dump.jsonl", lines(many(30_000))), hashed)
    assert next(some).rows
    started[1].kill()
    _, error = until_break(some)
    assert isinstance(error, SourceError) and "ended early; what it had read is kept" in str(error)


@pytest.mark.parametrize("size", [1, 7, 100, 10**6])
def test_pieces_hold_the_lines_of_a_file_whatever_their_size(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rejoinder.archive.json_records._PIECE", size)
    path = write(tmp_path / "dump.jsonl", b"\n\n" + lines(many(30)) + b" \nbad\r\n7\n" + b'{"id": 99, "text": "last"}')
    pieces = HACKER_NEWS.pieces(path)
    assert pieces is not None
    assert [item for piece in pieces for item in HACKER_NEWS.read_piece(piece, path, hashed)] == read(path)


def test_reading_ahead_raises_the_same_error_after_the_same_items(tmp_path: Path) -> None:
    path, key = tmp_path / "dump.jsonl.gz", tmp_path / "author.key"
    write(path, gzip.compress(lines(many(4_000)))[:100_000])
    expected, error = until_break(HACKER_NEWS.read(path, author_hasher(key)))
    some, same = until_break(read_ahead(HACKER_NEWS, path, author_hasher(key)))
    assert together(some) == batch(expected)
    assert isinstance(same, SourceError) and str(same) == str(error)
    assert expected


def test_reading_ahead_refuses_what_reading_refuses(tmp_path: Path) -> None:
    path = write(tmp_path / "dump.csv", b"name,age\nAda,36\n")
    items, error = until_break(read_ahead(HACKER_NEWS, path, hashed))
    assert items == []
    assert isinstance(error, SourceError) and "expected the columns id and text" in str(error)


def test_reading_ahead_may_be_stopped_early(tmp_path: Path, started: list[Any]) -> None:
    path = write(tmp_path / "dump.jsonl", lines(many(30_000)))
    some = iter(read_ahead(HACKER_NEWS, path, hashed))
    assert next(some).rows[:3] == [to_row(Post(row["id"], text=row["text"])) for row in many(3)]
    some.close()  # type: ignore[attr-defined]
    assert all(process.returncode is not None for process in started) and started


def test_an_item_that_is_gone_is_no_item_of_a_file(tmp_path: Path) -> None:
    # a dump says `deleted`, with the item's links; only the API answers `null`
    items = read(write(tmp_path / "dump.jsonl", b'{"id": 1, "deleted": true, "parent": 2}\nnull\n'))
    assert not any(isinstance(item, Gone) for item in items)
    assert reasons(items) == {"not a record (a JSON object)": 1}
