r"""ARPA files: written for other tools, read from them."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest
from conftest import make_archive, make_corpus, toy_posts
from typer.testing import CliRunner

from rejoinder.cli import app
from rejoinder.errors import ModelError, SourceError
from rejoinder.home.arpa import export_arpa, import_arpa
from rejoinder.home.fitting import FitConfig, fit, to_fit
from rejoinder.home.open_home import OpenHome
from rejoinder.home.voices import typist
from rejoinder.home.workspace import Workspace
from rejoinder.models import Can
from rejoinder.models.arpa import read_arpa, write_arpa
from rejoinder.models.interfaces import Job
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.text.tensors import TOKENIZER_FILE, train_tokenizer
from rejoinder.text.tokenizer import WordTokenizer

# Another tool's model, pruned so that "b c" was left out though "a b c" was kept; spaces and tabs as tools mix them.
FOREIGN = """
\\data\\
ngram 1=6
ngram 2=3
ngram 3=1

\\1-grams:
-99\t<s>\t-0.5
-1.0\t<unk>
-0.6 a -0.4
-0.7 b -0.3
-0.8 c
-0.5\t</s>

\\2-grams:
-0.2\t<s> a\t-0.25
-0.3 a b -0.1
-0.9 b </s>

\\3-grams:
-0.05\ta b c

\\end\\
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> KneserNey:
    directory = tmp_path_factory.mktemp("arpa")
    corpus = make_corpus(directory, toy_posts(), 350)
    return KneserNey.fit(corpus, KneserNeyConfig(order=4), rng=np.random.default_rng(0), job=Job(directory))


def written(model: KneserNey, file: Path) -> Path:
    with file.open("w", encoding="utf-8") as target:
        write_arpa(model, target)
    return file


def test_written_and_read_again_every_probability_is_the_same(model: KneserNey, tmp_path: Path) -> None:
    again = read_arpa(written(model, tmp_path / "m.arpa"), model.tokenizer)
    for text in ("", "The dough", "Why does my engine", "naïve 🍞"):
        state, other = model.start(()), again.start(())
        for token in model.tokenizer.encode(text):
            state, other = model.advance(state, token), again.advance(other, token)
        assert again.log_probs(other) == pytest.approx(model.log_probs(state), abs=1e-5)
        assert [token for token, _ in again.top(other, 10)] == [token for token, _ in model.top(state, 10)]


def test_kenlm_reads_ours_with_the_same_scores(model: KneserNey, tmp_path: Path) -> None:
    kenlm = pytest.importorskip("kenlm", reason="the kenlm package (extra `bench`) is not installed")
    other = kenlm.Model(str(written(model, tmp_path / "m.arpa")))
    from rejoinder.models.arpa import names_of

    names = names_of(model.tokenizer)
    for text in ("The dough is cold .", "Why does my engine stall ?", "Thank you .", "unheard of"):
        tokens = model.tokenizer.encode(text)
        state, ours = model.start(()), 0.0
        for token in [*tokens, model.tokenizer.end]:
            ours += model.log_prob(state, token)
            state = model.advance(state, token)
        assert other.score(" ".join(names[token] for token in tokens)) == pytest.approx(ours / log(10), abs=1e-3)


