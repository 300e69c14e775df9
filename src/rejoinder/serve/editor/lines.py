"""Documents whose lines end where the protocol says: at LF, CR LF and CR, and nowhere else.

pygls (2.1) ends them wherever Python does, so also at form feeds and at U+2028; an edit below one would go to the wrong place. A
position beyond the end of a line is that end; pygls has it one character before, where the line is the last and nothing ends it.
Needs the extra `lsp`: only `rejoinder.serve.editor.lsp` imports this, once it is known to be there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from lsprotocol import types
from pygls.workspace import PositionCodec, TextDocument, Workspace
from pygls.workspace.position_codec import ServerTextPosition

from rejoinder.serve.editor.learning import inserted

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


class Positions(PositionCodec):
    """Positions as the editor counts them."""

    def position_from_client_units(self, lines: Sequence[str], position: types.Position) -> ServerTextPosition:
        """Line and character of a position, in code points."""
        if position.line < len(lines):
            most = self.client_num_units(lines[position.line].rstrip("\r\n"))
            position = types.Position(position.line, min(position.character, most))
        return super().position_from_client_units(lines, position)


class Document(TextDocument):
    """A text that an editor edits in place."""

    watch: Callable[[str, str], None] | None = None  # is given its URI, and each piece that comes into it at once
    _split: tuple[str, Sequence[str]] = "", ()  # a text, and its lines

    @property
    def lines(self) -> Sequence[str]:
        """Its lines, with what ends them."""
        if self._split[0] is not self.source:
            self._split = self.source, _LINE.findall(self.source)
        return self._split[1]

    def _apply_incremental_change(self, change: types.TextDocumentContentChangePartial) -> None:
        start, end = (self.offset_at_position(place) for place in (change.range.start, change.range.end))
        before = self.source
        self._source = before[:start] + change.text + before[end:]
        self._tell(before[start:end], change.text)

    def _apply_full_change(self, change: types.TextDocumentContentChangeEvent) -> None:
        before, self._source = self.source, change.text
        self._tell(before, change.text)

    def _tell(self, before: str, after: str) -> None:
        if self.watch is not None:
            self.watch(self.uri, inserted(before, after))


class Documents(Workspace):
    """All that are open. It takes the place of the one that pygls has made, before anything is in it."""

    def __init__(self, made: Workspace, watch: Callable[[str, str], None] | None = None) -> None:
        """Take over the folders and the encoding of positions of `made`. `watch`: as documents have it."""
        super().__init__(made.root_uri, workspace_folders=list(made.folders.values()), position_encoding=made.position_encoding)
        self._position_codec = Positions(made.position_encoding)
        self._watch = watch

    def _create_text_document(
        self, doc_uri: str, source: str | None = None, version: int | None = None, language_id: str | None = None
    ) -> TextDocument:
        made = Document(doc_uri, source, version, language_id, position_codec=self.position_codec)
        made.watch = self._watch
        return made
