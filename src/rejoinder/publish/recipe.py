"""The recipe of models that are given away: what they learn from is cleaned first, and a card says what they are.

    DIRECTORY/RUNG/0001/       a fitted rung, as in a home folder
    DIRECTORY/posts.npy        hashes of the posts seen, so that figures can be taken on others
    DIRECTORY/card.json        data, settings, figures, time; MODEL_CARD.md says the same for people
    DIRECTORY.work/            token arrays and checkpoints while it is being made, with our mark

A rung that is there already, of the same data and settings, is not made again, so a run that was broken off goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import log
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, cast

import numpy as np

from rejoinder import __version__
from rejoinder.config import At, Checked, PositiveInt, Settings, as_dict, resolve
from rejoinder.corpus import ByThread, Corpus, Part
from rejoinder.engine.calibration import GateConfig
from rejoinder.errors import ConfigError
from rejoinder.files import tree_size, write_atomically, write_json
from rejoinder.home.fitting import gate_of
from rejoinder.home.holders import sweep
from rejoinder.home.workspace import CARD, Workspace
from rejoinder.ladder.text_evaluation import post_nats
from rejoinder.models import LADDER, Can, parts_of, rung, those_that
from rejoinder.models.directory import identity, seal
from rejoinder.models.interfaces import Job, LanguageModel, Progress, Suggester, silent
from rejoinder.models.kneser_ney import KneserNey
from rejoinder.post import Post, Thread, unquoted
from rejoinder.publish.arrays import learn_tokenizer, write_arrays
from rejoinder.publish.copies import guard
from rejoinder.publish.counting import fit_counts
from rejoinder.publish.reading import FilesCorpus
from rejoinder.publish.workplace import check_place, workplace
from rejoinder.text.cleaning import stripped
from rejoinder.text.crude import crude_hashes
from rejoinder.text.fingerprints import Fingerprints
from rejoinder.text.lexicon import Lexicon
from rejoinder.text.phrases import Phrases
from rejoinder.text.tensors import TOKENIZER_FILE, open_tokens, train_tokenizer, write_tokens
from rejoinder.text.tokenizer import DEFAULT_SIZE, SMALLEST_SIZE, Tokenizer
from rejoinder.text.writers import by_writer

CARD_PAGE, POSTS = "MODEL_CARD.md", "posts.npy"
TOKENIZER = "tokenizer"  # its table beside those of the rungs
GATES = GateConfig(keystrokes=12_000, one_in=5, likely=2_000, seconds=900.0)  # what is shown to everybody stands on more
GUARD = 6_000_000  # bytes of the copy guard of models that have read several files
_SCORED = 500  # posts that a figure is taken on
_LEFT_OUT = (
    "lines with an e-mail address or a telephone number, attribution lines, trailers, list footers, signatures, quotes",
    "authors, in every form",
)


@dataclass(frozen=True)
class TokenizerConfig(Checked, of="tokenizer"):
    """Settings of the tokenizer of a recipe."""

    size: Annotated[int, At(least=SMALLEST_SIZE)] = DEFAULT_SIZE  # pieces
    posts: PositiveInt = 2  # pieces that stand in fewer posts, those of one writer counted once, are left out


@dataclass(frozen=True)
class Recipe:
    """What to make: a tokenizer and rungs that predict, in the order of the ladder."""

    tokenizer: TokenizerConfig
    rungs: Mapping[str, Any]  # name -> settings
    phrases: bool = True  # also keep which runs of words one author alone wrote, as hashes

    @classmethod
    def from_settings(cls, settings: Settings) -> Recipe:
        """The recipe of these tables: `tokenizer`, and one for each rung.

        Raises:
            ConfigError: a setting is wrong; a rung does not predict, or is made of one that is not in the recipe; there is none.
        """
        names = sorted((name for name in settings if name != TOKENIZER), key=list(LADDER).index)
        configs: dict[str, Any] = {name: resolve(rung(name).load().Config, settings[name], name) for name in names}
        able = those_that(Can.PREDICT)
        if not configs or not set(configs) <= set(able):
            raise ConfigError(f"a recipe needs a table for one or more of {', '.join(able)}; got {', '.join(configs) or 'none'}")
        for name, config in configs.items():
            for part in parts_of(name, config):
                if part not in configs:
                    raise ConfigError(f"the recipe's `{name}` is made of `{part}`, which has no table; add [{part}]")
        return cls(resolve(TokenizerConfig, settings.get(TOKENIZER, {}), TOKENIZER), configs)


@dataclass(frozen=True)
class About:
    """What a card says beyond what can be counted."""

    data: str = ""  # the name of the data
    sha256: str = ""  # of its file
    licence: str = ""
    test: Sequence[Thread] = ()  # threads never learned from, to take figures on


class CleanCorpus(ByThread):
    """A corpus without quotes, mail furniture and addresses; posts of which nothing is left keep their place, empty."""

    def __init__(self, corpus: Corpus, tokens: Path) -> None:
        """Wrap `corpus`, with token arrays of its own in the directory `tokens`."""
        self._corpus = corpus
        self.tokens = tokens
        self._known: dict[int, tuple[str, str] | None] = {}  # what is left of each post seen: text and title, None for all

    def threads(self, part: Part) -> Iterator[Thread]:
        """The threads of a part, by key."""
        return (Thread(thread.key, tuple(map(self._clean, thread.posts))) for thread in self._corpus.threads(part))

    def read_posts(self) -> Iterator[Post]:
        """The posts that models are made from, as they were: train and dev."""
        parts: tuple[Part, ...] = ("train", "dev")
        return (post for part in parts for post in self._corpus.posts(part))

    def keep_tokens_in(self, directory: Path) -> None:
        """Have the token arrays in another directory."""
        self.tokens = directory

    def _clean(self, post: Post) -> Post:
        """The post cleaned, which takes longer than reading it, so that it is done once."""
        if post.id not in self._known:
            cleaned = _clean(post)
            self._known[post.id] = None if cleaned == post else (cleaned.text, cleaned.title)
        left = self._known[post.id]
        return post if left is None else post._replace(text=left[0], title=left[1])

    def fingerprint(self) -> str:
        """A hash of the train part's posts as they are learned from, and their links."""
        digest = hashlib.blake2b(digest_size=16)
        for post in self.posts("train"):
            digest.update(f"{post.thread} {post.id} {post.parent} {len(post.body)}\0{post.body}\0".encode())
        return digest.hexdigest()


