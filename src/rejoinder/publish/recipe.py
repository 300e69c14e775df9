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
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, cast

import numpy as np

from rejoinder import __version__
from rejoinder.config import At, Checked, PositiveInt, Settings, as_dict, resolve
from rejoinder.corpus import ByThread, Corpus, Part
from rejoinder.engine.calibration import GateConfig
from rejoinder.errors import ConfigError
from rejoinder.files import tree_size
from rejoinder.home.fitting import gate_of
from rejoinder.home.holders import sweep
from rejoinder.home.workspace import CARD, Fitted, Workspace
from rejoinder.models import LADDER, Can, parts_of, rung, those_that
from rejoinder.models.directory import identity, seal
from rejoinder.models.interfaces import Job, LanguageModel, Progress, Suggester, silent
from rejoinder.post import Post, Thread, unquoted
from rejoinder.publish.arrays import learn_tokenizer, write_arrays
from rejoinder.publish.card import CARD_PAGE, POSTS, bits_per_byte, write_card
from rejoinder.publish.copies import GuardConfig, guard
from rejoinder.publish.counting import fit_counts
from rejoinder.publish.reading import FilesCorpus
from rejoinder.publish.trained import trained_elsewhere
from rejoinder.publish.workplace import check_place, workplace
from rejoinder.text.cleaning import stripped
from rejoinder.text.crude import crude_hashes
from rejoinder.text.fingerprints import Fingerprints
from rejoinder.text.lexicon import Lexicon
from rejoinder.text.phrases import Phrases
from rejoinder.text.tensors import TOKENIZER_FILE, open_tokenizer, open_tokens, train_tokenizer, write_tokens
from rejoinder.text.tokenizer import DEFAULT_SIZE, SMALLEST_SIZE, Tokenizer
from rejoinder.text.writers import by_writer

TOKENIZER = "tokenizer"  # its table beside those of the rungs
GATES = GateConfig(keystrokes=24_000, one_in=5, likely=6_000, seconds=900.0)  # of the last rung, which speaks to everybody
_OTHER_GATES = GateConfig(likely=600, seconds=180.0)  # of the others
GUARD = GuardConfig()  # of models that have read several files
KNOWN = 25_000  # of these: a word is one that stands in one of so many posts
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
    phrases: bool = True  # also keep which runs of words one author alone wrote, as hashes, beside the last rung
    cell: Path | None = None  # the checkpoint of a run that trained the cell elsewhere; None: it is trained here

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
    cleaned = corpus if isinstance(corpus, FilesCorpus) else CleanCorpus(corpus, work)
    names = [name for name in LADDER if (found := space.fitted(name)) is not None and Can.PREDICT in LADDER[name].can]
    models = {name: space.load(name) for name in names}
    progress("listing words", 0, None)
    lexicon, phrases = known_words(cleaned), None
    for name in LADDER:
        found = space.fitted(name)
        kept = Phrases.load(found.directory) if found is not None else None
        if found is not None and kept is not None:
            phrases = replace(kept, lexicon=lexicon)
            lexicon.save(found.directory)
            _seal_again(found, space)
    for name in names:
        progress(f"fitting the gate of {name}", 0, None)
        found = space.fitted(name)
        assert found is not None  # noqa: S101 - it was there just now
        config = GATES if name == names[-1] else _OTHER_GATES
        gate_of(models[name], cleaned, found.manifest["seed"], phrases, config=config).save(found.directory)
        _seal_again(found, space)


def _seal_again(found: Fitted, space: Workspace) -> None:
    """After a file beside a model was changed; what it is made of, which came before, may have been too."""
    facts = {key: value for key, value in found.manifest.items() if key not in ("format", "files", "hashes")}
    if "parts" in facts:
        made_of = {part: space.fitted(part) for part in facts["parts"]}
        facts["parts"] = {part: identity(there.directory) for part, there in made_of.items() if there is not None}
    seal(found.directory, facts)


