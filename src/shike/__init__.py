"""Shike: the right work, at the right moment, on the right worker.

The public names, and nothing else. They load on first use, so that `import shike` stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from shike.app import Shike as Shike

_HOME = {
    "Shike": "shike.app",
}

__all__ = ["Shike", "__version__"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'shike' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
