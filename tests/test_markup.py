"""Markup to plain text, and what a mail's writer wrote apart from what the mail carries along: cases worked by hand."""

from __future__ import annotations

import html
import re
from email import message_from_bytes
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.archive.mail.body import own_words
from rejoinder.archive.mail.message import _parsed, read_mail
from rejoinder.archive.markup import MARKUPS, to_text
from rejoinder.archive.source import Hasher
from rejoinder.archive.sources.maildir import SOURCE as MAILDIR
from rejoinder.archive.sources.mbox import SOURCE as MBOX
from rejoinder.post import Post, unquoted

CASES = {  # (markup, source): text
    ("html", '<p><span class="user-mention" data-user-id="7">@Ada L</span>, look</p>'): "look",
    ("html", '<a href="/u/ada" class="mention">@ada</a> and <a class="mention hashtag" href="#">#tea</a>'): "and #tea",
    (
        "html",
        '<p>Ask <span class="h-card"><a href="https://x/@ada" class="u-url mention">@<span>ada</span></a></span>.</p>',
    ): "Ask.",
    ("html", "<pre>@ada\n  b</pre>"): "  @ada\n    b",
    ("markdown-breaks", "@ada-b: see `@Override` and @angular/core, mail ada@example.org"): (
        "see @Override and @angular/core, mail ada@example.org"
    ),
    ("markdown", "Thanks @ada_b_c!"): "Thanks!",
    ("discourse", '[quote="ada, post:2, topic:9"]\nBoil it.\n[/quote]\n\nFor how long?'): "> Boil it.\n\nFor how long?",
    ("discourse", "[quote]a[quote]b[/quote]c[/quote]d"): "> a\n\n> b\n\n> c\n\nd",
    ("discourse", '[details="More"]\nwords\n[/details]'): "words",
    ("discourse", "```\n[quote]\n```"): "  [quote]",
    ("discourse", "![a teapot|690x207, 50%](upload://x.png) pours"): "a teapot pours",
    ("discourse", "`![a|9x9](c)` ![a|b](c)"): "![a|9x9](c) a|b",
    ("html", '<aside class="quote"><div class="title">ada:</div><blockquote>Boil it.</blockquote></aside>Why?'): (
        "> Boil it.\n\nWhy?"
    ),
    ("html", '<a class="lightbox" href="x"><img alt="pot"><div class="meta">pot.png 9 KB</div></a>It pours.'): "pot\nIt pours.",
    ("html", '<div class="title">Tea</div><div class="meta">leaf</div>'): "Tea\n\nleaf",
    ("html", '<aside class="onebox"><a href="https://x.y">x.y</a></aside>So it is.'): "> https://x.y\n\nSo it is.",
    ("html", '<p>See.</p><div class="message_embed"><div class="message_embed_title">Tea</div></div>'): "See.\n\n> Tea",
    ("reddit", "[^(Ask me)](https://x.y) ^| ^so ^(and so), 2^8"): "Ask me (https://x.y) | so and so, 2^8",
    ("reddit", ">!It was u/ada_1!<, /u/bob-2; see x.y/u/ada"): "It was,; see x.y/u/ada",
    ("reddit", "`^(a) u/ada`\n\n    ^(b) u/ada"): "^(a) u/ada\n\n  ^(b) u/ada",
    ("bbcode", "[flash=9,9]https://x.y/z[/flash]"): "https://x.y/z",
    ("slack", "<@U123>: what of <@U5|ada>?"): "what of?",
    ("slack", "`x` <!here> <#C1|tea>"): "`x`  #tea",
    ("slack", "`__init__`, `*args` with `*kw*` and *bold* _it_"): "`__init__`, `*args` with `*kw*` and bold it",
    ("discord", "<@!5>, hello <@&7> <#9>"): "hello",
}


@pytest.mark.parametrize(("markup", "source"), sorted(CASES))
def test_markup_becomes_the_text_that_was_worked_out_by_hand(markup: str, source: str) -> None:
    assert to_text(source, markup).split() == CASES[markup, source].split()
    assert [line[:2] == "> " for line in to_text(source, markup).splitlines() if line.strip("> ")] == [
        line[:2] == "> " for line in CASES[markup, source].splitlines() if line.strip("> ")
    ]


