"""The command line: through `main()` where that is enough, through real processes where it matters.

The help texts are golden files; `REJOINDER_GOLDEN=write` writes them anew.
"""

from __future__ import annotations

import gc
import gzip
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from conftest import BREAD, made_once, make_archive, toy_posts
from hn_server import HackerNewsServer, forum, status
from typer.main import get_command

from rejoinder.archive.places import place
from rejoinder.archive.store import Archive
from rejoinder.cli import app, main
from rejoinder.errors import SourceError
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.library import Home
from rejoinder.home.sample import REPLYING
from rejoinder.home.workspace import Workspace
from rejoinder.models import LADDER, without_extras
from rejoinder.post import Kind, Post, State

HERE = Path(__file__).parent
COMMANDS = (
    "import", "fetch hn", "fetch discourse", "fetch github", "fetch zulip", "fetch zammad", "fetch chatwoot", "fetch imap",
    "info", "fit", "rungs", "reply", "complete", "forget", "arpa export", "arpa import", "audit", "ladder",
    "serve", "service install", "service show", "service remove", "pair", "lsp", "switch", "tour", "inspect cell", "inspect word",
    "inspect analogy", "inspect map", "inspect vectors", "bundle",
    "model add", "model remove", "model use", "own add", "own show", "own phrases", "own erase",
)  # fmt: skip
GROUPS = "fetch", "inspect", "model", "own", "service", "arpa"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # what a terminal might obey; newline and tab are text
BUILT = get_command(app)  # once: building the commands takes longer than running most of them
TITLE = "\x1b]0;owned\x07"  # sets the title of a terminal; unlike colours, it is not taken out on the way to a pipe
COUNTS = {
    "lines", "new", "updated", "unchanged", "skipped", "reasons", "first_at", "without", "moved", "moved_to_another_part",
    "circular", "seconds",
}  # fmt: skip


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Rejoinder = Callable[..., Ran]


@pytest.fixture
def rejoinder(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Rejoinder]:
    """Run a command in this process."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("SSL_CERT_DIR", str(HERE))  # nothing here needs certificates, and reading them takes a while
    monkeypatch.delenv("REJOINDER_HOME", raising=False)
    monkeypatch.setattr("typer.main.get_command", lambda _: BUILT)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys.modules["__main__"], "__package__", None)  # else help calls itself by the name of the test runner

    def run(*arguments: object, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "argv", ["rejoinder", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Ran(code, *capsys.readouterr())

    yield run
    gc.enable()  # an import switches it off for the rest of its process


def spawn(*arguments: object, stdin: bytes = b"", **environment: str) -> Ran:
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "rejoinder", *map(os.fsencode, map(str, arguments))]
    ended = subprocess.run(command, input=stdin, capture_output=True, env={**clean_environment(), **environment}, timeout=60)
    return Ran(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def clean_environment() -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if name != "REJOINDER_HOME"}
    return {**ours, "COLUMNS": "100", "PYTHONIOENCODING": "utf-8:strict"}


def lines(path: Path, *records: object) -> Path:
    """A file of JSON Lines; a string stands for itself."""
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records))
    return path


def one_line(ran: Ran) -> str:
    """The one line on stderr of a command that failed."""
    assert ran.code == 2, ran
    assert ran.err.startswith("rejoinder: ") and ran.err.endswith("\n") and ran.err.count("\n") == 1, ran.err
    return ran.err


def items(threads: int = 12) -> Iterator[dict[str, Any]]:
    """Hacker News items: a question about teapots, an answer, thanks."""
    for number in range(1, threads + 1):
        root = 100 * number
        yield {"id": root, "type": "story", "by": f"asker{number}", "time": root, "title": f"Which teapot, part {number}?"}
        answer = f"The one from drawer {number} pours well; lid {number} fits kettle {number} and cup {number}."
        yield {"id": root + 1, "type": "comment", "by": "potter", "time": root + 1, "parent": root, "text": answer}
        thanks = {"by": f"asker{number}", "text": "Thank you, I will look there."}
        yield {"id": root + 2, "type": "comment", "time": root + 2, "parent": root + 1, **thanks}


@pytest.fixture(scope="session")
def hn_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a small archive of Hacker News, all rungs fitted. Read only."""
    return made_once(tmp_path_factory, "hn-home", _fit_everything)


def _fit_everything(home: Path) -> None:
    from rejoinder.archive.sources.hackernews import read_record

    space = Workspace(home)
    with space.open_archive(create=True) as archive:
        place(archive, "hn")
        archive.add(read_record(item, "", space.hasher()) for item in items())
        archive.add([Post(77, state=State.DELETED)])
    fit(space, without_extras(), FitConfig(vocabulary=300), {})


@pytest.fixture
def toy_home(tmp_path: Path) -> Path:
    """A home with the toy archive, nothing fitted."""
    home = tmp_path / "toy-home"
    with Workspace(home).open_archive(create=True) as archive:
        place(archive, "toy", hashed=False)
        archive.add(toy_posts(20))
    return home


@pytest.fixture
def empty_home(tmp_path: Path) -> Path:
    """A home with an archive that holds nothing."""
    home = tmp_path / "empty-home"
    Archive.open(home / "archive.db", create=True).close()
    return home


# --- help ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["", *GROUPS, *COMMANDS])
def test_help_is_as_written_down(rejoinder: Rejoinder, command: str) -> None:
    ran = rejoinder(*command.split(), "--help")
    golden = HERE / "golden" / f"help{'-' if command else ''}{command.replace(' ', '-')}.txt"
    if os.environ.get("REJOINDER_GOLDEN") == "write":
        golden.write_text(ran.out)
    assert (ran.code, ran.err, ran.out) == (0, "", golden.read_text())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_has_an_example_json_and_home(rejoinder: Rejoinder, command: str) -> None:
    shown = rejoinder(*command.split(), "--help").out
    assert f"Example:\n    rejoinder {command}" in shown
    assert "--json" in shown or command in ("serve", "lsp")  # which speak nothing else
    assert "--home" in shown or command in ("bundle", "tour", "service remove")  # two with archives of their own; one service


@pytest.mark.parametrize("command", GROUPS)
def test_help_of_some_commands_has_an_example(rejoinder: Rejoinder, command: str) -> None:
    assert f"Example:\n    rejoinder {command} " in rejoinder(command, "--help").out


@pytest.mark.parametrize("command", [*COMMANDS, *GROUPS])
def test_examples_in_help_can_be_parsed(rejoinder: Rejoinder, command: str) -> None:
    examples = re.findall(r"^ +rejoinder (.*)$", rejoinder(*command.split(), "--help").out, re.MULTILINE)
    assert examples
    for example in examples:
        words, found = shlex.split(example), BUILT
        for name in command.split():
            assert words.pop(0) == name
            found = found.commands[name]  # type: ignore[attr-defined]
        found.make_context(command, words).close()  # raises for an option or a value it does not take


def test_without_a_command_help_is_shown_and_the_exit_status_is_2(rejoinder: Rejoinder) -> None:
    ran = rejoinder()
    assert ran.code == 2
    assert "Usage: " in ran.out + ran.err and "complete  Finish the sentence of a draft." in ran.out + ran.err


def test_the_version_is_that_of_the_package(rejoinder: Rejoinder) -> None:
    declared = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]["version"]
    assert rejoinder("--version").out == f"rejoinder {declared}\n"


def test_help_loads_nothing_heavy() -> None:
    heavy = ("numpy", "tantivy", "sqlite3", "httpx", "tokenizers", "duckdb", "orjson", "ijson", "asyncio")
    code = f"""
import sys
from rejoinder.cli import main
for command in {["", *GROUPS, *COMMANDS]!r}:
    sys.argv = ["rejoinder", *command.split(), "--help"]
    try:
        main()
    except SystemExit:
        pass
    print(command, [name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean_environment(), timeout=60)
    assert ended.stderr.splitlines() == [f"{command} []" for command in ["", *GROUPS, *COMMANDS]]


def test_a_command_loads_no_other_one() -> None:
    code = """
import sys
from rejoinder.cli import main
sys.argv = ["rejoinder", "--quiet", "complete", "--help"]
try:
    main()
