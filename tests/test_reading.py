"""Several files read as one: each cleaned as its register asks, nothing twice, nothing of what is measured on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rejoinder.errors import ConfigError, SourceError
from rejoinder.models.directory import read_manifest
from rejoinder.models.kneser_ney import KneserNey
from rejoinder.post import Post
from rejoinder.publish.arrays import NONE, learn_tokenizer, write_arrays
from rejoinder.publish.bundling import BundleConfig, bundle
from rejoinder.publish.reading import TALK, ReadConfig, read_configs, reading
from rejoinder.publish.selection import Selection, held_out_runs
from rejoinder.text.crude import crude_hashes, is_crude
from rejoinder.text.lexicon import Lexicon
from rejoinder.text.phrases import Phrases
from rejoinder.text.registers import title_only, words_only
from rejoinder.text.tensors import open_tokens
from rejoinder.text.tokenizer import Tokenizer

SAID = "The kettle on the stove was still warm when we came back from the long walk around the lake."


@pytest.mark.parametrize(
    ("register", "text", "left"),
    [
        ("speech", "(00:26:06):\nSo we began.", "So we began."),
        ("speech", "This episode is brought to you by Acme. Acme makes kettles.\nWelcome back.", "Welcome back."),
        ("speech", "Bye. Bye. Bye. Bye. Bye. See you.", "Bye. See you."),
        ("speech", "<v Ada Example>Hello there", "Hello there"),
        ("speech", "Ada Example:\nHello there", "Hello there"),
        ("forum", "[QUOTE=ada]Tea is best.[/QUOTE]\nI agree", "Tea is best.\nI agree"),
        ("forum", "Look at [this kettle](https://example.org/a_b) now", "Look at this kettle now"),
        ("forum", "That is **so** good &amp; cheap", "That is so good & cheap"),
        ("forum", "I am a bot, and this was done by itself.\nThanks", "Thanks"),
        ("mail", "I agree. You received this message because you are subscribed to the list. To post", "I agree."),
        ("mail", "Ada Example writes:\nYes.\nada.domain.name.hidden", "Yes."),
        ("mail", "It works.\n@@ -1,3 +1,4 @@ void f(int a)\nfor (i = 0; i < 10; i++) { a[i] += b[i] * c[i]; }", "It works."),
        ("prose", '+++ path = "a" title = "b" +++\nWe are glad.', "We are glad."),
        ("prose", 'Here. <img src="a.png" alt="A kettle" />\nThis document has been placed in the public domain.', "Here."),
        ("hackernews", "(00:26:06):\nSo we **began**.", "(00:26:06):\nSo we **began**."),
    ],
)
def test_furniture_of_each_register_goes_and_words_stay(register: str, text: str, left: str) -> None:
    assert words_only(text, register) == left  # type: ignore[arg-type]


def test_a_title_loses_what_a_list_puts_before_all() -> None:
    assert title_only("[The Listserve] Kettles &amp; tea", "prose") == "Kettles & tea"


@pytest.mark.parametrize(
    "text", [SAID, "Compare 60 to 120 and it is a huge difference, said the man of 45.", "1. First, boil it.", "Yes :)"]
)
@pytest.mark.parametrize("register", ["forum", "mail", "speech", "prose"])
def test_plain_words_are_left_alone(register: str, text: str) -> None:
    assert words_only(text, register) == text  # type: ignore[arg-type]


@settings(max_examples=50)
@given(st.text(max_size=200), st.sampled_from(["forum", "mail", "speech", "prose"]))
def test_any_text_is_read_and_what_was_cleaned_stays_clean(text: str, register: str) -> None:
    once = words_only(text, register)  # type: ignore[arg-type]
    assert len(once) <= len(text) * 3  # an entity may stand for two characters
    assert "domain.name.hidden" not in once or register != "mail"


def test_what_was_said_is_not_read_again_but_short_words_are() -> None:
    chosen = Selection()
    assert chosen.take(SAID) == SAID
    assert chosen.take(SAID) == "" and chosen.take(f"{SAID}\nQuite so.") == "Quite so."
    assert chosen.take("Yeah, exactly.") == "Yeah, exactly." == chosen.take("Yeah, exactly.")


def test_nearly_the_same_is_the_same_and_other_words_are_not() -> None:
    words = [f"word{number}" for number in range(200)]
    chosen = Selection()
    assert chosen.take(" ".join(words))
    assert not chosen.take(" ".join([*words[:100], "other", *words[101:]]))
    assert chosen.take(" ".join(f"else{number}" for number in range(200)))


def test_what_is_held_out_is_not_read() -> None:
    words = " ".join(f"word{number}" for number in range(100))
    assert Selection(held_out_runs([words])).take(f"Somebody said: {words}") == ""


def test_posts_with_a_coarse_word_are_not_read_and_none_is_offered() -> None:
    chosen = Selection()
    assert chosen.take("What a load of bullshit this is.") == ""
    assert chosen.take("What a piece of work this is.") and not chosen.is_clean("Bullshit jobs")
    assert is_crude("Bullshit") and is_crude("crap") and not is_crude("kettle")
    assert chosen.take("Well, crap, that was that.")  # read, but never offered


def test_a_list_of_words_without_the_crude_ones() -> None:
    words = Lexicon.build([Post(1, text="crap and kettles"), Post(2, text="kettles and crap")])
    assert "crap" in words and "crap" not in words.without(crude_hashes()) and "kettles" in words.without(crude_hashes())


def test_the_pieces_learned_first_are_a_tokenizer_of_their_own() -> None:
    whole = Tokenizer.train(["the kettle on the stove, the tea in the pot"] * 3, 300)
    first = whole.first(270)
    assert first.vocabulary == 270 and first.bytes[:267] == whole.bytes[:267] and whole.first(9999) is whole
    assert first.decode(first.encode("the kettle")) == "the kettle"


def lines(posts: list[dict[str, object]]) -> str:
    return "\n".join(json.dumps(post) for post in posts)


def files(folder: Path) -> list[ReadConfig]:
    """Two files: talk of threads of two posts, and Hacker News' form."""
    talk = [
        post
        for n in range(40)
        for post in (
            {"id": 2 * n + 1, "text": f"What of kettle number{n} then, my friend?", "title": "Kettles"},
            {
                "id": 2 * n + 2,
                "parent": 2 * n + 1,
                "text": f"(00:10:00):\nIt boils number{n} cups. Bullshit" if n == 3 else f"It boils number{n}.",
            },
        )
    ]
    news = [{"id": n, "type": "comment", "text": f"Tea number{n} is <i>fine</i> &amp; green."} for n in range(1, 60)]
    (folder / "talk.jsonl").write_text(lines(talk))
    (folder / "news.jsonl").write_text(lines(news))
    return [ReadConfig("talk.jsonl", register="speech", map=TALK), ReadConfig("news.jsonl")]


