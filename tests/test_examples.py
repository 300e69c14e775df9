"""Examples: where two rungs differ most, with what each said; nothing in them is markup, and forgetting takes them away."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_corpus, toy_posts

from rejoinder.corpus import Corpus
from rejoinder.home.forgetting import forget_everywhere
from rejoinder.home.holders import LADDER_FOLDER, folder
from rejoinder.home.workspace import Workspace
from rejoinder.ladder.examples import (
    EXAMPLES,
    Contrast,
    Example,
    Moment,
    examples_page,
    read_examples,
    reply_examples,
    typing_examples,
    widest,
    write_examples,
)
from rejoinder.ladder.heldout import HeldOut
from rejoinder.ladder.page import policy
from rejoinder.ladder.ranking import Asked, Pool
from rejoinder.ladder.text_evaluation import post_nats
from rejoinder.models.interfaces import Job
from rejoinder.models.markov import Markov, MarkovConfig
from rejoinder.models.unigram import Unigram, UnigramConfig
from rejoinder.post import Post


def test_the_widest_differences_of_both_sides_in_turn() -> None:
    """Ahead by 3 and 1 at places 1 and 4, behind by 2 and 5 at 2 and 3; nothing at 0."""
    ahead = np.array([0.0, 3.0, -2.0, -5.0, 1.0])
    assert widest(ahead) == [1, 3, 4, 2] and widest(ahead, 3) == [1, 3, 4]
    assert widest(np.array([0.0, 2.0, 1.0])) == [1, 2] and widest(np.zeros(3)) == []


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("examples"), toy_posts(400))


def test_what_language_models_said(corpus: Corpus, tmp_path: Path) -> None:
    rng, job = np.random.default_rng(0), Job(tmp_path)
    models: Any = (Markov.fit(corpus, MarkovConfig(), rng=rng, job=job), Unigram.fit(corpus, UnigramConfig(), rng=rng, job=job))
    held = HeldOut.of(corpus.threads("dev"), rng)
    place = next(at for at, post in enumerate(held.posts) if post.parent is not None and "took" in post.text)
    (found,) = typing_examples(models, held, [place, place], until=0.0)  # one at least
    post, context = held.posts[place], held.contexts[place]
    bits = [post_nats(model, post, context) / (np.log(2) * len(post.text.encode())) for model in models]
    assert found.figures == pytest.approx(bits, abs=0.001) and found.figures[0] < found.figures[1]
    assert found.asked == context[-1].own_text[:240] and found.written == post.text
    assert len(found.moments) == 3
    for moment in found.moments:
        assert f"{moment.draft}{moment.written}" in post.text
    assert any(moment.said[0].split()[:1] == moment.written.split()[:1] for moment in found.moments)  # Markov knows the toy text


class Length:
    """A ranker that likes long replies, or short ones."""

    def __init__(self, sign: int) -> None:
        self.sign = sign

    def score_replies(self, context: Sequence[Post], candidates: Sequence[str]) -> Any:
        return np.array([self.sign * len(text) for text in candidates], np.float64)


def test_what_rankers_put_first(corpus: Corpus) -> None:
    pool, asked = Pool.of(corpus.threads("train")), Asked("comment", 5, 1, True, 0)
    lists = asked.lists(pool)["others"]
    row = int(asked.order(pool)[0])
    models: Any = (Length(1), Length(-1))
    (found,) = reply_examples(models, pool, lists, [row])
    texts = [pool.pairs[one].reply.own_text for one in lists.candidates[0, row]]
    assert found.written == texts[0] and found.asked == pool.pairs[lists.places[row]].context[-1].own_text
    assert found.moments[0].said == (max(texts, key=len)[:240], min(texts, key=len)[:240])
    assert found.figures == (100.0, 100.0)  # all thanks are alike, and a tie is lost


def test_the_page_escapes_what_is_foreign_and_forgetting_removes_it(tmp_path: Path) -> None:
    foul = "<script>alert(1)</script>\x1b[31m\u202e"
    examples = [Example(foul, foul, (1.0, 2.0), (Moment(foul, foul, (foul, "")),))]
    file = tmp_path / "some.json"
    write_examples(file, examples)
    assert read_examples(file) == examples
    made = examples_page([Contrast("typing", ("lstm", foul), tuple(examples))], foul).decode()
    assert "<script" not in made and "&lt;script&gt;alert" in made and not {"\x1b", "\u202e"} & set(made)
    assert f'content="{policy()}"' in made.replace("&#39;", "'") and "<dd>nothing</dd>" in made
    space = Workspace(tmp_path / "home")
    with space.open_archive(create=True) as archive:
        archive.add(toy_posts(5))
    page = folder(space.home, LADDER_FOLDER) / EXAMPLES
    page.write_text(made)
    (page.parent / "ladder.json").write_text("{}")
    assert forget_everywhere(space, [10], None).posts == 1
    assert not page.exists() and (page.parent / "ladder.json").exists()
