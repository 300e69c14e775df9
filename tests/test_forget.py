"""Forgetting: gone from every file of the home, exact in the counts, and gone for good."""

from __future__ import annotations

import gzip
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from conftest import find_real_data
from typer.testing import CliRunner

from rejoinder.archive.batches import batch
from rejoinder.archive.places import place
from rejoinder.archive.source import Record, Skipped
from rejoinder.archive.sources.hackernews import read_record
from rejoinder.archive.store import Archive, Counts
from rejoinder.cli import app
from rejoinder.corpus import Corpus
from rejoinder.errors import ArchiveBusy, ArchiveError, NotFitted, StaleModel, UnknownPost, UsageError
from rejoinder.home.arpa import import_arpa
from rejoinder.home.fitting import FitConfig, fit
from rejoinder.home.forgetting import forget_everywhere
from rejoinder.home.holders import clear
from rejoinder.home.importing import import_files
from rejoinder.home.library import Home
from rejoinder.home.retraining import forget_and_retrain
from rejoinder.home.sample import SAMPLE
from rejoinder.home.workspace import Workspace
from rejoinder.models import LADDER, without_extras
from rejoinder.models.interfaces import Job
from rejoinder.models.unigram import Unigram, UnigramConfig
from rejoinder.post import Post

SMALL = FitConfig(vocabulary=1_000)
TINY: dict[str, dict[str, Any]] = {  # sizes that a test can wait for
    "logistic": {"size": 16, "least_steps": 60},
    "fusion": {"lists": 1, "pairs": 100, "train_pairs": 500},
    "pmi_svd": {"size": 8, "window": 2, "buckets": 100},
    "word2vec": {"size": 8, "buckets": 100, "epochs": 1, "workers": 1},
}
SAMPLE_FILE = Path(__file__).parents[1] / "src" / "rejoinder" / "bundle" / SAMPLE


def with_authors(lines: list[str]) -> list[dict[str, object]]:
    """Items with authors dealt out by a seed: the real archive has none."""
    rng = np.random.default_rng(1)
    return [{**json.loads(line), "by": f"author{int(rng.integers(40))}"} for line in lines]


RECORDS = with_authors(SAMPLE_FILE.read_text(encoding="utf-8").splitlines())


def real_records() -> list[dict[str, object]]:
    """Real items where they are at hand, else the embedded archive's."""
    directory = find_real_data()
    if directory is None:
        return RECORDS
    with gzip.open(directory / "hn.jsonl.gz", "rt", encoding="utf-8") as file:
        return with_authors(list(islice(file, 20_000, 25_000)))


def space_of(home: Path, records: list[dict[str, object]]) -> Workspace:
    """A home with these records imported."""
    space = Workspace(home)
    with space.open_archive(create=True) as archive:
        place(archive, "test", hashed=False)
        archive.add(read_record(record, "", space.hasher()) for record in records)
    return space


def arrays(space: Workspace, name: str) -> dict[str, bytes]:
    """Every array of a fitted rung, as bytes."""
    found = space.fitted(name)
    assert found is not None
    return {file.name: np.load(file).tobytes() for file in sorted(found.directory.glob("*.npy"))}


def test_after_forgetting_an_author_every_array_is_that_of_a_fit_on_what_remains(tmp_path: Path) -> None:
    """The same tokenizer, the same archive, and another one that never had the posts: all three agree to the bit."""
    records = real_records()
    space = space_of(tmp_path / "a", records)
    assert fit(space, ["kneser_ney"], SMALL, {}) == {}
    before = arrays(space, "kneser_ney")
    outcome = forget_everywhere(space, [], "author7")
    assert outcome.posts == sum(record["by"] == "author7" for record in records) > 10
    assert outcome.exact == ["kneser_ney"]
    forgotten = arrays(space, "kneser_ney")
    assert forgotten != before

    fit(space, ["kneser_ney"], SMALL, {})
    assert arrays(space, "kneser_ney") == forgotten

    other = space_of(tmp_path / "b", [record for record in records if record["by"] != "author7"])
    (other.home / "tokenizer.json").write_bytes((space.home / "tokenizer.json").read_bytes())
    fit(other, ["kneser_ney"], SMALL, {})
    assert arrays(other, "kneser_ney") == forgotten


