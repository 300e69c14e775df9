"""The compressor: what a post costs after what was read, each post for itself."""

from __future__ import annotations

import builtins
from math import log
from typing import Any

import numpy as np
import pytest

from rejoinder.errors import MissingExtra, ModelError
from rejoinder.ladder.compression import Compressor, compress_posts
from rejoinder.ladder.heldout import HeldOut
from rejoinder.post import Kind, Post, Thread

pyppmd = pytest.importorskip("pyppmd")
READ = [f"The kettle of number {n} pours slowly, since its spout is narrow." for n in range(200)]
UNLIKE = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich."


def test_a_code_is_as_long_as_that_of_the_whole_text_less_what_was_before() -> None:
    """The oracle reads all of it in one go: with the post, and without."""

    def whole(*texts: str) -> int:
        encoder = pyppmd.Ppmd7Encoder(8, 2**28)
        said = "".join(f"{text}\n\n" for text in texts).encode()
        return len(encoder.encode(said)) + len(encoder.flush())

    compressor = Compressor(READ)
    for text, context in ((READ[3], ()), (UNLIKE, ()), ("It is narrow.", (UNLIKE,))):
        assert compressor.size(text, context) == pytest.approx(whole(*READ, *context, text) - whole(*READ, *context), abs=1)
    assert compressor.size(READ[3]) < 5 < 30 < compressor.size(UNLIKE)


def test_what_is_measured_teaches_nothing() -> None:
    compressor = Compressor(READ)
    first = compressor.size(UNLIKE)
    assert [compressor.size(UNLIKE) for _ in range(3)] == [first] * 3
    assert compressor.size(UNLIKE, [UNLIKE]) < first / 2  # unless it stands before it


def test_posts_have_nats_bytes_and_words() -> None:
    root = Post(1, Kind.STORY, UNLIKE, thread=1)
    held = HeldOut.of([Thread(1, (root, Post(2, Kind.COMMENT, UNLIKE, parent=1, thread=1)))], np.random.default_rng(0))
    compressor = Compressor(READ)
    found = compress_posts(compressor, held, 10, float("inf"))
    codes = {post.id: compressor.size(post.text, [UNLIKE] if post.id == 2 else []) for post in held.posts}
    assert found.tolist() == [[codes[post.id] * 8 * log(2), len(UNLIKE.encode()), 10] for post in held.posts]
    assert compress_posts(compressor, held, 1, float("inf")).shape == (1, 3)
    assert compress_posts(compressor, held, 10, 0.0).shape == (1, 3)  # one at least


def test_without_time_or_the_package_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="no time"):
        Compressor(["x" * 2**21] * 2, until=0.0)
    honest = builtins.__import__

    def lacking(name: str, *rest: Any, **more: Any) -> Any:
        if name == "pyppmd":
            raise ImportError(name)
        return honest(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(MissingExtra, match="train"):
        Compressor(READ)
