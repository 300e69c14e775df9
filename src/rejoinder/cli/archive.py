"""`import`, `fetch` and `info`: posts in, and what is there."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rejoinder.cli.help import with_example
from rejoinder.cli.layout import visible
from rejoinder.cli.options import Home, Json, workspace
from rejoinder.cli.output import facts, keeping, note, print_json, progress, say, size
from rejoinder.errors import RejoinderError, SourceError, UsageError
from rejoinder.post import Post

if TYPE_CHECKING:
    from rejoinder.archive.intake import Unit
    from rejoinder.archive.source import Hasher, Source
    from rejoinder.archive.split import Method
    from rejoinder.archive.store import Counts
    from rejoinder.home.workspace import Workspace

_NOTHING_ASKED = "nothing asked for: give --item ID, --top N, --since DATE or --updates"

fetch_app = typer.Typer(
    help=with_example("Read posts from a service into the archive.", "fetch hn --top 30"),
    no_args_is_help=True,
    rich_markup_mode=None,
)


def import_files(
    context: typer.Context,
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files, folders, zip or tar files, or patterns.")],
    source: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="What to call the place the posts come from; its form's name, if none.", show_default=False
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--as", metavar="FORM", help="The form of the files, if it is not recognised.", show_default=False),
    ] = None,
    fields: Annotated[
        str | None,
        typer.Option("--map", metavar="MAP", help="Which field is what, for any other table or JSON.", show_default=False),
    ] = None,
    show: Annotated[int, typer.Option(min=0, metavar="N", help="Only show the first N posts that would be taken.")] = 0,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Take posts from files into the archive.

    Each file's form is recognised by what is in it; gz, bz2, xz, zst, zip and tar are unpacked. The same post again is an
    update. docs/archives.md says how to get an export from each service. Parquet needs the extra `dumps`.

    \b
    Example:
      rejoinder import hn.jsonl.gz
      rejoinder import slack-export.zip --source team
      rejoinder import tickets.csv --map id=nr,parent=re,text=body,time=created,author=from --show 3
    """
    import gc

    from rejoinder.archive.registry import source as named
    from rejoinder.archive.rest import Rest
    from rejoinder.home.importing import import_files as imported

    if form and fields:
        raise UsageError("give one of --as and --map")
    if show and as_json:
        raise UsageError("--show is for people to read: leave --json out")
    context.call_on_close(_tell_of_broken_sources)  # however it ends
    gc.disable()  # posts make no cycles; looking for them costs a tenth of the time, and this process ends with the import
    forced = named(form) if form else _mapped(fields) if fields else None
    if show:
        for path in _paths(paths):
            _show(workspace(home), path, forced, source, show)
        return
    results: list[dict[str, Any]] = []
    errors: list[RejoinderError] = []
    rests: dict[tuple[str, str], Rest] = {}  # by place: what one file lacks may be in another
    with keeping("the posts read so far are kept; the same command reads the rest"), progress() as report:
        for done in imported(workspace(home), _paths(paths), forced, source, report):
            errors += done.errors
            if done.left_out and not as_json:
                count, label = done.left_out
                say(f"{done.path.name}: left out, as they hold no posts: {count:,} file{'s' * (count > 1)}, such as {label}")
            if done.form is None:
                continue
            told = {"file": str(done.path), "form": done.form.name, "threads": done.form.threading}
            absent = {"absent": done.rest.absent, "goes_on": done.rest.goes_on}
            results.append({**told, **counts_as_dict(done.counts), **absent, "seconds": round(done.seconds, 2)})
            if not as_json and done.counts.lines:
                label = done.label if done.files == 1 else f"{done.path.name} ({done.files:,} files)"
                print_counts(label, done.counts, done.seconds)
                taken = f"{done.form.what}, by {done.form.marks} (`--as FORM` if that is wrong)"
                say(f"  taken for {taken}; kept as the place `{done.place}`")
                if done.form.threading:
                    say(f"  threads: {done.form.threading}")
            rests.setdefault((done.place, done.form.rest), Rest()).update(done.rest)
    for (name, how), rest in rests.items():
        if not as_json and (rest.absent or rest.goes_on):
            what = f"{rest.absent:,} posts that it names itself" if rest.absent else "what it says that follows"
            say(f"not in what was read of `{name}`: {what}; to get them: {how}")
    if as_json:
        print_json({"files": results, "errors": [str(error) for error in errors]})
    for earlier in errors[:-1]:
        note(f"rejoinder: {earlier}")
    if errors:
        raise errors[-1]
    if not as_json:
        say("now: rejoinder fit" if any(one["new"] or one["updated"] for one in results) else "nothing in it is new")


def _tell_of_broken_sources() -> None:
    from rejoinder.archive.registry import broken

    for problem in broken():
        note(f"rejoinder: {problem}")


