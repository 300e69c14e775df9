"""The BM25 rung: find posts like the one in hand, and propose the replies those got.

    score(q, d) = sum over words w of q:  idf(w) * tf (k1 + 1) / (tf + k1 (1 - b + b |d| / average))
    idf(w) = ln(1 + (N - df + 0.5) / (df + 0.5))

Robertson & Zaragoza 2009, with Lucene's idf, which is never negative. tf how often w stands in d, df in how many of the N
documents, |d| the words of d. As a source, d is a post of the train part that was answered, searched by tantivy on disk; the
query is built from terms, never parsed. As a ranker, d is a candidate reply and N, df and the average are those of the train
replies. It matches words, not meanings: a synonym is another word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import log, sqrt
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import tantivy

from rejoinder.config import Checked, NonNegativeFloat, PositiveInt, Share
from rejoinder.corpus import Corpus
from rejoinder.errors import DamagedModel, NothingToLearn
from rejoinder.files import write_json
from rejoinder.models.directory import load_config, load_json, save_config, save_file
from rejoinder.models.interfaces import Job, ReplyRanker, ReplySource, Scores, Suggester
from rejoinder.models.replies import short
from rejoinder.post import Post, Suggestion, Thread
from rejoinder.text.shards import Arrays
from rejoinder.text.words import words

_TANTIVY_K1, _TANTIVY_B = 1.2, 0.75  # built into tantivy, and our defaults
_HEAP = 64_000_000  # bytes the index writer may use
_MORE_ASKED = 100.0  # nats^2, of two rare words


@dataclass(frozen=True)
class BM25Config(Checked, of="bm25"):
    """Settings of the BM25 rung. `k1` and `b` rank candidates; the search has tantivy's (1.2, 0.75)."""

    k1: NonNegativeFloat = _TANTIVY_K1  # how soon more of the same word stops counting
    b: Share = _TANTIVY_B  # how much long texts are held back
    terms: PositiveInt = 32  # words of the query that are used, the rarest first


