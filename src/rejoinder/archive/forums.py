"""The forums rejoinder knows by name: where their posts can be read, and what they ask of people who write there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Forum:
    """Where an archive's posts come from."""

    name: str
    page: str | None = None  # where a post can be read, with {id}
    notice: str = ""  # said once wherever replies are suggested

    def url(self, post: int) -> str | None:
        """The page of a post, None where the forum has none."""
        return self.page.format(id=post) if self.page else None


HACKER_NEWS = Forum(
    "hn",
    "https://news.ycombinator.com/item?id={id}",
    "Hacker News asks that no generated or AI-edited text be posted in comments. "
    "These are drafts for you, the reader: to understand a thread, not to post.",
)
_KNOWN = {HACKER_NEWS.name: HACKER_NEWS}


def forum(name: str) -> Forum:
    """The forum of that name; one that is not known has no pages and no notice."""
    return _KNOWN.get(name, Forum(name))
