"""How fast a run learns at each step, and when it ends."""

from __future__ import annotations

import math

from rejoinder.models.lstm.config import LSTMConfig


def rate_at(step: int, total: int, config: LSTMConfig) -> float:
    """The rate of a step, counted from 0: it rises over the warm-up; then it falls along a cosine, or at the end in a line."""
    warmup = min(config.warmup, total // 2)
    if step < warmup:
        return config.learning_rate * step / warmup
    if config.schedule == "cosine":
        return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min((step - warmup) / max(total - warmup, 1), 1)))
    left = (total - step) / config.ending if config.ending else 1.0
    return config.learning_rate * min(left, 1.0)
