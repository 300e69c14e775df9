"""rejoinder: learns from threaded discussion, finishes your sentence, proposes replies, and measures what each model is worth.

What a Python program needs is here, and is loaded when it is first used: importing rejoinder costs next to nothing.

Explained in docs/python.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rejoinder.engine.completion import Continuation
    from rejoinder.errors import RejoinderError
    from rejoinder.home.fitting import FitConfig
    from rejoinder.home.library import Home, complete, reply
    from rejoinder.post import Kind, Pair, Post, Query, Suggestion, Thread

__version__ = "0.1.0"
__all__ = [
    "Continuation",
    "FitConfig",
    "Home",
    "Kind",
    "Pair",
    "Post",
    "Query",
    "RejoinderError",
    "Suggestion",
    "Thread",
    "__version__",
    "complete",
    "reply",
]
_PLACES = {
    "engine.completion": ("Continuation",),
    "errors": ("RejoinderError",),
    "home.fitting": ("FitConfig",),
    "home.library": ("Home", "complete", "reply"),
    "post": ("Kind", "Pair", "Post", "Query", "Suggestion", "Thread"),
}


def __getattr__(name: str) -> object:
    """One of those names, loaded now."""
    for place, names in _PLACES.items():
        if name in names:
            return getattr(import_module(f"rejoinder.{place}"), name)
    raise AttributeError(f"module 'rejoinder' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
