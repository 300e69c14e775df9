"""The weights of the rung `pair_encoder` that come with the package: a dual encoder over word vectors, trained on pairs.

    python bench/pair_encoder.py read DIR            pairs as arrays of words (see `pair_arrays.py`)
    python bench/pair_encoder.py count DIR           word vectors by counting, to begin with
    python bench/pair_encoder.py train DIR [--steps 500] [--minutes 9]
    python bench/pair_encoder.py pack DIR OUT        in 8 bits, as `rejoinder.models.pair_encoder` reads them; OUT/card.json

In a batch each post must find its reply, and each reply its post, among all others (Henderson et al. 2017):

    loss = mean of the cross-entropies of rows and columns of Z,   Z = e^s meaning(posts) . meaning(reply) + e^l words in common

Words in common (cosine of tf-idf) are there in training alone, so that meaning learns what they do not say; those of a home count
when the fusion weighs it. Some pairs of a thread come side by side, as each other's negatives. Replies to the same post are none.
Trained in NumPy: Adam, for word vectors with one second moment a row.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from pair_arrays import counted, load, read, weighted
from scipy.sparse import csr_matrix, vstack

from rejoinder.files import write_atomically, write_json
from rejoinder.models.directory import seal
from rejoinder.models.pair_encoder.encode import PairWeights
from rejoinder.models.pairs import draw_negatives
from rejoinder.text.subwords import subword_vectors

_COUNTED = {  # pairs of each file that are counted
    "hn_train": 10**9,
    "reddit2015_pairs": 240_000,
    "reddit2006": 10**9,
    "reddit_cmv": 10**9,
    "reddit_rational": 40_000,
    "everything_list": 8_000,
    "iac_4forums": 30_000,
}
_TRAINED = {**_COUNTED, "reddit2015_pairs": 10**9, "everything_list": 5_000}
_VOCABULARY, _SIZE = 40_000, 192
_THREADS = 5  # that a word must stand in to be given away
_RARITY, _COMMON = 1.5, 0.05  # the power of idf; share of posts from which on a word in common says nothing
_HN_IDF = 3  # how often a post of Hacker News counts in idf
_BATCH, _BLOCK = 1024, 8  # pairs; of a thread side by side
_HN_SHARE = (0.12, 0.30)  # of a batch, at the beginning and at the end
_DROP, _DROP_WORDS = 0.15, 0.25
_RATE, _MAP_RATE = 1.5e-3, 1e-3
_SCALES = (2.4849, 0.35, 2.4849, 0.35)  # s, earlier; l, earlier
_TINY = 1e-12
_CARD = """# Word vectors that know what answers what

A dual encoder over word vectors, in 8 bits, made by `bench/pair_encoder.py`: {words} words, {runs} places for runs of
letters, 192 numbers each, and two maps. It orders replies by how well they answer a post; it writes nothing.

**Data.** {pairs} pairs of a post and a reply in English. Of Hacker News the train part alone was read, so that its dev and
test parts can be measured on; the threads of the other files were read whole:

| file | pairs |
| --- | --- |
{listed}

Quotes were left out, and replies that are mostly links. Authors, in every form, were not there.

**What is given away.** A word is kept as a number of 32 bits, and only if it stands in {threads} threads or more; there is
no list of words, and no text of any post. Addresses of the web are never words.

**Cost.** {steps} steps of 1,024 pairs: {of_a_core} s of one core, {seconds} s on a busy machine. Figures:
`docs/ladder/pair_encoder.md`.

**Limits.** English; forums and lists, most of it of 2015, and what people took for granted there. It does not know the
order of words, nor whether a reply is true or kind. Whoever measures it on an archive of which it read a part sees it better
than it is.

