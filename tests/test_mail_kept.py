"""Mail that was deleted, drafts, spam and what mail programs write for themselves: left out, and counted by reason."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from test_cli import Rejoinder
from test_cli import rejoinder as _rejoinder

from rejoinder.archive.mail.kept import DELETED, DRAFT, SPAM
from rejoinder.archive.source import Hasher, Item, Skipped
from rejoinder.archive.sources.eml import SOURCE as EML
from rejoinder.archive.sources.maildir import SOURCE as MAILDIR
from rejoinder.archive.sources.mbox import SOURCE as MBOX
from rejoinder.post import Post

run = _rejoinder  # the fixture
INTERNAL = """From MAILER-DAEMON Mon Jan  3 10:00:00 2022
From: Mail System Internal Data <MAILER-DAEMON@host>
Date: Mon, 3 Jan 2022 10:00:00 +0000
Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA
Message-ID: <1641204000@host>
X-IMAP: 1641204000 0000000001

This text is part of the internal format of your mail folder.
"""


def mail(number: int, *headers: str) -> str:
    extra = "".join(f"{header}\n" for header in headers)
    return f"{extra}From: Ada <ada@example.org>\nSubject: Tea {number}\nMessage-ID: <{number}@x>\n\nMail number {number}.\n"


def told(items: list[Item]) -> tuple[list[str], Counter[str]]:
    return [item.text for item in items if isinstance(item, Post)], Counter(
        item.reason for item in items if isinstance(item, Skipped)
    )


def test_what_a_mail_program_marked_in_its_mbox_is_left_out(tmp_path: Path) -> None:
    mails = [
        mail(1, "X-Mozilla-Status: 0009"), mail(2, "X-Mozilla-Status: 0001", "X-IMAPbase: 1 2"), mail(3, "X-Gmail-Labels: Spam"),
        mail(4, "X-Gmail-Labels: =?UTF-8?Q?Entw=C3=BCrfe?="), mail(5, 'X-Gmail-Labels: "Inbox",Trashy,Opened'),
        mail(6, "X-Gmail-Labels: Papierkorb,Wichtig"), mail(7, "Status: RO", "X-Status: A"), mail(8, "X-Status: AD"), mail(9),
    ]  # fmt: skip
    file = tmp_path / "Inbox"
    file.write_text(INTERNAL + "\n" + "".join(f"From - Mon Jan  3 10:00:00 2022\n{one}\n" for one in mails))
    texts, reasons = told(list(MBOX.read(file, Hasher(b"key", "mbox"))))
    assert texts == [f"Mail number {number}." for number in (2, 5, 7, 9)]
    assert reasons == {DELETED: 3, SPAM: 1, DRAFT: 1, "what a mail program wrote into its folder": 1}


def test_what_the_flags_and_folders_of_a_maildir_say_is_left_out(tmp_path: Path) -> None:
    names = {
        "cur/1.a:2,S": 1,
        "cur/2.a:2,ST": 2,
        "cur/3.a:2,D": 3,
        "new/4.a": 4,
        ".Trash/cur/5.a:2,S": 5,
        ".Lists.tea/cur/6.a:2,": 6,
    }
    for name, number in names.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(mail(number))
    texts, reasons = told(list(MAILDIR.read(tmp_path, Hasher(b"key", "maildir"))))
    assert texts == [f"Mail number {number}." for number in (1, 4, 6)]
    assert reasons == {DELETED: 2, DRAFT: 1}


def test_a_draft_in_a_file_of_its_own_is_left_out(tmp_path: Path) -> None:
    outlook, apple, kept = (tmp_path / name for name in ("a.eml", "1.emlx", "2.emlx"))
    outlook.write_text(mail(1, "X-Unsent: 1"))
    for file, flags in ((apple, 1 << 6 | 1), (kept, 1 << 33 | 1)):
        facts = f"<plist><dict><key>flags</key>\n\t<integer>{flags}</integer></dict></plist>\n"
        file.write_text(f'{len(mail(2))}      \n{mail(2)}<?xml version="1.0"?>{facts}')
    found = [told(list(EML.read(file, Hasher(b"key", "eml")))) for file in (outlook, apple, kept)]
    assert found == [([], {DRAFT: 1}), ([], {DRAFT: 1}), (["Mail number 2."], {})]


def test_files_of_deleted_mail_in_a_folder_are_left_out_unless_they_are_named(tmp_path: Path, run: Rejoinder) -> None:
    folder = tmp_path / "Local Folders"
    for number, name in enumerate(("Inbox", "Trash", "Drafts.mbox", "Junk.mbox/mbox", "Trashy"), 1):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"From - Mon Jan  3 10:00:00 2022\n{mail(number)}\n")
    ran = run("import", folder, "--home", tmp_path / "home")
    assert ran.code == 0 and "2 new" in ran.out and "left out, as they hold no posts: 3 files" in ran.out
    assert "1 new" in run("import", folder / "Trash", "--home", tmp_path / "home").out
