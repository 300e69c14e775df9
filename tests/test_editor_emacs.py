"""The client for Emacs in a real one, in a terminal of its own: keys are sent as they are typed, the server is a real process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import a_chromium, npm_packages
from playwright.sync_api import sync_playwright
from terminal import LIGHT, Terminal
from waiting import listens, until

from rejoinder.home.own_text import remembered
from rejoinder.home.switch import is_on

CLIENT = Path(__file__).resolve().parents[1] / "clients" / "emacs" / "rejoinder.el"
BEGUN = "I think that the prob"
PATIENCE = 240.0  # seconds
RIGHT = "\x1b[1;3C"  # M-<right>, as xterm sends it
EMACS, ASKER = shutil.which("emacs"), shutil.which("emacsclient")
pytestmark = pytest.mark.skipif(EMACS is None or ASKER is None, reason="no Emacs: `apt-get install emacs-nox` brings one")


class Emacs:
    """One that runs, and is typed into."""

    def __init__(self, folder: Path, configuration: str, name: str, size: tuple[int, int] = (30, 100)) -> None:
        assert EMACS
        self.file, self.socket = folder / name, folder / "s"
        start = folder / "start.el"
        start.write_text(  # nothing is compiled beside it: in an empty home that would take every processor for minutes
            "(require 'json)\n(setq native-comp-deferred-compilation nil native-comp-jit-compilation nil)\n"
            f'(setq auto-save-default nil make-backup-files nil server-name "{self.socket}")\n{configuration}\n'
            f'(load "{CLIENT}" nil t)\n(global-rejoinder-mode)\n(server-start)\n'
        )
        env = {**os.environ, "HOME": str(folder)}
        self.terminal = Terminal([EMACS, "-nw", "-Q", "-l", str(start), str(self.file)], env, *size)
        self.process = self.terminal.process
        self.until(lambda: listens(self.socket))

    def type(self, keys: str) -> None:
        """Type keys, and wait until Emacs has read them."""
        counted = [self.lisp("(+ num-nonmacro-input-events 0)")]
        self.terminal.type(keys)

        def read() -> bool:  # some were read, and no more come: they do not all arrive at once
            counted.append(self.lisp("(+ num-nonmacro-input-events 0)"))
            return counted[0] < counted[-2] == counted[-1] and not self.lisp("(input-pending-p)")

        self.until(read)

    def lisp(self, expression: str) -> Any:
        """The value of an expression, as JSON has it, in the buffer that is seen."""
        assert ASKER
        asked = f"(with-current-buffer (window-buffer (frame-selected-window)) (json-encode {expression}))"
        done = subprocess.run([ASKER, "-s", self.socket, "-e", asked], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return json.loads(json.loads(done.stdout))

    @property
    def text(self) -> str:
        """What is written."""
        return str(self.lisp("(buffer-string)"))

    @property
    def ghost(self) -> str:
        """What is drawn behind the caret."""
        drawn, said, there = self.lisp(
            '(vector (mapconcat (lambda (one) (or (overlay-get one \'after-string) "")) (overlays-in 1 (1+ (point-max))) "")'
            ' (or (rejoinder-ghost) "") (or (not rejoinder--ghost) (= (point) (overlay-start rejoinder--ghost))))'
        )
        assert drawn == said
        assert there is True
        return str(said)

    def until(self, true: Callable[[], object]) -> Any:
        """Wait until something is true."""
        return until(true, PATIENCE, going=lambda: self.process.poll() is None, pause=0.05)

    def shown_for(self, text: str) -> str:
        """The ghost behind a text that is typed; its last letter again and again, since the models are being read at first."""
        self.type(text)

        def ghost() -> str:
            for _ in range(20):
                if found := self.ghost:
                    return found
                time.sleep(0.05)
            self.type("\x7f")
            self.type(text[-1])
            return ""

        return str(self.until(ghost))

    def end(self) -> None:
        """Quit, and have its server quit."""
        if self.process.poll() is None:
            subprocess.run([str(ASKER), "-s", self.socket, "-e", "(let (kill-emacs-hook) (kill-emacs))"], capture_output=True)
        self.process.wait(PATIENCE)
        self.terminal.close()


Start = Callable[..., Emacs]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Emacs] = []

    def one(configuration: str = "", name: str = "draft.txt", command: list[str] | None = None, **more: Any) -> Emacs:
        if command is None:
            command = [sys.executable, "-m", "rejoinder", "lsp", "--gate", "eager", "--deadline", "1000"]
            command += ["--home", str(tmp_path / "home")]  # without one of ours, the package's models speak
        told = " ".join(json.dumps(part) for part in command)
        running.append(Emacs(tmp_path, f"(setq rejoinder-command '({told}))\n{configuration}", name, **more))
        return running[-1]

    yield one
    for emacs in running:
        emacs.end()


def test_a_ghost_is_taken_whole_and_by_words(start: Start) -> None:
    """And undone by itself; what is typed of it is taken off it, and what is not takes it away."""
    emacs = start()
    ghost = emacs.shown_for(BEGUN)
    assert ghost.startswith("lem")
    assert emacs.text == BEGUN
    emacs.type("l")
    assert emacs.ghost.startswith("em")
    emacs.type(RIGHT)
    assert emacs.text == "I think that the problem"
    emacs.type("\x01\x0b")  # C-a C-k
    assert emacs.ghost == ""
    whole = f"{BEGUN}{emacs.shown_for(BEGUN)}"
    emacs.type("\t")
    assert emacs.text == whole
    assert emacs.lisp("(point)") == len(whole) + 1
    emacs.type("\x1f")  # C-_ undoes
    assert emacs.text == BEGUN
    assert emacs.ghost == ""


def test_the_client_compiles_without_a_warning(tmp_path: Path) -> None:
    assert EMACS
    copy = shutil.copy(CLIENT, tmp_path)
    command = [EMACS, "-Q", "--batch", "--eval", "(setq byte-compile-error-on-warn t)", "-f", "batch-byte-compile", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_keys_mean_what_they_meant_where_there_is_no_ghost(start: Start) -> None:
    """A hushed one does not come back until something else is written."""
    emacs = start(
        '(add-hook \'text-mode-hook (lambda () (local-set-key (kbd "TAB") (lambda () (interactive) (insert "TABBED")))))'
    )
    assert emacs.lisp('(key-binding (kbd "M-<right>"))') == "right-word"
    assert emacs.shown_for(BEGUN)
    assert emacs.lisp('(key-binding (kbd "M-<right>"))') == "rejoinder-accept-word"

    def hushed() -> bool:  # a C-g that comes while Emacs answers us ends that, and is no key
        emacs.terminal.type("\x07")
        time.sleep(0.1)
        return emacs.ghost == ""

    emacs.until(hushed)
    emacs.type("\t")
    assert emacs.text == f"{BEGUN}TABBED"
    assert emacs.lisp('(key-binding (kbd "M-<right>"))') == "right-word"


def test_nothing_is_shown_while_one_deletes_or_moves_about(start: Start) -> None:
    emacs = start()
    assert emacs.shown_for(BEGUN)
    for keys in ("\x7f", "b\x02", "\x06"):  # DEL; C-b; C-f: back at the end, with nothing typed
        emacs.type(keys)
    assert emacs.ghost == ""
    emacs.type("\x7f")
    emacs.type("b")
    assert emacs.until(lambda: emacs.ghost)
    emacs.type("\x18bother\r")  # C-x b
    assert emacs.until(lambda: emacs.lisp("(null rejoinder--ghost)"))


def test_the_ghost_changes_neither_text_nor_caret_nor_undo(start: Start) -> None:
    emacs = start()
    assert emacs.shown_for(BEGUN)
    emacs.lisp("(progn (basic-save-buffer) t)")
    assert emacs.file.read_text() == f"{BEGUN}\n"  # text-mode ends a file by a newline
    assert emacs.lisp("(list (point) (buffer-modified-p) (overlay-start rejoinder--ghost) (overlay-end rejoinder--ghost))") == [
        len(BEGUN) + 1,
        None,
        len(BEGUN) + 1,
        len(BEGUN) + 1,
    ]
    assert "lem" not in emacs.lisp('(format "%s" buffer-undo-list)')


def test_the_words_come_by_completion_at_point(start: Start) -> None:
    emacs = start("(setq rejoinder--patience 30)")
    assert emacs.shown_for(f"äö😀 {BEGUN}").startswith("lem")
    asked = (
        "(pcase-let ((`(,begin ,end ,table . ,_) (rejoinder-completion-at-point)))"
        ' (and begin (list begin end (vconcat (all-completions "prob" table)))))'
    )
    begin, end, words = emacs.until(lambda: emacs.lisp(asked))
    assert (begin, end) == (len(f"äö😀 {BEGUN}") - 3, len(f"äö😀 {BEGUN}") + 1)
    assert "problem" in words


def test_the_languages_of_prose_are_told_from_others(start: Start) -> None:
    emacs = start()
    modes = {"message-mode": "mail", "org-mode": "org", "rst-mode": "rst", "latex-mode": "latex", "text-mode": "plaintext"}
    for mode, language in modes.items():
        assert emacs.lisp(f"(progn ({mode}) (vector (rejoinder--language) rejoinder-mode))") == [language, True]
    for mode in ("html-mode", "emacs-lisp-mode", "nxml-mode"):
        assert emacs.lisp(f"(progn ({mode}) (vector (rejoinder--language) rejoinder-mode))") == [None, None]
    emacs.lisp(f'(progn (find-file "{emacs.file.with_name("COMMIT_EDITMSG")}") t)')
    assert emacs.lisp("(vector (rejoinder--language) rejoinder-mode)") == ["gitcommit", True]


EDITS = r"""
(vector (progn (setq told nil)
               (dotimes (_ (random 4))
                 (goto-char (1+ (random (1+ (buffer-size)))))
                 (if (< (random 10) 6) (insert (nth (random 6) '("word" "\n" "ä\n\nb" "😀" "\r" "\f")))
                   (delete-region (point) (min (point-max) (+ (point) (random 9))))))
               (when (= (random 5) 0) (narrow-to-region (/ (1+ (point)) 2) (point)))
               (rejoinder--tell)
               (rejoinder--tell)
               (vconcat (nreverse told)))
        (rejoinder--here)
        (progn (widen) (buffer-string))
        (point))
"""


def test_the_server_knows_a_buffer_as_it_is_whatever_is_done_to_it(start: Start) -> None:
    """The edits it was told of, made to the text it was told first, give the text of the buffer."""
    emacs = start('(setq told nil)\n(defun note (_ method params) (push (vector (format "%s" method) params) told))')
    emacs.until(lambda: emacs.lisp("(not (null rejoinder--ready))"))
    emacs.lisp("(progn (advice-add 'jsonrpc-notify :before #'note) (random \"seed\") t)")
    kept = ""
    for _ in range(40):
        told, here, text, caret = emacs.lisp(EDITS)
        for method, params in told:
            if method.endswith("didOpen"):
                kept = params["textDocument"]["text"]
            else:
                (change,) = params["contentChanges"]
                begin, end = (place_of(kept, change["range"][side]) for side in ("start", "end"))
                kept = kept[:begin] + change["text"] + kept[end:]
        assert kept == text.replace("\r", " ")
        assert place_of(kept, here["position"]) == caret - 1


def place_of(text: str, position: dict[str, int]) -> int:
    """How many characters stand before a position, which is in the text."""
    lines = text.split("\n")
    assert position["character"] <= len(lines[position["line"]])
    return sum(len(line) + 1 for line in lines[: position["line"]]) + position["character"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["no-such-rejoinder"], "`no-such-rejoinder' was not found"),
        ([sys.executable, "-c", "raise SystemExit('no extra')"], "no extra"),
    ],
)
def test_a_server_that_is_missing_or_ends_is_said_once(start: Start, command: list[str], said: str) -> None:
    emacs = start(command=command)
    emacs.until(lambda: emacs.lisp('(not (null (get-buffer "*Warnings*")))'))
    emacs.type("the prob")
    emacs.lisp('(progn (find-file "other.txt") t)')
    emacs.type("the prob")
    warnings = emacs.lisp('(with-current-buffer "*Warnings*" (buffer-string))')
    assert warnings.count("Warning (rejoinder)") == 1
    assert said in warnings
    assert emacs.text == "the prob"


def test_a_server_that_is_killed_is_begun_again_when_one_asks_for_it(start: Start) -> None:
    """Until then one writes on without it."""
    emacs = start()
    assert emacs.shown_for(BEGUN)
    os.kill(emacs.lisp("(process-id (jsonrpc--process rejoinder--server))"), signal.SIGKILL)
    emacs.until(lambda: emacs.lisp('(not (null (get-buffer "*Warnings*")))'))
    assert emacs.ghost == ""
    emacs.type("lem")
    assert emacs.text == f"{BEGUN}lem"
    emacs.type("\x01\x0b")
    for _ in range(2):
        emacs.type("\x1bxrejoinder-mode\r")
    assert emacs.lisp("(vector rejoinder-mode (null rejoinder--server))") == [True, None]
    assert emacs.shown_for(BEGUN).startswith("lem")


def test_it_is_switched_off_wherever_one_writes_and_on_again(start: Start, tmp_path: Path) -> None:
    emacs = start()
    assert emacs.shown_for(BEGUN)
    emacs.lisp("(rejoinder-switch)")
    assert not is_on(tmp_path / "home") and emacs.ghost == ""
    emacs.type("l")
    emacs.lisp("(rejoinder-completion-at-point)")  # what was asked before has been answered
    assert emacs.ghost == ""
    emacs.lisp("(rejoinder-switch)")
    assert is_on(tmp_path / "home")
    emacs.type("\x01\x0b")  # C-a C-k
    assert emacs.shown_for(BEGUN)


def test_sentences_are_learned_from_where_that_is_asked_for(start: Start, tmp_path: Path) -> None:
    home = tmp_path / "home"
    emacs = start(command=[sys.executable, "-m", "rejoinder", "lsp", "--learn", "--home", str(home)])
    emacs.until(lambda: emacs.lisp("(if rejoinder--ready t :json-false)") is True)
    for letter in "This one is mine. ":
        emacs.type(letter)
    emacs.type("\x18\x13")  # C-x C-s
    emacs.until(lambda: remembered(home))
    assert remembered(home) == "This one is mine.\n"


def test_a_picture_of_it(start: Start, tmp_path: Path) -> None:
    """REJOINDER_PICTURES=docs writes it there."""
    if reason := npm_packages():
        pytest.skip(reason)
    emacs = start("(menu-bar-mode -1)\n(setq frame-background-mode 'light)", size=(9, 80))
    ghost = emacs.shown_for(BEGUN)
    file = Path(os.environ.get("REJOINDER_PICTURES", tmp_path)) / "emacs-light.png"
    with sync_playwright() as playwright, a_chromium(playwright) as browser:
        screen = emacs.terminal.picture(browser, file, LIGHT)
    assert f"{BEGUN}{ghost}" in screen
