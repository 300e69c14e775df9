"""`rejoinder lsp`: help for prose in the editors people already use, by the Language Server Protocol.

    textDocument/inlineCompletion    the ghost text (LSP 3.18)
    textDocument/completion          the three words, for editors that know no ghost text
    rejoinder.switch                 a command: all help while typing on or off, at every door of the home

What the editor tells is in memory until the document is closed, and is written down nowhere. Where the person asks for it,
sentences that they finished are counted into their own text (`rejoinder.serve.editor.learning`).
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from rejoinder import __version__
from rejoinder.engine.typing import Gate, Typed, TypingSession
from rejoinder.errors import DamagedModel, RejoinderError, missing_extra
from rejoinder.post import Post
from rejoinder.serve.editor.document import Draft, Silence, read_document
from rejoinder.serve.editor.learning import Learning

if TYPE_CHECKING:
    from lsprotocol.types import CompletionItem, Position
    from pygls.lsp.server import LanguageServer
    from pygls.workspace import TextDocument

OpenTyping = Callable[[Sequence[Post]], TypingSession]  # a typing session for a draft that answers these posts

_log = logging.getLogger(__name__)
_UNFINISHED = re.compile(r"\S*\Z")


@dataclass(frozen=True)
class EditorHome:
    """What of a home an editor is helped with."""

    open_typing: OpenTyping
    changed: Callable[[], bool] = lambda: False  # whether what is open has to be opened anew
    is_on: Callable[[], bool] = lambda: True  # whether help is given at all
    switch: Callable[[bool], None] = lambda on: None  # gives it, or no more
    remember: Callable[[str], None] | None = None  # takes sentences of the person's own; None where they are not learned from


@dataclass(frozen=True)
class EditorOptions:
    """When to speak, and within what time."""

    gate: Gate = Gate.NORMAL
    deadline: float = 0.08  # seconds for an answer


class Completed(NamedTuple):
    """An answer, and the draft it is for."""

    draft: str
    typed: Typed


class Completer:
    """Answers keystrokes in any number of documents. Asked from one event loop; one thread works."""

    def __init__(self, home: EditorHome, options: EditorOptions, tell: Callable[[str], None] = lambda line: None) -> None:
        """`home.open_typing` is called once a document, and again when it answers something else, or the home has changed.

        `tell` is given a line for the log when a document falls silent, and when the reason is another one.
        """
        self._home, self._options, self._tell = home, options, tell
        self._reasons: dict[str, Silence] = {}  # by document, where nothing was shown last
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="typing")
        self._sessions: dict[str, tuple[str, TypingSession]] = {}  # by document: what it answers, and its session

    def warm(self) -> None:
        """Have the models read before the first keystroke."""
        self._worker.submit(self._home.open_typing, ())

    async def at(self, document: TextDocument, position: Position) -> Completed | None:
        """The answer for the caret at `position`; None where no help belongs, or a newer keystroke has come meanwhile."""
        until = perf_counter() + self._options.deadline
        reading = self._read(document, position)
        if isinstance(reading, Silence):
            self._note(document.uri, reading)
            return None
        version = document.version

        def overtaken() -> bool:
            return document.version != version

        def work() -> Typed | None:
            if overtaken():
                return None
            self._look_again()
            session = self._session(document.uri, reading.answered)
            try:
                found = session.suggest(reading.draft, gate=self._options.gate, deadline=until, cancelled=overtaken)
            except DamagedModel:  # found while it was asked: the next best speaks from the next keystroke on
                return None
            return None if self._look_again() else found  # it may know what is forgotten by now

        typed = await asyncio.get_running_loop().run_in_executor(self._worker, work)
        if typed is None or overtaken():
            return None
        self._note(document.uri, None if typed.ghost else Silence.UNSURE)
        return Completed(reading.draft, typed)

    def _read(self, document: TextDocument, position: Position) -> Draft | Silence:
        if not self._home.is_on():
            return Silence.OFF
        return read_document(document.language_id or "", document.source, document.offset_at_position(position))

    def in_turn(self, job: Callable[[], object]) -> None:
        """Have something done by the thread that works, after what it was given before."""
        self._worker.submit(job)

    def close(self, uri: str) -> None:
        """Drop the draft of the document at `uri`, and all that was read of it."""
        self._sessions.pop(uri, None)
        self._reasons.pop(uri, None)

    def _note(self, uri: str, reason: Silence | None) -> None:
        if reason is None:
            self._reasons.pop(uri, None)
        elif self._reasons.get(uri) != reason:
            self._reasons[uri] = reason
            self._tell(f"nothing is shown in {uri}: {reason}")

    def _look_again(self) -> bool:
        """Let go of what was fitted again, forgotten or erased; whether there was such a change."""
        if not self._home.changed():
            return False
        self._sessions.clear()
        return True

    def _session(self, uri: str, answered: str) -> TypingSession:
        kept = self._sessions.get(uri)
        if kept is None or kept[0] != answered:
            context = (Post(0, text=answered),) if answered else ()
            kept = self._sessions[uri] = (answered, self._home.open_typing(context))
        return kept[1]


def serve_editor(home: EditorHome, options: EditorOptions) -> None:
    """Answer an editor over stdin and stdout until it says goodbye.

    Raises:
        MissingExtra: pygls is not installed.
    """
    server = make_server(home, options)
    from rejoinder.serve.editor.frames import Frames

    server.start_io(Frames(sys.stdin.buffer))  # type: ignore[arg-type]


def make_server(home: EditorHome, options: EditorOptions) -> LanguageServer:
    """The server, ready for `start_io`.

    Raises:
        MissingExtra: pygls is not installed.
    """
    try:
        from lsprotocol import types
        from pygls.lsp.server import LanguageServer
    except ImportError as error:
        raise missing_extra("`rejoinder lsp`", "lsp") from error
    from rejoinder.serve.editor.lines import Documents

    server = LanguageServer("rejoinder", __version__)

    def tell(line: str) -> None:
        server.window_log_message(types.LogMessageParams(types.MessageType.Log, line))

    completer = Completer(home, options, tell)

    def document(params: types.CompletionParams | types.InlineCompletionParams) -> TextDocument:
        return server.workspace.get_text_document(params.text_document.uri)

    @server.feature(types.INITIALIZE)
    def begun(_: types.InitializeParams) -> None:
        server.protocol._workspace = Documents(server.workspace, watch)

    @server.feature(types.INITIALIZED)
    def greeted(_: types.InitializedParams) -> None:
        completer.warm()

    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    async def ghost(params: types.InlineCompletionParams) -> types.InlineCompletionList:
        completed = await completer.at(document(params), params.position)
        here = types.Range(params.position, params.position)
        text = completed.typed.ghost if completed else ""
        return types.InlineCompletionList([types.InlineCompletionItem(insert_text=text, range=here)] if text else [])

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions())
    async def words(params: types.CompletionParams) -> types.CompletionList:
        completed = await completer.at(document(params), params.position)
        units = document(params).position_codec.client_num_units
        return types.CompletionList(is_incomplete=True, items=_items(completed, params.position, units) if completed else [])

    _add_switch(server, home)
    watch = _add_learning(server, home, completer)
    return server


def _add_switch(server: LanguageServer, home: EditorHome) -> None:
    """The commands by which an editor asks for the one switch, and turns it."""

    @server.command("rejoinder.isOn")
    def is_on() -> dict[str, bool]:
        return {"on": home.is_on()}  # by itself, some editors take a "false" for no answer

    @server.command("rejoinder.switch")
    def switch() -> dict[str, bool]:
        home.switch(not home.is_on())
        return is_on()


def _add_learning(server: LanguageServer, home: EditorHome, completer: Completer) -> Callable[[str, str], None] | None:
    """Follow documents as they are opened, edited, saved and closed; where it is asked for, learn from them.

    Returns: what is to be given the URI and each piece that comes into a document at once; None where nothing is learned.
    """
    from lsprotocol import types

    def keep(text: str) -> None:
        if home.remember is not None and home.is_on():
            completer.in_turn(partial(_remember, home.remember, text))

    learning = Learning(keep)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        completer.close(params.text_document.uri)
        learning.closed(params.text_document.uri)

    if home.remember is None:
        return None

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        learning.opened(params.text_document.uri, params.text_document.language_id, params.text_document.text)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeTextDocumentParams) -> None:
        uri = params.text_document.uri
        learning.changed(uri, server.workspace.get_text_document(uri).source)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        learning.paused(params.text_document.uri)

    @server.feature(types.SHUTDOWN)
    def ended(_: None) -> None:
        learning.ended()

    return learning.inserted


def _remember(remember: Callable[[str], None], text: str) -> None:
    try:
        remember(text)
    except (RejoinderError, OSError) as error:  # whoever types loses nothing by it
        _log.warning("what was written could not be learned from: %s", error)


def _items(completed: Completed, position: Position, units: Callable[[str], int]) -> list[CompletionItem]:
    """The words as the editor wants them: one that finishes the word at the caret takes its place, so that it is listed whole.

    Args:
        completed: the answer.
        position: the caret.
        units: how long a text is, as the editor counts.
    """
    from lsprotocol import types

    found = _UNFINISHED.search(completed.draft)
    unfinished = found.group() if found else ""
    items = []
    for place, word in enumerate(completed.typed.words):
        begun = "" if word.text[:1].isspace() else unfinished
        start = types.Position(position.line, position.character - units(begun))
        whole = begun + word.text
        items.append(
            types.CompletionItem(
                label=whole.strip(),
                kind=types.CompletionItemKind.Text,
                detail=f"{word.probability:.0%}",
                sort_text=str(place),
                filter_text=whole,
                text_edit=types.TextEdit(types.Range(start, position), whole),
            )
        )
    return items
