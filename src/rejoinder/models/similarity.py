"""Text similarity: a post as the mean of its word vectors, shared by the rungs that know words by vectors.

    v(post) = sum over words w of a / (a + p(w)) v_w / number of words, less what it has of the common direction u, of length 1

Arora, Liang & Ma 2017: frequent words say little, and what all posts have in common says nothing. p(w) is the word's share of
the train part, a is COMMON, u the first right singular vector of the vectors of train posts. As a source: the answered posts of
train nearest to the last post, and the replies they got. As a ranker: the cosine of a candidate with the last post, to which a
little of the thread's title is added. It knows that words are alike, and not what answers what. a, the title's part and the one
direction were chosen on dev.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.corpus import Corpus
from rejoinder.errors import DamagedModel
from rejoinder.models.directory import load_array, load_config, save_array, save_config
from rejoinder.models.interfaces import Embedding, Job, ReplyRanker, ReplySource, Scores, Suggester
from rejoinder.models.nearest import Nearest, dots
from rejoinder.models.remembered import Remembered
from rejoinder.models.replies import Replies, nearest_answers
from rejoinder.post import Post, Suggestion
from rejoinder.text.vectors import WordVectors
from rejoinder.text.word_arrays import WordArrays, count_words
from rejoinder.text.words import words

COMMON = 1e-4  # a
TITLE = 0.3  # what the title of the thread counts beside the last post
_TINY = 1e-12
_NOISE = 1e-5  # of the length of a mean: less than this, when u is out, is only what rounding left
_LONGEST = 2000  # words of a post that are read
_SAMPLE = 20_000  # posts that u is taken from, at most
_AT_ONCE = 200_000  # words at a time

Floats = NDArray[np.float32]


class PostVectors:
    """Posts as vectors."""

    def __init__(self, vectors: WordVectors, direction: Floats | None = None) -> None:
        """`direction`: (D,) float32, u; None: nothing is taken out."""
        self.words = vectors
        self.direction = np.zeros(vectors.size, np.float32) if direction is None else direction
        self._total = max(int(vectors.counts.sum()), 1)
        self._weights = (COMMON / (COMMON + vectors.counts / self._total)).astype(np.float32)

    def without_common_direction(self, texts: Sequence[str], rng: np.random.Generator) -> PostVectors:
        """The same, the direction that these texts have in common taken out."""
        chosen = np.sort(rng.permutation(len(texts))[:_SAMPLE])
        found = self.of(texts[place] for place in chosen)
        _, _, right = np.linalg.svd(found.T @ found, hermitian=True)
        return PostVectors(self.words, np.ascontiguousarray(right[0], np.float32))

    def of(self, texts: Iterable[str]) -> Floats:
        """(N, D) float32 of length 1, or 0 for texts without a word that has a vector."""
        return np.concatenate([*self.in_pieces(texts)])

    def in_pieces(self, texts: Iterable[str]) -> Iterator[Floats]:
        """The same, some texts at a time."""
        some: list[list[str]] = []
        waiting = 0
        for text in texts:
            some.append(words(text)[:_LONGEST])
            waiting += len(some[-1])
            if waiting >= _AT_ONCE:
                yield self._means(some)
                some, waiting = [], 0
        yield self._means(some)

    def _means(self, texts: list[list[str]]) -> Floats:
        flat = [word for text in texts for word in text]
        places = self.words.places(flat)
        rows = np.empty((len(flat), self.words.size), np.float32)
        known = places >= 0
        rows[known] = self.words.vectors[places[known]] * self._weights[places[known], None]
        rows[~known] = self.words.of([flat[at] for at in np.flatnonzero(~known)])
        means = np.zeros((len(texts), self.words.size), np.float32)
        sizes = np.array([len(text) for text in texts])
        filled = np.flatnonzero(sizes)
        if len(filled):
            means[filled] = np.add.reduceat(rows, (np.cumsum(sizes) - sizes)[filled]) / sizes[filled, None]
        noise = _NOISE * np.linalg.norm(means, axis=1, keepdims=True)
        means -= np.outer(dots(means, self.direction), self.direction)
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        return np.asarray(np.divide(means, lengths, out=np.zeros_like(means), where=lengths > noise), np.float32)


class Similarity(ReplySource, ReplyRanker, Embedding, ABC):
    """A rung that compares posts by word vectors; its subclasses say where the vectors come from."""

    Config: ClassVar[type]
    name: ClassVar[str]  # in LADDER

    def __init__(self, config: Any, posts: PostVectors, nearest: Nearest, replies: Replies) -> None:
        """Use `fit` or `load`. `nearest` has a vector for each answered post of `replies`."""
        self.config = config
        self.posts = posts
        self._nearest = nearest
        self._replies = replies
        self._candidates = Remembered(posts.of)

    @property
    def words(self) -> WordVectors:
        """The words and their vectors."""
        return self.posts.words

    @classmethod
    @abstractmethod
    def learn(cls, arrays: WordArrays, config: Any, *, rng: np.random.Generator, job: Job) -> WordVectors:
        """Vectors of the words of the train part."""

    @classmethod
    def fit(cls, corpus: Corpus, config: Any, *, rng: np.random.Generator, job: Job) -> Self:
        """Learn word vectors from the train part, and place the posts that were answered among them.

        Raises:
            MissingExtra: what fitting needs is not installed.
            ModelError: the train part has too few words, or no replies (NothingToLearn).
        """
        replies, parents = Replies.build(corpus)[:2]
        arrays = count_words(job.shards_of(corpus), config.rarest, config.most)
        vectors = cls.learn(arrays, config, rng=rng, job=job).with_subwords(config.buckets)
        job.progress("placing posts", len(parents), len(parents))
        posts = PostVectors(vectors).without_common_direction(parents, rng)
        placed = np.concatenate([piece.astype(np.float16) for piece in posts.in_pieces(parents)])
        return cls(config, posts, Nearest.build(placed), replies)

    def save(self, directory: Path) -> None:
        """Write vectors, the common direction, and the posts with their replies."""
        save_config(directory, self.name, self.config)
        self.posts.words.save(directory / "words")
        save_array(directory, "direction", self.posts.direction)
        self._nearest.save(directory)
        self._replies.save(directory)

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote, memory-mapped.

        Raises:
            DamagedModel: it is another rung's, not whole, or does not belong together.
        """
        config: Any = load_config(directory, cls.name, cls.Config)
        vectors, direction = WordVectors.load(directory / "words"), load_array(directory, "direction")
        nearest, replies = Nearest.load(directory), Replies.load(directory)
        sizes = {vectors.size, len(direction), nearest.vectors.shape[1]}
        if len(sizes) > 1 or len(nearest) != replies.parents:
            raise DamagedModel(f"{directory}: vectors and replies do not fit together; fit again: rejoinder fit {cls.name}")
        return cls(config, PostVectors(vectors, np.array(direction)), nearest, replies)

    def propose(self, context: Sequence[Post], k: int) -> list[Suggestion]:
        """Replies to the posts most like the last of `context`; the score is the cosine, and none is below 0."""
        if not context or k <= 0:
            return []
        places, scores = self._nearest.search(self.posts.of([context[-1].own_text])[0], k)
        alike = scores > 0
        return nearest_answers(self._replies, places[alike].tolist(), scores[alike].tolist(), k, self.name)

    def score_replies(self, context: Sequence[Post], candidates: Sequence[str]) -> Scores:
        """(C,) float64: the cosine of each candidate with the last post of `context`, and a little of the thread's title."""
        if not context or not candidates:
            return np.zeros(len(candidates), np.float64)
        return dots(np.array(self._candidates.of(candidates)), self._question(context)).astype(np.float64)

    def _question(self, context: Sequence[Post]) -> Floats:
        """(D,) float32 of length 1, or 0: what a reply to the last of `context` is compared with."""
        title = context[0].title if len(context) > 1 else ""
        own, thread = self.posts.of([context[-1].own_text, title])
        both = own + TITLE * thread
        return np.asarray(both / max(float(np.linalg.norm(both)), _TINY), np.float32)
