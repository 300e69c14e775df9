"""Reading from services, each played by a server on loopback: pages, pauses it asks for, breaking off, and only what is new."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from service_server import Answer, Asked, Imap, Service, answer
from test_cli import Rejoinder
from test_cli import rejoinder as _rejoinder

from rejoinder.archive.fetchers.http import Access, Manners, Reader
from rejoinder.archive.places import origin
from rejoinder.archive.store import Archive
from rejoinder.errors import SourceError, UsageError

run = _rejoinder  # the fixture
QUICK = Manners(pause=0, timeout=10, attempts=3, backoff=0.01)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    return file


def fetched(run: Rejoinder, home: Path, *arguments: object) -> dict[str, Any]:
    ran = run("fetch", *arguments, "--home", home, "--json")
    assert ran.code == 0, ran.err
    assert isinstance(ran.json, dict)
    return ran.json


def links(home: Path) -> dict[str, str | None]:
    """Own id -> own id of what a post answers."""
    with Archive.open(home / "archive.db") as archive:
        own = dict(archive.query("SELECT id, own FROM origin"))
        return {own[number]: own.get(parent) for number, parent in archive.query("SELECT id, parent FROM post")}


def url_of(home: Path, own: str) -> str | None:
    with Archive.open(home / "archive.db") as archive:
        ((number,),) = archive.query("SELECT id FROM origin WHERE own = ?", [own])
        found = origin(archive, number)
        return found.url if found else None


# --- manners -------------------------------------------------------------------------------------------------------


def test_a_service_that_is_busy_is_asked_again_as_long_as_it_wants() -> None:
    soon = format_datetime(datetime.now(UTC), usegmt=True)
    with Service(lambda asked: answer({"agent": asked.headers["user-agent"]})) as service, Reader(service.url, QUICK) as reader:
        service.faults = [answer({}, 429, Retry_After="0"), answer({}, 503, Retry_After=soon)]
        assert reader.get("/a", x=1, y=None) == {"agent": "rejoinder (reader)"}
        assert [(asked.path, dict(asked.query)) for asked in service.asked] == [("/a", {"x": ["1"]})] * 3


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (answer({}, 429, Retry_After="7200"), r"asks to wait 120 minutes; the same command goes on"),
        (answer({}, 403, X_RateLimit_Remaining="0", X_RateLimit_Reset="99999999999"), r"asks to wait [\d,]+ minutes"),
        (answer({}, 500), r"status 500 \(3 attempts\)"),
        (answer({}, 401), "it wants a token"),
        (answer({}, 404), "there is nothing there"),
        (answer({}, 301, Location="https://new.example.org"), "it has moved to https://new.example.org"),
        (Answer(200, b"<!doctype html>", {"Content-Type": "text/html"}), r"not JSON \(text/html\)"),
    ],
    ids=lambda value: str(getattr(value, "status", "")),
)
def test_a_service_that_refuses_is_said_so_in_one_line(fault: Answer, said: str) -> None:
    with Service(lambda _: fault) as service, Reader(service.url, QUICK) as reader, pytest.raises(SourceError, match=said):
        reader.get("/a")


def test_a_token_goes_to_the_named_host_alone_and_never_in_the_clear() -> None:
    token = Access({"Authorization": "Bearer s3cret"})
    with pytest.raises(UsageError, match="only sent over https"):
        Reader("http://forum.example.org", QUICK, token)
    assert "s3cret" not in repr(token)
    away = answer([1], Link='<https://elsewhere.example.org/2>; rel="next"')
    with Service(lambda _: away) as service, Reader(service.url, QUICK, token) as reader:  # which is this machine
        pages = reader.pages("/a")
        assert next(pages) == [1]
        with pytest.raises(SourceError, match="its next page is elsewhere"):
            next(pages)


@pytest.mark.parametrize("address", ["forum.example.org", "ftp://x", "http://", "https:///x"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="not an address"):
        Reader(address, QUICK)


# --- Discourse -----------------------------------------------------------------------------------------------------


class Forum:
    """A Discourse: posts by their number in the whole forum; every third number is missing."""

    def __init__(self, count: int, *, window: bool) -> None:
        self.numbers = [number for number in range(1, count + 1) if number % 3]
        self.window = window  # as older servers answer: by numbers, however few there are

    def post(self, number: int) -> dict[str, Any]:
        place = self.numbers.index(number) + 1
        return {
            "id": number, "topic_id": 5, "topic_title": "Tea", "post_number": place, "username": "ada", "raw": f"Cup {place}.",
            "reply_to_post_number": place - 1 if place % 2 else None, "created_at": f"2026-11-{1 + number // 10:02}T00:00:00Z",
        }  # fmt: skip

    def __call__(self, asked: Asked) -> Answer:
        if asked.path == "/posts.json":
            before = int(asked.one("before", str(self.numbers[-1])))
            found = [number for number in reversed(self.numbers) if number <= before]
            found = [number for number in found if number > before - 50] if self.window else found[:50]
            return answer({"latest_posts": [self.post(number) for number in found]})
        if asked.path == "/t/5.json":
            return answer({"id": 5, "title": "Tea", "post_stream": {"posts": [], "stream": self.numbers}})
        if asked.path == "/t/5/posts.json":
            return answer({"post_stream": {"posts": [self.post(int(number)) for number in asked.query["post_ids[]"]]}, "id": 5})
        return answer({}, 404)


@pytest.mark.parametrize("window", [True, False])
def test_a_forum_is_read_from_the_newest_post_down_and_again_only_what_is_new(
    window: bool, tmp_path: Path, run: Rejoinder
) -> None:
    forum = Forum(200, window=window)
    with Service(forum) as service:
        command = ("discourse", service.url, "--pause", 0, "--source", "tea")
        service.faults = [answer({}, 429, Retry_After="0")]
        first = fetched(run, tmp_path, *command)
        assert first["new"] == len(forum.numbers) and first["skipped"] == 0
        found = links(tmp_path)
        assert found["5/1"] is None and found["5/7"] == "5/6" and found["5/8"] == "5/1"
        assert url_of(tmp_path, "5/7") == f"{service.url}/t/5/7"
        asked = len(service.asked)
        assert fetched(run, tmp_path, *command)["lines"] == 0 and len(service.asked) == asked + 1
        forum.numbers += [202, 203]
        again = fetched(run, tmp_path, *command)
        assert again["new"] == 2 and len(service.asked) <= asked + 3


def test_a_forum_that_breaks_off_is_gone_on_with(tmp_path: Path, run: Rejoinder) -> None:
    forum = Forum(200, window=True)
    with Service(forum) as service:
        command = ("fetch", "discourse", service.url, "--pause", 0, "--home", tmp_path)
        broken = iter([answer({}, 404)])
        service.faults = [forum(ask("/posts.json")), forum(ask("/posts.json", before="200")), next(broken)]
        ran = run(*command)
        assert ran.code == 2 and "there is nothing there" in ran.err
        kept = len(links(tmp_path))
        assert kept == 34  # of the numbers 151 to 200
        assert run(*command).code == 0
        assert len(links(tmp_path)) == len(forum.numbers)
        assert "before" in service.asked[-1].query and max(int(one.one("before", "0")) for one in service.asked[4:]) == 150


def ask(path: str, **query: str) -> Asked:
    return Asked("GET", path, {name: [value] for name, value in query.items()}, {})


def test_a_day_ends_the_reading_of_a_forum_and_a_topic_is_read_by_itself(tmp_path: Path, run: Rejoinder) -> None:
    forum = Forum(200, window=True)
    with Service(forum) as service:
        some = fetched(run, tmp_path / "a", "discourse", service.url, "--pause", 0, "--since", "2026-11-17")
        assert 34 <= some["new"] < len(forum.numbers)
        topic = fetched(run, tmp_path / "b", "discourse", service.url, "--pause", 0, "--topic", 5)
        assert topic["new"] == len(forum.numbers)
        forum.numbers.append(202)
        assert fetched(run, tmp_path / "b", "discourse", service.url, "--pause", 0, "--topic", 5)["lines"] == 1


# --- GitHub --------------------------------------------------------------------------------------------------------


class Repository:
    """A repository's lists, 2 rows a page, in the order of what changed."""

    def __init__(self) -> None:
        self.url = ""
        self.rows: dict[str, list[dict[str, Any]]] = {
            "issues": [self.issue(number) for number in range(1, 6)],
            "issues/comments": [self.comment(number, 1 + number % 5) for number in range(11, 14)],
            "pulls/comments": [],
        }

    def issue(self, number: int) -> dict[str, Any]:
        at = f"https://api.github.com/repos/tea/pot/issues/{number}"
        return {
            "url": at, "comments_url": f"{at}/comments", "html_url": f"https://github.com/tea/pot/issues/{number}",
            "number": number, "title": f"It drips {number}", "body": "From the *spout*.", "user": {"login": "ada"},
            "created_at": f"2026-11-0{number}T00:00:00Z", "updated_at": f"2026-11-0{number}T00:00:00Z", "id": 100 + number,
        }  # fmt: skip

    def comment(self, number: int, issue: int) -> dict[str, Any]:
        return {
            "url": f"https://api.github.com/repos/tea/pot/issues/comments/{number}", "id": number, "body": "Glue it.",
            "html_url": f"https://github.com/tea/pot/issues/{issue}#issuecomment-{number}", "user": None,
            "issue_url": f"https://api.github.com/repos/tea/pot/issues/{issue}",
            "created_at": f"2026-11-{number}T00:00:00Z", "updated_at": f"2026-11-{number}T00:00:00Z",
        }  # fmt: skip

    def __call__(self, asked: Asked) -> Answer:
        name = asked.path.removeprefix("/repos/tea/pot/")
        if name not in self.rows or asked.headers.get("authorization") != "Bearer s3cret":
            return answer({"message": "Not Found"}, 404)
        rows = [row for row in self.rows[name] if row["updated_at"] >= asked.one("since")]
        page = int(asked.one("page", "1"))
        more = {"Link": f'<{self.url}{asked.path}?page={page + 1}&since={asked.one("since")}>; rel="next"'}
        return answer(rows[2 * page - 2 : 2 * page], **(more if len(rows) > 2 * page else {}))


