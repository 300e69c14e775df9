"""`reply` and `complete`: the two jobs."""

from __future__ import annotations

import textwrap
from contextlib import nullcontext
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rejoinder.cli.archive import or_sample
from rejoinder.cli.input import read_stdin, read_text
from rejoinder.cli.layout import days_ago, visible, wrap
from rejoinder.cli.options import Home, Json, workspace
from rejoinder.cli.output import note, print_json, progress, say, text_width
from rejoinder.errors import SourceError, UsageError

if TYPE_CHECKING:
    from rejoinder.archive.store import Archive
    from rejoinder.engine.completion import Continuation
    from rejoinder.engine.replier import Replier
    from rejoinder.post import Post, Suggestion

_SHOWN = 420  # characters of a reply shown unless --full
_ASKED = 120  # characters shown of what it answered

Item = Annotated[
    int | None,
    typer.Option("--item", metavar="ID", help="A post of the archive, with its thread as context.", show_default=False),
]
ThreadFile = Annotated[
    Path | None,
    typer.Option("--thread", metavar="FILE", help="A thread as a file of items; its last is answered.", show_default=False),
]
AllowStale = Annotated[bool, typer.Option("--allow-stale", help="Also use rungs that may still know forgotten posts.")]
Only = Annotated[list[str] | None, typer.Option("--rung", metavar="RUNG", help="Only this rung.", show_default=False)]


