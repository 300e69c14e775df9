"""`fetch discourse`, `github`, `zulip`, `zammad`, `chatwoot` and `imap`: from services into the archive, read only."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from rejoinder.cli.archive import counts_as_dict, date_of, fetch_app, print_counts
from rejoinder.cli.options import Home, Json, workspace
from rejoinder.cli.output import keeping, note, print_json, progress
from rejoinder.errors import UsageError

if TYPE_CHECKING:
    from rejoinder.archive.fetchers.http import Manners
    from rejoinder.archive.fetchers.run import Bookmark, FetchedPage
    from rejoinder.archive.source import Hasher, Source

    Pages = Callable[[Hasher, Bookmark], Iterator[FetchedPage]]

Address = Annotated[str, typer.Argument(metavar="URL", help="Its address, such as https://forum.example.org")]
Place = Annotated[
    str | None, typer.Option("--source", metavar="NAME", help="What to call it; its host, if none.", show_default=False)
]
Pause = Annotated[float, typer.Option(min=0.0, metavar="SECONDS", help="Seconds between two requests.")]
TokenFile = Annotated[Path | None, typer.Option(metavar="FILE", help="A file that holds the token.", show_default=False)]


@fetch_app.command("discourse")
def fetch_discourse(
    url: Address,
    topic: Annotated[
        list[int] | None, typer.Option(min=1, metavar="ID", help="Only this topic; may be repeated.", show_default=False)
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Only what was written since.", show_default=False)] = None,
    source: Place = None,
    pause: Pause = 1.0,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Read the posts of a Discourse forum that anybody may read, newest first. Again: only what is new.

    \b
    Example:
      rejoinder fetch discourse https://meta.discourse.org --since 2026-11-01
    """
    from rejoinder.archive.fetchers import discourse
    from rejoinder.archive.fetchers.http import Reader

    day = date_of(since)
    with Reader(url, _manners(pause)) as reader:
        pages = partial(discourse.topics, reader, topic) if topic else partial(discourse.latest, reader, day)
        what = f"{len(topic)} topics" if topic else f"all public posts{f' since {since}' if since else ''}"
        _fetch(f"{what} of {reader.host}", lambda _, mark: pages(mark), discourse.source(reader.base), source or reader.host,
               home, as_json)  # fmt: skip


@fetch_app.command("github")
def fetch_github(
    repository: Annotated[str, typer.Argument(metavar="OWNER/REPO")],
    token_file: TokenFile = None,
    no_discussions: Annotated[bool, typer.Option("--no-discussions", help="Leave its discussions out.")] = False,
    api: Annotated[str | None, typer.Option(metavar="URL", help="Another address of the API.", show_default=False)] = None,
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call it; github, if none.", show_default=False)
    ] = None,
    pause: Pause = 1.0,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Read a repository's issues, pull requests, discussions and comments. Again: only what changed.

    Without a token (--token-file, or GITHUB_TOKEN in the environment) GitHub answers 60 requests an hour, and gives no
    discussions. The token needs no right but to read.

    \b
    Example:
      rejoinder fetch github pallets/flask
    """
    from rejoinder.archive.fetchers import github
    from rejoinder.archive.fetchers.http import Access, Reader

    if repository.count("/") != 1 or not all(repository.split("/")):
        raise UsageError(f"expected OWNER/REPO; got {repository!r}")
    token = _secret(token_file, "--token-file") if token_file else os.environ.get("GITHUB_TOKEN")
    access = Access({"Authorization": f"Bearer {token}"} if token else {})
    too = bool(token) and not no_discussions
    what = f"issues, pull requests{', discussions' if too else ''} and comments of {repository}"
    if not token and not no_discussions:
        note("without a token GitHub gives no discussions: they are left out")
    with Reader(api or github.OFFICIAL, _manners(pause), access) as reader:
        _fetch(what, lambda _, mark: github.changed(reader, repository, mark, discussions=too),
               github.SOURCE, source or "github", home, as_json, repository)  # fmt: skip


@fetch_app.command("zulip")
def fetch_zulip(
    url: Address,
    zuliprc: Annotated[Path, typer.Option(metavar="FILE", help="The file that Zulip gives with an API key.")],
    channel: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this channel; may be repeated.", show_default=False)
    ] = None,
    source: Place = None,
    pause: Pause = 0.5,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Read the channels that one is subscribed to, topic by topic. Again: only what is new.

    \b
    Example:
      rejoinder fetch zulip https://team.zulipchat.com --zuliprc ~/zuliprc --channel help
    """
    from rejoinder.archive.fetchers import zulip
    from rejoinder.archive.fetchers.http import Reader

    with Reader(url, _manners(pause), zulip.access(zuliprc)) as reader:
        _fetch(f"{len(channel) if channel else 'all subscribed'} channels of {reader.host}",
               lambda hasher, mark: zulip.messages(reader, channel or (), hasher, mark), zulip.source(reader.base),
               source or reader.host, home, as_json)  # fmt: skip


