"""How fast word2vec learns, against gensim itself used as most people use it, on the same words, settings and cores.

The words of all posts of a real archive that occur at least as often as the rung asks for. What is timed:

- ours: everything from word arrays to vectors (`rejoinder.models.word2vec.train`): writing the texts for gensim's threads, the
  vocabulary, the steps
- gensim: `Word2Vec.train` alone, over lists of words in memory; its vocabulary is built before the clock starts
- gensim, file: the same over a file of texts written before the clock starts: the fastest it can

in turn, A B C A B C. Words a second counts every word of every epoch, before frequent ones are thinned out; a ratio is of two
turns of the same round.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from figures import arguments, real_archive, report

from rejoinder.archive.source import Hasher
from rejoinder.archive.sources.hackernews import SOURCE as HACKER_NEWS
from rejoinder.models.interfaces import silent
from rejoinder.models.word2vec import Word2VecConfig, train
from rejoinder.post import Post
from rejoinder.text.shards import Shards
from rejoinder.text.word_arrays import WordArrays, count_words


def texts_of(arrays: WordArrays) -> list[list[str]]:
    """The texts as lists of words."""
    words = [arrays.words[place] for place in arrays.places]
    return [words[start:end] for start, end in zip(arrays.offsets[:-1], arrays.offsets[1:], strict=True)]


def gensim_model(config: Word2VecConfig, texts: list[list[str]]) -> Any:
    """An untrained model of gensim's with its vocabulary."""
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=config.size,
        window=config.window,
        negative=config.negatives,
        sample=config.subsample,
        alpha=config.learning_rate,
        workers=config.workers or os.cpu_count() or 1,
        sg=1,
        min_count=1,
    )
    model.build_vocab(texts)
    return model


def main() -> None:
    options = {
        "archive": (str, "hn.jsonl.gz", "which"),
        "rounds": (int, 3, "turns of each"),
        "epochs": (int, 2, "passes of a turn"),
    }
    args = arguments((__doc__ or "").partition("\n")[0], **options)
    config = replace(Word2VecConfig(), epochs=args.epochs)
    items = HACKER_NEWS.read(real_archive(args.archive), Hasher())
    posts = (item for item in items if isinstance(item, Post) and item.body)
    arrays = count_words(Shards.of(posts), config.rarest, config.most)
    texts = texts_of(arrays)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "file of texts"
        file.write_text("".join(" ".join(text) + "\n" for text in texts), encoding="utf-8")
        sizes = {"total_examples": len(texts), "total_words": len(arrays.places), "epochs": config.epochs}

        def ours() -> Callable[[], Any]:
            return lambda: train(arrays, config, 1, Path(directory), silent)

        def from_memory() -> Callable[[], Any]:
            model = gensim_model(config, texts)
            return lambda: model.train(texts, **sizes)

        def from_file() -> Callable[[], Any]:
            model = gensim_model(config, texts)
            return lambda: model.train(corpus_file=str(file), **sizes)

        turns = {"ours": ours, "gensim": from_memory, "gensim, file": from_file}
        rates: dict[str, list[float]] = {name: [] for name in turns}
        for _ in range(args.rounds):
            for name, prepare in turns.items():
                learn = prepare()
                began = perf_counter()
                learn()
                rates[name].append(len(arrays.places) * config.epochs / (perf_counter() - began))
    for name, values in rates.items():
        report(name, values, "words/s", as_json=args.json)
    for rival in list(turns)[1:]:
        ratios = [mine / other for mine, other in zip(rates["ours"], rates[rival], strict=True)]
        report(f"ours / {rival}", ratios, "x", as_json=args.json)


if __name__ == "__main__":
    main()
