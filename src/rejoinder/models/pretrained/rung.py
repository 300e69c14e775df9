"""The pretrained rung: a net of the Llama family that others trained on text of the web, out of a GGUF file, run in this process.

It reads what is answered, newest last, as plain text with blank lines between posts, and goes on from there. Its pieces of text
are our tokens (see `rejoinder.models.pretrained.pieces`); its marks together, and a share of the line breaks, are END:

    p(END)  = sum over marks p(m) + e sum over tokens that begin with a line break p(t)         each of these keeps 1 - e
    score(r | c) = log p(r | c) - log p(r)      nats, over the tokens of a reply r to posts c, as the rung `llm` ranks

since a post that ends and a paragraph that ends look the same until something follows. It learns nothing here: fitting it is
reading the file. What it was trained on is the affair of whoever trained it; it may have read the posts it is measured on.

Explained in docs/ladder/pretrained.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rejoinder.config import Checked, PositiveInt, Share
from rejoinder.corpus import Corpus
from rejoinder.errors import ConfigError, DamagedModel, SourceError
from rejoinder.files import write_atomically, write_json
from rejoinder.models.directory import load_config, load_json, save_config
from rejoinder.models.interfaces import Cases, Job, LanguageModel, LogProbs, ReplyRanker, Scores, Suggester
from rejoinder.models.pretrained.chat import CLOSES, OPENS, TASK, is_chat, turns
from rejoinder.models.pretrained.gguf_file import NetShape, read_gguf
from rejoinder.models.pretrained.graph import NET, OUTPUT, build_graphs
from rejoinder.models.pretrained.pieces import tokenizer_of
from rejoinder.models.pretrained.runtime import Net, NetState
from rejoinder.models.pretrained.weights import Arrays, let_go, load_arrays, net_arrays, save_arrays
from rejoinder.post import Post
from rejoinder.text.tokenizer import Tokenizer, load_tokenizer

TOKENIZER_FILE, _FACTS_FILE = "tokenizer.json", "net.json"
_NEVER = -20.7  # nats, 1e-9: what a byte has that the file knows no piece for, so that no text is impossible
_LETTERS = 8  # characters of a token at most, on the whole: what is cut off of a long context before it is read
_SPELLED = 4  # characters of a token, about
_ADD = "rejoinder model add"


@dataclass(frozen=True)
class PretrainedConfig(Checked, of="pretrained"):
    """Settings of the rung: which file, and how far the net reads."""

    file: str = ""  # the GGUF file
    trained: str = ""  # on what it was trained, in words, as the report of the ladder says them
    context: PositiveInt = 300  # tokens of what is answered that it reads, the nearest
    reach: PositiveInt = 1024  # tokens that it looks back at, about
    threads: PositiveInt = 2  # of one run
    ends: Share = 0.5  # of the line breaks of posts, how many end one
    longest: PositiveInt = 64  # tokens of a reply that ranking looks at


@dataclass(frozen=True)
class NetFacts:
    """What is known of a net besides its weights."""

    name: str
    licence: str
    architecture: str
    source: str  # the SHA-256 of its file
    chat_template: str
    marks: tuple[str, ...]  # that stand for no text; their rows come after those of the text pieces
    end: int  # the row that ends a text
    first: int  # the row read before any other
    unknown: int  # the row of what it does not know


class PretrainedState(NamedTuple):
    """What the net read, and whether the last of it was a line break: a value."""

    net: NetState
    broke: bool = True
    chat: bool = False  # in a turn of its own, which a mark ends and no line break


class Pretrained(LanguageModel, ReplyRanker):
    """A net, its tokenizer, and how a discussion is read to it."""

    Config: ClassVar[type] = PretrainedConfig
    reads_cases: ClassVar[bool] = True
    told: ClassVar[str] = TASK

    def __init__(
        self,
        config: PretrainedConfig,
        shape: NetShape,
        facts: NetFacts,
        tokenizer: Tokenizer,
        opened: tuple[Arrays, Mapping[str, bytes]],
    ) -> None:
        """Use `fit` or `load`; `opened`: the arrays of the net, and its graphs."""
        self.config, self.shape, self.facts, self.tokenizer = config, shape, facts, tokenizer
        self._arrays, self._graphs = opened
        self._net = Net(shape, self._arrays, self._graphs, config.reach, config.threads)
        rows = self._graph_rows(self._arrays)
        self.text = rows - len(facts.marks)  # pieces of text, the rows before the marks
        self._breaks = np.array([t for t in range(self.text) if tokenizer.bytes[t].startswith(b"\n")], np.int64)
        self._break = tokenizer.encode("\n")

    @classmethod
    def fit(cls, corpus: Corpus, config: PretrainedConfig, *, rng: np.random.Generator, job: Job) -> Self:
        """Read the file. Nothing of the archive is read.

        Raises:
            ConfigError: no file is named.
            SourceError: it cannot be read, or the net is of a kind that is not known here.
            MissingExtra: the packages that read it are not installed.
        """
        if not config.file:
            raise ConfigError(f"`pretrained` needs a net: {_ADD} smollm2, or {_ADD} --file NET.gguf")
        return cls.read(Path(config.file), config, job)

    @classmethod
    def read(cls, file: Path, config: PretrainedConfig, job: Job) -> Self:
        """The net in a GGUF file; errors as in `fit`."""
        job.progress("reading the net", 0, None)
        net = read_gguf(file)
        try:
            tokenizer = tokenizer_of(net.pieces)
            text, marks = np.flatnonzero(net.pieces.is_text), np.flatnonzero(~net.pieces.is_text)
            order = np.concatenate([text, marks])
            job.progress("unpacking its weights", 0, None)
            arrays = net_arrays(net, order)
        except SourceError as error:
            raise SourceError(f"{file}: {error}") from error
        places = {int(piece): row for row, piece in enumerate(order)}
        end = places[net.pieces.ends[0] if net.pieces.ends else net.pieces.unknown]
        first = places.get(net.pieces.first, end)
        named = tuple(net.pieces.pieces[mark] for mark in marks)
        told = net.name, net.licence, net.architecture, _sha256(file), net.chat_template
        facts = NetFacts(*told, named, end, first, places[net.pieces.unknown])
        return cls(config, net.shape, facts, tokenizer, (arrays, build_graphs(net.shape, arrays, len(order))))

    def save(self, directory: Path) -> None:
        """Write weights, graphs, tokenizer and facts: all that running it needs, without the file it came from."""
        save_config(directory, "pretrained", self.config)
        write_json(directory / _FACTS_FILE, {"shape": asdict(self.shape), "facts": asdict(self.facts)})
        self.tokenizer.save(directory / TOKENIZER_FILE)
        for name, graph in self._graphs.items():
            write_atomically(directory / f"{name}.onnx", graph)
        save_arrays(directory, self._arrays)

    @classmethod
    def load(cls, directory: Path, parts: Mapping[str, Suggester] = {}) -> Self:
        """Read what `save` wrote; the weights stay on the disk until they are used.

        Raises:
            DamagedModel: it is not whole.
        """
        config = load_config(directory, "pretrained", PretrainedConfig)
        told = load_json(directory / _FACTS_FILE)
        try:
            facts = NetFacts(**{**told["facts"], "marks": tuple(told["facts"]["marks"])})
            shape = NetShape(**told["shape"])
            graphs = {name: (directory / f"{name}.onnx").read_bytes() for name in (NET, OUTPUT)}
        except (TypeError, KeyError, OSError) as error:
            raise DamagedModel(f"{directory} is not what was written ({error}); fit it again: {_ADD}") from error
        tokenizer = load_tokenizer(directory / TOKENIZER_FILE)
        assert isinstance(tokenizer, Tokenizer)  # noqa: S101 - it was one when it was written
        arrays = load_arrays(directory)
        found = cls(config, shape, facts, tokenizer, (arrays, graphs))
        let_go(arrays)
        return found

    # --- the next token ------------------------------------------------------------------------------------------

    def start(self, context: Sequence[Post]) -> PretrainedState:
        """The state after as much of `context` as the settings say, oldest first, a blank line after each post."""
        return PretrainedState(self._net.follow(self._net.empty, [self.facts.first, *self._context(context)]))

    def _context(self, context: Sequence[Post]) -> list[int]:
        """The rows of what is answered."""
        most, rows = self.config.context, list[int]()
        for post in reversed(context):
            text = post.body.strip()[-_LETTERS * most :]
            if text and len(rows) < most:
                rows = [*self._rows_of(self.tokenizer.encode(text)), *self._break, *self._break, *rows]
        return rows[-most:]

    def advance(self, state: PretrainedState, token: int) -> PretrainedState:
        """The state after one more token."""
        return self.advance_many([state], [token])[0]

    def advance_many(self, states: Sequence[PretrainedState], tokens: Sequence[int]) -> list[PretrainedState]:
        """The same for B states at once."""
        found = self._net.advance([state.net for state in states], self._rows_of(tokens))
        return [self._after(*one) for one in zip(states, found, tokens, strict=True)]

    def log_probs(self, state: PretrainedState) -> LogProbs:
        """(V,) float32, nats."""
        found: LogProbs = self._as_tokens(self._net.log_probs(state.net)[None], np.array([state.broke or state.chat]))[0]
        return found

    def log_probs_many(self, states: Sequence[PretrainedState]) -> NDArray[np.float32]:
        """(B, V) float32, nats, for B states at once."""
        if not states:
            return np.empty((0, self.tokenizer.vocabulary), np.float32)
        rows = self._net.log_probs_many([state.net for state in states])
        return self._as_tokens(rows, np.array([state.broke or state.chat for state in states]))

    def rows_before(self, state: PretrainedState, tokens: Sequence[int]) -> Iterator[LogProbs]:
        """(V,) float32, nats, before each of `tokens`, the first after `state`; they are read in a few runs."""
        broke, done = np.array([state.broke, *map(self._is_break, tokens)], bool) | state.chat, 0
        for rows in self._net.score(state.net, self._rows_of(tokens)):
            yield from self._as_tokens(rows, broke[done : done + len(rows)])
            done += len(rows)

    def read_on(self, state: PretrainedState, tokens: Sequence[int]) -> PretrainedState:
        """The state after several tokens, read in a few runs."""
        if not len(tokens):
            return state
        return self._after(state, self._net.follow(state.net, self._rows_of(tokens)), tokens[-1])

    def _after(self, state: PretrainedState, net: NetState, token: int) -> PretrainedState:
        return PretrainedState(net, self._is_break(token), state.chat)

    def start_reply(self, context: Sequence[Post], cases: Cases = ()) -> PretrainedState:
        """As `start`; a net that was taught to answer in a chat reads one (see `rejoinder.models.pretrained.chat`)."""
        if not is_chat(self.facts.chat_template, self.facts.marks):
            return self.start(context)
        rows = [row for role, text in turns(context, cases, _SPELLED * self.config.context) for row in self._turn(role, text)]
        return PretrainedState(self._net.follow(self._net.empty, [*rows, *self._opening("assistant")]), chat=True)

    def _turn(self, role: str, text: str) -> list[int]:
        """The rows of what somebody said."""
        said = self._rows_of(self.tokenizer.encode(text))
        return [*self._opening(role), *said, self._mark(CLOSES), *self._break]

    def _opening(self, role: str) -> list[int]:
        return [self._mark(OPENS), *self._rows_of(self.tokenizer.encode(f"{role}\n"))]

    def _mark(self, mark: str) -> int:
        return self.text + self.facts.marks.index(mark)

    def _as_tokens(self, rows: NDArray[np.float32], broke: NDArray[np.bool_]) -> NDArray[np.float32]:
        """(N, V) float32, nats: our tokens instead of the rows of the net, at N places, where `broke` after a line break."""
        found = np.full((len(rows), self.tokenizer.vocabulary), _NEVER, np.float32)
        found[:, : self.text] = rows[:, : self.text]
        share = np.where(broke, 0.0, self.config.ends)[:, None]
        breaks = np.exp(rows[:, self._breaks].astype(np.float64))
        marks = np.exp(rows[:, self.text :].astype(np.float64)).sum(axis=1)
        with np.errstate(divide="ignore"):
            found[:, self._breaks] = np.log((1 - share) * breaks)
        found[:, [self.tokenizer.post, self.tokenizer.reply]] = -np.inf
        found[:, self.tokenizer.end] = np.log(marks + (share * breaks).sum(axis=1) + np.exp(_NEVER))
        return found

    def _rows_of(self, tokens: Sequence[int]) -> list[int]:
        end, text, unknown = self.tokenizer.end, self.text, self.facts.unknown
        return [token if token < text else self.facts.end if token == end else unknown for token in tokens]

    def _is_break(self, token: int) -> bool:
        return self.tokenizer.bytes[token].startswith(b"\n")

    # --- ranking -------------------------------------------------------------------------------------------------

    def score_replies(self, context: Sequence[Post], candidates: Sequence[str]) -> Scores:
        """(C,) float64, nats: the score above of each candidate, of its first tokens."""
        if not candidates:
            return np.empty(0, np.float64)
        there = self.start(context)
        return np.array([self._gain(there, text) for text in candidates], np.float64)

    def _gain(self, there: PretrainedState, text: str) -> float:
        tokens = self.tokenizer.encode(text[: _LETTERS * self.config.longest])[: self.config.longest]
        said, anywhere = (self.score_tokens(state, tokens).sum(dtype=np.float64) for state in (there, self._anywhere))
        return float(said - anywhere)

    @cached_property
    def _anywhere(self) -> PretrainedState:
        return self.start(())

    @staticmethod
    def _graph_rows(arrays: Mapping[str, NDArray[Any]]) -> int:
        return len(arrays["output.0.d"]) if "output.0.d" in arrays else int(arrays["output.0.W"].shape[1])


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, hashlib.sha256).hexdigest()
