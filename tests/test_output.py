"""What reaches a terminal: nothing hides in it, no word is broken, no cell is cut; and what is said while one waits."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import make_archive, toy_posts
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from rejoinder.cli.layout import days_ago, layout, visible, wrap
from rejoinder.cli.output import Pace, lines_of_progress, roughly
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.workspace import Workspace
from rejoinder.post import Kind, Post

WIDTHS = (60, 80, 120)


# --- foreign text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, with ümläuts; 漢字 and 😀", "plain, with ümläuts; 漢字 and 😀"),
        ("pay \u202e001 to me", "pay <U+202E>001 to me"),  # right to left from here on
        ("\u2066a\u2069 \u200eb \u061cc", "<U+2066>a<U+2069> <U+200E>b <U+061C>c"),
        ("pass\u200bword\ufeff \u2060", "pass<U+200B>word<U+FEFF> <U+2060>"),  # of no width
        ("a\u200db and \u200c", "a<U+200D>b and <U+200C>"),
        ("👩\u200d👩\u200d👧 and می\u200cخواهم", "👩\u200d👩\u200d👧 and می\u200cخواهم"),  # joiners where they belong
        ("👩\u200d\u200d👧", "👩<U+200D><U+200D>👧"),
        ("\x1b[31m \x07 \x9b", "<U+001B>[31m <U+0007> <U+009B>"),
        ("tag\U000e0041 var\U000e0100 fill\u3164", "tag<U+E0041> var<U+E0100> fill<U+3164>"),
        ("☎\ufe0f a\tb\nc", "☎\ufe0f a\tb\nc"),
        ("new\u2028line \ud800", "new\u2028line <U+D800>"),
    ],
)
def test_what_hides_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("time", [None, -(10**11), 10**12])
def test_a_moment_of_no_calendar_has_no_day(time: int | None) -> None:
    assert days_ago(time) == ""


# --- wrapping


WORDS = st.lists(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=30), min_size=1)


@given(WORDS, st.integers(1, 100), st.integers(0, 6))
def test_no_word_is_broken_and_no_line_too_long_that_could_be_shorter(words: list[str], width: int, hang: int) -> None:
    lines = wrap(" ".join(words), width, hang=hang)
    assert " ".join(lines).split() == " ".join(words).split()
    for line in lines:
        assert cell_len(line) <= width or len(line.split()) == 1


@given(st.lists(st.sampled_from(["a", "bb", "ccc"]), min_size=1), st.integers(8, 30))
def test_a_line_takes_what_fits(words: list[str], width: int) -> None:
    lines = wrap(" ".join(words), width)
    for line, following in pairwise(lines):
        assert len(line) + 1 + len(following.split()[0]) > width


def test_what_goes_on_stands_further_in() -> None:
    assert wrap("  one two three", 9, hang=2) == ["  one two", "    three"]
    assert wrap("as it is", None) == ["as it is"]
    assert wrap("漢字 漢字 漢字", 9) == ["漢字 漢字", "漢字"]  # two columns each


# --- tables


ROWS = [
    ["dual_encoder", "12.5 MB", "propose, rank", "two small encoders that learn what answers what"],
    ["bm25", "1.0 MB", "rank", "x"],
]
HEAD = ["rung", "size", "can", "what"]


def test_a_table_that_is_read_by_a_program_has_a_line_for_each_row() -> None:
    assert layout(HEAD, ROWS, None) == [
        "rung             size  can            what",
        "dual_encoder  12.5 MB  propose, rank  two small encoders that learn what answers what",
        "bm25           1.0 MB  rank           x",
    ]


def test_the_last_column_is_wrapped_where_there_is_room_for_it() -> None:
    assert layout(HEAD, ROWS, 66)[1].split("\n") == [
        "dual_encoder  12.5 MB  propose, rank  two small encoders that",
        "                                      learn what answers what",
    ]


def test_in_a_narrow_terminal_columns_go_below_their_row() -> None:
    assert layout(HEAD, ROWS, 30) == [
        "rung             size\n    can · what",
        "dual_encoder  12.5 MB\n    propose, rank · two small\n    encoders that learn what\n    answers what",
        "bm25           1.0 MB\n    rank · x",
    ]


CELLS = st.text(st.characters(exclude_categories=("C", "Z")), max_size=12)


@given(
    st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=5)),
    st.integers(1, 60),
)
def test_no_cell_is_ever_cut(rows: list[list[str]], width: int) -> None:
    names = [f"c{place}" for place in range(len(rows[0]))]
    for wide in (width, None):
        _, *items = layout(names, rows, wide)
        for row, item in zip(rows, items, strict=True):
            assert all(visible(cell) in item for cell in row)
            assert wide is not None or "\n" not in item


def test_foreign_text_stays_in_its_cell() -> None:
    assert layout(["a", "b"], [["x\ny", "\u202ez"]], None)[1] == "x y  <U+202E>z"


# --- progress


class Clock:
    """Time as the test says it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_pace_so_far_tells_the_time_left() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace(0, 30_000) == "0 of 30,000"
    clock.now += 60
    assert pace(6_000, 30_000) == "6,000 of 30,000, 4 min left"  # 100 a second, 24,000 to go
    assert pace(1_234_567, None) == "1,234,567"
    clock.now += 10
    assert pace(900, 1_000) == "900 of 1,000"  # resumed: what was done before says nothing of the pace
    clock.now += 10
    assert pace(950, 1_000) == "950 of 1,000, 10 s left"
    assert pace(1_000, 1_000) == "1,000 of 1,000"