def test_a_repository_is_read_page_by_page_and_again_only_what_changed(tmp_path: Path, secret: Path, run: Rejoinder) -> None:
    repository = Repository()
    with Service(repository) as service:
        repository.url = service.url
        command = ("github", "tea/pot", "--api", service.url, "--token-file", secret, "--pause", 0, "--no-discussions")
        first = fetched(run, tmp_path, *command)
        assert first["new"] == 8
        assert links(tmp_path)["tea/pot#2/11"] == "tea/pot#2"
        assert url_of(tmp_path, "tea/pot#2/11") == "https://github.com/tea/pot/issues/2#issuecomment-11"
        assert fetched(run, tmp_path, *command)["lines"] == 0
        repository.rows["issues/comments"].append(repository.comment(14, 3))
        again = fetched(run, tmp_path, *command)
        assert (again["lines"], again["new"]) == (1, 1)
        assert "s3cret" not in (tmp_path / "archive.db").read_bytes().decode("latin-1")


class Discussions:
    """A repository that has discussions alone, asked by GraphQL: 2 to a page, of comments and replies too."""

    def __init__(self) -> None:
        self.threads = [self.thread(number) for number in range(1, 6)]

    def said(self, number: int, where: int) -> dict[str, Any]:
        link = f"https://github.com/tea/pot/discussions/{where}"
        return {
            "id": f"D_{number}", "databaseId": number, "url": f"{link}#discussioncomment-{number}" if number > 9 else link,
            "body": f"Said {number}.", "createdAt": f"2026-11-0{where}T00:00:00Z", "author": {"login": "ada"},
        }  # fmt: skip

    def thread(self, number: int) -> dict[str, Any]:
        comments = [{**self.said(10 * number + one, number), "isAnswer": one == 2} for one in range(number)]
        for comment in comments:
            comment["replies"] = [self.said(10 * comment["databaseId"] + one, number) for one in range(3)]
        more = {"title": f"Tea {number}", "updatedAt": f"2026-11-0{number}T12:00:00Z", "isAnswered": number > 2}
        return {**self.said(number, number), **more, "number": number, "comments": comments}

    def page(self, found: list[dict[str, Any]], after: str | None) -> dict[str, Any]:
        start = int(after or 0)
        nodes = [
            {**one, **{name: self.page(one[name], None) for name in ("comments", "replies") if name in one}} for one in found
        ]
        more = {"hasNextPage": start + 2 < len(found), "endCursor": str(start + 2)}
        return {"nodes": nodes[start : start + 2], "pageInfo": more}

    def __call__(self, asked: Asked) -> Answer:
        if asked.path.startswith("/api/v3/repos/"):
            return answer([])
        if asked.path != "/api/graphql" or asked.headers.get("authorization") != "Bearer s3cret":
            return answer({}, 404)
        said = json.loads(asked.body)
        named, after = said["variables"], said["variables"]["after"]
        if "id" in named:
            below = [*self.threads, *(comment for one in self.threads for comment in one["comments"])]
            holder = next(one for one in below if one["id"] == named["id"])
            name = "comments" if "... on Discussion " in said["query"] else "replies"
            return answer({"data": {"node": {name: self.page(holder[name], after)}}})
        if (named["owner"], named["name"]) != ("tea", "pot"):
            wrong = {"type": "NOT_FOUND", "message": "Could not resolve to a Repository."}
            return answer({"data": {"repository": None}, "errors": [wrong]})
        latest = sorted(self.threads, key=lambda one: one["updatedAt"], reverse=True)
        return answer({"data": {"repository": {"discussions": self.page(latest, after)}}})


