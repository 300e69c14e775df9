"""The copy guard over more than can be kept: what is read often is kept whole, of the rest what the models were heard to say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.engine.sampling import sample, text_of
from rejoinder.models.interfaces import Job
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.publish.arrays import learn_tokenizer, write_arrays
from rejoinder.publish.continuations import LIKELIEST, MadeText, continuations
from rejoinder.publish.copies import GuardConfig, all_records, alone, guard, heard, paired
from rejoinder.publish.reading import TALK, FilesCorpus, ReadConfig, reading
from rejoinder.text.ownership import RUN, WordHashes, run_hashes
from rejoinder.text.words import words

RECORDS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=60)


def stored(records: list[tuple[int, int]]) -> np.ndarray:
    return np.array(records, dtype=[("run", "<u8"), ("thread", "<u8")])


@given(RECORDS)
def test_whose_a_run_is_is_what_a_search_finds(records: list[tuple[int, int]]) -> None:
    found = np.unique(np.append(stored(records)["run"], [np.uint64(99)]))
    wanted = [len({thread for run, thread in records if run == one}) == 1 for one in found.tolist()]
    assert alone(found, stored(records)).tolist() == wanted and not wanted[-1]  # what nobody wrote is nobody's


@given(RECORDS)
def test_whose_two_runs_side_by_side_are_is_what_a_search_finds(records: list[tuple[int, int]]) -> None:
    keys = paired(stored(records)["run"]).tolist()
    owners = {key: {records[at][1] for at, other in enumerate(keys) if other == key} for key in keys}
    found = np.array(sorted(owners), np.uint64)
    assert alone(found, stored(records), pairs=True).tolist() == [len(owners[one]) == 1 for one in sorted(owners)]


def test_a_run_across_the_chunks_that_are_looked_up_together_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    records = stored([(1, 5), (2, 5), (1, 6), (3, 6), (1, 7), (2, 7)])
    found = np.unique(paired(records["run"]))
    whole = alone(found, records, pairs=True).tolist()
    monkeypatch.setattr("rejoinder.publish.copies._CHUNK", 2)
    assert alone(found, records, pairs=True).tolist() == whole


COMMON = "the kettle is on the stove and the tea is in the pot"
OWN = "a purple walrus plays chess on sundays near the old lighthouse"


@contextmanager
def made(tmp_path: Path, **config: float) -> Iterator[tuple[FilesCorpus, KneserNey]]:
    """A corpus in which one thread says something of its own again and again, and counts of it that keep all they met."""
    posts = [{"id": n, "text": f"{COMMON} said number{n}"} for n in range(1, 60)]
    posts += [{"id": 100 + n, "text": f"so number{n} {OWN}", "parent": 102} for n in range(4)]  # one thread, though four posts
    posts += [{"id": 200 + n, "text": f"we all like tea so much number{n}"} for n in range(40)]
    (tmp_path / "talk.jsonl").write_text("\n".join(json.dumps(post) for post in posts))
    files = [ReadConfig("talk.jsonl", register="speech", map=TALK, **config)]
    with reading(files, tmp_path, tmp_path / "work") as found:
        write_arrays(found, learn_tokenizer(found, 500, 1))
        train = {post.text for post in found.posts("train")}
        assert any(COMMON in text for text in train) and any(OWN in text for text in train)
        yield found, KneserNey.fit(found, KneserNeyConfig(order=4, posts=1), rng=np.random.default_rng(0), job=Job(tmp_path))


@pytest.mark.filterwarnings("ignore")
def test_what_is_read_in_every_pass_is_kept_whole_and_what_two_threads_say_is_not(tmp_path: Path) -> None:
    with made(tmp_path, passes=1.0) as (found, model):
        whole = guard(found.sources, model, GuardConfig(10_000, 0), tmp_path / "guard")
        tight = guard(found.sources, model, GuardConfig(2, 0), tmp_path / "guard")
    assert whole.copied(OWN) and not whole.copied(COMMON)
    assert tight.runs <= 1 < whole.runs and len(words(OWN)) > RUN


@pytest.mark.filterwarnings("ignore")
def test_of_what_is_read_seldom_what_the_models_say_is_kept(tmp_path: Path) -> None:
    with made(tmp_path, passes=0.5) as (found, model):
        silent = guard(found.sources, model, GuardConfig(10_000, 0), tmp_path / "guard")
        listening = guard(found.sources, model, GuardConfig(10_000, 400), tmp_path / "guard")
    assert not silent.runs and not silent.copied(OWN)
    assert listening.copied(OWN) and not listening.copied(COMMON)


@pytest.mark.filterwarnings("ignore")
def test_the_runs_of_all_posts_are_written_once(tmp_path: Path) -> None:
    with made(tmp_path) as (found, _):
        first = all_records(found.sources, tmp_path / "guard").copy()
        own = alone(np.unique(first["run"]), first)
        assert not own.all() and set(np.unique(first["run"])[own].tolist()) >= set(
            run_hashes(WordHashes().of(words(OWN))).tolist()
        )
        found.sources = ()
        assert (all_records((), tmp_path / "guard") == first).all()


@pytest.mark.filterwarnings("ignore")
def test_models_go_on_together_as_they_do_one_by_one(tmp_path: Path) -> None:
    with made(tmp_path) as (found, model):
        texts = list(continuations(model, found.sources, 40, np.random.default_rng(2)))
        assert texts == list(continuations(model, found.sources, 40, np.random.default_rng(2)))
        train = [post for thread in found.threads("train") for post in thread.posts]
        threads = {post.id: thread for thread in found.threads("train") for post in thread.posts}
    assert len(texts) == 40 and sum(one.sampled for one in texts) == 20
    for one in texts:
        begun = [post for post in train if post.text.startswith(one.draft)]
        assert one.answered in ["\n".join(above.body for above in threads[post.id].answered(post)[-8:]) for post in begun]
    likeliest = [one for one in texts if not one.sampled and len(one.draft) > 20]
    for one in likeliest:
        post = next(post for post in train if post.text.startswith(one.draft))
        state = model.start(threads[post.id].answered(post))
        for token in model.tokenizer.encode(one.draft):
            state = model.advance(state, token)
        alone_said = sample(model, state, 1, LIKELIEST, np.random.default_rng(0))[0]
        assert text_of(model.tokenizer, alone_said.tokens) == one.text


def test_only_words_that_a_model_made_whole_are_its_own() -> None:
    said = heard([MadeText("I made a com", "puter of one two three four five six seven", True)])
    assert said.tolist() == sorted(run_hashes(WordHashes().of("of one two three four five six seven".split())).tolist())
