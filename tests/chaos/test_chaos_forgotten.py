"""After everything that writes has run once, an author is forgotten, and no byte of theirs is anywhere in the home."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx
import pytest
from hn_server import HackerNewsServer
from lsprotocol import types
from pygls.lsp.client import LanguageClient
from serving import serving

from chaos.attack import Attacker
from chaos.homes import SECRET, SECRET_AUTHOR, holders, items, rows
from chaos.tally import Tally
from rejoinder.home.workspace import Workspace
from rejoinder.models import LADDER, without_extras

SMALL = {"word2vec": ("size=8", "buckets=100", "epochs=1", "workers=1"), "pmi_svd": ("size=8", "buckets=100")}


def write_everything(attacker: Attacker, tally: Tally, home: Path, posts: Path, beside: Path) -> None:
    """Run every command that writes, in a home or beside it, and every door that answers."""
    with HackerNewsServer({**items(200), 999: None}) as server:
        tally.ok(attacker.run("fetch", "hn", "--since", "2023-11-14", "--api", server.url, home=home))
    tally.ok(attacker.run("import", posts, "--source", "elsewhere", home=home))
    settings = [f"--set={rung}.{setting}" for rung, given in SMALL.items() for setting in given]
    names = [*dict.fromkeys([*without_extras(), *SMALL])]
    tally.ok(attacker.run("fit", *names, *settings, home=home))
    tally.ok(attacker.run("ladder", "unigram", "bm25", "--budget", "30s", home=home))
    tally.ok(attacker.run("own", "add", "words of my own", home=home))
    for command in (  # `tour`, `bundle` and `audit` write beside the home
        ("inspect", "word", "bread"),
        ("inspect", "vectors", "--out", beside / "vectors.txt"),
        ("arpa", "export", beside / "model.arpa"),
        ("arpa", "import", beside / "model.arpa"),
        ("rungs", "--check"),
        ("reply", f"What of {SECRET} work?", "--all", "--generate"),
        ("complete", f"It is {SECRET[:6]}"),
    ):
        tally.ok(attacker.run(*command, home=home))
    use_doors(home)


def use_doors(home: Path) -> None:
    """Ask the server and the editor's one for what they may write."""
    with serving(home) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        client.post("/v1/own", json={"text": "more words of my own"}).raise_for_status()
        client.post("/v1/suggest", json={"draft": f"It is {SECRET[:6]}"}).raise_for_status()
        client.get("/v1/search", params={"q": SECRET}).raise_for_status()
        client.post("/v1/reply", json={"context": {"text": f"What of {SECRET} work?"}, "generate": True}).raise_for_status()

    async def edit() -> None:
        editor = LanguageClient("editor", "1")
        await editor.start_io(sys.executable, "-m", "rejoinder", "lsp", "--home", str(home), "--deadline", "1000")
        await editor.initialize_async(types.InitializeParams(capabilities=types.ClientCapabilities(), process_id=None))
        editor.initialized(types.InitializedParams())
        draft = f"It is {SECRET[:6]}"
        document = types.TextDocumentItem("file:///draft.md", "markdown", 0, draft)
        editor.text_document_did_open(types.DidOpenTextDocumentParams(document))
        where = types.TextDocumentIdentifier(document.uri), types.Position(0, len(draft))
        await editor.text_document_completion_async(types.CompletionParams(*where))
        await editor.shutdown_async(None)
        editor.exit(None)
        await editor.stop()

    asyncio.run(asyncio.wait_for(edit(), 60))


@pytest.mark.parametrize("how", [("--author", SECRET_AUTHOR), ("--source", "elsewhere")])
def test_of_whoever_is_forgotten_no_byte_is_left(
    attacker: Attacker, tally: Tally, rounds: int, tmp_path: Path, posts: Path, how: tuple[str, str]
) -> None:
    if how[0] == "--source" and rounds < 3:
        pytest.skip("forgetting a place after everything is asked for by --chaos-rounds 3 and more")
    home, beside = tmp_path / "home", tmp_path / "beside"
    beside.mkdir()
    write_everything(attacker, tally, home, posts, beside)
    before = len(rows(home))
    holding = holders(home, SECRET)
    assert {"archive.db", "ladder"} <= {name.partition("/")[0] for name in holding}
    tally.ok(tally.attacked(attacker.run("forget", *how, home=home)))
    if how[0] == "--source":
        tally.ok(attacker.run("forget", "--author", SECRET_AUTHOR, home=home))
    for word in (SECRET, SECRET_AUTHOR, *([] if how[0] == "--author" else ["elsewhere"])):
        tally["forgotten bytes found"] += len(found := holders(home, word))
        assert not found
    assert 0 < len(rows(home)) < before
    assert not any(Workspace(home).fitted_or_none(name) for name in LADDER if LADDER[name].verbatim)
    tally.check()
