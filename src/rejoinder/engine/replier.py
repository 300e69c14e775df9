"""A thread in, ranked and filtered replies with their provenance out.

    sources propose  ->  a ranker orders  ->  filters turn away  ->  the trigger holds back  ->  k that differ
    (a model makes   ->                       filters turn away  ->  the first k, behind the others)

Nothing here posts; a suggestion is something to read. An empty list is a legal answer.

Explained in docs/tour/07-the-replier.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from math import log
from typing import Annotated, Self

from rejoinder.config import At, Checked, PositiveInt, Share
from rejoinder.engine.diversity import diverse
from rejoinder.engine.filters import Repetition, same_thread, unfit
from rejoinder.engine.generation import ReplyGenerator
from rejoinder.errors import UsageError
from rejoinder.models.interfaces import ReplyRanker, ReplySource
from rejoinder.models.trigger import Trigger
from rejoinder.post import Origin, Post, Suggestion

_AT_RANDOM = log(1 / 99)  # a ranker's log odds (nats) of a reply that is no better than 99 drawn at random
_LOOKED_AT = 10  # candidates that are looked at for each reply wanted


@dataclass(frozen=True)
class ReplyConfig(Checked):
    """How many replies, from how many candidates."""

    k: PositiveInt = 5
    candidates: int = 25  # asked of each source
    longest: int | None = 200  # words of a reply worth suggesting; None for any length
    trade: Share = 0.8  # how much being good counts against being new, in [0, 1]
    threshold: Annotated[float | None, At(least=0, most=1)] = None  # p below which nothing is shown; None: the trigger's own


class Replier:
    """Sources and a ranker, put together once, asked many times. Holds no state between questions."""

    def __init__(
        self,
        sources: Mapping[str, ReplySource],
        ranker: ReplyRanker | None,
        origin: Callable[[int], Origin | None] = lambda _: None,
        config: ReplyConfig | None = None,
        generated: ReplyGenerator | None = None,
    ) -> None:
        """`origin` says where a post comes from; without a `ranker` the sources' own order stands, one source after the other."""
        if not sources and generated is None:
            raise UsageError("no rung that proposes replies is fitted; run `rejoinder fit`")
        self.config = config or ReplyConfig()
        self._sources = sources
        self._ranker = ranker
        self._origin = origin
        self._generated = generated
        self._trigger: Trigger | None = None

    @classmethod
    def trusting(
        cls,
        trigger: Trigger,
        origin: Callable[[int], Origin | None] = lambda _: None,
        config: ReplyConfig | None = None,
        generated: ReplyGenerator | None = None,
    ) -> Self:
        """With the sources and the ranker of a trigger that has learned something; nothing is shown that it does not trust."""
        found = cls(trigger.sources, trigger.ranker, origin, config, generated)
        found._trigger = trigger
        return found

    def asked(self, config: ReplyConfig, generated: ReplyGenerator | None = None) -> Self:
        """The same sources and ranker, asked in another way."""
        found = copy(self)
        found.config, found._generated = config, generated
        return found

    @property
    def trusts(self) -> bool:
        """Whether the scores of what was retrieved are probabilities."""
        return self._trigger is not None

    @property
    def threshold(self) -> float:
        """p(on topic) below which nothing is shown; 0 where nobody can tell."""
        if self._trigger is None:
            return 0.0
        return self._trigger.threshold if self.config.threshold is None else self.config.threshold

    def reply(self, context: Sequence[Post], k: int | None = None) -> list[Suggestion]:
        """At most `k` replies to the last post of `context` (root first), best first; then at most `k` that a model made.

        The two are counted apart: their scores cannot be compared, and what people wrote is not pushed out by what nobody did.
        None repeats the context or another, holds an e-mail address or only a link, or comes from the same thread.

        Raises:
            UsageError: the last post has no words.
        """
        if not context or not context[-1].body.strip():
            raise UsageError("nothing to reply to: the post has no words")
        wanted = self.config.k if k is None else k
        repetition = Repetition(context)
        if self._trigger is not None:
            shown = self._trusted(self._trigger, context, repetition, wanted)
        else:
            ordered = self._ordered(context)
            shown = []
            for made in (False, True):
                shown += self._filtered([s for s in ordered if s.generated == made], context, repetition, wanted)
        if self._generated is not None:
            shown += self._filtered(self._made(self._generated, context), context, repetition, wanted)
        return shown

    def _trusted(self, trigger: Trigger, context: Sequence[Post], repetition: Repetition, wanted: int) -> list[Suggestion]:
        """Those of all candidates that are likely to be on topic, and differ; the score is that probability."""
        likely = [s for s in trigger.propose(context, self.config.candidates) if s.score >= self.threshold]
        best = likely[: _LOOKED_AT * wanted]
        order = diverse([s.text for s in best], [s.score for s in best], len(best), self.config.trade)
        shown = self._filtered([best[place] for place in order], context, repetition, wanted)
        return sorted(shown, key=lambda s: -s.score)

    def _made(self, generated: ReplyGenerator, context: Sequence[Post]) -> list[Suggestion]:
        """What a model makes, in the order of the ranker, without what a reply drawn at random would beat."""
        made = generated.propose(context, self.config.candidates)
        if self._trigger is None or not made:
            return made
        scores = self._trigger.ranker.score_replies(context, [suggestion.text for suggestion in made])
        kept = [(float(score), s) for score, s in zip(scores, made, strict=True) if score > _AT_RANDOM]
        return [replace(s, score=score) for score, s in sorted(kept, key=lambda pair: -pair[0])]

    def _filtered(
        self, candidates: Sequence[Suggestion], context: Sequence[Post], repetition: Repetition, wanted: int
    ) -> list[Suggestion]:
        """The first so many that may be shown."""
        shown: list[Suggestion] = []
        for candidate in candidates:
            if len(shown) >= wanted:
                break
            reason = unfit(candidate.text, self.config.longest) or same_thread(candidate, context) or repetition(candidate.text)
            if reason is None:
                found = self._origin(candidate.post) if candidate.post is not None else None
                if found is not None:
                    candidate = replace(candidate, url=found.url, source=found.source, time=found.time)
                shown.append(candidate)
        return shown

    def _ordered(self, context: Sequence[Post]) -> list[Suggestion]:
        """All candidates, best first; what was retrieved stands before what is said to anything.

        A retrieved reply counts for itself (the ranker) and, where the ranker found them all, for how near the post it answered
        is: the two are then of one scale, and add. What several sources found is ordered by the ranker alone. What a source made
        keeps its order.
        """
        by_source: list[tuple[object, list[Suggestion]]] = [
            (source, source.propose(context, self.config.candidates)) for source in self._sources.values()
        ]
        made = [suggestion for _, some in by_source for suggestion in some if suggestion.generated]
        proposed = [suggestion for _, some in by_source for suggestion in some if not suggestion.generated]
        if self._ranker is None or not proposed:
            return proposed + made
        alone = all(source is self._ranker or s.post is None for source, some in by_source for s in some)
        scores = self._ranker.score_replies(context, [suggestion.text for suggestion in proposed])
        scored = [
            replace(s, score=float(score) + (s.score if alone and s.post is not None else 0.0))
            for s, score in zip(proposed, scores, strict=True)
        ]
        return sorted(scored, key=lambda s: (s.post is None, -s.score)) + made
