"""How a model goes on from what it has read: texts from random places of train posts, many at a time.

Every post is as likely; the place is one of its first tokens (`DRAFT`), and what the post answers stands before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rejoinder.engine.sampling import SampleConfig, Sampler, text_of
from rejoinder.models.interfaces import LanguageModel, Progress, silent
from rejoinder.post import Post
from rejoinder.publish.reading import ReadCorpus
from rejoinder.text.tensors import TokenArrays, open_tokens

DRAFT = 64  # tokens of a post that are read at most
LONGEST = 32  # tokens that are made
LIKELIEST = SampleConfig(temperature=0.0, longest=LONGEST)
SAMPLED = SampleConfig(temperature=1.0, nucleus=0.9, longest=LONGEST)
_SHORTEST = 12  # tokens of a post, separators included
_TOGETHER = 128  # texts


class MadeText(NamedTuple):
    """A post up to some place, and how the model goes on there."""

    draft: str
    text: str
    sampled: bool  # else the likeliest token each time
    answered: str = ""  # what the post answers, as the model read it


@dataclass(frozen=True)
class _File:
    """The train posts of one file."""

    arrays: TokenArrays
    parents: NDArray[np.int64]

    def tokens(self, row: int) -> list[int]:
        """The words of a post, without the separators around them."""
        found: list[int] = self.arrays.tokens[self.arrays.offsets[row] + 1 : self.arrays.offsets[row + 1] - 1].tolist()
        return found

    def answered(self, row: int, voice: LanguageModel) -> tuple[Post, ...]:
        """What a post answers, from root to parent; a parent without words where nothing of it is here."""
        path: list[Post] = []
        seen, above = {row}, int(self.parents[row])
        while above >= 0 and above not in seen and len(path) < 8:  # more than a cell reads
            seen.add(above)
            path.insert(0, Post(above, text=text_of(voice.tokenizer, self.tokens(above))))
            above = int(self.parents[above])
        if path or self.arrays.tokens[self.arrays.offsets[row]] != voice.tokenizer.reply:
            return tuple(path)
        return (Post(-1),)


def continuations(
    voice: LanguageModel, sources: Sequence[ReadCorpus], many: int, rng: np.random.Generator, progress: Progress = silent
) -> Iterator[MadeText]:
    """`many` texts, half of them sampled.

    Args:
        voice: goes on.
        sources: what it has read; their token arrays are written.
        many: how many.
        rng: where, and what is sampled.
        progress: told how many are done.
    """
    files = [_open(source) for source in sources]
    longs = [np.flatnonzero(np.diff(file.arrays.offsets) >= _SHORTEST) for file in files]
    starts = np.cumsum([0, *(len(rows) for rows in longs)])
    chosen = rng.integers(starts[-1], size=many if starts[-1] else 0)
    which = np.searchsorted(starts, chosen, side="right") - 1
    places = [(files[f], int(longs[f][at - starts[f]])) for f, at in zip(which.tolist(), chosen.tolist(), strict=True)]
    for first in range(0, len(places), _TOGETHER):
        progress("going on from what was read", first, len(places))
        yield from _together(voice, places[first : first + _TOGETHER], rng)


def _open(source: ReadCorpus) -> _File:
    return _File(open_tokens(source.tokens, "train"), np.load(source.tokens / "train.parents.npy", mmap_mode="r"))


def _together(voice: LanguageModel, places: Sequence[tuple[_File, int]], rng: np.random.Generator) -> Iterator[MadeText]:
    """One text from each place."""
    drafts = []
    for file, row in places:
        tokens = file.tokens(row)
        drafts.append(tokens[: int(rng.integers(min(len(tokens), DRAFT)))])
    answered = [file.answered(row, voice) for file, row in places]
    states: list[Any] = [voice.start(context) for context in answered]
    for step in range(max(map(len, drafts), default=0)):
        going = [at for at, draft in enumerate(drafts) if step < len(draft)]
        moved = voice.advance_many([states[at] for at in going], [drafts[at][step] for at in going])
        for at, state in zip(going, moved, strict=True):
            states[at] = state
    for half, config in enumerate((LIKELIEST, SAMPLED)):
        made: dict[int, list[int]] = {at: [] for at in range(half, len(places), 2)}
        order = list(made)
        making = Sampler(voice, [states[at] for at in order], config, rng)
        while drawn := making.step():
            for one in drawn:
                if one.token != voice.tokenizer.end:
                    made[order[one.place]].append(one.token)
        for at, tokens in made.items():
            above = "\n".join(post.body for post in answered[at])
            yield MadeText(text_of(voice.tokenizer, drafts[at]), text_of(voice.tokenizer, tokens), bool(half), above)
