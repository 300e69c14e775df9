"""Chat answers of a model that was taught to answer: several are made, as made replies are, and the best are given, each whole.

The first that comes repeats itself or breaks off too often (docs/ladder/pretrained.md). Token by token, as any model, it answers
who has begun the answer, wants to know how probable its tokens are, or leaves no room for a whole one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rejoinder.engine.generation import GenerateConfig, ReplyGenerator
from rejoinder.models.interfaces import Cases, LanguageModel
from rejoinder.post import Post, Suggestion
from rejoinder.serve.http.excerpts import nearest_posts
from rejoinder.serve.openai.batching import Served
from rejoinder.serve.openai.bodies import ChatBody

NOTHING_FIT = "Nothing that was made is fit to be shown."
_SAMPLES = 8
_USUAL = GenerateConfig()


def is_chosen(model: LanguageModel, draft: str, body: ChatBody) -> bool:
    """Whether the answer to `body`, which begins with `draft`, is chosen among several."""
    room = body.most is None or body.most < 1 or body.most >= _USUAL.sampling.longest
    return model.reads_cases and room and not draft and not body.logprobs


def answers(name: str, served: Served, context: Sequence[Post], cases: Cases, body: ChatBody) -> list[Suggestion]:
    """At most `body.n` answers to the last post of `context`, best first; sampled as usual unless `body` says how."""
    given = body.model_fields_set
    sampling = replace(
        _USUAL.sampling,
        temperature=body.temperature if "temperature" in given else _USUAL.sampling.temperature,
        nucleus=max(body.top_p, 1e-9) if "top_p" in given else _USUAL.sampling.nucleus,
    )
    config = replace(_USUAL, samples=max(_SAMPLES, body.n), sampling=sampling)
    generator = ReplyGenerator(name, served.model, served.phrases, config, seed=body.seed and body.seed % 2**64)
    return generator.propose(nearest_posts(context), body.n, cases)