**Licence.** Apache-2.0 for the model; the text it learned from belongs to its authors.
"""

Floats = NDArray[np.float32]
Cache = tuple[Floats, Floats, Floats, Floats, Floats]


def unit(x: Floats) -> tuple[Floats, Floats]:
    """(N, D) rows of length 1, and (N, 1) how long they were."""
    length = np.sqrt((x * x).sum(axis=1, keepdims=True) + _TINY)
    return x / length, length


def back_through_unit(y: Floats, length: Floats, gradient: Floats) -> Floats:
    """The gradient of x, given that of y = x / |x|."""
    return np.asarray((gradient - y * (gradient * y).sum(axis=1, keepdims=True)) / length, np.float32)


@dataclass
class Net:
    """What is trained, with the moments of its gradients."""

    vectors: Floats  # (V, D)
    maps: Floats  # (2, D, D)
    biases: Floats  # (2, D)
    scales: Floats  # (4,) natural logarithms: s and l; earlier of each
    small: list[list[Floats]] = field(default_factory=list)
    mean: Floats = field(init=False)
    square: Floats = field(init=False)

    def __post_init__(self) -> None:
        """No moments yet."""
        self.mean, self.square = np.zeros_like(self.vectors), np.full(len(self.vectors), _TINY, np.float32)
        self.small = [[a, np.zeros_like(a), np.zeros_like(a)] for a in (self.maps, self.biases, self.scales)]

    def encode(self, sums: Floats, side: int, mask: Floats) -> tuple[Floats, Cache]:
        """(N, D) of length 1, and what the way back needs."""
        x, before = unit(sums)
        masked = x * mask
        y, after = unit(masked @ self.maps[side] + self.biases[side] / np.sqrt(np.float32(x.shape[1])))
        return y, (x, before, masked, after, mask)

    def back(self, gradient: Floats, y: Floats, cache: Cache, side: int) -> tuple[Floats, Floats, Floats]:
        """The gradients of the sums, of the map and of the bias."""
        x, before, masked, after, mask = cache
        inner = back_through_unit(y, after, gradient)
        bias = inner.sum(axis=0) / np.sqrt(np.float32(x.shape[1]))
        return back_through_unit(x, before, (inner @ self.maps[side].T) * mask), masked.T @ inner, bias

    def step(self, number: int, rate: float, gradients: list[Floats], rows: NDArray[np.int32], of_rows: Floats) -> None:
        """Adam; `rows` of the vectors, whose gradients are `of_rows`."""
        for (array, mean, square), gradient in zip(self.small, gradients, strict=True):
            mean += 0.1 * (gradient - mean)
            square += 0.01 * (gradient * gradient - square)
            array -= rate * _MAP_RATE * (mean / (1 - 0.9**number)) / (np.sqrt(square / (1 - 0.99**number)) + 1e-8)
        self.square[rows] = 0.99 * self.square[rows] + 0.01 * (of_rows * of_rows).mean(axis=1)
        self.mean[rows] = 0.8 * self.mean[rows] + 0.2 * of_rows
        size = np.sqrt(self.square[rows] / (1 - 0.99**number))[:, None] + 1e-9
        self.vectors[rows] -= rate * _RATE * self.mean[rows] / size


@dataclass(frozen=True, eq=False)
class Data:
    """All pairs as bags."""

    bags: list[Any]  # last posts, those before, replies; (N, V) each
    thread: NDArray[np.int64]
    answered: NDArray[np.int64]
    hn: int  # the first so many are of Hacker News
    often: NDArray[np.bool_]  # (V,)

    def feed(self, rows: NDArray[np.int64], rng: np.random.Generator) -> Iterator[int]:
        """Rows without end, up to `_BLOCK` of a thread side by side."""
        while True:
            drawn = rng.permutation(rows)
            _, owner = np.unique(self.thread[drawn], return_inverse=True)
            order = np.argsort(owner, kind="stable")
            sizes = np.bincount(owner)
            within = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            _, block = np.unique(owner[order].astype(np.int64) * 10**6 + within // _BLOCK, return_inverse=True)
            yield from drawn[order][np.argsort(rng.random(int(block.max()) + 1)[block], kind="stable")].tolist()


def gather(directory: Path) -> tuple[Data, NDArray[np.int64], NDArray[np.float64]]:
    """The pairs; the numbers of their words; idf^1.5 of each."""
    with np.load(directory / "counted.npz", allow_pickle=False) as found:
        order = found["order"]
    places = places_of_words(directory, order)
    data = {name: load(directory, name, most) for name, most in _TRAINED.items()}
    frequency, posts = np.zeros(len(order)), 0
    for name, arrays in data.items():
        weight = _HN_IDF if name == "hn_train" else 1
        for side in (0, 2):
            _, found = _once(arrays, side, places, len(order))
            frequency += weight * np.bincount(found, minlength=len(order))
            posts += weight * (len(arrays[f"off{side}"]) - 1)
    idf = (1 + np.log((1 + posts) / (1 + frequency))) ** _RARITY
    several = [[weighted(arrays, side, places, idf) for side in range(3)] for arrays in data.values()]
    bags = [vstack([one[side] for one in several]).tocsr() for side in range(3)]
    thread, answered = (
        np.concatenate([arrays[key] + 10**12 * number for number, arrays in enumerate(data.values())])
        for key in ("thread", "ans")
    )
    kept = Data(bags, thread, answered, len(data["hn_train"]["thread"]), frequency > _COMMON * posts)
    return kept, order, idf


def threads_of(directory: Path, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """(V,) in how many threads each word stands."""
    places, threads = places_of_words(directory, order), np.zeros(len(order), np.int64)
    for name, most in _TRAINED.items():
        arrays = load(directory, name, most)
        _, numbers = np.unique(arrays["thread"], return_inverse=True)
        met = []
        for side in (0, 2):
            rows, found = _once(arrays, side, places, len(order))
            met.append(numbers[rows] * len(order) + found)
        threads += np.bincount(np.unique(np.concatenate(met)) % len(order), minlength=len(order))
    return threads


def places_of_words(directory: Path, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """(all words,) int64: where each stands in `order`, -1 for nowhere."""
    places = np.full(len(json.loads((directory / "vocab.json").read_text(encoding="utf-8"))), -1, np.int64)
    places[order] = np.arange(len(order))
    return places


def _once(arrays: Any, side: int, places: NDArray[np.int64], width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Text and word of each word that a text has, once."""
    off, words = arrays[f"off{side}"], places[arrays[f"flat{side}"]]
    rows = np.repeat(np.arange(len(off) - 1), np.diff(off))
    keys = np.unique(rows[words >= 0] * width + words[words >= 0])
    return keys // width, keys % width


