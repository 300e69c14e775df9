"""What is taken out of posts before models that are given away learn from them. All people here are invented."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rejoinder.text.cleaning import _ADDRESSES, _TELEPHONES, _reaches, stripped

SAID = "Kettles are fine, I boil mine twice."

AROUND = {
    "an attribution": f"On Mon, Jan 3, 2022 at 10:11 AM Ada Example wrote:\n\n{SAID}",
    "an attribution in two lines": f"On Mon, Jan 3, 2022 at 10:11 AM Ada Example\n<ada@example.org> wrote:\n\n{SAID}",
    "an attribution with what is quoted": f"On 03.01.2022 10:11, Ada Example wrote:> kettles are not fine\n\n{SAID}",
    "an attribution that begins with the date": f"2022-01-03 10:11 GMT+01:00 Ada Example wrote:\n{SAID}",
    "a short attribution": f"Ada Example wrote:\n{SAID}",
    "trailers": f"{SAID}\n\nSigned-off-by: Ada Example <ada@example.org>\nReviewed-by: Bob Muster\nCc: kettles",
    "an uncommon trailer": f"{SAID}\n\nBoiled-and-tested-by: Bob Muster",
    "the footer of a list": f"{SAID}\n_______________________________________________\nkettles mailing list\n"
    "kettles@lists.example.org\nhttps://lists.example.org/mailman/listinfo/kettles",
    "how to leave a list": f"{SAID}\n\nTo unsubscribe from this list: send a line to the robot.",
    "a signature": f"{SAID}\n\n-- \nAda Example\nKettle Engineer\nExample Ltd",
    "a rule and a name": f"{SAID}\n--\nAda",
    "a device": f"{SAID}\n\nSent from my iPhone",
    "regards": f"{SAID}\n\nBest regards,\nAda Example",
    "cheers": f"{SAID}\n\nCheers,\n\nAda",
    "thanks and a name": f"{SAID}\n\nThanks\n\nAda",
    "a closing and a title": f"{SAID}\nWith kind regards,\nAda Example\nExample Ltd, Kettle Engineering",
    "a dash and a name": f"{SAID}\n\n- Ada",
    "an address": f"{SAID}\nWrite to me: ada.example+kettle@mail.example.org",
    "a masked address": f"{SAID}\nAda @email",
    "a mailto link": f"{SAID}\n[me](mailto:ada)",
    "an address spelled out": f"{SAID}\nada at example dot org",
    "an address in brackets": f"{SAID}\nada [at] example [dot] org",
    "an address half in brackets": f"{SAID}\nada(at)example.org",
    "an address in words with a name of several parts": f"{SAID}\nada (at) mail.example (dot) org",
    "an address in braces": f"{SAID}\nada {{at}} example {{dot}} org",
    "an address in dashes": f"{SAID}\nada -at- example -dot- org",
    "an address in underscores": f"{SAID}\nada_at_example_dot_org",
    "an address without spaces": f"{SAID}\nadaATgmailDOTcom",
    "an address with a dot in words": f"{SAID}\nada@example dot org",
    "an address with spaces": f"{SAID}\nWrite to ada @ example.org",
    "a place where people have mail": f"{SAID}\nada at gmail.com, or ada.example at yahoo.co.uk",
    "a place where people have mail, cut short": f"{SAID}\nI'm ada.example at gmail.",
    "only the place": f"{SAID}\nEmail: (my name here)@gmail.com",
    "an address after its label": f"{SAID}\nMy email is ada at example.org",
    "a telephone in London": f"{SAID}\nor 020 7946 0958",
    "a telephone in brackets": f"{SAID}\nCall (0115) 496 0000.",
    "a mobile": f"{SAID}\n07700 900123",
    "a telephone in Paris": f"{SAID}\n01 99 00 12 34",
    "a telephone with all of it": f"{SAID}\nCall 1-555-010-0199",
    "a telephone": f"{SAID}\nCall 555-010-0199",
    "a telephone abroad": f"{SAID}\nT +44 (0)115 496 0000",
    "a labelled telephone": f"{SAID}\nPhone: 030 12 34 56",
    "an armoured block": f"-----BEGIN PGP SIGNATURE-----\n\nabcdef\n-----END PGP SIGNATURE-----\n{SAID}",
    "the message it answers": f"{SAID}\n-----Original Message-----\nFrom: Ada\nKettles?",
    "all at once": f"Ada Example wrote:\n{SAID}\n\nCheers,\nBob\n\nSigned-off-by: Bob Muster\n\nSent from my phone\n-- \nBob",
}
KEPT = {
    "plain": SAID,
    "paragraphs": f"{SAID}\n\n\n{SAID}\n\n  code stays\n",
    "thanks alone": f"{SAID}\n\nThanks!",
    "thanks in between": f"Thanks, Ada.\n\n{SAID}",
    "a list": "My list:\n\n- Rust\n- Go",
    "a rule across the page": f"{SAID}\n--\n" + "\n".join([SAID] * 5),
    "numbers": "In 2022 the ratio was 3.14159, on 2022-01-03 at 10:11, from 192.168.0.1 to 10.0.0.255; see RFC 2616.",
    "a handle": "@ada said so, and a@b is no address.",
    "what somebody wrote": "The book that she wrote: a masterpiece. He writes: nothing.",
    "a mailing list": "The mailing list is where it happens; to unsubscribe is a right.",
    "at a dot": "Look at the dot in the middle.",
    "at a site": "Look at example.com, where mail at gmail was slow; gmail.com/about has it, and hosted at github.com too.",
    "a word with at and dot": "The format dottest is what a formatdot needs; SATURATED DOTTED LINES.",
    "a decorator": "  @ example the decorator, x @ y is a matrix product, and 3 @ $5 is a price.",
    "large numbers": "1 020 000 000 people, 0123456789 as digits, 0.020 7946 and 2022 0115 in a row: 01 02 03.",
    "hex and times": "At 01:23:45.678901 the bytes were 01 23 45 67 89 ab cd, MAC 01-23-45-67-89-ab.",
}


@pytest.mark.parametrize("text", AROUND.values(), ids=AROUND)
def test_what_stands_around_the_words_goes(text: str) -> None:
    assert stripped(text) == SAID


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
def test_a_text_without_any_of_it_stays_as_it_is(text: str) -> None:
    assert stripped(text) is text


def test_a_text_of_nothing_else_is_empty() -> None:
    assert stripped("Cheers,\nAda") == stripped("ada@example.org") == stripped("") == ""


def test_what_follows_an_address_stays_with_its_paragraph() -> None:
    assert stripped("First.\n\nMail ada@example.org\n\nSecond.") == "First.\n\nSecond."


@given(
    st.lists(
        st.sampled_from([*"ada example org gmail yahoo at dot ( ) [ ] { } < > @ . - _ AT DOT 020 7946 0958 e-mail".split(), " "])
    )
)
def test_a_line_passed_over_at_once_has_no_address(pieces: list[str]) -> None:
    line = "".join(pieces)
    slow = _ADDRESSES.search(line) or _TELEPHONES.search(line)
    assert _reaches(line) == bool(slow)


LINES = st.lists(
    st.sampled_from(
        [*"\n".join([*AROUND.values(), *KEPT.values()]).split("\n"), "On x 2022", "x wrote:", "Best,", "- Ada ", "--"]
    ),
    max_size=12,
).map("\n".join)


@given(st.one_of(st.text(), LINES))
@example("Thanks,\n\n-- \nBest,\n- Ada \n")
def test_twice_is_once_and_nothing_is_added(text: str) -> None:
    once = stripped(text)
    assert stripped(once) == once and len(once) <= len(text)
    assert set(once.split("\n")) - {""} <= {line for kept in text.split("\n") for line in (kept, kept.rstrip())}


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a at ",
        "a @ ",
        "a dot ",
        "_at_a",
        "e-mail a ",
        "aATb",
        "020 ",
        "(01",
        "mailing list ",
        "+1 2",
        "Thanks,\nAda\n",
        "On x 2022\n",
        "(at ",
        "-",
        "1 ",
        " ",
    ],
)
def test_a_long_text_takes_no_more_than_its_length(piece: str) -> None:
    """A cost that grew with the square of the length would be minutes here."""
    text = piece * (200_000 // len(piece))
    assert len(stripped(text)) <= len(text)
