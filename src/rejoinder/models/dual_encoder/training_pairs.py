"""What the dual encoder is trained on: the pairs of a part as bags, and how rare words and runs of letters are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rejoinder.corpus import Corpus, Part
from rejoinder.models.dual_encoder.config import DualEncoderConfig
from rejoinder.models.dual_encoder.encode import split_context
from rejoinder.models.dual_encoder.features import FeatureBags, Floats, Ints, join, read
from rejoinder.models.interfaces import Job
from rejoinder.models.pairs import clean_pairs
from rejoinder.text.batches import batches
from rejoinder.text.words import words

LAST, EARLIER, REPLY = range(3)
_AT_ONCE = 2000  # texts


@dataclass(frozen=True)
class Rarity:
    """How rare each place is among the posts of train, and its words."""

    words: Floats  # (V,) idf^rarity
    letters: Floats  # (V,)
    vocabulary: list[str]  # the most frequent first; ties by first sight

    @classmethod
    def of(cls, corpus: Corpus, config: DualEncoderConfig, job: Job) -> Rarity:
        """Count in how many posts each place occurs."""
        counts: Counter[str] = Counter()
        found, total = np.zeros((2, config.buckets), np.int64), 0
        for texts in batches((post.own_text for post in corpus.posts("train")), _AT_ONCE):
            for text in texts:
                counts.update(words(text))
            for row, bags in zip(found, read(texts, config.buckets, config.longest), strict=True):
                row += np.bincount(bags.places, minlength=config.buckets)
            total += len(texts)
            job.progress("counting words", total, None)
        by_word, by_run = ((1 + np.log((1 + total) / (1 + found))) ** config.rarity).astype(np.float32)
        return cls(by_word, by_run, [word for word, _ in counts.most_common()])


@dataclass(frozen=True, eq=False)
class Pairs:
    """N pairs as weighted bags: of the last post, of those before it as one text, of the reply."""

    words: tuple[FeatureBags, ...]
    letters: tuple[FeatureBags, ...]
    threads: Ints  # (N,)

    def __len__(self) -> int:
        """The number of pairs, N."""
        return len(self.threads)

    def take(self, rows: Ints) -> Pairs:
        """The pairs `rows`, in that order."""
        chosen = [tuple(bags.take(rows) for bags in view) for view in (self.words, self.letters)]
        return Pairs(chosen[0], chosen[1], self.threads[rows])


def read_pairs(corpus: Corpus, part: Part, config: DualEncoderConfig, rarity: Rarity, job: Job) -> Pairs:
    """The clean pairs of a part."""
    threads: list[int] = []

    def texts() -> Iterator[str]:
        for thread in corpus.threads(part):
            for context, reply in clean_pairs(thread.pairs(config.posts)):
                threads.append(thread.key)
                yield from (*split_context([post.own_text for post in context]), reply.own_text)
            job.progress(f"reading pairs of {part}", len(threads), None)

    found = [read(some, config.buckets, config.longest) for some in batches(texts(), _AT_ONCE)]
    found = found or [read([], config.buckets, config.longest)]
    views = []
    for view, weights in enumerate((rarity.words, rarity.letters)):
        bags = join([both[view] for both in found]).weighted(weights)
        views.append(tuple(bags.take(np.arange(side, 3 * len(threads), 3)) for side in (LAST, EARLIER, REPLY)))
    return Pairs(views[0], views[1], np.array(threads, np.int64))
