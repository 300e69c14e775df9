"""A cell that was trained elsewhere, in a run of its own on the tokens of the recipe: out of its checkpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rejoinder.errors import ConfigError, DamagedModel
from rejoinder.models.lstm.config import LSTMConfig
from rejoinder.models.lstm.rung import LSTM
from rejoinder.models.lstm.stack import AnyWeights, StackWeights, weights_from
from rejoinder.text.tokenizer import AnyTokenizer

_BEST = "best."  # of a checkpoint: the weights that were best on dev


@dataclass(frozen=True)
class Trained:
    """The best weights of a run so far, and what is known of it."""

    file: Path
    weights: AnyWeights
    facts: dict[str, Any]  # run, step, best (the step of these weights), dev (bits per byte), seconds

    def cell(self, config: LSTMConfig, tokenizer: AnyTokenizer) -> LSTM:
        """The rung, of these settings.

        Raises:
            ConfigError: it was trained with others, or on other tokens.
        """
        had, wanted = _sizes(self.weights), _wanted(config, tokenizer)
        for name, value in wanted.items():
            if had[name] != value:
                raise ConfigError(f"{self.file}: this cell was trained with {name} {had[name]}, and the recipe says {value}")
        return LSTM.from_weights(config, tokenizer, self.weights)


def trained_elsewhere(file: Path) -> Trained:
    """What a run's checkpoint holds.

    Raises:
        DamagedModel: it is no checkpoint, or its dev part was never measured.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as opened:
            metadata = opened.metadata() or {}
            names = [name for name in opened.keys() if name.startswith(_BEST)]  # noqa: SIM118 (no mapping)
            arrays = {name.removeprefix(_BEST): opened.get_tensor(name) for name in names}
        facts = json.loads(metadata["facts"])
        kept = {name: facts[name] for name in ("step", "best", "dev", "seconds")}
        return Trained(file, weights_from(arrays), {"run": metadata["run"], **kept})
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DamagedModel(f"{file}: no checkpoint of a cell that was measured on dev ({error})") from error


def _sizes(weights: AnyWeights) -> dict[str, Any]:
    stack = weights if isinstance(weights, StackWeights) else None
    return {
        "residual": stack is not None,
        "vocabulary": weights.embedding.shape[0],
        "embedding": weights.embedding.shape[1],
        "hidden": weights.hidden,
        "layers": len(weights.layers),
        "attention": stack.attention.query.shape[1] if stack and stack.attention else 0,
        "feedforward": stack.feedforward.widen.shape[1] if stack and stack.feedforward else 0,
    }


def _wanted(config: LSTMConfig, tokenizer: AnyTokenizer) -> dict[str, Any]:
    named = ("residual", "embedding", "hidden", "layers", "attention", "feedforward")
    return {"vocabulary": tokenizer.vocabulary, **{name: getattr(config, name) for name in named}}
