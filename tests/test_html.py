"""Hacker News HTML to plain text: what is kept, what is marked, and what no input can do."""

from __future__ import annotations

import html
import re
import unicodedata
from time import process_time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rejoinder.archive.html import _Reader, clean, to_text, unescape
from rejoinder.post import Kind, Post, unquoted

PROPERTY = settings(max_examples=100, derandomize=True, database=None)


# --- paragraphs ----------------------------------------------------------------------------------------------------


def test_a_p_tag_begins_a_paragraph() -> None:
    assert to_text("one<p>two<p>three") == "one\n\ntwo\n\nthree"


def test_closed_paragraphs_read_like_open_ones() -> None:
    assert to_text("<p>one</p><p>two</p>") == "one\n\ntwo"


def test_empty_paragraphs_leave_nothing() -> None:
    assert to_text("<p><p>one<p> <p></p>\n<p>two<p>") == "one\n\ntwo"


def test_white_space_is_folded_as_a_browser_does() -> None:
    assert to_text("one \t two\n  three\u00a0four <i> five</i>") == "one two three four five"


def test_tags_in_capitals_are_the_same_tags() -> None:
    assert to_text("one<P>two<BR>three <I>four</I>") == "one\n\ntwo\n\nthree four"


def test_nothing_gives_nothing() -> None:
    assert to_text("") == ""


# --- links ---------------------------------------------------------------------------------------------------------


def test_a_link_is_its_url() -> None:
    url = "https:&#x2F;&#x2F;example.com&#x2F;a?b=1&amp;c=2"
    source = f'see <a href="{url}" rel="nofollow">{url}</a> now'
    assert to_text(source) == "see https://example.com/a?b=1&c=2 now"


def test_a_link_whose_text_is_cut_short_is_its_whole_url() -> None:
    shown = "https:&#x2F;&#x2F;example.com&#x2F;a&#x2F;long&#x2F;pa..."
    source = f'<a href="https:&#x2F;&#x2F;example.com&#x2F;a&#x2F;long&#x2F;path&#x2F;indeed.html" rel="nofollow">{shown}</a>'
    assert to_text(source) == "https://example.com/a/long/path/indeed.html"


def test_a_link_with_words_of_its_own_keeps_both() -> None:
    assert to_text('read <a href="https://example.com">the <i>paper</i></a>!') == "read the paper (https://example.com)!"


@pytest.mark.parametrize(
    "attribute", ['href="https://e.org/x"', "href='https://e.org/x'", "HREF = https://e.org/x", "rel=a href=https://e.org/x"]
)
def test_a_url_may_be_quoted_in_any_way(attribute: str) -> None:
    assert to_text(f"<a {attribute}>https://e.org/x</a>") == "https://e.org/x"


def test_a_link_that_is_never_closed_ends_with_its_paragraph() -> None:
    assert to_text('<a href="https://e.org">there<p>next') == "there (https://e.org)\n\nnext"


def test_an_anchor_without_a_url_is_its_text() -> None:
    assert to_text('<a name="top">here</a>') == "here"


def test_a_link_within_a_link_ends_the_first() -> None:
    assert to_text('<a href="https://a.org">a <a href="https://b.org">b</a>') == "a (https://a.org)b (https://b.org)"


# --- italics, code, entities ---------------------------------------------------------------------------------------


def test_italics_are_words_like_others() -> None:
    assert to_text("a <i>very</i> good<i>ish</i> idea") == "a very goodish idea"


def test_code_is_kept_to_the_letter() -> None:
    source = "Try:<p><pre><code>  if (a &lt; b) {\n\n      go( );   <i>x</i>\n  }\n</code></pre>\nDone."
    assert to_text(source) == "Try:\n\n  if (a < b) {\n\n      go( );   x\n  }\n\nDone."


def test_code_without_an_indent_is_given_the_mark_of_code() -> None:
    assert to_text("<pre><code>x = 1\n\n  y</code></pre>") == "  x = 1\n\n    y"


def test_a_code_line_that_begins_with_a_greater_than_sign_is_no_quote() -> None:
    text = to_text("<pre><code>&gt; prompt\n</code></pre>")
    assert (text, unquoted(text)) == ("  > prompt", "  > prompt")


