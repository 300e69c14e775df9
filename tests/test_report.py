"""The ladder's report: read and written, as a page, a table and plots; what is foreign in it stays text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from rejoinder.errors import UsageError
from rejoinder.ladder.advice import advice, doubt, facts, not_told_apart
from rejoinder.ladder.curve import Crossing
from rejoinder.ladder.formatting import seconds
from rejoinder.ladder.metrics import level_of_each
from rejoinder.ladder.page import page, policy
from rejoinder.ladder.plots import front
from rejoinder.ladder.report import (
    KINDS,
    MAY_HAVE_READ,
    Cost,
    Figure,
    LeftOut,
    MeasuredRung,
    Overtaking,
    Report,
    from_json,
    read,
    to_json,
)
from rejoinder.ladder.table import plain

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden" / "ladder.json"
COMMITTED = [GOLDEN, *sorted((ROOT / "docs" / "reports").glob("*/ladder.json"))]


@pytest.fixture(scope="module")
def report() -> Report:
    return read(GOLDEN)


# --- reading and writing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: file.parent.name)
def test_a_report_is_written_as_it_was_read(file: Path) -> None:
    assert to_json(read(file)) == file.read_bytes()


@pytest.mark.parametrize("file", COMMITTED[1:], ids=lambda file: file.parent.name)
def test_the_committed_pages_are_those_of_their_figures(file: Path) -> None:
    assert file.with_name("ladder.html").read_text(encoding="utf-8") == page(read(file))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 1}, "its version is not 2"),
        ({"version": None}, "its version is not 2"),
        ({"rungs": [{"name": "x"}]}, r"rungs\.0\.what"),
        ({"seconds": "soon"}, "seconds"),
        ({"verdicts": {"both": None}}, "verdicts"),
    ],
)
def test_what_is_no_report_of_this_version_is_refused_in_one_line(change: dict[str, object], said: str) -> None:
    data = json.loads(GOLDEN.read_bytes()) | change
    with pytest.raises(UsageError, match=said) as error:
        from_json(json.dumps(data).encode())
    assert "\n" not in str(error.value) and "run `rejoinder ladder` again" in str(error.value)
    with pytest.raises(UsageError, match="cannot be read"):
        from_json(b"{")


# --- the page ------------------------------------------------------------------------------------------------------------


def test_foreign_text_stays_text(report: Report) -> None:
    foul = '<script>alert(1)</script>"\x1b[31m\u202e'
    rungs = tuple(replace(rung, name=f"{rung.name} {foul}", why=foul, what=foul) for rung in report.rungs)
    steps = tuple(replace(step, lower=f"{step.lower} {foul}", upper=f"{step.upper} {foul}") for step in report.steps)
    made = page(replace(report, forum=foul, policy=foul, rungs=rungs, steps=steps))
    assert "<script>alert" not in made and "&lt;script&gt;alert" in made
    assert not {"\x1b", "\u202e"} & set(made)
    columns, rows, lines = plain(replace(report, forum=foul, rungs=rungs))
    assert not {"\x1b", "\u202e"} & set("".join([*columns, *(cell for row in rows for cell in row), *lines]))


def test_the_page_needs_nothing_else_and_its_policy_covers_it(report: Report) -> None:
    made = page(report)
    assert not re.search(r'(?:src|href)="(?!#|data:,)', made) and "@import" not in made and "url(" not in made
    assert " style=" not in made and len(re.findall("<script", made)) == 1
    assert f'content="{policy()}"' in made.replace("&#39;", "'")


def test_every_figure_says_how_many_posts_it_stands_on() -> None:
    made = page(found := read(COMMITTED[1]))
    heads = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', made.split("Costs</span>")[0], re.DOTALL)
    figures = [head for head in heads if not head.startswith("rung")]
    assert len(figures) > 10
    assert [head for head in figures if not re.search(r"<span class=\"stands\">\d+( or \d+)* (posts|pairs)</span>", head)] == []
    posts, typed = found.scored.typing_posts, found.scored.typed_posts
    assert f"<b>{posts}</b> held-out posts scored, <b>{typed}</b> of them typed again" in made


def test_a_part_of_the_text_with_few_posts_has_no_column_and_no_plot(report: Report) -> None:
    def few(number: int) -> Report:
        rungs = []
        for rung in report.rungs:
            typing = dict(rung.typing)
            if "repeats" in typing:
                bits = replace(typing["repeats"].bits_per_byte, number=number)  # type: ignore[type-var]
                typing["repeats"] = type(typing["repeats"])(bits_per_byte=bits)
            rungs.append(replace(rung, typing=typing))
        return replace(report, rungs=tuple(rungs), scored=replace(report.scored, repeat_posts=number))

    assert "bits per byte, repeats" in page(few(10)) and "Novel text and repeats apart" in page(few(10))
    assert "bits per byte, repeats" not in page(few(9)) and "Novel text and repeats apart" not in page(few(9))


def test_what_stands_on_few_posts_has_no_column_and_what_has_no_figure_no_row() -> None:
    """Had seven posts been typed again, of which keystrokes were counted; what ranks nothing has no figure of ranking."""
    written = COMMITTED[1].read_text(encoding="utf-8")
    typed = read(COMMITTED[1]).scored.typed_posts

    def seven(found: re.Match[str]) -> str:
        return f"{found[1]}{min(int(found[2]), 7) if int(found[2]) <= typed else found[2]}"

    made = page(from_json(re.sub(r'("(?:number|typed_posts)": )(\d+)', seven, written).encode()))
    assert "keystrokes saved" not in made and "top 1, 1 letter" not in made
    ranked = made[made.index("Finding the reply: a comment that answers a comment</span>") : made.index("Costs</span>")]
    assert "bm25" in ranked and "canned" not in ranked and "canned" in made[made.index("Costs</span>") :]


def test_a_table_tells_what_its_own_verdict_names(report: Report) -> None:
    """`mixture` is taken for typing; made to rank as well, it is the best in the tables of typing and of costs alone."""
    ranks = next(rung.replies for rung in report.rungs if rung.name == "fusion")
    both = tuple(replace(r, kinds=KINDS, replies=ranks) if r.name == report.verdicts["typing"].best else r for r in report.rungs)
    made = page(replace(report, rungs=both))
    row = f"&nbsp;{report.verdicts['typing'].best}</span>"
    tables = [
        made[made.index(start) :]
        for start in ("Finishing sentences</span>", "Finding the reply: a comment that answers a comment</span>")
    ]
    badges = [">best<" in table[table.index(row) :].split("</tr>")[0] for table in tables]
    assert badges == [True, False]


def test_what_was_left_out_stands_together(report: Report) -> None:
    skipped = [LeftOut(f"{what} of the data", "the budget") for what in ("lstm on 1/8", "bm25 on 1/4", "lstm on 1/4")]
    skipped += [LeftOut("all of lstm: 2 of 6 layers", "the budget"), LeftOut("lstm on all of the data", "it took too long")]
    none = MeasuredRung("x", "", (), False, True, (), "skipped", "", {}, {}, Cost())  # for neither job
    stopped = (
        replace(report.rungs[0], name="y", state="stopped", why="was stopped"),
        replace(report.rungs[0], name="z", state="failed", why=""),
    )
    found = replace(report, rungs=(none, *stopped), skipped=tuple(skipped)).unfinished()
    assert [(left.what, left.why) for left in found] == [
        ("y", "was stopped"),
        ("z failed", "no reason was given"),
        (
            "left out, since there was no time left",
            "lstm on 1/8, 1/4 of the data; bm25 on 1/4 of the data; all of lstm: 2 of 6 layers",
        ),
        ("left out, since it took too long", "lstm on all of the data"),
    ]


def test_what_others_trained_may_have_read_the_posts_and_that_is_doubt(report: Report) -> None:
    name = report.verdicts["typing"].rung
    cost = replace(report.rungs[0].cost, elsewhere=f"trained elsewhere, on the web{MAY_HAVE_READ}")
    given = tuple(replace(rung, shipped=True, cost=cost) if rung.name == name else rung for rung in report.rungs)
    said = dict(facts(replace(report, rungs=given), "typing"))
    assert said["cost"].startswith("trained elsewhere, on the web, ") and said["how sure"].endswith("which flatters it")


def test_what_came_with_the_package_never_cost_nothing() -> None:
    found = read(COMMITTED[1])
    made, (_, rows, _) = page(found), plain(found)
    assert "0.00 s" not in made
    costs = {rung.name: rung.cost for rung in found.rungs if rung.shipped and rung.cost.whole_seconds is not None}
    told = {row[0]: row[4] for row in rows if row[0] in costs}
    assert told == {name: f"{seconds(cost.whole_seconds or 0)} elsewhere" for name, cost in costs.items()} and len(told) == 3
    cell = seconds(costs["lstm (package)"].fit_seconds or 0).replace(" ", "\xa0")
    assert f'{cell}<span class="ends">elsewhere' in made


def test_of_what_was_not_measured_no_nought_is_told(report: Report) -> None:
    counted = r"<p class=\"counted\">.*?</p>"
    both = re.findall(counted, page(report), re.DOTALL)
    assert "held-out posts scored" in both[0] and "replies looked for" in both[0]
    scored = replace(report.scored, typing_posts=0, typed_posts=0, pairs={"comment": 0, "story": 0})
    none = re.findall(counted, page(replace(report, scored=scored)), re.DOTALL)
    assert "scored" not in none[0] and "looked for" not in none[0]


def test_an_empty_report_is_a_page(report: Report) -> None:
    empty = replace(report, rungs=(), steps=(), overtakings=(), verdicts={}, skipped=())
    assert "Nothing was measured" in page(empty)
    assert plain(empty)[1] == [] and "No verdict: no rung was measured." in plain(empty)[2]


# --- the table -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: file.parent.name)
def test_the_table_fits_and_names_stand_whole(file: Path, width: int) -> None:
    found = read(file)
    columns, rows, _ = plain(found, width)
    assert [row[0] for row in rows] == [rung.name for rung in found.rungs]
    widths = [max(len(row[n]) for row in [columns, *rows]) for n in range(len(columns) - 1)]
    assert sum(widths) + 2 * len(widths) + len("stopped,") <= width  # notes wrap between words
    assert columns[:2] == ["rung", "bits/byte"] and columns[-1] == "note"


def test_a_column_without_a_figure_takes_no_room(report: Report) -> None:
    typing = tuple(rung for rung in report.rungs if rung.typing and not rung.replies)
    assert typing and "recall@1" in plain(report)[0] and "recall@1" not in plain(replace(report, rungs=typing), 60)[0]


# --- what to do, and how sure it is ----------------------------------------------------------------------------------------


def test_what_to_do_next_is_commands(report: Report) -> None:
    """The golden report takes `mixture` and `fusion`, and its budget of 15 minutes stopped `lstm`: four times that is an hour."""
    commands = [one.command for one in advice(report)]
    assert commands[0].startswith("rejoinder fit ") and {"mixture", "fusion"} <= set(commands[0].split())
    assert commands[1:] == ["rejoinder serve", "rejoinder ladder --budget 1h"]
    set_so = tuple(replace(rung, settings=("fusion.models=[]",)) if rung.name == "fusion" else rung for rung in report.rungs)
    assert next(one.command for one in advice(replace(report, rungs=set_so))).endswith(" --set 'fusion.models=[]'")
    assert [one.command for one in advice(replace(report, budget=500.0))][-1] == "rejoinder ladder --budget 34m"
    asked = replace(report, budget=500.0, asked=("lstm", "--split", "time", "--set", "lstm.reset=a b"))
    assert [one.command for one in advice(asked)][-1] == "rejoinder ladder lstm --split time --set 'lstm.reset=a b' --budget 34m"
    assert [one.command for one in advice(replace(report, budget=None))][-1] == "rejoinder import FILE"
    short = replace(report, budget=500.0, scored=replace(report.scored, threads={"typing": 13}))
    assert [one.command for one in advice(short)][-1] == "rejoinder import FILE"  # more time brings no more threads


def test_which_one_at_what_cost_and_how_sure_stands_first(report: Report) -> None:
    """The golden report's `fusion`: 4.6 min with all it is made of; 0.541 of 500 pairs; half of its steps' widths are 0.028."""
    said = dict(facts(report, "replies"))
    assert list(said) == ["take", "cost", "quality", "how sure"] and said["take"] == "fusion, the best measured"
    assert said["cost"] == "fitted in 4.6 min, 11 ms a reply (27 ms the slowest of 100), 20.0 kB, base install"
    assert said["quality"] == "54.1% (50.9% to 57.0%) of the true replies stand first of 100"
    assert said["how sure"] == "by 500 held-out pairs, intervals of 95%; they show differences above about 0.028 of recall@1"
    assert dict(facts(report, "typing"))["cost"].endswith("needs the extra train")
    made = page(report)
    assert made.index("fusion, the best measured") < made.index(
        '<summary class="headline">', made.index("to find the right reply")
    )
    better = replace(report.verdicts["replies"], rung="bm25")
    cheap = replace(report, verdicts={**report.verdicts, "replies": better})
    assert dict(facts(cheap, "replies"))["take"] == "bm25, the cheapest within 3% of the best, fusion"
    came = tuple(replace(rung, shipped=True) if rung.name == "fusion" else rung for rung in report.rungs)
    assert dict(facts(replace(report, rungs=came), "replies"))["cost"].startswith("came fitted, 11 ms")
    assert facts(replace(report, verdicts={}), "typing") == []


def test_how_small_a_difference_can_be_seen(report: Report) -> None:
    """Half of the intervals' widths are 1%, 2% and 6%; the median is 2%."""
    steps = [s for s in report.steps if s.kind == "typing"][:3]
    gains = [Figure(0.0, -half, half, 250) for half in (0.01, 0.06, 0.02)]
    of = replace(report, steps=tuple(replace(step, gain=gain) for step, gain in zip(steps, gains, strict=True)))
    assert doubt(of, "typing").startswith("Your archive can show differences above about 2.0% of the bits, by 250 posts")
    assert "of 3 comparisons" in doubt(of, "typing") and doubt(of, "replies") == ""
    widened = doubt(replace(of, level={"typing": level_of_each(3)}), "typing")
    assert "hold together in 95 of 100" in widened and "misleads" not in widened


