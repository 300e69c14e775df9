"""The command that gets an extra is one that works where rejoinder was installed from."""

from __future__ import annotations

import json
import shlex
import sys
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path
from typing import Any

import pytest

from rejoinder import extras
from rejoinder.errors import missing_extra
from rejoinder.extras import how_to_get

METADATA = """Metadata-Version: 2.4
Name: rejoinder
Version: 0.1.0
Requires-Dist: numpy>=2.0
Requires-Dist: duckdb>=1.4; extra == 'dumps'
Requires-Dist: tensorflow>=2.18; (python_version >= '3.11') and extra == 'train'
Requires-Dist: tensorflow-cpu>=2.18; (python_version < '3') and extra == 'train'
Requires-Dist: keras!=3.11,>=3.10; extra == 'train'
"""
PIP = [sys.executable, "-m", "pip", "install"]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Say how rejoinder was installed: the content of direct_url.json, if there is one."""

    def install(origin: dict[str, Any] | None) -> None:
        folder = tmp_path / "rejoinder-0.1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(METADATA)
        if origin is not None:
            (folder / "direct_url.json").write_text(json.dumps(origin))
        found: Distribution = PathDistribution(folder)
        monkeypatch.setattr(extras, "distribution", lambda name: found)
        monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))

    return install


def test_from_a_checkout_in_use_that_checkout_is_named(installed: Any, tmp_path: Path) -> None:
    checkout = tmp_path / "my checkout"
    checkout.mkdir()
    installed({"url": checkout.as_uri(), "dir_info": {"editable": True}})
    assert shlex.split(how_to_get("train")) == [*PIP, "-e", f"{checkout}[train]"]


@pytest.mark.parametrize("name", ["checkout", "rejoinder-0.1.0-py3-none-any.whl"])
def test_from_a_folder_or_a_wheel_that_is_there_still(installed: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    installed({"url": (tmp_path / name).as_uri(), "archive_info": {}})
    assert shlex.split(how_to_get("dumps")) == [*PIP, f"{tmp_path / name}[dumps]"]


def test_from_a_repository_the_same_commit_is_named(installed: Any) -> None:
    installed({"url": "https://example.org/r.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}})
    assert shlex.split(how_to_get("dumps")) == [*PIP, "rejoinder[dumps] @ git+https://example.org/r.git@abc"]


@pytest.mark.parametrize("origin", [None, {"url": "file:///no/such/rejoinder.whl", "archive_info": {}}])
def test_where_nothing_is_left_to_install_from_the_packages_are_named(installed: Any, origin: dict[str, Any] | None) -> None:
    installed(origin)
    assert shlex.split(how_to_get("dumps")) == [*PIP, "duckdb>=1.4"]


def test_only_the_packages_of_this_machine_are_named(installed: Any) -> None:
    installed(None)
    assert shlex.split(how_to_get("train")) == [*PIP, "tensorflow>=2.18", "keras!=3.11,>=3.10"]


def test_in_an_environment_of_pipx_it_is_pipx_that_is_asked(installed: Any, tmp_path: Path) -> None:
    installed({"url": tmp_path.as_uri(), "dir_info": {}})
    (tmp_path / "environment").mkdir()
    (tmp_path / "environment" / "pipx_metadata.json").touch()
    assert how_to_get("dumps") == "pipx inject environment 'duckdb>=1.4'"


def test_in_an_environment_without_pip_it_is_uv_that_is_asked(installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(None)
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/uv")
    assert shlex.split(how_to_get("dumps")) == ["uv", "pip", "install", "--python", sys.executable, "duckdb>=1.4"]


def test_the_error_says_it_in_one_line(installed: Any) -> None:
    installed(None)
    assert str(missing_extra("reading", "dumps")) == f"reading needs the extra `dumps`: {shlex.join(PIP)} 'duckdb>=1.4'"


def test_every_extra_that_is_asked_for_is_one(installed: Any) -> None:
    """Of the rejoinder that runs: each names at least one package."""
    from importlib.metadata import distribution

    for extra in ("dumps", "train", "lsp", "tour"):
        assert extras.packages_of(distribution("rejoinder"), extra)