def reply(
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT | -", help="The post to answer; - reads stdin.", show_default=False)
    ] = None,
    item: Item = None,
    thread: ThreadFile = None,
    count: Annotated[int, typer.Option("-k", min=1, max=50, help="How many replies at most.")] = 5,
    only: Only = None,
    generate: Annotated[
        bool, typer.Option("--generate", help="Also show replies that a language model makes, marked as generated.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Another seed makes other replies.")] = 0,
    everything: Annotated[bool, typer.Option("--all", help="Also show replies that are not likely to be on topic.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Show long replies whole.")] = False,
    allow_stale: AllowStale = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Propose replies to a post, with where each comes from. Nothing is ever posted.

    \b
    Example:
      rejoinder reply "Why do people still use Makefiles?"
      rejoinder reply --item 8863
      rejoinder reply --generate "Why do people still use Makefiles?"
    """
    from rejoinder.archive.places import notices
    from rejoinder.engine.replier import check_words
    from rejoinder.home.replies import replier
    from rejoinder.home.sample import REPLYING, sample
    from rejoinder.home.voices import generator, voices
    from rejoinder.home.workspace import check_able
    from rejoinder.models import Can, rung
    from rejoinder.models.loading import without_damaged

    given = workspace(home)
    makers = [name for name in only or () if Can.PREDICT in rung(name).can] if generate else []
    sources = [name for name in only if name not in makers] if only else only
    check_able(sources or (), Can.PROPOSE)
    space = or_sample(given)
    with space.open_archive() as archive:
        context = _context(archive, text, item, thread, needed=True)
        check_words(context)
        notice = notices(archive)
    if space is not given:
        with progress() as report:
            sample(given, [*REPLYING, *(only or ())], report)
    tell = cache(note)  # once

    def reply_once() -> tuple[Replier, list[Suggestion]]:
        made = None
        if generate:
            maker = makers[-1] if makers else voices(given).maker
            made = generator(given, maker, seed, tell, allow_stale=allow_stale)
        found = replier(space, made, only=sources, everything=everything, allow_stale=allow_stale, note=tell)
        return found, found.reply(context, count)

    answering, replies = without_damaged(reply_once)
    if as_json:
        found = {"context": [post.id for post in context], "replies": [asdict(r) for r in replies], "notice": notice}
        print_json({**found, "score": "probability" if answering.trusts else "of the rung", "threshold": answering.threshold})
        return
    answered = textwrap.shorten(visible(context[-1].body), 160, placeholder=" …")
    typer.echo("\n".join(wrap(f"Replies to: {answered}", text_width())) + "\n")
    if not replies:
        say("None to suggest: nothing in the archive is near enough.")
        if answering.threshold:
            say(f"What is less than {answering.threshold:.0%} likely to be on topic is not shown; --all shows it.")
    if generate and not any(suggestion.generated for suggestion in replies):
        say("Of what the model made, nothing is worth showing.\n")
    asked_before: dict[str, int] = {}
    for place, suggestion in enumerate(replies, start=1):
        _show(place, suggestion, asked_before, full, sure=answering.trusts and not suggestion.generated)
    if replies and not (answering.trusts or only):
        lacking = (
            "there are too few posts here to learn it from"
            if space.fitted_that(Can.TRIGGER)
            else "`rejoinder fit trigger` learns it"
        )
        say(f"How likely these are on topic nobody can tell: {lacking}. They are the nearest.")
    if notice:
        say(notice)


def complete(
    draft: Annotated[str, typer.Argument(metavar="DRAFT | -", help="What is written so far; - reads stdin.")],
    item: Item = None,
    thread: ThreadFile = None,
    count: Annotated[int, typer.Option("-k", min=1, max=20, help="How many continuations at most.")] = 3,
    words: Annotated[int, typer.Option(min=1, max=50, help="Words of a continuation at most.")] = 12,
    rung: Annotated[
        str | None,
        typer.Option(metavar="RUNG", help="The rung to ask; the one that speaks here, if none.", show_default=False),
    ] = None,
    own: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Text you wrote, to count in instead of `own add`'s.", show_default=False),
    ] = None,
    allow_stale: AllowStale = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Finish the sentence of a draft. What `rejoinder own add` remembered is counted in.

    \b
    Example:
      rejoinder complete "The problem with microservices is"
    """
    from rejoinder.archive.html import clean
    from rejoinder.engine.completion import complete as continuations
    from rejoinder.home.own_text import remembered, with_own, with_remembered
    from rejoinder.home.voices import phrases_of, voices
    from rejoinder.models import Can
    from rejoinder.models.loading import without_damaged
    from rejoinder.post import Post, Query
    from rejoinder.text.words import words as words_of

    space = workspace(home)
    typed = clean(read_stdin() if draft == "-" else draft)
    with nullcontext() if item is None else or_sample(space).open_archive() as archive:
        context = _context(archive, None, item, thread, needed=False) or (Post(0),)  # a draft answers something, as most do
    written = None if own is None else clean(read_text(own))
    tell = cache(note)  # once

    def finished() -> tuple[str, str, list[Continuation]]:
        speaks = voices(space)
        for line in speaks.passed_over:
            tell(line)
        if space.is_empty and rung is None:
            tell(f"no posts in {space.home} yet: using the models in the package (`rejoinder import FILE` brings your own posts)")
        name = speaks.best if rung is None else rung if space.fitted_or_none(rung) else speaks.named(rung)
        reason = speaks.reason if rung is None else f"`{rung}` was asked for"
        model = space.load_those(Can.PREDICT, [name], allow_stale=allow_stale)[name]
        voiced = with_remembered(name, model, space.home) if written is None else with_own(name, model, written)
        phrases, own_words = phrases_of(space, name, tell), words_of(remembered(space.home) if written is None else written)
        return name, reason, continuations(voiced, Query(context, typed), count, words, phrases=phrases, own=own_words)

    name, reason, found = without_damaged(finished)
    if as_json:
        print_json(
            {
                "draft": typed,
                "rung": name,
                "reason": reason,
                "continuations": [{"text": c.text, "nats_per_token": c.score} for c in found],
            }
        )
        return
    if not found:
        typer.echo("Nothing to suggest.")
    for continuation in found:
        typer.echo(f"{visible(typed)}{typer.style(visible(continuation.text), bold=True)}")
        typer.echo(typer.style(f"    {name}, {continuation.score:.2f} nats a token", dim=True))


