"""A terminal of its own for a program that draws on one; and what was drawn as a picture, by xterm.js in a real browser."""

from __future__ import annotations

import base64
import os
import pty
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from browsing import pages
from playwright.sync_api import Browser

TAKE = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"  # the terminal
LIGHT = {"background": "#ffffff", "foreground": "#22201c", "cursor": "#1f5f66"}
DARK = {"background": "#171613", "foreground": "#e9e4d9", "cursor": "#7fc4c4"}


class Terminal:
    """One in which a program runs."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], rows: int = 30, columns: int = 100) -> None:
        self.size = {"rows": rows, "cols": columns}
        self.drawn = bytearray()
        self._screen, terminal = pty.openpty()
        termios.tcsetwinsize(terminal, (rows, columns))
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE, *command],
            env={**env, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        """Take what is drawn, so that nobody waits for the terminal."""
        try:
            while found := os.read(self._screen, 65_536):
                self.drawn += found
        except OSError:
            pass

    def type(self, keys: str) -> None:
        """Type keys, as a terminal sends them."""
        os.write(self._screen, keys.encode())

    def close(self) -> None:
        """The program has ended."""
        os.close(self._screen)

    def picture(self, browser: Browser, file: Path, theme: Mapping[str, Any]) -> str:
        """Draw the screen as it is now; its text."""
        with pages() as site:
            page = browser.new_page(device_scale_factor=1)
            page.goto(f"{site}/terminal.html")
            drawn = base64.b64encode(bytes(self.drawn)).decode()
            text = page.evaluate("([size, theme, drawn]) => window.draw(size, theme, drawn)", [self.size, dict(theme), drawn])
            page.locator("#terminal").screenshot(path=file)
            page.close()
        return str(text)
