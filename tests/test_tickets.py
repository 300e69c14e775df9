"""Help desks and services that take mail in: what a mail only carries along is no words of its writer there either."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rejoinder.archive import registry
from rejoinder.archive.source import Hasher
from rejoinder.post import Post, unquoted

TEXT = "Press the seal back.\n\n-- \nBob, Kettle Support\nMain Street 1\n\nOn Mon, 1 Jan 2024, Ada wrote:\n> It drips."
OLD = "Press the seal back.\r\n\r\n-----Original Message-----\r\nFrom: Ada\r\nSent: Monday\r\n\r\nIt drips."
HTML = (
    "<p>Press the seal back.</p><div>{}</div><div><b>From:</b> Ada<br><b>Sent:</b> Monday<br><b>To:</b> Bob</div><p>It drips.</p>"
)
SIGNED = '<div data-signature="true" data-signature-id="1">Bob, Kettle Support<br>Main Street 1</div>'
ON = "2024-01-01T10:00:00Z"
ARTICLE = {
    "id": 1,
    "ticket_id": 7,
    "type": "email",
    "sender": "Agent",
    "from": "Bob <b@x.org>",
    "internal": False,
    "created_at": ON,
}
COMMENT = {"id": 51, "author_id": 9, "public": True, "created_at": ON, "via": {"channel": "email"}}
ISSUE = "https://api.github.com/repos/o/r/issues/3"
BY_MAIL = (
    "Press the seal back.\r\n\r\nOn Mon, 1 Jan 2024 at 10:00, Bob <notifications@github.com> wrote:\r\n\r\n> It drips.\r\n>\r\n"
    "> —\r\n> Reply to this email directly\r\n\r\nBob\r\n-- \r\nKettle Support"
)

FILES: dict[str, tuple[str, Any]] = {
    "plain mail of Zammad": ("zammad", [{**ARTICLE, "content_type": "text/plain", "body": TEXT}]),
    "an older mailer": ("zammad", [{**ARTICLE, "content_type": "text/plain", "body": OLD}]),
    "HTML of Zammad": ("zammad", [{**ARTICLE, "content_type": "text/html", "body": HTML.format(SIGNED)}]),
    "Zendesk": ("zendesk", {"comments": [{**COMMENT, "plain_body": TEXT}]}),
    "HTML of Zendesk": ("zendesk", {"comments": [{**COMMENT, "html_body": HTML.format('<div class="signature">Bob</div>')}]}),
    "Freshdesk": (
        "freshdesk",
        {
            "id": 1, "requester_id": 9, "source": 1, "created_at": ON, "description": HTML.format("--<br>Bob"),
            "conversations": [],
        },
    ),
    "FreeScout": (
        "freescout",
        {
            "id": 1, "subject": "Kettle",
            "_embedded": {"threads": [
                {"id": 1, "type": "customer", "source": {"type": "email", "via": "customer"},
                 "body": HTML.format("--<br>Bob"), "createdAt": ON}
            ]},
        },
    ),
    "Chatwoot": (
        "chatwoot",
        {"payload": [
            {"id": 1, "content": TEXT, "message_type": 0, "content_type": "incoming_email",
             "conversation_id": 3, "created_at": 1704103200}
        ]},
    ),
    "GitHub": ("github", [{"id": 1, "issue_url": ISSUE, "user": {"login": "bob"}, "created_at": ON, "body": BY_MAIL}]),
    "Discourse": (
        "discourse",
        {"post_stream": {"posts": [{
            "id": 1, "post_number": 1, "topic_id": 3, "created_at": ON, "username": "bob",
            "cooked": '<p>Press the seal back.</p><details class="elided"><summary>···</summary><p>-- <br>Bob</p></details>',
        }]}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_mail_that_a_service_took_in_is_read_as_mail(name: str, tmp_path: Path) -> None:
    form, holds = FILES[name]
    file = tmp_path / "saved.json"
    file.write_text(json.dumps(holds), encoding="utf-8")
    source = registry.source(form)
    assert source.recognises(file) or form == "freshdesk"
    (post,) = (item for item in source.read(file, Hasher(b"key", form)) if isinstance(item, Post))
    said = "Press the seal back. Bob" if form == "github" else "Press the seal back."
    assert unquoted(post.text).split() == said.split()
    assert "> " in post.text


def test_what_was_said_elsewhere_in_a_ticket_keeps_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "saved.json"
    file.write_text(json.dumps([{**ARTICLE, "type": "note", "content_type": "text/plain", "body": "One.\n\n-- \ntwo"}]))
    (post,) = registry.source("zammad").read(file, Hasher(b"key", "zammad"))
    assert isinstance(post, Post) and post.text == "One.\n\n--\ntwo"
