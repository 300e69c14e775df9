"""Every file of a home truncated, flipped or replaced: whoever meets it works without it, or says so in a line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from chaos.attack import Attacker
from chaos.homes import SECRET_AUTHOR, write_posts
from chaos.tally import Tally

FIT = ("fit", "canned", "unigram", "markov", "kneser_ney", "bm25")
READERS = ("rungs", "--check"), ("info",), ("reply", "What of the bread?"), ("complete", "The bread")
_EACH = 6  # damages for each round; all there are when rounds are many


def truncated(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(len(data)))] if data else b""


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data or b"\0")
    for place in rng.integers(len(changed), size=1 + len(changed) // 1_000):
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def replaced(data: bytes, rng: np.random.Generator) -> bytes:
    return [b"", b"{}", b"null", b"[[]]", b"\xff" * 300, rng.bytes(max(len(data), 1))][int(rng.integers(6))]


HOW: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = truncated, flipped, replaced


def test_every_file_of_a_home_may_be_damaged(
    attacker: Attacker, tally: Tally, rounds: int, rng: np.random.Generator, tmp_path: Path, posts: Path
) -> None:
    base, more = tmp_path / "base", write_posts(tmp_path / "more.jsonl", 20, first=1_000)
    tally.ok(attacker.run("import", posts, home=base))
    tally.ok(attacker.run(*FIT, home=base))
    tally.ok(attacker.run("own", "add", "some words of mine", home=base))
    files = sorted(file.relative_to(base) for file in base.rglob("*") if file.is_file())
    attacks = [(file, how) for file in files for how in HOW]
    for number in rng.permutation(len(attacks))[: _EACH * rounds]:
        file, how = attacks[int(number)]
        home = tmp_path / f"{number}"
        shutil.copytree(base, home)
        (home / file).write_bytes(how((home / file).read_bytes(), rng))
        said = dict(zip(READERS, attacker.together(*READERS, home=home), strict=True))
        for command in (("import", more), ("forget", "--author", SECRET_AUTHOR)):
            said[command] = attacker.run(*command, home=home)
        for asked, ran in said.items():
            assert not ran.traceback, (str(file), how.__name__, asked, ran.out[-300:], ran.err[-3_000:])
            tally.attacked(ran)
            assert ran.one_line or asked[-1] == "--check", (str(file), how.__name__, asked, ran)
        shutil.rmtree(home)
    tally.check()
