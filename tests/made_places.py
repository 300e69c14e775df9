"""Invented discussions in five forms, large enough to learn from: each place speaks of things of its own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import formatdate
from html import escape
from itertools import product
from pathlib import Path
from typing import NamedTuple

BEGIN = 1_700_000_000  # seconds


class Talk(NamedTuple):
    """A question and its answer."""

    title: str
    question: str
    answer: str


def talks(things: str, faults: str, cures: str) -> list[Talk]:
    """Every fault of every thing, with its cure; words are parted by "|"."""
    named, remedies = things.split("|"), dict(zip(faults.split("|"), cures.split("|"), strict=True))
    return [
        Talk(f"{thing} {fault}", f"My {thing} {fault} since last week. What should I try first?", f"With a {thing}, {cure}.")
        for thing, (fault, cure) in product(named, remedies.items())
    ]


KETTLES = talks(
    "copper kettle|steel kettle|glass kettle|travel kettle|gooseneck kettle|enamel kettle|whistling kettle|camping kettle",
    "tastes of metal|is full of scale|drips at the spout|boils too slowly|switches off early",
    "boil it three times with vinegar and rinse well|leave citric acid in it overnight|press the seal back with a warm spoon|"
    "clean the heating plate and check the socket|bend the thermostat's tongue a little towards the steam",
)
BOATS = talks(
    "dinghy|catamaran|sloop|ketch|kayak|rowing boat|yawl|barge",
    "leans to port|takes on water|steers heavily|rattles at anchor|smells of diesel",
    "shift the ballast until the waterline is level|find the leaking through-hull with dye|"
    "grease the rudder bearings before you sail|"
    "put rubber under the chain where it meets the bow|replace the fuel hose before you blame the tank",
)
PRINTERS = talks(
    "laser printer|inkjet printer|label printer|plotter|thermal printer|photo printer|badge printer|line printer",
    "prints blank pages|jams on every sheet|is not found|prints in green|is very loud",
    "shake the toner and pull off the orange tape|fan the paper and turn the stack over|give it a fixed address in the router|"
    "run the cleaning three times and wait an hour|tighten the four screws of the feeder",
)
BEES = talks(
    "top-bar hive|observation hive|log hive|Warre hive|Langstroth hive|straw skep|nucleus hive|polystyrene hive",
    "swarms too early|has no queen|lost its brood|is robbed by wasps|hums all night",
    "give the colony more room above the brood|unite it with a neighbour through newspaper|"
    "treat the mites as soon as the honey is off|"
    "narrow the entrance to the width of a bee|leave it alone, for they only dry the nectar",
)
ROOFS = talks(
    "slate roof|thatched roof|tin roof|green roof|shingle roof|flat roof|glass roof|tiled roof",
    "leaks in the corner|creaks in the wind|grows moss|sweats inside|loses pieces",
    "lift the flashing and seal the valley beneath it|add a strap to every second rafter|fix a copper strip along the ridge|"
    "open the eaves so that air can pass|walk on planks and nail from below",
)


def discourse(folder: Path, made: list[Talk] = KETTLES) -> Path:
    """A file a topic, as `/t/ID.json` gives it."""
    folder.mkdir()
    for topic, talk in enumerate(made, start=1):
        said = [(talk.question, None), (talk.answer, 1)]
        posts = [
            {
                "id": 10 * topic + number, "topic_id": topic, "post_number": number, "username": ("mo", "flo")[number - 1],
                "raw": text, "cooked": f"<p>{escape(text)}</p>", "reply_to_post_number": above,
                "created_at": datetime.fromtimestamp(BEGIN + 9000 * topic + 60 * number, UTC).isoformat(),
            }
            for number, (text, above) in enumerate(said, start=1)
        ]  # fmt: skip
        whole = {"post_stream": {"posts": posts, "stream": [post["id"] for post in posts]}, "title": talk.title, "id": topic}
        (folder / f"{topic}.json").write_text(json.dumps(whole))
    return folder


def mbox(file: Path, made: list[Talk] = BOATS) -> Path:
    """A list's archive."""
    mails = []
    for number, talk in enumerate(made, start=1):
        first, second = f"<q{number}@boats.example>", f"<a{number}@boats.example>"
        quoted = "".join(f"> {line}\n" for line in talk.question.splitlines())
        mails += [
            ("ida", f"Subject: [boats] {talk.title}\nMessage-ID: {first}", talk.question),
            (
                "bo",
                f"Subject: Re: [boats] {talk.title}\nMessage-ID: {second}\nIn-Reply-To: {first}",
                f"Ida wrote:\n{quoted}\n{talk.answer}",
            ),
        ]
    at = [(formatdate(BEGIN + 500 * place), *mail) for place, mail in enumerate(mails)]
    file.write_text(
        "".join(f"From x@boats.example Thu Jan  1 00:00:00 2026\nFrom: {who}@boats.example\nDate: {when}\n{head}\n\n{text}\n\n"
                for when, who, head, text in at)
    )  # fmt: skip
    return file


def slack(folder: Path, made: list[Talk] = PRINTERS) -> Path:
    """An export of a workspace, all in threads."""
    (folder / "help").mkdir(parents=True)
    (folder / "channels.json").write_text('[{"id": "C1", "name": "help"}]')
    (folder / "users.json").write_text("[]")
    rows = []
    for number, talk in enumerate(made, start=1):
        ts, after = f"{BEGIN + 9000 * number}.000100", f"{BEGIN + 9000 * number + 60}.000200"
        rows += [
            {"type": "message", "user": "U1", "ts": ts, "thread_ts": ts, "text": talk.question},
            {"type": "message", "user": "U2", "ts": after, "thread_ts": ts, "text": f"<@U1>: {talk.answer}"},
        ]
    (folder / "help" / "2023-11-15.json").write_text(json.dumps(rows))
    return folder


def stackexchange(file: Path, made: list[Talk] = BEES) -> Path:
    """Posts.xml of a dump."""
    rows = []
    for number, talk in enumerate(made, start=1):
        day = f'CreationDate="2025-01-{1 + number % 28:02}T10:00:00.000"'
        rows += [
            f'  <row Id="{2 * number}" PostTypeId="1" AcceptedAnswerId="{2 * number + 1}" {day} Title="{talk.title}" '
            f'Body="&lt;p&gt;{escape(talk.question)}&lt;/p&gt;" OwnerUserId="5" Score="2" />\n',
            f'  <row Id="{2 * number + 1}" PostTypeId="2" ParentId="{2 * number}" {day} '
            f'Body="&lt;p&gt;{escape(talk.answer)}&lt;/p&gt;" OwnerUserId="6" Score="4" />\n',
        ]
    file.write_text(f'<?xml version="1.0" encoding="utf-8"?>\n<posts>\n{"".join(rows)}</posts>\n')
    return file


def github(file: Path, made: list[Talk] = ROOFS) -> Path:
    """What `gh issue list --json ...` prints."""
    issues = [
        {
            "number": number, "title": talk.title, "body": talk.question, "author": {"login": "kit"}, "state": "CLOSED",
            "url": f"https://github.com/roofs/help/issues/{number}", "createdAt": "2026-01-01T00:00:00Z",
            "comments": [
                {"id": f"IC_{number}", "author": {"login": "lou"}, "body": talk.answer, "createdAt": "2026-01-02T00:00:00Z",
                 "url": f"https://github.com/roofs/help/issues/{number}#issuecomment-{number}"}
            ],
        }
        for number, talk in enumerate(made, start=1)
    ]  # fmt: skip
    file.write_text(json.dumps(issues))
    return file
