"""Counting n-grams in one process, in several, and on a Ray cluster of this machine, in turn: what workers, Ray and a store cost.

    python bench/shards.py --tokens 20000000 --workers 2 --rounds 3

The posts are synthetic: tokens drawn so that the r-th is as frequent as 1 / r. Ray is started here, with as many processors as
workers, and ended afterwards; without the extra `cluster` it is left out. The store is a folder that fsspec writes to and reads.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import numpy as np
from figures import arguments, report

from rejoinder.scale.cluster import Cluster
from rejoinder.scale.processes import Processes
from rejoinder.scale.stored import Stored
from rejoinder.text.calls import HERE, CallRunner
from rejoinder.text.counting import Room, count_ngrams
from rejoinder.text.tensors import TokenArrays

_VOCABULARY, _LENGTH = 8_195, 200


def drawn(tokens: int, directory: Path) -> TokenArrays:
    """Posts of 200 tokens, memory-mapped."""
    rng = np.random.default_rng(0)
    found = np.minimum(np.exp(rng.random(tokens) * np.log(_VOCABULARY - 3)).astype(np.uint16), _VOCABULARY - 4)
    found[::_LENGTH] = _VOCABULARY - 3
    np.save(directory / "tokens.npy", found)
    offsets = np.append(np.arange(0, tokens, _LENGTH), tokens)
    return TokenArrays(np.load(directory / "tokens.npy", mmap_mode="r"), offsets, offsets[:-1])


def main() -> None:
    args = arguments(
        __doc__ or "",
        tokens=(int, 5_000_000, "to count"),
        workers=(int, os.cpu_count() or 1, "at a time"),
        rounds=(int, 3, "of each"),
        memory=(int, 2**28, "bytes for counting"),
    )
    makers: dict[str, Callable[[], CallRunner]] = {"one": lambda: HERE, "processes": lambda: Processes(args.workers)}
    if find_spec("ray") is not None:
        from ray.cluster_utils import Cluster as Nodes

        nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": args.workers, "include_dashboard": False})
        cluster = Cluster(nodes.address)
        makers["ray"] = lambda: cluster
        makers["ray and a store"] = lambda: Stored(cluster, f"file://{directory}/store")
    seconds: dict[str, list[float]] = {name: [] for name in makers}
    with tempfile.TemporaryDirectory() as directory:
        arrays = drawn(args.tokens, Path(directory))
        for _ in range(args.rounds):
            for name, make in makers.items():
                with tempfile.TemporaryDirectory(dir=directory) as workdir:
                    began = perf_counter()
                    count_ngrams(arrays, 5, _VOCABULARY, Room(args.memory, Path(workdir), runner=make()))
                    seconds[name].append(perf_counter() - began)
    for name, values in seconds.items():
        report(f"{args.tokens / 1e6:g}M tokens, {name} (of {args.workers} workers)", values, "s", as_json=args.json)
    for name in [name for name in seconds if name != "processes"]:
        ratios = [one / other for one, other in zip(seconds[name], seconds["processes"], strict=True)]
        report(f"{name} / processes", ratios, "times", as_json=args.json)
    if "ray" in makers:
        cluster.leave()
        nodes.shutdown()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
