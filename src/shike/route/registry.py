"""Which strategies there are: every module of `shike.route.strategies` is one, under its own name."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from importlib import import_module

from shike.errors import UnknownRoute
from shike.route import strategies
from shike.route.strategy import Strategy
from shike.route.tags import ANY


@cache
def names() -> tuple[str, ...]:
    """All routes, `any` first."""
    return (ANY, *sorted(module.name for module in pkgutil.iter_modules(strategies.__path__)))


def check(name: str) -> str:
    """The name of a route; raises `UnknownRoute`, which names near ones."""
    if name not in names():
        near = get_close_matches(str(name), names(), n=1)
        meant = f"did you mean {near[0]}? There are" if near else "there are"
        raise UnknownRoute(f"there is no route {name!r:.60}; {meant}: {', '.join(names())}", name=str(name))
    return name


def make(name: str, draw: Callable[[], float]) -> Strategy:
    """A strategy at its beginning; raises `UnknownRoute`. `draw` gives numbers in [0, 1)."""
    check(name)
    if name == ANY:
        raise UnknownRoute("any is no route: its runs stand in the shared lane", name=name)
    made = import_module(f"{strategies.__name__}.{name}").strategy(draw)
    assert isinstance(made, Strategy)
    return made
