"""ROOM 3: the rungs. This table names them, from the cheapest up; each is loaded when it is asked for.

What a rung can do is declared here and nowhere sniffed.

Explained in docs/tour/08-do-i-need-neural-nets.md.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Collection, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from enum import Flag, auto
from typing import Any, cast

from rejoinder.config import nearest as spelt_alike  # `nearest` is a module of this package
from rejoinder.errors import ConfigError, UsageError
from rejoinder.models.interfaces import LanguageModel, Suggester


class Can(Flag):
    """What a rung can do."""

    PREDICT = auto()  # LanguageModel: the next token
    PROPOSE = auto()  # ReplySource: whole replies
    RANK = auto()  # ReplyRanker: order candidates
    COUNT = auto()  # Counting: how well the text so far is known
    RECALL = auto()  # Recalling: what came next when it was in a state like this one
    EMBED = auto()  # Embedding: words as vectors
    TRIGGER = auto()  # Trigger: how far to trust what others propose


NOTHING = Can(0)
PACKAGE = "package/"  # before the name of a rung that came with the package, where one fitted here might be meant
GROUP = "rejoinder.rungs"  # of entry points
_NEEDED = {  # what the class of a rung has
    NOTHING: ("Config", "fit", "save", "load"),
    Can.PREDICT: ("start", "advance", "log_probs"),
    Can.PROPOSE: ("propose",),
    Can.RANK: ("score_replies",),
    Can.COUNT: ("seen",),
    Can.RECALL: ("recall", "score_recall"),
    Can.EMBED: ("words",),
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rung:
    """A line of the ladder."""

    place: str  # module:Class
    can: Can
    what: str  # in half a line
    parts: tuple[str, ...] = ()  # the rungs it is made of, unless its setting `models` names others; they stand before it
    made_of: Can = NOTHING  # instead: all fitted rungs before it with one of these capabilities
    extra: str = ""  # the extra that fitting it needs
    net: bool = False  # a neural net, in its own right
    phrases: bool = False  # whose words it learned from is kept beside it (rejoinder.text.phrases), to see what it copies
    verbatim: bool = False  # it keeps posts as they were written, so it is removed where one of them is forgotten
    asked: bool = False  # others do its work, and it learns nothing here: fitted, used and measured only where it is named
    given: bool = False  # it begins with weights that came with the package, trained elsewhere
    added: bool = False  # others trained it, and it learns nothing here: it is there once `rejoinder model add` has brought it
    aside: Can = NOTHING  # what it can do, but takes too long for: used for that only where it is named

    @property
    def learns(self) -> bool:
        """Whether it knows anything of the archive."""
        return not (self.asked or self.added)

    def load(self) -> type[Suggester]:
        """Import the module of `place`, and give the rung's class."""
        module, _, name = self.place.partition(":")
        return cast(type[Suggester], getattr(importlib.import_module(module), name))

    def check(self) -> None:
        """Look at whether the class has what the line says of it.

        Raises:
            UsageError: it lacks something.
            ImportError, AttributeError: it cannot be loaded.
        """
        made = self.load()
        lacking = [name for can, names in _NEEDED.items() for name in names if can in self.can and not hasattr(made, name)]
        if lacking or (Can.PREDICT in self.can and not issubclass(made, LanguageModel)):
            raise UsageError(
                f"{self.place} lacks {', '.join(lacking) or 'the base class rejoinder.models.interfaces.LanguageModel'}"
            )


