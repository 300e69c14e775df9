"""What one process does for the ladder: `python -m rejoinder.climb.worker TASK.json`.

It says how it goes on stdout, a JSON line at a time, and writes what came of it as `done.json` beside the task, last.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter, process_time
from typing import Any, cast

import numpy as np

from rejoinder.archive.reader import ArchiveCorpus, held_out
from rejoinder.archive.split import Method
from rejoinder.archive.store import Archive
from rejoinder.climb.task_cache import DONE
from rejoinder.config import resolve
from rejoinder.engine.calibration import GateConfig, calibrate
from rejoinder.engine.gate import Calibration
from rejoinder.engine.typing import Engine
from rejoinder.errors import ModelError, RejoinderError
from rejoinder.files import tree_size, write_json
from rejoinder.home.workspace import Workspace
from rejoinder.ladder import prediction, ranking, timed_ranking
from rejoinder.ladder.heldout import HeldOut
from rejoinder.models import LADDER, Can
from rejoinder.models.directory import read_manifest, seal
from rejoinder.models.interfaces import Job, LanguageModel, ReplyRanker, Suggester
from rejoinder.text.fingerprints import Fingerprints
from rejoinder.text.tensors import open_tokenizer, open_tokens, train_tokenizer, write_tokens

_CONSIDERED = 3_000  # held-out posts, of which some are left out
_GATED = 0.2  # of the time of a measurement, that its gate is fitted in
_SAID_EVERY = 0.25  # seconds
_SCORED = 0.4  # of the time for a language model; the rest is for typing
_RANKING = 0.8  # of the time for a ranker; the rest is for whole replies
Done = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """A task, and where it is done."""

    place: Path
    archive: Path
    root: Path
    split: Method
    seed: int
    what: Mapping[str, Any]
    limits: Mapping[str, Any]

    def open(self) -> Archive:
        """The archive."""
        return Archive.open(self.archive)

    def corpus(self, archive: Archive, share: float = 1.0) -> ArchiveCorpus:
        """What is learned from: so much of train, and dev; with the token arrays that `tokens` made."""
        return ArchiveCorpus(archive, self.tokens(share), self.split, share=share)

    def tokens(self, share: float) -> Path:
        """Where token arrays of so much of train lie."""
        return self.root / self.what["tokens"][str(share)] if "tokens" in self.what else self.place

    def model(self, key: str) -> Suggester:
        """A fitted model, with all it is made of."""
        done = json.loads((self.root / key / DONE).read_bytes())
        parts = {name: self.model(part) for name, part in done["parts"].items()}
        return LADDER[done["rung"]].load().load(self.root / key / "model", parts)


def tokens(work: Work) -> Done:
    """The token arrays of a share of train, and of dev; the tokenizer is that of the whole train part."""
    share = work.what["share"]
    with work.open() as archive:
        corpus = ArchiveCorpus(archive, work.place, work.split, share=share)
        whole = work.what.get("tokenizer")
        if whole is None:
            say("learning the tokenizer", 0, None)
        tokenizer = open_tokenizer(work.root / whole) if whole else train_tokenizer(corpus, work.what["vocabulary"])
        write_tokens(corpus, tokenizer, work.place)
    arrays = open_tokens(work.place, "train")
    return {"posts": len(arrays.posts), "tokens": len(arrays.tokens)}


def choose(work: Work) -> Done:
    """Held-out posts and pairs in the order they are measured in; without those the package's models have read."""
    rng = np.random.default_rng(work.seed)
    with work.open() as archive:
        threads = list(held_out(archive, work.split))
        held = HeldOut.of(threads, rng).first(_CONSIDERED)
        pool = ranking.Pool.of(threads)
    read = _read_by_package(held)
    left = held.only(np.flatnonzero(~read))
    tokens_of = open_tokenizer(work.tokens(1.0)) if "tokens" in work.what else None
    if tokens_of is not None:
        left = left.told_apart(tokens_of, open_tokens(work.tokens(1.0), "train"))
    left.save(work.place)
    return {
        "posts": len(left.posts),
        "read": int(read.sum()),
        "repeats": int(left.repeats.sum()),
        **{f"{kind}_pairs": timed_ranking.enough(pool, kind) for kind in timed_ranking.KINDS},
    }


def fit(work: Work) -> Done:
    """Fit a rung on a share of train."""
    name, share = work.what["rung"], work.what["share"]
    line = LADDER[name]
    config: Any = resolve(line.load().Config, {**work.what["config"], **work.limits.get("config", {})}, name)
    parts = {part: work.model(key) for part, key in work.what["parts"].items()}
    scratch = work.place / "scratch"
    scratch.mkdir()
    job = Job(scratch, say, parts)
    with work.open() as archive:
        corpus = work.corpus(archive, share)
        before, began = process_time(), perf_counter()
        model = line.load().fit(corpus, config, rng=np.random.default_rng(work.seed), job=job)
        seconds, cpu = perf_counter() - began, process_time() - before
    directory = work.place / "model"
    directory.mkdir()
    model.save(directory)
    seal(directory, {"rung": name})
    use = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "rung": name,
        "parts": dict(work.what["parts"]),
        "config": {**work.what["config"], **work.limits.get("config", {})},
        "fit_seconds": round(seconds, 3),
        "cpu_seconds": round(cpu, 3),
        "peak_bytes": use.ru_maxrss * 1024,
        "disk_bytes": tree_size(directory),
        "dev": model.training.dev,
    }


