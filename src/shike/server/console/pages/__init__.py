"""A file per page. They are found by being here: there is no list of them to keep."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from shike.server.console.page import Page
from shike.server.routes import Route


@cache
def found() -> tuple[tuple[Page, ...], tuple[Route, ...]]:
    """All pages of the menu, and all their routes."""
    modules = [import_module(f"{__name__}.{one.name}") for one in iter_modules(__path__)]
    pages = [module.PAGE for module in modules if getattr(module, "PAGE", None) is not None]
    return tuple(sorted(pages, key=lambda page: page.place)), tuple(route for one in modules for route in one.ROUTES)
