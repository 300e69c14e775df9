"""The sentence rung: posts compared by the vectors of an encoder that others trained.

    score(r | c) = cos(v(r), v(c))            v the vector of a text, by the rung `sentence_encoder`

It proposes the replies that posts most like the one in hand got, as `bm25` and `pmi_svd` do. The vectors of the posts that were
answered are kept in 16 bits, and searched by inner product (see `rejoinder.models.nearest`). Those of the replies are kept, too,
by a hash of their text, so that ranking what was found embeds nothing. It learns nothing about words.

Explained in docs/ladder/sentence.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from rejoinder.config import Checked, NonNegativeFloat
from rejoinder.corpus import Corpus
from rejoinder.errors import DamagedModel, ModelError
from rejoinder.hashing import hash64
from rejoinder.models.directory import load_array, load_config, save_array, save_config
from rejoinder.models.interfaces import Job, ReplyRanker, ReplySource, Scores, Suggester
from rejoinder.models.nearest import Nearest, dots
from rejoinder.models.replies import Replies, nearest_answers
from rejoinder.models.sentence.bert_graph import EncoderShape
from rejoinder.post import Post, Suggestion

_ENCODER = "sentence_encoder"
_AT_ONCE = 64  # posts between two lines of progress


@dataclass(frozen=True)
class SentenceConfig(Checked, of="sentence"):
    """Settings of the rung."""

    models: tuple[str, ...] = (_ENCODER,)  # what makes the vectors
    title: NonNegativeFloat = 0.0  # weight of the thread's title beside the post that is answered


class TextEncoder(Protocol):
    """What makes a vector of a text."""

    shape: EncoderShape

    def vectors(self, texts: Iterable[str]) -> NDArray[np.float32]:
        """(N, D) float32 of length 1; 0 for a text without words."""


class Sentence(ReplySource, ReplyRanker):
    """The posts that were answered, as vectors."""

    Config: ClassVar[type] = SentenceConfig

    def __init__(
        self, config: SentenceConfig, parts: Mapping[str, Suggester], nearest: Nearest, replies: Replies, known: KnownVectors
    ) -> None:
        """Use `fit` or `load`. `nearest` has a vector for each answered post of `replies`, `known` one for each reply."""
        self.config = config
        self._encoder = cast(TextEncoder, _part(parts))
        self._nearest, self._replies, self._known = nearest, replies, known

    @classmethod
    def fit(cls, corpus: Corpus, config: SentenceConfig, *, rng: np.random.Generator, job: Job) -> Self:
        """Place the posts of the train part that were answered.

        Raises:
            ModelError: there is no encoder, or there are no replies (NothingToLearn).
        """
        encoder = cast(TextEncoder, _part(job.parts))
        replies, parents, said = Replies.build(corpus)
        texts = list(dict.fromkeys([*parents, *said]))
        vectors = np.empty((len(texts), encoder.shape.width), np.float16)
        for first in range(0, len(texts), _AT_ONCE):
            vectors[first : first + _AT_ONCE] = encoder.vectors(texts[first : first + _AT_ONCE])
            job.progress("placing posts", first, len(texts))
        places = {text: place for place, text in enumerate(texts)}
        nearest = Nearest.build(vectors[[places[text] for text in parents]].astype(np.float32))
        answers = list(dict.fromkeys(said))
        known = KnownVectors.of(answers, vectors[[places[text] for text in answers]])
        return cls(config, job.parts, nearest, replies, known)

    def save(self, directory: Path) -> None:
        """Write the vectors, and the posts with their replies; the encoder has a directory of its own."""
        save_config(directory, "sentence", self.config)
        self._nearest.save(directory)
        self._replies.save(directory)
        save_array(directory, "known.keys", self._known.keys)
        save_array(directory, "known.vectors", self._known.vectors)

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote, memory-mapped.

        Raises:
            DamagedModel: it is another rung's, not whole, or does not belong together.
        """
        config = load_config(directory, "sentence", SentenceConfig)
        nearest, replies = Nearest.load(directory), Replies.load(directory)
        known = KnownVectors(load_array(directory, "known.keys"), load_array(directory, "known.vectors"))
        made = cls(config, parts, nearest, replies, known)
        shapes = {nearest.vectors.shape[1:], known.vectors.shape[1:], (made._encoder.shape.width,)}
        if len(nearest) != replies.parents or len(shapes) > 1 or known.keys.shape != known.vectors.shape[:1]:
            raise DamagedModel(f"{directory}: vectors and replies do not fit together; fit again: rejoinder fit sentence")
        return made

    def propose(self, context: Sequence[Post], k: int) -> list[Suggestion]:
        """Replies to the posts most like the last of `context`; the score is the cosine, and none is below 0."""
        if not context or k <= 0:
            return []
        places, scores = self._nearest.search(self._encoder.vectors([context[-1].own_text])[0], k)
        alike = scores > 0
        return nearest_answers(self._replies, places[alike].tolist(), scores[alike].tolist(), k, "sentence")

    def score_replies(self, context: Sequence[Post], candidates: Sequence[str]) -> Scores:
        """(C,) float64: the cosine of each candidate with the last post of `context`."""
        if not context or not candidates:
            return np.zeros(len(candidates), np.float64)
        vectors = [
            known if (known := self._known.get(text)) is not None else self._encoder.vectors([text])[0] for text in candidates
        ]
        return dots(np.array(vectors, np.float32), self._question(context)).astype(np.float64)

    def _question(self, context: Sequence[Post]) -> NDArray[np.float32]:
        """(D,) float32: what a reply to the last of `context` is compared with."""
        own: NDArray[np.float32] = self._encoder.vectors([context[-1].own_text])[0]
        if not self.config.title or len(context) < 2 or not context[0].title:
            return own
        both = own + self.config.title * self._encoder.vectors([context[0].title])[0]
        return np.asarray(both / max(float(np.linalg.norm(both)), 1e-12), np.float32)


@dataclass(frozen=True, eq=False)
class KnownVectors:
    """The vectors of N texts, without the texts."""

    keys: NDArray[np.uint64]  # (N,) hashes of the texts, ascending
    vectors: NDArray[np.float16]  # (N, D)

    @classmethod
    def of(cls, texts: Sequence[str], vectors: NDArray[np.float16]) -> Self:
        """Those of `texts`."""
        keys = np.array([_key(text) for text in texts], np.uint64)
        keys, first = np.unique(keys, return_index=True)
        return cls(keys, vectors[first])

    def get(self, text: str) -> NDArray[np.float32] | None:
        """(D,) the vector of a text, if it is one of them."""
        key = np.uint64(_key(text))
        place = int(np.searchsorted(self.keys, key))
        found = place < len(self.keys) and self.keys[place] == key
        return self.vectors[place].astype(np.float32) if found else None


def _key(text: str) -> int:
    return hash64(text.encode("utf-8", "replace"))


def _part(parts: Mapping[str, Suggester]) -> Suggester:
    if _ENCODER not in parts:
        raise ModelError("`sentence` needs an encoder: rejoinder model add sentence --file DIR")
    return parts[_ENCODER]
