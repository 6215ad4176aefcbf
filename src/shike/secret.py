"""Secrets are shown to nobody: a type that hides what it holds, and names whose values are hidden (P10)."""

from __future__ import annotations

import os
import re
from typing import Any, Final

from shike.errors import BadSetting

HIDDEN: Final = "‹secret›"
LOOK_DEPTH_MAX: Final = 64  # of values that were refused where they came in, if they were deeper
_NAMES: Final = re.compile(
    r"(?:^|[_\-.])(?:pass(?:word|wd|phrase)?|pwd|secret|token|authorization|cookie|credentials?|"
    r"(?:api|access|private|secret|signing|auth)[_\-]?key)s?$",
    re.IGNORECASE,
)
_HUMPS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Secret:
    """A text that no log, error, record or page shows; `reveal` gives it to the one call that needs it.

    It cannot be an argument of a run: arguments are stored. Hand the run a *name*, and let its handler look it up:
    `Secret.named("PAYMENT_KEY").reveal()`.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def named(cls, name: str) -> Secret:
        """The environment variable of that name; raises `BadSetting` where there is none."""
        text = os.environ.get(name, "")
        if not text:
            raise BadSetting(f"the secret {name} is not there; set the environment variable of that name")
        return cls(text)

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, _: str) -> str:
        return HIDDEN

    def __reduce__(self) -> Any:
        raise TypeError("a secret is not written down")


def is_secret_name(name: str) -> bool:
    """Whether a value under this name is hidden: `password`, `apiKey`, `client_secret`, `Authorization` …"""
    return _NAMES.search(_HUMPS.sub("_", name)) is not None


def redacted(value: Any, depth: int = LOOK_DEPTH_MAX) -> Any:
    """The same JSON value, with what stands under secret names hidden."""
    if isinstance(value, Secret) or depth < 0:
        return HIDDEN
    if isinstance(value, dict):
        return {
            key: HIDDEN
            if isinstance(key, str) and is_secret_name(key) and one is not None
            else redacted(one, depth - 1)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [redacted(one, depth - 1) for one in value]
    return value
