"""The tour: its chapters run, with what training needs and without; they and the sources they explain know of each other; the
site is whole and loads nothing from elsewhere; `rejoinder tour` writes notebooks and keeps those that were changed.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from conftest import made_once

from rejoinder.extras import how_to_get
from rejoinder.tour.chapters import Chapter, chapters, find

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
CHAPTERS = chapters()
WITHOUT_TRAINING = (1, 3, 5, 7, 8)
OF_TRAINING = ("tensorflow", "keras", "scipy", "sklearn", "gensim", "onnx", "jax", "torch", "usearch", "tensorboard")
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src", "link": "href"}
each = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)


@pytest.fixture(scope="session")
def tour_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tour-home")


def environment(home: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "REJOINDER_TOUR_HOME": str(home), **more}


# --- the site --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, tour_home: Path) -> Path:
    """The documentation, built once; every chapter is executed, and a warning fails it."""

    def build(out: Path) -> None:
        command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-E", "-d", str(out / "doctrees")]
        ran = subprocess.run(
            [*command, str(DOCS), str(out / "html")], capture_output=True, text=True, env=environment(tour_home), timeout=600
        )
        assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-6000:]

    return made_once(tmp_path_factory, "site", build) / "html"


class Page(HTMLParser):
    """What a page loads, what it links to, and its images."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file, self.text = file, file.read_text(encoding="utf-8")
        self.loads: list[str] = []
        self.links: list[str] = []
        self.images: list[str] = []
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        loaded = given.get(LOADED.get(tag, ""))
        if loaded and (tag != "link" or {*(given.get("rel") or "").split()} & {"stylesheet", "icon", "preload"}):
            self.loads.append(loaded)
        if tag == "a" and given.get("href"):
            self.links.append(given["href"] or "")
        if tag == "img":
            self.images.append(given["src"] or "")

    def here(self, address: str) -> Path:
        return self.file.parent / unquote(urlsplit(address).path)


def test_every_page_is_on_the_site(site: Path) -> None:
    written = {page.relative_to(DOCS).with_suffix(".html") for page in DOCS.rglob("*.md") if "_build" not in page.parts}
    kept_out = {Path("log.html"), Path("map.html"), Path("promises.html")}  # for those who work on it
    assert all((site / page).is_file() for page in written - kept_out)
    assert (site / "source/src/rejoinder/models/lstm/cell.py.html").is_file()


def test_nothing_is_loaded_from_elsewhere_and_all_that_is_loaded_is_there(site: Path) -> None:
    for file in site.rglob("*.html"):
        if "_downloads" in file.parts:
            continue
        page = Page(file)
        for address in page.loads:
            assert address.startswith("data:") or (not urlsplit(address).netloc and page.here(address).is_file()), (file, address)
        for address in page.links:
            parts = urlsplit(address)
            if not parts.scheme and not parts.netloc and parts.path:
                assert page.here(address).exists(), (file, address)
    for file in [*site.rglob("*.css"), *site.rglob("*.js")]:
        assert not re.search(r"@import\s|url\(\s*[\"']?(https?:)?//|importScripts", file.read_text(encoding="utf-8")), file


@each
def test_a_chapter_was_executed_and_has_its_plots(site: Path, chapter: Chapter) -> None:
    page = Page(site / "tour" / f"{chapter.file.stem}.html")
    assert page.images and all(page.here(image).stat().st_size > 1000 for image in page.images)
    cells = len(re.findall(r"^```\{code-cell\}", chapter.text, re.MULTILINE))
    assert len(re.findall(r'class="cell (?:tag_\S+ )?docutils', page.text)) == cells
    assert page.text.count('class="cell_output docutils') >= cells // 2
    assert "Traceback" not in page.text and "restart the kernel" not in page.text
    if "$$" in chapter.text:
        assert "<math" in page.text


# --- without what training needs -------------------------------------------------------------------------------------

BLOCKER = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OF_TRAINING!r}:
            raise ImportError(f"{{name}} is not here")

sys.meta_path.insert(0, Blocked())
"""


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory, tour_home: Path) -> dict[int, list[dict[str, object]]]:
    """What every chapter puts out where nothing of the extra `train` can be imported: the outputs of its cells, in order."""
    folder = made_once(tmp_path_factory, "bare", lambda folder: _run_bare(folder, tour_home))
    return {int(number): outputs for number, outputs in json.loads((folder / "outputs.json").read_text()).items()}


def _run_bare(folder: Path, tour_home: Path) -> None:
    (folder / "sitecustomize.py").write_text(BLOCKER)
    runner = """
import json, sys
import jupytext
from nbclient import NotebookClient

found = {}
for file in sys.argv[1:]:
    notebook = jupytext.read(file)
    NotebookClient(notebook, timeout=200, kernel_name="python3", resources={"metadata": {"path": "."}}).execute()
    found[int(file.rpartition("/")[2][:2])] = [output for cell in notebook.cells for output in cell.get("outputs", [])]
