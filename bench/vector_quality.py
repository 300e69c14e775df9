"""How good word vectors are: ours by PMI-SVD and by word2vec, against gensim's skip-gram on the same words.

All posts of a real archive (`--archive a,b` for several); the words of the rungs' default settings. gensim is used as in its
tutorial, over lists of words, once with the sizes and epochs of our word2vec and once with its own defaults. Measured on what
gensim ships, over what all vectors have words for (the coverage is a figure, too):

- WordSim-353 and SimLex-999: Spearman's rank correlation of the cosines with what people said, times 100
- questions-words (Mikolov et al. 2013): share of a : b = c : ? answered exactly over the whole vocabulary, in percent

Intervals are bootstrapped over pairs or questions, 95%; differences are paired. Points are hundredths.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from figures import arguments, real_archive, report, report_interval
from numpy.typing import NDArray
from word2vec_speed import gensim_model, texts_of

from rejoinder.archive.source import Hasher
from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
from rejoinder.ladder.metrics import DRAWS, LEVEL, Estimate
from rejoinder.models.interfaces import Job, silent
from rejoinder.models.pmi_svd import PMISVDConfig, pmi_vectors
from rejoinder.models.word2vec import Word2VecConfig, train
from rejoinder.post import Post
from rejoinder.text.shards import Shards
from rejoinder.text.word_arrays import WordArrays, count_words

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_AT_A_TIME = 1_000  # questions


@dataclass(frozen=True)
class Similarities:
    """Pairs of words that people judged."""

    pairs: Ints  # (N, 2) places of the words
    judged: Floats  # (N,) what people said

    def scores(self, unit: NDArray[np.float32]) -> Floats:
        """(N,) float64: the cosine of each pair."""
        return np.asarray((unit[self.pairs[:, 0]] * unit[self.pairs[:, 1]]).sum(axis=1), np.float64)

    def points(self, scores: Floats, drawn: Ints) -> float:
        """Of the pairs `drawn`."""
        from scipy.stats import spearmanr

        return 100 * float(spearmanr(scores[drawn], self.judged[drawn]).statistic)


@dataclass(frozen=True)
class Analogies:
    """Questions a : b = c : d."""

    questions: Ints  # (N, 4) places of the words

    def scores(self, unit: NDArray[np.float32]) -> Floats:
        """(N,) float64: 1 where the word nearest to b - a + c, the three left out, is d, else 0."""
        right = []
        for start in range(0, len(self.questions), _AT_A_TIME):
            a, b, c, d = self.questions[start : start + _AT_A_TIME].T
            cosines = (unit[b] - unit[a] + unit[c]) @ unit.T
            for word in (a, b, c):
                cosines[np.arange(len(a)), word] = -np.inf
            right.append(cosines.argmax(axis=1) == d)
        return np.concatenate(right).astype(np.float64)

    def points(self, scores: Floats, drawn: Ints) -> float:
        """Of the questions `drawn`."""
        return 100 * float(scores[drawn].mean())


def read_sets(place: dict[str, int]) -> tuple[dict[str, Similarities | Analogies], dict[str, float]]:
    """The sets over the words that have a place, and which share of each that is."""
    from gensim.test.utils import datapath

    def lines(name: str) -> list[list[str]]:
        rows = (line.casefold().split() for line in Path(datapath(name)).read_text(encoding="utf-8").splitlines())
        return [row for row in rows if row and row[0][0] not in "#:"]

    sets: dict[str, Similarities | Analogies] = {}
    coverage: dict[str, float] = {}
    for title, name in (("WordSim-353", "wordsim353.tsv"), ("SimLex-999", "simlex999.txt")):
        rows = [row for row in lines(name) if len(row) == 3 and row[2][0].isdigit()]
        kept = [row for row in rows if row[0] in place and row[1] in place]
        sets[title] = Similarities(np.array([[place[w] for w in row[:2]] for row in kept]), np.array([float(r[2]) for r in kept]))
        coverage[title] = len(kept) / len(rows)
    questions = lines("questions-words.txt")
    known = [[place[word] for word in row] for row in questions if all(word in place for word in row)]
    sets["analogies"] = Analogies(np.array(known))
    coverage["analogies"] = len(known) / len(questions)
    return sets, coverage


def draw(size: int) -> list[Ints]:
    """All `size` pieces, and then as many drawn with replacement, again and again."""
    rng = np.random.default_rng(0)
    return [np.arange(size), *(rng.integers(size, size=size) for _ in range(DRAWS))]


def estimate(points: Floats) -> Estimate:
    """The first of `points` with the percentile interval of the others."""
    low, high = np.quantile(points[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(points[0]), float(low), float(high))


def gensim_vectors(config: Word2VecConfig, texts: list[list[str]], words: Sequence[str]) -> NDArray[np.float32]:
    """(V, D) float32, of plain gensim."""
    model = gensim_model(config, texts)
    model.train(texts, total_examples=len(texts), epochs=config.epochs)
    return np.stack([model.wv[word] for word in words])


def fits(arrays: WordArrays, workdir: Path) -> dict[str, Callable[[], NDArray[np.float32]]]:
    """What is compared; the first of gensim's is the measure."""
    config, texts = Word2VecConfig(), texts_of(arrays)
    plain = Word2VecConfig(size=100, window=5, negatives=5, subsample=1e-3, learning_rate=0.025, epochs=5)
    return {
        "gensim, our sizes": lambda: gensim_vectors(config, texts, arrays.words),
        "gensim, its defaults": lambda: gensim_vectors(plain, texts, arrays.words),
        "pmi_svd": lambda: pmi_vectors(arrays, PMISVDConfig(), 1, Job(workdir)),
        "word2vec": lambda: train(arrays, config, 1, workdir, silent),
    }


def tell(title: str, of: Similarities | Analogies, scores: dict[str, Floats], *, as_json: bool) -> None:
    """The figures of a set, and how far ours are from gensim's on the same draws."""
    draws = draw(len(next(iter(scores.values()))))
    points = {name: np.array([of.points(found, drawn) for drawn in draws]) for name, found in scores.items()}
    rivals = [name for name in points if name.startswith("gensim")]
    for name, found in points.items():
        report_interval(f"{title}: {name}", estimate(found), "points", as_json=as_json)
    for name in [name for name in points if name not in rivals]:
        for rival in rivals:
            report_interval(f"{title}: {name} - {rival}", estimate(points[name] - points[rival]), "points", as_json=as_json)


def main() -> None:
    args = arguments((__doc__ or "").partition("\n")[0], archive=(str, "hn.jsonl.gz", "which, with commas between"))
    config = Word2VecConfig()
    items = (item for name in args.archive.split(",") for item in HACKER_NEWS.read(real_archive(name), Hasher()))
    posts = (item for item in items if isinstance(item, Post))
    arrays = count_words(Shards.of(posts), config.rarest, config.most)
    report("words", [len(arrays.places)], "", as_json=args.json)
    sets, coverage = read_sets({word: place for place, word in enumerate(arrays.words)})
    for title, share in coverage.items():
        report(f"{title}: covered", [share], "share", as_json=args.json)
    scores: dict[str, dict[str, Floats]] = {}
    with tempfile.TemporaryDirectory() as directory:
        for name, fit in fits(arrays, Path(directory)).items():
            began = perf_counter()
            vectors = fit()
            report(f"{name}: fit", [perf_counter() - began], "s", as_json=args.json)
            unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
            scores[name] = {title: of.scores(unit) for title, of in sets.items()}
    for title, of in sets.items():
        tell(title, of, {name: found[title] for name, found in scores.items()}, as_json=args.json)


if __name__ == "__main__":
    main()