def _show(place: int, suggestion: Suggestion, asked_before: dict[str, int], full: bool, *, sure: bool) -> None:
    text, width = visible(suggestion.text), text_width() - 4
    if not full and len(text) > _SHOWN:
        cut = text[:_SHOWN].rsplit(" ", 1)[0]
        text = f"{cut} … (+{len(text[len(cut) :].split())} words)"
    lines: list[str] = []
    for line in text.split("\n"):
        lines += [line] if line.startswith("  ") else wrap(line, width)  # code stays as it is
    typer.echo(f"{place:2}. " + "\n    ".join(lines).replace("\n    \n", "\n\n"))
    score = f"{suggestion.score:.0%} likely on topic" if sure else f"{suggestion.score:.2f}"
    if suggestion.post is None:
        told = [f"{suggestion.rung} · nobody wrote this" if suggestion.generated else f"{suggestion.rung} · not from a post"]
    else:
        from_where = f"{suggestion.rung} · {score} · post {suggestion.post}{_origin(suggestion)}"
        told = [from_where, *_case(place, suggestion, asked_before)]
    for line in told:
        typer.echo(typer.style("\n".join(wrap(f"    {line}", text_width(), hang=2)), dim=True))
    typer.echo("")


def _origin(suggestion: Suggestion) -> str:
    """The day of a reply and how long ago that was, and where to read it; the place's name where it has no page."""
    known = (days_ago(suggestion.time), suggestion.url or suggestion.source)
    return "".join(f", {visible(one)}" for one in known if one)


def _case(place: int, suggestion: Suggestion, asked_before: dict[str, int]) -> list[str]:
    """What was asked there, and what came of it; `asked_before` holds where in the list each question was shown first."""
    case = suggestion.case
    if case is None:
        return [f"a reply to “{visible(suggestion.title)}”"]
    asked = textwrap.shorten(visible(case.asked), _ASKED, placeholder=" …")
    when = f", {days_ago(case.asked_at)}" if case.asked_at and days_ago(case.asked_at) != days_ago(suggestion.time) else ""
    first = asked_before.setdefault(case.asked, place)
    lines = [f"asked there{when}: “{asked}”" if first == place else f"asked there: the same as for {first}"]
    if first == place and case.opening and case.opening[:_ASKED] not in case.asked:
        lines.append(f"in “{visible(case.opening)}”")
    if case.solved:
        lines.append("; ".join(case.solved))
    if case.same_person_as is not None:
        lines.append(f"by the same person as {case.same_person_as}")
    return lines


def _context(
    archive: Archive | None, text: str | None, item: int | None, thread: Path | None, *, needed: bool
) -> tuple[Post, ...]:
    """The posts to answer, from whichever of the three was given."""
    given = [name for name, value in (("TEXT", text), ("--item", item), ("--thread", thread)) if value is not None]
    if len(given) > 1:
        raise UsageError(f"give one of TEXT, --item and --thread; got {' and '.join(given)}")
    if item is not None and archive is not None:
        from rejoinder.post import LONGEST_CONTEXT

        return archive.path_to(item, LONGEST_CONTEXT)
    if thread is not None:
        return _thread_file(thread)
    if text is not None:
        from rejoinder.archive.html import clean
        from rejoinder.post import Kind, Post

        return (Post(0, Kind.STORY, clean(read_stdin() if text == "-" else text).strip()),)
    if needed:
        raise UsageError("nothing to reply to: give TEXT, - for stdin, --item ID or --thread FILE")
    return ()


def _thread_file(file: Path) -> tuple[Post, ...]:
    """The path to the last item of a file."""
    from rejoinder.archive.source import Hasher
    from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
    from rejoinder.post import Post, Thread

    posts = [found for found in HACKER_NEWS.read(file, Hasher()) if isinstance(found, Post)]
    if not posts:
        raise SourceError(f"{file}: no item that could be read; expected items as the Hacker News API gives them")
    return (*Thread(0, posts).context(posts[-1]), posts[-1])
