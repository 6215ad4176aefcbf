"""Which kinds of limit there are: every module of `shike.limit.kinds` is one, under its own name."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any

from msgspec.structs import fields

from shike.errors import BadLimit
from shike.limit import kinds
from shike.limit.kind import Limit


@cache
def names() -> tuple[str, ...]:
    """All kinds."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(kinds.__path__)))


def kind_of(word: str) -> type[Limit]:
    """The class of a kind; raises `BadLimit`, which names near ones."""
    if word not in names():
        near = get_close_matches(str(word), names(), n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise BadLimit(f"there is no limit {word!r}{meant} There are: {', '.join(names())}", limit=str(word))
    found: type[Limit] = import_module(f"{kinds.__name__}.{word}").kind
    assert issubclass(found, Limit)
    return found


def make(word: str, numbers: Mapping[str, Any]) -> Limit:
    """A checked limit of a kind; raises `BadLimit`."""
    cls = kind_of(word)
    known = [one.name for one in fields(cls)]
    if unknown := sorted(set(numbers) - set(known)):
        raise BadLimit(f"{word} has no {', '.join(unknown)}; it has: {', '.join(known)}", limit=word)
    given = {
        name: tuple(value) if name == "by" and isinstance(value, list) else value for name, value in numbers.items()
    }
    try:
        return cls(**given)
    except TypeError as error:
        raise BadLimit(f"{word}: {error}", limit=word) from None


def minds_ends(name: str) -> bool:
    """Whether a limit of this name has to know of each end (`Limit.minds_ends`)."""
    word = name.partition(":")[0].partition("#")[0]
    return word in names() and kind_of(word).minds_ends