def test_what_is_not_told_apart_from_the_best_is_named(report: Report) -> None:
    of = replace(report, ties={"typing": (("mixture", "lstm"), ("markov",)), "replies": (("fusion",), ("bm25",))})
    said = "Not told apart from the best, mixture: lstm."
    assert (not_told_apart(of, "typing"), not_told_apart(of, "replies")) == (said, "")
    assert said in page(of) and f"  {said}" in plain(of)[2]


def test_an_overtaking_in_words() -> None:
    at = Overtaking("typing", "markov", "lstm", Crossing(3.0, 2.0, 8.0))
    assert str(at) == "with about 3 times more data (2 to 8), lstm would overtake markov"
    assert "(2 or more)" in str(replace(at, at=Crossing(3.0, 2.0, None)))
    assert "do not say" in str(replace(at, at=None))


def test_the_front_is_what_none_beats_in_both() -> None:
    """Prices 1, 2, 3, 3; losses 5, 6, 4, 3: the second costs more and is worse than the first, the third as dear as the last."""
    assert front([1, 2, 3, 3], [5, 6, 4, 3]) == [0, 3]


def test_rungs_of_a_kind_are_told_apart_by_colour(report: Report) -> None:
    made = page(report)
    for kind in KINDS:
        names = [rung.name for rung in report.of_kind(kind) if rung.latency(kind)]
        plot = re.search(rf'aria-labelledby="{kind}-latency-wide-title.*?</svg>', made, re.DOTALL)
        assert plot is not None
        hues = re.findall(r'class="label end (c\d+)"', plot.group())
        assert len(hues) == len(set(hues)) == len(names)