json.dump(found, open("outputs.json", "w"))
"""
    path = os.pathsep.join([str(folder), str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-c", runner, *(str(chapter.file) for chapter in CHAPTERS)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment(tour_home, PYTHONPATH=path))
    assert ran.returncode == 0, ran.stderr[-6000:]


@each
def test_without_what_training_needs_a_chapter_runs_or_says_so_in_one_line(
    chapter: Chapter, bare: dict[int, list[dict[str, object]]]
) -> None:
    outputs = bare[chapter.number]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    if chapter.number in WITHOUT_TRAINING:
        assert chapter.extra == "" and len(outputs) > 8
        assert any("image/svg+xml" in output.get("data", {}) for output in outputs)  # type: ignore[operator]
    else:
        assert chapter.extra == "train"
        (only,) = outputs
        (line,) = only["data"]["text/markdown"].splitlines()  # type: ignore[index]
        assert "needs the extra `train`: " in line


# --- chapters and sources --------------------------------------------------------------------------------------------


def explained(chapter: Chapter) -> set[Path]:
    """The files of the package that a chapter says it explains."""
    _, _, end = chapter.text.partition("## The source\n")
    found = re.findall(r"\]\(([^)]+\.py)\)", end)
    return {(chapter.file.parent / target).resolve() for target in found}


def test_chapters_link_to_the_sources_they_explain_and_these_link_back() -> None:
    there = {(chapter.file.name, file) for chapter in CHAPTERS for file in explained(chapter)}
    back = set()
    for file in (ROOT / "src").rglob("*.py"):
        said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        back |= {(name, file) for name in re.findall(r"docs/tour/([\w-]+\.md)", said)}
    assert there == back
    assert all(explained(chapter) for chapter in CHAPTERS)


@each
def test_figures_come_from_the_run(chapter: Chapter) -> None:
    """In the prose of a chapter there is no percentage and no decimal fraction."""
    prose = re.sub(r"^---\n.*?^---\n|^```.*?^```$|^    .*$|\$\$.*?\$\$|`[^`]*`", "", chapter.text, flags=re.MULTILINE | re.DOTALL)
    assert not re.findall(r"\d+\.\d+|\d+ ?%", prose)


def test_there_are_eight_chapters_in_order_each_with_a_way_on_and_a_command() -> None:
    assert [chapter.number for chapter in CHAPTERS] == list(range(1, 9))
    for chapter, following in zip(CHAPTERS, [*CHAPTERS[1:], None], strict=True):
        assert "## On your own archive\n\n    rejoinder " in chapter.text
        assert following is None or f"({following.file.name})" in chapter.text.partition("## The source")[2]


def test_a_chapter_is_found_by_number_and_by_name() -> None:
    assert [find(wanted).number for wanted in ("4", "04", "a-memory-cell", "a-mem", "04-a-memory-cell")] == [4] * 5


# --- the command -----------------------------------------------------------------------------------------------------


def tour(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rejoinder", "tour", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "120", **more}, timeout=60)


def test_without_a_chapter_all_are_listed_in_a_line_each() -> None:
    ran = tour()
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert [" ".join(line.split()) for line in lines[: len(CHAPTERS)]] == [f"{c.number} {c.title} {c.line}" for c in CHAPTERS]
    listed = json.loads(tour("--json").stdout)
    assert [(one["number"], one["extra"]) for one in listed] == [(c.number, c.extra) for c in CHAPTERS]


def test_a_chapter_becomes_a_notebook_that_is_kept_when_it_was_changed(tmp_path: Path) -> None:
    out = tmp_path / "notebooks"
    ran = tour(4, "--out", out, "--no-open")
    file = out / "04-a-memory-cell.ipynb"
    assert (ran.returncode, ran.stdout) == (0, f"wrote {file}\n")
    notebook = json.loads(file.read_text())
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    assert sources[0].startswith("# A memory cell") and notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert not any("](../" in source for source in sources)  # which would lead nowhere from here
    assert tour(4, "--out", out, "--no-open").stdout == f"{file} is there already, as the chapter is\n"

    notebook["cells"][0]["source"] = ["# Mine"]
    file.write_text(json.dumps(notebook))
    kept = tour(4, "--out", out, "--no-open")
    assert kept.stdout.startswith(f"kept {file}, which was changed") and "# Mine" in file.read_text()
    assert tour(4, "--out", out, "--no-open", "--fresh").stdout == f"replaced {file}\n"
    assert "# Mine" not in file.read_text()


def test_jupyter_opens_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "jupyterlab.py").write_text("import sys; print('opened', *sys.argv[1:])")
    ran = tour(1, "--out", tmp_path, PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT / "src")]))
    assert ran.stdout.splitlines()[-1] == f"opened {tmp_path / '01-what-is-a-tensor.ipynb'}"


def test_without_its_extra_the_command_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "jupytext.py").write_text("raise ImportError('not here')")
    ran = tour(1, "--out", tmp_path, PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT / "src")]))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"rejoinder: a chapter as a notebook needs the extra `tour`: {how_to_get('tour')}\n"


@pytest.mark.parametrize("wanted", ["9", "memory-sell", ""])
def test_a_chapter_that_is_not_there_gives_one_line(wanted: str) -> None:
    ran = tour(wanted)
    assert ran.returncode == 2 and ran.stderr.startswith("rejoinder: no chapter `") and ran.stderr.count("\n") == 1


def test_something_else_of_that_name_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "01-what-is-a-tensor.ipynb"
    file.write_text("not a notebook")
    ran = tour(1, "--out", tmp_path, "--no-open")
    assert ran.returncode == 2 and "is no notebook" in ran.stderr and file.read_text() == "not a notebook"


# --- the package -----------------------------------------------------------------------------------------------------


def test_the_wheel_holds_the_chapters_and_they_are_found_there(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True, cwd=ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        assert {f"rejoinder/tour/chapters/{chapter.file.name}" for chapter in CHAPTERS} <= set(names)
        assert any(name.startswith("rejoinder/tour/examples/letters/") for name in names)
        packed.extractall(tmp_path / "installed")
    code = "from rejoinder.tour.chapters import chapters, contract_tests; print(chapters()[0].file, contract_tests())"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": "installed"}
    )
    assert ran.stdout.split() == [str(tmp_path / "installed/rejoinder/tour/chapters/01-what-is-a-tensor.md"), "None"]