def test_files_are_read_one_after_the_other_and_the_last_is_measured_on(tmp_path: Path) -> None:
    configs = files(tmp_path)
    with reading(configs, tmp_path, tmp_path / "work") as found:
        train, dev = list(found.posts("train")), list(found.posts("dev"))
        texts = [post.text for post in train]
        assert any("Tea" in text for text in texts) and texts.index(next(t for t in texts if "Tea" in t)) > 10
        assert not any("Bullshit" in text or "00:10" in text for text in texts)
        assert dev and all("Tea" in post.text for post in dev)
        held = {post.id for source in found.sources for post in source.held()}
        assert held and not held & {post.id for post in train}
        assert all(post.body for source in found.sources for thread in source.test() for post in thread.posts)
        first = found.fingerprint()
    databases = {file: file.stat().st_mtime_ns for file in (tmp_path / "work" / "read").glob("*.db")}
    with reading(configs, tmp_path, tmp_path / "work") as again:  # what was read is not read anew
        assert again.fingerprint() == first
    assert len(databases) == 2 and all(file.stat().st_mtime_ns == then for file, then in databases.items())


def test_what_another_last_file_holds_out_is_not_read_either(tmp_path: Path) -> None:
    """Where a run was broken off, and the file that is measured on is another one now."""
    configs = files(tmp_path)
    with reading(configs, tmp_path, tmp_path / "work"):
        pass
    news = [{"id": n, "type": "comment", "text": f"What of kettle number{n % 40} then, my friend?"} for n in range(60)]
    (tmp_path / "news.jsonl").write_text(lines(news[1:]))
    with reading(configs, tmp_path, tmp_path / "work") as found:
        held = {post.text for post in found.sources[-1].held()}
        assert held and not held & {post.text for post in found.sources[0].posts("train")}