def clean(thread: Thread) -> Thread:
    """The thread with its posts' own words, cleaned."""
    return Thread(thread.key, tuple(map(_clean, thread.posts)))


def _clean(post: Post) -> Post:
    return post._replace(text=stripped(unquoted(post.text)), title=stripped(post.title))


def make(
    recipe: Recipe,
    corpus: Corpus,
    directory: Path,
    rng: np.random.Generator,
    about: About | None = None,
    progress: Progress = silent,
) -> None:
    """Fit the recipe's rungs on the cleaned `corpus` and write them, hashes and card into `directory`.

    Args:
        recipe: what to make.
        corpus: what to learn from; `clean` is applied here, unless it is a `FilesCorpus`, which is clean.
        directory: may hold what an earlier run made.
        rng: of the same seed when a run is to go on.
        about: for the card.
        progress: told what is being done.
    """
    about, directory = about or About(), directory.resolve()
    check_place(directory, {POSTS, CARD, CARD_PAGE, "canaries.json"})
    with workplace(directory) as work:
        cleaned = corpus if isinstance(corpus, FilesCorpus) else CleanCorpus(corpus, work / "tokens")
        progress("reading", 0, None)
        facts = {"data": cleaned.fingerprint(), "tokenizer": as_dict(recipe.tokenizer), "seed": _seed(rng)}
        cleaned.keep_tokens_in(work / f"tokens-{_digest(facts)}")
        _write_tokens(recipe, cleaned, progress)
        kitchen = _Kitchen(cleaned, Workspace(work, models=directory), work, about, progress)
        for name, own_rng in zip(recipe.rungs, rng.spawn(len(recipe.rungs)), strict=True):
            kitchen.make(name, recipe, facts, own_rng)
        progress("hashing posts", 0, None)
        seen = Fingerprints.of(post.own_text for post in cleaned.read_posts())
        seen.save(directory / POSTS)
        write_card(directory, kitchen.card(recipe, facts, len(seen)))
        sweep(work)


def refit_gates(space: Workspace, corpus: Corpus, work: Path, progress: Progress = silent) -> None:
    """Fit the gates of models that are there anew, on the cleaned dev part of what they were made from; all else stays.

    The words that two wrote, by which the gates are fitted, are listed anew too, beside the phrases.
    """
    cleaned = CleanCorpus(corpus, work)
    progress("listing words", 0, None)
    lexicon, phrases = Lexicon.build(cleaned.posts("train")), None
    for name in LADDER:
        found = space.fitted(name)
        kept = Phrases.load(found.directory) if found is not None else None
        if found is not None and kept is not None:
            phrases = replace(kept, lexicon=lexicon)
            lexicon.save(found.directory)
    names = [name for name in LADDER if (found := space.fitted(name)) is not None and Can.PREDICT in LADDER[name].can]
    models = {name: space.load(name) for name in names}
    for name in names:
        progress(f"fitting the gate of {name}", 0, None)
        found = space.fitted(name)
        assert found is not None  # noqa: S101 - it was there just now
        gate_of(models[name], cleaned, found.manifest["seed"], phrases, config=GATES).save(found.directory)
        facts = {key: value for key, value in found.manifest.items() if key not in ("format", "files", "hashes")}
        if "parts" in facts:  # whose gates were fitted before
            made_of = {part: space.fitted(part) for part in facts["parts"]}
            facts["parts"] = {part: identity(there.directory) for part, there in made_of.items() if there is not None}
        seal(found.directory, facts)


