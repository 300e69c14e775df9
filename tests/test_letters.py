"""The letters ladder of examples/: its reader, its fonts, its splits and its rungs."""

from __future__ import annotations

import ast
import gzip
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from letters.__main__ import main
from letters.copies import ALIKE, apart_from, without_copies
from letters.disguise import disguise, framed, lined
from letters.fonts import PACKAGES, Glyphs, draw, faces, family_of, font_files, missing, open_face, render
from letters.idx import LETTERS, BadData, Letters, read_idx, read_letters, write_idx
from letters.logistic import Weights, fit_logistic, loss_and_gradient
from letters.measure import bootstrap, by_family, by_font, deal, try_rung, wilson
from letters.pictures import draw_errors, surest_errors
from letters.rungs import LADDER, fit_nearest_mean, rung
from letters.warp import Warp, read_at, thicken

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "letters"


@pytest.fixture(scope="module")
def glyphs() -> Glyphs:
    """A to J of matplotlib's own fonts, which are there wherever the tests run."""
    return render(faces(packages=())).distinct()


@pytest.fixture(scope="module")
def many(glyphs: Glyphs) -> Letters:
    """The same, each four times, a little changed."""
    warp, rng = Warp(), np.random.default_rng(0)
    images = np.concatenate([glyphs.letters.images.astype(np.float32) / 255] * 4)
    return Letters((255 * warp(images, rng)).astype(np.uint8), np.tile(glyphs.letters.labels, 4))


# --- idx files


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.booleans(), st.integers(0, 2**32 - 1))
def test_what_is_written_is_read(sizes: list[int], zipped: bool, seed: int) -> None:
    import tempfile

    array = np.random.default_rng(seed).integers(0, 256, sizes).astype(np.uint8)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / ("a.gz" if zipped else "a")
        write_idx(file, array)
        assert np.array_equal(read_idx(file), array)


WHOLE = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, *range(6)])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "begins with nothing"),
        (b"\0\0", "begins with 00 00"),
        (b"\x89PNG" + WHOLE, "not an idx file"),
        (bytes([0, 0, 13]) + WHOLE[3:], "not an idx file of bytes"),  # floats
        (bytes([0, 0, 8, 0]), "not an idx file"),  # no dimension
        (bytes([0, 0, 8, 9]) + WHOLE[4:], "not an idx file"),
        (WHOLE[:9], "ends within its header"),
        (WHOLE[:-1], "states 2 x 3 = 6 bytes of data; has 5"),
        (WHOLE + b"\0", "has 7"),
        (bytes([0, 0, 8, 3]) + struct.pack(">3I", *3 * [2**32 - 1]), "bytes of data; has 0"),
        (gzip.compress(WHOLE, mtime=0)[:-9], "cannot be read or unpacked"),
        (b"\x1f\x8b" + WHOLE, "cannot be read or unpacked"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_in_one_line(tmp_path: Path, data: bytes, says: str) -> None:
    file = tmp_path / "x"
    file.write_bytes(data)
    with pytest.raises(BadData) as caught:
        read_idx(file)
    assert says in str(caught.value) and str(file) in str(caught.value) and "\n" not in str(caught.value)


def test_a_directory_is_read_and_its_parts_must_belong_together(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="no file named like"):
        read_letters(tmp_path)
    images, labels = tmp_path / "t10k-images-idx3-ubyte.gz", tmp_path / "t10k-labels-idx1-ubyte.gz"
    write_idx(images, np.zeros((3, 28, 28), np.uint8))
    with pytest.raises(BadData, match="no such file"):
        read_letters(tmp_path)
    write_idx(labels, np.array([0, 9], np.uint8))
    with pytest.raises(BadData, match="3 labels expected"):
        read_letters(tmp_path)
    write_idx(labels, np.array([0, 9, 10], np.uint8))
    with pytest.raises(BadData, match="0 to 9; got 10"):
        read_letters(tmp_path)
    write_idx(labels, np.array([0, 9, 1], np.uint8))
    assert read_letters(tmp_path).labels.tolist() == [0, 9, 1]
    write_idx(images, np.zeros((3, 27, 28), np.uint8))
    with pytest.raises(BadData, match="N x 28 x 28; got 3 x 27 x 28"):
        read_letters(tmp_path)


# --- near-duplicates and splits


def grey(*levels: int) -> np.ndarray:
    """Images of one grey each."""
    return np.array(levels, np.uint8)[:, None, None] * np.ones((28, 28), np.uint8)


def test_of_images_alike_the_first_is_kept() -> None:
    # 12/255 = 0.047 is alike, 13/255 = 0.051 is not; 24 is alike to 12 only, which is gone
    assert without_copies(grey(0, 12, 24, 0, 200, 213)).tolist() == [True, False, True, False, True, True]
    assert without_copies(grey()).tolist() == []


def test_what_is_alike_to_another_set_is_found() -> None:
    assert apart_from(grey(0, 12, 13, 100), grey(0, 90)).tolist() == [False, False, True, False]
    assert apart_from(grey(5), grey()).tolist() == [True]
    assert apart_from(grey(), grey(5)).tolist() == []


def test_copies_are_found_across_the_rows_taken_at_a_time() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2_100, 28, 28)).astype(np.uint8)
    images[2_050] = images[3]
    assert np.flatnonzero(~without_copies(images)).tolist() == [2_050]