LISTS = {  # (markup, source): text, to the letter
    ("html", "<pre>import os<br>print(1)</pre><pre><code>a<br/>b</code></pre>"): "  import os\n  print(1)\n\n  a\n  b",
    ("html", "<ol><li><p>warm</p><p>the pot</p></li><li><p>pour</p></li></ol>"): "1. warm\n\nthe pot\n\n2. pour",
    ("html", '<ol start="4"><li>a<ul><li>b</li></ul></li><li value="9">c</li><li>d</li></ol>'): "4. a\n\n- b\n\n9. c\n10. d",
    ("html", "<ul><li></li><li><pre>x = 1</pre></li><li><p>y</p></li></ul><p>z</p>"): "  x = 1\n\n- y\n\nz",
    ("html", '<li>a</li><ol start="-1e9"><li value="x">b</li></ol>'): "- a\n\n1. b",
    ("markdown", "2. two\n\n3. three\n\nend"): "2. two\n\n3. three\n\nend",
    ("markdown", "> * quoted\n\nmine"): "> - quoted\n\nmine",
}


@pytest.mark.parametrize(("markup", "source"), sorted(LISTS))
def test_an_item_of_a_list_begins_with_its_sign_or_number(markup: str, source: str) -> None:
    assert to_text(source, markup) == LISTS[markup, source]


PROSE = st.lists(st.text(st.characters(codec="utf-8", categories=["L", "Nd"]), min_size=1, max_size=9), min_size=1, max_size=30)


@settings(max_examples=60, derandomize=True, database=None)
@given(PROSE, st.sampled_from(sorted(MARKUPS)), st.integers(1, 7))
def test_no_word_is_lost_outside_tags(words: list[str], markup: str, every: int) -> None:
    tags = {"html": "<b>{}</b>", "markdown": "**{}**", "bbcode": "[b]{}[/b]", "slack": "*{}*", "plain": "{}"}
    tag = tags.get(markup, "**{}**" if markup != "html" else "<i>{}</i>")
    written = [html.escape(word) if markup == "html" else word for word in words]
    source = " ".join(tag.format(word) if place % every == 0 else word for place, word in enumerate(written))
    assert to_text(source, markup).replace("**", "").split() == " ".join(words).split()


TAGS = {  # what is put between words: whole, broken off, crossed, or of another markup
    "html": "<b> </b> <p> <br> <li> <ul> <blockquote> </blockquote> <pre> </pre> <code> </code> <a_href='http://x.y/z'> </a> "
    "<title> <script> <style> <!-- <option> <table> <td> </table> <svg> <object> <iframe> <template> <textarea> <head> "
    "<html> </html> <frameset> <math> <? <!doctype < &lt; &amp; <h1> <button> <video> <T> <canvas> \\n",
    "markdown": "** * ` > - 1. # | ~~ [ ](http://x.y/z) ![ <b> <title> <script> <!-- < <T> <details> &amp; \\n \\n\\n",
    "bbcode": "[b] [/b] [quote] [quote='x'] [/quote] [code] [/code] [url] [/url] [url=http://x.y] [list] [*] [foo] < <title> \\n",
    "slack": "* _ ~ ` ``` > &gt; <http://x.y|z> <http://x.y> < &lt; <!here> <#C1|tea> :smile: <script> <!-- \\n",
    "discord": "** * __ || ` ``` > >>> <:smile:123> <#123> < <title> <script> <!-- # \\n",
    "plain": "<b> ** > [b] \\n",
}
PIECES = st.lists(st.integers(0, 60), min_size=1, max_size=12)


@settings(max_examples=400, derandomize=True, database=None)
@given(PIECES, st.sampled_from(sorted(TAGS)))
def test_no_word_is_lost_whatever_tags_stand_around_it(pieces: list[int], markup: str) -> None:
    tags = [tag.replace("_", " ", 1) if tag.startswith("<a_") else tag.replace("\\n", "\n") for tag in TAGS[markup].split(" ")]
    source, words = "", []
    for place, piece in enumerate(pieces):
        words.append(f"w{place}w")
        source += f"{tags[piece % len(tags)]} {words[-1]} "
    assert re.findall(r"w\d+w", to_text(source, markup)) == words


