"""Whatever happens to a file of a model, only errors of ours come out, when it is loaded and when it is used."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_contract import SMALL, Fitted, fitted  # noqa: F401 (a fixture)

from rejoinder.errors import RejoinderError
from rejoinder.models import LADDER, Can, parts_of
from rejoinder.models import directory as sealed
from rejoinder.models.interfaces import Suggester
from rejoinder.models.loading import load_model
from rejoinder.post import Kind, Post

CONTEXT = (Post(7, Kind.STORY, "Why does the engine stall ?"), Post(8, Kind.COMMENT, "Check the spark plug .", parent=7))
Harm = Callable[[bytes, np.random.Generator], bytes]


def flip(was: bytes, rng: np.random.Generator) -> bytes:
    """Some bits, few or many, anywhere."""
    found = bytearray(was)
    for place in rng.integers(len(found), size=int(rng.choice([1, 3, 50]))):
        found[place] ^= 1 << int(rng.integers(8))
    return bytes(found)


def nans(was: bytes, rng: np.random.Generator) -> bytes:
    """All ones from somewhere on: NaN, whatever the width of a float, and the largest of all whole numbers."""
    first = min(int(rng.choice([128, len(was) // 2])), len(was) - 1)
    return was[:first] + b"\xff" * (len(was) - first)


HARMS: dict[str, Harm] = {
    "flipped": flip,
    "header": lambda was, rng: flip(was[:128], rng) + was[128:],  # of arrays, or the first fields of other files
    "nans": nans,
    "truncated": lambda was, rng: was[: int(rng.integers(len(was)))],
    "replaced": lambda was, rng: rng.bytes(len(was)),
    "nested": lambda was, rng: b"[" * len(was),
}


def use(name: str, model: Any) -> None:
    """All that a rung is asked; what comes out has to be something to go on with."""
    can = LADDER[name].can
    if Can.PREDICT in can:
        state = model.start(CONTEXT)
        tokens = [*model.tokenizer.encode("Let the dough rest , and the engine"), model.tokenizer.end]
        for token in tokens:
            assert not np.isnan(model.log_probs(state)).any() and model.log_probs(state).max() < 0.01
            for found in (model.top(state, 5), model.top(state, 5, b" t"), model.top(state, 1000)):
                assert all(value < 0.01 for _, value in found)
            state = model.advance(state, token)
        assert not np.isnan(model.score_tokens(model.start(()), tokens)).any()
        assert not np.isnan(model.log_probs_many([model.start(()), state])).any()
    if Can.PROPOSE in can:
        assert all(np.isfinite(found.score) for k in (1, 50) for found in model.propose(CONTEXT, k))
    if Can.RANK in can:
        assert np.isfinite(model.score_replies(CONTEXT, ["Check the spark plug .", "", "dough"])).all()


def seal_one(name: str, model: Suggester, directory: Path) -> None:
    directory.mkdir()
    model.save(directory)
    sealed.seal(directory, {"rung": name})


@pytest.mark.parametrize("small", [2**20, 0], ids=["hashed", "not-hashed"])
@pytest.mark.parametrize("name", LADDER)
def test_only_errors_of_ours_come_out(
    name: str,
    small: int,
    fitted: Fitted,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Small files are hashed, as nearly all of these are; so again as if all were large."""
    monkeypatch.setattr(sealed, "SMALL", small)
    monkeypatch.setattr(sealed, "_given_up", {})
    kind = LADDER[name].load()
    parts = {part: fitted[part] for part in parts_of(name, kind.Config(**SMALL.get(name, {})))}
    seal_one(name, fitted[name], tmp_path / "whole")
    use(name, load_model(kind, tmp_path / "whole", parts))
    files = [file.relative_to(tmp_path / "whole") for file in sorted((tmp_path / "whole").rglob("*")) if file.is_file()]
    rng = np.random.default_rng(len(name))
    found = 0
    for number, (file, (harm, change)) in enumerate((f, h) for f in files for h in HARMS.items()):
        here = shutil.copytree(tmp_path / "whole", tmp_path / f"{number}")
        was = (here / file).read_bytes()
        if not was:
            continue
        now = change(was, rng)
        (here / file).write_bytes(now)
        try:
            sealed.read_manifest(here)
            use(name, load_model(kind, here, parts))
        except RejoinderError as error:
            found += 1
            assert "\n" not in str(error) and len(str(error)) < 1000
        except BaseException as error:
            raise AssertionError(f"{file} {harm}: {type(error).__name__}: {error}") from error
        else:
            assert len(was) > small or file.name == sealed.MANIFEST or now == was, f"{file} {harm} was not noticed"
        shutil.rmtree(here)
    assert found > len(files)
