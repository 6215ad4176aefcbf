"""The two that all others come from."""

from __future__ import annotations


class ShikeError(Exception):
    """The root: `except ShikeError` catches whatever Shike raises on purpose."""


class BadInput(ShikeError, ValueError):
    """Something a caller gave cannot be used. Nothing was stored."""
