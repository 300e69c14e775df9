"""What the benchmarks of typing help share: the engine of the package; held-out posts, novel or not, and those of talk."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from figures import real_archive, rejoinder

from rejoinder.archive.reader import ArchiveCorpus, held_out
from rejoinder.archive.store import Archive
from rejoinder.engine.typing import Engine, TypingConfig
from rejoinder.home.voices import typist
from rejoinder.home.workspace import Workspace
from rejoinder.ladder.heldout import HeldOut
from rejoinder.models import Can
from rejoinder.post import Thread
from rejoinder.text.tensors import open_tokens, write_tokens


def shipped_engine(config: TypingConfig | None = None) -> Engine:
    """The typing engine over the models in the package: the mixture, and counts where time is short."""
    space = Workspace.shipped()
    if space is None:
        sys.exit("no models came with this package")
    models = dict(space.load_those(Can.PREDICT, ["mixture", "kneser_ney"]))
    return typist(space, models, lambda text: print(text, file=sys.stderr), config)


TALK = "id=id,parent=parent,root=story,text=text,title=title,time=time"  # the fields of shared/data/talk


@contextmanager
def talk_posts(name: str, home: str) -> Iterator[HeldOut]:
    """Test posts of a file of talk, plain text, imported once into `home`/`name` (none: for now only), in random order."""
    with TemporaryDirectory() as scratch:
        space = Workspace(Path(home or scratch) / name)
        if space.is_empty:
            rejoinder("import", real_archive(f"talk/{name}.jsonl.zst"), "--map", TALK, "--home", space.home)
        with space.open_archive() as archive:
            yield HeldOut.of(held_out(archive), np.random.default_rng(0))


@contextmanager
def held_out_posts(home: str, *, repeats: bool) -> Iterator[HeldOut]:
    """Posts of the test part of the real archive, imported once into `home` (none: for now only), in random order.

    Args:
        home: a folder to keep.
        repeats: whether near-repeats of the train part are to be told from novel posts; else all count as novel.
    """
    with TemporaryDirectory() as scratch:
        space = Workspace(Path(home or scratch))
        if space.is_empty:
            rejoinder("import", real_archive("hn.jsonl.gz"), "--home", space.home)
        with space.open_archive() as archive:
            threads = list(held_out(archive))
            yield _told_apart(threads, archive, space) if repeats else HeldOut.of(threads, np.random.default_rng(0))


def _told_apart(threads: Sequence[Thread], archive: Archive, space: Workspace) -> HeldOut:
    """The posts of these threads, with what repeats the train part known as such; worked out once for a home."""
    tokenizer = next(iter(shipped_engine().voices.values())).tokenizer
    known = space.home / f"held-{tokenizer.fingerprint()}"
    if not known.is_dir():
        corpus = ArchiveCorpus(archive, space.home / "tokens")
        write_tokens(corpus, tokenizer, corpus.tokens)
        found = HeldOut.of(threads, np.random.default_rng(0)).told_apart(tokenizer, open_tokens(corpus.tokens, "train"))
        known.mkdir()
        found.save(known)
    return HeldOut.load(known, threads)
