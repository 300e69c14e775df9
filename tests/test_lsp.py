"""The language server as an editor meets it: a process, spoken to over its stdin and stdout by an independent client."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from lsprotocol import types
from pygls.lsp.client import LanguageClient
from pygls.workspace import TextDocument, Workspace
from serving import make_home

from rejoinder.engine.typing import Typed, TypingSession
from rejoinder.home.forgetting import forget_everywhere
from rejoinder.home.own_text import erase, remember
from rejoinder.post import Post
from rejoinder.serve.editor.document import Draft, Silence, read_document
from rejoinder.serve.editor.frames import Frames
from rejoinder.serve.editor.lines import Documents
from rejoinder.serve.editor.lsp import Completer, EditorHome, EditorOptions

URI = "file:///draft.md"
BEGUN = "I think that the prob"


class Editor(LanguageClient):
    """A document, and what is asked about it."""

    def __init__(self) -> None:
        super().__init__("editor", "1")
        self.version = 0

    def open(self, language: str, text: str, uri: str = URI) -> None:
        document = types.TextDocumentItem(uri, language, self.version, text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(document))

    def edit(self, start: tuple[int, int], end: tuple[int, int], text: str) -> None:
        self.version += 1
        change = types.TextDocumentContentChangePartial(
            range=types.Range(types.Position(*start), types.Position(*end)), text=text
        )
        which = types.VersionedTextDocumentIdentifier(version=self.version, uri=URI)
        self.text_document_did_change(types.DidChangeTextDocumentParams(which, [change]))

    async def ghost(self, line: int, character: int) -> str | None:
        context = types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic)
        where = types.TextDocumentIdentifier(URI), types.Position(line, character)
        found = await self.text_document_inline_completion_async(types.InlineCompletionParams(context, *where))
        assert isinstance(found, types.InlineCompletionList)
        texts = [item.insert_text for item in found.items]
        assert len(texts) <= 1
        return str(texts[0]) if texts else None

    async def words(self, line: int, character: int) -> Sequence[types.CompletionItem]:
        where = types.TextDocumentIdentifier(URI), types.Position(line, character)
        found = await self.text_document_completion_async(types.CompletionParams(*where))
        assert isinstance(found, types.CompletionList)
        assert found.is_incomplete  # other letters, other words
        return found.items


def in_editor(home: Path, do: Callable[[Editor], Awaitable[None]], *options: str) -> types.InitializeResult:
    """Start the server, do something, and end it as editors do; what the server said it can."""

    async def session() -> types.InitializeResult:
        editor = Editor()
        command = [sys.executable, "-m", "rejoinder", "lsp", "--home", str(home), "--deadline", "1000", "--gate", "eager"]
        await editor.start_io(*command, *options)
        said = await editor.initialize_async(types.InitializeParams(capabilities=types.ClientCapabilities(), process_id=None))
        editor.initialized(types.InitializedParams())
        await do(editor)
        await editor.shutdown_async(None)
        editor.exit(None)
        assert editor._server is not None
        assert await editor._server.wait() == 0
        await editor.stop()
        return said

    return asyncio.run(asyncio.wait_for(session(), 300))


def test_an_editor_is_helped(tmp_path: Path) -> None:
    """Ghost text and words for a draft that is edited in place, where characters count one or two units."""

    async def do(editor: Editor) -> None:
        editor.open("markdown", f"# 😀 heading\n\n{BEGUN}\n")
        while (first := await editor.ghost(2, len(BEGUN))) is None:
            await asyncio.sleep(0.1)  # the models are being read
        assert first.startswith("lem")
        assert await editor.ghost(2, 3) is None  # inside a line
        items = await editor.words(2, len(BEGUN))
        assert items[0].label == "problem"
        assert [item.sort_text for item in items] == [str(place) for place in range(len(items))]
        edit = items[0].text_edit
        assert isinstance(edit, types.TextEdit)
        assert edit == types.TextEdit(types.Range(types.Position(2, len(BEGUN) - 4), types.Position(2, len(BEGUN))), "problem")
        editor.edit((2, 0), (2, 0), "😀 ")  # three units, two characters
        assert (await editor.ghost(2, len(BEGUN) + 3) or "").startswith("lem")
        editor.edit((0, 0), (0, 0), "\f\u2028")  # ends no line
        editor.edit((2, 3), (2, len(BEGUN) + 3), "A lot of peop")
        assert (await editor.ghost(2, 16) or "").startswith("le")
        editor.open("python", BEGUN)  # programs are left alone
        assert await editor.ghost(0, len(BEGUN)) is None
        assert not await editor.words(0, len(BEGUN))

    said = in_editor(tmp_path, do)
    assert said.capabilities.inline_completion_provider
    assert said.capabilities.completion_provider
    assert not said.capabilities.completion_provider.trigger_characters  # a list that opens by itself takes Enter
    assert isinstance(said.capabilities.text_document_sync, types.TextDocumentSyncOptions)
    assert said.capabilities.text_document_sync.change == types.TextDocumentSyncKind.Incremental


@pytest.mark.parametrize("encoding", list(types.PositionEncodingKind))
@pytest.mark.parametrize("text", ["", "a", "😀b", "😀b\n", "😀b\r\nc", "\n\n"])
def test_a_position_beyond_a_line_is_its_end(encoding: types.PositionEncodingKind, text: str) -> None:
    """As the protocol has it: an editor may replace all of a line, or all of a text, by a range that is longer than it is."""
    lines = text.replace("\r\n", "\n").split("\n")
    for number, line in enumerate(lines):
        for most in range(12, 15):
            documents = Documents(Workspace(None, position_encoding=encoding))
            documents.put_text_document(types.TextDocumentItem(URI, "markdown", 1, text))
            document = documents.get_text_document(URI)
            whole = types.Range(types.Position(number, 0), types.Position(number, most))
            document.apply_change(types.TextDocumentContentChangePartial(range=whole, text="new"))
            assert document.source.replace("\r\n", "\n").split("\n") == [*lines[:number], "new", *lines[number + 1 :]]
            everything = types.Range(types.Position(0, 0), types.Position(most, most))
            document.apply_change(types.TextDocumentContentChangePartial(range=everything, text=line))
            assert document.source == line


def test_why_nothing_is_shown_is_told_once(tmp_path: Path) -> None:
    """Once for each reason, and again after something was shown."""
    told: list[str] = []

    class Session:
        def suggest(self, draft: str, **_: object) -> Typed:
            return Typed("lem" if draft == BEGUN else "", 0.5, (), "toy", False)

    completer = Completer(EditorHome(lambda context: cast("TypingSession", Session())), EditorOptions(), told.append)
    for text, caret in ((BEGUN, 3), (BEGUN, 4), ("Nothing", 7), (BEGUN, len(BEGUN)), ("Nothing", 7)):
        asyncio.run(completer.at(TextDocument(URI, text, 1, "markdown"), types.Position(0, caret)))
    assert told == [f"nothing is shown in {URI}: {reason}" for reason in (Silence.INSIDE, Silence.UNSURE, Silence.UNSURE)]


MAIL = "From: me\nSubject: bread\n\n> How long should\n> the dough rest?\n\nUntil it\n> and then?\n"


@pytest.mark.parametrize(
    ("language", "text", "caret", "expected"),
    [
        ("markdown", "One.\n\nTwo", 9, Draft("", "One.\n\nTwo")),
        ("plaintext", "One\r\nTwo", 8, Draft("", "One\nTwo")),
        ("plaintext", "One\r\nTwo", 3, Draft("", "One")),
        ("plaintext", "One Two", 3, Silence.INSIDE),  # inside a line
        ("python", "One", 3, Silence.LANGUAGE),
        ("gitcommit", "Mend\n# On branch\nthe", 20, Draft("", "Mend\nthe")),
        ("git-commit", "# On branch", 11, Silence.FOREIGN),
        ("mail", MAIL, MAIL.index("Until it") + 8, Draft("How long should\nthe dough rest?\nand then?", "Until it")),
        ("mail", MAIL, MAIL.index(" bread") + 6, Silence.HEADER),  # in the header
        ("mail", MAIL, MAIL.index("should") + 6, Silence.FOREIGN),  # in what others wrote
        ("message", "No header here", 14, Draft("", "No header here")),
        ("mail", "Note: this is\nnone", 18, Draft("", "Note: this is\nnone")),
        ("message", "To: you\n--text follows this line--\nSo", 41, Draft("", "So")),
        ("markdown", "---\ntitle: On", 13, Silence.HEADER),
        ("markdown", "---\ntitle: On\n---\nSo", 20, Draft("", "So")),
        ("markdown", "So\n---\nthen", 11, Draft("", "So\n---\nthen")),
        ("rst", "+++\nx = 1\n+++\nSo", 16, Draft("", "So")),
        ("markdown", "---\nti", 6, Silence.HEADER),  # a field that is being written
        ("markdown", "---\n\nOne", 8, Draft("", "---\n\nOne")),  # a rule
        ("plaintext", "---\nHello wor", 13, Draft("", "---\nHello wor")),
        ("markdown", "---\nNote: this\n\nSo", 18, Draft("", "---\nNote: this\n\nSo")),  # it would have ended by now
    ],
)
def test_what_the_draft_is(language: str, text: str, caret: int, expected: Draft | Silence) -> None:
    assert read_document(language, text, caret) == expected


def test_of_a_long_quotation_what_is_nearest_is_read() -> None:
    """Above the caret; and below it, where one writes on top."""
    old, asked = "> long ago\n" * 600, "> Which database do you use?\n"
    found = read_document("mail", f"{old}{asked}I use", len(f"{old}{asked}I use"))
    assert isinstance(found, Draft) and found.answered.endswith("long ago\nWhich database do you use?")
    found = read_document("mail", f"I use\n{asked}{old}", 5)
    assert isinstance(found, Draft) and found.answered.startswith("Which database do you use?\nlong ago")


def test_of_a_long_document_the_end_is_read() -> None:
    lines = "".join(f"line {number}\n" for number in range(10_000))
    found = read_document("markdown", lines, len(lines))
    assert found is not None
    assert len(found.draft) <= 4_000
    assert lines.endswith(found.draft)
    assert found.draft.startswith("line ")


# --- frames that are none ----------------------------------------------------------------------------------------------


def frame(body: bytes, length: object = None) -> bytes:
    return b"Content-Length: %b\r\n\r\n%b" % (str(len(body) if length is None else length).encode(), body)


@pytest.mark.parametrize("length", ["99999999999", "9" * 5_000, "abc", "-1", "", "0", "1 2", "\u0661"])
@pytest.mark.parametrize("body", [b"", b'{"a": 1}', b"x" * 10_000, b"\n\n\r\n" * 9])
def test_a_frame_of_no_length_costs_that_frame(length: str, body: bytes) -> None:
    sound = b'{"jsonrpc": "2.0"}'
    frames = Frames(io.BytesIO(frame(sound) + frame(body, length) + frame(sound) + b"junk" + frame(b"\n" + sound)))
    found = []
    while head := frames.readline():
        assert frames.readline() == b"\r\n"
        found.append(frames.read(int(head.removeprefix(b"Content-Length: "))))
    assert found == [sound, sound, b"\n" + sound]


def test_a_server_goes_on_after_frames_of_no_length(tmp_path: Path) -> None:
    """The process answers what comes after them, and ends as it is told."""
    begin = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"processId": None, "rootUri": None, "capabilities": {}},
    }
    sound = json.dumps(begin).encode()
    sent = frame(b'{"a": 1}', "99999999999") + frame(b"{}", "abc") + frame(b"{broken") + frame(sound)
    end = [{"jsonrpc": "2.0", "id": 2, "method": "shutdown"}, {"jsonrpc": "2.0", "method": "exit"}]
    sent += b"".join(frame(json.dumps(one).encode()) for one in end)
    command = [sys.executable, "-m", "rejoinder", "lsp", "--home", str(tmp_path)]
    ended = subprocess.run(command, input=sent, capture_output=True, timeout=60)
    assert ended.returncode == 0 and b'"inlineCompletionProvider"' in ended.stdout, ended.stderr


def test_what_is_forgotten_is_let_go_of_at_once() -> None:
    """A session is opened anew as soon as the home says that it has changed, and what was found meanwhile is not shown."""
    opened: list[Any] = []
    changes: list[bool] = []

    class Session:
        def suggest(self, draft: str, **_: object) -> Typed:
            return Typed(f"by session {opened.index(self)}", 0.5, (), "toy", False)

    def open_typing(context: Sequence[Post]) -> Any:
        opened.append(Session())
        return opened[-1]

    completer = Completer(EditorHome(open_typing, lambda: changes.pop(0)), EditorOptions())
    document = TextDocument(URI, BEGUN, 1, "markdown")

    def asked(*changed: bool) -> object:
        changes[:] = changed
        found = asyncio.run(completer.at(document, types.Position(0, len(BEGUN))))
        assert not changes
        return found and found.typed.ghost

    assert asked(False, False) == asked(False, False) == "by session 0"
    assert asked(True, False) == "by session 1"
    assert asked(False, True) is None
    assert asked(False, False) == "by session 2"


def test_an_editor_shows_nothing_that_was_forgotten_or_erased(tmp_path: Path) -> None:
    """At the very next keystroke, though it has shown it before."""
    space = make_home(tmp_path)
    assert space.fitted("kneser_ney")
    draft = "Thank you "  # which nobody in the toy archive says to a kitchen
    remember(tmp_path, "Thank you kitchen .\n\n" * 20)

    async def do(editor: Editor) -> None:
        editor.open("markdown", f"{draft}\nAn old eng")

        async def labels(line: int, character: int) -> list[str]:
            return [item.label for item in await editor.words(line, character)]

        while "kitchen" not in await labels(0, len(draft)):
            await asyncio.sleep(0.1)  # the models are being read
        await asyncio.to_thread(erase, tmp_path)
        assert "kitchen" not in await labels(0, len(draft))
        assert "engine" in await labels(1, 10)
        with space.open_archive() as archive:
            engines = [post.id for post in archive.posts("text LIKE '%engine%' OR title LIKE '%engine%'")]
        await asyncio.to_thread(forget_everywhere, space, engines, None)
        said = await labels(1, 10)
        assert space.fitted("kneser_ney") is None or "engine" not in said

    in_editor(tmp_path, do)