def _mapped(fields: str) -> Source:
    from rejoinder.archive.mapping import read_map

    return read_map(fields)


def _show(space: Workspace, path: Path, forced: Source | None, name: str | None, count: int) -> None:
    """The first posts of each form that would be taken, and nothing else."""
    from contextlib import ExitStack
    from itertools import groupby

    from rejoinder.archive.intake import Unit, units
    from rejoinder.home.importing import called, numbering, unpacked_in

    errors: list[RejoinderError] = []
    with ExitStack() as opened:
        for reader, group in groupby(units(path, forced, unpacked_in(space, opened)), lambda unit: getattr(unit, "source", None)):
            if reader is not None:
                hasher = numbering(space, called(path, reader, name))
                _show_first(path, hasher, reader, (unit for unit in group if isinstance(unit, Unit)), count)
            else:
                errors += [unit for unit in group if isinstance(unit, RejoinderError)]
    if errors:
        raise errors[-1]


def _show_first(path: Path, hasher: Hasher, reader: Source, group: Iterator[Unit], count: int) -> None:
    """The first posts that one source would take."""
    import textwrap
    from itertools import islice

    from rejoinder.archive.source import Skipped

    say(f"{path.name}: {reader.what}, by {reader.marks}")
    for item in islice((item for unit in group for item in unit.source.read(unit.path, hasher)), count):
        if isinstance(item, Skipped):
            say(f"  not taken: {item.reason} ({item.where})")
            continue
        if isinstance(item, Post):
            own = {"there": item.own} if item.own else {}
            told = own | {
                "parent": item.parent,
                "time": item.time,
                "author": item.author and "kept as a hash",
                "title": item.title,
            }
            say(f"  id {item.id}; " + "; ".join(f"{name}: {value or 'none'}" for name, value in told.items()))
            say(f"    {textwrap.shorten(visible(item.text), 200, placeholder=' …') or '(no words)'}")


@fetch_app.callback()
def _fetch() -> None:
    pass


@fetch_app.command("hn")
def fetch_hn(
    item: Annotated[
        list[int] | None,
        typer.Option(min=1, max=2**63 - 1, metavar="ID", help="An item with all above and below it.", show_default=False),
    ] = None,
    top: Annotated[
        int, typer.Option(min=0, metavar="N", help="The N stories at the top now, with their comments (at most 500).")
    ] = 0,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Everything since a date.", show_default=False)] = None,
    updates: Annotated[bool, typer.Option("--updates", help="Items that changed lately.")] = False,
    api: Annotated[str | None, typer.Option(metavar="URL", help="Another address of the API.", show_default=False)] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Requests at a time.")] = 16,
    timeout: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="Seconds to wait for one answer.")] = 10.0,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Read from the official Hacker News API into the archive.

    Stopped half-way, the next fetch goes on where it ended. It only ever reads.

    \b
    Example:
      rejoinder fetch hn --item 8863
      rejoinder fetch hn --top 30
      rejoinder fetch hn --since 2026-11-01
    """
    import asyncio

    from rejoinder.archive.fetch import Wanted, fetch, remaining
    from rejoinder.archive.hackernews_api import OFFICIAL, ApiConfig, HackerNewsApi
    from rejoinder.archive.store import Counts

    space = workspace(home)
    asked = bool(item or top or since or updates)
    if not asked and not space.archive_file.is_file():  # nor was anything left by a fetch before: no home is made for that
        raise UsageError(_NOTHING_ASKED)
    wanted = Wanted(tuple(item or ()), top, updates, date_of(since))
    counts = Counts()
    began = perf_counter()
    kept = keeping("what was read is kept; `rejoinder fetch hn` goes on")
    with kept, space.open_archive(create=True) as archive, progress() as report:
        left = remaining(archive)
        if left:
            note(f"going on with {left:,} items left from the last fetch")
        elif not asked:
            raise UsageError(_NOTHING_ASKED)
        config = ApiConfig(api or OFFICIAL, concurrency, timeout)

        async def run() -> None:
            async with HackerNewsApi(config, space.hasher()) as connection:
                await fetch(archive, connection, wanted, counts, lambda done, more: report("reading items", done, done + more))

        try:
            asyncio.run(run())
        finally:
            if as_json:
                print_json({**counts_as_dict(counts), "left": remaining(archive), "seconds": round(perf_counter() - began, 2)})
            elif counts.lines:
                print_counts("the API", counts, perf_counter() - began, "items")


def info(
    split: Annotated[str, typer.Option(metavar="hash|time", help="How threads are dealt to train, dev and test.")] = "hash",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show what the archive holds: posts, threads, pairs, words, dates, parts.

    \b
    Example:
      rejoinder info --split time
    """
    from rejoinder.archive.info import read_info
    from rejoinder.home.tokenizing import would_gain

    method = split_method(split)
    space = or_sample(workspace(home))
    with space.open_archive() as archive:
        found = read_info(archive, method)
    gained = would_gain(space)
    if as_json:
        print_json({**asdict(found), "archive": str(space.archive_file), "fit_would_gain": gained})
        return
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.kinds.items())
    gone = f"; without words: {found.deleted:,} deleted, {found.dead:,} dead" if found.deleted or found.dead else ""
    dates = f"{found.first} to {found.last}" if found.first else "none"
    loose = f"; {found.unsettled:,} posts are in none yet: run the import again, or `rejoinder fit`" if found.unsettled else ""
    parts = "; ".join(f"{part} {n['threads']:,} threads, {n['posts']:,} posts" for part, n in found.parts.items())
    lines = {
        "archive": f"{space.archive_file} ({size(found.bytes)}), from {_sources(found.sources)}",
        "posts": f"{found.posts:,} ({kinds}){gone}",
        "threads": f"{found.threads:,}{loose}",
        "pairs": f"{found.pairs:,} replies with what they answer, {found.pairs_to_opening_posts:,} of them to an opening post",
        "words": f"{found.words:,}",
        "authors": f"{found.authors:,} (as keyed hashes; no names are kept)",
        "dates": f"{dates}; {found.undated:,} posts without a date",
        "parts": f"{parts} (by {found.split})",
        "orphans": f"{found.orphans:,} replies whose parent is not in the archive",
        "circular": f"{found.circular:,} posts whose parents run in a circle",
    }
    facts(lines | ({"tokens": gained} if gained else {}))


