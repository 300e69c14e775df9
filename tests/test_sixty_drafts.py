"""The sixty drafts of docs/typing.md are answered as it says there."""

from __future__ import annotations

import re
from pathlib import Path

from rejoinder.home.voices import typist
from rejoinder.home.workspace import Workspace
from rejoinder.models import Can
from rejoinder.post import Post

DRAFT = re.compile(r"(?:\| |; )([^|;\[]*)\[([^]]*)\]")
_OTHERWISE = 3  # that may turn out otherwise on a processor that rounds otherwise


def test_sixty_drafts_are_answered_as_the_documentation_says() -> None:
    page = (Path(__file__).parents[1] / "docs" / "typing.md").read_text().partition("## Sixty drafts")[2]
    drafts = DRAFT.findall(page[page.index("| register") :])
    assert len(drafts) == 60
    space = Workspace.shipped()
    assert space is not None
    engine = typist(space, dict(space.load_those(Can.PREDICT, ["mixture"])), print)
    said = {draft: engine.open([Post(0)]).suggest(draft, deadline=float("inf")).ghost.strip() for draft, _ in drafts}
    others = {draft: (ghost, said[draft]) for draft, ghost in drafts if ghost.strip() != said[draft]}
    assert len(others) <= _OTHERWISE, others
    table = next(line for line in page.splitlines() if line.startswith("| the package, and words said before |"))
    counts = [int(count) for count in table.split("|")[2:6]]
    assert sum(counts) == 60 and counts[0] == sum(not ghost for _, ghost in drafts) and counts[3] < 6