RATE_SPENT = answer({"errors": [{"type": "RATE_LIMITED", "message": "Wait."}]}, X_RateLimit_Remaining="0", X_RateLimit_Reset="1")


def test_discussions_are_read_whole_and_again_only_those_that_changed(tmp_path: Path, secret: Path, run: Rejoinder) -> None:
    held = Discussions()
    with Service(held) as service:
        command = ("github", "tea/pot", "--api", f"{service.url}/api/v3", "--token-file", secret, "--pause", 0)
        service.faults = [answer([]), answer([]), answer([]), answer({}, 403, Retry_After="0"), RATE_SPENT]
        first = fetched(run, tmp_path, *command)
        assert (first["new"], first["skipped"]) == (5 + 15 + 45, 0)  # 1 + 2 + ... + 5 comments, 3 replies to each
        found = links(tmp_path)
        assert found["tea/pot#3"] is None and found["tea/pot#3/32"] == "tea/pot#3" and found["tea/pot#3/322"] == "tea/pot#3/32"
        assert url_of(tmp_path, "tea/pot#3/322") == "https://github.com/tea/pot/discussions/3#discussioncomment-322"
        assert fetched(run, tmp_path, *command)["lines"] == 0
        held.threads[1]["comments"].append({**held.said(29, 2), "isAnswer": False, "replies": []})
        assert fetched(run, tmp_path, *command)["lines"] == 0  # nothing says that it changed
        held.threads[1]["updatedAt"] = "2026-11-09T00:00:00Z"
        again = fetched(run, tmp_path, *command)
        assert (again["new"], again["lines"]) == (1, 10)
        assert run("fetch", "github", "tea/cup", *command[2:], "--home", tmp_path).err.count("Could not resolve") == 1
    with Archive.open(tmp_path / "archive.db") as archive:
        solved = {own for (own,) in archive.query("SELECT own FROM origin JOIN post USING (id) WHERE solved = 1")}
    assert solved == {f"tea/pot#{number}" for number in (3, 4, 5)} | {f"tea/pot#{number}/{number}2" for number in (3, 4, 5)}


