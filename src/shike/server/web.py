"""A Litestar application of the route table: an ASGI application, to be served or to be mounted in another one.

fastapi_app.mount("/shike", shike.server.web.application(app))
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from litestar import Litestar, Router
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response
from litestar.types import ASGIApp, Receive, Scope, Send

from shike.client import Client
from shike.errors import UnguardedRoute
from shike.server.console.page import CONSOLE
from shike.server.door import FACES, Door
from shike.server.openapi import PATH
from shike.server.opening import Opening
from shike.server.problems import MEDIA_TYPE, encode, headers_of, plain, unexpected
from shike.server.routes import Face, Route, checked
from shike.server.table import SERVED
from shike.server.wire import Wire

if TYPE_CHECKING:
    from shike.app import Shike

GUARDED = "shike_routes"  # what a handler of ours carries: the routes of the table that it stands for


def application(app: Shike, *, table: Sequence[Route] = SERVED, beside: Sequence[Router] = ()) -> Litestar:
    """The server of an app: knows its tasks, and checks arguments against them. `beside`: routers with a table of their
    own, such as the railway's."""
    return build(Opening(app.client, app), table, beside)


def of_client(client: Client, *, table: Sequence[Route] = SERVED) -> Litestar:
    """A server of a store alone: of tasks it knows the names that are sent."""
    return build(Opening(client), table)


def build(opening: Opening, table: Sequence[Route] = SERVED, beside: Sequence[Router] = ()) -> Litestar:
    """The application; raises `UnguardedRoute` rather than serving anything that the table does not guard."""
    door = Door(opening)
    by_path: dict[str, dict[str, Route]] = defaultdict(dict)
    for route in checked(table):
        by_path[route.path][route.verb] = route
    found = Litestar(
        route_handlers=[*(_handler(door, path, verbs) for path, verbs in by_path.items()), *beside],
        exception_handlers={HTTPException: not_ours, Exception: not_ours},
        openapi_config=None,
        logging_config=None,
        on_shutdown=[opening.close],
    )
    refuse_unguarded(found)
    return found


def refuse_unguarded(application: Litestar) -> None:
    """Raises `UnguardedRoute` where somebody gave the application a route past the table."""
    for route in application.routes:
        for handler in getattr(route, "route_handlers", None) or [getattr(route, "route_handler", None)]:
            if not getattr(handler, "opt", {}).get(GUARDED) and not _is_litestars_own(handler):
                raise UnguardedRoute(f"{route.path} is not in the route table; the server does not start")


def _is_litestars_own(handler: Any) -> bool:
    """The OPTIONS of a path: it tells the verbs, and nothing else."""
    return set(getattr(handler, "http_methods", ())) == {"OPTIONS"}


def _handler(door: Door, path: str, verbs: dict[str, Route]) -> HTTPRouteHandler:
    """Litestar finds the path; all that follows is the door's."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await door.answer(Wire(scope, receive, send), verbs)  # type: ignore[arg-type]

    async def serve() -> ASGIApp:
        return answer

    methods: list[Any] = [*verbs, *(["HEAD"] if "GET" in verbs else [])]
    typed = PATH.sub(r"{\1:str}", path)
    return HTTPRouteHandler(typed, http_method=methods, status_code=200, opt={GUARDED: tuple(verbs)})(serve)


def not_ours(request: Any, error: Exception) -> Response[bytes]:
    """What Litestar refuses by itself: a path that is not there."""
    status = getattr(error, "status_code", 500)
    problem = plain(status, "there is nothing at this path", "no-such-path") if status == 404 else unexpected()
    if 400 <= status < 500 and status != 404:
        problem = plain(status, "this request cannot be understood", "bad-request")
    if f"{CONSOLE}/" in str(request.scope.get("path", "")):
        wire = Wire(request.scope | {"path_params": {}}, request.receive, request.send)
        reply = FACES[Face.CONSOLE].refusal(wire, problem)
        return Response(
            content=reply.raw or b"", status_code=reply.status, media_type=reply.media_type, headers=reply.headers
        )
    headers = headers_of(problem) | {k: v for k, v in (getattr(error, "headers", None) or {}).items() if k == "allow"}
    return Response(content=encode(problem), status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)
