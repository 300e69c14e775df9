"""Replies that nobody wrote: sampled from a language model, scored, and mostly turned away.

    score(r | c) = (log p(r | c) - w log p(r)) / n         n tokens, w the weight of being on topic

Without the second term the best reply is the one that fits everything; subtracting how probable it is whatever was said leaves
what fits *this* context (pointwise mutual information, Li et al. 2016). What is cut off is trimmed to whole sentences. Nothing
is shown that holds a link or an e-mail address, announces a reply ("Here is one:"), leaves a quotation open, goes round in
circles, says the context again for a quarter of its length, or another reply for half of it, or copies from one author
(`rejoinder.text.phrases`). What counts or a cell make is shown above a bar only, from which on half of it was worth reading: of
the best replies to 40 dev posts four are above it, two of them worth it. A net taught to answer has no such bar.

Explained in docs/tour/07-the-replier.md.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rejoinder.config import Checked, PositiveInt, Share
from rejoinder.engine.filters import Repetition, unfit
from rejoinder.engine.sampling import NO_REPEAT, SampleConfig, SampledText, sample, text_of
from rejoinder.errors import ConfigError
from rejoinder.models.interfaces import Cases, LanguageModel
from rejoinder.post import Post, Suggestion
from rejoinder.text.phrases import Phrases
from rejoinder.text.sentences import finished
from rejoinder.text.tokenizer import AnyTokenizer
from rejoinder.text.words import ADDRESS, shingles, words

MARK = "generated"
_RUN = 3  # words of a run that may not come again and again
_CASES = 2
_ANNOUNCES = re.compile(r'\A\s*["“]|:[ \t]*$', re.MULTILINE)  # it begins as a quotation, or a line of it ends in a colon
_NOTHING = (Post(0),)  # a context without words


@dataclass(frozen=True)
class GenerateConfig(Checked):
    """How many replies to sample, how, and what is turned away."""

    samples: PositiveInt = 16
    sampling: SampleConfig = field(
        default_factory=lambda: SampleConfig(temperature=0.7, nucleus=0.9, longest=48, no_repeat=NO_REPEAT)
    )
    on_topic: Share = 0.5  # w
    shortest: PositiveInt = 4  # words
    longest: PositiveInt = 120  # words
    bar: float = -0.15  # least score, nats a token, of what a model makes that was not taught to answer
    again: Share = 0.25  # share of its runs of four words that may stand in what it answers, since saying that again scores well
    repeated: Share = 0.2  # share of a reply's runs of three words that may have come before in it

    def __post_init__(self) -> None:
        """Check ranges, and that some length is allowed."""
        super().__post_init__()
        if self.shortest > self.longest:
            raise ConfigError(f"`shortest` must lie in [1, longest={self.longest}]; got {self.shortest}")


class ReplyGenerator:
    """A source of replies beside those that retrieve them. Deterministic: one context and seed give one list."""

    def __init__(
        self, name: str, model: LanguageModel, phrases: Phrases, config: GenerateConfig | None = None, *, seed: int | None = 0
    ) -> None:
        """`name` is the rung's; `phrases` are those of the posts that `model` was fitted on; no `seed`: each list differs."""
        self.name = f"{name} ({MARK})"
        self.config = config or GenerateConfig()
        self._model = model
        self._phrases = phrases
        self._seed = seed

    def propose(self, context: Sequence[Post], k: int, cases: Cases = ()) -> list[Suggestion]:
        """At most `k` replies to the last post of `context`, best first, with the score above (nats a token).

        `cases`: what was answered to the like, for a model that reads it. What copies that is turned away.
        """
        if k < 1:
            return []
        cases = cases if self._model.reads_cases else ()
        rng, phrases = np.random.default_rng(self._seed), guarded(self._phrases, cases)
        made = sample(self._model, self._model.start_reply(context, cases), self.config.samples, self.config.sampling, rng)
        drafts = {finished(text_of(self._model.tokenizer, one.tokens), whole=one.ended): one for one in made}
        drafts = {text: one for text, one in drafts.items() if self.fault(text, phrases) is None}
        read = (self._model.told, *(text for case in cases for text in case))
        repetition = Repetition([*context, *(Post(0, text=text) for text in read)], self.config.again)
        found: list[Suggestion] = []
        bar = -np.inf if self._model.reads_cases else self.config.bar
        for value, text in sorted(zip(self._scores(drafts), drafts, strict=True), reverse=True):
            if len(found) < k and value >= bar and repetition(text) is None:
                found.append(Suggestion(text, value, self.name, generated=True))
        return found

    def fault(self, text: str, phrases: Phrases | None = None) -> str | None:
        """Why a made text should not be shown, or None; `phrases`: whose words were read, else those the model was fitted on."""
        found = words(text)
        if ADDRESS.search(text):
            return "a link"
        if len(found) < self.config.shortest:
            return "too short, or nothing finished"
        if _ANNOUNCES.search(text):
            return "announces a reply instead of giving one"
        if text.count('"') % 2 or text.count("“") != text.count("”"):
            return "a quotation that nobody ends"
        if goes_round(found, self.config.repeated):
            return "goes round in circles"
        if (phrases or self._phrases).copied(text):
            return "copied from one author"
        return unfit(text, self.config.longest)

    def _scores(self, drafts: Mapping[str, SampledText]) -> list[float]:
        """The score above of each text, as far as it is finished."""
        sizes = [_reach(self._model.tokenizer, one.tokens, len(text)) for text, one in drafts.items()]
        whole = list(zip(drafts.values(), sizes, strict=True))
        found = np.array([sum(one.each[:size]) for one, size in whole])
        if self.config.on_topic:
            start = self._model.start_reply(_NOTHING)
            anywhere = [self._model.score_tokens(start, one.tokens[:size]).sum(dtype=np.float64) for one, size in whole]
            found = found - self.config.on_topic * np.array(anywhere)
        return [float(value) / max(size, 1) for value, size in zip(found, sizes, strict=True)]


def cases_in(shown: Sequence[Suggestion]) -> list[tuple[str, str]]:
    """What was asked and answered where the first replies come from that people wrote: a few, for a model that reads cases."""
    return [(one.case.asked, one.text) for one in shown if one.case is not None and not one.generated][:_CASES]


def guarded(phrases: Phrases, cases: Cases) -> Phrases:
    """`phrases`, and beside them those of the answers of `cases`: what a model has just read it may say again."""
    said = [Post(-1 - place, text=answered) for place, (_, answered) in enumerate(cases)]
    return replace(Phrases.build(said), beside=phrases) if said else phrases


def _reach(tokenizer: AnyTokenizer, tokens: Sequence[int], characters: int) -> int:
    """How many of `tokens` it takes to say so many characters, white space before them left out."""
    return bisect_left(range(len(tokens)), characters, key=lambda size: len(text_of(tokenizer, tokens[:size]).lstrip()))


def goes_round(found: list[str], share: float) -> bool:
    """Whether a word comes three times in a row, or more than a share of all runs of three words came before."""
    if any(a == b == c for a, b, c in zip(found, found[1:], found[2:], strict=False)):
        return True
    runs = list(shingles(found, _RUN))
    return len(runs) - len(set(runs)) > share * len(runs)
