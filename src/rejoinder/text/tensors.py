"""Token arrays: the posts of a corpus as numbers, on disk, memory-mapped.

A directory holds `tokenizer.json` and, for each part, three arrays:

    PART.tokens.npy   (N,)   uint16, or uint32 for a vocabulary above 65,536
    PART.offsets.npy  (P+1,) int64   post p is tokens[offsets[p] : offsets[p + 1]]
    PART.posts.npy    (P,)   int64   the post's id

A post is POST or REPLY, its own words (quotes left out), END. One post after the other, thread by thread: what follows END
belongs to another writer, so nothing is counted across it.

Explained in docs/tour/01-what-is-a-tensor.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rejoinder.corpus import Corpus, Part
from rejoinder.errors import ModelError
from rejoinder.hashing import hash64
from rejoinder.post import Post, Thread
from rejoinder.text.shards import Arrays, Shards
from rejoinder.text.sums import add_up
from rejoinder.text.tokenizer import AnyTokenizer, Tokenizer, load_tokenizer

TOKENIZER_FILE = "tokenizer.json"
LEARNED = 200_000  # posts that a tokenizer is learned from
_BATCH = 2_000  # posts encoded at a time
_CHUNK = 2**24  # tokens counted at a time


@dataclass(frozen=True)
class TokenArrays:
    """The posts of one part as tokens."""

    tokens: NDArray[np.unsignedinteger]  # (N,)
    offsets: NDArray[np.int64]  # (P+1,)
    posts: NDArray[np.int64]  # (P,)


def train_tokenizer(corpus: Corpus, size: int) -> Tokenizer:
    """A tokenizer from the train part alone; the same rule for its text as for token arrays.

    Of a large part about `LEARNED` posts are learned from, drawn by a hash of their number: more would hardly change what pieces
    are frequent.
    """
    share = LEARNED / max(corpus.count("train") or 0, LEARNED)
    drawn = (post for post in corpus.posts("train") if share == 1 or hash64(f"tokenizer {post.id}".encode()) < share * 2**64)
    return Tokenizer.train((post.own_text for post in drawn), size)


def write_tokens(
    corpus: Corpus,
    tokenizer: AnyTokenizer,
    directory: Path,
    told: Callable[[int, int | None], object] = lambda done, total: None,
    shards: Shards | None = None,
) -> None:
    """Write the token arrays of `corpus`; the tokenizer last, so that its presence means the directory is whole.

    `told` how many posts are done, of how many, if that is known. The train part comes of `shards` where several map them.
    """
    directory.mkdir(parents=True, exist_ok=True)
    parts: tuple[Part, ...] = ("train", "dev")
    counts = [corpus.count(part) for part in parts]
    total, before = None if None in counts else sum(count or 0 for count in counts), 0

    def say(done: int) -> None:
        told(before + done, total)

    for part in parts:
        if part == "train" and shards is not None and shards.workers > 1:
            before += _write_shards(shards, tokenizer, directory)
        else:
            before += _write_part(corpus.posts(part), tokenizer, directory, part, say)
    tokenizer.save(directory / TOKENIZER_FILE)


def open_tokens(directory: Path, part: Part) -> TokenArrays:
    """The token arrays of a part, memory-mapped.

    Raises:
        ModelError: the part has no posts.
    """
    arrays = (np.load(directory / f"{part}.{name}.npy", mmap_mode="r") for name in ("tokens", "offsets", "posts"))
    found = TokenArrays(*arrays)
    if part == "train" and not len(found.posts):
        raise ModelError(
            "the train part has no posts with words; import more (`rejoinder info` shows the parts), or fit with --on all"
        )
    return found


def open_tokenizer(directory: Path) -> AnyTokenizer:
    """The tokenizer of a directory of token arrays, or of a model."""
    return load_tokenizer(directory / TOKENIZER_FILE)


def post_tokens(posts: Sequence[Post], tokenizer: AnyTokenizer) -> TokenArrays:
    """The token arrays of these posts, in memory; a post without own words has none."""
    kind = np.uint16 if tokenizer.vocabulary <= 2**16 else np.uint32
    rows: list[NDArray[np.unsignedinteger]] = []
    ids: list[int] = []
    for post, tokens in zip(posts, tokenizer.encode_many([post.own_text for post in posts]), strict=True):
        if tokens:
            start = tokenizer.post if post.parent is None else tokenizer.reply
            rows.append(np.array([start, *tokens, tokenizer.end], dtype=kind))
            ids.append(post.id)
    offsets = np.cumsum([0, *(len(row) for row in rows)], dtype=np.int64)
    return TokenArrays(np.concatenate(rows) if rows else np.empty(0, kind), offsets, np.array(ids, dtype=np.int64))


def context_tokens(context: Sequence[Post], tokenizer: AnyTokenizer, limit: int) -> list[int]:
    """What a model that reads on from post to post has read before the first word of a post that answers `context`.

    The last `limit` tokens of the posts answered, written as in token arrays, then REPLY; just POST where nothing is answered.
    """
    posts: list[list[int]] = []
    missing = limit
    for post in reversed(context):
        if missing <= 0:
            break
        tokens = post_tokens([post], tokenizer).tokens.tolist()
        posts.insert(0, tokens[-missing:])
        missing -= len(tokens)
    return [token for tokens in posts for token in tokens] + [tokenizer.reply if context else tokenizer.post]


def _write_part(
    posts: Iterator[Post], tokenizer: AnyTokenizer, directory: Path, part: Part, told: Callable[[int], object]
) -> int:
    """Write the arrays of one part, `told` of how many posts are done; how many there are."""
    nothing = post_tokens([], tokenizer)
    files = {name: directory / f"{part}.{name}.raw" for name in vars(nothing)}
    with ExitStack() as opened:
        raw = {name: opened.enter_context(file.open("wb")) for name, file in files.items()}
        nothing.offsets.tofile(raw["offsets"])
        tokens = done = 0
        while batch := list(islice(posts, _BATCH)):
            arrays = post_tokens(batch, tokenizer)
            arrays.tokens.tofile(raw["tokens"])
            (arrays.offsets[1:] + tokens).tofile(raw["offsets"])
            arrays.posts.tofile(raw["posts"])
            tokens, done = tokens + len(arrays.tokens), done + len(arrays.posts)
            told(done)
    for name, file in files.items():
        kind = getattr(nothing, name).dtype
        written = np.memmap(file, kind, "r") if file.stat().st_size else np.empty(0, kind)
        np.save(directory / f"{part}.{name}.npy", written, allow_pickle=False)
        del written  # a file that is mapped cannot be removed everywhere
        file.unlink()
    return done


def tokenized(threads: Iterable[Thread], tokenizer: Path | str) -> Arrays:
    """The token arrays of a shard, with the `lengths` of the posts instead of offsets: a map."""
    posts = [post for thread in threads for post in thread.posts if post.body]
    found = post_tokens(posts, load_tokenizer(Path(tokenizer)))
    return {"tokens": found.tokens, "lengths": np.diff(found.offsets), "posts": found.posts}


def _write_shards(shards: Shards, tokenizer: AnyTokenizer, directory: Path) -> int:
    """Write the arrays of the train part, shard after shard; how many posts there are."""
    tokenizer.save(file := directory / "shards.json")
    left = shards.map(tokenized, tokenizer=file)
    posts = sum(len(arrays["posts"]) for arrays in left)
    sizes = {"tokens": sum(len(arrays["tokens"]) for arrays in left), "offsets": posts + 1, "posts": posts}
    for name, size in sizes.items():
        pieces = _offsets(left) if name == "offsets" else (arrays[name] for arrays in left)
        kind = np.int64 if name == "offsets" else left[0][name].dtype
        np.save(directory / f"train.{name}.npy", shards.collect({name: kind}, size, ([piece] for piece in pieces))[name])
    shards.drop(left)
    file.unlink()
    return posts


def _offsets(left: Iterable[Arrays]) -> Iterator[NDArray[np.int64]]:
    """Where the posts begin, and the last one ends, from the lengths of those of each shard."""
    end = np.zeros(1, np.int64)
    yield end
    for arrays in left:
        yield (ends := end[-1:] + np.cumsum(arrays["lengths"], dtype=np.int64))
        end = ends if len(ends) else end


def count_tokens(arrays: TokenArrays, vocabulary: int) -> NDArray[np.int64]:
    """(V,) int64: how often each token occurs."""
    counts = np.zeros(vocabulary, dtype=np.int64)
    for start in range(0, len(arrays.tokens), _CHUNK):
        counts += np.bincount(arrays.tokens[start : start + _CHUNK], minlength=vocabulary)
    return counts


def token_shares(counts: NDArray[np.int64], pseudo_count: float, never: Sequence[int]) -> NDArray[np.float64]:
    """(V,) float64, sums to 1: (c + a) / (N + a V'), the share of each token; 0 for the tokens that can `never` come.

    Args:
        counts: (V,) int64, c.
        pseudo_count: a, added to every count (Lidstone 1920).
        never: tokens of probability 0; V' are the others.
    """
    smoothed = counts + pseudo_count
    smoothed[list(never)] = 0.0
    return np.asarray(smoothed / smoothed.sum())


def count_bigrams(arrays: TokenArrays, vocabulary: int, end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which token follows which, and how often; nothing follows `end`.

    Returns:
        (E,) int64 pairs, first * V + second, ascending; (E,) int64 counts.
    """
    pairs = counts = np.empty(0, dtype=np.int64)
    for start in range(0, max(len(arrays.tokens) - 1, 0), _CHUNK):
        chunk = arrays.tokens[start : start + _CHUNK + 1].astype(np.int64)
        first, second = chunk[:-1], chunk[1:]
        here, times = np.unique((first * vocabulary + second)[first != end], return_counts=True)
        pairs, counts = add_up(np.concatenate([pairs, here]), np.concatenate([counts, times]))
    return pairs, counts
