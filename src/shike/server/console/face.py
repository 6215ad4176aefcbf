"""How browsers say who they are (a cookie), what they send (forms), and how they are refused (pages, or a way in).

A form is taken from a page of our own only: its `Origin` has to be the host that was asked. Together with a cookie that
is `SameSite`, no other site can do anything in a person's name.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, urlsplit

from shike.errors import Forbidden, NotAuthenticated
from shike.server import reading
from shike.server.ask import Ask, Reply
from shike.server.console.page import CONSOLE
from shike.server.console.visit import SIGN_IN_COOKIE, Visit, cookies_of, visit_of
from shike.server.desk import Desk
from shike.server.face import count_refusal, parameters
from shike.server.problems import MEDIA_TYPE, Problem, encode, headers_of
from shike.server.roles import Access
from shike.server.routes import Route
from shike.server.wire import FORM_TYPES, Wire

SAFE_VERBS: Final = frozenset({"GET", "HEAD"})


class ConsoleFace:
    """A person's browser."""

    async def known(self, desk: Desk, wire: Wire, route: Route) -> Access:
        """Who signed in. A browser whose sign-in is over is no attack: only cookies that were made up are counted."""
        _refuse_other_sites(wire)
        cookie = cookies_of(wire.headers.get("cookie", "")).get(SIGN_IN_COOKIE, "")
        try:
            return await desk.sign_ins.who(cookie)
        except NotAuthenticated:
            if cookie:
                count_refusal(desk, wire.address)
            raise

    async def body(self, wire: Wire, route: Route) -> Any:
        """A form, as a value of the route's type: each field is read from its text."""
        _refuse_other_sites(wire)
        raw = await wire.body(route.body_bytes_max, FORM_TYPES)
        return reading.query(parameters(raw, route.body_bytes_max), route.body)

    def dress(self, ask: Ask[Any, Any], wire: Wire) -> None:
        """How they like it."""
        ask.visit = _visit(wire)

    def refusal(self, wire: Wire, problem: Problem) -> Reply:
        """To the entrance, where it is not known who asks; else a page, or for a part of one the problem itself."""
        from shike.server.console.render import problem_page

        visit = _visit(wire)
        if problem.status == 401 and wire.verb in SAFE_VERBS:
            back = "" if visit.is_part else f"?next={quote(visit.address, safe='')}"
            entrance = f"{visit.root}{CONSOLE}/sign-in{back}"
            headers = {"hx-redirect": entrance} if visit.is_part else {"location": entrance}
            return Reply(status=401 if visit.is_part else 303, raw=b"", headers=headers)
        if visit.is_part or wire.verb not in SAFE_VERBS:
            return Reply(status=problem.status, raw=encode(problem), media_type=MEDIA_TYPE, headers=headers_of(problem))
        return problem_page(visit, problem)


def _visit(wire: Wire) -> Visit:
    query = wire.query.decode("latin-1")
    address = f"{wire.path}?{query}" if query else wire.path
    return visit_of(wire.headers, root=wire.root, address=address, is_secure=wire.is_secure)


def _refuse_other_sites(wire: Wire) -> None:
    """Raises `Forbidden` for a form that no page of ours sent. Schemes are not compared: a proxy may have ended TLS."""
    if wire.verb in SAFE_VERBS:
        return
    origin, host = wire.headers.get("origin", ""), wire.headers.get("host", "")
    if not host or not origin or urlsplit(origin).netloc.lower() != host.lower():
        raise Forbidden("forms are taken from this console's own pages only (Origin)", needed="Origin")