def test_a_file_of_another_tool_by_hand(tmp_path: Path) -> None:
    file = tmp_path / "foreign.arpa"
    file.write_text(FOREIGN, encoding="utf-8")
    other = read_arpa(file)
    assert isinstance(other.tokenizer, WordTokenizer)
    ids = {word: token for token, word in enumerate(other.tokenizer.words)} | {"</s>": other.tokenizer.end}

    def log10(words: str, then: str) -> float:
        state = other.start(())
        for word in words.split():
            state = other.advance(state, ids[word])
        dense = other.log_probs(state)
        assert dense[ids[then]] == pytest.approx(other.log_prob(state, ids[then]), abs=1e-5)
        best = sorted((t for t in range(len(dense)) if dense[t] > -np.inf), key=lambda t: (-dense[t], t))
        assert [token for token, _ in other.top(state, 4)] == best[:4]
        return float(dense[ids[then]]) / log(10)

    assert log10("", "a") == pytest.approx(-0.2, abs=1e-5)  # <s> a is there
    assert log10("", "b") == pytest.approx(-0.5 - 0.7, abs=1e-5)  # back off from <s>
    assert log10("a b", "c") == pytest.approx(-0.05, abs=1e-5)  # the trigram, though its bigram was left out
    assert log10("a b", "a") == pytest.approx(-0.1 - 0.3 - 0.6, abs=1e-5)  # back off from "a b", then from "b"
    assert log10("b", "c") == pytest.approx(-0.3 - 0.8, abs=1e-5)  # "b c" was left out
    assert log10("a b", "</s>") == pytest.approx(-0.1 - 0.9, abs=1e-5)  # b </s> is there
    assert log10("c", "<unk>") == pytest.approx(-1.0, abs=1e-5)


def test_what_other_tools_write_of_the_beginning_does_not_make_it_come_next(tmp_path: Path) -> None:
    """lmplz gives `<s>` the log probability 0; words may be numbers, or hold a space that is not one."""
    file = tmp_path / "lmplz.arpa"
    text = FOREIGN.replace("-99\t<s>", "0\t<s>").replace("-0.8 c", "-0.8 1984").replace("-0.05\ta b c", "-0.05 a b 1984")
    file.write_text(text.replace("-1.0\t<unk>", "-1.0\tx\u00a0y"), encoding="utf-8")
    other = read_arpa(file)
    assert isinstance(other.tokenizer, WordTokenizer) and {"1984", "x\u00a0y"} <= set(other.tokenizer.words)
    state = other.advance(other.start(()), other.tokenizer.words.index("a"))
    assert other.tokenizer.post not in [token for token, _ in other.top(state, 9)]
    assert other.log_probs(state)[other.tokenizer.post] == -np.inf


def test_a_cache_beside_the_counts_of_another_tool_changes_nothing_where_nothing_was_written(tmp_path: Path) -> None:
    file = tmp_path / "foreign.arpa"
    file.write_text(FOREIGN, encoding="utf-8")
    other = read_arpa(file)
    job, cached = Job(tmp_path, parts={"kneser_ney": other}), replace(other.config, cache=9)
    corpus = make_corpus(tmp_path, toy_posts(), 300)
    made = KneserNey.fit(corpus, cached, rng=np.random.default_rng(0), job=job)
    after = [[one.advance(one.start(()), token) for token in range(other.tokenizer.size)] for one in (other, made)]
    for plain, one in zip(*after, strict=True):
        np.testing.assert_array_equal(made.log_probs(made.ahead(one, 1)), other.log_probs(plain))


def test_a_context_without_followers_between_two_that_have_some(tmp_path: Path) -> None:
    file = tmp_path / "gap.arpa"
    file.write_text(FOREIGN.replace("-0.9 b </s>", "-0.9 a </s>"), encoding="utf-8")
    other = read_arpa(file)
    assert isinstance(other.tokenizer, WordTokenizer)
    state = other.start(())
    for word in "ab":
        state = other.advance(state, other.tokenizer.words.index(word))
    dense = other.log_probs(state)
    best = sorted((t for t in range(len(dense)) if dense[t] > -np.inf), key=lambda t: (-dense[t], t))
    assert [token for token, _ in other.top(state, 3)] == best[:3]