def first_net(directory: Path, data: Data) -> Net:
    """Vectors by counting, of length 1; maps that take out the direction that all replies share."""
    with np.load(directory / "counted.npz", allow_pickle=False) as found:
        vectors = unit(found["E"].astype(np.float32))[0]
    size = vectors.shape[1]
    _, _, right = np.linalg.svd(unit(data.bags[2][: data.hn] @ vectors)[0], full_matrices=False)
    away = (np.eye(size) - np.outer(right[0], right[0])).astype(np.float32)
    return Net(vectors, np.stack([away, away]), np.zeros((2, size), np.float32), np.array(_SCALES, np.float32))


def learn(net: Net, data: Data, rows: NDArray[np.int64], number: int, rate: float, rng: np.random.Generator) -> float:
    """One step on the pairs `rows`; its loss, nats. Every second step reads what stands above the last post."""
    above = number % 2 == 1
    bags = [data.bags[side][rows] if side != 1 or above else data.bags[1][:0] for side in range(3)]
    for bag in bags:
        bag.data = bag.data * (rng.random(bag.nnz, dtype=np.float32) > _DROP_WORDS)
    common = [np.zeros((len(rows), len(rows)), np.float32) for _ in range(2)]
    rare = [without(bag, data.often) for bag in bags]
    for side in (0, 1) if above else (0,):
        common[side] = np.asarray((rare[side] @ rare[2].T).todense())
    columns = np.unique(np.concatenate([bag.indices for bag in bags]))
    places = np.empty(len(data.often), np.int32)
    places[columns] = np.arange(len(columns))
    bags = [csr_matrix((bag.data, places[bag.indices], bag.indptr), (bag.shape[0], len(columns))) for bag in bags]
    vectors, size = net.vectors[columns], net.vectors.shape[1]

    def mask() -> Floats:
        return ((rng.random((len(rows), size), dtype=np.float32) > _DROP) / (1 - _DROP)).astype(np.float32)

    last, of_last = net.encode(bags[0] @ vectors, 0, mask())
    reply, of_reply = net.encode(bags[2] @ vectors, 1, mask())
    before, has = np.zeros_like(last), np.zeros((len(rows), 1), bool)
    if above:
        has = (np.diff(bags[1].indptr) > 0)[:, None]
        before, of_before = net.encode(bags[1] @ vectors, 0, mask())
        before = before * has
    meant, words = np.exp(net.scales[0]), np.exp(net.scales[2])
    context = last + net.scales[1] * before
    alike, in_common = context @ reply.T, common[0] + net.scales[3] * common[1]
    loss, gradient = entropy(meant * alike + words * in_common, data.answered[rows])
    to_context, to_reply = meant * gradient @ reply, meant * gradient.T @ context
    of_scales = [
        (gradient * alike).sum() * meant,
        (to_context * before).sum(),
        (gradient * in_common).sum() * words,
        (gradient * common[1]).sum() * words,
    ]
    sums, map_posts, bias_posts = net.back(to_context, last, of_last, 0)
    of_vectors = bags[0].T @ sums
    sums, map_replies, bias_replies = net.back(to_reply, reply, of_reply, 1)
    of_vectors += bags[2].T @ sums
    if above:
        sums, more, bias = net.back(to_context * net.scales[1] * has, before, of_before, 0)
        of_vectors += bags[1].T @ sums
        map_posts, bias_posts = map_posts + more, bias_posts + bias
    gradients = [np.stack([map_posts, map_replies]), np.stack([bias_posts, bias_replies]), np.array(of_scales, np.float32)]
    net.step(number, rate, gradients, columns, of_vectors)
    return loss