class BM25(ReplySource, ReplyRanker):
    """An index of (what was answered, the reply) pairs."""

    Config: ClassVar[type] = BM25Config

    def __init__(self, config: BM25Config, index: tantivy.Index, lengths: Mapping[str, float], directory: Path) -> None:
        """Use `fit` or `load`. `lengths`: how many `replies`, and their `average` words; `directory`: where the index lies."""
        self.config = config
        self._index = index
        self._searcher = index.searcher()
        self._replies = int(lengths["replies"])
        self._average = float(lengths["average"])
        self._directory = directory

    @classmethod
    def fit(cls, corpus: Corpus, config: BM25Config, *, rng: np.random.Generator, job: Job) -> Self:
        """Index the train part's replies under the words of what they answered."""
        directory = job.workdir / "index"
        directory.mkdir(parents=True, exist_ok=True)
        index = tantivy.Index(_schema(), path=str(directory))
        writer = index.writer(_HEAP, 1)  # one thread, so that equal corpora give equal indexes
        replies = total = 0
        shards = job.shards_of(corpus)
        left = shards.map(documents, partial(job.progress, "indexing replies: posts read"))
        for arrays in left:
            for texts, post, thread in _rows(arrays):
                replies += 1
                total += texts[1].count(b" ") + 1
                writer.add_document(_document(texts, post, thread))
        shards.drop(left)
        if not replies:
            raise NothingToLearn(
                "the train part has no reply whose parent is in the archive, so there is nothing to propose; import more"
            )
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        return cls(config, index, {"replies": replies, "average": total / replies}, directory)

    def save(self, directory: Path) -> None:
        """Keep the index, and write what the ranker needs."""
        save_config(directory, "bm25", self.config)
        target = directory / "index"
        target.mkdir()
        for file in sorted(self._directory.iterdir()):
            if not file.name.startswith("."):  # lock files
                save_file(file, target / file.name)
        write_json(directory / "lengths.json", {"replies": self._replies, "average": self._average})

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote."""
        config = load_config(directory, "bm25", BM25Config)
        lengths = load_json(directory / "lengths.json")
        try:
            return cls(config, tantivy.Index.open(str(directory / "index")), lengths, directory / "index")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedModel(f"{directory}: the index is damaged ({str(error)[:80]}); fit again: rejoinder fit bm25") from error

    def propose(self, context: Sequence[Post], k: int) -> list[Suggestion]:
        """The replies to the `k` posts most like the last of `context`; the score is BM25, a sum of nats."""
        if not context or k <= 0:
            return []
        found = self._hits(words(context[-1].own_text), "context", k)
        return [_suggestion(self._searcher.doc(address), score) for score, address in found]

    def search(self, text: str, k: int, *, answered: bool = False) -> list[tuple[int, float]]:
        """At most `k` replies that hold words of `text` (or, if `answered`, whose parents do), with their BM25, best first."""
        found = self._hits(words(text), "context" if answered else "reply", k) if k > 0 else []
        return [(int(self._searcher.doc(address).to_dict()["post"][0]), float(score)) for score, address in found]

    def asked_before(self, context: Sequence[Post], replies: Sequence[int]) -> dict[int, float]:
        """How much of what the last post of `context` says stood in what each of these replies answered, in [0, 1].

        The root of the share of words, of which each weighs idf^2, the rarest of them; two rare ones that were never said are
        thought to be asked as well, so that one word is no whole question. Replies that share nothing are left out.
        """
        if not context or not replies:
            return {}
        schema = self._index.schema
        frequency = {word: self._searcher.doc_freq("context", word) for word in dict.fromkeys(words(context[-1].own_text))}
        rarest = sorted((df, word) for word, df in frequency.items())[: self.config.terms]
        weights = {word: self._idf(df) ** 2 for df, word in rarest}
        among = tantivy.Query.term_set_query(schema, "post", [*replies])
        parts = [(tantivy.Occur.Must, tantivy.Query.const_score_query(among, 0.0))]
        for word, weight in weights.items():
            term = tantivy.Query.term_query(schema, "context", word, "freq")
            parts.append((tantivy.Occur.Should, tantivy.Query.const_score_query(term, weight)))
        hits = self._searcher.search(tantivy.Query.boolean_query(parts), limit=len(replies), count=False).hits
        whole = sum(weights.values()) + _MORE_ASKED
        return {int(self._searcher.doc(at).to_dict()["post"][0]): sqrt(score / whole) for score, at in hits if score > 0}

    def _hits(self, query: list[str], field: str, k: int) -> list[tuple[float, Any]]:
        """The `k` best documents for the rarest words of a query in one field; terms, so nothing of it is parsed."""
        terms = self._rarest(query, field)
        if not terms:
            return []
        schema = self._index.schema
        parts = [(tantivy.Occur.Should, tantivy.Query.term_query(schema, field, term, "freq")) for term in terms]
        hits: list[tuple[float, Any]] = self._searcher.search(tantivy.Query.boolean_query(parts), limit=k, count=False).hits
        return hits

    def score_replies(self, context: Sequence[Post], candidates: Sequence[str]) -> Scores:
        """(C,) float64: BM25 of each candidate for the words of the last post of `context`."""
        query = self._rarest(words(context[-1].own_text), "reply") if context else {}
        scores = np.zeros(len(candidates), dtype=np.float64)
        k1, b = self.config.k1, self.config.b
        for place, candidate in enumerate(candidates):
            said = words(candidate)
            held_back = k1 * (1 - b + b * len(said) / self._average)
            for word, count in Counter(said).items():
                if word in query:
                    scores[place] += query[word] * count * (k1 + 1) / (count + held_back)
        return scores

    def _rarest(self, query: list[str], field: str) -> dict[str, float]:
        """The words of a query worth searching for, with their idf: those in the index, the rarest first."""
        frequency = {word: self._searcher.doc_freq(field, word) for word in dict.fromkeys(query)}
        known = sorted((df, word) for word, df in frequency.items() if df)[: self.config.terms]
        return {word: self._idf(df) for df, word in known}

    def _idf(self, df: int) -> float:
        return log(1 + (self._replies - df + 0.5) / (df + 0.5))


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    for name in ("context", "reply"):
        builder.add_text_field(name, stored=False, tokenizer_name="whitespace", index_option="freq")
    for name in ("text", "answers"):
        builder.add_bytes_field(name, stored=True, indexed=False)
    for name in ("post", "thread"):
        builder.add_unsigned_field(name, stored=True, indexed=True)
    return builder.build()


def documents(threads: Iterable[Thread]) -> Arrays:
    """The replies of a shard that have words, as they are indexed: a map.

    Returns:
        `posts` and `threads` (N,); `texts` (B,) uint8, UTF-8, one after the other: of each reply the words it answers, its own
        words, itself, and in short what it answers; `offsets` (4N+1,) of these.
    """
    texts: list[bytes] = []
    rows: list[tuple[int, int]] = []
    for thread in threads:
        for context, reply in thread.pairs(limit=1):
            text = reply.own_text
            if said := words(text):
                answered = " ".join(words(context[-1].own_text))
                texts += [one.encode() for one in (answered, " ".join(said), text, short(context[-1]))]
                rows.append((reply.id, thread.key))
    posts, keys = np.array(rows, np.int64).reshape(-1, 2).T
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return {"posts": posts, "threads": keys, "texts": np.frombuffer(b"".join(texts), np.uint8), "offsets": offsets}


def _rows(arrays: Arrays) -> Iterator[tuple[list[bytes], int, int]]:
    """The texts of each reply, its number and its thread."""
    data, offsets = bytes(arrays["texts"]), arrays["offsets"].tolist()
    for at, (post, thread) in enumerate(zip(arrays["posts"].tolist(), arrays["threads"].tolist(), strict=True)):
        yield [data[first:last] for first, last in pairwise(offsets[4 * at : 4 * at + 5])], post, thread


def _document(texts: Sequence[bytes], post: int, thread: int) -> Any:
    document = tantivy.Document()
    for name, text in zip(("context", "reply"), texts[:2], strict=True):
        document.add_text(name, text.decode())
    for name, text in zip(("text", "answers"), texts[2:], strict=True):
        document.add_bytes(name, text)
    document.add_unsigned("post", post)
    document.add_unsigned("thread", thread)
    return document


def _suggestion(document: Any, score: float) -> Suggestion:
    fields = document.to_dict()
    text, answers, post, thread = (fields[name][0] for name in ("text", "answers", "post", "thread"))
    return Suggestion(bytes(text).decode(), float(score), "bm25", post, thread, bytes(answers).decode())