def type_text(work: Work) -> Done:
    """Measure a language model: the nats it pays, then each keystroke."""
    began = perf_counter()
    model = _the_model(work)
    if Can.PREDICT not in LADDER[work.what["rung"]].can:
        raise ModelError(f"`{work.what['rung']}` predicts no text")
    loading = perf_counter() - began
    with work.open() as archive:
        threads = list(held_out(archive, work.split))
    held = HeldOut.load(work.root / work.what["posts"], threads)
    until = _until(work)
    columns = {"text": prediction.score_text(cast(LanguageModel, model), held, work.limits["posts"], _part(until, _SCORED), say)}
    done: Done = {"load_seconds": round(loading, 4), "whole": len(columns["text"]) == min(len(held.posts), work.limits["posts"])}
    if work.what["keystrokes"]:
        engine = _engine(work, cast(LanguageModel, model))
        typed = prediction.type_posts(engine, held, work.limits["keyed"], until, say)
        columns |= typed.columns
        whole = len(columns["keys"]) == min(len(held.posts), work.limits["keyed"])
        done |= {"keystroke_ms": typed.milliseconds, "whole": done["whole"] and whole, "disk_bytes": _size(work)}
    for name, column in columns.items():
        np.save(work.place / f"{name}.npy", column)
    return done


def rank(work: Work) -> Done:
    """Measure a ranker: where the true reply comes among others; and how long whole replies take."""
    began = perf_counter()
    model = _the_model(work)
    loading = perf_counter() - began
    with work.open() as archive:
        pool = ranking.Pool.of(held_out(archive, work.split))
    done: Done = {"load_seconds": round(loading, 4), "whole": True}
    if Can.RANK in LADDER[work.what["rung"]].can:
        kinds = work.what["kinds"]
        until = _until(work, _RANKING)
        for number, kind in enumerate(kinds):
            share = _part(until, 1 / (len(kinds) - number))
            asked = {**work.what, "pairs": work.limits["pairs"], "seed": work.seed}
            found = timed_ranking.rank_pairs(cast(ReplyRanker, model), pool, kind, asked, share, say)
            np.save(work.place / f"{kind}.npy", found)
            done["whole"] &= len(found) == min(int((pool.comment == timed_ranking.KINDS[kind]).sum()), work.limits["pairs"])
    if work.what["sources"]:
        sources = {name: work.model(key) for name, key in work.what["sources"].items()}
        ranker = model if Can.RANK in LADDER[work.what["rung"]].can else None
        rng, until = np.random.default_rng(work.seed), _until(work, 1 - _RANKING)
        done |= {"reply_ms": timed_ranking.latency(sources, cast(ReplyRanker | None, ranker), pool, rng, until)}
    return done


def _engine(work: Work, model: LanguageModel) -> Engine:
    """The typing engine with one voice; its gate is the package's own, or is fitted on dev."""
    name = work.what["rung"]
    if work.what.get("shipped"):
        space = Workspace.shipped()
        found = space.fitted(name) if space else None
        gate = Calibration.load(found.directory) if found else Calibration()
    else:
        most = GateConfig(seconds=min(_GATED * (work.limits["seconds"] or np.inf), GateConfig().seconds))
        with work.open() as archive:
            gate = calibrate(model, work.corpus(archive).threads("dev"), np.random.default_rng(work.seed), most)
    return Engine({name: model}, {name: gate})


def _the_model(work: Work) -> Suggester:
    """The model to measure: one that was fitted here, or one of the package."""
    if work.what.get("shipped"):
        space = Workspace.shipped()
        if space is None:
            raise ModelError("no models came with this package")
        return space.load(work.what["rung"])
    read_manifest(work.root / work.what["key"] / "model")
    return work.model(work.what["key"])


def _size(work: Work) -> int | None:
    """Bytes on disk of a model of the package, with all it is made of."""
    space = Workspace.shipped() if work.what.get("shipped") else None
    found = space and space.fitted(work.what["rung"])
    if not space or not found:
        return None
    parts = [there.bytes for name in found.manifest.get("parts", {}) if (there := space.fitted(name)) is not None]
    return found.bytes + sum(parts)


def _read_by_package(held: HeldOut) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(P,) which posts the models of the package have learned from."""
    space = Workspace.shipped()
    if space is None:
        return np.zeros(len(held.posts), bool)
    known = Fingerprints.load(space.home / "posts.npy")
    return np.array([known.holds(post.own_text) for post in held.posts], bool)


def _until(work: Work, share: float = 1.0) -> float:
    seconds = work.limits.get("seconds")
    return float("inf") if seconds is None else monotonic() + share * float(seconds)


def _part(until: float, share: float) -> float:
    """A share of the way from now: what costs little must leave time for the rest."""
    return until if until == float("inf") else monotonic() + share * (until - monotonic())


_last = [0.0]


def say(what: str, done: int, total: int | None) -> None:
    """Tell the parent how it goes, not too often."""
    if monotonic() - _last[0] > _SAID_EVERY:
        _last[0] = monotonic()
        sys.stdout.write(json.dumps([what, done, total]) + "\n")
        sys.stdout.flush()


DOES: dict[str, Callable[[Work], Done]] = {"tokens": tokens, "choose": choose, "fit": fit, "type": type_text, "rank": rank}


def main() -> None:
    """Do the task that is named."""
    file = Path(sys.argv[1])
    task = json.loads(file.read_bytes())
    setup = task["setup"]
    work = Work(
        file.parent,
        Path(setup["archive"]),
        Path(setup["root"]),
        setup["split"],
        setup["seed"],
        task["what"],
        task["limits"],
    )
    try:
        done = DOES[task["do"]](work)
    except RejoinderError as error:
        done = {"error": str(error), "kind": type(error).__name__}
    write_json(work.place / DONE, done)


if __name__ == "__main__":
    main()