def without(bag: Any, words: NDArray[np.bool_]) -> Any:
    """The bag without those words."""
    found = bag.copy()
    found.data[words[found.indices]] = 0
    found.eliminate_zeros()
    return found


def entropy(z: Floats, answered: NDArray[np.int64]) -> tuple[float, Floats]:
    """The loss of (B, B) scores, true pairs on the diagonal, and its gradient."""
    same = answered[:, None] == answered[None]
    np.fill_diagonal(same, False)
    z = np.where(same, np.float32(-1e4), z)
    rows, columns = np.exp(z - z.max(axis=1, keepdims=True)), np.exp(z - z.max(axis=0, keepdims=True))
    rows, columns = rows / rows.sum(axis=1, keepdims=True), columns / columns.sum(axis=0, keepdims=True)
    loss = -(np.log(np.maximum(np.diag(rows), 1e-30)).mean() + np.log(np.maximum(np.diag(columns), 1e-30)).mean()) / 2
    gradient = (rows + columns) / 2
    gradient[np.diag_indices(len(z))] -= 1
    return float(loss), np.asarray(np.where(same, 0, gradient / len(z)), np.float32)


def train(directory: Path, steps: int, minutes: float) -> None:
    """Into DIR/trained.npz."""
    rng = np.random.default_rng(0)
    data, order, idf = gather(directory)
    net = first_net(directory, data)
    of_hn, of_others = data.feed(np.arange(data.hn), rng), data.feed(np.arange(data.hn, len(data.thread)), rng)
    began, total = perf_counter(), 0.0
    for number in range(1, steps + 1):
        done = max((number - 1) / steps, (perf_counter() - began) / 60 / minutes)
        if done >= 1:
            break
        many = int(_BATCH * (_HN_SHARE[0] + (_HN_SHARE[1] - _HN_SHARE[0]) * done))
        rows = np.array([*itertools.islice(of_hn, many), *itertools.islice(of_others, _BATCH - many)])
        rate = min(1.0, number / 30) * 0.5 * (1 + np.cos(np.pi * done)) + 0.003
        total += learn(net, data, rows, number, rate, rng)
        if number % 100 == 0:
            print(
                f"step {number}: {total / 100:.3f} nats, {perf_counter() - began:.0f} s, {process_time():.0f} s of the processor"
            )
            total = 0.0
            measure(directory, net, order, idf)
    names = ("vectors", "maps", "biases", "scales")
    arrays = {name: getattr(net, name) for name in names}
    spent: dict[str, Any] = {
        "steps": number,
        "seconds": perf_counter() - began,
        "of_a_core": process_time(),
        "pairs": len(data.thread),
    }
    np.savez(directory / "trained.npz", **arrays, order=order, idf=idf, **spent)


