"""Word vectors from reply pairs, by counting: which words stand in one reply, and which in a post and in the reply it got.

    python bench/pair_vectors.py OUT.bin HOME[,WEIGHT[,PAIRS]] ... [--words 40000] [--size 192]

    C[v, w]  = sum over texts of n_v n_w / length,   texts: the replies, and each post with its reply, which counts 0.7
    PMI(v,w) = ln( C[v, w] sum C / (C_v C'_w) ),  C'_w = C_w^0.75 (of the same sum);   times C[v, w] / (C[v, w] + 0.5)
    vectors  = U |S|^0.5 of the positive part's D largest components

Of each home the train part counts, `PAIRS` of it at most, drawn at random, times `WEIGHT`. Words in fewer than five threads of
all homes are left out, and so are words that stand in a twentieth of all replies from the counting. The file is word2vec's, for
`rejoinder fit word2vec --set word2vec.file=OUT.bin`. It holds words: what it is made of decides whether it may be given away.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.home.workspace import Workspace
from rejoinder.models.pairs import clean_pairs
from rejoinder.text.vector_files import write_binary
from rejoinder.text.vectors import WordVectors
from rejoinder.text.words import words

_THREADS = 5  # that a word must stand in
_LONGEST = 200  # words of a text that are read
_COMMON = 0.05  # share of replies from which on a word says nothing
_ACROSS = 0.7  # how much a word of a post counts with one of its reply, beside two of a reply
_SMOOTHING, _BELIEVED, _LEAST = 0.75, 0.5, 0.05
_ROWS = 3000  # of C at a time
_ROUNDS = 3  # of the power method


class Given(NamedTuple):
    """A home, how much its pairs count, and how many of them."""

    home: Path
    weight: float
    most: int

    @classmethod
    def read(cls, text: str) -> Given:
        """HOME[,WEIGHT[,PAIRS]]."""
        home, *rest = text.split(",")
        weight, most = [*rest, *("1", "1e9")[len(rest) :]][:2]
        return cls(Path(home), float(weight), int(float(most)))


def read(given: Given, numbers: dict[str, int], threads: Counter[int]) -> list[tuple[list[int], list[int]]]:
    """The words of posts and replies as numbers; in how many threads each word stands is counted on the way."""
    space = Workspace(given.home)
    with space.open_archive() as archive:
        corpus = ArchiveCorpus(archive, space.home)
        number = sum(1 for _ in clean_pairs(corpus.pairs("train", limit=1)))
        kept = iter((np.random.default_rng(0).random(number) < given.most / max(number, 1)).tolist())
        found: list[tuple[list[int], list[int]]] = []
        for thread in corpus.threads("train"):
            seen: set[int] = set()
            for context, reply in clean_pairs(thread.pairs(limit=1)):
                if next(kept):
                    post, answer = (coded(text.own_text, numbers) for text in (context[-1], reply))
                    found.append((post, answer))
                    seen.update(post, answer)
            threads.update(seen)
    return found


def coded(text: str, numbers: dict[str, int]) -> list[int]:
    """The first words of a text as numbers; new words get new ones."""
    return [numbers.setdefault(word, len(numbers)) for word in words(text)[:_LONGEST]]


def bags(texts: list[list[int]], places: NDArray[np.int64], width: int) -> Any:
    """(N, V) of 0 and 1."""
    rows = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    columns = places[np.concatenate([np.empty(0, np.int64), *map(np.array, texts)]).astype(np.int64)]
    keys = np.unique(rows[columns >= 0] * width + columns[columns >= 0])
    return csr_matrix((np.ones(len(keys), np.float32), (keys // width, keys % width)), (len(texts), width))


def spread(texts: Any, weight: float, said: NDArray[np.bool_]) -> Any:
    """The bags without words that are common, each text's products adding up by its length."""
    found = texts.multiply(said[None, :].astype(np.float32)).tocsr()
    found.eliminate_zeros()
    lengths = np.diff(found.indptr)
    found.data = np.repeat(np.sqrt(weight / np.maximum(lengths, 1)), lengths).astype(np.float32)
    return found


def count(left: Any, right: Any) -> tuple[Any, NDArray[np.float64]]:
    """C, both ways, without what was hardly met; the sum of each row before that."""
    columns, width = left.T.tocsr(), left.shape[1]
    blocks, sums = [], np.zeros(width)
    for first in range(0, width, _ROWS):
        block = (columns[first : first + _ROWS] @ right).tocsr()
        sums[first : first + _ROWS] += np.asarray(block.sum(axis=1)).ravel()
        sums += np.asarray(block.sum(axis=0)).ravel()
        block.data[block.data < _LEAST] = 0
        block.eliminate_zeros()
        blocks.append(block.astype(np.float32))
    found = vstack(blocks).tocsr()
    return (found + found.T).tocsr(), sums


def positive(counts: Any, sums: NDArray[np.float64]) -> Any:
    """The positive PMI, little seen little believed."""
    total, smoothed = sums.sum(), sums**_SMOOTHING
    smoothed *= total / smoothed.sum()
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    expected = np.maximum(sums[rows] * smoothed[counts.indices], 1e-9)
    nats = np.log(np.maximum(counts.data * total / expected, 1e-9)) * counts.data / (counts.data + _BELIEVED)
    nats[rows == counts.indices] = 0
    counts.data = np.maximum(nats, 0).astype(np.float32)
    counts.eliminate_zeros()
    return counts


def components(matrix: Any, size: int) -> NDArray[np.float32]:
    """(V, D) float32: the largest components of a matrix that is nearly symmetric (Halko, Martinsson & Tropp 2011)."""
    basis = np.random.default_rng(0).standard_normal((matrix.shape[0], size + 16)).astype(np.float32)
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(matrix @ basis)[0].astype(np.float32)
    small = basis.T @ (matrix @ basis)
    values, vectors = np.linalg.eigh((small + small.T) / 2)
    order = np.argsort(-np.abs(values))[:size]
    return np.asarray(basis @ vectors[:, order] * np.sqrt(np.abs(values[order])), np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("homes", nargs="+", type=Given.read)
    parser.add_argument("--words", type=int, default=40_000)
    parser.add_argument("--size", type=int, default=192)
    args = parser.parse_args()
    numbers: dict[str, int] = {}
    threads: Counter[int] = Counter()
    pairs = [(given.weight, read(given, numbers, threads)) for given in args.homes]
    often = sorted((n for n, count in threads.items() if count >= _THREADS), key=lambda n: (-threads[n], n))[: args.words]
    places = np.full(len(numbers), -1, np.int64)
    places[often] = np.arange(len(often))
    sides = [(w, *(bags([pair[side] for pair in some], places, len(often)) for side in (0, 1))) for w, some in pairs]
    replies = sum(reply.shape[0] for _, _, reply in sides)
    said = sum(np.asarray(reply.sum(axis=0)).ravel() for _, _, reply in sides) < _COMMON * replies
    left, right = [], []
    for weight, posts, answers in sides:
        left += [spread(answers, weight, said), spread(posts, weight * _ACROSS, said)]
        right += [spread(answers, weight, said), spread(answers, weight * _ACROSS, said)]
    vectors = components(positive(*count(vstack(left), vstack(right))), args.size)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    names = list(numbers)
    with args.out.open("wb") as file:
        write_binary(WordVectors([names[n] for n in often], vectors, np.zeros(len(often), np.int64)), file)
    print(f"{replies:,} pairs, {len(often):,} words, {args.size} numbers each: {args.out}")


if __name__ == "__main__":
    main()