@pytest.mark.parametrize(("seconds", "said"), [(0.2, "5 s"), (42, "40 s"), (95, "2 min"), (5_399, "90 min"), (9_000, "2.5 h")])
def test_a_wait_is_told_as_roughly_as_it_is_known(seconds: float, said: str) -> None:
    assert roughly(seconds) == said


def test_without_a_terminal_there_is_a_line_every_five_seconds() -> None:
    clock, said = Clock(), list[str]()
    report = lines_of_progress(said.append, clock)
    for second in range(12):
        report("reading posts", 1_000 * second, None)
        clock.now += 1
    report("fitting", 0, None)
    assert said == ["reading posts: 5,000", "reading posts: 10,000"]
    clock.now += 5
    report("fitting", 0, None)
    assert said[-1] == "fitting"


# --- in a terminal

HIDDEN = "Let the dough rest \u202euntil it doubles, and take the \u200b slowest flour there is. " * 5


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a reply in which something hides."""
    space = Workspace(tmp_path_factory.mktemp("terminal"))
    posts = [
        *toy_posts(),
        Post(9_001, Kind.STORY, "How is sourdough made ?", time=1),
        Post(9_002, Kind.COMMENT, HIDDEN, parent=9_001, time=2),
    ]
    make_archive(space.archive_file, posts).close()
    assert not fit(space, ["canned", "bm25"], FitConfig(on="all"), {})
    return space.home


def in_terminal(width: int, *arguments: str) -> str:
    """What a command shows in a terminal that is so many columns wide."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "REJOINDER_HOME")}
    command = [sys.executable, "-m", "rejoinder", *arguments]
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env={**environment, "TERM": "xterm"}) as process:
        os.close(theirs)
        shown = bytearray()
        while part := _read(ours):
            shown += part
    os.close(ours)
    assert process.returncode == 0
    return re.sub(r"\x1b\[[\d;]*m", "", shown.decode()).replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # its other end was closed
        return b""


@pytest.mark.parametrize("width", WIDTHS)
def test_replies_take_the_width_of_the_terminal_and_break_no_word(home: Path, width: int) -> None:
    shown = in_terminal(width, "reply", "--home", str(home), "--all", "--full", "-k", "1", "How is sourdough made?")
    lines = shown.splitlines()
    assert max(map(len, lines)) <= width and max(map(len, lines)) > width - 12
    assert " ".join(HIDDEN.replace("\u202e", "<U+202E>").replace("\u200b", "<U+200B>").split()) in " ".join(shown.split())


@pytest.mark.parametrize("width", WIDTHS)
def test_every_table_shows_its_names_whole(home: Path, width: int) -> None:
    shown = in_terminal(width, "rungs", "--home", str(home))
    listed = json.loads(
        subprocess.run(
            [sys.executable, "-m", "rejoinder", "rungs", "--home", str(home), "--json"], capture_output=True, check=True
        ).stdout
    )
    assert max(map(len, shown.splitlines())) <= width and "…" not in shown
    words = " ".join(shown.replace("·", " ").split())
    for rung in listed:
        assert rung["rung"] in words and rung["what"] in words


# --- stopped


STOPPED = """
import os, signal, sys, time
from rejoinder.archive.store import Archive
from rejoinder.cli import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs in the background of a shell has it ignored

def stopped(*_):  # as if Ctrl-C were pressed while it reads; the signal may reach another thread first
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(30)

Archive.add_batches = stopped
sys.argv = ["rejoinder", *sys.argv[1:]]
main()
"""


def test_stopped_by_hand_a_command_says_in_one_line_what_is_kept(tmp_path: Path) -> None:
    (tmp_path / "posts.jsonl").write_text('{"id": 1, "type": "story", "title": "x"}\n')
    arguments = ["import", str(tmp_path / "posts.jsonl"), "--home", str(tmp_path / "home")]
    ran = subprocess.run([sys.executable, "-c", STOPPED, *arguments], capture_output=True, text=True, timeout=60, check=False)
    said = "rejoinder: stopped; the posts read so far are kept; the same command reads the rest\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", said)
