"""How to get an extra where rejoinder runs: one command, for the interpreter that runs, from wherever rejoinder was installed.

The package is on no index, so a name alone says nothing to pip. What does is where it was installed from, which pip notes in
`direct_url.json` (PEP 610); where that is gone, or pipx keeps the environment, the packages of the extra are named themselves.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

_NAME = "rejoinder"


def how_to_get(extra: str) -> str:
    """A command that installs the packages of `extra` beside the rejoinder that runs."""
    try:
        found = distribution(_NAME)
    except PackageNotFoundError:  # run from a source tree that is not installed
        return shlex.join(["pip", "install", f"{_NAME}[{extra}]"])
    if (Path(sys.prefix) / "pipx_metadata.json").is_file():
        return shlex.join(["pipx", "inject", Path(sys.prefix).name, *packages_of(found, extra)])
    origin = origin_of(found, extra)
    return shlex.join([*_installer(), *(packages_of(found, extra) if origin is None else origin)])


def origin_of(found: Distribution, extra: str) -> list[str] | None:
    """What pip is to be given to install `found` again with `extra`; None if it came from an index, or from what is gone."""
    told = json.loads(found.read_text("direct_url.json") or "null")
    if told is None:
        return None
    url = urlsplit(told["url"])
    if url.scheme == "file":
        place = unquote(url.path)
        editable = ["-e"] if told.get("dir_info", {}).get("editable") else []
        return [*editable, f"{place}[{extra}]"] if Path(place).exists() else None
    vcs = told.get("vcs_info")
    return [f"{_NAME}[{extra}] @ " + (f"{vcs['vcs']}+{told['url']}@{vcs['commit_id']}" if vcs else told["url"])]


def packages_of(found: Distribution, extra: str) -> list[str]:
    """What `extra` requires on this machine, each with its bounds."""
    from packaging.requirements import Requirement

    wanted = [Requirement(text) for text in found.requires or ()]
    return [
        f"{one.name}{one.specifier}"
        for one in wanted
        if one.marker is not None and one.marker.evaluate({"extra": extra}) and not one.marker.evaluate({"extra": ""})
    ]


def _installer() -> list[str]:
    """The command that installs into the environment of this interpreter: environments made by uv have no pip."""
    if find_spec("pip") is None and shutil.which("uv"):
        return ["uv", "pip", "install", "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install"]
