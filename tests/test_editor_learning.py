"""Learning in editors: only sentences that were typed and finished there are kept, once, and only where it was asked for."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types
from test_lsp import URI, Editor, in_editor

from rejoinder.home.own_text import remembered
from rejoinder.home.switch import switch
from rejoinder.serve.editor.document import own_prose
from rejoinder.serve.editor.learning import Learning, inserted, sentences

PAGE = Path(__file__).resolve().parents[1] / "src" / "rejoinder" / "serve" / "page" / "typing" / "learning.js"
TEXTS = (
    "",
    "One two three. Four five six! Not finished",
    "Too short. But this is one? 'And this one too.' ",
    "> quoted by somebody.\nThis one is mine.\n  > and this is theirs.",
    "It costs 3.5 of them, e.g. much. Wait … what is it?",
    "Это моё предложение. Und das ist meins! 这 是 一个 句子。 そう です ね。",
    "It is done.\n\nKind regards,\n  Hans of",
    "(It is in brackets.) “It is quoted.” It is 😀 here.",
    "words " * 8_000 + "and nothing that ends them",
    "line one is long\nline two ends here.\r\n\r\nThird it is.",
    "x" * 30_000 + " and then it ends. Another one is here.",
)


class Watched:
    """A document of one language, and what is kept of it."""

    def __init__(self, language: str = "markdown", text: str = "") -> None:
        self.kept: list[str] = []
        self.learning = Learning(self.kept.append)
        self.text = text
        self.learning.opened(URI, language, text)

    def type(self, text: str) -> None:
        for letter in text:
            self.put(letter)

    def put(self, piece: str) -> None:
        self.text += piece
        self.learning.inserted(URI, piece)
        self.learning.changed(URI, self.text)

    def pause(self) -> list[str]:
        self.learning.paused(URI)
        return self.kept


def test_finished_sentences_are_kept_each_once() -> None:
    one = Watched(text="This stood here before. ")
    one.type("I like the taste of rye. This is not finished")
    assert one.pause() == ["I like the taste of rye."]
    assert one.pause() == ["I like the taste of rye."]
    one.type(" but now it is. So is this one! ")
    assert one.pause()[1:] == ["This is not finished but now it is. So is this one!"]


def test_a_line_that_another_follows_is_finished_and_keeps_its_place() -> None:
    one = Watched(text="Dear Sir or Madam")
    one.type("\nIt is done. That is all.\n\nKind regards,\nHans of")
    assert one.pause() == ["It is done. That is all.\nKind regards,"]
    one.put("\nWhat was copied")
    one.type("\nand what is mine\n\nIt is done. Kind regards,\n")
    one.type("Hans Holm")
    assert one.pause()[1:] == ["Hans of\nand what is mine"]
    one.learning.closed(URI)
    assert one.pause()[2:] == ["Hans Holm"]  # nobody goes on with it


def test_what_stood_in_a_long_document_is_not_ones_own_when_its_end_is_deleted() -> None:
    one = Watched(text="This stood far above. " + "x" * 30_000)
    one.text = one.text[:-25_000]
    one.type("\nThis is mine.")
    assert one.pause() == ["This is mine."]


def test_what_comes_in_one_piece_is_not_ones_own_but_an_accepted_ghost_is() -> None:
    one = Watched()
    one.put("This was copied from somewhere. ")
    one.type("I think that the prob")
    one.put("lem with this is that nobody knows.")  # a ghost that was taken
    assert one.pause() == ["I think that the problem with this is that nobody knows."]


@pytest.mark.parametrize(
    ("language", "text", "kept"),
    [
        (
            "mail",
            "To: a@example.com\nSubject: it is a subject.\n\n> what did they say?\nThis is my answer.\n",
            "This is my answer.",
        ),
        ("git-commit", "Mend what is broken.\n# Please enter the message.\n", "Mend what is broken."),
        ("markdown", "---\ntitle: what is this.\n---\nThis is my text.\n", "This is my text."),
        ("markdown", "```\nthis is a code.\n```\nThis is my text.\n~~~\nnever closed it is.\n", "This is my text."),
        ("python", "this is no prose.\n", ""),
    ],
)
def test_only_prose_of_ones_own_is_kept(language: str, text: str, kept: str) -> None:
    one = Watched(language)
    one.type(text)
    assert " ".join(one.pause()) == kept
    assert not kept or kept in own_prose(language, text)


@given(st.text("ab c.\n", max_size=30), st.text("ab c.\n", max_size=8), st.integers(0, 30), st.integers(0, 30))
def test_what_was_inserted_is_found(before: str, piece: str, start: int, end: int) -> None:
    start, end = sorted((min(start, len(before)), min(end, len(before))))
    after = before[:start] + piece + before[end:]
    found = inserted(before, after)
    assert len(found) <= len(piece) and found in after
    if before == after:
        assert found == ""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_page_and_editors_mean_the_same_by_a_finished_sentence() -> None:
    program = f"import {{ sentencesOf }} from {json.dumps(PAGE.as_uri())};\n"
    program += f"process.stdout.write(JSON.stringify({json.dumps(TEXTS)}.map((text) => sentencesOf(text))));"
    ran = subprocess.run(["node", "--input-type=module", "-e", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [sentences(text) for text in TEXTS]


TWICE = """
const kept = [];
const learning = new Learning((text) => kept.push(text));
learning.began("This stood here.");
learning.pasted("It was copied.");
learning.ended("This stood here. It is mine. It was copied.\\n\\nKind regards,\\nHans");
learning.ended("This stood here. It is mine. It was copied.\\n\\nKind regards,\\nHans");
learning.began("");
learning.sent("It is another.\\nKind regards,\\nHans Holm");
process.stdout.write(JSON.stringify(kept));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_in_the_page_what_one_writes_in_each_text_counts_in_each() -> None:
    program = f"import {{ Learning }} from {json.dumps(PAGE.as_uri())};{TWICE}"
    ran = subprocess.run(["node", "--input-type=module", "-e", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == ["It is mine.\nKind regards,", "It is another.\nKind regards,\nHans Holm"]


@pytest.mark.parametrize("wanted", [True, False])
def test_an_editor_learns_where_it_is_asked_to_and_not_while_help_is_off(tmp_path: Path, wanted: bool) -> None:
    async def type_line(editor: Editor, line: int, text: str) -> None:
        for place, letter in enumerate(text):
            editor.edit((line, place), (line, place), letter)

    async def do(editor: Editor) -> None:
        editor.open("markdown", "This stood here before.\n\n")
        await type_line(editor, 1, "I like the taste of rye.")
        editor.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(URI)))
        await editor.ghost(0, 0)  # what was told before has been read
        while wanted and not remembered(tmp_path):
            await asyncio.sleep(0.05)
        switch(tmp_path, False)
        await type_line(editor, 2, "This is not to be learned.")
        editor.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(URI)))
        await editor.ghost(0, 0)
        switch(tmp_path, True)
        editor.edit((0, 0), (0, 0), "\n")
        await type_line(editor, 0, "This comes at the end.")  # and is kept though nothing is saved any more

    said = in_editor(tmp_path, do, *(["--learn"] if wanted else []))
    assert isinstance(said.capabilities.text_document_sync, types.TextDocumentSyncOptions)
    assert bool(said.capabilities.text_document_sync.save) is wanted
    kept = remembered(tmp_path).split("\n\n")
    assert [one.strip() for one in kept if one.strip()] == (
        ["I like the taste of rye.", "This comes at the end."] if wanted else []
    )