def test_discussions_that_break_off_are_gone_on_with(tmp_path: Path, secret: Path, run: Rejoinder) -> None:
    held = Discussions()
    with Service(held) as service:
        command = ("github", "tea/pot", "--api", f"{service.url}/api/v3", "--token-file", secret, "--pause", 0)
        first = len(links_after(run, tmp_path / "a", command))
        service.asked.clear()
        once = [held(Asked("GET", "/api/v3/repos/x", {}, {}))] * 3
        begun = json.dumps({"query": "query", "variables": {"owner": "tea", "name": "pot", "after": None}}).encode()
        page = held(Asked("POST", "/api/graphql", {}, {"authorization": "Bearer s3cret"}, begun))
        small = json.loads(page.body)
        small["data"]["repository"]["discussions"]["nodes"] = []  # a page of nothing that needs no further question
        service.faults = [*once, answer(small), answer({}, 404)]
        ran = run("fetch", *command, "--home", tmp_path / "b")
        assert ran.code == 2 and "there is nothing there" in ran.err
        assert len(links_after(run, tmp_path / "b", command)) == first - 2 - 9 - 27  # the two of the page that came empty
        afters = [json.loads(one.body)["variables"]["after"] for one in service.asked if b"orderBy" in one.body]
        assert afters == [None, "2", "2", "4"]