def test_a_model_without_counts_says_that_it_cannot_forget(tmp_path: Path) -> None:
    from rejoinder.text.tensors import post_tokens

    file = tmp_path / "foreign.arpa"
    file.write_text(FOREIGN, encoding="utf-8")
    other = read_arpa(file)
    nothing = post_tokens([], other.tokenizer)
    with pytest.raises(ModelError, match="no counts, so it cannot forget"):
        other.changed(nothing, nothing)
    other.save(tmp_path / "m")
    assert KneserNey.load(tmp_path / "m").counts is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not a whole ARPA file"),
        ("hello\nworld\n", "not a whole ARPA file"),
        (FOREIGN.replace("\\2-grams", "\\5-grams"), "expected the section"),
        (FOREIGN.replace("-0.6 a -0.4", "-0.6 a inf"), "not a line of 1-grams"),
        (FOREIGN.replace("-0.3 a b -0.1", "-0.3 a b c -0.1"), "not a line of 2-grams"),
        ("\\data\\\nngram 1=0\n\n\\1-grams:\n\n\\end\\\n", "no 1-grams"),
        (FOREIGN.replace("\\end\\", ""), "not a whole ARPA file"),
        (FOREIGN.replace("ngram 2=3", "ngram 2=4"), "says it has"),
        (FOREIGN.replace("-0.6 a -0.4", "much a -0.4"), "not a line of 1-grams"),
        (FOREIGN.replace("a b c", "c b a"), "context that is not among"),
        (FOREIGN.replace("a b c", "a b z"), "'z'"),
        (FOREIGN.replace("ngram 1=6", "ngram 1=six"), "ngram"),
        (FOREIGN.replace("ngram 3=1\n", "ngram 3=1\nngram 4=0\n"), "announces 4 sections"),
        (FOREIGN.replace("-0.3 a b -0.1", "-0.2 <s> a -0.1"), "stands there twice"),
        (FOREIGN.replace("-0.6 a -0.4", "0.6 a -0.4"), "not a line of 1-grams"),
        (FOREIGN.replace("-0.6 a -0.4", "nan a -0.4"), "not a line of 1-grams"),
    ],
)
def test_what_is_no_arpa_file_is_a_clear_error(text: str, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.arpa"
    file.write_text(text, encoding="utf-8")
    with pytest.raises((SourceError, ModelError), match=complaint):
        read_arpa(file)


def test_pieces_of_another_tokenizer_are_no_words(model: KneserNey, tmp_path: Path) -> None:
    """What another home wrote is refused in one line, with nothing kept; words stay words, whatever pieces there are."""
    file, home = written(model, tmp_path / "m.arpa"), tmp_path / "home"
    home.mkdir()
    train_tokenizer(make_corpus(tmp_path, toy_posts(), 300), 300).save(home / TOKENIZER_FILE)
    for _ in range(2):
        with pytest.raises(ModelError, match="not words but the pieces of a tokenizer that is not this home's"):
            import_arpa(Workspace(home), file)
        assert not (home / "models").exists()
        (home / TOKENIZER_FILE).unlink(missing_ok=True)  # then it is not the package's
    file.write_text(FOREIGN, encoding="utf-8")
    assert isinstance(read_arpa(file, model.tokenizer).tokenizer, WordTokenizer)


def test_a_model_that_comes_back_says_what_it_said(tmp_path: Path) -> None:
    space, file = Workspace(tmp_path / "home"), tmp_path / "m.arpa"
    space.home.mkdir()
    posts = (post._replace(author=post.id.to_bytes(8)) for post in toy_posts())  # else who thanks in the same words is one
    make_archive(space.archive_file, posts).close()
    assert not fit(space, ["kneser_ney"], FitConfig(vocabulary=350), {})
    drafts = ("Let the dough ", "Why does my ", "Check the ", "an old ")

    def said() -> list[tuple[str, ...]]:
        session = typist(space, {"kneser_ney": space.load_those(Can.PREDICT, ["kneser_ney"])["kneser_ney"]}, print).open(())
        asked = ("--rung", "kneser_ney", "--home", str(space.home), "--json")
        whole = [json.loads(CliRunner().invoke(app, ["complete", draft, *asked]).stdout)["continuations"] for draft in drafts]
        words = [tuple(word.text for word in session.suggest(draft).words) for draft in drafts]
        return words + [tuple(one["text"] for one in found) for found in whole]

    before = said()
    export_arpa(space, file)
    import_arpa(space, file)
    assert all(before) and said() == before


def test_fit_without_names_leaves_a_model_of_another_tool_and_says_how_to_replace_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space, file = Workspace(tmp_path / "home"), tmp_path / "m.arpa"
    space.home.mkdir()
    make_archive(space.archive_file, toy_posts()).close()
    assert "kneser_ney" in to_fit(space, None, FitConfig())
    file.write_text(FOREIGN, encoding="utf-8")
    import_arpa(space, file)
    assert "kneser_ney" not in to_fit(space, None, FitConfig())
    assert to_fit(space, ["kneser_ney"], FitConfig()) == ("kneser_ney",)
    monkeypatch.setattr("rejoinder.home.fitting.fit", lambda *of: {})
    ran = CliRunner().invoke(app, ["fit", "--home", str(space.home)])
    assert ran.exit_code == 0
    assert "(`arpa import`) and stays; `rejoinder fit kneser_ney` counts your posts instead" in ran.stderr


class Made:
    """An ARPA file made at random: of each n-gram the context is there, as tools take for granted, and mostly its end, too."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.words = [f"w{number}" for number in range(int(rng.integers(2, 5)))]
        self.order = int(rng.integers(2, 5))
        heads = ["<s>", *self.words, *(["<unk>"] if seed % 2 else [])]
        levels = [[*heads, "</s>"]]
        for _ in range(1, self.order):
            before = [gram for gram in levels[-1] if not gram.endswith("</s>")]
            able = [f"{gram} {word}" for gram in before for word in [*heads[1:], "</s>"]]
            whole = [gram for gram in able if gram.partition(" ")[2] in levels[-1]]
            some = {gram for gram in whole if rng.random() < 0.5} | {*rng.permutation(able)[: int(rng.integers(2))].tolist()}
            levels.append([gram for gram in able if gram in some])
        self.lines = [[self._line(gram, rng, n == self.order) for gram in grams] for n, grams in enumerate(levels, start=1)]

    def _line(self, gram: str, rng: np.random.Generator, last: bool) -> tuple[str, ...]:
        p = "-99" if gram == "<s>" else f"-{rng.uniform(0.1, 3):.4f}" if rng.random() < 0.9 else "-inf"
        ends = last or gram.endswith("</s>") or rng.random() < 0.2
        return (p, gram) if ends else (p, gram, f"{rng.uniform(-2, 0.3):.4f}")

    def text(self) -> str:
        """As kenlm takes it."""
        head = "\\data\\\n" + "".join(f"ngram {n}={len(lines)}\n" for n, lines in enumerate(self.lines, start=1))
        parts = ("".join("\t".join(line) + "\n" for line in lines) for lines in self.lines)
        return head + "".join(f"\n\\{n}-grams:\n{part}" for n, part in enumerate(parts, start=1)) + "\n\\end\\\n"

    def odd(self) -> str:
        """As other tools write the same."""
        told = ["some words", "", "\\data\\", *(f" ngram  {n} = {len(lines)} " for n, lines in enumerate(self.lines, start=1))]
        told.append(f"ngram {self.order + 1}=0")
        for n, lines in enumerate([*self.lines, []], start=1):
            told += ["", f"\\{n}-grams: \t", *(" \t" + "  \t ".join(line).replace(" w", " \t w") for line in lines)]
        return "\ufeff" + "\r\n".join([*told, "\\end\\", "and more"])


@pytest.mark.parametrize("seed", range(12))
def test_every_query_costs_what_it_costs_with_kenlm(seed: int, tmp_path: Path) -> None:
    """From the beginning of a sentence, all runs of words one longer than the order, one of them unheard of."""
    kenlm = pytest.importorskip("kenlm", reason="the kenlm package (extra `bench`) is not installed")
    made = Made(seed)
    file, odd = tmp_path / "made.arpa", tmp_path / "odd.gz"
    file.write_text(made.text(), encoding="utf-8")
    odd.write_bytes(gzip.compress(made.odd().encode()))
    theirs = kenlm.Model(str(file))
    asked = 0
    for ours in (read_arpa(file), read_arpa(odd)):
        begin = kenlm.State()
        theirs.BeginSentenceWrite(begin)
        waiting = [(begin, ours.start(()), 0)]
        while waiting:
            context, state, length = waiting.pop()
            dense = ours.log_probs(state)
            for word in [*made.words, "unheard", "</s>"]:
                after = kenlm.State()
                expected = theirs.BaseScore(context, word, after)
                token = ours.tokenizer.end if word == "</s>" else ours.tokenizer.encode(word)[0]
                found = ours.log_prob(state, token) / log(10)
                assert found == pytest.approx(expected, abs=1e-4) and found == pytest.approx(dense[token] / log(10), abs=1e-4)
                asked += 1
                if word != "</s>" and length < made.order:
                    waiting.append((after, ours.advance(state, token), length + 1))
    assert asked >= 2 * (len(made.words) + 2) ** 2


def test_a_word_that_the_file_does_not_know_is_its_unknown_one(tmp_path: Path) -> None:
    file = tmp_path / "foreign.arpa"
    file.write_text(FOREIGN.replace("-1.0\t<unk>", "-1.0\t<UNK>"), encoding="utf-8")
    known = read_arpa(file).tokenizer
    assert known.encode("a zyzzyva b") == known.encode("a <unk> b")
    file.write_text(FOREIGN.replace("-1.0\t<unk>\n", "").replace("ngram 1=6", "ngram 1=5"), encoding="utf-8")
    other = read_arpa(file)
    token = other.tokenizer.encode("zyzzyva")[0]
    assert other.log_prob(other.start(()), token) == pytest.approx((-0.5 - 100) * log(10))  # back off from <s>, as in kenlm
    after = other.advance(other.start(()), token)
    assert other.top(after, 1) == [(other.tokenizer.end, pytest.approx(-0.5 * log(10)))]  # and it goes on as after nothing


def test_a_model_taken_into_an_empty_home_is_the_one_that_speaks(tmp_path: Path) -> None:
    """By the command line and by the server alike, and a word that it does not know ends neither."""
    file, home = tmp_path / "foreign.arpa", tmp_path / "home"
    file.write_text(FOREIGN, encoding="utf-8")
    runner = CliRunner()
    assert runner.invoke(app, ["arpa", "import", str(file), "--home", str(home)]).exit_code == 0
    for draft in ("a b", "zyzzyva a b", "naïve"):
        done = runner.invoke(app, ["complete", draft, "--home", str(home), "--json"])
        assert done.exit_code == 0, done.output
        said = json.loads(done.stdout)
        assert said["rung"] == "kneser_ney" and all(
            {*found["text"].split()} <= {"a", "b", "c"} for found in said["continuations"]
        )
        session = OpenHome(Workspace(home), print).open_typing((), ())
        session.suggest(draft)
        assert all(word.text.strip() in {"a", "b", "c"} for word in session.suggest(draft + " ").words)


def test_a_model_goes_out_as_it_came_in(tmp_path: Path) -> None:
    """Words that nobody knows stay the file's `<unk>`."""
    space = Workspace(tmp_path)
    first, second = tmp_path / "first.arpa", tmp_path / "second.arpa"
    first.write_text(FOREIGN, encoding="utf-8")
    ours = import_arpa(space, first)
    export_arpa(space, second)
    again = read_arpa(second)
    assert again.tokenizer.encode("a zyzzyva") == ours.tokenizer.encode("a <unk>")
    for text in ("", "a", "a b", "zyzzyva", "c"):
        states = [model.start(()) for model in (ours, again)]
        for token in ours.tokenizer.encode(text):
            states = [model.advance(state, token) for model, state in zip((ours, again), states, strict=True)]
        assert again.log_probs(states[1]) == pytest.approx(ours.log_probs(states[0]), abs=1e-5)


def test_a_dash_is_stdout(tmp_path: Path) -> None:
    file, home = tmp_path / "foreign.arpa", tmp_path / "home"
    file.write_text(FOREIGN, encoding="utf-8")
    import_arpa(Workspace(home), file)
    export_arpa(Workspace(home), file)
    done = CliRunner().invoke(app, ["arpa", "export", "-", "--home", str(home)])
    assert (done.exit_code, done.stdout) == (0, file.read_text(encoding="utf-8"))