@fetch_app.command("zammad")
def fetch_zammad(
    url: Address, token_file: TokenFile = None, source: Place = None, pause: Pause = 0.5, home: Home = None, as_json: Json = False
) -> None:
    """Read the tickets of a Zammad that one may read, with their articles. Again: only what changed.

    \b
    Example:
      rejoinder fetch zammad https://help.example.org --token-file token
    """
    from rejoinder.archive.fetchers import zammad
    from rejoinder.archive.fetchers.http import Access, Reader

    access = Access({"Authorization": f"Token token={_secret(token_file, '--token-file')}"})
    with Reader(url, _manners(pause), access) as reader:
        _fetch(f"the tickets of {reader.host}", lambda _, mark: zammad.tickets(reader, mark), zammad.source(reader.base),
               source or reader.host, home, as_json)  # fmt: skip


@fetch_app.command("chatwoot")
def fetch_chatwoot(
    url: Address,
    account: Annotated[int, typer.Option(min=1, metavar="N", help="The number of the account.")] = 1,
    token_file: TokenFile = None,
    source: Place = None,
    pause: Pause = 0.5,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Read the conversations of a Chatwoot account. Again: only those with new messages.

    \b
    Example:
      rejoinder fetch chatwoot https://chat.example.org --token-file token
    """
    from rejoinder.archive.fetchers import chatwoot
    from rejoinder.archive.fetchers.http import Access, Reader

    access = Access({"api_access_token": _secret(token_file, "--token-file")})
    with Reader(url, _manners(pause), access) as reader:
        _fetch(f"the conversations of account {account} of {reader.host}",
               lambda _, mark: chatwoot.conversations(reader, account, mark), chatwoot.SOURCE,
               source or reader.host, home, as_json, str(account))  # fmt: skip


@fetch_app.command("imap")
def fetch_imap(
    host: Annotated[str, typer.Argument(metavar="HOST")],
    user: Annotated[str, typer.Option(metavar="NAME", help="The name to log in with.")],
    password_file: Annotated[Path | None, typer.Option(metavar="FILE", help="A file that holds the password.")] = None,
    folder: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A folder; may be repeated [INBOX].")] = None,
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 993,
    plain: Annotated[bool, typer.Option("--plain", help="Without TLS; only to this machine.")] = False,
    source: Place = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Read the mails of some folders; nothing is marked as read. Again: only what is new.

    \b
    Example:
      rejoinder fetch imap mail.example.org --user ada --password-file password --folder Lists/tea
    """
    from rejoinder.archive.fetchers import imap

    if plain and host not in ("localhost", "127.0.0.1", "::1"):
        raise UsageError("--plain would send the password in the clear; it is only for a server on this machine")
    folders = folder or ["INBOX"]
    server = imap.connect(host, port, user, _secret(password_file, "--password-file"), tls=not plain)
    with ExitStack() as opened:
        opened.callback(imap.close, server)
        _fetch(f"the mails of {', '.join(folders)} on {host}", lambda hasher, mark: imap.mails(server, folders, hasher, mark),
               imap.SOURCE, source or host, home, as_json)  # fmt: skip


def _fetch(what: str, pages: Pages, source: Source, name: str, home: Path | None, as_json: bool, scope: str = "") -> None:
    """Take in the pages, having said what will be asked for; then say what came."""
    from rejoinder.archive.fetchers.run import Fetch, run
    from rejoinder.archive.places import place
    from rejoinder.archive.store import Counts

    space, counts, began = workspace(home), Counts(), perf_counter()
    kept = keeping("what was read is kept; the same command goes on")
    note(f"reading {what}; it is only read, one request at a time")
    with kept, space.open_archive(create=True) as archive, progress() as report:
        at = place(archive, name, source)
        hasher = space.hasher(name)
        try:
            for page in run(archive, at, Fetch(source, hasher, partial(pages, hasher), scope), counts):
                report("reading pages", page, None)
        finally:
            if as_json:
                print_json({**counts_as_dict(counts), "source": name, "seconds": round(perf_counter() - began, 2)})
            elif counts.lines:
                print_counts(name, counts, perf_counter() - began, "records")
            else:
                note("nothing new")


def _manners(pause: float) -> Manners:
    from rejoinder.archive.fetchers.http import Manners

    return Manners(pause=pause)


def _secret(file: Path | None, option: str) -> str:
    """What is in a file, without the line break at its end."""
    if file is None:
        raise UsageError(f"give {option} FILE: a file that holds it and that nobody else can read")
    try:
        found = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{option} {file}: cannot be read ({error})") from error
    if not found or "\n" in found:
        raise UsageError(f"{option} {file}: expected one line")
    return found
