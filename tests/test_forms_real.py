"""Files of most forms as people really have them, through `rejoinder import`, against what was counted in them by hand.

The counts are those of `../shared/data/forms/README.md`, which also says where each file comes from; the files are not part of
the repository, and a line whose file is absent is skipped. Where we link more posts than were counted there, the line says why:

    topic   a Discourse post that answers none by name answers the opening post; so do posts of other forums and tickets
    turn    a message of a chat that answers none by name answers the one before it, unless it came long after
    subject a mail without any header that names what it answers answers the first mail of its subject
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import find_real_data
from test_cli import Rejoinder
from test_cli import rejoinder as _rejoinder

from rejoinder.archive.info import read_info
from rejoinder.archive.intake import Unit, units
from rejoinder.archive.source import Hasher, Skipped
from rejoinder.archive.store import Archive
from rejoinder.errors import RejoinderError
from rejoinder.post import Post

run = _rejoinder  # the fixture
pytestmark = pytest.mark.real_data


class Holds(NamedTuple):
    """What one file holds."""

    form: str
    posts: int
    threads: int | None = None  # None: not counted
    parents: int | None = None  # posts whose parent is in the file
    skipped: int | None = 0


ONE_MAIL = Holds("mbox", 1, 1, 0)  # a file of one mail that begins with a "From " line is an mbox
ONE_EML = Holds("eml", 1, 1, 0)
HELD = {
    "mbox/perceval/mbox_complex.mbox": Holds("mbox", 2, 2, 0),
    "mbox/perceval/mbox_multipart.mbox": Holds("mbox", 2),
    "mbox/perceval/mbox_iso8859_encoding.mbox": ONE_MAIL,
    "mbox/perceval/mbox_unixfrom_encoding.mbox": ONE_MAIL,
    "mbox/perceval/mbox_unknown_encoding.mbox": ONE_MAIL,
    # 6 mails, of which 4 have one id, the last one's word standing; the one without an id answers it, by subject
    "mbox/perceval/mbox_no_fields.mbox": Holds("mbox", 3, 2, 1),
    "mbox/groupsio_messages.mbox": Holds("mbox", 49, 49, 0),
    "pipermail/r-sig-finance-2004q2.txt": Holds("mbox", 37, 22, 15),
    "pipermail/r-sig-finance-2022q3.txt": Holds("mbox", 8, 3, 5),
    "pipermail/twisted-web-2004-August.txt.gz": Holds("mbox", 38, 8, 30),
    "pipermail/divunal-devel-1999-July.txt": Holds("mbox", 21, 8, 13),  # subject: no mail there has an id
    "pipermail/perceval_2015_november.mbox": Holds("mbox", 4, 2, 2),
    "eml/hyperkitty/attachment-1.eml": ONE_EML,
    "eml/hyperkitty/attachment-2.eml": ONE_EML,
    "eml/hyperkitty/attachment-4.eml": ONE_EML,
    "eml/hyperkitty/html-email-1.eml": ONE_EML,
    "eml/hyperkitty/non-ascii-headers.eml": Holds("mbox", 6, 4, 2),  # six mails, for all its name
    "eml/hyperkitty/payload-iso8859.eml": ONE_MAIL,
    "eml/hyperkitty/payload-unknown.eml": ONE_MAIL,
    "eml/hyperkitty/payload-utf8.eml": ONE_MAIL,
    "eml/hyperkitty/strange-in-reply-to-header.eml": ONE_MAIL,
    "eml/hyperkitty/wrong-in-reply-to-header.eml": ONE_MAIL,
    "maildir/cypherpunks": Holds("maildir", 39, 3, 36),
    **{
        f"public-inbox/eml/{name}.eml": ONE_EML
        for name in (
            "attached-mbox-with-utf8 filter_base-xhtml iso-2202-jp mda-mime message_embed msg_iter-nested plack-qp psgi_attach "
            "utf8 x-unknown-alpine"
        ).split()
    },
    "public-inbox/v1-made.git.tar.gz": Holds("public-inbox", 9, 1, 8),
    "public-inbox/v2-made.tar.gz": Holds("public-inbox", 9, 1, 8),
    "usenet/perceval_nntp_1.txt": ONE_EML,
    "usenet/perceval_nntp_2.txt": ONE_EML,
    "usenet/perceval_nntp_parsing_error.txt": ONE_EML,
    "usenet/google-usenet-mbox-header.mbox": ONE_MAIL,
    "discourse/topic_1148_full.json": Holds("discourse", 20, 1, 19),  # 9 by name, 10 by topic
    "discourse/t_2144_posts.json": Holds("discourse", 20, 1),  # 11 by name, the others by topic; number 7 is missing
    "discourse/posts.json": Holds("discourse", 30, 6, 19),  # 17 by name, 2 by topic
    "zulip/archive/bytecodealliance_general_no-topic.json": Holds("zulip", 42, 1, 41),  # turn
    "zulip/archive/lean_general_omega.json": Holds("zulip", 11, 1, 10),  # turn
    # 158 rows: 49 plain; 94 bot, 8 join, 3 bot_add, 3 file_share, 1 file_comment. 26 parents by turn
    "slack/export": Holds("slack", 49, 23, 26, 109),
    "slack/export.zip": Holds("slack", 49, 23, 26, 109),
    "slack/api_history_perceval.json": Holds("slack-file", 4, 1, 3, 3),  # turn
    "slack/zulip-fixtures/normal_thread.json": Holds("slack-file", 4, 2, 2),
    "slack/zulip-fixtures/thread_with_broadcast_reply.json": Holds("slack-file", 3, 1, 2),
    "slack/zulip-fixtures/api_conversations_replies.json": Holds("slack-file", 4, 1, 3),
    "discord/chat-analytics_SV_5A_5M.json": Holds("discord", 4, 1, 3),  # turn; one of 5 rows is there twice
    "discord/chat-analytics_GC_4A_6M.json": Holds("discord", 3, skipped=3),
    "discord/chat-analytics_DM_2A_2M.json": Holds("discord", 2, 2, 0, 1),
    "discord/Test Server - Text - general [100].json": Holds("discord", 5, 1, 4, 2),  # 1 by name, 3 by turn
    "discord/Test Server - general - Test Thread [200].json": Holds("discord", 2, 1, 1),  # turn
    "telegram/chat-miner_single_export.json": Holds("telegram", 2, 1, 1),  # turn
    "telegram/chat-miner_batch_export.json": Holds("telegram", 2, 1, 1),  # turn
    "telegram/bot_api_getUpdates.json": Holds("telegram", 3, 2, 1),  # turn: two chats
    "whatsapp/chat-analytics_2A_5M.txt": Holds("whatsapp", 4, 1, 3, 1),  # turn; one of 5 is a picture
    "whatsapp/chat-analytics_4A_11M.txt": Holds("whatsapp", 11, 1, 10, 3),  # turn
    "whatsapp/chat-miner_mmddyy_24hrs.txt": Holds("whatsapp", 7, 7, 0, 2),  # days apart
    "whatsapp/chat-miner_mmddyyyy_12hrs.txt": Holds("whatsapp", 7, 7, 0, 2),
    "whatsapp/chat-miner_yyyymmdd_24hrs.txt": Holds("whatsapp", 7, 7, 0, 2),
    "signal/chat-miner_test_export.txt": Holds("signal", 2, 2, 0),
    "messenger/2A_7M.json": Holds("messenger", 3, 1, 2, 4),  # turn; 4 of 7 hold a picture or a call
    "reddit/api/comments_57dw9a.json": Holds("reddit", 146, 1, 145, 1),
    "reddit/api/info_t1_d8r4im1.json": Holds("reddit", 1, 1, 0),
    "reddit/pushshift/RC_2024-02_sample.ndjson": Holds("reddit", 27, None, 0),
    "reddit/pushshift/RS_2024-02_sample.ndjson": Holds("reddit", 31, 31, 0),
    "reddit/pushshift/RC_2007-2015_old-rows.ndjson": Holds("reddit", 4, None, 0),
    "stackexchange/history-meta/Posts.xml": Holds("stackexchange", 196, 60, 136),
    "stackexchange/history-meta/Comments.xml": Holds("stackexchange", 313, None, 0),  # on the posts of the other file
    "stackexchange/coffee/Posts.xml": Holds("stackexchange", 115, 40, 75),
    "github/rest/github_issue_1.json": Holds("github", 1, 1, 0),
    "github/rest/github_issue_2_with_pr.json": Holds("github", 1, 1, 0),
    "github/rest/github_issue_comments_1.json": Holds("github", 1, 1, 0),
    "github/rest/github_issue_comments_2.json": Holds("github", 1, 1, 0),
    "github/rest/github_request_pull_request_1_comments.json": Holds("github", 2, 1, 0),
    "github/rest/github_request_pull_request_1_reviews.json": Holds("github", 2, 1, 0),
    "github/rest/github_request_pull_request_2_comments.json": Holds("github", 4, 1, 0),
    "github/graphql/issueList.json": Holds("github", 3, 3, 0),
    "github/graphql/issueView_previewSingleComment.json": Holds("github", 2, 1, 1),
    "gitlab/issue_page_1.json": Holds("gitlab", 2, 2, 0),
    "gitlab/notes_1.json": Holds("gitlab", 1, 1, 0, 1),
    "gitlab/notes_2.json": Holds("gitlab", 1, 1, 0),
    "gitter/message_page_1.json": Holds("gitter", 1, 1, 0),
    "mattermost/mattermost_posts_next.json": Holds("mattermost", 2, 1, 1, 2),  # turn
    "mattermost/bulk_export_post_with_replies.json": Holds("mattermost", 4, 1, 3),
    "hn/algolia_item_17.json": Holds("hn", 3, 1, 2),
    "hn/clickhouse_hackernews.csv": Holds("hn", 1000, 1000, 0),
    "lobsters/saved_post.json": Holds("lobsters", 1, 1, 0),
    "mastodon/status_0.json": Holds("mastodon", 1, 1, 0),
    "mastodon/status_2.json": Holds("mastodon", 1, 1, 0),
    "mastodon/status_0_context.json": Holds("mastodon", 2),
    "phpbb/content_visibility_set_post_visibility.xml": Holds("phpbb", 13, 5, 8),  # topic
    "phpbb/search_posts.xml": Holds("phpbb", 4, 4, 0),
    "phpbb/text_reparser_plugins_posts.xml": Holds("phpbb", 10, 10, 0),
    "phpbb/notification_submit_post_notification.type.quote.xml": Holds("phpbb", 1, 1, 0),
    "vbulletin-visbot/threads/1/1.json": Holds("forum-pages", 6, 1, 5),  # topic
    "vbulletin-visbot/threads/1/2.json": Holds("forum-pages", 6, 1, 5),  # topic
    "helpdesk/freshdesk_ticket_with_conversations.json": Holds("freshdesk", 3, 1, 2, 1),  # topic; one is private
}
REFUSED = {  # files that hold no posts, and a field of each that the error must name
    "discourse/latest_topics.json": "topic_list",
    "stackexchange/history-meta/Users.xml": "it begins with",
    "slack/export/channels.json": "members",
    "slack/export/users.json": "real_name",
    "slack/export/integration_logs.json": "change_type",
    "askbot/api_questions.json": "questions",
    "vbulletin-visbot/forums/1.json": "totalPages",
    "vbulletin-visbot/members/1.json": "joinDate",
    "hn/algolia_search_hit_2023_comment.json": "objectID",  # a hit without its words
    "slack/SHAPE.md": "it begins with",
    "zulip/SHAPE.md": "it begins with",
}

LATE = {"github/graphql/issueView_previewSingleComment.json": 2}  # its repository, part of each id, stands at the end


def real(name: str) -> Path:
    data = find_real_data()
    path = None if data is None else data / "forms" / name
    if path is None or not path.exists():
        pytest.skip(f"{name} is not here")
    return path


def imported(path: Path, home: Path, run: Rejoinder) -> dict[str, Any]:
    """What `rejoinder import --json` says of the one thing it was given."""
    ran = run("import", path, "--home", home, "--json")
    answer = ran.json
    assert ran.code == 0 and not answer["errors"]
    (counts,) = answer["files"]
    assert counts["lines"] == counts["new"] + counts["updated"] + counts["unchanged"] + counts["skipped"]
    assert isinstance(counts, dict)
    return counts


@pytest.mark.parametrize("name", sorted(HELD))
def test_a_real_file_holds_what_was_counted_in_it_and_the_same_again_changes_nothing(
    name: str, tmp_path: Path, run: Rejoinder
) -> None:
    path, expected = real(name), HELD[name]
    counts = imported(path, tmp_path, run)
    with Archive.open(tmp_path / "archive.db") as archive:
        info = read_info(archive)
        before = sorted(archive.posts("1"))
        links = dict(archive.query("SELECT id, parent FROM post"))
        own = dict(archive.query("SELECT id, own FROM origin"))
    assert (counts["form"], info.posts, counts["new"]) == (expected.form, expected.posts, expected.posts)
    assert expected.threads in (None, info.threads)
    assert expected.parents in (None, sum(parent in links for parent in links.values()))
    assert expected.skipped in (None, counts["skipped"])
    found = {own.get(child): own.get(parent) for child, parent in links.items()}
    for child, parent in named_parents(path, expected.form).items():
        assert found[child] == parent
    again = imported(path, tmp_path, run)
    assert (again["new"], again["skipped"], again["moved"]) == (0, counts["skipped"], 0)
    with Archive.open(tmp_path / "archive.db") as archive:
        assert sorted(archive.posts("1")) == before


@pytest.mark.parametrize(
    ("name", "accepted", "closed"),
    [
        ("stackexchange/history-meta/Posts.xml", 17, 17),
        ("stackexchange/coffee/Posts.xml", 23, 23),
        ("discourse/posts.json", 0, 0),
        ("helpdesk/freshdesk_ticket_with_conversations.json", 0, 1),
    ],
)
def test_what_was_accepted_in_a_real_file_is_known(name: str, accepted: int, closed: int, tmp_path: Path, run: Rejoinder) -> None:
    imported(real(name), tmp_path, run)
    with Archive.open(tmp_path / "archive.db") as archive:
        solved = [post for post in archive.posts("1") if post.solved]
    assert (sum(post.parent is not None for post in solved), sum(post.parent is None for post in solved)) == (accepted, closed)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_real_file_without_posts_is_refused_with_what_is_in_it(name: str, tmp_path: Path, run: Rejoinder) -> None:
    path = real(name)
    ran = run("import", path, "--home", tmp_path)
    said = ran.err.strip()
    assert ran.code == 2 and REFUSED[name] in said and len(said.splitlines()) == 1
    if (tmp_path / "archive.db").exists():  # where there were records, but no post in them
        with Archive.open(tmp_path / "archive.db") as archive:
            assert archive.is_empty


@pytest.mark.parametrize("name", sorted(name for name in HELD if not name.endswith((".gz", ".zip"))))
def test_a_real_file_that_is_cut_short_keeps_its_complete_records(name: str, tmp_path: Path) -> None:
    path = real(name)
    if path.is_dir():
        pytest.skip("a folder")
    whole = {post.id: post for post in read(path, tmp_path)}
    data = path.read_bytes()
    cut = tmp_path / path.name
    last = 0
    for share in (2, 5, 9, 13, 17, 19):
        cut.write_bytes(data[: len(data) * share // 20])
        kept = {post.id: post for post in read(cut, tmp_path)}
        strange = [number for number, post in kept.items() if number not in whole or post.text != whole[number].text]
        assert len(strange) <= LATE.get(name, 1)
        assert len(kept) >= last - 1
        last = len(kept)
    if len(whole) >= 20:
        assert last >= len(whole) * 0.7  # of 19 of 20 parts; records differ in size


def read(path: Path, scratch: Path) -> Iterator[Post]:
    """The posts of a file as far as they can be read."""
    for unit in units(path, None, scratch / "scratch"):
        if isinstance(unit, Unit):
            try:
                for item in unit.source.read(unit.path, Hasher(b"key", unit.source.name)):
                    assert isinstance(item, Post | Skipped)
                    if isinstance(item, Post):
                        yield item
            except RejoinderError as error:
                assert "\n" not in str(error)


# --- what the files themselves name, read anew ---------------------------------------------------------------------


def named_parents(path: Path, form: str) -> dict[str, str]:
    """Which post answers which, of those in the file, as the file itself says: own ids, read without our sources."""
    if form in ("mbox", "maildir", "eml"):
        return mail_parents(path)
    if form in ("discourse", "reddit", "discord", "mattermost"):
        return JSON_PARENTS[form](json.loads(path.read_text("utf-8-sig"))) if path.suffix == ".json" else {}
    if form == "slack-file":
        return slack_parents(json.loads(path.read_text("utf-8")))
    if form == "stackexchange" and path.name == "Posts.xml":
        rows = re.findall(r'<row Id="(\d+)" PostTypeId="2"[^>]*? ParentId="(\d+)"', path.read_text("utf-8-sig"))
        assert rows
        return dict(rows)
    return {}


def mail_parents(path: Path) -> dict[str, str]:
    """By In-Reply-To, else the last of References."""
    if path.suffix == ".gz":
        return {}
    files = sorted(path.glob("cur/*")) if path.is_dir() else [path]
    mails = [mail for file in files for mail in re.split(rb"(?m)^From .*\n(?=[A-Z][A-Za-z-]+:)", file.read_bytes()) if mail]
    heads = [re.sub(rb"\r?\n[ \t]+", b" ", re.split(rb"\r?\n\r?\n", mail)[0]).decode("latin-1") for mail in mails]
    ids = [named_ids(head, "message-id") for head in heads]
    here = {found[0] for found in ids if found}
    above = [named_ids(head, "in-reply-to") or named_ids(head, "references")[-1:] for head in heads]
    pairs = ((own[0], named[0]) for own, named in zip(ids, above, strict=True) if own and named)
    return {own: named for own, named in pairs if named in here and named != own}


def named_ids(head: str, name: str) -> list[str]:
    return [found for line in re.findall(rf"(?im)^{name}:(.*)$", head) for found in re.findall(r"<([^<>]+)>", line)]


def discourse_parents(value: Any) -> dict[str, str]:
    posts = value.get("latest_posts") or value["post_stream"]["posts"]
    numbers = {(post["topic_id"], post["post_number"]) for post in posts}
    said = ((post["topic_id"], post["post_number"], post.get("reply_to_post_number")) for post in posts)
    return {f"{topic}/{own}": f"{topic}/{above}" for topic, own, above in said if above and (topic, above) in numbers}


def reddit_parents(value: Any) -> dict[str, str]:
    found: list[dict[str, Any]] = []
    waiting = [value]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict) and here.get("kind") in ("t1", "t3"):
            found.append(here["data"])
        waiting += here if isinstance(here, list) else here.values() if isinstance(here, dict) else ()
    names = {post["name"] for post in found}
    return {post["name"]: post["parent_id"] for post in found if post.get("parent_id") in names}


def discord_parents(value: Any) -> dict[str, str]:
    ids = {message["id"] for message in value["messages"]}
    said = ((message["id"], (message.get("reference") or {}).get("messageId")) for message in value["messages"])
    return {own: above for own, above in said if above in ids}


def mattermost_parents(value: Any) -> dict[str, str]:
    posts = value.get("posts", {})
    return {own: post["root_id"] for own, post in posts.items() if post.get("root_id")}


def slack_parents(value: Any) -> dict[str, str]:
    messages = value["messages"] if isinstance(value, dict) else value
    channel = next((message["channel_name"] for message in messages if "channel_name" in message), None)
    said = ((message["ts"], message.get("thread_ts")) for message in messages)
    replies = {own: above for own, above in said if above not in (None, own)}
    return {f"{channel}/{own}": f"{channel}/{above}" for own, above in replies.items()} if channel else {}


JSON_PARENTS = {
    "discourse": discourse_parents, "reddit": reddit_parents, "discord": discord_parents, "mattermost": mattermost_parents,
}  # fmt: skip