@dataclass(frozen=True)
class _Kitchen:
    """Where one recipe is made."""

    corpus: CleanCorpus | FilesCorpus
    space: Workspace
    work: Path
    about: About
    progress: Progress

    def make(self, name: str, recipe: Recipe, facts: Mapping[str, Any], rng: np.random.Generator) -> None:
        """Fit, measure and keep one rung, unless it is there."""
        config = recipe.rungs[name]
        parts: dict[str, str] = {}
        for part in parts_of(name, config):
            found = self.space.fitted(part)
            assert found is not None  # noqa: S101 - parts stand before what is made of them
            parts[part] = identity(found.directory)
        wanted = {"rung": name, "config": as_dict(config), **facts, "code": __version__, **({"parts": parts} if parts else {})}
        there = self.space.fitted_or_none(name)
        if there is not None and {key: there.manifest.get(key) for key in wanted} == json.loads(json.dumps(wanted)):
            return
        self.progress(f"fitting {name}", 0, None)
        workdir = self.work / f"{name}-{_digest(wanted)}"
        workdir.mkdir(parents=True, exist_ok=True)
        job = Job(workdir, self.progress, {part: self.space.load(part) for part in parts}, checkpoints=workdir / "checkpoints")
        began = perf_counter()
        if isinstance(self.corpus, FilesCorpus) and name == "kneser_ney":
            model: Suggester = fit_counts(self.corpus, config, job)
        else:
            model = LADDER[name].load().fit(self.corpus, config, rng=rng, job=job)
        seconds = round(perf_counter() - began, 1)
        self.progress(f"measuring {name}", 0, None)
        figures = {"dev": bits_per_byte(cast(LanguageModel, model), list(self.corpus.threads("dev")))}
        if self.about.test:
            figures["test"] = bits_per_byte(cast(LanguageModel, model), [clean(thread) for thread in self.about.test])
        when = datetime.now(UTC).isoformat(timespec="seconds")
        known = {"revision": 0, "on": "train", "split": "hash", "fitted": when, "seconds": seconds, "bits_per_byte": figures}
        first = next(iter(recipe.rungs))
        if not recipe.phrases:
            phrases = None
        elif name == first:
            phrases = self._phrases(model)
        else:
            kept = self.space.fitted(first)
            phrases = Phrases.load(kept.directory) if kept is not None else None
        gate = gate_of(model, self.corpus, facts["seed"], phrases, config=GATES)
        beside = [phrases.save] if phrases is not None and name == first else []
        self.space.keep(model, wanted | known, gate.save, *beside)

    def _phrases(self, model: Suggester) -> Phrases:
        """Whose words these are, and which words may be offered: no crude ones."""
        if isinstance(self.corpus, FilesCorpus) and isinstance(model, KneserNey):
            found = guard(self.corpus.sources, model, GUARD, self.work, self.progress)
            found = replace(found, lexicon=Lexicon.build(self.corpus.posts("train")))
        else:
            found = Phrases.build(self.corpus.posts("train"))
        return replace(found, lexicon=found.lexicon and found.lexicon.without(crude_hashes()))

    def card(self, recipe: Recipe, facts: Mapping[str, Any], hashes: int) -> dict[str, Any]:
        """The facts of what was made."""
        arrays = open_tokens(self.corpus.tokens, "train")
        fitted = [found for name in recipe.rungs if (found := self.space.fitted(name)) is not None]
        return {
            "data": {
                "name": self.about.data,
                "sha256": self.about.sha256,
                "fingerprint": facts["data"],
                "posts": len(arrays.posts),
                "words": sum(len(post.own_text.split()) for post in self.corpus.posts("train")),
                "tokens": len(arrays.tokens),
                "hashes": hashes,
            },
            "tokenizer": facts["tokenizer"],
            "rungs": {found.rung: {**_shown(found.manifest), "bytes": tree_size(found.directory)} for found in fitted},
            "seed": facts["seed"],
            "seconds": round(sum(found.manifest["seconds"] for found in fitted), 1),
            "code": __version__,
            "left_out": [*_LEFT_OUT, *_rare(recipe)],
            "licence": self.about.licence,
        }