except SystemExit:
    print([name for name in ("suggest", "ladder", "fetching", "audit") if f"rejoinder.cli.{name}" in sys.modules])
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean_environment(), timeout=60)
    assert ended.stdout.startswith("Usage: ") and ended.stdout.splitlines()[-1] == "['suggest']"


# --- errors ----------------------------------------------------------------------------------------------------------


def test_stopped_before_there_is_a_command_it_ends_quietly(rejoinder: Rejoinder, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(names: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["rejoinder.cli"], "build", stopped)
    ran = rejoinder("info")
    assert (ran.code, ran.out, ran.err) == (130, "", "")


FREE = "free some space there, then run the same command again"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), f"No space left on device; {FREE}"),
        (OSError(28, "No space left on device", "there"), f"there: No space left on device; {FREE}"),
        (OSError(13, "Permission denied", "there"), "there: Permission denied"),
        (TimeoutError("it took too long"), "it took too long"),
        (ConnectionAbortedError(), "ConnectionAbortedError"),
    ],
)
def test_an_error_of_the_system_is_told_in_its_words(
    rejoinder: Rejoinder, monkeypatch: pytest.MonkeyPatch, error: OSError, said: str
) -> None:
    def broken() -> None:
        raise error

    monkeypatch.setattr(sys.modules["rejoinder.cli"], "build", lambda names: broken)
    ran = rejoinder("info")
    assert (ran.code, ran.err) == (2, f"rejoinder: {said}\n")


