"""The dual encoder: its features and formulas by hand, NumPy against Keras, training, and directories that do not fit."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_corpus, toy_posts
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.errors import ConfigError, DamagedModel, ModelError
from rejoinder.models.directory import seal
from rejoinder.models.dual_encoder.config import DualEncoderConfig
from rejoinder.models.dual_encoder.encode import Encoder, EncoderWeights
from rejoinder.models.dual_encoder.features import FeatureBags, join, read, word_places
from rejoinder.models.dual_encoder.rung import DualEncoder
from rejoinder.models.dual_encoder.train import EncoderTraining, Measure, alike
from rejoinder.models.dual_encoder.training_pairs import REPLY, Pairs, Rarity, read_pairs
from rejoinder.models.dual_encoder.warm_start import first_weights
from rejoinder.models.interfaces import Job
from rejoinder.post import Kind, Post
from rejoinder.text.words import words

V, D = 512, 6
TINY = DualEncoderConfig(
    size=D, buckets=V, models=(), epochs=3, batch=32, learning_rate=0.01, dropout=0.0, word_dropout=0.0, patience=0
)
_MASK = 2**64 - 1
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)


def place(characters: str) -> int:
    """The formula of `features`, a character at a time."""
    z = sum(ord(c) * pow(0x100000001B3, i, 2**64) for i, c in enumerate(characters)) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return (z ^ (z >> 31)) % V


def some_weights(seed: int = 0) -> EncoderWeights:
    rng = np.random.default_rng(seed)
    draw = lambda *shape: rng.normal(0, 1, shape).astype(np.float32)  # noqa: E731
    rows, vectors = rng.permutation(V).astype(np.int32), draw(V, D)
    vectors[0] = 0
    return EncoderWeights(
        np.abs(draw(V)) + 0.1, np.abs(draw(V)) + 0.1, rows, vectors, draw(2, D, D), draw(2, D), draw(3), np.abs(draw(3))
    )


def post(text: str, number: int = 1) -> Post:
    return Post(number, Kind.COMMENT, text)


# --- features --------------------------------------------------------------------------------------------------------


@given(st.lists(TEXT, max_size=4))
def test_bags_are_what_counting_one_word_after_the_other_gives(texts: list[str]) -> None:
    found = read(texts, V, 40)
    for view, bags in enumerate(found):
        assert len(bags) == len(texts)
        for number, text in enumerate(texts):
            said = words(text)[:40]
            runs = [f" {word} "[at : at + 4] for word in said for at in range(len(word) - 1)]
            expected = Counter(place(x) for x in ((w + " " for w in said) if view == 0 else runs))
            places, values = bags.text(number)
            assert places.tolist() == sorted(expected)
            np.testing.assert_allclose(values, [1 + math.log(expected[p]) for p in places.tolist()], rtol=1e-6)


def test_a_word_has_one_place_and_the_longest_texts_are_cut() -> None:
    assert word_places(["dough", "naïve"], V).tolist() == [place("dough "), place("naïve ")]
    bags, _ = read(["a b c d e f"], V, 3)
    assert bags.places.tolist() == sorted(place(f"{letter} ") for letter in "abc")
    assert len(read(["word " * 20_000], V, 600).words.places) == 1  # 100 KB
    assert word_places([], V).shape == (0,)


def test_weights_are_applied_and_texts_brought_to_length_1_by_hand() -> None:
    # text 0: place 1 with 2, place 3 with 1; text 1: nothing; text 2: place 3 with 4
    bags = FeatureBags(np.array([0, 2, 2, 3]), np.array([1, 3, 3]), np.array([2, 1, 4], np.float32))
    weighted = bags.weighted(np.array([9, 1.5, 9, 4], np.float32))  # 3 and 4, of length 5; 16, of length 16
    np.testing.assert_allclose(weighted.values, [0.6, 0.8, 1.0])
    np.testing.assert_allclose(weighted.dot(np.array([0, 10, 0, 1], np.float32)), [6.8, 0, 1])
    table = np.array([[0, 0], [10, 0], [1, 2]], np.float32)
    np.testing.assert_allclose(bags.sum_rows(np.array([0, 2, 0, 1], np.int32), table), [[12, 4], [0, 0], [40, 0]])
    both = join([bags, bags.take(np.array([2, 0]))])
    assert both.offsets.tolist() == [0, 2, 2, 3, 4, 6] and both.places.tolist() == [1, 3, 3, 3, 1, 3]
    assert bags.dense(np.array([1, 3])).tolist() == [[2, 1], [0, 0], [0, 4]]
    np.testing.assert_allclose(alike(bags, bags, V), bags.dense(np.arange(4)) @ bags.dense(np.arange(4)).T)


# --- the formulas ----------------------------------------------------------------------------------------------------


def slow_score(weights: EncoderWeights, context: list[str], reply: str) -> float:
    """The score, by dictionaries."""

    def view(text: str, pieces: Any, rarity: Any) -> dict[int, float]:
        found = {p: (1 + math.log(n)) * float(rarity[p]) for p, n in Counter(place(x) for x in pieces(text)).items()}
        length = math.sqrt(sum(x * x for x in found.values())) or 1.0
        return {p: x / length for p, x in found.items()}

    def meaning(text: str, side: int) -> Any:
        x = sum((v * weights.vectors[weights.rows[p]] for p, v in view(text, said, weights.words).items()), np.zeros(D))
        if not x.any():
            return np.zeros(D)
        y = math.sqrt(D) * x / np.linalg.norm(x) @ weights.maps[side] + weights.biases[side]
        return y / np.linalg.norm(y)

    def said(text: str) -> list[str]:
        return [word + " " for word in words(text)]

    def spelled(text: str) -> list[str]:
        return [f" {word} "[at : at + 4] for word in words(text) for at in range(len(word) - 1)]

    score = 0.0
    for text, before in ((context[-1], False), ("\n".join(context[:-1]), True)):
        alike = []
        for pieces, rarity in ((said, weights.words), (spelled, weights.letters)):
            one, other = view(text, pieces, rarity), view(reply, pieces, rarity)
            alike.append(sum(x * other.get(p, 0.0) for p, x in one.items()))
        alike.append(float(meaning(text, 0) @ meaning(reply, 1)))
        for product, scale, share in zip(alike, weights.scales, weights.earlier, strict=True):
            score += math.exp(scale) * product * (float(share) if before else 1.0)
    return score


def test_the_score_is_the_formula_worked_out_slowly() -> None:
    weights = some_weights()
    encoder = Encoder(weights, TINY)
    replies = ["cold dough rests", "the engine, the engine!", "", "日本語", "flour and water and time"]
    for texts in (["bread dough"], ["why does the engine stall?", "the dough", "cold cold engine"], ["", "dough"], ["dough", ""]):
        found = encoder.score(encoder.context([post(text) for text in texts]), replies)
        np.testing.assert_allclose(found, [slow_score(weights, texts, reply) for reply in replies], rtol=2e-4, atol=2e-5)
    assert not encoder.score(encoder.context([]), replies).any()
    many = [post("far away")] * 3 + [post(f"number {n}") for n in range(TINY.posts)]
    near = encoder.score(encoder.context(many[-TINY.posts :]), replies)
    assert encoder.score(encoder.context(many), replies).tolist() == near.tolist()


@pytest.fixture(scope="module")
def pairs(toy: ArchiveCorpus) -> tuple[Rarity, Pairs, Pairs]:
    job = Job(Path())
    rarity = Rarity.of(toy, TINY, job)
    return rarity, read_pairs(toy, "train", TINY, rarity, job), read_pairs(toy, "dev", TINY, rarity, job)


def test_keras_agrees_with_numpy(pairs: tuple[Rarity, Pairs, Pairs], toy: ArchiveCorpus) -> None:
    rarity, train, _ = pairs
    weights = some_weights(1)
    weights = EncoderWeights(**{**weights.arrays(), "words": rarity.words, "letters": rarity.letters})
    run = EncoderTraining(weights, train, None, TINY, np.random.default_rng(0))
    some = train.take(np.arange(0, len(train), 3))
    found = np.asarray(run.network(run.inputs(some)))[0]
    measure = Measure(some, TINY, [])
    np.testing.assert_allclose(found, measure.scores(weights), atol=1e-4, rtol=1e-4)
    encoder = Encoder(weights, TINY)
    told = list(toy.pairs("train", TINY.posts))[::3]
    for row, pair in enumerate(told[:8]):
        scores = encoder.score(encoder.context(pair.context), [other.reply.own_text for other in told])
        np.testing.assert_allclose(scores, found[row], atol=1e-4, rtol=1e-4)
    for name, array in run.weights_now().arrays().items():
        np.testing.assert_array_equal(array, weights.arrays()[name])


def test_idf_counts_posts_by_hand(tmp_path: Path) -> None:
    posts = [
        Post(1, Kind.STORY, "dough dough", title="x"),
        Post(2, Kind.COMMENT, "dough rests", parent=1),
        Post(3, Kind.COMMENT, "so", parent=2),
    ]
    corpus = make_corpus(tmp_path, posts, everything=True)
    rarity = Rarity.of(corpus, TINY, Job(tmp_path))
    # 3 posts; `dough` is in 2 of them, `rests` in 1: (1 + ln(4 / 3))^1.5, (1 + ln(4 / 2))^1.5
    at = word_places(["dough", "rests"], V)
    np.testing.assert_allclose(rarity.words[at], [(1 + math.log(4 / 3)) ** 1.5, (1 + math.log(2)) ** 1.5], rtol=1e-6)
    assert rarity.vocabulary[0] == "dough"
    found = read_pairs(corpus, "train", TINY, rarity, Job(tmp_path))
    assert len(found) == 2 and found.threads.tolist() == [1, 1]
    assert found.words[1].offsets.tolist()[1] == 0 and found.words[1].text(1)[0].tolist() == sorted(
        {*at[:1].tolist(), place("x ")}
    )


# --- training --------------------------------------------------------------------------------------------------------


def echo_posts(threads: int = 300) -> list[Post]:
    """Each question has a word of its own kind; its answer has another one, which never stands in a question."""
    rng = np.random.default_rng(0)
    kinds = [f"answer{n} spoken{n}" for n in range(40)]
    posts = []
    for number in range(1, threads + 1):
        kind = int(rng.integers(40))
        posts += [
            Post(number * 10, Kind.STORY, f"asked{kind} the question", title="", time=number),
            Post(number * 10 + 1, Kind.COMMENT, f"{kinds[kind]} the thing", parent=number * 10, time=number),
        ]
    return posts


def test_training_learns_which_words_answer_which_where_no_word_is_shared(tmp_path: Path) -> None:
    config = DualEncoderConfig(size=32, buckets=2048, models=(), epochs=30, batch=64, learning_rate=0.02, patience=0)
    model = DualEncoder.fit(make_corpus(tmp_path, echo_posts()), config, rng=np.random.default_rng(0), job=Job(tmp_path))
    right = 0
    for kind in range(40):
        scores = model.score_replies([post(f"asked{kind} the question")], [f"answer{n} spoken{n} the thing" for n in range(40)])
        right += int(scores.argmax() == kind)
    assert right >= 30  # untrained, all score alike but by the chance of random vectors: 1 is expected


def test_the_untrained_model_is_a_similarity_and_is_kept_where_training_harms(
    pairs: tuple[Rarity, Pairs, Pairs], tmp_path: Path
) -> None:
    rarity, train, dev = pairs
    rng = np.random.default_rng(0)
    weights = first_weights(rarity, train, TINY, rng, Job(tmp_path))
    meant = Encoder(weights, TINY).meaning_of(train.words[REPLY], 1)
    before = first_weights(rarity, train, TINY, rng, Job(tmp_path))
    np.testing.assert_allclose(weights.maps[0], weights.maps[1])
    assert abs(np.linalg.det(weights.maps[0].astype(np.float64))) < 1e-5  # a direction is taken out
    assert meant.shape == (len(train), D) and not before.biases.any()
    measure = Measure.of(dev, TINY, rng)
    assert measure is not None
    harmful = DualEncoderConfig(**{**vars(TINY), "learning_rate": 30.0})
    kept = EncoderTraining(weights, train, measure, harmful, rng).finish(Job(tmp_path))
    assert measure.recall(kept) >= measure.recall(weights)


def test_recall_is_counted_over_the_drawn_ones_and_a_tie_is_lost(pairs: tuple[Rarity, Pairs, Pairs]) -> None:
    dev = pairs[2].take(np.arange(4))
    measure = Measure(dev, TINY, [np.array([[1], [2], [3], [0]]), np.array([[2], [3], [0], [1]])])
    scores = np.array([[2, 1, 2, 0], [0, 5, 1, 9], [0, 0, 1, 0.5], [7, 0, 0, 3]], np.float32)
    measure.scores = lambda weights: scores  # type: ignore[method-assign]
    # first draw: 2>1, 5>1, 1>0.5, 3<7: 3 of 4; second: 2=2, 5<9, 1>0, 3>0: 2 of 4
    assert measure.recall(some_weights()) == pytest.approx((3 / 4 + 2 / 4) / 2)


def test_numbers_beyond_all_bounds_stop_with_advice(pairs: tuple[Rarity, Pairs, Pairs], tmp_path: Path) -> None:
    weights = some_weights()
    weights.scales[:] = np.inf
    with pytest.raises(ModelError, match="learning_rate"):
        EncoderTraining(weights, pairs[1], None, TINY, np.random.default_rng(0)).finish(Job(tmp_path))


def test_no_dev_part_and_a_single_pair_are_no_trouble_and_no_pair_is_said(tmp_path: Path) -> None:
    for name, posts in (("all", list(toy_posts(20))), ("one", list(toy_posts(1))[:2])):
        corpus = make_corpus(tmp_path / name, posts, everything=True)
        model = DualEncoder.fit(corpus, TINY, rng=np.random.default_rng(0), job=Job(tmp_path))
        assert model.propose([post("dough or engine, fuel or water")], 3)
    lonely = make_corpus(tmp_path / "none", [Post(1, Kind.STORY, "dough"), Post(2, Kind.STORY, "engine")], everything=True)
    with pytest.raises(ModelError, match="import more"):
        DualEncoder.fit(lonely, TINY, rng=np.random.default_rng(0), job=Job(tmp_path))


# --- directories -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(toy: ArchiveCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dual") / "0001"
    DualEncoder.fit(toy, TINY, rng=np.random.default_rng(0), job=Job(directory)).save(directory)
    seal(directory, {})
    return directory


def test_running_imports_neither_keras_nor_scipy(saved: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rejoinder.models.dual_encoder.rung import DualEncoder; "
        "from rejoinder.post import Post; model = DualEncoder.load(Path(sys.argv[1])); "
        "assert model.propose([Post(1, text='cold dough')], 2); model.score_replies([Post(1, text='dough')], ['engine']); "
        "assert not {'keras', 'tensorflow', 'scipy', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(saved)], check=True)


def test_one_begins_where_another_ended(saved: Path, toy: ArchiveCorpus, tmp_path: Path) -> None:
    wanted = {**vars(TINY), "begin": str(saved), "epochs": 0}
    model = DualEncoder.fit(toy, DualEncoderConfig(**wanted), rng=np.random.default_rng(1), job=Job(tmp_path))
    context = [post("cold dough")]
    expected = DualEncoder.load(saved).score_replies(context, ["the engine", "flour"])
    np.testing.assert_array_equal(model.score_replies(context, ["the engine", "flour"]), expected)
    for other, said in (
        ({"size": 7}, "dual_encoder.size=6"),
        ({"buckets": 100}, "dual_encoder.buckets=512"),
        ({"begin": str(tmp_path / "nowhere")}, "begin.*missing"),
    ):
        with pytest.raises(ConfigError, match=said):
            DualEncoder.fit(toy, DualEncoderConfig(**{**wanted, **other}), rng=np.random.default_rng(1), job=Job(tmp_path))


def test_a_rung_to_begin_from_must_have_vectors_of_this_size(toy: ArchiveCorpus, tmp_path: Path) -> None:
    config = DualEncoderConfig(**{**vars(TINY), "models": ("bm25",)})
    with pytest.raises(ConfigError, match="word vectors"):
        DualEncoder.fit(toy, config, rng=np.random.default_rng(1), job=Job(tmp_path))


@pytest.mark.parametrize("harm", ["cut", "gone", "foreign", "text", "shapes", "replies"])
def test_a_damaged_directory_is_said_to_be_one(harm: str, saved: Path, tmp_path: Path) -> None:
    directory = tmp_path / "model"
    shutil.copytree(saved, directory)
    weights = directory / "weights.safetensors"
    if harm == "cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif harm == "gone":
        weights.unlink()
    elif harm == "text":
        weights.write_text("no tensors")
    elif harm == "replies":
        np.save(directory / "nearest.npy", np.zeros((3, D), np.float16))
    else:
        found = json.loads((directory / "config.json").read_text())
        found |= {"rung": "bm25"} if harm == "foreign" else {"config": {**found["config"], "size": 7}}
        (directory / "config.json").write_text(json.dumps(found))
    with pytest.raises(DamagedModel, match="fit"):
        DualEncoder.load(directory)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("size", 0),
        ("buckets", 2**30),
        ("rarity", -1.0),
        ("epochs", -1),
        ("learning_rate", 0.0),
        ("dropout", 1.0),
        ("models", ("a", "b")),
    ],
)
def test_settings_out_of_range_are_named(setting: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"dual_encoder.{setting}"):
        DualEncoderConfig(**{setting: value})


def test_posts_of_every_kind_are_ranked(saved: Path) -> None:
    model = DualEncoder.load(saved)
    for text in ("", "word " * 20_000, "日本語のテキスト", "🍞\x00\ufdfa", "x" * 100_000):
        assert np.isfinite(model.score_replies([post(text)], ["dough", text])).all()
        assert len(model.propose([post(text), post("dough")], 3)) <= 3
