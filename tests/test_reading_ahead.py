"""A slow voice reads in the background: a cheaper one answers meanwhile, and nothing waits."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from time import perf_counter
from typing import Any

import numpy as np

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.engine.prefix_cache import PrefixCache
from rejoinder.engine.typing import Engine, Typed, TypingConfig, TypingSession
from rejoinder.models.interfaces import Job
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.models.markov import Markov, MarkovConfig
from rejoinder.post import Post


class Later(Executor):
    """Work that is done when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []

    def submit(self, fn: Any, /, *given: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append(lambda: future.set_result(fn(*given, **named)))
        return future

    def work(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()


def test_a_cheaper_voice_answers_while_the_slow_one_reads(toy: ArchiveCorpus, tmp_path: Any) -> None:
    job = Job(tmp_path)
    counts = KneserNey.fit(toy, KneserNeyConfig(), rng=np.random.default_rng(0), job=job)
    graph = Markov.fit(toy, MarkovConfig(), rng=np.random.default_rng(0), job=job)
    engine = Engine({"pretrained": counts, "markov": graph}, {})
    engine._reader = later = Later()  # type: ignore[assignment]
    session = engine.open((Post(1, text="Why does my engine stall ?"),))

    def typed(draft: str) -> tuple[str, bool]:
        found = session.suggest(draft, deadline=perf_counter() + 60)
        return found.rung, found.cut

    assert typed("Check the ") == ("markov", True) and len(later.waiting) == 1  # so who pauses asks again
    assert typed("Check the s") == ("markov", True) and len(later.waiting) == 1  # it reads already
    later.work()
    assert typed("Check the sp") == ("pretrained", False) and not later.waiting
    alone = Engine({"": counts}, {}).open((Post(1, text="Why does my engine stall ?"),))
    said, wanted = (one.suggest("Check the spa", deadline=perf_counter() + 60) for one in (session, alone))
    assert (said.ghost, said.words) == (wanted.ghost, wanted.words)


def test_what_was_read_in_the_background_is_what_reading_it_gives(toy: ArchiveCorpus, tmp_path: Any) -> None:
    model = KneserNey.fit(toy, KneserNeyConfig(), rng=np.random.default_rng(0), job=Job(tmp_path))
    read: list[Sequence[int]] = []
    plain = model.read_on

    def noted(state: Any, tokens: Sequence[int]) -> Any:
        read.append(list(tokens))
        return plain(state, tokens)

    model.read_on = noted  # type: ignore[method-assign]
    cache, later = PrefixCache(model, (), 16), Later()
    tokens = model.tokenizer.encode("Check the spark plug")
    assert cache.take_in() and not cache.begun
    cache.read_ahead(tokens[:3], later)
    assert not cache.take_in()
    later.work()
    assert cache.take_in() and cache.begun and cache.time_to_read(tokens[:3]) == 0
    cache.read_ahead(tokens, later)
    later.work()
    assert cache.take_in() and read == [tokens[:3], tokens[3:]]  # from where it was
    from rejoinder.engine.prefix_cache import Deadline

    node = cache.reach(tokens, Deadline())
    assert np.array_equal(cache.log_probs(node, Deadline()), model.log_probs(plain(model.start(()), tokens)))


def test_only_the_drafts_typed_last_keep_what_a_slow_voice_read(toy: ArchiveCorpus, tmp_path: Any) -> None:
    """One draft is kept: whoever comes back to another has it read again, and is told the same."""
    job = Job(tmp_path)
    counts = KneserNey.fit(toy, KneserNeyConfig(), rng=np.random.default_rng(0), job=job)
    graph = Markov.fit(toy, MarkovConfig(), rng=np.random.default_rng(0), job=job)
    engine = Engine({"pretrained": counts, "markov": graph}, {}, config=TypingConfig(drafts=1))
    engine._reader = later = Later()  # type: ignore[assignment]
    one, other = (engine.open((Post(1, text=text),)) for text in ("Why does my engine stall ?", "Does dough rest ?"))

    def typed(session: TypingSession, draft: str) -> Typed:
        found = session.suggest(draft, deadline=perf_counter() + 60)
        later.work()
        return found

    assert typed(one, "Check the ").rung == "markov"
    first = typed(one, "Check the s")
    assert first.rung == "pretrained"
    assert typed(other, "Let it ").rung == "markov" and typed(other, "Let it r").rung == "pretrained"
    assert not one._scheduler.voices[0].cache.begun and other._scheduler.voices[0].cache.begun
    assert typed(one, "Check the ").rung == "markov"  # it reads again
    assert typed(one, "Check the s") == first