def test_forgetting_an_item_is_exact_too_also_on_all(tmp_path: Path) -> None:
    space = space_of(tmp_path, RECORDS)
    everything = FitConfig(on="all", vocabulary=1_000)
    fit(space, ["kneser_ney"], everything, {})
    with space.open_archive() as archive:
        parents = [
            number for (number,) in archive.query("SELECT DISTINCT p.id FROM post p JOIN post c ON c.parent = p.id LIMIT 3")
        ]
    assert parents
    assert forget_everywhere(space, parents, None).exact == ["kneser_ney"]
    found = space.fitted("kneser_ney")
    assert found and found.manifest["on"] == "all" and not found.behind and not found.forgot
    forgotten = arrays(space, "kneser_ney")
    fit(space, ["kneser_ney"], everything, {})
    assert arrays(space, "kneser_ney") == forgotten


def test_no_byte_of_what_was_forgotten_stays_in_the_home(tmp_path: Path) -> None:
    """Words that only the forgotten post has, in the archive, its log, the search index, the models, anywhere."""
    secret = "xylographicmarmalade"
    extra: list[dict[str, object]] = [
        {"id": 10**9, "type": "story", "by": "zz_unmistakable", "title": f"On {secret}", "text": f"About {secret}, at length."},
        {"id": 10**9 + 1, "type": "comment", "by": "zz_unmistakable", "parent": 10**9, "text": f"I like {secret}. " * 30},
    ]
    thanks = [
        {"id": 10**9 + 10 + n, "type": "comment", "by": "x", "parent": 10**9, "text": f"Thanks {secret}?"} for n in range(9)
    ]
    space = space_of(tmp_path, [*RECORDS[:1_000], *extra, *thanks])
    fitted = [*without_extras(), "pmi_svd", "word2vec"]
    assert fit(space, fitted, FitConfig(on="all", vocabulary=600), {**TINY, "canned": {"repeats": 1}}) == {}

    def holders(text: str) -> list[str]:
        found = [file for file in tmp_path.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]
        return [str(file.relative_to(tmp_path)) for file in found]

    before = holders(secret)
    assert "archive.db" in before
    holding = {name for name in fitted if any(file.startswith(f"models/{name}/") for file in before)}
    assert holding == {"canned", "pair_encoder", "pmi_svd", "word2vec"}  # the search index of bm25 is packed, and holds it too
    assert holding | {"bm25"} == {name for name in fitted if LADDER[name].verbatim}
    outcome = forget_everywhere(space, [10**9 + 10 + n for n in range(9)], None)
    forget_everywhere(space, [], "zz_unmistakable")
    assert outcome.removed == ["canned", "bm25", "pair_encoder", "pmi_svd", "word2vec"]
    assert holders(secret) == [] == holders("zz_unmistakable")
    left = {file.name for file in tmp_path.iterdir() if not file.name.startswith("archive.db-")}
    assert left == {"archive.db", "author.key", "models", "models.lock", "tokenizer.json"}


def test_what_was_forgotten_does_not_come_back(tmp_path: Path) -> None:
    space = space_of(tmp_path, RECORDS[:500])
    number = RECORDS[3]["id"]
    assert isinstance(number, int)
    forget_everywhere(space, [number], None)
    forget_everywhere(space, [], "author5")
    theirs = sum(r["by"] == "author5" or r["id"] == number for r in RECORDS[:500])
    with space.open_archive() as archive:
        later = [*RECORDS[:500], {"id": 77, "type": "comment", "by": "author5", "text": "new words of the same author"}]
        counts = archive.add(read_record(record, "", space.hasher()) for record in later)
        assert counts.reasons == {"forgotten on request": theirs + 1} and counts.new == 0
        assert counts.unchanged == 500 - theirs
        assert b"author5" not in b"".join(bytes(m) for (m,) in archive.query("SELECT mark FROM tombstone"))


def test_rungs_that_cannot_forget_are_removed_or_refused_until_they_are_fitted_again(tmp_path: Path) -> None:
    space = space_of(tmp_path, RECORDS)
    fit(space, without_extras(), SMALL, TINY)
    outcome = forget_everywhere(space, [], "author7")
    assert (outcome.exact, outcome.removed, outcome.marked) == (
        ["kneser_ney"],
        ["canned", "bm25", "pair_encoder"],
        ["unigram", "markov", "logistic", "fusion", "trigger"],
    )
    space.load("kneser_ney")
    with pytest.raises(StaleModel, match="rejoinder fit markov"):
        space.load("markov")
    space.load("markov", allow_stale=True)
    with pytest.raises(NotFitted):
        space.load("bm25")
    fit(space, without_extras(), SMALL, TINY)
    for name in without_extras():
        space.load(name)


