"""The card of models that are given away, for programs and for people: what they read, what they say, how they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log
from pathlib import Path
from typing import Any

import numpy as np

from rejoinder.files import write_atomically, write_json
from rejoinder.home.workspace import CARD
from rejoinder.ladder.text_evaluation import post_nats
from rejoinder.models.interfaces import LanguageModel
from rejoinder.post import Thread

CARD_PAGE, POSTS = "MODEL_CARD.md", "posts.npy"
_SCORED = 500  # posts that a figure is taken on


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
        f"**Recipe.** Seed {card['seed']}, tokenizer of {card['tokenizer']['size']:,} pieces at most; settings in `{CARD}`."
        + "".join(f" {_trained(name, made)}" for name, made in card["rungs"].items() if "trained" in made),
        "",
        "**Left out, for the sake of those who wrote it:**",
        "",
        *(f"- {what}" for what in card["left_out"]),
        "",
        f"`{POSTS}` holds {data['hashes']:,} hashes of posts seen, 2 bytes each, to tell them from others; no words.",
        "",
        *(_audited(card["audit"]) if card.get("audit") else []),
        "**Limits.** They repeat the views and errors of what they read, know only the kinds of writing and the language of it, "
        "and what they say need not be true. Cleaning goes by patterns: names within sentences stay. For one's own drafts, "
        "not for posting.",
        "",
        f"**Licence.** {card['licence'] or 'Not stated'}.",
        "",
    ]
    write_atomically(directory / CARD_PAGE, "\n".join(lines).encode())


def _trained(name: str, made: Mapping[str, Any]) -> str:
    """What is known of a run that trained it elsewhere."""
    run, config = made["trained"], made["config"]
    read = run["best"] * config["batch"] * config["steps"]
    return f"`{name}` was trained in a run of its own: {run['best']:,} steps, {read:,} tokens read, those read again included."


def _audited(audit: Mapping[str, Any]) -> list[str]:
    """What became of canaries in a copy of a run that ended sooner, measured as in `rejoinder.publish.audit`."""
    return [
        f"**Audit** ({audit['measured']}). A copy of the run of `{audit['rung']}` was ended over {audit['steps']:,} steps, not "
        f"{audit['instead_of']:,}, with canaries among what it read there, where they are remembered best. The whole run reads "
        f"a post of Hacker News {audit['readings']} times.",
        "",
        f"| canary read, times | mean exposure, of {audit['most_exposure_bits']} bits | given away |",
        "| --- | --- | --- |",
        *(f"| {p['repeats']} | {p['mean_exposure_bits']:.2f} | {p['given_away']} of {p['canaries']} |" for p in audit["planted"]),
        "",
    ]


def _figure(made: Mapping[str, Any], part: str) -> str:
    value = made["bits_per_byte"].get(part)
    return f"{value:.3f}" if value is not None else "not measured"
