"""Settings that declare their own ranges."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, get_type_hints

import pytest

from rejoinder.config import At, Checked, PositiveInt, Share, resolve
from rejoinder.errors import ConfigError
from rejoinder.models import LADDER


@dataclass(frozen=True)
class OvenConfig(Checked, of="oven"):
    loaves: PositiveInt = 2
    steam: Share = 0.5
    heat: Annotated[float, At(above=0, below=300)] = 230.0
    rest: Annotated[float | None, At(above=0)] = None
    turns: Annotated[tuple[int, ...], At(least=0)] = (1, 2)
    flour: Literal["rye", "wheat"] = "rye"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"loaves": 0}, "`oven.loaves` must be at least 1; got 0"),
        ({"steam": 1.5}, r"`oven.steam` must lie in \[0, 1\]; got 1.5"),
        ({"heat": 300}, r"`oven.heat` must lie in \(0, 300\); got 300"),
        ({"heat": float("nan")}, r"`oven.heat` must lie in \(0, 300\); got nan"),
        ({"rest": 0}, "`oven.rest` must be above 0, or be off; got 0"),
        ({"rest": float("inf")}, "`oven.rest` must be above 0, or be off; got inf"),
        ({"turns": [3, -1]}, r"`oven.turns` must be at least 0; got \(3, -1\)"),
        ({"flour": "sand"}, "`oven.flour` must be one of rye, wheat; got 'sand'"),
        ({"loaves": 1.5}, "`oven.loaves` must be int; got 1.5"),
        ({"loavs": 1}, "did you mean `loaves`"),
    ],
)
def test_a_setting_out_of_its_range_is_named_with_the_range_and_the_value(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        resolve(OvenConfig, given, "oven")


def test_the_ends_of_a_range_lists_and_none_are_taken() -> None:
    made = resolve(OvenConfig, {"loaves": 1, "steam": 1, "heat": 0.1, "rest": 8, "turns": [0], "flour": "wheat"}, "oven")
    assert made == OvenConfig(1, 1, 0.1, 8, (0,), "wheat") and OvenConfig().rest is None


@pytest.mark.parametrize("name", list(LADDER))
def test_whatever_number_a_rung_takes_has_a_range(name: str) -> None:
    config = LADDER[name].load().Config
    hints = get_type_hints(config, include_extras=True)
    numbers = {f.name for f in fields(config) if get_type_hints(config)[f.name] in (int, float, int | None, float | None)}
    assert all(hasattr(hints[name], "__metadata__") for name in numbers)
