"""The rung `pair_encoder`: its formulas by hand, 8 bits, words it does not know, and the weights in the package."""

from __future__ import annotations

import json
from math import log, sqrt
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejoinder.archive.reader import ArchiveCorpus
from rejoinder.config import resolve
from rejoinder.errors import ConfigError, DamagedModel
from rejoinder.files import tree_size
from rejoinder.home.workspace import Workspace
from rejoinder.models.directory import check_hashes, save_array
from rejoinder.models.interfaces import Job
from rejoinder.models.pair_encoder.encode import POSTS, REPLIES, PairEncoder, PairWeights
from rejoinder.models.pair_encoder.rung import PairEncoderConfig, PairRanker
from rejoinder.post import Kind, Post
from rejoinder.text.subwords import places_of

EYE = np.eye(2, dtype=np.float32)
TURN = np.array([[0, 1], [-1, 0]], np.float32)  # (x, y) W = (-y, x)
NONE = np.zeros((2, 2), np.float32)


def code(word: str) -> int:
    return crc32(word.encode())


def weights(vectors: dict[str, tuple[float, float]], runs: np.ndarray | None = None, earlier: float = 0.5) -> PairWeights:
    codes = np.array([code(word) for word in vectors], np.uint32)
    table = np.array([*vectors.values()], np.float32).reshape(-1, 2)
    table = table if runs is None else np.concatenate([table, runs])
    return PairWeights.packed(codes, table, np.stack([EYE, TURN]), NONE, earlier)


def test_a_reply_is_compared_with_the_last_post_and_a_share_of_those_before() -> None:
    encoder = PairEncoder(weights({"dough": (2.0, 0.0), "engine": (0.0, 1.0), "cold": (0.0, 3.0)}), 100)
    # "dough dough cold": (1 + ln 2) (2, 0) + (0, 3), of length 1
    x = np.array([2 * (1 + log(2)), 3.0])
    assert encoder.meanings(["Dough, dough cold"], POSTS)[0] == pytest.approx(x / sqrt(x @ x), abs=1e-3)
    # a reply is turned: (0, 1) becomes (-1, 0)
    assert encoder.meanings(["engine"], REPLIES)[0] == pytest.approx([-1, 0], abs=1e-3)
    context = [Post(1, Kind.STORY, "engine"), Post(2, Kind.COMMENT, "dough", parent=1)]
    assert encoder.question(context) == pytest.approx([1, 0.5 * 1], abs=1e-3)


def test_words_are_vectors_of_length_one_and_unknown_ones_none() -> None:
    encoder = PairEncoder(weights({"dough": (3.0, 4.0), "engine": (0.0, 0.2)}), 100)
    found = encoder.words(["dough", "lathe", "engine"])
    assert found == pytest.approx(np.array([[0.6, 0.8], [0, 0], [0, 1]]), abs=0.01)
    assert encoder.words([]).shape == (0, 2)


def test_a_word_that_is_not_known_means_what_its_letters_mean_and_nothing_where_there_are_none() -> None:
    buckets = 64
    runs = np.zeros((buckets, 2), np.float32)
    runs[places_of("doughs", buckets)] = (3.0, 0.0)
    known = {"dough": (1.0, 1.0)}
    assert PairEncoder(weights(known, runs), 100).meanings(["doughs"], POSTS)[0] == pytest.approx([1, 0], abs=1e-3)
    without = PairEncoder(weights(known), 100)
    assert not without.meanings(["doughs"], POSTS).any()
    both = PairEncoder(weights(known, runs), 100).meanings(["doughs dough"], POSTS)[0]
    assert both == pytest.approx(np.array([4, 1]) / sqrt(17), abs=1e-3)  # the mean of its runs counts as one word


def test_only_the_first_words_are_read() -> None:
    encoder = PairEncoder(weights({"dough": (1.0, 0.0), "engine": (0.0, 1.0)}), 2)
    assert encoder.meanings(["dough dough engine engine"], POSTS)[0] == pytest.approx([1, 0], abs=1e-3)


@given(st.lists(st.sampled_from(["dough", "cold engine", "", "engine engine x", "ἀρχή 🍞"]), min_size=1, max_size=9))
def test_a_text_means_the_same_in_any_company_to_the_bit(texts: list[str]) -> None:
    runs = np.random.default_rng(0).standard_normal((16, 2)).astype(np.float32)
    encoder = PairEncoder(weights({"dough": (1.3, 0.2), "engine": (0.1, 0.7)}, runs), 50)
    together = encoder.meanings(texts)
    alone = np.concatenate([encoder.meanings([text]) for text in texts])
    assert together.tobytes() == alone.tobytes()