def links_after(run: Rejoinder, home: Path, command: tuple[object, ...]) -> dict[str, str | None]:
    fetched(run, home, *command)
    return links(home)


def test_discussions_want_a_token(tmp_path: Path, run: Rejoinder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    with Service(lambda _: answer([])) as service:
        ran = run("fetch", "github", "tea/pot", "--api", service.url, "--pause", 0, "--home", tmp_path)
        assert ran.code == 0 and "without a token GitHub gives no discussions" in ran.err
        assert [asked.verb for asked in service.asked] == ["GET"] * 3


def test_graphql_is_asked_nothing_that_could_write() -> None:
    with Service(lambda _: answer({"data": {"a": 1}})) as service, Reader(service.url, QUICK) as reader:
        assert reader.question(f"{service.url}/graphql", "query { a }") == {"a": 1}
        for query, address in [
            ("mutation { a }", service.url), ("query a { b } mutation c { d }", service.url), ("query { a }", "https://x.org")
        ]:  # fmt: skip
            with pytest.raises(ValueError, match="only queries are asked"):
                reader.question(f"{address}/graphql", query)
        assert len(service.asked) == 1


# --- Zulip ---------------------------------------------------------------------------------------------------------


class Organisation:
    """A Zulip with one channel and two topics whose messages come in turns."""

    def __init__(self) -> None:
        self.messages = [self.message(number, ("green", "black")[number % 2]) for number in range(1, 8)]

    def message(self, number: int, topic: str) -> dict[str, Any]:
        return {
            "id": number, "sender_id": 9, "sender_full_name": "Ada", "timestamp": 1_700_000_000,
            "content": f"Leaf {number} for @**Bob**", "content_type": "text/x-markdown", "subject": topic, "stream_id": 3,
            "type": "stream", "display_recipient": "tea",
        }  # fmt: skip

    def __call__(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization", "")[:6] != "Basic ":
            return answer({}, 401)
        if asked.path.endswith("/subscriptions"):
            return answer({"subscriptions": [{"name": "tea", "stream_id": 3}]})
        if asked.path.endswith("/3/topics"):
            names = {one["subject"]: one["id"] for one in self.messages}
            return answer({"topics": [{"name": name, "max_id": last} for name, last in names.items()]})
        topic = next(part["operand"] for part in json.loads(asked.one("narrow")) if part["operator"] == "topic")
        found = [one for one in self.messages if one["subject"] == topic and one["id"] >= int(asked.one("anchor"))]
        return answer({"messages": found[:2]})


def test_topics_are_read_and_each_message_follows_the_one_before_across_pages(tmp_path: Path, run: Rejoinder) -> None:
    organisation = Organisation()
    rc = tmp_path / "zuliprc"
    rc.write_text("[api]\nemail=ada@example.org\nkey=abc%1\nsite=x\n")
    with Service(organisation) as service:
        command = ("zulip", service.url, "--zuliprc", rc, "--pause", 0)
        assert fetched(run, tmp_path / "h", *command)["new"] == 7
        green, black = {"2": None, "4": "2", "6": "4"}, {"1": None, "3": "1", "5": "3", "7": "5"}
        assert links(tmp_path / "h") == green | black
        assert fetched(run, tmp_path / "h", *command)["lines"] == 0
        organisation.messages.append(organisation.message(8, "green"))
        assert fetched(run, tmp_path / "h", *command)["new"] == 1
        assert links(tmp_path / "h")["8"] == "6"
        assert url_of(tmp_path / "h", "8") == f"{service.url}/#narrow/near/8"
        ran = run("fetch", "zulip", service.url, "--zuliprc", rc, "--channel", "soup", "--home", tmp_path / "h")
        assert ran.code == 2 and "not subscribed to a channel 'soup'" in ran.err
    rc.write_text("nothing")
    assert "expected [api]" in run("fetch", "zulip", "https://x.org", "--zuliprc", rc, "--home", tmp_path / "h").err


# --- help desks ----------------------------------------------------------------------------------------------------


def test_the_tickets_of_a_zammad_that_changed_are_read(tmp_path: Path, secret: Path, run: Rejoinder) -> None:
    tickets = {number: f"2026-11-01T00:{number % 60:02}:00.000Z" for number in range(1, 103)}

    def article(number: int, ticket: int, sender: str) -> dict[str, Any]:
        return {
            "id": number, "ticket_id": ticket, "sender": sender, "internal": False, "body": "<p>It drips.</p>", "from": "ada",
            "content_type": "text/html", "created_at": f"2026-11-01T00:00:0{number % 2}Z", "subject": "Pot",
        }  # fmt: skip

    def desk(asked: Asked) -> Answer:
        if asked.headers.get("authorization") != "Token token=s3cret":
            return answer({}, 401)
        if asked.path == "/api/v1/tickets":
            listed = [{"id": number, "title": f"Pot {number}", "updated_at": at} for number, at in tickets.items()]
            page = int(asked.one("page"))
            return answer(listed[100 * page - 100 : 100 * page])
        ticket = int(asked.path.rpartition("/")[2])
        return answer([article(2 * ticket, ticket, "Customer"), article(2 * ticket + 1, ticket, "Agent")])

    with Service(desk) as service:
        command = ("zammad", service.url, "--token-file", secret, "--pause", 0)
        assert fetched(run, tmp_path / "h", *command)["new"] == 204
        assert links(tmp_path / "h")["7/15"] == "7/14"
        assert url_of(tmp_path / "h", "7/15") == f"{service.url}/#ticket/zoom/7/15"
        asked = len(service.asked)
        assert fetched(run, tmp_path / "h", *command)["lines"] == 0 and len(service.asked) == asked + 2
        tickets[9] = "2026-11-02T00:00:00.000Z"
        assert fetched(run, tmp_path / "h", *command)["lines"] == 2


def test_the_conversations_of_a_chatwoot_are_read_with_all_their_messages(tmp_path: Path, secret: Path, run: Rejoinder) -> None:
    held = {number: [100 * number + place for place in range(5)] for number in (1, 2, 3)}
    active = {1: 1_700_000_001, 2: 1_700_000_002, 3: 1_700_000_003}

    def desk(asked: Asked) -> Answer:
        if asked.headers.get("api_access_token") != "s3cret":
            return answer({}, 401)
        if asked.path.endswith("/conversations"):
            page = int(asked.one("page"))
            listed = sorted(held, key=lambda number: -active[number])[2 * page - 2 : 2 * page]
            return answer({"data": {"payload": [{"id": number, "last_activity_at": active[number]} for number in listed]}})
        number = int(asked.path.split("/")[-2])
        below = [one for one in held[number] if one < int(asked.one("before", "100000"))][-2:]
        said = {"content": "It drips.", "conversation_id": number, "sender": {"id": 7, "name": "Ada"}}
        kinds = [{"id": one, "message_type": one % 2, "created_at": 1_700_000_000 + one, **said} for one in below]
        return answer({"payload": kinds, "meta": {}})

    with Service(desk) as service:
        command = ("chatwoot", service.url, "--account", 4, "--token-file", secret, "--pause", 0)
        assert fetched(run, tmp_path / "h", *command)["new"] == 15
        assert links(tmp_path / "h")["2/204"] == "2/203" and links(tmp_path / "h")["2/200"] is None
        held[1].append(105)
        active[1] = 1_700_000_009
        again = fetched(run, tmp_path / "h", *command)
        assert again["new"] == 1 and again["updated"] == 0


# --- IMAP ----------------------------------------------------------------------------------------------------------


def mail(number: int, answers: int = 0) -> bytes:
    refers = f"In-Reply-To: <{answers}@x>\r\n" if answers else ""
    return (
        f"From: Ada <ada@example.org>\r\nSubject: Tea\r\nMessage-ID: <{number}@x>\r\n{refers}"
        f"Date: Mon, 2 Nov 2026 10:00:00 +0100\r\n\r\nLeaf {number}.\r\n\r\nFrom here on.\r\n>From there.\r\n"
    ).encode()


def test_folders_are_read_without_a_trace_and_again_only_what_came(tmp_path: Path, secret: Path, run: Rejoinder) -> None:
    folders = {'Lists/te"a': [(3, mail(1)), (8, mail(2, 1))], "INBOX": [(1, mail(3))]}
    with Imap(folders, "s3cret") as server:
        command = ("imap", "127.0.0.1", "--port", server.port, "--plain", "--user", "ada", "--password-file", secret)
        both = (*command, "--folder", 'Lists/te"a', "--folder", "INBOX")
        assert fetched(run, tmp_path / "h", *both)["new"] == 3
        assert links(tmp_path / "h") == {"1@x": None, "2@x": "1@x", "3@x": None}
        with Archive.open(tmp_path / "h" / "archive.db") as archive:
            texts = {post.text for post in archive.posts("1")}
        assert "Leaf 1.\n\nFrom here on.\n> From there." in texts
        assert fetched(run, tmp_path / "h", *both)["lines"] == 0
        folders["INBOX"].append((2, mail(4, 3)))
        assert fetched(run, tmp_path / "h", *both)["new"] == 1
        server.valid = 8  # the folder was made anew: its numbers mean other mails
        assert fetched(run, tmp_path / "h", *both)["unchanged"] == 4
        assert not any("STORE" in said or "SELECT" in said or "RFC822" in said for said in server.said)
        assert all("BODY.PEEK[]" in said for said in server.said if "FETCH" in said)
        wrong = run("fetch", *command, "--folder", "nope", "--home", tmp_path / "h")
        assert wrong.code == 2 and "no folder 'nope'" in wrong.err
        secret.write_text("wrong")
        assert "does not let ada in" in run("fetch", *command, "--home", tmp_path / "h").err
    plain = run(
        "fetch", "imap", "mail.example.org", "--plain", "--user", "a", "--password-file", secret, "--home", tmp_path / "h"
    )
    assert plain.code == 2 and "in the clear" in plain.err


def test_a_folder_is_named_as_people_read_it(tmp_path: Path, secret: Path, run: Rejoinder) -> None:
    with Imap({"Entw&APw-rfe": [(1, mail(1))], "R&-D": [(1, mail(2))]}, "s3cret") as server:
        command = ("imap", "127.0.0.1", "--port", server.port, "--plain", "--user", "ada", "--password-file", secret)
        assert fetched(run, tmp_path / "h", *command, "--folder", "Entwürfe", "--folder", "R&D")["new"] == 2
        assert fetched(run, tmp_path / "h", *command, "--folder", "Entw&APw-rfe")["new"] == 0
        wrong = run("fetch", *command, "--folder", "日本語", "--home", tmp_path / "h")
        assert wrong.code == 2 and "no folder '日本語'" in wrong.err
        assert 'EXAMINE "&ZeVnLIqe-"' in server.said[-2] + server.said[-3]


def test_forgetting_a_place_forgets_how_far_it_was_read(tmp_path: Path, run: Rejoinder) -> None:
    forum = Forum(40, window=True)
    with Service(forum) as service:
        fetched(run, tmp_path, "discourse", service.url, "--pause", 0, "--source", "tea")
        assert run("forget", "--source", "tea", "--home", tmp_path).code == 0
        with Archive.open(tmp_path / "archive.db") as archive:
            assert not list(archive.query("SELECT 1 FROM meta WHERE key LIKE 'bookmark %'"))
