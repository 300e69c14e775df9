"""The typing engine: at each keystroke, ghost text for a draft and the three best next words.

An engine holds the models of a home and what goes with them, and never changes; a session holds one draft's states, so that a
keystroke costs only what it adds. Which model speaks is for `VoiceScheduler` to say. What is late is not said.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import TIMEOUT_MAX, Lock
from time import perf_counter
from typing import Annotated

from rejoinder.config import At, Checked, NonNegativeFloat, PositiveInt
from rejoinder.engine.best_first import Caret, SearchConfig, SearchResult, Word, search
from rejoinder.engine.gate import SPACE, Calibration, CaretAt, Gate, GhostText, Rated, case_of, choose
from rejoinder.engine.ghost import DisplayFilter, Extension
from rejoinder.engine.manners import LanguageCheck, at_line_end, is_prose
from rejoinder.engine.prefix_cache import Deadline, DeadlinePassed, LatencyEstimate, PrefixCache, never
from rejoinder.engine.said_words import SaidWords
from rejoinder.engine.token_healing import HealedDraft, TokenTable
from rejoinder.engine.voice_scheduler import TypedLately, Voice, VoiceScheduler
from rejoinder.engine.word_rules import CaretRules, WordRules
from rejoinder.errors import ConfigError
from rejoinder.models import is_slow
from rejoinder.models.interfaces import LanguageModel, Personal
from rejoinder.models.mixture import with_own_counts
from rejoinder.post import Post
from rejoinder.text.phrases import Phrases

__all__ = ["Engine", "Gate", "NextWord", "Typed", "TypingConfig", "TypingSession"]

_UNLIKELY = 0.05  # to a model: no gate would let it pass
_SECOND = 0.2  # to a model, of a word that is not the best: gone on with where there is no gate


@dataclass(frozen=True, slots=True)
class NextWord:
    """One of the words that may come next."""

    text: str  # to be put at the caret
    probability: float  # calibrated


@dataclass(frozen=True, slots=True)
class Typed:
    """The answer to one keystroke."""

    ghost: str  # what follows the caret exactly; "" is silence
    probability: float  # calibrated: that the best next word is right, shown or not
    words: tuple[NextWord, ...]  # at most three, best first
    rung: str  # who spoke
    cut: bool  # the deadline ended the search early
    space: bool = False  # a space follows the ghost text: who takes all of it may have it put in too
    silent: bool = False  # no ghost text belongs here, whoever offers it: see `rejoinder.engine.manners`


@dataclass(frozen=True)
class TypingConfig(Checked, of="typing"):
    """How typing is helped."""

    deadline: float = 0.05  # seconds for an answer, where a request names no time
    reserve: NonNegativeFloat = 0.002  # of them, kept for a cheaper voice
    calm: float = 5.0  # keystrokes of a voice, as they were lately, that the time left must hold for it to be begun
    longest: PositiveInt = 8  # words of a ghost text
    words: PositiveInt = 3  # offered beside it
    least: Annotated[float, At(least=0, below=1)] = 0.02  # by the model; a less probable word is not offered
    steps: PositiveInt = 16  # places a search looks at
    kept: PositiveInt = 16  # places whose states a session keeps
    said: bool = True  # whether words of the draft, and of what it answers, are brought in (`rejoinder.engine.said_words`)
    drafts: PositiveInt = 4  # typed last, of which a slow voice such as a pretrained net keeps what it has read: some 20 MB each

    def __post_init__(self) -> None:
        """Check ranges, and that the reserve leaves some of the deadline."""
        super().__post_init__()
        if not self.reserve < self.deadline:
            raise ConfigError(f"`typing.reserve` must lie in [0, `typing.deadline`); got {self.reserve} and {self.deadline}")


class Engine:
    """The models, from the best to the cheapest, and how far to trust each. One serves all sessions and threads."""

    def __init__(
        self,
        voices: Mapping[str, LanguageModel],
        gates: Mapping[str, Calibration],
        phrases: Phrases | None = None,
        config: TypingConfig | None = None,
    ) -> None:
        """Use these models.

        Args:
            voices: by the name of their rung, the best first.
            gates: their calibrations; one without believes its model.
            phrases: whose words they have read, so that these are not passed off as new.
            config: how to help.

        Raises:
            ConfigError: there is no voice.
        """
        if not voices:
            raise ConfigError("a typing engine needs at least one rung that predicts text; run `rejoinder fit`")
        self.config = config or TypingConfig()
        self.phrases = phrases
        self.voices = dict(voices)
        self.gates = {name: gates.get(name, Calibration()) for name in voices}
        self._latencies = {name: LatencyEstimate() for name in voices}
        tables = {tokenizer: TokenTable(tokenizer) for tokenizer in {model.tokenizer for model in voices.values()}}
        self._reader = ThreadPoolExecutor(1, "reading")  # starts no thread before one is needed
        self._lately = TypedLately(self.config.drafts)
        self._tables = {name: tables[model.tokenizer] for name, model in voices.items()}

    def open(
        self,
        context: Sequence[Post] = (),
        *,
        blocked: Collection[str] = (),
        own: Collection[Personal] = (),
        own_words: Collection[str] = (),
    ) -> TypingSession:
        """A session for one draft that answers `context`.

        Args:
            context: the posts answered, from the root on.
            blocked: words, or runs of them, never shown.
            own: counts of what this person wrote, to be heard too, one for each tokenizer of the voices.
            own_words: its words, which may be offered even where nobody else wrote them.
        """
        voices = []
        for name, model in self.voices.items():
            cache = PrefixCache(with_own_counts(name, model, own), context, self.config.kept, self._latencies[name])
            voices.append(Voice(name, self._tables[name], self.gates[name], cache, is_slow(name)))
        rules = WordRules(context, self.phrases, own_words, blocked)
        shown = DisplayFilter(context, rules, self.phrases)
        return TypingSession(
            VoiceScheduler(voices, self.config.reserve, self.config.calm, self._reader, self._lately),
            rules,
            SaidWords(context, rules),
            shown,
            self.phrases,
            self.config,
        )


def _likely(probability: float, words: int) -> bool:
    """Whether it is worth looking for."""
    return probability >= _UNLIKELY


class TypingSession:
    """One draft, from keystroke to keystroke."""

    def __init__(
        self,
        scheduler: VoiceScheduler,
        rules: WordRules,
        said: SaidWords,
        shown: DisplayFilter,
        phrases: Phrases | None,
        config: TypingConfig,
    ) -> None:
        """Use `Engine.open`."""
        self._scheduler = scheduler
        self._rules = rules
        self._said = said
        self._is_foreign = LanguageCheck(phrases)
        self._shown = shown
        self._config = config
        self._search = SearchConfig(config.words, config.steps, config.least)
        self._lock = Lock()  # a keystroke waits for the one before it to be cancelled

    def rest(self) -> None:
        """Let slow voices let go of what they have read, unless somebody types right now."""
        if self._lock.acquire(blocking=False):
            try:
                self._scheduler.rest()
            finally:
                self._lock.release()

    def suggest(
        self,
        draft: str,
        after: str = "",
        *,
        gate: Gate = Gate.NORMAL,
        deadline: float | None = None,
        cancelled: Callable[[], bool] = never,
    ) -> Typed:
        """What to show at the end of `draft`: nothing where no help belongs (see `rejoinder.engine.manners`).

        Args:
            draft: all that is written up to the caret.
            after: what stands after it, up to the end of the line at least.
            gate: how sure ghost text must be.
            deadline: when the answer is due, by time.perf_counter(), seconds; none: the config's time from now on.
            cancelled: asked before each step; once it says so, the answer is what was found till then.
        """
        due = Deadline(perf_counter() + self._config.deadline if deadline is None else deadline, cancelled)
        if not self._lock.acquire(timeout=min(max(due.left, 0.0), TIMEOUT_MAX)):
            return Typed("", 0.0, (), self._scheduler.voices[0].name, True)
        try:
            self._scheduler.lately.use(self)
            if not at_line_end(after) or self._is_foreign(draft):
                return Typed("", 0.0, (), self._scheduler.voices[0].name, False, silent=True)
            typed = self._suggest(draft, gate, due)
            return replace(typed, space=False) if after[:1].strip("\r\n") else typed  # what closes the line follows, or a blank
        finally:
            self._lock.release()

    def _suggest(self, draft: str, gate: Gate, deadline: Deadline) -> Typed:
        healed, rules = HealedDraft.of(draft), self._rules.at(draft)

        def look(voice: Voice, due: Deadline) -> SearchResult:
            return search(voice.at(healed, rules, due), self._search)

        spoken = self._scheduler.ask(healed.head, look, deadline)
        voice, found = spoken.voice, self._mixed(draft, spoken.result.words, rules)
        if not found:
            return Typed("", 0.0, (), voice.name, spoken.cut)
        words = tuple(NextWord(word.text, voice.calibration(word.probability, case_of(healed, word.text))) for word in found)
        if gate is not Gate.EAGER and not is_prose(draft):
            return Typed("", words[0].probability, words, voice.name, spoken.cut, silent=True)
        ghost, whole = self._ghost(voice, voice.at(healed, rules, deadline), draft, found, gate)
        space = ghost is not None and ghost.space >= SPACE
        return Typed(ghost.text if ghost else "", words[0].probability, words, voice.name, spoken.cut or not whole, space)

    def _mixed(self, draft: str, found: list[Word], rules: CaretRules) -> list[Word]:
        """What was found, and what was said before."""
        return self._said.mixed(draft, found, rules, self._config.words) if self._config.said else found

    def _ghost(self, voice: Voice, caret: Caret, draft: str, found: Sequence[Word], gate: Gate) -> tuple[GhostText | None, bool]:
        """What may be shown and is expected to save most; and whether there was time to look at all of it."""
        sure, floors = voice.calibration, voice.calibration.floors[gate][CaretAt.of(draft)]
        lines: list[list[Rated]] = []
        whole = True
        try:
            for word in found:
                case = case_of(caret.draft, word.text)
                if sure(word.probability, case) < floors.first:
                    continue

                def worth(probability: float, words: int, case: int = case) -> bool:
                    return sure(probability, case, words) >= floors.whole

                texts = self._shown.pass_on(draft, Extension(caret).texts(word, self._config.longest, worth))
                lines.append([])
                lines[-1].extend(sure.savings(case, texts, gate))
        except DeadlinePassed:
            whole = False
        best = choose(lines, floors)
        return best[1] if best else None, whole

    def without_gate(self, draft: str, longest: int) -> list[tuple[int, list[GhostText]]]:
        """The best voice's ghost texts of one to `longest` words, whatever they are worth, with the case of the caret.

        A line for each of the next words; each text of a line goes on with the one before it.
        """
        healed = HealedDraft.of(draft)
        rules = self._rules.at(draft)
        caret = self._scheduler.voices[0].at(healed, rules, Deadline())
        lines = []
        for number, word in enumerate(self._mixed(draft, search(caret, self._search).words, rules)):
            longer = longest if number == 0 or word.probability >= _SECOND else 1
            texts = self._shown.pass_on(draft, Extension(caret).texts(word, longer, _likely))
            if found := list(texts):
                lines.append((case_of(healed, word.text), found))
        return lines