def test_code_that_is_never_closed_is_code_to_the_end() -> None:
    assert to_text("so:<pre><code>a\n  b") == "so:\n\n  a\n    b"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("&quot;a&quot; &amp; b &#x27;c&#x27; &#x2F; &lt;d&gt;", "\"a\" & b 'c' / <d>"),
        ("caf&eacute; &#8364;5 &hellip; &#x1F600;", "café €5 … \U0001f600"),
        ("&amp;lt;p&amp;gt; &amp;amp; &amp;#x27;", "&lt;p&gt; &amp; &#x27;"),  # written by somebody who explains HTML
        ("AT&T & &nosuch; &", "AT&T & &nosuch; &"),
        ("&#x110000; &#xD800;", "\ufffd \ufffd"),  # beyond Unicode; half of a pair
    ],
)
def test_an_entity_becomes_its_character_once(source: str, text: str) -> None:
    assert to_text(source) == text
    assert to_text(f"<i>{source}</i>") == text  # the longer way, tag by tag


@PROPERTY
@given(
    st.lists(
        st.sampled_from("&amp; &lt; &lt &gt; &gt &quot; &#x27; &#x2F; &#x26 &#39; &notin; & # ; x 27 amp gt ' < >".split())
    ).map("".join)
)
def test_the_quick_way_with_entities_is_the_standard_way(source: str) -> None:
    assert unescape(source) == html.unescape(source)


# --- quotes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "&gt; theirs<p>mine",
        "&gt;theirs<p>mine",
        "> theirs<p>mine",
        "&gt;&gt; theirs<p>mine",
        "&gt; &gt; theirs<p>mine",
        "<i>&gt; theirs</i><p>mine",
        "&gt; <i>theirs</i><p>mine",
        "<p><i> &gt;  theirs </i></p>\n<p>mine</p>",
    ],
)
def test_a_quoted_paragraph_is_marked(source: str) -> None:
    text = to_text(source)
    assert text == "> theirs\n\nmine"
    assert Post(1, Kind.COMMENT, text).own_text == "mine"


def test_quotes_inside_a_paragraph_keep_their_lines() -> None:
    text = to_text("well\n&gt; one\n&gt; two\nmine\nalso mine\n\n&gt; three")
    assert text == "well\n> one\n> two\nmine also mine\n> three"
    assert unquoted(text) == "well\nmine also mine"


def test_a_greater_than_sign_within_a_line_is_no_quote() -> None:
    assert unquoted(to_text("if a &gt; b, then\na -&gt; b")) == "if a > b, then a -> b"


def test_a_paragraph_after_a_quote_is_not_drawn_into_it() -> None:
    assert to_text("<i>&gt; one<p>two</i>") == "> one\n\ntwo"


# --- what is no tag, and what is never shown -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "#include <stdio.h>",
        "a < b and c > d",
        "a<b",
        "vector<int> v; map<string, int> m",
        "1 <2> 3",
        "<3 you all",
        "an e-mail to <someone@example.com>",
    ],
)
def test_a_less_than_sign_that_begins_no_html_tag_stays(source: str) -> None:
    assert to_text(source) == source
    assert to_text(f"{source}<br>") == source


@pytest.mark.parametrize("name", ["script", "style", "SCRIPT"])
def test_the_contents_of_a_script_are_dropped(name: str) -> None:
    assert to_text(f"one <{name} type='x'>evil(1)</{name}>two") == "one two"


def test_a_tag_inside_a_script_does_not_end_it() -> None:
    assert "evil" not in to_text("one<script>show('<p>evil<br>')</script>two")


def test_a_script_that_is_never_closed_hides_nothing() -> None:
    assert to_text("one <script>two").split() == ["one", "two"]


def test_a_comment_is_dropped() -> None:
    assert to_text("one<!-- not\n <p> shown -->two") == "onetwo"


# --- broken HTML ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<", "<"),
        ("</", "</"),
        ("x<a", "x<a"),
        ("x<a href=", "x<a href="),
        ('x<a href="y>z', 'xz ("y)'),
        ("</pre></i></a></p>x", "x"),
        ("<i><b>x</i></b>", "x"),
        ("<pre><pre>x</pre>y", "  x\n\ny"),
        ("<!-- never closed <p>x", "<!-- never closed\n\nx"),
        ("a<p", "a<p"),
        ("&#;&#x;&#x110000000000;", "&#;&#x;\ufffd"),
        ("<>", "<>"),
        ("<i/>x<br/>y", "x\n\ny"),
    ],
)
def test_broken_html_gives_its_text(source: str, text: str) -> None:
    assert to_text(source) == text