@pytest.mark.parametrize(
    ("markup", "source"),
    [
        ("html", "<p>So:</p><pre><code>if a &lt; b:\n\treturn  *x*\n</code></pre>"),
        ("markdown", "So:\n\n```python\nif a < b:\n\treturn  *x*\n```"),
        ("bbcode", "So:\n\n[code]if a < b:\n\treturn  *x*\n[/code]"),
        ("slack", "So:\n\n```if a &lt; b:\n\treturn  *x*```"),
        ("discord", "So:\n```py\nif a < b:\n\treturn  *x*\n```"),
    ],
)
def test_code_comes_to_the_letter_in_every_markup(markup: str, source: str) -> None:
    assert to_text(source, markup) == "So:\n\n  if a < b:\n  \treturn  *x*"


@pytest.mark.parametrize(
    ("markup", "source"),
    [
        ("html", "<blockquote>one<br>two</blockquote>mine<br>again"),
        ("markdown-breaks", "> one\n> two\n\nmine\nagain"),
        ("bbcode", "[quote]one\ntwo[/quote]mine\nagain"),
        ("slack", "&gt; one\n&gt; two\n\nmine\nagain"),
        ("discord", "> one\n> two\n\nmine\nagain"),
        ("plain", "> one\n> two\n\nmine\nagain"),
    ],
)
def test_quotes_are_marked_and_a_line_break_is_one_in_every_markup(markup: str, source: str) -> None:
    assert to_text(source, markup) == "> one\n> two\n\nmine\nagain"


def test_what_would_hide_all_that_follows_is_text_unless_it_ends() -> None:
    assert to_text("Use <title> here, <!-- and there", "html") == "Use <title> here, <!-- and there"
    assert to_text("Use<style>p {}</style> it<!-- or not --> so", "html") == "Use it so"
    assert to_text("<TITLE>no</title> İ yes <Script>x", "html") == "İ yes <Script>x"


OWN = {  # a mail's body: what its writer wrote
    "Yes.\n\n--\nAda\nada@example.org\n\nOn Mon, 3 Jan 2022, at 10:00, Bob <b@x.org> wrote:\n> No?\n": "Yes.",
    "Fine.\n\n2015-11-15 23:43 GMT+01:00 Bob <bob at x.org>:\n\n> Fine?\n": "Fine.",
    "Hi,\n\nYesterday at 15:02, Bob wrote:\n\n> Numbers?\n\nNone.": "Hi,\n\nNone.",
    "See.\n-------------- next part --------------\nAn HTML attachment was scrubbed...\nURL: <http://x.org/a.htm>\n": "See.",
    "> ______________________\n> tea mailing list\n> http://x.org/mailman/listinfo/tea\nMine, below it.\n": "Mine, below it.",
    " From here on.\n": "From here on.",
    "... wrote:\n\n> Numbers?\n\nNone.": "None.",
    "Well, Ada of Tea said:\n> Numbers?\nNot what we wrote:\n\nnothing.": "Not what we wrote:\n\nnothing.",
    "I would try this:\n\n> a > b\n": "I would try this:",
    "Warm it.\n\nFrom: Bob <b@x.org>\nSent: Monday 9:12 AM\nTo: Ada; tea@x.org\nSubject: Tea\n\nIt is cold.\n": "Warm it.",
    "Warm it.\n-- \nAda\n\nVon: Bob\nGesendet: Montag\nAn: Ada\nBetreff: Tee\n\nKalt.\n" + "Sehr.\n" * 30: "Warm it.",
    "Warm it.\n\nDe : Bob\nEnvoyé : lundi\nÀ : Ada\nObjet : Thé\n\nFroid.\n": "Warm it.",
    "Warm it.\n\n-----Message d'origine-----\nDe : Bob\n\nFroid.\n": "Warm it.",
    "Warm it.\n\n发件人：Bob\n发送时间：2022年1月3日\n收件人：Ada\n主题：茶\n\n冷。": "Warm it.",
    "See below.\n\nBegin forwarded message:\n\nFrom: Bob\nSubject: Tea\nDate: 3 January\nTo: Ada\n\nIt is cold.": "See below.",
    "Warm it.\n\nGet Outlook for iOS\n________________________________\nFrom: Bob\nSent: Monday\nTo: Ada\n\nCold.": "Warm it.",
    "Warm it.\n\nVon meinem iPhone gesendet\n\n> Cold.\n" + "> Still.\n" * 30: "Warm it.",
    "Sent from my heart, it was.\nAll." + "\nWords." * 20: "Sent from my heart, it was. All." + " Words." * 20,
    "From: a place I know.\nTo: you.\nSubject: none.\n\nMine.": "From: a place I know. To: you. Subject: none. Mine.",
    "From: me.\n\nDate: none, and so mine.": "From: me. Date: none, and so mine.",
    "The patch:\n\nbegin 644 tea.diff\nM9&EF9B!T96$*\n`\nend\n\nbegin 644 cakes and end": "The patch: begin 644 cakes and end",
}


