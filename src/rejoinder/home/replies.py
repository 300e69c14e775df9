"""Who answers a post: the rungs of a home that propose replies, and whoever orders them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rejoinder.archive.cases import case_of
from rejoinder.engine.generation import ReplyGenerator
from rejoinder.engine.replier import Replier, ReplyConfig
from rejoinder.home.workspace import Workspace
from rejoinder.models import LADDER, Can
from rejoinder.post import Origin


def replier(
    space: Workspace,
    made: ReplyGenerator | None = None,
    *,
    only: Sequence[str] | None = None,
    everything: bool = False,
    allow_stale: bool = False,
    note: Callable[[str], None] = lambda line: None,
) -> Replier:
    """What answers: the trigger with its sources and ranker, if it is fitted; else, or where rungs are named, these.

    Args:
        space: where the rungs are fitted.
        made: the source of replies that a model makes, if there are to be such.
        only: the rungs that answer; all, if None.
        everything: also what is not likely to be on topic.
        allow_stale: also rungs that may still know forgotten posts.
        note: told of each rung that cannot be loaded, where none are named.
    """
    config = ReplyConfig(threshold=0.0 if everything else None)
    triggers = space.load_usable(Can.TRIGGER, note, allow_stale=allow_stale) if only is None else {}
    for trigger in triggers.values():
        if trigger.knows:
            return Replier.trusting(trigger, origin_in(space), config, made)
    if only is None:
        sources: Mapping[str, Any] = space.load_usable(Can.PROPOSE, note, allow_stale=allow_stale)
    else:
        sources = space.load_those(Can.PROPOSE, only, allow_stale=allow_stale)
    rankers = [model for name, model in sources.items() if Can.RANK in LADDER[name].can] or list(
        space.load_usable(Can.RANK, note, allow_stale=allow_stale).values()
    )
    return Replier(sources, rankers[-1] if rankers else None, origin_in(space), config, made)


def origin_in(space: Workspace) -> Callable[[int], Origin | None]:
    """What tells where a reply of that home comes from, and what it answered."""

    def told(number: int) -> Origin | None:
        with space.open_archive() as archive:
            return case_of(archive, number)

    return told
