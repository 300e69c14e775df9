"""Penn Treebank perplexity, as the literature measures it: word tokens, `</s>` scored, `<unk>` a word like any other.

    python bench/ptb.py --rung kneser_ney --order 5 [--cache 600]
    python bench/ptb.py --rung lstm --config configs/ptb.toml [--home DIR]
    python bench/ptb.py --rung mixture --config configs/ptb.toml [--home DIR]      the LSTM with counts and their cache

Perplexity is exp(mean nats per token) over the file's own 10,000 words and `</s>`. A cache carries over from one sentence to the
next, as the text does; so does the LSTM's memory. Its training goes on from the last checkpoint in the home if it was stopped.
Settings were chosen on the validation part; test is only read.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from argparse import Namespace
from itertools import pairwise
from math import exp, log
from pathlib import Path
from time import perf_counter

import numpy as np
from figures import arguments, real_archive, report
from numpy.typing import NDArray

from rejoinder.config import read_settings, resolve
from rejoinder.models.arpa import names_of, write_arpa
from rejoinder.models.directory import MANIFEST, read_manifest, seal
from rejoinder.models.interfaces import Job, Progress
from rejoinder.models.kneser_ney import KneserNey, KneserNeyConfig
from rejoinder.models.lstm.config import LSTMConfig
from rejoinder.models.lstm.rung import LSTM
from rejoinder.models.lstm.train import CellTraining, Reading
from rejoinder.models.mixture import MixtureConfig, MixtureWeights, fit_weights
from rejoinder.text.counting import count_ngrams
from rejoinder.text.streams import Stream
from rejoinder.text.tensors import TokenArrays
from rejoinder.text.tokenizer import WordTokenizer

CACHE = 600  # tokens, chosen on valid
MIXED = (0.1, 0.2, 0.4)  # weights of the cache in the mixture, chosen on valid


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
    for first, last in pairwise(arrays.offsets.tolist()):
        state = model.start_after(history, answers=False)
        for token in arrays.tokens[first + 1 : last].tolist():
            nats -= model.log_prob(state, token)
            count += 1
            state = model.advance(state, token)
        history = state.history
    return exp(nats / count)


def apart_from_kenlm(model: KneserNey, test: TokenArrays) -> float:
    """The largest difference, in log10, of any test sentence from what `kenlm` says of the same model in an ARPA file."""
    import kenlm

    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "ptb.arpa"
        with file.open("w", encoding="utf-8") as target:
            write_arpa(model, target)
        other = kenlm.Model(str(file))
    names = names_of(model.tokenizer)
    worst = 0.0
    for first, last in pairwise(test.offsets.tolist()):
        state, ours = model.start(()), 0.0
        for token in test.tokens[first + 1 : last].tolist():
            ours += model.log_prob(state, token)
            state = model.advance(state, token)
        theirs = other.score(" ".join(names[token] for token in test.tokens[first + 1 : last - 1].tolist()))
        worst = max(worst, abs(theirs - ours / log(10)))
    return worst


def vocabulary() -> WordTokenizer:
    """The words of the train part."""
    return WordTokenizer(sorted({word for words in read("train") for word in words}))


def stream(part: str, tokenizer: WordTokenizer) -> Stream:
    """A part as one passage: words and `</s>`, from sentence to sentence."""
    row = tokens(read(part), tokenizer).tokens
    row = row[row != tokenizer.post]
    return Stream(row, np.ones(len(row), dtype=bool), np.array([0, len(row)]))


def lstm_settings(file: str) -> LSTMConfig:
    """The settings in a TOML file."""
    return resolve(LSTMConfig, read_settings(Path(file) if file else None, [], ["lstm"]).get("lstm", {}), "lstm")


def train_lstm(config: LSTMConfig, tokenizer: WordTokenizer, home: Path) -> tuple[LSTM, float]:
    """The model in the home, trained if there is none yet; and the seconds its training took, over all sessions."""
    directory = home / "lstm"
    if (directory / MANIFEST).is_file():
        if LSTM.load(directory).config != config:
            raise SystemExit(f"{directory} holds a model of other settings; give another --home")
        return LSTM.load(directory), float(read_manifest(directory)["seconds"])
    bytes_of = np.ones(tokenizer.vocabulary, np.int64)  # so that "bits per byte" are bits per word
    reading = Reading(stream("train", tokenizer), stream("valid", tokenizer), bytes_of, (tokenizer.post, tokenizer.reply))
    run = CellTraining(reading, config, 0, Job(home, _print_progress(), checkpoints=home / "checkpoints"))
    LSTM.from_weights(config, tokenizer, run.finish()[0]).save(directory)
    seal(directory, {"rung": "lstm", "seconds": run.seconds, "dev": run.best[0] if run.best else None})
    return LSTM.load(directory), run.seconds


def lstm_perplexity(model: LSTM, row: Stream) -> float:
    """exp(mean nats per token), from the first sentence to the last without a pause."""
    state = model.advance(model.start(()), model.tokenizer.end)
    return exp(-float(model.score_tokens(state, row.tokens.tolist()).mean(dtype=np.float64)))


def counted(model: KneserNey, arrays: TokenArrays) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(N,) nats of each word and `</s>`; (N,) how long a context was met before it."""
    nats: list[float] = []
    seen: list[int] = []
    history = b""
    for first, last in pairwise(arrays.offsets.tolist()):
        state = model.start_after(history, answers=False)
        for token in arrays.tokens[first + 1 : last].tolist():
            nats.append(model.log_prob(state, token))
            seen.append(model.seen(state))
            state = model.advance(state, token)
        history = state.history
    return np.array(nats), np.array(seen)