def distances(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The slow way: the root of the mean squared difference."""
    a, b = (array.reshape(len(array), -1).astype(np.float64) / 255 for array in (images, others))
    return np.sqrt(((a[:, None] - b[None]) ** 2).mean(axis=2))


def test_no_fold_learns_from_what_it_is_asked(many: Letters) -> None:
    letters = many.at(np.arange(200))
    doubled = letters + letters.at(np.arange(50))
    trials, parts, distinct = deal(doubled, letters.at(np.arange(100)), folds=5)
    assert len(distinct.labels) <= 200
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(distinct.labels)))  # each is asked once
    for trial, part in zip(trials, parts, strict=True):
        assert distances(trial.train.images, trial.test.images).min() > ALIKE
        assert trial.left_out >= (part < 100).sum()  # the glyphs that are the images asked
        assert len(trial.like.labels) + len(trial.more.labels) == len(distinct.labels) - len(part) + 100 - trial.left_out


def test_no_family_of_fonts_stands_on_both_sides(glyphs: Glyphs) -> None:
    known = {glyphs.letters.images[i].tobytes(): family for i, family in enumerate(glyphs.families)}
    trial, asked = by_family(glyphs, extra=None, share=0.3)
    learned = {known[image.tobytes()] for image in trial.train.images}
    assert learned and asked and not learned & set(asked)
    assert [known[image.tobytes()] for image in trial.test.images] == list(asked)
    assert distances(trial.train.images, trial.test.images).min() > ALIKE
    assert len(trial.like.labels) + len(asked) + trial.left_out == len(glyphs.families)
    assert len(trial.train.labels) == 2 * len(trial.like.labels)  # of the kind that is asked: twice
    more, _ = by_family(glyphs, extra=trial.test.at(np.arange(3)), share=0.3)
    assert more.left_out == trial.left_out + 3 and len(more.train.labels) == len(trial.train.labels)


def test_fonts_may_be_held_out_one_by_one(glyphs: Glyphs) -> None:
    known = {glyphs.letters.images[i].tobytes(): (glyphs.fonts[i], glyphs.families[i]) for i in range(len(glyphs.fonts))}
    trial, asked = by_font(glyphs, extra=None, share=0.3)
    fonts, families = zip(*(known[image.tobytes()] for image in trial.test.images), strict=True)
    learned, theirs = zip(*(known[image.tobytes()] for image in trial.like.images), strict=True)
    assert families == asked and not set(fonts) & set(learned) and set(families) & set(theirs)
    assert distances(trial.train.images, trial.test.images).min() > ALIKE


# --- fonts


def test_a_glyph_fills_the_image_white_on_black(glyphs: Glyphs) -> None:
    images = glyphs.letters.images
    assert len(images) > 100 and set(glyphs.letters.labels.tolist()) == set(range(10))
    for side in (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]):
        assert (side.max(axis=1) > 0).all()
    middle_of_c = images[glyphs.letters.labels == LETTERS.index("C")][:, 12:16, 12:16]
    assert middle_of_c.mean() < 32


def test_the_same_fonts_give_the_same_images(glyphs: Glyphs) -> None:
    again = render(faces(packages=())).distinct()
    assert np.array_equal(again.letters.images, glyphs.letters.images) and again.families == glyphs.families


def test_faces_without_latin_letters_are_left_out() -> None:
    by_name = {file.stem: file for file in font_files(packages=())}
    assert open_face(by_name["STIXSizFiveSymReg"]) is None  # has no A
    assert "cmex10" not in {face.file.stem for face in faces(packages=())}  # has signs in their place
    last_resort = [file for name, file in by_name.items() if name.startswith("LastResort")]
    assert all(draw(file) is None for file in last_resort)  # the same box for all


def test_a_broken_font_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    assert open_face(tmp_path / "broken.ttf") is None


@pytest.mark.parametrize(
    ("names", "family"),
    [
        (("Lato", "Lato Light", "LATO Black"), "lato"),
        (("Linux Libertine", "Linux Biolinum"), "linux"),
        (("90 Stars BRK",), "stars"),
    ],
)
def test_a_family_is_never_torn_apart(names: tuple[str, ...], family: str) -> None:
    assert {family_of(name) for name in names} == {family}


def test_what_is_not_installed_is_named() -> None:
    assert all(name.startswith(("fonts-", "ttf-")) and not name.endswith("-") for name in PACKAGES)
    page = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in PACKAGES)
    assert missing(["no-such-package"]) == ["no-such-package"]
    done = subprocess.run([sys.executable, "-m", "letters.fonts"], cwd=EXAMPLE.parent, capture_output=True, text=True, check=True)
    assert done.stdout.split() == missing()


# --- rungs


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    rng = np.random.default_rng(0)
    weights = Weights(rng.normal(size=(784, 10)) / 10, rng.normal(size=10))
    x, labels, step = rng.random((7, 784)), rng.integers(0, 10, 7), 1e-6
    _, slope = loss_and_gradient(weights, x, labels, decay=0.1)
    for array, found in zip(weights, slope, strict=True):
        for place in [tuple(int(rng.integers(size)) for size in array.shape) for _ in range(8)]:
            before = array[place]
            array[place] = before + step
            above, _ = loss_and_gradient(weights, x, labels, decay=0.1)
            array[place] = before - step
            below, _ = loss_and_gradient(weights, x, labels, decay=0.1)
            array[place] = before
            assert (above - below) / (2 * step) == pytest.approx(found[place], rel=1e-5, abs=1e-8)


def test_the_loss_of_knowing_nothing_is_the_logarithm_of_ten() -> None:
    nothing = Weights(np.zeros((784, 10)), np.zeros(10))
    loss, slope = loss_and_gradient(nothing, np.ones((1, 784)), np.array([3]), decay=0)
    assert loss == pytest.approx(np.log(10))
    assert slope.bias == pytest.approx([0.1] * 3 + [-0.9] + [0.1] * 6)  # p - [the true letter]


def test_mean_images_by_hand() -> None:
    images = np.repeat(grey(*range(0, 200, 20)), 2, axis=0)
    images[1::2] += 10  # letter n is 20 n and 20 n + 10
    model = fit_nearest_mean(Letters(images, np.repeat(np.arange(10), 2)), np.random.default_rng(0))
    assert model.means[:, 0] * 255 == pytest.approx(np.arange(10) * 20 + 5)
    assert model.probs(grey(0, 26, 70, 255)).argmax(axis=1).tolist() == [0, 1, 3, 9]


def small(name: str, letters: Letters, rng: np.random.Generator):
    """A rung, small enough for a test."""
    if name == "deeper":
        from letters.nets import DeeperConfig, fit_deeper

        return fit_deeper(letters, rng, DeeperConfig(epochs=1, widths=(16,)))
    if name == "tricks":
        from letters.nets import TricksConfig, fit_tricks

        return fit_tricks(letters, rng, TricksConfig(epochs=1, stem=4, stages=(4,), hidden=8, nets=1))
    return rung(name)(letters, rng)


@pytest.mark.parametrize("name", LADDER)
def test_every_rung_keeps_the_contract(name: str, many: Letters) -> None:
    many = many.at(np.arange(256))
    before = many.images.copy()
    model = small(name, many, np.random.default_rng(1))
    probs = model.probs(many.images[:20])
    assert probs.shape == (20, 10) and probs.dtype == np.float32
    assert probs.sum(axis=1) == pytest.approx(1, abs=1e-4) and (probs >= 0).all()
    assert np.array_equal(model.probs(many.images[:20]), probs)
    assert np.array_equal(many.images, before)
    assert model.size > 1_000
    again = small(name, many, np.random.default_rng(1))
    assert again.probs(many.images[:20]) == pytest.approx(probs, abs=1e-3)


def test_nets_vote() -> None:
    from letters.nets import DeeperConfig, Nets, dense_net

    one, other = dense_net(DeeperConfig(widths=(4,))), dense_net(DeeperConfig(widths=(4,)))
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28)).astype(np.uint8)
    apart = Nets([one]).probs(images), Nets([other]).probs(images)
    assert np.abs(apart[0] - apart[1]).max() > 0.01  # they begin elsewhere
    assert Nets([one, other]).probs(images) == pytest.approx((apart[0] + apart[1]) / 2, abs=1e-6)
    assert Nets([one, other]).size == 2 * Nets([one]).size


def test_the_averaged_weights_take_the_place_of_the_last(many: Letters) -> None:
    from letters.nets import DeeperConfig, dense_net, train

    made = []

    def build():
        net = dense_net(DeeperConfig(widths=(4,)))
        made.extend(array.copy() for array in net.get_weights())
        return net

    def moved(average: float | None) -> float:
        """How far the first weights are from where they began."""
        made.clear()
        net = train(build, many.at(np.arange(256)), DeeperConfig(epochs=2, average=average), np.random.default_rng(0))
        return float(np.abs(net.get_weights()[0] - made[0]).max())

    assert moved(0.9999) < moved(None) / 10  # an average that hardly heeds a step stays where the first led


def test_an_epoch_holds_each_image_once_and_no_broken_batch() -> None:
    from letters.nets import NetConfig, batches

    letters = Letters(grey(*range(10)), np.arange(10))
    plain = NetConfig(batch=3, warp=None, smoothing=0.1)
    seen = list(batches(letters, plain, np.random.default_rng(0)))
    assert [images.shape for images, _ in seen] == [(3, 28, 28, 1)] * 3
    shown = np.concatenate([images[:, 0, 0, 0] for images, _ in seen]) * 255
    assert len(set(shown.round().tolist())) == 9  # one comes another time
    targets = np.concatenate([targets for _, targets in seen])
    assert targets.argmax(axis=1).tolist() == shown.round().tolist()
    assert targets.max() == pytest.approx(0.91) and targets.min() == pytest.approx(0.01)
    few = list(batches(letters, NetConfig(batch=128), np.random.default_rng(0)))
    assert [len(images) for images, _ in few] == [10]  # fewer than a batch: what there is


def test_learning_beats_the_mean_image(glyphs: Glyphs, many: Letters) -> None:
    asked = glyphs.letters
    right = {
        name: (fit(many, np.random.default_rng(0)).probs(asked.images).argmax(axis=1) == asked.labels).mean()
        for name, fit in (("nearest_mean", fit_nearest_mean), ("logistic", fit_logistic))
    }
    assert 0.6 < right["nearest_mean"] < right["logistic"]


def test_a_trial_tells_answers_time_and_size(glyphs: Glyphs) -> None:
    trial, asked = by_family(glyphs, extra=None)
    outcome = try_rung("nearest_mean", trial)
    assert outcome.probs.shape == (len(asked), 10) and outcome.seconds > 0 and outcome.size == 4 * 784 * 10


# --- warp, intervals, pictures


def test_a_warp_of_nothing_changes_nothing(glyphs: Glyphs) -> None:
    images = glyphs.letters.images.astype(np.float32) / 255
    none = Warp(turn=0, slant=0, stretch=0, shift=0, bend=0, thick=0)
    assert none(images, np.random.default_rng(0)) == pytest.approx(images, abs=1e-5)


def test_reading_a_row_further_down_and_half_a_column_on() -> None:
    images = np.random.default_rng(0).random((1, 28, 28), np.float32)
    places = np.stack(np.meshgrid(np.arange(28.0) + 1, np.arange(28.0) + 0.5, indexing="ij"))[None]
    wide = np.pad(images[0], ((0, 1), (0, 1)))  # beyond the edge it is black
    assert read_at(images, places)[0] == pytest.approx((wide[1:, :-1] + wide[1:, 1:]) / 2, abs=2e-3)


def test_a_point_grows_to_a_cross_and_a_hole_too() -> None:
    points = np.zeros((300, 28, 28), np.float32)
    points[:, 5, 5] = 1
    white = thicken(points, 0.2, np.random.default_rng(0)).sum(axis=(1, 2))
    black = (1 - thicken(1 - points, 0.2, np.random.default_rng(0))).sum(axis=(1, 2))
    for found in (white, black):
        sizes, counts = np.unique(found, return_counts=True)
        assert sizes.tolist() == [0, 1, 5] and counts == pytest.approx([60, 180, 60], abs=25)


def test_a_share_of_the_images_is_disguised(glyphs: Glyphs) -> None:
    images = np.concatenate([glyphs.letters.images.astype(np.float32) / 255] * 3)[:900]
    found = disguise(images, 0.2, np.random.default_rng(0))
    assert 0.15 < (found != images).any(axis=(1, 2)).mean() < 0.25
    assert found.min() > -1e-5 and found.max() < 1 + 1e-5
    assert np.array_equal(disguise(images, 0, np.random.default_rng(0)), images)


def test_a_frame_around_nothing_and_around_a_full_image() -> None:
    nothing = framed(np.zeros((400, 28, 28), np.float32), np.random.default_rng(0))
    lit, corner = nothing[:, 14, 14] > 0.9, nothing[:, 0, 0] > 0.9
    assert {*zip(lit.tolist(), corner.tolist(), strict=True)} == {(a, b) for a in (True, False) for b in (True, False)}
    full = framed(np.ones((400, 28, 28), np.float32), np.random.default_rng(0))
    plates = full[(full[:, 0] == 1).all(axis=1) & (full[:, 14, 14] < 1e-5)]  # black on white, the letter a rectangle
    assert 60 < len(plates) < 140
    for plate in plates:
        rows = np.flatnonzero((plate < 0.5).any(axis=1))
        assert 1 <= rows[0] <= 8 and 19 <= rows[-1] <= 26


def test_the_lines_of_a_square() -> None:
    square = np.zeros((400, 28, 28), np.float32)
    square[:, 10:18, 10:18] = 1
    # a line around it of one or two pixels, within it of one or two, a square of 36 in a line two pixels off, its shadow, both
    found = lined(square, np.random.default_rng(0)).sum(axis=(1, 2)).round()
    assert set(found.tolist()) == {32, 68, 28, 48, 36 + 36, 45, 64 + 31}


def test_intervals_by_hand() -> None:
    share = wilson(np.array([True] * 8 + [False] * 2))
    assert share.value == 0.8 and share[1:] == pytest.approx((0.490, 0.943), abs=1e-3)  # Newcombe 1998's formula 3
    assert wilson(np.ones(10, np.bool_)).high == pytest.approx(1)
    right = np.array([True] * 50 + [False] * 50)
    apart, together = bootstrap(right, [str(i) for i in range(100)]), bootstrap(right, ["a"] * 50 + ["b"] * 50)
    assert apart.low == pytest.approx(0.40, abs=0.02) and together[1:] == (0, 1)  # two families: all right, or none


def test_the_sheet_shows_the_surest_errors_first(tmp_path: Path) -> None:
    from PIL import Image

    test = Letters(grey(0, 50, 100), np.array([0, 1, 2]))
    probs = np.full((3, 10), 0.05, np.float32)
    probs[0, 0] = probs[1, 5] = 0.5
    probs[2, 5] = 0.55
    assert surest_errors(test, probs).tolist() == [2, 1]
    assert draw_errors(test, probs, tmp_path / "a.png") == 2
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.getpixel((20, 20)) == 100  # the image of the first
    assert draw_errors(test.at(np.array([0])), probs[:1], tmp_path / "b.png") == 0


# --- the command and the house


def test_the_command_climbs_on_given_images(
    tmp_path: Path, many: Letters, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("letters.__main__.faces", lambda: faces(packages=()))
    write_idx(tmp_path / "images-idx3-ubyte.gz", many.images[:400])
    write_idx(tmp_path / "labels-idx1-ubyte.gz", many.labels[:400].astype(np.uint8))
    assert main(["--data", str(tmp_path), "--rungs", "nearest_mean,logistic", "--pictures", str(tmp_path / "p")]) == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()[-2:]] == ["nearest_mean", "logistic"]
    assert {file.name for file in (tmp_path / "p").iterdir()} == {"nearest_mean.png", "logistic.png"}
    assert main(["--rungs", "nearest_mean"]) == 0
    assert "held out" in capsys.readouterr().out


@pytest.mark.parametrize(("args", "says"), [(("--data", "nowhere"), "holds no file"), (("--rungs", "magic"), "no rung magic")])
def test_a_wrong_call_ends_in_one_line(args: tuple[str, ...], says: str) -> None:
    command = [sys.executable, "-m", "letters", *args]
    done = subprocess.run(command, cwd=EXAMPLE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and says in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr


@pytest.mark.parametrize("module", sorted(EXAMPLE.glob("*.py")), ids=lambda module: module.name)
def test_the_example_keeps_to_the_house(module: Path) -> None:
    source = module.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 400 and "pickle" not in source
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None and node.end_lineno - node.lineno < 50, node.name
            assert len([a for a in [*node.args.args, *node.args.kwonlyargs] if a.arg != "self"]) <= 6, node.name