def measure(directory: Path, net: Net, order: NDArray[np.int64], idf: NDArray[np.float64]) -> None:
    """Recall@1 of 100 on Hacker News' dev part, other threads, meaning alone."""
    dev, places = load(directory, "hn_dev"), places_of_words(directory, order)
    ones = np.ones((1, net.vectors.shape[1]), np.float32)
    sums = [weighted(dev, side, places, idf) @ net.vectors for side in range(3)]
    last, before, reply = (net.encode(sums[side], side // 2, ones)[0] for side in range(3))
    scores = (last + net.scales[1] * before * (np.diff(dev["off1"]) > 0)[:, None]) @ reply.T
    for kind, name in enumerate(("stories", "comments")):
        some = np.flatnonzero(dev["kind"] == kind)
        others = some[draw_negatives(dev["thread"][some], 99, np.random.default_rng(0))]
        found = (scores[some[:, None], others] < scores[some, some][:, None]).all(axis=1).mean()
        print(f"   answers to {name}: {found:.3f}", end="")
    print(flush=True)


def pack(directory: Path, out: Path, buckets: int) -> None:
    """As the rung reads it: words in fewer than five threads left out, the vectors of the others in 8 bits, and no words."""
    names = json.loads((directory / "vocab.json").read_text(encoding="utf-8"))
    with np.load(directory / "trained.npz", allow_pickle=False) as found:
        trained = {key: found[key] for key in found.files}
    kept = np.flatnonzero(threads_of(directory, trained["order"]) >= _THREADS)
    words = [names[number] for number in trained["order"][kept]]
    idf = trained["idf"][kept, None].astype(np.float32)
    rarest = np.sort(trained["idf"])[-len(kept) // 10 :].mean()  # what a word that is not known is taken for
    runs = subword_vectors(words, trained["vectors"][kept] * np.float32(rarest), buckets)
    codes = np.array([crc32(word.encode("utf-8", "surrogatepass")) for word in words], np.uint32)
    codes, first = np.unique(codes, return_index=True)
    table = np.concatenate([(trained["vectors"][kept] * idf)[first], runs]).astype(np.float32)
    biases = trained["biases"] / np.sqrt(np.float32(table.shape[1]))
    out.mkdir(parents=True, exist_ok=True)
    PairWeights.packed(codes, table, trained["maps"], biases, float(trained["scales"][1])).save(out)
    files = {name: int(min(most, len(load(directory, name)["thread"]))) for name, most in _TRAINED.items()}
    facts = {"pairs": int(trained["pairs"]), "words": len(codes), "runs": buckets, "threads": _THREADS, "files": files}
    facts |= {key: round(float(trained[key])) for key in ("steps", "seconds", "of_a_core")}
    write_json(out / "card.json", facts)
    listed = "\n".join(f"| {name} | {number:,} |" for name, number in files.items())
    page = _CARD.format(**{key: f"{value:,}" for key, value in facts.items() if key != "files"}, listed=listed)
    write_atomically(out / "MODEL_CARD.md", page.encode())
    when = datetime.now(UTC).isoformat(timespec="seconds")
    made = {"config": {}, "on": "train", "split": "hash", "seconds": facts["seconds"], "fitted": when}
    seal(out, {"rung": "pair_encoder", **made})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("read", "count", "train", "pack"))
    parser.add_argument("directory", type=Path)
    parser.add_argument("out", type=Path, nargs="?", default=Path("pair_encoder"))
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--buckets", type=int, default=8_192)
    args = parser.parse_args()
    if args.what == "read":
        read(args.directory)
    elif args.what == "count":
        counted(args.directory, _COUNTED, _VOCABULARY, _SIZE)
    elif args.what == "train":
        train(args.directory, args.steps, args.minutes)
    else:
        pack(args.directory, args.out, args.buckets)


if __name__ == "__main__":
    main()