def mixture_perplexity(counts: KneserNey, cell: LSTM, tokenizer: WordTokenizer) -> dict[str, float]:
    """exp(mean nats per token) of the mixture on valid, where its weights are fitted, and on test."""
    figures: dict[str, float] = {}
    weights: MixtureWeights | None = None
    for part in ("valid", "test"):
        by_counts, lengths = counted(counts, tokens(read(part), tokenizer))
        row, state = stream(part, tokenizer).tokens.tolist(), cell.advance(cell.start(()), tokenizer.end)
        by_cell, recalled, certainty = cell.score_recall(state, row)
        voices = np.stack([by_counts, by_cell, np.where(certainty > -np.inf, recalled, by_cell)], axis=1)
        if weights is None:
            weights = fit_weights(voices, lengths, certainty, MixtureConfig())
        mixed = (weights.at(lengths, certainty) * np.exp(voices)).sum(axis=1)
        figures[part] = exp(-float(np.log(mixed).mean()))
    return figures


def _print_progress() -> Progress:
    """A line on stderr every half minute."""
    last = [0.0]

    def progress(what: str, done: int, of: int | None) -> None:
        if perf_counter() - last[0] > 30:
            last[0] = perf_counter()
            print(f"{done:,} of {of or 0:,}  {what}", file=sys.stderr, flush=True)

    return progress


def main() -> None:
    options = {
        "rung": (str, "kneser_ney", "which"),
        "config": (str, "", "settings of the LSTM, TOML"),
        "home": (str, ".bench/ptb", "where the LSTM and its checkpoints lie"),
        "order": (int, 5, "n"),
        "cache": (int, 0, "its tokens"),
        "runs": (int, 3, "fits"),
    }
    args = arguments(__doc__ or "", **options, kenlm=(int, 0, "1 to compare every test sentence with the kenlm package"))
    tokenizer = vocabulary()
    if args.rung == "kneser_ney":
        measure_counts(args, tokenizer)
    elif args.rung in ("lstm", "mixture"):
        measure_cell(args, tokenizer)
    else:
        raise SystemExit(f"the rung {args.rung} is not measured here; kneser_ney, lstm and mixture are")


def measure_cell(args: Namespace, tokenizer: WordTokenizer) -> None:
    """The LSTM, trained if it is not yet, and the mixture."""
    model, seconds = train_lstm(lstm_settings(args.config), tokenizer, Path(args.home))
    report("training, lstm", [seconds / 60], "min", as_json=args.json)
    for part in ("valid", "test"):
        report(f"{part} perplexity, lstm", [lstm_perplexity(model, stream(part, tokenizer))], "PTB words", as_json=args.json)
    if args.rung == "mixture":
        ngrams = count_ngrams(tokens(read("train"), tokenizer), args.order, tokenizer.vocabulary)
        counts = KneserNey.from_counts(
            KneserNeyConfig(order=args.order, cache=args.cache or CACHE, cache_weights=MIXED), tokenizer, ngrams
        )
        for part, figure in mixture_perplexity(counts, model, tokenizer).items():
            report(f"{part} perplexity, mixture", [figure], "PTB words", as_json=args.json)


def measure_counts(args: Namespace, tokenizer: WordTokenizer) -> None:
    """Kneser-Ney, with its fit and its size."""
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
    if args.kenlm:
        report(
            "largest difference from kenlm",
            [apart_from_kenlm(model, tokens(read("test"), tokenizer))],
            "log10",
            as_json=args.json,
        )
    sizes = sum(array.nbytes for level in model.index for array in vars(level).values())
    grams = sum(len(level.token) for level in model.index)
    report(f"index of {grams:,} n-grams", [sizes / grams], "bytes each", as_json=args.json)


if __name__ == "__main__":
    main()