def test_eight_bits_are_within_half_a_step_of_what_was_learned() -> None:
    rng = np.random.default_rng(1)
    table = (rng.standard_normal((50, 16)) * rng.uniform(0.01, 30, (50, 1))).astype(np.float32)
    codes = rng.permutation(1000)[:40].astype(np.uint32)
    found = PairWeights.packed(codes, table, np.zeros((2, 16, 16)), np.zeros((2, 16)), 0.3)
    assert (np.diff(found.codes.astype(int)) > 0).all() and (found.size, found.buckets) == (16, 10)
    wide = found.rows * found.scales.astype(np.float32)[:, None] / 127
    wanted = table[np.concatenate([np.argsort(codes), np.arange(40, 50)])]
    step = np.abs(wanted).max(axis=1, keepdims=True) / 127
    assert (np.abs(wide - wanted) <= 0.51 * step + 2e-3 * np.abs(wanted)).all()  # and what 16 bits of the scale round


@pytest.mark.parametrize("harm", ["missing", "type", "order", "shape"])
def test_weights_that_do_not_fit_are_refused(harm: str, tmp_path: Path) -> None:
    made = weights({"dough": (1.0, 0.0), "engine": (0.0, 1.0)})
    made.save(tmp_path)
    assert PairWeights.load(tmp_path).rows.tobytes() == made.rows.tobytes()
    if harm == "missing":
        (tmp_path / "pair.maps.npy").unlink()
    elif harm == "type":
        save_array(tmp_path, "pair.rows", made.rows.astype(np.int16))
    elif harm == "order":
        save_array(tmp_path, "pair.codes", made.codes[::-1])
    else:
        save_array(tmp_path, "pair.scales", made.scales[:1])
    with pytest.raises(DamagedModel, match=r"pair"):
        PairWeights.load(tmp_path)


def test_weights_of_ones_own_are_taken_and_a_folder_without_any_is_named(toy: ArchiveCorpus, tmp_path: Path) -> None:
    weights({"dough": (1.0, 0.0), "engine": (0.0, 1.0)}).save(tmp_path)
    config = resolve(PairEncoderConfig, {"begin": str(tmp_path)}, "pair_encoder")
    ranker = PairRanker.fit(toy, config, rng=np.random.default_rng(0), job=Job(tmp_path))
    # posts as they are, replies turned: "dough" (1, 0) is answered by what turns to (1, 0), and that is none of the two words
    scores = ranker.score_replies((Post(1, Kind.STORY, "dough"),), ["dough", "engine", "nothing known"])
    assert scores == pytest.approx([0, -1, 0], abs=1e-3)
    with pytest.raises(ConfigError, match=r"pair_encoder\.begin"):
        PairRanker.fit(toy, PairEncoderConfig(begin=str(tmp_path / "no")), rng=np.random.default_rng(0), job=Job(tmp_path))


# --- the weights in the package --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def packaged() -> Path:
    space = Workspace.shipped()
    assert space is not None
    return space.models / "pair_encoder" / "0001"


def test_the_weights_are_whole_small_and_hold_no_words(packaged: Path) -> None:
    check_hashes(packaged)
    assert tree_size(packaged) <= 12e6
    card = json.loads((packaged / "card.json").read_text(encoding="utf-8"))
    found = PairWeights.load(packaged)
    assert card["words"] == len(found.codes) and card["threads"] >= 2 and found.buckets == card["runs"]
    assert "**Limits.**" in (packaged / "MODEL_CARD.md").read_text(encoding="utf-8")
    for file in packaged.glob("*.npy"):
        assert np.load(file, allow_pickle=False).dtype.kind in "uif"


def test_they_know_what_answers_what_without_a_word_in_common(packaged: Path) -> None:
    encoder = PairEncoder(PairWeights.load(packaged), 200)
    questions = [
        "Which laptop should I buy for programming?",
        "How do I get rid of mould in my bathroom?",
        "Is college worth it?",
    ]
    replies = [
        "The ThinkPads are solid, but get plenty of RAM and an SSD.",
        "Bleach works; then ventilate, since the damp is what feeds it.",
        "Depends on the degree: student debt is brutal, though engineers still earn it back.",
    ]
    meant = encoder.meanings(replies)
    for place, question in enumerate(questions):
        assert int(np.argmax(meant @ encoder.question([Post(1, Kind.STORY, question)]))) == place
