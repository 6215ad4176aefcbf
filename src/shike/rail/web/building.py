"""From the route table to a Litestar router: to stand in the server of Shike, in another application, or alone.

shike.server.web.application(app, beside=[router(house)])
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from litestar import Litestar, Router
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from shike.rail.web.door import Door
from shike.rail.web.house import House
from shike.rail.web.openapi import NAMES
from shike.rail.web.pages import error_page
from shike.rail.web.routes import ROOT, Route, checked
from shike.rail.web.table import TABLE
from shike.server.web import GUARDED, not_ours, refuse_unguarded
from shike.server.wire import Wire


def router(house: House, table: Sequence[Route] = TABLE) -> Router:
    """Everything below `/rail`. Raises `UnguardedRoute` for a table that leaves a route unguarded."""
    door = Door(house, error_page)
    by_path: dict[str, dict[str, Route]] = defaultdict(dict)
    for route in checked(table):
        by_path[route.path.removeprefix(ROOT) or "/"][route.verb] = route
    return Router(path=ROOT, route_handlers=[_handler(door, path, verbs) for path, verbs in by_path.items()])


def application(house: House, table: Sequence[Route] = TABLE) -> Litestar:
    """The railway alone."""
    found = Litestar(
        route_handlers=[router(house, table)],
        exception_handlers={HTTPException: not_ours, Exception: not_ours},
        openapi_config=None,
        logging_config=None,
    )
    refuse_unguarded(found)
    return found


def _handler(door: Door, path: str, verbs: dict[str, Route]) -> HTTPRouteHandler:
    """Litestar finds the path; all that follows is the door's."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await door.answer(Wire(scope, receive, send), verbs)  # type: ignore[arg-type]

    async def serve() -> ASGIApp:
        return answer

    methods: list[Any] = [*verbs, *(["HEAD"] if "GET" in verbs else [])]
    typed = NAMES.sub(r"{\1:str}", path)
    return HTTPRouteHandler(typed, http_method=methods, status_code=200, opt={GUARDED: tuple(verbs)})(serve)