def _sources(counts: dict[str, int]) -> str:
    return (
        ", ".join(f"`{name}` ({count:,} posts)" if len(counts) > 1 else f"`{name}`" for name, count in counts.items())
        or "nowhere"
    )


def or_sample(space: Workspace) -> Workspace:
    """The workspace itself, or the embedded sample while it has no archive; says so on stderr."""
    from rejoinder.home.sample import sample

    if not space.is_empty:
        return space
    note(f"no posts in {space.home} yet: using the embedded sample (`rejoinder import FILE` brings your own)")
    with progress() as report:
        return sample(space, progress=report)


def split_method(name: str) -> Method:
    """`hash` or `time`, checked."""
    if name not in ("hash", "time"):
        raise UsageError(f"--split must be hash or time; got {name!r}")
    return "hash" if name == "hash" else "time"


def _paths(patterns: list[str]) -> list[Path]:
    found: list[Path] = []
    for pattern in patterns:
        if Path(pattern).exists():
            found.append(Path(pattern))
            continue
        matches = sorted(Path(name) for name in glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else []  # noqa: PTH207
        if not matches:
            raise SourceError(f"{pattern}: no such file")
        found += matches
    return found


def counts_as_dict(counts: Counts) -> dict[str, Any]:
    """What became of some records, for programs."""
    return {
        **{name: getattr(counts, name) for name in ("lines", "new", "updated", "unchanged", "skipped")},
        "reasons": dict(counts.reasons),
        "first_at": counts.examples,
        "without": dict(counts.lost),
        "moved": counts.moved,
        "moved_to_another_part": counts.resplit,
        "circular": len(counts.circular),
    }


def print_counts(name: str, counts: Counts, seconds: float, unit: str = "lines") -> None:
    """What became of some records, for people; `name` is where they came from."""
    from rejoinder.archive.html import clean

    c, name = counts, clean(name)
    say(f"{name}: {c.lines:,} {unit} = {c.new:,} new + {c.updated:,} updated + {c.unchanged:,} unchanged + {c.skipped:,} skipped")
    say(f"  in {seconds:.1f} s, {c.lines / max(seconds, 1e-9):,.0f} a second")
    for reason, count in c.reasons.most_common():
        say(f"  skipped {count:,}: {reason} (first: {c.examples[reason]})")
    if c.lost:
        say("  taken, but without " + ", ".join(f"{name}: {count:,}" for name, count in c.lost.most_common()))
    if c.comments and c.lost["parent"] == c.comments:
        say("  no comment here has a parent: there are no threads in it, and no replies to learn from")
    if c.circular:
        say(f"  kept {len(c.circular):,} whose parents run in a circle (first: {c.circular[0]}); a circle ends the context there")
    if c.moved:
        say(f"  {c.moved:,} posts that were here joined another thread, {c.resplit:,} of them in another part")


def date_of(text: str | None) -> datetime | None:
    """The date that an option names.

    Raises:
        UsageError: it is none.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--since takes a date such as 2026-11-01; got {text!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
