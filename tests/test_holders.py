"""What may hold words of posts: homes of before there were marks are taken up, and what is somebody else's is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import make_archive, toy_posts

from rejoinder.errors import UsageError
from rejoinder.home import holders
from rejoinder.home.holders import HOLDERS, clear, folder, held, is_ours, sweep

BEFORE = {  # what an older rejoinder left in each
    "scratch": ("tmpab3_x9kq/tokens/train.npy",),
    "checkpoints": (f"lstm/{'0a' * 16}.safetensors", f"lstm/.{'0a' * 16}.safetensors.x1y2z3w4"),
    "ladder": (f"{'0f' * 12}/model/words.json", "ladder.json", "ladder.html", "data.json"),
}
FOREIGN = {"scratch": "notes.txt", "checkpoints": "lstm/epoch-3.ckpt", "ladder": "photo.jpg"}


def write(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text("words")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_archive(tmp_path / "archive.db", toy_posts(3)).close()
    return tmp_path


@pytest.mark.parametrize("name", BEFORE)
def test_a_home_of_before_there_were_marks_needs_no_step(home: Path, name: str) -> None:
    write(home / name, *BEFORE[name])
    assert is_ours(folder(home, name))
    assert clear(home) == [] and {file.name for file in (home / name).rglob("*")} <= {".rejoinder", *HOLDERS[name]}


@pytest.mark.parametrize("name", BEFORE)
def test_what_somebody_else_put_there_is_refused_and_left(home: Path, name: str) -> None:
    write(home / name, *BEFORE[name], FOREIGN[name])
    with pytest.raises(UsageError, match="not rejoinder's own folder"):
        folder(home, name)
    assert clear(home) == [home / name] and (home / name / FOREIGN[name]).is_file()


@pytest.mark.parametrize("name", BEFORE)
def test_in_a_folder_without_an_archive_nothing_is_taken_up(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, *BEFORE[name])
    with pytest.raises(UsageError, match="not rejoinder's own folder"):
        folder(tmp_path, name)


def test_a_link_is_never_taken_up(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write(elsewhere, *BEFORE["scratch"])
    (home / "scratch").symlink_to(elsewhere)
    with pytest.raises(UsageError, match="not rejoinder's own folder"):
        folder(home, "scratch")
    assert clear(home) == [home / "scratch"] and list(elsewhere.iterdir())


@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_what_is_held_is_not_swept_and_afterwards_it_is(platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by a file in the folder, as on Windows, where a folder cannot be opened."""
    monkeypatch.setattr(holders.sys, "platform", platform)
    with held(tmp_path, holders.SCRATCH) as mine:
        (mine / "words").write_text("words")
        assert sweep(tmp_path / holders.SCRATCH) == [] and (mine / "words").is_file()
    left = tmp_path / holders.SCRATCH / "tmpkilled0"
    write(left, "words", holders.HELD)
    with held(tmp_path, holders.SCRATCH) as other:
        assert not mine.exists() and not left.exists() and other.is_dir()
    assert clear(tmp_path) == []
