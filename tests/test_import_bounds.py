"""What an import may take of memory and leave on the disk, whatever it is given: bombs, killed imports, many tombstones."""

from __future__ import annotations

import io
import json
import lzma
import os
import signal
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from backports import zstd

from rejoinder.archive import store
from rejoinder.archive.authors import author_hasher
from rejoinder.archive.forget import forget
from rejoinder.archive.store import Archive
from rejoinder.archive.streams import open_stream
from rejoinder.home.holders import MARK, UNPACKED, clear, held, sweep
from rejoinder.home.importing import import_files
from rejoinder.home.workspace import Workspace
from rejoinder.post import Post

MB = 1_000_000
PEAK = """
import resource, sys
from pathlib import Path
from rejoinder.errors import RejoinderError
from rejoinder.home.importing import import_files
from rejoinder.home.workspace import Workspace
told = list(import_files(Workspace(Path(sys.argv[1])), [Path(sys.argv[2])]))
status = Path("/proc/self/status").read_text()  # what `getrusage` says of us counts the process that started this one
peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024
peak = max(peak, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 if sys.argv[3:] else 0)  # of who reads ahead
print(sum(done.counts.taken for done in told), sum(len(done.errors) for done in told), peak)
"""


def imported(file: Path, home: Path) -> tuple[int, int, int]:
    """Posts taken, errors, and bytes that the process took at the most."""
    done = subprocess.run([sys.executable, "-c", PEAK, str(home), str(file)], capture_output=True, text=True, check=True)
    taken, errors, peak = map(int, done.stdout.split())
    return taken, errors, peak


ENVELOPE = "From a@b Thu Jan  1 00:00:00 1970\nFrom: a@b\nMessage-ID: <{}@b>\nSubject: x\n\n"
FIELD = '<field name="post_id">{}</field><field name="topic_id">1</field><field name="post_text">'
NODE = '{{"number": {}, "url": "https://github.com/a/b/issues/1", "title": "x", "body": "'
LONG = {  # a file with one good record and one that has no end: how it begins, what stands before and behind each text
    "a.mbox": ("", ENVELOPE, "\n\n"),
    "a.xml": ('<d><table_data name="phpbb_posts">', f"<row>{FIELD}", "</field></row>"),
    "a.json": ('{"data": {"repository": {"issues": {"nodes": [', NODE, '"}, '),
}


