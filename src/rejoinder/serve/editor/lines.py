"""Documents whose lines end where the protocol says: at LF, CR LF and CR, and nowhere else.

pygls (2.1) ends them wherever Python does, so also at form feeds and at U+2028; an edit below one would go to the wrong place.
Needs the extra `lsp`: only `rejoinder.serve.editor.lsp` imports this, once it is known to be there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pygls.workspace import TextDocument, Workspace

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


class Document(TextDocument):
    """A text that an editor edits in place."""

    @property
    def lines(self) -> Sequence[str]:
        """Its lines, with what ends them."""
        return _LINE.findall(self.source)


class Documents(Workspace):
    """All that are open. It takes the place of the one that pygls has made, before anything is in it."""

    def __init__(self, made: Workspace) -> None:
        """Take over the folders and the encoding of positions of `made`; no document is open yet."""
        super().__init__(made.root_uri, workspace_folders=list(made.folders.values()), position_encoding=made.position_encoding)

    def _create_text_document(
        self, doc_uri: str, source: str | None = None, version: int | None = None, language_id: str | None = None
    ) -> TextDocument:
        return Document(doc_uri, source, version, language_id, position_codec=self.position_codec)
