"""What the ladder says of text whose nature is known: that no net is needed for a Markov source, and that one is for long memory.

    python bench/ladder_synthetic.py [--source markov|memory] [--budget none]

markov: every word depends on the one before it, and on nothing else; where a post ends, on nothing at all. The entropy of the
source is worked out, and no model can pay less than that; the best counting rung must be within 1% of it.

memory: a post begins with one of some names; 30 words later, and then at every fourth word, comes a word that this name and the
place determine, and between them words without meaning. Whoever remembers the name knows these words, more than a quarter of all
bytes; of the others nothing can be known.

Both archives are invented here, imported and climbed through the command line.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from figures import arguments, rejoinder, report

WORDS, SUCCESSORS = 120, 12
KEYS, FILLERS, BACK, EVERY, PLACES = 8, 24, 30, 4, 10
_LENGTH = 60  # words of a post, on average
_SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu".split()


def words_of(number: int, syllables: int, rng: np.random.Generator) -> list[str]:
    """So many different words of that many syllables."""
    found: dict[str, None] = {}
    while len(found) < number:
        found["".join(rng.choice(_SYLLABLES, syllables))] = None
    return list(found)


def markov_source(rng: np.random.Generator) -> tuple[list[str], np.ndarray[Any, Any]]:
    """Words, and (W, W) the probability that the second follows the first."""
    chain = np.zeros((WORDS, WORDS))
    for row in chain:
        row[rng.choice(WORDS, SUCCESSORS, replace=False)] = rng.dirichlet(np.ones(SUCCESSORS))
    return words_of(WORDS, 3, rng), chain


def markov_posts(posts: int, rng: np.random.Generator) -> Iterator[tuple[str, float]]:
    """Posts, and the bits that the source itself pays for each: where it begins, each step, whether it goes on."""
    words, chain = markov_source(rng)
    heights = chain.cumsum(axis=1)
    for _ in range(posts):
        place = int(rng.integers(WORDS))
        said, bits = [words[place]], np.log2(WORDS)
        while rng.random() > 1 / _LENGTH:
            bits -= np.log2(1 - 1 / _LENGTH)
            following = int(np.searchsorted(heights[place], rng.random() * heights[place, -1], side="right"))
            bits -= np.log2(chain[place, following])
            said.append(words[following])
            place = following
        yield " ".join(said), float(bits + np.log2(_LENGTH))


def memory_posts(posts: int, rng: np.random.Generator) -> Iterator[tuple[str, float]]:
    """Posts, and the bits that whoever remembers the name pays for each."""
    names, fillers = words_of(KEYS, 4, rng), words_of(FILLERS, 2, rng)
    later = [words_of(PLACES, 5, rng) for _ in range(KEYS)]
    for _ in range(posts):
        key, said, bits = int(rng.integers(KEYS)), [], np.log2(KEYS)
        said.append(names[key])
        for _ in range(BACK - 1):
            said.append(fillers[int(rng.integers(FILLERS))])
            bits += np.log2(FILLERS)
        for place in range(PLACES):
            said.append(later[key][place])
            for _ in range(EVERY - 1):
                said.append(fillers[int(rng.integers(FILLERS))])
                bits += np.log2(FILLERS)
        yield " ".join(said), float(bits)


SOURCES = {"markov": markov_posts, "memory": memory_posts}
SETTINGS = {
    "markov": ["lstm.embedding=128", "lstm.hidden=192", "lstm.epochs=3"],
    "memory": ["lstm.embedding=128", "lstm.hidden=256", "lstm.epochs=12", "lstm.patience=0"],
}


def climb(source: str, posts: int, budget: str, home: Path, seed: int) -> tuple[dict[str, Any], list[float], list[str]]:
    """The ladder's report on a new archive; the bits the source pays for each post, and the posts."""
    made = list(SOURCES[source](posts, np.random.default_rng(seed)))
    file = home / "posts.jsonl"
    home.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({"id": n, "type": "comment", "text": text}) for n, (text, _) in enumerate(made, start=1))
    file.write_text("\n".join(lines))
    rejoinder("import", file, "--source", "synthetic", "--home", home)
    sets = [part for setting in SETTINGS[source] for part in ("--set", setting)]
    rungs = ["unigram", "markov", "kneser_ney", "lstm", "mixture"]
    found = rejoinder("ladder", *rungs, "--budget", budget, "--json", "--home", home, *sets)
    return json.loads(found), [bits for _, bits in made], [text for text, _ in made]


def main() -> None:
    options = {
        "source": (str, "markov", "markov or memory"),
        "posts": (int, 12_000, "posts of the archive"),
        "budget": (str, "none", "time for the ladder; with less than it needs it finds no difference"),
        "home": (str, "", "a folder to keep"),
        "seed": (int, 0, "of the source"),
    }
    args = arguments(__doc__ or "", **options)
    with tempfile.TemporaryDirectory() as scratch:
        found, bits, texts = climb(args.source, args.posts, args.budget, Path(args.home or scratch), args.seed)
    true = sum(bits) / sum(len(text.encode()) for text in texts)
    report(f"{args.source}: the source pays", [true], "bits/byte", as_json=args.json)
    for rung in found["rungs"]:
        if rung["typing"]:
            value = rung["typing"]["all"]["bits_per_byte"]["value"]
            report(f"{args.source}: {rung['name']} pays", [value], "bits/byte", as_json=args.json)
            report(f"{args.source}: {rung['name']} over the source", [value / true], "x", as_json=args.json)
        else:
            print(f"{args.source}: {rung['name']} {rung['state']}: {rung['why']}")
    verdict = found["verdicts"]["typing"]
    if args.source == "memory":
        far = sum(len(word) + 1 for text in texts for word in text.split()[BACK::EVERY]) / sum(len(text) for text in texts)
        report("memory: bytes that depend on a word 30 back or more", [far], "share", as_json=args.json)
    print(f"{args.source}: {verdict['headline']}")
    for sentence in verdict["sentences"]:
        print(f"    {sentence}")


if __name__ == "__main__":
    main()