OURS: dict[str, Rung] = {
    "canned": Rung(
        "rejoinder.models.canned:Canned", Can.PROPOSE, "short replies the archive uses again and again", verbatim=True
    ),
    "unigram": Rung("rejoinder.models.unigram:Unigram", Can.PREDICT, "how often each token occurs", phrases=True),
    "markov": Rung("rejoinder.models.markov:Markov", Can.PREDICT, "a weighted graph: which token follows which", phrases=True),
    "logistic": Rung(
        "rejoinder.models.logistic:Logistic", Can.PREDICT, "the mean of the last tokens' vectors, and a softmax", phrases=True
    ),
    "kneser_ney": Rung(
        "rejoinder.models.kneser_ney:KneserNey", Can.PREDICT | Can.COUNT, "what followed the last few tokens", phrases=True
    ),
    "lstm": Rung(
        "rejoinder.models.lstm.rung:LSTM",
        Can.PREDICT | Can.RECALL,
        "a memory cell that reads on from token to token",
        extra="train",
        net=True,
        phrases=True,
    ),
    "mixture": Rung(
        "rejoinder.models.mixture:Mixture", Can.PREDICT, "counts and cell together", parts=("kneser_ney", "lstm"), extra="train"
    ),
    "pretrained": Rung(
        "rejoinder.models.pretrained.rung:Pretrained",
        Can.PREDICT | Can.RANK,
        "a small net that others trained on the web",
        extra="pretrained",
        net=True,
        added=True,
        aside=Can.RANK,
    ),
    "word_mixture": Rung(
        "rejoinder.models.pretrained.word_mixture:WordMixture",
        Can.PREDICT,
        "the pretrained net and the archive's counts, mixed as words",
        parts=("kneser_ney", "pretrained"),
        extra="pretrained",
        added=True,
    ),
    "bm25": Rung("rejoinder.models.bm25:BM25", Can.PROPOSE | Can.RANK, "replies that posts like this one got", verbatim=True),
    "pair_encoder": Rung(
        "rejoinder.models.pair_encoder.rung:PairRanker",
        Can.PROPOSE | Can.RANK,
        "what answers what, by word vectors of the package",
        net=True,
        given=True,
        verbatim=True,
    ),
    "pmi_svd": Rung(
        "rejoinder.models.pmi_svd:PMISVD",
        Can.PROPOSE | Can.RANK | Can.EMBED,
        "the same by word vectors, from counts",
        extra="train",
        verbatim=True,
    ),
    "word2vec": Rung(
        "rejoinder.models.word2vec:Word2Vec",
        Can.PROPOSE | Can.RANK | Can.EMBED,
        "the same by word vectors, learned",
        extra="train",
        verbatim=True,
    ),
    "sentence_encoder": Rung(
        "rejoinder.models.sentence.encoder:SentenceEncoder",
        NOTHING,
        "an encoder of sentences that others trained",
        extra="pretrained",
        net=True,
        added=True,
    ),
    "sentence": Rung(
        "rejoinder.models.sentence.rung:Sentence",
        Can.PROPOSE | Can.RANK,
        "the same by that encoder's vectors of whole posts",
        parts=("sentence_encoder",),
        extra="pretrained",
        net=True,
        verbatim=True,
    ),
    "dual_encoder": Rung(
        "rejoinder.models.dual_encoder.rung:DualEncoder",
        Can.PROPOSE | Can.RANK,
        "posts and replies encoded so that answers lie near",
        net=True,
        parts=("pmi_svd",),
        extra="train",
        verbatim=True,
    ),
    "fusion": Rung(
        "rejoinder.models.fusion:Fusion", Can.RANK, "all rankers together, with what texts have in common", made_of=Can.RANK
    ),
    "trigger": Rung(
        "rejoinder.models.trigger:Trigger",
        Can.TRIGGER,
        "how sure a proposed reply is, and when to stay silent",
        made_of=Can.PROPOSE | Can.RANK,
    ),
    "llm": Rung(
        "rejoinder.models.llm.rung:LLM",
        Can.PROPOSE | Can.RANK,
        "a language model behind a server that you run",
        net=True,
        asked=True,
    ),
}


