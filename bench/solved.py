"""Is the answer that solved it found again? Cases of an archive that say they were solved, looked for by their question alone.

    python bench/solved.py HOME [--questions 500] [--bar 0.5]      a home with `bm25`, `fusion` and `trigger` fitted

Of dev and test: questions with a reply that was accepted, or that thanks were given for (`rejoinder.models.solved`). Its *twin*
is the reply of the train part that says most nearly the same (cosine of (1 + ln tf) idf), if it is above a bar: the same
answer, given in another thread. Printed: for how many there is a twin, and how often it is among the first three, and first, in
the order of p(on topic), of p(on topic) p(solved)^0.25, which ships, and of the ranker's score alone. Then how well `solved`
tells what was accepted or thanked for from other replies of the train part, weighed on the other half of the threads, against
the archive's own scores: the area under the curve.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from figures import arguments, report
from numpy.typing import NDArray

from rejoinder.archive.reader import ArchiveCorpus, held_out
from rejoinder.home.workspace import Workspace
from rejoinder.models import solved as of_solved
from rejoinder.models.judge import Likeness
from rejoinder.models.pairs import clean_pairs
from rejoinder.models.regression import Regression
from rejoinder.models.trigger import Trigger
from rejoinder.post import Post, Thread

_ASKED = 25  # candidates of each source
_FIRST = 3


def solving(threads: Iterator[Thread]) -> Iterator[tuple[tuple[Post, ...], Post]]:
    """Questions with their context, and the reply that solved each."""
    for thread in threads:
        by_id = {post.id: post for post in thread.posts}
        for reply in of_solved.replies_of(thread):
            post = by_id[reply.post]
            if reply.marks & ~of_solved.Mark.CLOSED and post.parent in by_id:
                asked = by_id[post.parent]
                yield (*thread.context(asked), asked), post


class Twins:
    """Which reply of train says the same as a text."""

    def __init__(self, corpus: ArchiveCorpus) -> None:
        """Read the train part."""
        pairs = [(pair.reply.id, pair.reply.own_text) for pair in clean_pairs(corpus.pairs("train", limit=1))]
        self.posts = [number for number, _ in pairs]
        self.known = Likeness.of([text for _, text in pairs])
        self._standing: dict[int, list[tuple[int, float]]] = {}
        for place, (_, text) in enumerate(pairs):
            for word, weight in self.known.vector(text).items():
                self._standing.setdefault(word, []).append((place, weight))

    def of(self, text: str, bar: float) -> int | None:
        """The post of the twin."""
        found = np.zeros(len(self.posts))
        for word, weight in self.known.vector(text).items():
            for place, other in self._standing.get(word, ()) if weight > 0 else ():
                found[place] += weight * other
        best = int(np.argmax(found))
        return self.posts[best] if found[best] >= bar else None


def orders(trigger: Trigger, context: Sequence[Post]) -> dict[str, list[int | None]]:
    """The posts of the proposals, the best first, in each order."""
    found = [one for one in trigger.propose(context, _ASKED) if one.post is not None and one.thread != context[-1].thread]
    ranked = trigger.ranker.score_replies(context, [one.text for one in found]) if found else np.empty(0)
    by = {
        "p(on topic)": [one.score for one in found],
        "p(on topic) p(solved)^0.25": [trigger.worth(one) for one in found],
        "the ranker alone": list(ranked),
    }
    return {name: [found[at].post for at in np.argsort(-np.array(values), kind="stable")] for name, values in by.items()}


def area(p: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Under the curve: how often what is so has the larger p."""
    more, less = p[y > 0][:, None], p[y == 0]
    return float((more > less).mean() + 0.5 * (more == less).mean())


def tell_apart(corpus: ArchiveCorpus) -> dict[str, float]:
    """The area under the curve by `solved` and by scores, on halves of the threads of train."""
    replies = [reply for thread in corpus.threads("train") for reply in of_solved.replies_of(thread)]
    target, chosen, y = of_solved.target_of(replies)
    if not target:
        return {}
    of_solved.count_authors(replies, target)
    names = [name for name in of_solved.FEATURES if name != target]
    x = np.array([[replies[at].x[name] for name in names] for at in chosen])
    half = np.array([replies[at].thread % 2 for at in chosen])
    p = np.empty(len(y))
    for part in (0, 1):
        p[half == part] = Regression.of(x[half != part], y[half != part])(x[half == part])
    return {
        f"`solved` of {target}, {int(y.sum())} of {len(y)} replies": area(p, y),
        "scores alone": area(x[:, names.index("score")], y),
    }


def main() -> None:
    args = arguments(
        __doc__ or "", home=(str, "", "the home"), questions=(int, 500, "at most"), bar=(float, 0.5, "cosine of a twin")
    )
    space = Workspace(Path(args.home))
    trigger: Any = space.load("trigger")
    with space.open_archive() as archive:
        corpus = ArchiveCorpus(archive, space.home)
        for name, value in tell_apart(corpus).items():
            report(f"area under the curve, {name}", [value], "", as_json=args.json)
        twins = Twins(corpus)
        cases = [*solving(corpus.threads("dev")), *solving(held_out(archive))]
        drawn = np.random.default_rng(0).permutation(len(cases))[: args.questions]
        with_twin = [(cases[at][0], twin) for at in drawn if (twin := twins.of(cases[at][1].own_text, args.bar)) is not None]
        report("solved questions", [len(drawn)], "", as_json=args.json)
        report("of these with a twin in the train part", [len(with_twin)], "", as_json=args.json)
        places: dict[str, list[int]] = {}
        for context, twin in with_twin:
            for name, posts in orders(trigger, context).items():
                places.setdefault(name, []).append(posts.index(twin) if twin in posts else len(posts) + _ASKED)
        for name, found in places.items():
            at = np.array(found)
            report(f"twin first, {name}", [float((at == 0).mean())], "", as_json=args.json)
            report(f"twin among the first {_FIRST}, {name}", [float((at < _FIRST).mean())], "", as_json=args.json)


if __name__ == "__main__":
    main()
