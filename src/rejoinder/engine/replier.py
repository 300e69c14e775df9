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
from typing import Annotated, NamedTuple, Self

from rejoinder.config import At, Checked, PositiveInt, Share
from rejoinder.engine.diversity import apart, diverse
from rejoinder.engine.filters import Repetition, same_thread, unfit
from rejoinder.engine.generation import ReplyGenerator, cases_in
from rejoinder.errors import UsageError
from rejoinder.models.canned import Canned, courtesy
from rejoinder.models.interfaces import Cases, ReplyRanker, ReplySource
from rejoinder.models.trigger import Trigger
from rejoinder.post import Origin, Post, Suggestion

_AT_RANDOM = log(1 / 99)  # a ranker's log odds (nats) of a reply that is no better than 99 drawn at random
_LOOKED_AT = 10  # candidates that are looked at for each reply wanted
_SPARE = 2  # found for each reply wanted, as nobody has two in a row


@dataclass(frozen=True)
class ReplyConfig(Checked):
    """How many replies, from how many candidates."""

    k: PositiveInt = 5
    candidates: int = 25  # asked of each source
    longest: int | None = 200  # words of a reply worth suggesting; None for any length
    trade: Share = 0.8  # how much being good counts against being new, in [0, 1]
    threshold: Annotated[float | None, At(least=0, most=1)] = None  # p below which nothing is shown; None: the trigger's own


class Attributed(NamedTuple):
    """A suggestion, and who wrote it."""

    suggestion: Suggestion
    author: bytes | None


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
        None repeats the context or another, holds an e-mail address or only a link, or comes from the same thread; nobody
        has two in a row. Thanks and greetings are answered by a `canned` rung, or by nothing.

        Raises:
            UsageError: the last post has no words.
        """
        check_words(context)
        wanted = self.config.k if k is None else k
        if kind := courtesy(context[-1].own_text):
            canned = self._sources.get("canned")
            return [canned.to_courtesy(kind)] if isinstance(canned, Canned) else []
        repetition = Repetition(context)
        if self._trigger is not None:
            shown = self._trusted(self._trigger, context, repetition, wanted)
        else:
            ordered = self._ordered(context)
            shown = []
            for made in (False, True):
                found = self._filtered([s for s in ordered if s.generated == made], context, repetition, _SPARE * wanted)
                shown += _of_people(found)[:wanted]
        if self._generated is not None:
            made_here = self._filtered(self._made(self._generated, context, cases_in(shown)), context, repetition, wanted)
            shown += [one.suggestion for one in made_here]
        return shown

    def _trusted(self, trigger: Trigger, context: Sequence[Post], repetition: Repetition, wanted: int) -> list[Suggestion]:
        """Those of all candidates that are likely to be on topic, and differ; of equally good ones the newer first."""
        likely = [s for s in trigger.propose(context, self.config.candidates) if s.score >= self.threshold]
        best = likely[: _LOOKED_AT * wanted]
        order = diverse([s.text for s in best], [trigger.worth(s) for s in best], len(best), self.config.trade)
        found = self._filtered([best[place] for place in order], context, repetition, _SPARE * wanted)
        found.sort(key=lambda one: (-round(trigger.worth(one.suggestion), 2), -(one.suggestion.time or 0)))
        marked = [one._replace(suggestion=_marked(one.suggestion, trigger.marks(one.suggestion).said)) for one in found]
        return _of_people(marked)[:wanted]

    def _made(self, generated: ReplyGenerator, context: Sequence[Post], cases: Cases) -> list[Suggestion]:
        """What a model makes, in the order of the ranker, without what a reply drawn at random would beat."""
        made = generated.propose(context, self.config.candidates, cases)
        if self._trigger is None or not made:
            return made
        scores = self._trigger.ranker.score_replies(context, [suggestion.text for suggestion in made])
        kept = [(float(score), s) for score, s in zip(scores, made, strict=True) if score > _AT_RANDOM]
        return [replace(s, score=score) for score, s in sorted(kept, key=lambda pair: -pair[0])]

    def _filtered(
        self, candidates: Sequence[Suggestion], context: Sequence[Post], repetition: Repetition, wanted: int
    ) -> list[Attributed]:
        """The first so many that may be shown, with where they come from."""
        shown: list[Attributed] = []
        for candidate in candidates:
            if len(shown) >= wanted:
                break
            reason = unfit(candidate.text, self.config.longest) or same_thread(candidate, context) or repetition(candidate.text)
            if reason is None:
                found = self._origin(candidate.post) if candidate.post is not None else None
                if found is not None:
                    candidate = replace(candidate, url=found.url, source=found.source, time=found.time, case=found.case)
                shown.append(Attributed(candidate, found.author if found else None))
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


def check_words(context: Sequence[Post]) -> None:
    """See that there is something to reply to.

    Raises:
        UsageError: the last post has no words.
    """
    if not context or not context[-1].body.strip():
        raise UsageError("nothing to reply to: the post has no words")


def _marked(suggestion: Suggestion, said: tuple[str, ...]) -> Suggestion:
    """The suggestion with what is known of how it did."""
    return replace(suggestion, case=replace(suggestion.case, solved=said)) if suggestion.case and said else suggestion


def _of_people(shown: Sequence[Attributed]) -> list[Suggestion]:
    """In their order, but so that nobody has two in a row; later ones of the same person say so."""
    kept = [shown[place] for place in apart([one.author for one in shown])]
    first: dict[bytes, int] = {}
    found = []
    for place, (suggestion, author) in enumerate(kept, start=1):
        before = first.setdefault(author, place) if author is not None else place
        if suggestion.case is not None and before < place:
            suggestion = replace(suggestion, case=replace(suggestion.case, same_person_as=before))
        found.append(suggestion)
    return found