# How many of it at first; eight times as many must cost about eight times as much, not sixty-four times.
BOMBS = {
    "<i>": 2_000,
    "<p>": 2_000,
    "<div>x": 2_000,
    "<pre><code>": 2_000,
    "<pre>x</pre>": 2_000,
    '<a href="x">y': 2_000,
    "<script>": 2_000,
    "<script>x</script>": 2_000,
    "<nosuchtag>": 2_000,
    "<!--": 2_000,
    "<!-- x -->": 2_000,
    "<": 2_000,
    "<a ": 2_000,
    "<a href=": 2_000,
    "&": 2_000,
    "&gt; a\nb\n": 2_000,
    "b\n": 20_000,  # lines that join the line above, after a quote
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_costs_in_proportion_to_its_size(bomb: str) -> None:
    def seconds(count: int) -> float:
        source = "&gt; q\n" + bomb * count
        began = process_time()
        to_text(source)
        return process_time() - began

    few = BOMBS[bomb]
    small = min(seconds(few) for _ in range(5))
    assert any(seconds(8 * few) < 24 * small for _ in range(3))


@pytest.mark.parametrize("tag", ["i", "pre"])
def test_a_hundred_thousand_tags_may_be_nested(tag: str) -> None:
    source = f"<{tag}>" * 100_000 + "deep" + f"</{tag}>" * 100_000
    assert to_text(source).count("deep") == 1


# --- whatever comes ------------------------------------------------------------------------------------------------

TAGS = "<p> </p> <i> </i> <pre> <code> </code> </pre> <a> </a> <br> <script> </script> <style> <!-- --> <b <nosuch> > <".split()
ENTITIES = "&gt; &lt; &amp; &#0; &#1; &#x81; &#x8d; &#x2028; &#12; &#13; &#x1b; &#xD800; &#xFFFF; &nbsp; &".split()
CHARACTERS = list("\n\r\t\x00\x1b\x85\x9b\u2028\ud800\udfff")
LINKS = ['<a href="https://e.org">', "<a href='&#x81;'>", "<a href=\ud800>"]
FRAGMENTS = st.sampled_from(TAGS + ENTITIES + CHARACTERS + LINKS)
HTML = st.lists(st.one_of(FRAGMENTS, st.text(max_size=8)), max_size=30).map("".join)
ALLOWED = {"\n", "\t"}


@PROPERTY
@given(HTML)
def test_any_html_gives_text_that_any_terminal_can_take(source: str) -> None:
    text = to_text(source)
    bad = [char for char in text if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") and char not in ALLOWED]
    assert not bad
    text.encode()  # no lone surrogate


AS_WRITTEN = """
<p> </p> <i> </i> <b> <pre><code> </a> "> &#x27; &#x2F; &quot; &gt; &lt; &amp; & &amp &#x2F ;
&#10; http:&#x2F;&#x2F;e.org / ... … > < p> /p> a i>
""".split()
SPACES = [" ", "  ", "\n", "\xa0", "\x07", '<a href="', '" rel="nofollow">']


@settings(PROPERTY, max_examples=500)
@given(st.lists(st.sampled_from(AS_WRITTEN + SPACES), max_size=14).map("".join))
@example('<a href="http:&#x2F;&#x2F;e.org&#x2F;long">http:&#x2F;&#x2F;e.org&#x2F;l...</a><p>&gt; q<p><i>w</i>')
@example("<</i>p>")  # what is left when a tag is taken away is no tag
@example("<&#x2F;i>")  # nor is what entities spell
@example("&#x2F<i>;")  # nor do the ends of two texts make an entity
def test_a_few_steps_over_the_whole_give_what_reading_tag_by_tag_does(source: str) -> None:
    assert to_text(source) == _Reader().read(clean(source))


@pytest.mark.parametrize("source", ["a&#x81;b", "<i>a&#x81;b</i>", "<pre>a&#x81;b</pre>", "a\x81b", '<a href="a&#x81;b"></a>'])
def test_a_control_character_written_as_an_entity_is_dropped_too(source: str) -> None:
    assert to_text(source).strip() == "ab"


@pytest.mark.parametrize("source", ["a\ud800b", "<i>a\udfffb</i>", "<pre>a\udc80b</pre>", "a&#xD83D;b"])
def test_a_lone_surrogate_becomes_the_replacement_character(source: str) -> None:
    assert to_text(source).strip() == "a\ufffdb"


@PROPERTY
@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], include_characters="\n\t")))
def test_escaped_text_keeps_every_word(plain: str) -> None:
    assert to_text(html.escape(plain)).replace(">", " ").split() == plain.replace(">", " ").split()


@PROPERTY
@given(
    st.lists(
        st.sampled_from(
            "<p> </p> <i> </i> <pre> <code> </code> </pre> </a> <br> <div> <!--x--> <nosuch> &gt; word1 word2 word3".split()
        )
    )
)
def test_no_tag_costs_a_word(pieces: list[str]) -> None:
    words = [piece for piece in pieces if piece.startswith("word")]
    assert re.findall(r"word\d", to_text(" ".join(pieces))) == words


@PROPERTY
@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean(clean(text)) == clean(text)