MISTAKES: dict[str, tuple[list[str], str]] = {
    "an unknown item": (["reply", "--item", "123456789"], "no post 123456789 in the archive"),
    "an item beyond all ids": (["reply", "--item", str(2**70)], f"no post {2**70} in the archive"),
    "a deleted item": (["reply", "--item", "77"], "post 77 was deleted at its source"),
    "nothing to answer": (["reply"], "nothing to reply to: give TEXT, - for stdin, --item ID or --thread FILE"),
    "no words": (["reply", ""], "nothing to reply to: the post has no words"),
    "only white space": (["reply", " \n\t "], "nothing to reply to: the post has no words"),
    "only control characters": (["reply", "\x01\x02"], "nothing to reply to: the post has no words"),
    "an empty stdin": (["reply", "-"], "nothing to reply to: the post has no words"),
    "text and item": (["reply", "text", "--item", "100"], "give one of TEXT, --item and --thread; got TEXT and --item"),
    "stdin and item": (["reply", "-", "--item", "100"], "got TEXT and --item"),
    "text and thread": (["reply", "text", "--thread", "x.jsonl"], "got TEXT and --thread"),
    "item and thread": (["complete", "a", "--item", "1", "--thread", "x.jsonl"], "got --item and --thread"),
    "a thread that is not there": (["reply", "--thread", "not-here.jsonl"], "not-here.jsonl: cannot be read"),
    "a thread of no kind at all": (["reply", "--thread", "thread.doc"], "thread.doc: cannot be read: No such file"),
    "an unknown rung to reply": (["reply", "x", "--rung", "bm52"], "no rung `bm52` (did you mean `bm25`?); rungs: canned, "),
    "an unknown rung to complete": (["complete", "x", "--rung", "markof"], "no rung `markof` (did you mean `markov`?)"),
    "a rung that cannot reply": (["reply", "x", "--rung", "markov"], "`markov` cannot do this; those that can: canned, bm25"),
    "a rung that cannot complete": (["complete", "x", "--rung", "bm25"], "`bm25` cannot do this; those that can: unigram"),
    "an unknown rung to fit": (["fit", "unigrams"], "no rung `unigrams` (did you mean `unigram`?)"),
    "an unknown setting": (["fit", "--set", "markov.discont=0.5"], "no setting `discont` (did you mean `discount`?)"),
    "a setting of an unknown rung": (["fit", "--set", "markof.discount=0.5"], "no rung `markof` (did you mean `markov`?)"),
    "a setting of the wrong type": (["fit", "--set", "bm25.k1=high"], "`bm25.k1` must be float; got 'high'"),
    "a setting out of range": (["fit", "--set", "bm25.b=2"], "`bm25.b` must lie in [0, 1]; got 2"),
    "a setting without a value": (["fit", "--set", "bm25.b"], "--set takes rung.key=value"),
    "settings that are not there": (["fit", "--config", "not-here.toml"], "not-here.toml"),
    "an unknown command": (["improt"], "no such command 'improt'"),
    "an unknown command of some": (["own", "ad"], "no such command 'ad'. Did you mean 'add'?; see rejoinder own --help"),
    "an unknown option": (["fit", "--sed", "1"], "no such option: --sed (Possible options: --seed, --set, --store); see"),
    "an unknown option of all": (["--loud", "info"], "no such option: --loud; see rejoinder --help"),
    "no argument": (["import"], "missing argument 'PATH'; see rejoinder import --help"),
    "one argument too many": (["info", "all"], "got unexpected extra argument(s) (all); see rejoinder info --help"),
    "no number": (["complete", "x", "-k", "many"], "invalid value for '-k': it should be a valid integer; see"),
    "a number out of range": (["complete", "x", "-k", "99"], "'-k': it should be less than or equal to 20; see"),
    "two authors to forget": (["forget", "--author", "a", "--author", "b"], "--author was given 2 times; forget one"),
    "an author of a place to forget": (["forget", "--author", "a", "--source", "hn"], "give one of items (--item ID), an author"),
    "an unknown part to learn from": (["fit", "--on", "dev"], "--on must be train or all; got 'dev'"),
    "an unknown split": (["info", "--split", "size"], "--split must be hash or time; got 'size'"),
    "a file that is not there": (["import", "not-here.jsonl"], "not-here.jsonl: no such file"),
    "a pattern that matches nothing": (["import", "not-here-*.jsonl"], "not-here-*.jsonl: no such file"),
    "a fetch of nothing": (["fetch", "hn"], "nothing asked for: give --item ID, --top N, --since DATE or --updates"),
    "what is shown, for programs": (["import", "x.jsonl", "--show", "1", "--json"], "--show is for people to read: leave"),
    "a file for a folder of reports": (["ladder", "--out", __file__], f"--out {__file__} is a file; it takes a folder"),
    "a date that is none": (["fetch", "hn", "--since", "2026-13-40"], "--since takes a date such as 2026-11-01; got"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("x", "--rung", "kneser_ney"), "`kneser_ney` cannot do this; those that can: canned, bm25"),
        (("x", "--rung", "kneser"), "no rung `kneser`"),
        (("--thread", "not-here.jsonl"), "not-here.jsonl: cannot be read"),
        (("--item", "1"), "no post 1 in the archive"),
        (("",), "nothing to reply to: the post has no words"),
        ((), "nothing to reply to: give TEXT"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)
def test_what_cannot_be_answered_is_refused_before_anything_is_fitted(
    rejoinder: Rejoinder, tmp_path: Path, given: tuple[str, ...], said: str
) -> None:
    ran = rejoinder("reply", *given, "--home", tmp_path)
    assert ran.code == 2 and said in ran.err.splitlines()[-1] and not (tmp_path / "sample" / "models").exists()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gives_one_line_and_exit_status_2(rejoinder: Rejoinder, hn_home: Path, mistake: str) -> None:
    arguments, expected = MISTAKES[mistake]
    ran = rejoinder(*arguments, "--home", hn_home)
    assert expected in one_line(ran)
    assert ran.out == ""


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["replay"], "replay"),
        (["reply", "--jsn", "x"], "--jsn"),
        (["reply", "x", "-k", "0"], "-k"),
        (["complete", "x", "--words", "many"], "--words"),
        (["import"], "PATH"),
        (["fetch", "hn", "--concurrency", "0"], "--concurrency"),
        (["fetch", "hn", "--item", "one"], "--item"),
        (["fetch", "hn", "--top", "-1", "--api", "http://127.0.0.1:1"], "--top"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_command_line_that_cannot_be_read_names_what_is_wrong(
    rejoinder: Rejoinder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], named: str
) -> None:
    monkeypatch.setenv("REJOINDER_HOME", str(tmp_path / "home"))
    ran = rejoinder(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert named in ran.err.splitlines()[-1] and "Traceback" not in ran.err


def test_posts_of_two_places_lie_in_one_home_though_their_ids_are_the_same(rejoinder: Rejoinder, tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", *items(1))
    for name in ("one", "two", "hn", "one"):
        assert rejoinder("import", "--source", name, file, "--home", tmp_path / "home").code == 0
    found = rejoinder("info", "--home", tmp_path / "home", "--json").json
    assert found["sources"] == {"one": 3, "two": 3, "hn": 3}


def test_an_error_is_one_line_also_in_a_process_of_its_own(hn_home: Path) -> None:
    ran = spawn("reply", "--item", "123456789", "--home", hn_home)
    assert "no post 123456789" in one_line(ran)
    assert ran.out == ""


def test_debug_shows_the_traceback(hn_home: Path) -> None:
    ran = spawn("--debug", "reply", "--item", "123456789", "--home", hn_home)
    assert ran.code != 0
    assert "Traceback (most recent call last)" in ran.err and "UnknownPost: no post 123456789" in ran.err


def test_what_is_missing_says_what_to_do(rejoinder: Rejoinder, hn_home: Path) -> None:
    assert "`rejoinder fetch hn --item 5` reads it" in rejoinder("reply", "--item", 5, "--home", hn_home).err


def test_the_id_that_is_shown_before_an_import_is_the_one_that_the_archive_knows(rejoinder: Rejoinder, tmp_path: Path) -> None:
    """And the id that a post has at its place leads to it; of other places than Hacker News nothing is to be fetched there."""
    (tmp_path / "desk.csv").write_text("id,parent,text\n1,,How do I descale a kettle?\n2,1,With vinegar.\n")
    home, where = tmp_path / "home", ("--map", "id=id,parent=parent,text=text", "--home", tmp_path / "home")
    for name in ("desk", "office"):
        given = ("import", tmp_path / "desk.csv", *where, *(["--source", name] if name == "office" else []))
        (shown,) = re.findall(r"id (\d+); there: 2; parent: (\d+)", rejoinder(*given, "--show", 2).out)
        assert rejoinder(*given).code == 0
        with Workspace(home).open_archive() as archive:
            assert [post.id for post in archive.path_to(int(shown[0]))] == [int(shown[1]), int(shown[0])]
        assert f"post 2 of `{name}` is {shown[0]} here" in rejoinder("reply", "--item", 2, "--home", home).err
        assert f"post 2 of `{name}` is {shown[0]} here" in rejoinder("forget", "--item", 2, "--home", home).err
    assert "`rejoinder import --show N` and `rejoinder reply` show the ids" in rejoinder("reply", "--item", 9, "--home", home).err


@pytest.mark.parametrize("command", [["info"], ["reply", "x"], ["fit"], ["fetch", "hn", "--item", "1"], ["import"]], ids="-".join)
def test_a_home_that_is_a_file_is_named_in_one_line(rejoinder: Rejoinder, tmp_path: Path, command: list[str]) -> None:
    home = tmp_path / "home"
    home.write_text("not a folder")
    more = [lines(tmp_path / "a.jsonl", *items(1))] if command == ["import"] else []
    ran = rejoinder(*command, *more, "--home", home)
    assert (ran.code, ran.out) == (2, "")
    last = ran.err.splitlines()[-1]  # that the sample would be used may be said before
    assert last.startswith("rejoinder: ") and str(home) in last


def test_a_home_of_no_name_is_not_the_folder_we_are_in(
    rejoinder: Rejoinder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `--home "$UNSET"` gives it."""
    monkeypatch.chdir(tmp_path)
    assert "--home names no folder; for the one you are in: --home ." in one_line(rejoinder("switch", "off", "--home", ""))
    assert not [*tmp_path.iterdir()]
    assert rejoinder("switch", "off", "--home", ".").code == 0 and (tmp_path / "off").exists()


def test_a_fetch_of_nothing_makes_no_home(rejoinder: Rejoinder, tmp_path: Path) -> None:
    assert "nothing asked for" in one_line(rejoinder("fetch", "hn", "--home", tmp_path / "home"))
    assert not (tmp_path / "home").exists()


def test_a_command_whose_output_was_closed_ends_quietly(hn_home: Path) -> None:
    command = [sys.executable, "-m", "rejoinder", "rungs", "--home", str(hn_home)]
    ran = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *command], capture_output=True, env=clean_environment(), timeout=60)
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_an_archive_that_is_none_gives_one_line(rejoinder: Rejoinder, tmp_path: Path) -> None:
    (tmp_path / "archive.db").write_text("not a database, but long enough to be looked at" * 20)
    assert "archive.db" in one_line(rejoinder("info", "--home", tmp_path))


@pytest.mark.parametrize("command", ["reply", "complete"])
def test_stdin_that_is_not_utf8_gives_one_line(rejoinder: Rejoinder, hn_home: Path, command: str) -> None:
    ran = rejoinder(command, "-", "--home", hn_home, stdin=b"te\xffapot")
    assert "standard input is not UTF-8 text (invalid start byte at byte 2)" in one_line(ran)


@pytest.mark.parametrize("command", ["reply", "complete"])
@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("odd", ["\udcff", "\ud83d"], ids=["not UTF-8", "lone surrogate"])
def test_an_argument_that_is_not_utf8_is_answered(rejoinder: Rejoinder, hn_home: Path, command: str, form: str, odd: str) -> None:
    ran = rejoinder(command, f"Which {odd} teapot", "--home", hn_home, *(["--json"] if form == "json" else []))
    assert (ran.code, ran.err) == (0, "")
    assert odd not in ran.out


def test_an_argument_that_is_not_utf8_is_answered_also_in_a_process_of_its_own(hn_home: Path) -> None:
    ran = spawn("complete", "Which \udcff teapot", "--home", hn_home)  # the byte FF on its way through the operating system
    assert (ran.code, ran.err) == (0, "")


def test_a_reader_that_has_left_ends_the_command_quietly(hn_home: Path) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "-m", "rejoinder", "rungs", "--home", str(hn_home)]
    ended = subprocess.run(command, stdout=writes, stderr=subprocess.PIPE, env=clean_environment(), timeout=60)
    os.close(writes)
    assert ended.stderr == b""


def test_piping_into_head_gives_its_line_and_nothing_else(hn_home: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -m rejoinder info --home {shlex.quote(str(hn_home))} | head -1"
    ended = subprocess.run(["sh", "-c", command], capture_output=True, env=clean_environment(), timeout=60)
    assert (ended.stdout.count(b"\n"), ended.stdout[:8], ended.stderr) == (1, b"archive ", b"")


# --- homes and the sample --------------------------------------------------------------------------------------------


def test_the_home_comes_from_the_environment(rejoinder: Rejoinder, hn_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REJOINDER_HOME", str(hn_home))
    assert rejoinder("info", "--json").json["archive"] == str(hn_home / "archive.db")


def test_the_option_for_the_home_wins_over_the_environment(
    rejoinder: Rejoinder, hn_home: Path, toy_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REJOINDER_HOME", str(hn_home))
    assert rejoinder("info", "--json", "--home", toy_home).json["archive"] == str(toy_home / "archive.db")


def test_without_either_the_home_is_the_data_directory_of_the_platform(
    rejoinder: Rejoinder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from platformdirs import user_data_path

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = user_data_path("rejoinder", appauthor=False)
    assert tmp_path in expected.parents
    assert rejoinder("import", lines(tmp_path / "a.jsonl", *items(1))).code == 0
    assert (expected / "archive.db").is_file()


@pytest.mark.parametrize(
    "command", [["reply", "Makefiles"], ["complete", "The"], ["info"], ["rungs"]], ids=lambda words: words[0]
)
def test_the_sample_stands_in_for_an_archive_and_only_stderr_says_so(
    rejoinder: Rejoinder, sample_home: Path, command: list[str]
) -> None:
    ran = rejoinder(*command, "--home", sample_home)
    assert ran.code == 0
    assert str(sample_home) in ran.err and ran.err.count("\n") == 1
    used = "the models in the package" if command[0] == "complete" else "the embedded sample"
    assert f"using {used} (`rejoinder import FILE` brings your own" in ran.err
    assert ran.out and "embedded sample" not in ran.out


def test_the_sample_does_not_stand_in_where_there_is_an_archive(rejoinder: Rejoinder, hn_home: Path) -> None:
    assert rejoinder("info", "--home", hn_home).err == ""


def test_the_sample_is_fitted_once(rejoinder: Rejoinder, sample_home: Path) -> None:
    first = rejoinder("rungs", "--json", "--home", sample_home).json
    assert {rung["rung"] for rung in first if rung["fitted"]} == {
        *REPLYING, "package/kneser_ney", "package/lstm", "package/mixture", "package/pair_encoder",
    }  # fmt: skip
    assert rejoinder("rungs", "--json", "--home", sample_home).json == first


def test_the_sample_gives_replies_with_rung_score_and_source(rejoinder: Rejoinder, sample_home: Path) -> None:
    shown = rejoinder("reply", "Why do people still use Makefiles?", "--home", sample_home).out
    assert len(re.findall(r"^    bm25 · \d+% likely on topic · post \d+, .*\n    asked there", shown, re.MULTILINE)) >= 2


def test_a_failed_import_leaves_the_sample_standing_in(rejoinder: Rejoinder, tmp_path: Path) -> None:
    rejoinder("import", lines(tmp_path / "bad.jsonl", "not JSON"), "--home", tmp_path / "home")
    assert Workspace(tmp_path / "home").is_empty


# --- import ----------------------------------------------------------------------------------------------------------

GOOD = {"id": 1, "type": "story", "title": "A title"}
MIXED = (
    GOOD,  # new
    {"id": 2, "type": "comment", "parent": 1, "text": "Some words"},  # new
    {"id": 3, "type": "comment", "parent": 1, "text": "Some words"},  # new
    GOOD,  # unchanged
    {"id": 2, "type": "comment", "parent": 1, "text": "Other words"},  # updated
    "not JSON",  # skipped
    {"type": "comment"},  # skipped: no id
    {"title": "no id"},  # skipped: no id
)


def test_the_counts_of_an_import_add_up(rejoinder: Rejoinder, tmp_path: Path) -> None:
    ran = rejoinder("import", lines(tmp_path / "a.jsonl", *MIXED), "--home", tmp_path)
    assert ran.code == 0
    said = ran.out.splitlines()
    assert said[0] == "a.jsonl: 8 lines = 3 new + 1 updated + 1 unchanged + 3 skipped"
    assert "  skipped 2: no id (first: a.jsonl:7)" in said and "  skipped 1: not JSON (first: a.jsonl:6)" in said


def test_the_counts_of_an_import_add_up_in_json(rejoinder: Rejoinder, tmp_path: Path) -> None:
    (file,) = rejoinder("import", lines(tmp_path / "a.jsonl", *MIXED), "--home", tmp_path, "--json").json["files"]
    assert {name: file[name] for name in ("lines", "new", "updated", "unchanged", "skipped")} == {
        "lines": 8, "new": 3, "updated": 1, "unchanged": 1, "skipped": 3,
    }  # fmt: skip
    assert file["reasons"] == {"no id": 2, "not JSON": 1}


def test_an_import_made_twice_changes_nothing(rejoinder: Rejoinder, tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", *items(3))
    rejoinder("import", file, "--home", tmp_path)
    again = rejoinder("import", file, "--home", tmp_path, "--json").json["files"][0]
    assert (again["lines"], again["unchanged"]) == (9, 9)


def test_an_item_that_is_its_own_parent_is_told(rejoinder: Rejoinder, tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", {"id": 5, "type": "comment", "parent": 5, "text": "I answer myself."})
    assert "kept 1 whose parents run in a circle (first: 5)" in rejoinder("import", file, "--home", tmp_path).out


@pytest.mark.parametrize("key", ["id", "parent", "story", "time", "score"])
@pytest.mark.parametrize("number", [2**70, -(2**70)], ids=["large", "negative"])
def test_a_number_too_large_for_the_archive_costs_one_record_at_most(
    rejoinder: Rejoinder, tmp_path: Path, key: str, number: int
) -> None:
    file = lines(tmp_path / "a.jsonl", GOOD, {"id": 2, "type": "comment", "text": "words", key: number})
    (counts,) = rejoinder("import", file, "--home", tmp_path, "--json").json["files"]
    assert (counts["lines"], counts["new"] + counts["skipped"]) == (2, 2)


def test_one_bad_file_among_several_does_not_stop_the_others(rejoinder: Rejoinder, tmp_path: Path) -> None:
    first, second = list(items(2))[:3], list(items(2))[3:]
    files = lines(tmp_path / "a.jsonl", *first), lines(tmp_path / "b.jsonl", "words"), lines(tmp_path / "c.jsonl", *second)
    ran = rejoinder("import", *files, "--home", tmp_path)
    assert "b.jsonl: not a form of archive that is known: it begins with b'words" in one_line(ran)
    assert "a.jsonl: 3 lines = 3 new" in ran.out and "c.jsonl: 3 lines = 3 new" in ran.out


def test_every_bad_file_gets_its_line(rejoinder: Rejoinder, tmp_path: Path) -> None:
    files = [lines(tmp_path / name, "words") for name in ("a.jsonl", "b.json", "c.jsonl.gz")]
    ran = rejoinder("import", *files, "--home", tmp_path)
    assert ran.code == 2
    named = [re.match(r"rejoinder: \S*/(\S+): ", line) for line in ran.err.splitlines()]
    assert [match and match[1] for match in named] == ["a.jsonl", "b.json", "c.jsonl.gz"]


def test_a_bad_file_among_several_is_named_in_json(rejoinder: Rejoinder, tmp_path: Path) -> None:
    files = lines(tmp_path / "a.jsonl", *items(1)), lines(tmp_path / "b.jsonl", "words")
    ran = rejoinder("import", *files, "--home", tmp_path, "--json")
    assert ran.code == 2
    assert [Path(file["file"]).name for file in ran.json["files"]] == ["a.jsonl"]
    assert len(ran.json["errors"]) == 1 and "b.jsonl" in ran.json["errors"][0]


def test_a_file_that_breaks_off_keeps_what_came_before_and_exits_2(rejoinder: Rejoinder, tmp_path: Path) -> None:
    whole = gzip.compress("".join(json.dumps(item) + "\n" for item in items(200)).encode())
    half = whole[: len(whole) // 2]
    readable = zlib.decompressobj(wbits=31).decompress(half).count(b"\n")
    assert 0 < readable < 600
    (tmp_path / "a.jsonl.gz").write_bytes(half)
    ran = rejoinder("import", tmp_path / "a.jsonl.gz", "--home", tmp_path)
    assert f"breaks off after line {readable} " in one_line(ran)
    assert f"a.jsonl.gz: {readable} lines = {readable} new" in ran.out


def test_a_pattern_is_all_files_that_match_it(rejoinder: Rejoinder, tmp_path: Path) -> None:
    for number, item in enumerate(items(1)):
        lines(tmp_path / f"part-{number}.jsonl", item)
    files = rejoinder("import", tmp_path / "part-*.jsonl", "--home", tmp_path, "--json").json["files"]
    assert [Path(file["file"]).name for file in files] == ["part-0.jsonl", "part-1.jsonl", "part-2.jsonl"]


def test_a_file_that_is_not_there_leaves_no_home_behind(rejoinder: Rejoinder, tmp_path: Path) -> None:
    assert rejoinder("import", tmp_path / "a.jsonl", "--home", tmp_path / "home").code == 2
    assert not (tmp_path / "home").exists()


def test_a_missing_extra_is_named_and_the_other_files_are_imported(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    absent.mkdir()
    (absent / "duckdb.py").write_text("raise ImportError('not installed')")
    (tmp_path / "a.parquet").write_bytes(b"PAR1" + bytes(100))
    files = tmp_path / "a.parquet", lines(tmp_path / "b.jsonl", *items(1))
    ran = spawn("import", *files, "--home", tmp_path / "home", "--json", PYTHONPATH=os.pathsep.join([str(absent), *sys.path]))
    assert "needs the extra `dumps`: " in one_line(ran)
    assert [file["new"] for file in ran.json["files"]] == [3]


def test_progress_is_silent_where_stderr_is_no_terminal(rejoinder: Rejoinder, tmp_path: Path) -> None:
    assert rejoinder("import", lines(tmp_path / "a.jsonl", *items(1)), "--home", tmp_path).err == ""


# --- fetch -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[HackerNewsServer]:
    with HackerNewsServer(forum({1: None, 2: 1, 3: 1})) as started:
        yield started


def test_the_counts_of_a_fetch_add_up(rejoinder: Rejoinder, server: HackerNewsServer, tmp_path: Path) -> None:
    server.items[3] = None
    ran = rejoinder("fetch", "hn", "--item", 1, "--api", server.url, "--home", tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[0] == "the API: 3 items = 2 new + 0 updated + 0 unchanged + 1 skipped"
    assert "  skipped 1: deleted, or no such item (first: item/3.json)" in ran.out


def test_a_fetch_that_fails_says_so_in_one_line_and_still_counts(
    rejoinder: Rejoinder, server: HackerNewsServer, tmp_path: Path
) -> None:
    server.fault("item/3.json", status(429, Retry_After="0"))
    options = ["--api", server.url, "--timeout", 5, "--home", tmp_path, "--json"]
    ran = rejoinder("fetch", "hn", "--item", 1, *options)
    assert f"{server.url}/item/3.json: status 429" in one_line(ran)
    assert (ran.json["new"], ran.json["left"]) == (2, 1)


def test_a_fetch_without_options_goes_on_with_what_is_left(
    rejoinder: Rejoinder, server: HackerNewsServer, tmp_path: Path
) -> None:
    server.fault("item/3.json", status(429, Retry_After="0"))
    options = ["--api", server.url, "--timeout", 5, "--home", tmp_path, "--json"]
    rejoinder("fetch", "hn", "--item", 1, *options)
    server.mend()
    ran = rejoinder("fetch", "hn", *options)
    assert (ran.code, ran.err) == (0, "going on with 1 items left from the last fetch\n")
    assert (ran.json["new"], ran.json["left"], server.items_asked) == (1, 0, {3: 1})


def test_a_wrong_address_gives_one_line(rejoinder: Rejoinder, server: HackerNewsServer, tmp_path: Path) -> None:
    ran = rejoinder("fetch", "hn", "--top", 5, "--api", f"{server.url}x", "--timeout", 5, "--home", tmp_path)
    assert f"{server.url}x/topstories.json: status 404; is --api right?" in one_line(ran)


def test_a_fetch_into_an_archive_of_another_place_adds_one(
    rejoinder: Rejoinder, server: HackerNewsServer, tmp_path: Path
) -> None:
    rejoinder("import", "--source", "toy", lines(tmp_path / "a.jsonl", *items(1)), "--home", tmp_path)
    assert rejoinder("fetch", "hn", "--item", 1, "--api", server.url, "--home", tmp_path).code == 0
    assert rejoinder("info", "--home", tmp_path, "--json").json["sources"] == {"toy": 3, "hn": 3}


def test_a_fetch_of_an_item_beyond_all_ids_is_refused(rejoinder: Rejoinder, server: HackerNewsServer, tmp_path: Path) -> None:
    ran = rejoinder("fetch", "hn", "--item", 2**70, "--api", server.url, "--home", tmp_path)
    assert ran.code == 2 and not server.requests
    assert "--item" in ran.err.splitlines()[-1]


# --- fit and rungs ---------------------------------------------------------------------------------------------------


def test_fit_without_an_archive_says_how_to_make_one(rejoinder: Rejoinder, tmp_path: Path) -> None:
    assert "`rejoinder import FILE` makes one" in one_line(rejoinder("fit", "--home", tmp_path))


def test_fit_on_an_empty_archive_gives_one_line(rejoinder: Rejoinder, empty_home: Path) -> None:
    ran = rejoinder("fit", "--home", empty_home)
    assert "import" in one_line(ran)
    assert ran.out == ""


def test_a_rung_that_cannot_be_fitted_does_not_stop_the_others(rejoinder: Rejoinder, tmp_path: Path) -> None:
    with Workspace(tmp_path).open_archive(create=True) as archive:
        archive.add(Post(number, Kind.STORY, title=f"A story of its own, number {number}") for number in range(1, 40))
    ran = rejoinder("fit", "canned", "bm25", "unigram", "--home", tmp_path, "--json")
    assert ran.code == 2
    assert [fitted["rung"] for fitted in ran.json["fitted"]] == ["canned", "unigram"]
    assert list(ran.json["failed"]) == ["bm25"] and "the train part has no reply" in ran.err


def test_a_setting_of_a_rung_that_is_not_fitted_is_told(rejoinder: Rejoinder, toy_home: Path) -> None:
    ran = rejoinder("fit", "canned", "--set", "bm25.k1=2", "--set", "canned.keep=9", "--home", toy_home)
    assert ran.code == 0 and "`bm25.k1=2` was set without effect" in ran.err and "`canned" not in ran.err


def test_a_setting_reaches_the_fitted_rung(rejoinder: Rejoinder, toy_home: Path) -> None:
    ran = rejoinder("fit", "canned", "--set", "canned.keep=7", "--home", toy_home, "--json")
    assert ran.json["fitted"][0]["config"]["keep"] == 7


def test_replies_that_nobody_can_judge_are_said_to_be_so(rejoinder: Rejoinder, toy_home: Path) -> None:
    """Where dev has too few for the trigger, all that is near is shown and a line says so; not of a rung that was named."""
    rejoinder("fit", "bm25", "--home", toy_home)
    assert "nobody can tell: `rejoinder fit trigger` learns it" in rejoinder("reply", BREAD[0], "--home", toy_home).out
    rejoinder("fit", "--home", toy_home)
    assert "nobody can tell: there are too few posts" in rejoinder("reply", BREAD[0], "--home", toy_home).out
    assert "nobody can tell" not in rejoinder("reply", BREAD[0], "--rung", "bm25", "--home", toy_home).out


def test_rungs_tell_when_the_archive_has_changed(rejoinder: Rejoinder, toy_home: Path) -> None:
    rejoinder("fit", "canned", "--home", toy_home)
    with Workspace(toy_home).open_archive() as archive:
        archive.add([Post(9001, Kind.STORY, title="News")])
    (canned,) = (rung for rung in rejoinder("rungs", "--home", toy_home, "--json").json if rung["rung"] == "canned")
    assert canned["behind"] is True
    assert "archive has changed" in rejoinder("rungs", "--home", toy_home).out


def test_a_damaged_rung_is_told_and_the_others_are_listed(rejoinder: Rejoinder, hn_home: Path, tmp_path: Path) -> None:
    home = shutil.copytree(hn_home, tmp_path / "home")
    (home / "models" / "canned" / "0001" / "replies.json").write_text("[]")
    ran = rejoinder("rungs", "--home", home, "--json")
    assert ran.code == 0
    assert [(rung["rung"], "damaged" in rung) for rung in ran.json][:2] == [("canned", True), ("unigram", False)]
    assert "replies.json is damaged" in ran.err
    for form in ((), ("--json",)):
        assert rejoinder("rungs", "--check", "--home", home, *form).code == 2
        assert rejoinder("rungs", "--check", "--home", hn_home, *form).code == 0


# --- reply -----------------------------------------------------------------------------------------------------------


def test_stdin_is_answered_like_an_argument(rejoinder: Rejoinder, hn_home: Path) -> None:
    text = "Which teapot pours well?"
    by_argument = rejoinder("reply", text, "--home", hn_home, "--json")
    assert by_argument.json["replies"]
    assert rejoinder("reply", "-", "--home", hn_home, "--json", stdin=f"{text}\n".encode()).out == by_argument.out


def test_an_item_is_answered_with_its_thread_as_context(rejoinder: Rejoinder, hn_home: Path) -> None:
    assert rejoinder("reply", "--item", 102, "--home", hn_home, "--json").json["context"] == [100, 101, 102]


def test_no_reply_comes_from_the_thread_of_the_item(rejoinder: Rejoinder, hn_home: Path) -> None:
    for root in range(100, 500, 100):
        replies = rejoinder("reply", "--item", root, "--home", hn_home, "-k", 50, "--json").json["replies"]
        threads = {reply["thread"] for reply in replies if reply["post"]}
        assert threads and root not in threads


def test_the_last_item_of_a_thread_file_is_answered(rejoinder: Rejoinder, hn_home: Path, tmp_path: Path) -> None:
    thread = lines(tmp_path / "thread.jsonl", *list(items(1)), {"id": 103, "type": "comment", "parent": 101, "text": "Teapot?"})
    ran = rejoinder("reply", "--thread", thread, "--home", hn_home, "--json")
    assert (ran.code, ran.json["context"]) == (0, [100, 101, 103])


def test_a_thread_file_without_an_item_gives_one_line(rejoinder: Rejoinder, hn_home: Path, tmp_path: Path) -> None:
    thread = lines(tmp_path / "thread.jsonl", {"type": "comment", "text": "no id"})
    assert "no item that could be read" in one_line(rejoinder("reply", "--thread", thread, "--home", hn_home))


@pytest.mark.parametrize("most", [1, 2, 50])
def test_there_are_at_most_so_many_replies(rejoinder: Rejoinder, hn_home: Path, most: int) -> None:
    replies = rejoinder("reply", "Which teapot?", "-k", most, "--home", hn_home, "--json").json["replies"]
    assert 1 <= len(replies) <= most


def test_a_reply_says_its_rung_its_score_and_the_page_it_comes_from(rejoinder: Rejoinder, hn_home: Path) -> None:
    shown = rejoinder("reply", "Which teapot?", "-k", 1, "--home", hn_home).out
    where = r"1970-01-01 \(\d\d years ago\), https://news\.ycombinator\.com/item\?id=\1"
    asked = r"    asked there: “Which teapot, part \d+\?"
    expected = rf"^    bm25 · -?\d+\.\d\d · post (\d+), {where}\n{asked}"
    assert re.search(expected, shown, re.MULTILINE)


def test_the_notice_of_hacker_news_is_said_once(rejoinder: Rejoinder, hn_home: Path) -> None:
    ran = rejoinder("reply", "Which teapot?", "--home", hn_home)
    assert (ran.out + ran.err).count("Hacker News asks that no generated or AI-edited text be posted in comments") == 1


def test_the_sample_has_no_notice(rejoinder: Rejoinder, sample_home: Path) -> None:
    assert rejoinder("reply", "Makefiles", "--home", sample_home, "--json").json["notice"] == ""


def test_only_the_rung_asked_for_replies(rejoinder: Rejoinder, hn_home: Path) -> None:
    ran = rejoinder("reply", "Which teapot?", "--rung", "canned", "--home", hn_home, "--json")
    assert {reply["rung"] for reply in ran.json["replies"]} == {"canned"}


def test_a_long_reply_is_whole_only_with_full(rejoinder: Rejoinder, tmp_path: Path) -> None:
    with Workspace(tmp_path).open_archive(create=True) as archive:
        for number in range(10, 300, 10):
            words = " ".join(f"word{number}x{place}" for place in range(100))
            archive.add([Post(number, Kind.STORY, title="teapot"), Post(number + 1, text=f"{words} end.", parent=number)])
    rejoinder("fit", "bm25", "--home", tmp_path)
    short, whole = (rejoinder("reply", "teapot", "-k", 1, "--home", tmp_path, *more).out for more in ([], ["--full"]))
    assert re.search(r" … \(\+\d+ words\)", short) and " end." not in short
    assert "words)" not in whole and " end." in whole


# --- complete --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draft", ["", "Which tea", "Which teapot ", "\u65e5\u672c \U0001fad6", "-"])
def test_any_draft_is_completed_or_met_with_silence(rejoinder: Rejoinder, hn_home: Path, draft: str) -> None:
    ran = rejoinder("complete", draft, "--home", hn_home, "--json")
    assert (ran.code, ran.err, ran.json["draft"]) == (0, "", "" if draft == "-" else draft)
    assert all(found["text"].strip() for found in ran.json["continuations"])


def test_a_continuation_is_shown_right_behind_its_draft(rejoinder: Rejoinder, hn_home: Path) -> None:
    (first, *_) = rejoinder("complete", "Which tea", "--home", hn_home, "--json").json["continuations"]
    assert rejoinder("complete", "Which tea", "--home", hn_home).out.splitlines()[0] == f"Which tea{first['text']}"


def test_there_are_at_most_so_many_continuations_of_so_many_words(rejoinder: Rejoinder, hn_home: Path) -> None:
    found = rejoinder("complete", "The", "-k", 2, "--words", 3, "--home", hn_home, "--json").json["continuations"]
    assert 1 <= len(found) <= 2 and all(len(one["text"].split()) <= 3 for one in found)


def test_the_rung_asked_for_completes(rejoinder: Rejoinder, hn_home: Path) -> None:
    assert rejoinder("complete", "The", "--rung", "unigram", "--home", hn_home, "--json").json["rung"] == "unigram"


HERON = "a heron stood in the reeds beside our boat until the last ferry had gone"


@pytest.mark.parametrize(("authors", "shown"), [(1, False), (2, True)])
def test_a_continuation_of_one_author_s_words_is_not_shown(
    rejoinder: Rejoinder, tmp_path: Path, authors: int, shown: bool
) -> None:
    posts = [Post(n, Kind.STORY, f"No {n} : {HERON}", author=b"%d" % (n % authors)) for n in range(1, 30)]
    make_archive(tmp_path / "archive.db", posts).close()
    rejoinder("fit", "kneser_ney", "--on", "all", "--home", tmp_path)
    ran = rejoinder("complete", "a heron stood in the reeds", "--rung", "kneser_ney", "--home", tmp_path, "--json")
    assert ran.err == ""  # nothing had to be read from the archive
    assert any("our boat" in made["text"] for made in ran.json["continuations"]) is shown


def test_where_nothing_is_kept_of_whose_words_they_are_the_archive_is_asked(
    rejoinder: Rejoinder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a rung that an older version fitted."""
    monkeypatch.setitem(LADDER, "kneser_ney", replace(LADDER["kneser_ney"], phrases=False))
    make_archive(tmp_path / "archive.db", [Post(n, Kind.STORY, f"No {n} : {HERON}", author=b"1") for n in range(1, 30)]).close()
    rejoinder("fit", "kneser_ney", "--on", "all", "--home", tmp_path)
    ran = rejoinder("complete", "a heron stood in the reeds", "--rung", "kneser_ney", "--home", tmp_path, "--json")
    assert "`rejoinder fit kneser_ney` keeps it" in ran.err
    assert not any("our boat" in made["text"] for made in ran.json["continuations"])


def test_complete_without_a_fitted_rung_says_what_to_do(
    rejoinder: Rejoinder, toy_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workspace, "shipped", classmethod(lambda cls: None))
    assert "run `rejoinder fit`" in one_line(rejoinder("complete", "The", "--home", toy_home))


# --- JSON ------------------------------------------------------------------------------------------------------------


def test_json_of_import_has_the_keys_it_promises(rejoinder: Rejoinder, tmp_path: Path) -> None:
    found = rejoinder("import", lines(tmp_path / "a.jsonl", *items(1)), "--home", tmp_path, "--json").json
    assert set(found) == {"files", "errors"}
    assert set(found["files"][0]) == {"file", "form", "threads", *COUNTS, "absent", "goes_on"}


def test_json_of_fetch_has_the_keys_it_promises(rejoinder: Rejoinder, server: HackerNewsServer, tmp_path: Path) -> None:
    found = rejoinder("fetch", "hn", "--item", 2, "--api", server.url, "--home", tmp_path, "--json").json
    assert set(found) == {"left", *COUNTS}


def test_json_of_info_has_the_keys_it_promises(rejoinder: Rejoinder, hn_home: Path) -> None:
    found = rejoinder("info", "--home", hn_home, "--json").json
    assert set(found) == {
        "archive", "forum", "sources", "posts", "kinds", "dead", "deleted", "threads", "pairs", "pairs_to_opening_posts", "words",
        "authors", "first", "last", "undated", "orphans", "circular", "split", "parts", "bytes", "fit_would_gain", "unsettled",
    }  # fmt: skip


@pytest.mark.parametrize("split", ["hash", "time"])
def test_info_counts_every_post_once(rejoinder: Rejoinder, hn_home: Path, split: str) -> None:
    found = rejoinder("info", "--split", split, "--home", hn_home, "--json").json
    # 12 threads of 3 posts, and a deleted post that stands alone
    assert (found["posts"], found["threads"], found["deleted"], found["split"]) == (37, 13, 1, split)
    assert found["kinds"] == {"comment": 25, "story": 12}
    assert (found["pairs"], found["pairs_to_opening_posts"]) == (24, 12)  # an answer and thanks in each thread
    assert found["authors"] == 13  # 12 who ask, 1 potter
    assert sum(part["posts"] for part in found["parts"].values()) == 37
    assert sum(part["threads"] for part in found["parts"].values()) == 13


def test_json_of_fit_has_the_keys_it_promises(rejoinder: Rejoinder, toy_home: Path) -> None:
    found = rejoinder("fit", "canned", "--home", toy_home, "--json").json
    assert set(found) == {"fitted", "failed", "left"}
    assert set(found["fitted"][0]) == {
        "rung", "config", "data", "revision", "on", "split", "seed", "code", "fitted", "seconds", "format", "files", "hashes",
        "bytes", "directory",
    }  # fmt: skip


def test_json_of_rungs_has_the_keys_it_promises(rejoinder: Rejoinder, hn_home: Path) -> None:
    found = rejoinder("rungs", "--home", hn_home, "--json").json
    assert [rung["rung"] for rung in found] == [
        *LADDER,
        *(f"package/{name}" for name in LADDER if name in ("kneser_ney", "lstm", "mixture", "pair_encoder")),
    ]
    assert [rung["rung"] for rung in found if "speaks" in rung] == ["package/mixture"]
    for rung in (rung for rung in found if rung["rung"] in without_extras()):
        assert set(rung) - {"parts", "bits_per_byte_here"} == {
            "rung", "can", "what", "config", "data", "revision", "on", "split", "seed", "code", "fitted", "seconds", "format",
            "files", "hashes", "bytes", "behind", "stale", "forgot", "outdated", "shipped",
        }  # fmt: skip


def test_json_of_rungs_that_are_not_fitted_says_null(rejoinder: Rejoinder, toy_home: Path) -> None:
    found = rejoinder("rungs", "--home", toy_home, "--json").json
    assert {(tuple(rung), rung["fitted"]) for rung in found if not rung["rung"].startswith("package/")} == {
        (("rung", "can", "what", "fitted"), None)
    }


def test_json_of_reply_has_the_keys_it_promises(rejoinder: Rejoinder, hn_home: Path) -> None:
    found = rejoinder("reply", "Which teapot?", "--home", hn_home, "--json").json
    assert set(found) == {"context", "replies", "notice", "score", "threshold"}
    for reply in found["replies"]:
        assert set(reply) == {"text", "score", "rung", "post", "thread", "title", "url", "source", "time", "generated", "case"}


def test_json_of_complete_has_the_keys_it_promises(rejoinder: Rejoinder, hn_home: Path) -> None:
    found = rejoinder("complete", "Which", "--home", hn_home, "--json").json
    assert set(found) == {"draft", "rung", "reason", "continuations"}
    for continuation in found["continuations"]:
        assert set(continuation) == {"text", "nats_per_token"}


def test_json_stands_alone_on_stdout_while_the_sample_is_announced(rejoinder: Rejoinder, sample_home: Path) -> None:
    ran = rejoinder("reply", "Why do people still use Makefiles?", "--home", sample_home, "--json")
    assert ran.json["replies"] and "embedded sample" in ran.err


# --- foreign text ----------------------------------------------------------------------------------------------------

HOSTILE = (
    TITLE, "\x1b[31mred", "\x9b31mred", "&#27;]0;owned&#7;", "&#x1b;[2J", "&#155;31m", "over\rwritten", "back\x08\x08spaced",
    f"<pre><code>  {TITLE}</code></pre>", f'<a href="http://x.example/{TITLE}">here</a>', f"<i{TITLE}>", "\u2028line\x00null",
)  # fmt: skip


@pytest.fixture(scope="module")
def hostile_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose posts carry terminal escapes wherever text can stand."""
    from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS

    space = Workspace(tmp_path_factory.mktemp("hostile"))
    records: list[dict[str, Any]] = []
    for number, payload in enumerate(HOSTILE * 2):
        root = 10 * number + 10
        records.append({"id": root, "type": "story", "title": f"Kettle {payload} {number}", "by": payload, "url": payload})
        reply = f"Boil{number} water{number} {payload} slowly{number} then{number} pour{number}."
        records.append({"id": root + 1, "type": "comment", "parent": root, "text": reply, "by": payload})
    with space.open_archive(create=True) as archive:
        place(archive, "hn")
        archive.add(HACKER_NEWS.read(lines(space.home / "a.jsonl", *records), space.hasher()))
    fit(space, without_extras(), FitConfig(vocabulary=300, on="all"), {})
    return space.home


@pytest.mark.parametrize(
    "command",
    [["reply", "kettle", "-k", 50, "--full"], ["reply", "--item", 10], ["complete", "Boil"], ["info"], ["rungs"]],
    ids=lambda words: " ".join(map(str, words[:2])),
)
def test_foreign_text_puts_no_escapes_into_the_output(rejoinder: Rejoinder, hostile_home: Path, command: list[object]) -> None:
    ran = rejoinder(*command, "--home", hostile_home)
    assert (ran.code, ran.err) == (0, "")
    assert CONTROL.search(ran.out) is None


def test_foreign_text_is_without_escapes_in_json_too(rejoinder: Rejoinder, hostile_home: Path) -> None:
    replies = rejoinder("reply", "kettle", "-k", 50, "--home", hostile_home, "--json").json["replies"]
    retrieved = [reply for reply in replies if reply["post"]]
    assert len(retrieved) == len(HOSTILE) * 2
    assert not [reply for reply in retrieved if CONTROL.search(reply["text"] + reply["title"] + reply["url"])]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("columns.csv", f"id,words{TITLE}\n1,2\n"),
        ("start.json", TITLE),
        ("middle.json", '[{"id": 1, "type": "comment"}, {"id": ' + TITLE),
        ("magic.jsonl.gz", TITLE),
        ("lines.jsonl", TITLE),
    ],
    ids=lambda value: value if value.isprintable() else "",
)
def test_a_bad_file_puts_no_escapes_into_the_error(rejoinder: Rejoinder, tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    ran = rejoinder("import", tmp_path / name, "--home", tmp_path / "home")
    assert CONTROL.search(one_line(ran)) is None


def test_the_name_of_a_file_puts_no_escapes_into_the_output(rejoinder: Rejoinder, tmp_path: Path) -> None:
    lines(tmp_path / f"a{TITLE}.jsonl", *items(1))
    lines(tmp_path / f"b{TITLE}\n.jsonl", "words")
    ran = rejoinder("import", tmp_path / "*.jsonl", "--home", tmp_path / "home")
    assert CONTROL.search(ran.out + one_line(ran)) is None


def test_the_name_of_a_file_within_a_zip_puts_no_escapes_into_the_output(rejoinder: Rejoinder, tmp_path: Path) -> None:
    """Neither where it is left out nor where a record of it is."""
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr(f"in/{TITLE}.jsonl", "".join(json.dumps(item) + "\n" for item in items(1)) + "no record\n")
        archive.writestr(f"in/{TITLE}.png", b"\x89PNG")
    ran = rejoinder("import", tmp_path / "all.zip", "--home", tmp_path / "home")
    assert ran.code == 0 and "left out" in ran.out and "skipped 1: not JSON" in ran.out
    assert CONTROL.search(ran.out + ran.err) is None


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_name_of_a_file_need_not_be_utf8(rejoinder: Rejoinder, tmp_path: Path, form: str) -> None:
    lines(tmp_path / "a\udcff.jsonl", *items(1))
    ran = rejoinder("import", tmp_path / "a*.jsonl", "--home", tmp_path / "home", *(["--json"] if form == "json" else []))
    assert (ran.code, ran.err) == (0, "")


def test_a_draft_from_stdin_puts_no_escapes_into_the_output(rejoinder: Rejoinder, hn_home: Path) -> None:
    ran = rejoinder("complete", "-", "--home", hn_home, stdin=f"Which {TITLE} teapot".encode())
    assert ran.code == 0 and CONTROL.search(ran.out) is None


# --- what was taken, and what was lost -------------------------------------------------------------------------------


def test_a_file_of_which_nothing_was_taken_is_an_error_that_says_what_is_in_it(rejoinder: Rejoinder, tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", *({"id": "x", "text": "words", "colour": "red"} for _ in range(3)))
    ran = rejoinder("import", "--as", "hn", file, "--home", tmp_path / "home")
    said = one_line(ran)
    assert "nothing was taken of 3 records (3: id is not a number); its fields are id, text, colour" in said
    assert "the fields id and text (or title)" in said and "--as FORM" in said


def test_what_was_lost_on_the_way_is_counted_and_said(rejoinder: Rejoinder, tmp_path: Path) -> None:
    file = lines(tmp_path / "a.jsonl", {"id": 1, "text": "a", "time": 5}, {"id": 2, "text": "b"}, {"id": 3, "time": "soon"})
    ran = rejoinder("import", file, "--home", tmp_path / "home")
    assert "taken, but without parent: 3, time: 2, words: 1" in ran.out
    assert "no comment here has a parent" in ran.out
    assert "taken for Hacker News items" in ran.out
    assert rejoinder("import", file, "--home", tmp_path / "home", "--json").json["files"][0]["without"] == {
        "parent": 3, "time": 2, "words": 1,
    }  # fmt: skip


def test_a_table_of_other_names_is_shown_and_then_taken_by_a_map(rejoinder: Rejoinder, tmp_path: Path) -> None:
    (tmp_path / "desk.csv").write_text("nr,re,body\nA,,a question\nB,A,an answer\n")
    given = ["import", tmp_path / "desk.csv", "--map", "id=nr,parent=re,text=body", "--home", tmp_path / "home"]
    shown = rejoinder(*given, "--show", "3")
    assert shown.code == 0 and "; there: B; " in shown.out and "an answer" in shown.out and not (tmp_path / "home").exists()
    assert rejoinder(*given).code == 0
    found = rejoinder("info", "--home", tmp_path / "home", "--json").json
    assert (found["sources"], found["pairs"]) == ({"desk": 2}, 1)


def test_files_of_a_zip_are_taken_as_one_and_a_bad_one_is_named(rejoinder: Rejoinder, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for number, item in enumerate(items(2)):
            archive.writestr(f"in/{number}.jsonl", json.dumps(item))
        archive.writestr("in/../../../x.png", b"\x89PNG")
        for name in ("x", "y", "z"):
            archive.writestr(f"in/{name}.json", '{"nummer": 1}')
    ran = rejoinder("import", tmp_path / "all.zip", "--home", tmp_path / "home")
    assert "all.zip (6 files): 6 lines = 6 new" in ran.out
    assert "in/x.json: not a form of archive that is known: its fields are nummer. " in one_line(ran)
    assert "nor of 2 more in" in ran.err and "left out, as they hold no posts: 1 file, such as all.zip/in/x.png" in ran.out
    assert not (tmp_path.parent / "x.png").exists()


def test_pictures_beside_posts_are_left_out_and_alone_they_are_an_error(rejoinder: Rejoinder, tmp_path: Path) -> None:
    folder = tmp_path / "chat"
    folder.mkdir()
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0\0")
    ran = rejoinder("import", folder, "--home", tmp_path / "home")
    assert "photo.jpg: not a form of archive that is known" in one_line(ran)
    lines(folder / "a.jsonl", *items(1))
    ran = rejoinder("import", folder, "--home", tmp_path / "home")
    assert ran.code == 0 and "chat: left out, as they hold no posts: 1 file, such as chat/photo.jpg" in ran.out


def test_notes_beside_posts_are_left_out_and_alone_they_are_an_error(rejoinder: Rejoinder, tmp_path: Path) -> None:
    """But what may be posts in a form that is not known is told, and what was read is not denied."""
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "README.md").write_text("# Posts\n\nOf mine, from 2024.\n")
    (folder / "LICENSE").write_text("Do what you like, if you please.\n")
    ran = rejoinder("import", folder, "--home", tmp_path / "home")
    assert ran.code == 2 and "Nothing was taken of it, nor of 1 more in" in one_line(ran)
    lines(folder / "a.jsonl", *items(1))
    ran = rejoinder("import", folder, "--home", tmp_path / "home")
    assert (ran.code, ran.err) == (0, "") and "now: rejoinder fit" in ran.out
    assert rejoinder("import", folder, "--home", tmp_path / "home").out.endswith("nothing in it is new\n")
    assert "notes: left out, as they hold no posts: 2 files, such as notes/LICENSE" in ran.out
    assert [*Home(tmp_path / "home").add(folder)] == ["notes/a.jsonl"]
    (folder / "desk.csv").write_text("nr,worte\n1,a\n")
    ran = rejoinder("import", folder, "--home", tmp_path / "home")
    assert (
        ran.code == 2
        and "desk.csv: not a form of archive that is known: its fields are nr, worte. Nothing was taken of it. " in ran.err
    )
    assert "such as notes/LICENSE" in ran.out and "3 lines = 0 new" in ran.out


def test_after_an_import_that_was_stopped_info_says_that_posts_are_in_no_thread_yet(
    rejoinder: Rejoinder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, home = lines(tmp_path / "a.jsonl", *items(4)), ("--home", tmp_path / "home")

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Archive, "settle", stopped)
        assert rejoinder("import", file, *home).code == 130
    assert "0; 12 posts are in none yet: run the import again, or `rejoinder fit`" in rejoinder("info", *home).out
    assert rejoinder("info", *home, "--json").json["unsettled"] == 12
    assert rejoinder("import", file, *home).code == 0
    assert "in none yet" not in rejoinder("info", *home).out


@pytest.mark.parametrize("what", ["folder", "zip", "nothing"])
def test_where_there_is_nothing_to_import_that_is_an_error(what: str, rejoinder: Rejoinder, tmp_path: Path) -> None:
    path, home = tmp_path / "empty", tmp_path / "home"
    if what == "folder":
        path.mkdir()
        (path / ".DS_Store").write_bytes(b"\0")
    elif what == "zip":
        zipfile.ZipFile(path, "w").close()
    said = "no such file" if what == "nothing" else "there are no files in it"
    for shown in ((), ("--show", "1")):
        ran = rejoinder("import", path, *shown, "--home", home)
        assert ran.code == 2 and f"{path}: {said}" in one_line(ran) and not ran.out
    with pytest.raises(SourceError, match=said):
        Home(home).add(path)
    assert not (home / "archive.db").exists()


def test_what_comes_along_with_an_archive_is_no_error(rejoinder: Rejoinder, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "site.zip", "w") as archive:
        for name in ("Badges", "Comments", "Posts", "Tags", "Users"):
            row = 'PostTypeId="1" Title="Tea" Body="hot"' if name == "Posts" else 'PostId="1" Text="cold"'
            row = row if name in ("Posts", "Comments") else 'Name="x"'
            archive.writestr(f"{name}.xml", f'<{name.lower()}>\n  <row Id="1" {row} />\n</{name.lower()}>\n')
    ran = rejoinder("import", tmp_path / "site.zip", "--home", tmp_path / "home")
    assert ran.code == 0 and "2 new" in ran.out and "left out, as they hold no posts: 3 files" in ran.out
