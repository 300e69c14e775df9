"""Penn Treebank perplexity, as the literature measures it: word tokens, `</s>` scored, `<unk>` a word like any other.

    python bench/ptb.py --rung kneser_ney --order 5 [--cache 600]

Perplexity is exp(mean nats per token) over the file's own 10,000 words and `</s>`. A cache carries over from one sentence to the
next, as the text does. Settings were chosen on the validation part; test is only read.
"""

from __future__ import annotations

import gzip
from math import exp
from time import perf_counter

import numpy as np
from figures import arguments, real_archive, report

from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.text.ngrams import count_ngrams
from rejoinder.text.tensors import TokenArrays
from rejoinder.text.tokenizer import WordTokenizer


def read(part: str) -> list[list[str]]:
    """The sentences of a part, as words."""
    with gzip.open(real_archive(f"ptb/ptb.{part}.txt.gz"), "rt", encoding="utf-8") as file:
        return [line.split() for line in file]


def tokens(sentences: list[list[str]], tokenizer: WordTokenizer) -> TokenArrays:
    """Sentences as posts of their own: POST, the words, END."""
    posts = [[tokenizer.post, *tokenizer.encode(" ".join(words)), tokenizer.end] for words in sentences]
    offsets = np.concatenate([[0], np.cumsum([len(post) for post in posts])]).astype(np.int64)
    return TokenArrays(np.concatenate([np.array(post, np.uint16) for post in posts]), offsets, np.arange(len(posts)))


def perplexity(model: KneserNey, arrays: TokenArrays) -> float:
    """exp(mean nats per token) over all sentences; what is scored is the words and `</s>`."""
    nats, count, history = 0.0, 0, b""
    for first, last in zip(arrays.offsets[:-1], arrays.offsets[1:], strict=True):
        state = model.start_after(history, answers=False)
        for token in arrays.tokens[first + 1 : last].tolist():
            nats -= model.log_prob(state, token)
            count += 1
            state = model.advance(state, token)
        history = state.history
    return exp(nats / count)


def vocabulary() -> WordTokenizer:
    """The words of the train part."""
    return WordTokenizer(sorted({word for words in read("train") for word in words}))


def main() -> None:
    options = {
        "rung": (str, "kneser_ney", "which"),
        "order": (int, 5, "n"),
        "cache": (int, 0, "its tokens"),
        "runs": (int, 3, "fits"),
    }
    args = arguments(__doc__ or "", **options)
    if args.rung != "kneser_ney":
        raise SystemExit(f"the rung {args.rung} is not measured here yet; kneser_ney is")
    tokenizer = vocabulary()
    train = tokens(read("train"), tokenizer)
    config = KneserNeyConfig(order=args.order, cache=args.cache)
    seconds = []
    for _ in range(args.runs):
        began = perf_counter()
        model = KneserNey.from_counts(config, tokenizer, count_ngrams(train, args.order, tokenizer.vocabulary))
        seconds.append(perf_counter() - began)
    name = f"kneser_ney, order {args.order}" + (f", cache {args.cache}" if args.cache else "")
    report(f"fit {name}", seconds, "s", as_json=args.json)
    for part in ("valid", "test"):
        report(f"{part} perplexity, {name}", [perplexity(model, tokens(read(part), tokenizer))], "PTB words", as_json=args.json)
    sizes = sum(array.nbytes for level in model.index for array in vars(level).values())
    grams = sum(len(level.token) for level in model.index)
    report(f"index of {grams:,} n-grams", [sizes / grams], "bytes each", as_json=args.json)


if __name__ == "__main__":
    main()