def test_a_model_behind_its_archive_is_not_subtracted_from_but_marked(tmp_path: Path) -> None:
    space = space_of(tmp_path, RECORDS)
    fit(space, ["kneser_ney"], SMALL, {})
    with space.open_archive() as archive:
        archive.add([Post(10**9, text="something new")])
    assert forget_everywhere(space, [], "author7").marked == ["kneser_ney"]
    with pytest.raises(StaleModel):
        space.load("kneser_ney")


def test_who_is_not_here_cannot_be_forgotten_and_nothing_changes(tmp_path: Path) -> None:
    space = space_of(tmp_path, RECORDS[:50])
    first = RECORDS[0]["id"]
    assert isinstance(first, int)
    for items, author in (([first, 10**12], None), ([], "nobody")):
        with pytest.raises(UnknownPost, match="nothing was forgotten"):
            forget_everywhere(space, items, author)
    with space.open_archive() as archive:
        assert archive.post(first).id == first
        assert next(archive.query("SELECT count(*) FROM tombstone")) == (0,)


def test_replies_to_what_was_forgotten_stay_as_orphans(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    with space.open_archive(create=True) as archive:
        archive.add([Post(1, text="root"), Post(2, text="middle", parent=1), Post(3, text="leaf", parent=2)])
    forget_everywhere(space, [2], None)
    with Archive.open(space.archive_file) as archive:
        assert {post.id: post.thread for post in archive.posts("1")} == {
            1: 1,
            3: 2,
        }  # the leaf's thread is now that of its lost parent
    assert stat.S_IMODE(space.author_key.stat().st_mode) == 0o600


def test_a_record_without_an_author_is_not_mistaken_for_a_forgotten_one(tmp_path: Path) -> None:
    space = space_of(tmp_path, RECORDS[:50])
    forget_everywhere(space, [], str(RECORDS[0]["by"]))
    with space.open_archive() as archive:
        item = read_record({"id": 999, "text": "nobody's"}, "", space.hasher())
        assert not isinstance(item, Skipped)
        assert archive.add([item]).new == 1


def test_no_byte_stays_where_posts_came_in_out_of_order_and_were_edited(tmp_path: Path) -> None:
    """B-tree pages that split keep copies of what they held: deleting a row is not enough."""
    rng = np.random.default_rng(2)
    space = Workspace(tmp_path)
    marks = {number: f"mark{number:05}x" + "abcdefgh"[number % 8] * 40 for number in range(1, 1_501)}
    with space.open_archive(create=True) as archive:
        for batch in np.array_split(rng.permutation(list(marks)), 30):
            archive.add(Post(int(n), text=f"{marks[int(n)]} words", parent=int(n) // 2 or None) for n in batch)
        archive.add(Post(n, text=f"{marks[n]} edited words, and more of them", parent=n // 2 or None) for n in range(1, 700))
    forgotten = [int(number) for number in rng.choice(list(marks), 150, replace=False)]
    forget_everywhere(space, forgotten, None)
    left = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert [number for number in forgotten if marks[number][:10].encode() in left] == []
    kept = next(number for number in marks if number not in forgotten)
    assert marks[kept][:10].encode() in left


def test_a_reader_that_keeps_the_log_alive_is_told_and_the_same_call_finishes(tmp_path: Path) -> None:
    space = space_of(tmp_path, RECORDS[:200])
    fit(space, ["canned", "bm25"], FitConfig(on="all"), {})
    number = RECORDS[0]["id"]
    assert isinstance(number, int)
    with space.open_archive() as reader:
        reader.view()
        with space.open_archive() as writer:
            writer.add([Post(10**9, text="after the snapshot")])
        with pytest.raises(ArchiveBusy, match="run the same command again"):
            forget_everywhere(space, [number], None)
    assert not (tmp_path / "models" / "bm25").exists()  # what holds words is gone all the same
    assert forget_everywhere(space, [number], None).posts == 0


def test_posts_that_an_import_left_unsettled_do_not_make_a_false_claim(tmp_path: Path) -> None:
    space = space_of(tmp_path, RECORDS[:500])
    with space.open_archive() as archive:  # an import that ended between two batches
        later = [item for r in RECORDS[500:600] if isinstance(item := read_record(r, "", space.hasher()), Post)]
        archive._take(batch(later), place(archive, "test"), Counts())
    fit(space, ["kneser_ney"], SMALL, {})
    number = RECORDS[3]["id"]
    assert isinstance(number, int)
    assert forget_everywhere(space, [number], None).exact == ["kneser_ney"]
    forgotten = arrays(space, "kneser_ney")
    fit(space, ["kneser_ney"], SMALL, {})
    assert arrays(space, "kneser_ney") == forgotten


def test_without_its_key_an_archive_that_forgot_takes_nothing_in(tmp_path: Path) -> None:
    space = space_of(tmp_path, RECORDS[:50])
    number = RECORDS[3]["id"]
    assert isinstance(number, int)
    forget_everywhere(space, [number], None)
    space.author_key.unlink()
    with pytest.raises(ArchiveError, match="is gone, the key with which"):
        space.hasher()
    assert not space.author_key.exists()  # none is made that would have to be taken away again
    with space.open_archive() as archive, pytest.raises(ArchiveError, match="is gone, the key with which"):
        archive.add([Post(number, text="back again")])


@pytest.mark.parametrize("how", ["lost", "replaced"])
def test_with_another_key_nobody_is_forgotten_by_half_and_nothing_comes_in(tmp_path: Path, how: str) -> None:
    """Names would be hashed to other hashes: `forget --author` would miss what they wrote before, and say it had forgotten."""
    space = space_of(tmp_path, RECORDS[:50])
    space.author_key.unlink()
    if how == "replaced":
        space.author_key.write_bytes(b"another key of the right length!")
    theirs = str(RECORDS[0]["by"])
    with space.open_archive() as archive, pytest.raises(ArchiveError, match="the key with which"):
        archive.add([read_record({"id": 999, "by": theirs, "text": "later words"}, "", space.hasher())])
    for items, author in (([int(str(RECORDS[0]["id"]))], None), ([], theirs)):
        with pytest.raises(ArchiveError, match="restore it from a backup"):
            forget_everywhere(space, items, author)
    with space.open_archive() as archive:
        assert next(archive.query("SELECT count(*), sum(author IS NOT NULL) FROM post")) == (50, 50)


@pytest.mark.parametrize(
    ("form", "named"),
    [
        ("mbox", "Ada@Example.org"),
        ("mbox", "Ada Lovelace <ada@example.org>"),
        ("mbox", "somebody else"),
        ("zammad", "ada@example.org"),
        ("zammad", "Ada Lovelace <ada@example.org>"),
        ("zammad", "@ada@example.org"),
        ("telegram", "5"),
        ("telegram", "user5"),
        ("reddit", "u/ada"),
        ("reddit", "@ada"),
    ],
)
def test_whoever_is_named_as_people_name_them_is_forgotten_and_does_not_come_back(form: str, named: str, tmp_path: Path) -> None:
    space, other = Workspace(tmp_path / "home"), "Bob <bob@example.org>"
    ada = "Somebody Else" if named == "somebody else" else "Ada Lovelace <ada@example.org>"
    if form == "mbox":
        file = tmp_path / "a.mbox"
        file.write_text(
            "".join(f"From a Mon Jan  3 10:00:00 2022\nFrom: {who}\nSubject: tea\n\n{who}.\n\n" for who in (ada, other))
        )
    else:
        file = tmp_path / "a.json"
        article = {"ticket_id": 7, "sender": "Customer", "internal": False, "created_at": "2024-01-01T10:00:00Z", "type": "web"}
        file.write_text({
            "zammad": json.dumps([article | {"id": n, "from": who, "body": "Tea."} for n, who in enumerate((ada, other), 1)]),
            "telegram": json.dumps({"id": 1, "messages": [
                {"id": n, "type": "message", "date_unixtime": "1704103200", "from_id": f"user{n}", "text": "Tea."} for n in (5, 6)
            ]}),
            "reddit": "\n".join(
                json.dumps({"id": who, "name": f"t1_{who}", "link_id": "t3_x", "parent_id": "t3_x", "author": who, "body": "Tea.",
                            "subreddit": "x", "created_utc": 1704103200}) for who in ("ada", "bob")
            ),
        }[form])  # fmt: skip
    (done,) = import_files(space, [file])
    assert done.form is not None and (done.form.name, done.counts.new) == (form, 2)
    assert forget_everywhere(space, [], named).posts == 1
    (again,) = import_files(space, [file])
    assert (again.counts.new, again.counts.skipped) == (0, 1)
    with pytest.raises(UnknownPost, match="author is"):
        forget_everywhere(space, [], "nobody@example.org")


def test_a_damaged_or_unfinished_model_does_not_stop_forgetting(tmp_path: Path) -> None:
    space = space_of(tmp_path, RECORDS[:300])
    fit(space, ["unigram", "bm25"], FitConfig(on="all", vocabulary=400), {})
    (tmp_path / "models" / "bm25" / "0001" / "manifest.json").unlink()
    counts = tmp_path / "models" / "unigram" / "0001" / "counts.npy"
    counts.write_bytes(counts.read_bytes()[:100])
    outcome = forget_everywhere(space, [], "author7")
    assert (outcome.removed, outcome.marked) == (["bm25"], ["unigram"])
    assert not (tmp_path / "models" / "bm25").exists()


def test_a_place_is_forgotten_with_every_byte_and_does_not_come_back(tmp_path: Path) -> None:
    space = space_of(tmp_path, RECORDS[:40])
    with space.open_archive() as archive:
        kept = sorted(archive.posts("1"))
        mail = space.hasher("quincunx-list")
        posts = [
            Record(f"<{number}@obelisk.example>", f"words of a zeppelin {number}", time=number, author="Zebedee").post(mail, "")
            for number in range(300)
        ]
        archive.add(posts, at=place(archive, "quincunx-list"))
    assert forget_everywhere(space, [], None, "quincunx-list").posts == 300
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert not any(word in file.read_bytes() for word in (b"zeppelin", b"obelisk", b"quincunx", b"Zebedee")), file
    with space.open_archive() as archive:
        assert sorted(archive.posts("1")) == kept
        assert archive.add(posts, at=place(archive, "quincunx-list")).reasons == {"forgotten on request": 300}
    with pytest.raises(UnknownPost, match=r"no source `nowhere` in the archive .*, which has test, quincunx-list"):
        forget_everywhere(space, [], None, "nowhere")
    assert forget_everywhere(space, [], None, "test").posts == len(kept)
    with pytest.raises(UnknownPost, match=r"no source `test` in the archive .*, which has quincunx-list;"):
        forget_everywhere(space, [], None, "test")


def test_what_two_ways_to_name_posts_have_in_common_is_not_guessed(tmp_path: Path) -> None:
    """Every post of a place would be gone where one author's there was meant."""
    space = space_of(tmp_path, RECORDS[:50])
    number = int(str(RECORDS[0]["id"]))
    for items, author, source in (
        ([number], "author7", None),
        ([number], None, "test"),
        ([], "author7", "test"),
        ([number], "author7", "test"),
        ([], None, None),
    ):
        with pytest.raises(UsageError, match="give one of"):
            forget_everywhere(space, items, author, source)
        with pytest.raises(UsageError, match="give one of"):
            forget_and_retrain(space, items, author, source)
        with pytest.raises(UsageError, match="give one of"):
            Home(tmp_path).forget(*items, author=author, source=source)
    with space.open_archive() as archive:
        assert len(list(archive.posts("1"))) == 50
    ran = CliRunner().invoke(app, ["forget", "--item", str(number), "--home", str(tmp_path)])
    assert ran.stdout.startswith("forgot 1 post; a later")


def test_models_behind_links_are_erased_as_far_as_they_are_ours_and_what_is_left_is_named(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    space = space_of(home, RECORDS[:300])
    assert not fit(space, ["canned", "bm25", "unigram"], FitConfig(on="all", vocabulary=400), {})
    elsewhere.mkdir()
    (home / "models" / "bm25").rename(elsewhere / "bm25")  # a folder of models that lies on another disk
    (home / "models" / "bm25").symlink_to(elsewhere / "bm25")
    (elsewhere / "bm25" / "thesis.txt").write_text("not rejoinder's")
    (home / "models" / "canned" / "0001").rename(elsewhere / "canned")  # one model, behind a link of its own
    (home / "models" / "canned" / "0001").symlink_to(elsewhere / "canned")
    outcome = forget_everywhere(space, [], "author7")
    assert (outcome.removed, outcome.marked) == (["bm25"], ["unigram"])  # whatever came before did not stop the rest
    assert sorted(outcome.left) == [str(home / "models" / name) for name in ("bm25/thesis.txt", "canned/0001")]
    assert [path.name for path in (elsewhere / "bm25").iterdir()] == ["thesis.txt"]
    assert (elsewhere / "canned" / "manifest.json").is_file()  # never through a link that stands for a folder of ours
    assert forget_everywhere(space, [], "author7").left == outcome.left


def test_what_was_fitted_while_somebody_was_forgotten_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space, reading, waits = space_of(tmp_path, RECORDS[:300]), Event(), Event()
    fit_unigram = Unigram.fit

    def slowly(corpus: Corpus, config: UnigramConfig, *, rng: np.random.Generator, job: Job) -> Unigram:
        found = fit_unigram(corpus, config, rng=rng, job=job)
        reading.set()
        assert waits.wait(60)  # until forgetting has begun
        return found

    monkeypatch.setattr(Unigram, "fit", slowly)
    with ThreadPoolExecutor(2) as pool:
        fitted = pool.submit(fit, space, ["unigram", "bm25"], FitConfig(on="all", vocabulary=400), {})
        assert reading.wait(60)
        forgotten = pool.submit(forget_everywhere, Workspace(tmp_path), [], "author7", None, lambda line: waits.set())
        assert not fitted.result(60)
        outcome = forgotten.result(60)
    assert (outcome.marked, outcome.removed) == (["unigram"], ["bm25"])
    with pytest.raises(StaleModel):
        space.load("unigram")
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name.startswith("tokens")]


def test_whoever_fits_after_it_reads_only_what_remains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space, erasing, waits = space_of(tmp_path, RECORDS[:300]), Event(), Event()

    def slowly(home: Path, **how: bool) -> list[Path]:
        erasing.set()
        assert waits.wait(60)  # until a fit has begun
        return clear(home, **how)

    monkeypatch.setattr("rejoinder.home.forgetting.clear", slowly)
    with ThreadPoolExecutor(2) as pool:
        forgotten = pool.submit(forget_everywhere, Workspace(tmp_path), [], "author7")
        assert erasing.wait(60)
        fitted = pool.submit(
            fit, space, ["unigram"], FitConfig(on="all", vocabulary=400), {}, lambda what, done, all_of_it: waits.set()
        )
        assert forgotten.result(60).posts and not fitted.result(60)
    fresh = space_of(tmp_path / "fresh", [record for record in RECORDS[:300] if record["by"] != "author7"])
    assert not fit(fresh, ["unigram"], FitConfig(on="all", vocabulary=400), {})
    assert arrays(space, "unigram") == arrays(fresh, "unigram")


def test_a_fit_that_fails_after_forgetting_is_told_by_the_exit_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = space_of(tmp_path, RECORDS[:300])
    assert not fit(space, ["unigram", "bm25"], FitConfig(on="all", vocabulary=400), {})

    def fails(*_: object, **__: object) -> None:
        raise NotFitted("no room left")

    monkeypatch.setattr(Unigram, "fit", fails)
    ran = CliRunner().invoke(app, ["forget", "--author", "author7", "--retrain-tokenizer", "--json", "--home", str(tmp_path)])
    said = json.loads(ran.stdout)
    assert ran.exit_code == 2 and said["failed"] == {"unigram": "no room left"} and said["posts"] > 0
    assert "rejoinder: unigram: no room left" in ran.stderr
    assert space.fitted("unigram") is not None and space.fitted("bm25") is not None
    with pytest.raises(StaleModel):
        space.load("unigram")


def test_a_model_of_another_tool_is_left_as_it_is_and_named(tmp_path: Path) -> None:
    space = space_of(tmp_path, RECORDS[:300])
    assert not fit(space, ["unigram"], FitConfig(on="all", vocabulary=400), {})
    (tmp_path / "theirs.arpa").write_text(
        "\\data\\\nngram 1=4\n\n\\1-grams:\n-99\t<s>\n-0.5\t</s>\n-0.5\tdough\n-0.6\t<unk>\n\n\\end\\\n", encoding="utf-8"
    )
    import_arpa(space, tmp_path / "theirs.arpa")
    before = {path: path.read_bytes() for path in (tmp_path / "models" / "kneser_ney").rglob("*") if path.is_file()}
    ran = CliRunner().invoke(app, ["forget", "--author", "author7", "--retrain-tokenizer", "--home", str(tmp_path)])
    assert ran.exit_code == 0, ran.output
    assert "kneser_ney came from a file of another tool (`arpa import`), and is not fitted again" in ran.stderr
    assert {path: path.read_bytes() for path in before} == before
    assert space.load("kneser_ney") and "unigram" in ran.stdout