def bits_per_byte(model: LanguageModel, threads: Sequence[Thread]) -> float | None:
    """Nats / (ln 2 x UTF-8 bytes) of posts with what they answer before them, END included; None without posts.

    Taken on at most some hundreds of posts, the same ones each time.
    """
    posts = [(thread.answered(post), post) for thread in threads for post in thread.posts if post.own_text]
    chosen = np.sort(np.random.default_rng(0).permutation(len(posts))[:_SCORED])
    nats, size = 0.0, 0
    for context, post in (posts[place] for place in chosen):
        nats += post_nats(model, post, context)
        size += len(post.own_text.encode("utf-8", "replace"))
    return round(nats / log(2) / size, 4) if size else None


def write_card(directory: Path, card: Mapping[str, Any]) -> None:
    """Write a card, for programs and for people."""
    write_json(directory / CARD, card)
    data = card["data"]
    lines = [
        "# Model card",
        "",
        f"Language models for finishing sentences and drafting replies, made by rejoinder {card['code']} from one recipe.",
        "",
        "| rung | bits per byte, dev | test | fitted in | size |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {name} | {_figure(made, 'dev')} | {_figure(made, 'test')} | {made['seconds']:.0f} s | "
            f"{made['bytes'] / 1e6:.1f} MB |"
            for name, made in card["rungs"].items()
        ),
        "",
        f"Bits per byte are those of at most {_SCORED} posts, cleaned as below, with what they answer before them.",
        "",
        f"**Data.** {data['name'] or 'Not named'}: the train part, {data['posts']:,} posts, {data['words']:,} words, "
        f"{data['tokens']:,} tokens; the dev part stopped and weighed. SHA-256 `{data['sha256'] or 'unknown'}`.",
        "",
        f"**Recipe.** Seed {card['seed']}, tokenizer of {card['tokenizer']['size']:,} pieces at most; settings in `{CARD}`.",
        "",
        "**Left out, for the sake of those who wrote it:**",
        "",
        *(f"- {what}" for what in card["left_out"]),
        "",
        f"`{POSTS}` holds {data['hashes']:,} hashes of posts seen, 2 bytes each, to tell them from others; no words.",
        "",
        "**Limits.** They repeat the views and errors of what they read, know one kind of forum in one language, and what they "
        "say need not be true. Cleaning goes by patterns: names within sentences stay. For one's own drafts, not for posting.",
        "",
        f"**Licence.** {card['licence'] or 'Not stated'}.",
        "",
    ]
    write_atomically(directory / CARD_PAGE, "\n".join(lines).encode())


def _write_tokens(recipe: Recipe, corpus: CleanCorpus | FilesCorpus, progress: Progress) -> None:
    if (corpus.tokens / TOKENIZER_FILE).is_file():
        return
    if isinstance(corpus, FilesCorpus):
        learned = corpus.tokens.parent / f"{TOKENIZER}-{recipe.tokenizer.size}-{recipe.tokenizer.posts}.json"
        if not learned.is_file():
            progress("learning the tokenizer", 0, None)
            learn_tokenizer(corpus, recipe.tokenizer.size, recipe.tokenizer.posts).save(learned)
        write_arrays(corpus, Tokenizer.load(learned), progress)
        return
    progress("learning the tokenizer", 0, None)
    texts = by_writer(corpus.posts("train"))
    tokenizer = train_tokenizer(corpus, recipe.tokenizer.size).shared(texts, recipe.tokenizer.posts)
    progress("posts to tokens", 0, None)
    write_tokens(corpus, tokenizer, corpus.tokens)


def _rare(recipe: Recipe) -> list[str]:
    """What the settings leave out because too few posts hold it."""
    once = "(those of one author, or of the same words, count once)"
    fewest = recipe.tokenizer.posts
    found = [f"tokens that stand in fewer than {fewest} posts {once}"] if fewest > 1 else []
    counted = recipe.rungs.get("kneser_ney")
    if counted is not None and counted.posts > 1:
        found.append(f"n-grams of {counted.prune_from} tokens and more in fewer than {counted.posts} posts {once}; all counts")
    return found


def _shown(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {key: manifest[key] for key in ("config", "bits_per_byte", "seconds", "fitted")}


def _figure(made: Mapping[str, Any], part: str) -> str:
    value = made["bits_per_byte"].get(part)
    return f"{value:.3f}" if value is not None else "not measured"


def _seed(rng: np.random.Generator) -> Any:
    """What the generator was seeded with."""
    return cast(np.random.SeedSequence, rng.bit_generator.seed_seq).entropy


def _digest(facts: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=8).hexdigest()
