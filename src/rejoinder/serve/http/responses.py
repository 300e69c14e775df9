"""The JSON answer that every route gives."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi.responses import Response


class OrjsonResponse(Response):
    """An answer made of plain values and dataclasses; orjson writes it ten times as fast as the standard library."""

    media_type = "application/json"

    def __init__(self, value: Any) -> None:
        """`value`: what orjson can write."""
        super().__init__(orjson.dumps(value))