@pytest.mark.parametrize("name", LONG)
def test_a_text_without_an_end_is_never_held(name: str, tmp_path: Path) -> None:
    begins, before, behind = LONG[name]
    with (tmp_path / name).open("w") as file:
        file.write(begins + before.format(1) + "a good one" + behind + before.format(2))
        for _ in range(200):
            file.write("word " * (MB // 5))
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path / "home"), str(tmp_path / name), "children"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    taken, _, peak = map(int, done.stdout.split())
    assert taken >= 1 and peak < 350 * MB


def wide(data: Path, size: int) -> None:
    """A zstd file with a window of 2 GiB, whose content is a good line and then `size` bytes of one letter."""
    options = {zstd.CompressionParameter.window_log: 31, zstd.CompressionParameter.enable_long_distance_matching: 1}
    with zstd.open(data, "wb", options=options) as file:
        file.write(json.dumps({"id": 1, "type": "comment", "text": "a good one"}).encode() + b"\n")
        for _ in range(size // MB):
            file.write(b"a" * MB)


def test_a_small_file_with_a_wide_window_is_not_held(tmp_path: Path) -> None:
    wide(tmp_path / "bomb.jsonl.zst", 900 * MB)  # which 900 MB of a window would be held of
    assert (tmp_path / "bomb.jsonl.zst").stat().st_size < MB
    taken, errors, peak = imported(tmp_path / "bomb.jsonl.zst", tmp_path / "home")
    assert (taken, errors) == (1, 1)
    assert peak < 600 * MB


def test_a_wide_window_that_the_file_has_use_for_is_read(tmp_path: Path) -> None:
    wide(tmp_path / "wide.zst", 20 * MB)
    with open_stream(tmp_path / "wide.zst") as file:
        assert len(file.read()) > 20 * MB


def test_a_dictionary_beyond_bounds_is_refused_and_any_other_is_read(tmp_path: Path) -> None:
    text = os.urandom(MB) + b"word " * MB
    for dictionary, name in ((2**26, "usual.xz"), (2**29, "huge.xz")):
        packed = lzma.compress(text, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": dictionary}])
        (tmp_path / name).write_bytes(packed + bytes(8) + packed)
    with open_stream(tmp_path / "usual.xz") as file:
        assert file.read() == text + text  # two streams, and padding between them
    with open_stream(tmp_path / "huge.xz") as file, pytest.raises(lzma.LZMAError, match="limit"):
        file.read()


def test_a_truncated_xz_gives_what_it_has_and_then_breaks_off(tmp_path: Path) -> None:
    text = os.urandom(MB)
    (tmp_path / "cut.xz").write_bytes(lzma.compress(text)[:-1_000])
    found = b""
    with open_stream(tmp_path / "cut.xz") as file, pytest.raises(EOFError):
        while data := file.read1(100_000):
            found += data
    assert text.startswith(found) and len(found) > 900_000


# --- the folder in which zip and tar files are unpacked --------------------------------------------------------------


def packed(path: Path) -> Path:
    """A zip or tar file with one good file inside."""
    line = json.dumps({"id": 1, "type": "comment", "text": "secretword"}).encode() + b"\n"
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inside/items.jsonl", line)
    else:
        with tarfile.open(path, "w:gz") as tar:
            entry = tarfile.TarInfo("inside/items.jsonl")
            entry.size = len(line)
            tar.addfile(entry, io.BytesIO(line))
    return path


@pytest.mark.parametrize("name", ["a.zip", "a.tgz"])
def test_what_is_unpacked_lies_in_the_home_and_is_gone_afterwards(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "no such folder"))  # nobody needs it
    home, seen = tmp_path / "home", list[str]()
    for done in import_files(Workspace(home), [packed(tmp_path / name)]):
        seen += [path.name for path in (home / UNPACKED).rglob("*.jsonl")]
        assert done.counts.new == 1
    assert seen == ["items.jsonl"]
    assert [path.name for path in (home / UNPACKED).iterdir()] == [MARK]


def test_what_a_killed_import_left_is_swept_by_the_next_and_by_forgetting(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from rejoinder.home.holders import UNPACKED, held\n"
        "with held(Path(sys.argv[1]), UNPACKED) as mine:\n"
        "    (mine / 'words').write_text('secretword'); print(mine, flush=True); time.sleep(600)"
    )
    for sweeps in (lambda: list(import_files(Workspace(tmp_path), [packed(tmp_path / "a.zip")])), lambda: clear(tmp_path)):
        with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            left = Path(running.stdout.readline().strip())
            sweep(tmp_path / UNPACKED)
            assert (left / "words").exists()  # it is at work
            running.send_signal(signal.SIGKILL)
        assert (left / "words").exists()
        sweeps()
        assert not left.exists()


def test_two_that_unpack_at_a_time_leave_each_other_alone(tmp_path: Path) -> None:
    with held(tmp_path, UNPACKED) as one, held(tmp_path, UNPACKED) as other:
        assert one != other and one.is_dir()
        clear(tmp_path)
        assert one.is_dir() and other.is_dir()
    assert not one.exists()


def test_a_zip_packed_with_lzma_is_refused_in_a_line(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("items.jsonl", "words")
    errors = [str(error) for done in import_files(Workspace(tmp_path / "home"), [tmp_path / "a.zip"]) for error in done.errors]
    assert any("packed with LZMA" in error for error in errors)


# --- what a batch costs ----------------------------------------------------------------------------------------------


def test_stored_posts_are_compared_in_groups_bounded_by_their_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BATCH_SIZE", 10_000)
    posts = [Post(number, text=f"{number} " + "word " * 600) for number in range(1, 41)]
    with Archive.open(tmp_path / "archive.db", create=True) as archive:
        archive.add(posts)
        short = [post._replace(text=f"{post.id}") for post in posts]  # small items, whose stored rows are large
        seen: list[int] = []
        group = Archive._write_group

        def noted(self: Archive, db: object, items: list[Post], present: dict[int, object], *rest: object) -> None:
            seen.append(len(present))
            group(self, db, items, present, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(Archive, "_write_group", noted)
        counts = archive.add([*short, *short, Post(99, text="new")])
        assert max(seen) <= 4 and sum(seen) == 40  # four rows of 3,000 characters are more than 10,000
        assert (counts.lines, counts.new, counts.updated, counts.unchanged) == (81, 1, 40, 40)
        assert [post.text for post in archive.posts("id < 99 ORDER BY id")] == [post.text for post in short]


def test_a_batch_costs_the_same_however_many_were_forgotten(tmp_path: Path) -> None:
    def steps(tombstones: int) -> int:
        """What SQLite does for one batch, in its own steps."""
        count = 0

        def step() -> None:
            nonlocal count
            count += 1

        key = tmp_path / f"{tombstones}" / "author.key"
        with Archive.open(key.with_name("archive.db"), create=True) as archive:
            author_hasher(key)
            archive.add([Post(1, text="a"), Post(2, text="b")])
            forget(archive, [2])
            with archive.writing():
                rows = ((number.to_bytes(16),) for number in range(tombstones))
                archive.execute_many("INSERT INTO tombstone VALUES (?)", rows)
            archive._db.set_progress_handler(step, 1)
            counts = archive.add([Post(number, text="again") for number in range(1, 50)])
            archive._db.set_progress_handler(None, 1)
            assert counts.reasons == {"forgotten on request": 1}
        return count

    few, many = steps(10), steps(20_000)
    assert many < 1.2 * few


def test_help_completing_and_replying_load_no_source(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom rejoinder.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith('rejoinder.archive.sources.')], file=sys.stderr)"
    )
    (tmp_path / "items.jsonl").write_text('{"id": 1, "type": "comment", "text": "words"}\n', encoding="utf-8")
    assert [done.counts.new for done in import_files(Workspace(tmp_path / "home"), [tmp_path / "items.jsonl"])] == [1]
    for command in (["--help"], ["complete", "I think that"], ["reply", "Why do people use Makefiles?"]):
        home = [] if command == ["--help"] else ["--home", str(tmp_path / "home")]
        done = subprocess.run([sys.executable, "-c", program, *command, *home], capture_output=True, text=True, check=True)
        assert done.stderr.splitlines()[-1] == "[]", command


def test_a_file_of_hacker_news_loads_no_other_source(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text('{"id": 1, "type": "comment", "text": "words"}\n', encoding="utf-8")
    program = PEAK.replace("print(", "print([n for n in sys.modules if n.startswith('rejoinder.archive.sources.')]) or print(")
    command = [sys.executable, "-c", program, str(tmp_path / "home"), str(tmp_path / "items.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "['rejoinder.archive.sources.hackernews']"