def known_words(corpus: CleanCorpus | FilesCorpus) -> Lexicon:
    """The words that may be offered: those that two wrote, of several files those that are not too rare; no crude ones."""
    found = Lexicon.build(corpus.posts("train"), KNOWN if isinstance(corpus, FilesCorpus) else None)
    return found.without(crude_hashes())


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
        config, last = recipe.rungs[name], name == list(recipe.rungs)[-1]
        parts: dict[str, str] = {}
        for part in parts_of(name, config):
            found = self.space.fitted(part)
            assert found is not None  # noqa: S101 - parts stand before what is made of them
            parts[part] = identity(found.directory)
        trained = trained_elsewhere(recipe.cell) if recipe.cell is not None and name == "lstm" else None
        wanted = {"rung": name, "config": as_dict(config), **facts, "code": __version__, **({"parts": parts} if parts else {})}
        wanted |= {"trained": trained.facts} if trained is not None else {}
        there = self.space.fitted_or_none(name)
        if there is not None and {key: there.manifest.get(key) for key in wanted} == json.loads(json.dumps(wanted)):
            return
        self.progress(f"fitting {name}", 0, None)
        workdir = self.work / f"{name}-{_digest(wanted)}"
        workdir.mkdir(parents=True, exist_ok=True)
        job = Job(workdir, self.progress, {part: self.space.load(part) for part in parts}, checkpoints=workdir / "checkpoints")
        began = perf_counter()
        if trained is not None:
            model: Suggester = trained.cell(config, open_tokenizer(self.corpus.tokens))
        elif isinstance(self.corpus, FilesCorpus) and name == "kneser_ney":
            model = fit_counts(self.corpus, config, job)
        else:
            model = LADDER[name].load().fit(self.corpus, config, rng=rng, job=job)
        seconds = round(trained.facts["seconds"] if trained is not None else perf_counter() - began, 1)
        self.progress(f"measuring {name}", 0, None)
        figures = {"dev": bits_per_byte(cast(LanguageModel, model), list(self.corpus.threads("dev")))}
        if self.about.test:
            figures["test"] = bits_per_byte(cast(LanguageModel, model), [clean(thread) for thread in self.about.test])
        when = datetime.now(UTC).isoformat(timespec="seconds")
        known = {"revision": 0, "on": "train", "split": "hash", "fitted": when, "seconds": seconds, "bits_per_byte": figures}
        phrases = self._phrases(cast(LanguageModel, model), facts, last=last) if recipe.phrases else None
        self.progress(f"gate of {name}", 0, None)
        gate = gate_of(model, self.corpus, facts["seed"], phrases, config=GATES if last else _OTHER_GATES)
        self.space.keep(model, wanted | known, gate.save, *([phrases.save] if phrases is not None and last else []))

    def _phrases(self, voice: LanguageModel, facts: Mapping[str, Any], *, last: bool) -> Phrases:
        """Which words may be offered, no crude ones, and, for the `last` rung, whose words these are."""
        if not last:
            return replace(Phrases.unknown(), lexicon=self.lexicon)
        if isinstance(self.corpus, FilesCorpus):
            found = guard(self.corpus.sources, voice, GUARD, self.work / f"guard-{_digest(facts)}", self.progress)
        else:
            found = Phrases.of_corpus(self.corpus, self.work)
        return replace(found, lexicon=self.lexicon)

    @cached_property
    def lexicon(self) -> Lexicon:
        """The words that may be offered; listed once."""
        kept = self.corpus.tokens / f"words-{KNOWN}"
        found = Lexicon.load(kept)
        if found is None:
            self.progress("listing words", 0, None)
            found = known_words(self.corpus)
            kept.mkdir(exist_ok=True)
            found.save(kept)
        return found

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
    return {key: manifest[key] for key in ("config", "bits_per_byte", "seconds", "fitted", "trained") if key in manifest}


def _seed(rng: np.random.Generator) -> Any:
    """What the generator was seeded with."""
    return cast(np.random.SeedSequence, rng.bit_generator.seed_seq).entropy


def _digest(facts: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=8).hexdigest()