@pytest.mark.parametrize("body", sorted(OWN))
def test_only_what_the_writer_wrote_is_no_quote(body: str) -> None:
    assert unquoted(own_words(body)).split() == OWN[body].split()


OUTLOOK = """<p>Warm it.</p><div style="border-top:solid #E1E1E1 1.0pt"><p><b>From:</b> Bob &lt;b@x.org&gt;<br>
<b>Sent:</b> Monday, January 3, 2022 9:12 AM<br><b>To:</b> Ada<br><b>Subject:</b> Tea</p></div><p>It is cold.</p>"""
ON_THE_WEB = """<div>Warm it.</div><hr tabindex="-1"><div id="divRplyFwdMsg"><font><b>Von:</b> Bob<br><b>Gesendet:</b> Montag<br>
<b>An:</b> Ada<br><b>Betreff:</b> Tee</font></div><div>Es ist kalt.</div>"""


@pytest.mark.parametrize("body", [OUTLOOK, ON_THE_WEB])
def test_what_outlook_answers_is_a_quote_in_its_html_too(body: str) -> None:
    assert unquoted(read_mail(f"Subject: Re: Tea\nContent-Type: text/html\n\n{body}".encode()).text).split() == ["Warm", "it."]


def mail(number: int, *answers: int) -> str:
    refers = " ".join(f"<{one}@x>" for one in answers)
    return (
        f"From: a{number}@x.org\nSubject: Tea\nMessage-ID: <{number}@x>\n"
        + (f"References: {refers}\n" if answers else "")
        + (f"\nMail number {number}.\n")
    )


def test_a_mail_answers_the_nearest_it_names_though_that_comes_later_in_the_file(tmp_path: Path) -> None:
    """As in a folder sorted by other things than time, and in Gmail's Takeout. What is not there is passed over."""
    mails = [mail(3, 1, 2), mail(1), mail(2, 1), mail(5, 1, 4)]
    box = tmp_path / "a.mbox"
    box.write_text("".join(f"From a@x Mon Jan  3 10:00:0{n} 2022\n{one}\n" for n, one in enumerate(mails)))
    (tmp_path / "dir" / "cur").mkdir(parents=True)
    for number, one in enumerate(mails):
        (tmp_path / "dir" / "cur" / f"{number}:2,S").write_text(one)
    for items in (MBOX.read(box, Hasher(b"", "m")), MAILDIR.read(tmp_path / "dir", Hasher(b"", "m"))):
        posts = {post.own: post for post in items if isinstance(post, Post)}
        own = {post.id: name for name, post in posts.items()}
        assert {name: own.get(post.parent or 0) for name, post in posts.items()} == {
            "1@x": None, "2@x": "1@x", "3@x": "2@x", "5@x": "1@x",
        }  # fmt: skip


MAIL_LINES = [
    *(
        "From: Ada <ada@example.org>",
        "Subject: tea",
        "X: a",
        "no header",
        "  folded",
        "",
        ">From me",
        "words",
        "café =E9",
        "dGVh",
        ": x",
    ),
    *("--B", "--B--", *(f"Content-Transfer-Encoding: {name}" for name in ("base64", "quoted-printable"))),
    *(
        f"Content-Type: {name}"
        for name in ("text/plain", "text/html; charset=x", "nonsense", "message/rfc822", "multipart/mixed;boundary=B")
    ),
]


@settings(max_examples=300, derandomize=True, database=None)
@given(st.lists(st.sampled_from(MAIL_LINES), max_size=14), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_a_mail_is_parsed_as_the_standard_library_parses_it_whole(lines: list[str], end: str, mixed: bool) -> None:
    raw = "".join(line + (end if not mixed or number % 2 else "\n") for number, line in enumerate(lines)).encode()
    assert str(_parsed(raw)) == str(message_from_bytes(raw)) and _parsed(raw).items() == message_from_bytes(raw).items()
