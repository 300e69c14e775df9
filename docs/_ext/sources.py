"""Links to files of the repository lead to pages of this site that show them.

MyST makes a download of every link to a file that is no page. Those to text of ours become pages instead; others stay downloads.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_for_filename
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

ROOT = Path(__file__).resolve().parents[2]
SHOWN = {".py", ".toml"}


class LinkToSource(SphinxPostTransform):
    """Downloads of source become links to its page."""

    default_priority = 5

    def run(self, **_: Any) -> None:
        """Replace them."""
        for node in list(self.document.findall(addnodes.download_reference)):
            file = (Path(self.env.srcdir) / posixpath.dirname(self.env.docname) / node["reftarget"]).resolve()
            if file.suffix not in SHOWN or not file.is_relative_to(ROOT):
                continue
            name = f"source/{file.relative_to(ROOT).as_posix()}"
            link = nodes.reference("", "", *node.children, internal=True)
            link["refuri"] = self.app.builder.get_relative_uri(self.env.docname, name)
            node.replace_self(link)


def pages(app: Any) -> Iterator[tuple[str, dict[str, str], str]]:
    """A page for each file that may be linked to."""
    formatter = HtmlFormatter(linenos=False)
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "examples").rglob("*.py"), *(ROOT / "configs").glob("*.toml")]
    for file in sorted(files):
        name = file.relative_to(ROOT).as_posix()
        code = highlight(file.read_text(encoding="utf-8"), get_lexer_for_filename(name), formatter)
        title, up = name.removeprefix("src/"), "../" * (name.count("/") + 1)
        code = re.sub(r"docs/tour/([\w-]+)\.md", rf'<a href="{up}tour/\1.html">docs/tour/\1.md</a>', code)
        yield f"source/{name}", {"title": title, "body": f"<h1>{title}</h1>\n{code}"}, "page.html"


def setup(app: Any) -> dict[str, bool]:
    """Register both."""
    app.add_post_transform(LinkToSource)
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
