"""Counting and estimating n-grams of order 5 beside KenLM's lmplz, in turn, from the same tokens: processor, clock and memory.

    python bench/lmplz.py --lmplz PATH [--archive lists.jsonl.gz] [--memory 268435456] [--rounds 2]

lmplz is no package: its sources are in the archive of `kenlm` on PyPI (`pip download --no-binary :all: kenlm`), to be built with
CMake and Boost. It is given the numbers of our tokens as words, a post a line, and writes its ARPA to nowhere; ours writes its
index and its counts. Both may take so much memory and one thread where they sort.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from figures import Cost, arguments, command_cost, report
from ngram_growth import prepare, read


def write_text(directory: Path) -> Path:
    """The tokens as words, a post a line, without the separators."""
    tokens, offsets = (np.load(directory / f"{name}.npy", mmap_mode="r") for name in ("tokens", "offsets"))
    with (directory / "text").open("w") as file:
        for first, last in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
            file.write(" ".join(map(str, tokens[first + 1 : last - 1].tolist())) + "\n")
    return directory / "text"


def main() -> None:
    args = arguments(
        __doc__ or "",
        lmplz=(str, "lmplz", "the program"),
        archive=(str, "lists.jsonl.gz", "whose text"),
        order=(int, 5, "tokens of the longest n-grams"),
        memory=(int, 2**28, "bytes for each"),
        rounds=(int, 2, "of each"),
        workdir=(str, "", "where to work"),
    )
    with tempfile.TemporaryDirectory(dir=args.workdir or None) as name:
        directory = Path(name)
        prepare(read(args.archive), directory, 1)
        text = write_text(directory)
        ours = [
            sys.executable,
            str(Path(__file__).with_name("ngram_growth.py")),
            "--fit",
            name,
            "--order",
            str(args.order),
            "--memory",
            str(args.memory),
        ]
        theirs = [args.lmplz, "-o", str(args.order), "-S", f"{args.memory // 2**20}M", "-T", name, "--discount_fallback"]
        found: dict[str, list[Cost]] = {"rejoinder": [], "lmplz": []}
        for _ in range(args.rounds):
            found["rejoinder"].append(command_cost(ours))
            with text.open() as said:
                found["lmplz"].append(command_cost(theirs, stdin=said))
        for at, (what, unit) in enumerate((("processor", "s"), ("clock", "s"), ("peak", "MB"))):
            for who, costs in found.items():
                report(f"{who}, order {args.order}, {what}", [one[at] for one in costs], unit, as_json=args.json)
            ratios = [one[at] / other[at] for one, other in zip(found["rejoinder"], found["lmplz"], strict=True)]
            report(f"rejoinder / lmplz, {what}", ratios, "times", as_json=args.json)


if __name__ == "__main__":
    main()
