"""The house: which way the arrows point, and how large a file may grow."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rejoinder.models import LADDER

SRC = Path(__file__).resolve().parents[1] / "src" / "rejoinder"
MODULES = sorted(SRC.rglob("*.py"))
# what the design draws, and README and CONTRIBUTING say: a room may import what stands to its right
ARROWS = (
    "cli, serve, tour -> climb, scale, publish -> home -> ladder, engine, inspect -> models -> text -> corpus, post, errors",
    "home -> archive -> corpus, post, errors",
)
BASE = {"errors", "extras", "post", "corpus", "config", "files", "hashing"}  # the last three: for whoever needs them
BESIDE = {  # and these, of one rank with it: the front door opens the others, and typing is measured as it is done
    "cli": {"serve", "tour"},
    "ladder": {"engine"},
    "corpus": {"hashing", "post"},
    "config": {"errors"},
    "files": {"errors"},
    "errors": {"extras"},
    "__main__": {"cli"},
    "__init__": {"home", "engine", "post", "errors"},  # the library's names
}


def allowed(here: str) -> set[str]:
    """The rooms that `here` may import besides itself."""
    found = set(BESIDE.get(here, ()))
    for line in ARROWS:
        ranks = [set(rank.strip().split(", ")) for rank in line.split("->")]
        place = next((place for place, rank in enumerate(ranks) if here in rank), None)
        if place is not None and here not in BASE:
            found |= set().union(*ranks[place + 1 :]) | BASE
    if "home" in found:
        found |= {"archive"}  # whoever may open a home may read its archive
    return found


def room(module: Path) -> str:
    return module.relative_to(SRC).parts[0].removesuffix(".py")


def imports(module: Path) -> set[str]:
    """The modules of rejoinder that `module` names, with dots."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} if node.module == "rejoinder" else {node.module}
        elif isinstance(node, ast.ImportFrom):
            pytest.fail(f"{module}: a relative import hides where an arrow points")
    return {name for name in found if name == "rejoinder" or name.startswith("rejoinder.")}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(SRC)))
def test_arrows_point_one_way(module: Path) -> None:
    here = room(module)
    for name in imports(module):
        there = [*name.split("."), "__init__"][1]
        assert there in allowed(here) | {here} or name == "rejoinder.__version__", f"{here} must not import {there}"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "../shared/design.md"])
def test_the_arrows_are_drawn_the_same_everywhere(page: str) -> None:
    file = SRC.parents[1] / page
    if not file.is_file():
        pytest.skip("the design is not beside this checkout")
    written = " ".join(file.read_text(encoding="utf-8").split())
    for line in ARROWS:
        assert f"`{line}`" in written


def test_the_doors_of_the_server_never_import_each_other() -> None:
    """`api`, `openai` and `editor` share what is in `http`, and only the app there knows which doors there are."""
    doors = ("api", "openai", "editor")
    for module in (SRC / "serve").rglob("*.py"):
        here = module.relative_to(SRC / "serve").parts[0]
        others = [door for door in doors if door != here and module.name != "app.py"]
        assert not [name for name in imports(module) for door in others if name.startswith(f"rejoinder.serve.{door}")], module


def test_rungs_never_import_each_other() -> None:
    rungs = {line.place.partition(":")[0] for line in LADDER.values()}
    for name in rungs:
        module = SRC / Path(*name.split(".")[1:]).with_suffix(".py")
        assert not imports(module) & (rungs - {name}), name


def function_lengths() -> Iterator[int]:
    """Lines of every function and method."""
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                yield node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(SRC)))
def test_nothing_grows_too_large(module: Path) -> None:
    """At most 400 lines a module, 50 a function, 6 parameters (CLI commands excepted, whose parameters are the options)."""
    source = module.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 400
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            where = f"{module.name}:{node.name}"
            assert node.end_lineno - node.lineno + 1 <= 50 or room(module) == "cli", where
            arguments = [
                a for a in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs] if a.arg not in ("self", "cls")
            ]
            assert len(arguments) <= 6 or room(module) == "cli", where


def test_most_functions_are_short() -> None:
    """19 of 20 functions have at most 25 lines. `bench/house.py` prints the figures."""
    lengths = sorted(function_lengths())
    assert lengths[int(0.95 * len(lengths))] <= 25


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(SRC)))
def test_a_docstring_says_more_than_a_name_does(module: Path) -> None:
    """`Write it.`, `Do all of it.`, `One of them.` say nothing that is not in the name already."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and (said := ast.get_docstring(node)):
            assert not re.fullmatch(r"(\w+|\w+ (all )?of|One of) (it|them)\.|\w+\.|Check ranges\.", said), f"{node.name}: {said}"


def test_a_name_of_a_class_stands_for_one_thing() -> None:
    found: dict[str, list[str]] = {}
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(str(module.relative_to(SRC)))
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(SRC)))
def test_no_pickle_and_nothing_executed(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not named & {"eval", "exec", "pickle", "marshal"}
    assert not {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names} & {
        "pickle",
        "marshal",
        "shelve",
    }


def test_libraries_never_print() -> None:
    for module in MODULES:
        if room(module) != "cli":
            calls = [node.func for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
            assert "print" not in {call.id for call in calls if isinstance(call, ast.Name)}, module


def test_importing_any_module_prints_and_starts_nothing() -> None:
    """But for those whose classes are Keras' own: importing one is the beginning of training."""
    names = [".".join(("rejoinder", *m.relative_to(SRC).with_suffix("").parts)).removesuffix(".__init__") for m in MODULES]
    by_keras = {"lstm.network", "lstm.stack_network", "lstm.optimizer", "dual_encoder.network"}
    names = [name for name in names if name.removeprefix("rejoinder.models.") not in by_keras]
    code = f"import importlib, threading\nfor n in {names!r}: importlib.import_module(n)\nassert threading.active_count() == 1"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_nothing_is_ever_written_to_a_forum() -> None:
    """There is no code that writes to a forum: the only verb spoken to one is GET.

    But for GraphQL, whose questions are sent by POST, at one place, which refuses all but queries (`test_fetchers.py`).
    A model is asked by POST, at the address that the user gave for it; archive and models never import each other.
    """
    posting = SRC / "archive" / "fetchers" / "http.py"
    for module in MODULES:
        if module == SRC / "models" / "llm" / "server.py":
            continue
        tree = ast.parse(module.read_text(encoding="utf-8"))
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        spoken = [text for text in texts if text in ("POST", "PUT", "PATCH", "DELETE")]
        assert spoken == (["POST"] if module == posting else []), module
        assert not any(text.lstrip().startswith("mutation") for text in texts if module != posting), module
        if "httpx" in module.read_text(encoding="utf-8"):
            assert module.relative_to(SRC / "archive").as_posix() in ("hackernews_api.py", "fetchers/http.py")
            called = {n.func.attr for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)}
            assert not called & {"post", "put", "patch", "delete", "request"}


UNIX_ALONE = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(SRC).as_posix())
def test_a_module_can_be_imported_where_there_is_no_unix(module: Path) -> None:
    """What only Unix has is imported within a function, or where the platform was asked for."""
    body = ast.parse(module.read_text(encoding="utf-8")).body
    named = {alias.name for node in body if isinstance(node, ast.Import) for alias in node.names}
    named |= {str(node.module) for node in body if isinstance(node, ast.ImportFrom)}
    assert not named & UNIX_ALONE