def test_of_two_files_whose_names_begin_alike_neither_is_lost(tmp_path: Path) -> None:
    first, last = files(tmp_path)
    configs = [replace(last, name="news.old"), replace(last, name="news")]
    with reading([replace(first, name="news.talk"), *configs], tmp_path, tmp_path / "work") as found:
        assert all(next(source.posts("train"), None) is not None for source in found.sources[::2])


def test_token_arrays_say_what_each_post_answers(tmp_path: Path) -> None:
    with reading(files(tmp_path), tmp_path, tmp_path / "work") as found:
        tokenizer = learn_tokenizer(found, 320, 2)
        write_arrays(found, tokenizer)
        talk, news = found.sources
        assert tokenizer.vocabulary <= 320
        arrays = open_tokens(talk.tokens, "train")
        parents, threads = (np.load(talk.tokens / f"train.{name}.npy") for name in ("parents", "threads"))
        by_id = {post.id: post for post in talk.posts("train")}
        for row, parent in enumerate(parents.tolist()):
            post = by_id[int(arrays.posts[row])]
            assert (post.parent is None or post.parent not in by_id) if parent == NONE else arrays.posts[parent] == post.parent
            assert threads[row] == post.thread
        assert (parents != NONE).any()
        together = open_tokens(found.tokens, "train")
        assert np.array_equal(together.tokens, np.concatenate([arrays.tokens, open_tokens(news.tokens, "train").tokens]))
        assert together.offsets[-1] == len(together.tokens) and len(together.offsets) == len(together.posts) + 1


def test_tables_that_name_no_files_are_told(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    for tables, told in (("read = 1", "must be tables"), ('[[read]]\nfile = "a/x.gz"\n' * 2, "name of its own")):
        recipe.write_text(tables)
        with pytest.raises(ConfigError, match=told):
            read_configs(recipe)
    with pytest.raises(SourceError, match="no such file"), reading([ReadConfig("a.gz")], tmp_path, tmp_path / "work"):
        pass


@pytest.mark.filterwarnings("ignore")
def test_a_bundle_of_several_files_is_whole_and_is_not_made_twice(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    config = BundleConfig(read=tuple(files(data)))
    recipe = {"tokenizer": {"size": 320}, "kneser_ney": {"order": 3, "posts": 2, "prune_from": 2, "size": 100_000}}
    card = bundle(data, recipe, tmp_path / "made", config)
    assert card["data"]["name"] == "talk, news" and card["rungs"]["kneser_ney"]["bits_per_byte"]["dev"]
    assert card == bundle(data, recipe, tmp_path / "made", config)  # with the same times: nothing was fitted again
    model = next((tmp_path / "made" / "kneser_ney").iterdir())
    phrases = Phrases.load(model)
    assert phrases is not None and phrases.lexicon is not None and phrases.array.nbytes <= 6_000_000
    assert "kettle" in phrases.lexicon and "bullshit" not in phrases.lexicon
    kept = (model / "phrases.npy").read_bytes()
    bundle(data, recipe, tmp_path / "made", replace(config, gates=True))
    anew = Lexicon.load(model)
    assert anew is not None and np.array_equal(anew.hashes, phrases.lexicon.hashes)  # crude words are left out again
    assert (model / "phrases.npy").read_bytes() == kept and read_manifest(model)["rung"] == "kneser_ney"
    assert KneserNey.load(model).tokenizer.vocabulary <= 320
    with pytest.raises(SourceError, match="no such folder"):
        bundle(data / "talk.jsonl", recipe, tmp_path / "other", config)
