"""Posts of a home that its models are tried on before one of them speaks, and what each paid for them.

They are drawn from the dev part, anew for each fit but the same while the archive is: threads that no model of the package has
read a post of, at most half of what dev has, so that weights and gates have theirs. Where the package has read nearly all of it,
its posts are drawn from, too: that flatters the package, so what pays less all the same is better. Posts that are too short to
tell whether they were read are taken for what most of the others are; by themselves they would be a trial of the shortest posts
there are. HOME/voices.json keeps what was paid by thread, in nats, who was chosen by hand, and no words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rejoinder.corpus import ByThread, Corpus, Part, sampled
from rejoinder.files import write_json
from rejoinder.hashing import hash64
from rejoinder.home.workspace import Workspace
from rejoinder.ladder.metrics import FEWEST, bits_per_byte
from rejoinder.models.interfaces import LanguageModel, Progress, silent
from rejoinder.post import Post, Thread

if TYPE_CHECKING:
    from rejoinder.text.fingerprints import Fingerprints

FILE = "voices.json"  # in the home folder
POSTS, BYTES = 300, 100_000  # of a trial, at most
_DRAWN_FROM = 50_000  # posts that are held to draw from, at most
_READ = "posts.npy"  # beside the models of the package


@dataclass(frozen=True)
class Trial:
    """What rungs paid for the posts of N threads."""

    digest: str = ""  # of the posts
    posts: int = 0
    sizes: tuple[int, ...] = ()  # (N,) bytes of the posts of each thread
    paid: Mapping[str, tuple[str, tuple[float, ...]]] = field(
        default_factory=dict
    )  # by name: the identity of the model; (N,) nats
    read: bool = False  # whether the package has read these posts
    chosen: str = ""  # the rung that a person chose to speak, whatever was paid

    @property
    def threads(self) -> int:
        """N, how many there are."""
        return len(self.sizes)

    def knows(self, name: str, identity: str) -> bool:
        """Whether this very model was tried."""
        return name in self.paid and self.paid[name][0] == identity and self.threads > 0

    def nats(self, name: str) -> NDArray[np.float64]:
        """(N,) float64: what a rung paid for each thread."""
        return np.array(self.paid[name][1], np.float64)

    def bits(self, name: str) -> float:
        """Bits per byte that a rung paid."""
        return bits_per_byte(self.nats(name), np.array(self.sizes))

    def carried(self, name: str, identity: str) -> Trial:
        """The same where a rung that was tried has been fitted again on posts that leave nothing to try it on."""
        return replace(self, paid={**self.paid, name: (identity, self.paid[name][1])}) if name in self.paid else self

    def save(self, home: Path) -> None:
        """Write it into a home folder."""
        write_json(home / FILE, vars(self))


def read_trial(home: Path) -> Trial:
    """What `save` wrote; an empty trial where there is none, or it is damaged."""
    try:
        kept = json.loads((home / FILE).read_bytes())
        paid = {name: (str(identity), tuple(map(float, nats))) for name, (identity, nats) in kept["paid"].items()}
        sizes = tuple(map(int, kept["sizes"]))
        if any(len(nats) != len(sizes) for _, nats in paid.values()):
            raise ValueError("a row is too short")
        read, chosen = bool(kept.get("read", False)), str(kept.get("chosen", ""))
        return Trial(str(kept["digest"]), int(kept["posts"]), sizes, paid, read, chosen)
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return Trial()


@dataclass(frozen=True)
class TrialPosts:
    """The threads of a trial."""

    threads: tuple[Thread, ...] = ()
    read: frozenset[int] = frozenset()  # keys of the threads of dev that the package has read a post of
    flattering: bool = False  # whether some of the trial's are among these

    @property
    def keys(self) -> frozenset[int]:
        """The keys of the threads."""
        return frozenset(thread.key for thread in self.threads)

    def begun(self, before: Trial) -> Trial:
        """A trial on these posts, with what is known of it already."""
        sizes = tuple(sum(len(post.own_text.encode("utf-8", "replace")) for post in _own(thread)) for thread in self.threads)
        digest = f"{hash64(repr([(thread.key, size) for thread, size in zip(self.threads, sizes, strict=True)]).encode()):016x}"
        if digest == before.digest:
            return before
        posts = sum(len(_own(thread)) for thread in self.threads)
        return Trial(digest, posts, sizes, read=self.flattering, chosen=before.chosen)

    def measured(self, trial: Trial, name: str, identity: str, model: LanguageModel, progress: Progress = silent) -> Trial:
        """The trial with what a model pays."""
        from rejoinder.ladder.text_evaluation import post_nats  # not for who only reads what was paid

        nats: list[float] = []
        for thread in self.threads:
            progress(f"measuring {name}", len(nats), len(self.threads))
            nats.append(round(sum(post_nats(model, post, thread.answered(post)) for post in _own(thread)), 4))
        return replace(trial, paid={**trial.paid, name: (identity, tuple(nats))})


def draw_trial(corpus: Corpus, seed: int) -> TrialPosts:
    """The threads of dev that the models of a home are tried on: unread by the package if there are enough, in random order."""
    known = _read_by_package()
    read, short, others = set[int](), set[int](), 0  # keys of the threads it has read, and of those too short to tell

    def noted() -> Iterator[Thread]:
        nonlocal others
        for thread in corpus.threads("dev"):
            found = False if known is None else known.has_read(thread.posts)
            if found is False:
                others += 1
            else:
                (read if found else short).add(thread.key)
            if _own(thread):
                yield thread

    threads = sampled(noted(), _DRAWN_FROM)
    if len(read) > others:
        read |= short
    chosen = _drawn([thread for thread in threads if thread.key not in read], seed)
    flattering = len(chosen) < FEWEST and bool(read)
    return TrialPosts(_drawn(threads, seed) if flattering else chosen, frozenset(read), flattering)


def can_be_drawn(corpus: Corpus) -> bool:
    """Whether dev has enough threads for a trial of any."""
    return len(list(islice((thread for thread in corpus.threads("dev") if _own(thread)), 2))) == 2


def _drawn(threads: Sequence[Thread], seed: int) -> tuple[Thread, ...]:
    """At most half of `threads`, in random order, until there are enough posts or characters."""
    chosen: list[Thread] = []
    posts = size = 0
    for place in np.random.default_rng(seed).permutation(len(threads))[: len(threads) // 2]:
        thread = threads[int(place)]
        if posts >= POSTS or size >= BYTES:
            break
        chosen.append(thread)
        posts += len(_own(thread))
        size += sum(len(post.own_text) for post in _own(thread))
    return tuple(chosen)


class WithoutThreads(ByThread):
    """A corpus whose dev part lacks some threads, such as those that models are tried on, so that nothing is fitted on them."""

    def __init__(self, corpus: Corpus, keys: frozenset[int]) -> None:
        """Look at `corpus`, but for the dev threads of these keys."""
        self._corpus, self._keys = corpus, keys
        self.tokens = corpus.tokens

    def fingerprint(self) -> str:
        """That of the train part, which lacks nothing."""
        return self._corpus.fingerprint()

    def count(self, part: Part) -> int | None:
        """How many posts a part has, those of the threads it lacks too."""
        return self._corpus.count(part)

    def threads(self, part: Part) -> Iterator[Thread]:
        """The threads of a part, by key."""
        return (thread for thread in self._corpus.threads(part) if part == "train" or thread.key not in self._keys)


def _own(thread: Thread) -> Sequence[Post]:
    return [post for post in thread.posts if post.own_text]


def _read_by_package() -> Fingerprints | None:
    from rejoinder.text.fingerprints import Fingerprints

    package = Workspace.shipped()
    return None if package is None else Fingerprints.load(package.home / _READ)