class Ladder(MutableMapping[str, Rung]):
    """The lines of the ladder by name, those of installed plugins among them, which are looked up at the first question.

    A plugin's rung stands below ours, so that ours may be made of it; one that is made of others stands above them.
    """

    def __init__(self, ours: dict[str, Rung]) -> None:
        """`ours`: the rungs of this package."""
        self.ours = ours
        self._found: dict[str, Rung] | None = None

    @property
    def _lines(self) -> dict[str, Rung]:
        if self._found is None:
            self._found = dict(self.ours)  # a plugin that asks for the ladder while it is looked up gets ours
            found = dict(plugin_rungs(self.ours))
            below = {name: line for name, line in found.items() if not line.parts and not line.made_of}
            self._found = {**below, **self._found, **found}
        return self._found

    def __getitem__(self, name: str) -> Rung:
        """The line of that name."""
        return self._lines[name]

    def __setitem__(self, name: str, line: Rung) -> None:
        """Put a line there, or in the place of another."""
        self._lines[name] = line

    def __delitem__(self, name: str) -> None:
        """Take a line away."""
        del self._lines[name]

    def __iter__(self) -> Iterator[str]:
        """The names, from the cheapest up."""
        return iter(self._lines)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._lines)


def plugin_rungs(taken: Collection[str]) -> Iterator[tuple[str, Rung]]:
    """The rungs that installed packages offer as entry points of the group `rejoinder.rungs`, each a `Rung` by its name.

    One that cannot be used is left out, and the log says so in a line.
    """
    from importlib.metadata import entry_points

    seen = {*taken}
    for found in sorted(entry_points(group=GROUP), key=lambda found: found.name):
        try:
            if found.name in seen:
                raise UsageError("there is a rung of that name already")
            line = found.load()
            if not isinstance(line, Rung):
                raise UsageError(f"`{found.value}` is no rejoinder.models.Rung")
            line.check()
        except Exception as error:  # whatever a stranger's package raises costs that package
            whose = f" of {found.dist.name}" if found.dist else ""
            told = " ".join(str(error).split())[:200] or type(error).__name__
            _log.warning("the plugin rung `%s`%s is left out: %s", found.name, whose, told)
            continue
        seen.add(found.name)
        yield found.name, line


LADDER: MutableMapping[str, Rung] = Ladder(OURS)


def rung(name: str) -> Rung:
    """The rung of that name, here or in the package.

    Raises:
        UsageError: there is none.
    """
    name = name.removeprefix(PACKAGE)
    if name not in LADDER:
        raise UsageError(f"no rung `{name}`{spelt_alike(name, LADDER)}; rungs: {', '.join(LADDER)}")
    return LADDER[name]


def is_net(name: str, parts: Iterable[str]) -> bool:
    """Whether a rung is a neural net, or is made of one."""
    return LADDER[name].net or any(rung(part).net for part in parts)


def is_slow(name: str) -> bool:
    """Whether a rung takes too long for a long text to be read at a keystroke."""
    line = LADDER.get(name.removeprefix(PACKAGE))
    return line is not None and line.added


def those_that(can: Can, *, asked: bool = False) -> list[str]:
    """The names of the rungs with that capability, from the cheapest up; with `asked`, those too that must be named for it."""
    return [name for name, line in LADDER.items() if can in line.can and (asked or not (line.asked or can & line.aside))]


def parts_of(name: str, config: Any, fitted: Collection[str] = ()) -> tuple[str, ...]:
    """The names of the rungs that this one, with these settings, is made of, where those in `fitted` are.

    Raises:
        ConfigError: one of them does not stand before it.
    """
    line = LADDER[name]
    if not line.parts and not line.made_of:
        return ()
    before = list(LADDER)[: list(LADDER).index(name)]
    for part in config.models:
        if part.removeprefix(PACKAGE) not in before:
            raise ConfigError(f"`{name}.models` must be rungs before it: {', '.join(before)}; got `{part}`")
    if line.made_of and not config.models:
        return tuple(part for part in before if part in fitted and LADDER[part].can & ~LADDER[part].aside & line.made_of)
    return tuple(sorted(config.models, key=before.index)) if line.made_of else config.models


def unasked() -> list[str]:
    """The names of the rungs that there are without asking or adding anything, from the cheapest up."""
    return [name for name, line in LADDER.items() if line.learns and not any(LADDER[part].added for part in line.parts)]


def without_extras() -> list[str]:
    """The names of the rungs that the base install can fit, and so all they are made of, but for those that must be named."""
    return [name for name, line in LADDER.items() if line.learns and not any(LADDER[n].extra for n in (name, *line.parts))]
