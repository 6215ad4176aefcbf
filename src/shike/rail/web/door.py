"""From a request to the railway to its answer: who asks, may they, how often, what do they send; then the handler.

In this order, so that nobody who may not ask costs more than a hash. Browsers send cookies by themselves, so a deed
with a cookie is taken only from our own pages: their cookies are same-site, bodies are JSON, and what the browser says
of where a request comes from is believed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from shike.errors import BadField, Forbidden, NotAuthenticated, NotFound, ShikeError, StoreLost, StoreMoved
from shike.rail.web.ask import Ask, Visitor, cookie
from shike.rail.web.bounds import (
    ADDRESS_BURST,
    ADDRESS_PER_SECOND,
    SESSION_BURST,
    SESSION_PER_SECOND,
    SESSIONS_BURST,
    SESSIONS_PER_SECOND,
)
from shike.rail.web.buying import COOKIE
from shike.rail.web.house import House
from shike.rail.web.problems import told
from shike.rail.web.routes import API, Logged, Route, Rule
from shike.rail.web.sessions import is_of
from shike.server import reading
from shike.server.ask import Nothing, Reply
from shike.server.bounds import REFUSALS_BURST, REFUSALS_PER_SECOND, REQUESTS_PER_SECOND
from shike.server.desk import Desk
from shike.server.problems import MEDIA_TYPE, Problem, encode, headers_of, plain, unexpected
from shike.server.roles import Access, Role, may
from shike.server.wire import Gone, Wire

log = logging.getLogger("shike.rail")

STAFF_COOKIE: Final = "shike_staff"
BEARER: Final = "bearer "
KEY_PREFIX: Final = "shike_"
PARAMETERS_MAX: Final = 32
QUERY_CHARS_MAX: Final = 2_000
READ_BY_HANDLERS: Final = ("if-none-match", "idempotency-key", "cookie", "accept-language")
PLEASE: Final = "begin a session first (POST /rail/v1/session), or send its token: `Authorization: Bearer pass_…`"

ErrorPage = Callable[[House, Mapping[str, str], Problem], Reply]


class Door:
    """What all requests to the railway come through."""

    def __init__(self, house: House, error_page: ErrorPage) -> None:
        self._house = house
        self._error_page = error_page

    async def answer(self, wire: Wire, verbs: Mapping[str, Route]) -> None:
        """One request to one path; `verbs` are the routes of that path."""
        route = verbs.get("GET" if wire.verb == "HEAD" else wire.verb)
        try:
            if route is None:
                allowed = ", ".join(sorted(verbs))
                await self._refuse(wire, plain(405, f"there is {allowed} here", "wrong-verb"), {"allow": allowed})
            else:
                await self._answer(wire, route)
        except Gone:
            pass  # nobody listens any more
        except ShikeError as error:
            problem, headers = told(error, self._house.clock.wall())
            await self._refuse(wire, problem, headers, route)
            if isinstance(error, StoreMoved | StoreLost):
                self._house.opening.gone(error)
        except Exception:
            log.exception("%s %s failed", wire.verb, wire.path)
            await self._refuse(wire, unexpected(), {}, route)

    async def _answer(self, wire: Wire, route: Route) -> None:
        house = self._house
        if route.rule is Rule.FILE:
            ask = Ask(house, Visitor(), wire.params, Nothing(), None, _headers(wire))
            await self._send(wire, await route.handler(ask))
            return
        desk = await house.opening.desk()
        who = await self._who(desk, wire, route)
        query = reading.query(_parameters(wire.query), route.query)
        body = None
        if route.body is not None:
            raw = await wire.body(route.body_bytes_max)
            body = reading.body(raw or b"{}", route.body)
        ask = Ask(house, who, wire.params, query, body, _headers(wire))
        if route.logged is not Logged.EACH:
            await self._send(wire, await self._handled(ask, route))
            return
        try:
            reply = await self._handled(ask, route)
        except ShikeError as error:
            await self._note(desk, ask, wire, told(error, house.clock.wall())[0].status)
            raise
        await self._note(desk, ask, wire, reply.status)
        await self._send(wire, reply)

    async def _handled(self, ask: Ask[Any, Any], route: Route) -> Reply:
        answer = await route.handler(ask)
        return answer if isinstance(answer, Reply) else Reply(value=answer, status=route.status)

    async def _note(self, desk: Desk, ask: Ask[Any, Any], wire: Wire, status: int) -> None:
        await desk.log.note(ask.who.access, wire.address, f"{wire.verb} {wire.path}"[:500], status, None, ask.after)

    async def _who(self, desk: Desk, wire: Wire, route: Route) -> Visitor:
        """Whoever asks, if they may. Raises `NotAuthenticated`, `Forbidden`, `RateLimited`, `NotFound`."""
        if route.rule in (Rule.SIGNED, Rule.STEP):
            desk.meters.take(f"rail/address/{wire.address}", ADDRESS_PER_SECOND, ADDRESS_BURST)
            return Visitor()
        token, by_cookie = _token(wire, route)
        if by_cookie and wire.verb not in ("GET", "HEAD"):
            _from_our_pages(wire)
        session = self._house.sessions.who(token)
        access = await self._access(desk, wire, token) if token.startswith(KEY_PREFIX) else None
        self._meter(desk, wire, route, session, access)
        match route.rule:
            case Rule.OPEN:
                self._let_in(desk, wire, session, access)
            case Rule.SESSION if not session:
                raise NotAuthenticated(PLEASE)
            case Rule.OWN:
                if not session:
                    raise NotAuthenticated(PLEASE)
                if not is_of(wire.params.get("order") or wire.params.get("payment", ""), session):
                    raise NotFound("this session has no such order")
            case Rule.ROLE:
                self._check_role(desk, route, access)
        return Visitor(session, access)

    async def _access(self, desk: Desk, wire: Wire, token: str) -> Access | None:
        try:
            return await desk.keys.who(token)
        except NotAuthenticated:
            desk.meters.take(f"address/{wire.address}", REFUSALS_PER_SECOND, REFUSALS_BURST)
            return None

    def _let_in(self, desk: Desk, wire: Wire, session: str, access: Access | None) -> None:
        """Closed by default (P10): strangers come in where the railway was made public by name."""
        if self._house.is_public or session or access is not None:
            return
        desk.meters.take(f"address/{wire.address}", REFUSALS_PER_SECOND, REFUSALS_BURST)
        raise NotAuthenticated("this railway is not open to the public: send an access key")

    @staticmethod
    def _check_role(desk: Desk, route: Route, access: Access | None) -> None:
        if access is None:
            raise NotAuthenticated(
                "this is for staff: send `Authorization: Bearer shike_…`; `shike keys create` makes one"
            )
        if not may(access.role, route.role or Role.ADMIN, ()):
            desk.log.count(access, f"refused: {route.name}")
            words = f"this needs the role {route.role}; the key {access.name!r} is a {access.role}'s"
            raise Forbidden(words, needed=str(route.role))
        access.whole()

    @staticmethod
    def _meter(desk: Desk, wire: Wire, route: Route, session: str, access: Access | None) -> None:
        if access is not None:
            rate = access.per_second or REQUESTS_PER_SECOND
            desk.meters.take(access.id, rate, max(rate, 1.0))
            return
        desk.meters.take(f"rail/address/{wire.address}", ADDRESS_PER_SECOND, ADDRESS_BURST)
        if route.path == f"{API}/session" and not session:
            desk.meters.take(f"rail/new/{wire.address}", SESSIONS_PER_SECOND, SESSIONS_BURST)
        if session and route.verb != "GET":
            desk.meters.take(f"rail/session/{session}", SESSION_PER_SECOND, SESSION_BURST)

    async def _send(self, wire: Wire, reply: Reply) -> None:
        headers = {"cache-control": "no-store", **reply.headers}
        if "set-cookie" in headers and _is_secure(wire):
            headers["set-cookie"] += "; Secure"
        raw = reply.raw if reply.raw is not None else encode(reply.value)
        await wire.send(reply.status, reply.media_type, headers, raw)

    async def _refuse(
        self, wire: Wire, problem: Problem, headers: Mapping[str, str], route: Route | None = None
    ) -> None:
        if route is not None and route.is_page:
            await self._send(wire, self._error_page(self._house, _headers(wire), problem))
            return
        await wire.send(problem.status, MEDIA_TYPE, {**headers_of(problem), **headers}, encode(problem))


def _is_secure(wire: Wire) -> bool:
    """Whether the browser speaks https: to us, or as a proxy in front of us says. Believed of anybody, for all that
    comes of it is that their own cookies never travel in the clear."""
    return wire.is_secure or wire.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower() == "https"


def _headers(wire: Wire) -> dict[str, str]:
    return {name: wire.headers[name] for name in READ_BY_HANDLERS if name in wire.headers}


def _token(wire: Wire, route: Route) -> tuple[str, bool]:
    """What says who asks, and whether a browser sent it by itself: a passenger's cookie counts for passengers' routes,
    that of staff for the others and where a railway is not public."""
    header = wire.headers.get("authorization", "")
    if header[: len(BEARER)].lower() == BEARER:
        return header[len(BEARER) :].strip(), False
    cookies = wire.headers.get("cookie", "")
    passenger, staff = cookie(cookies, COOKIE), cookie(cookies, STAFF_COOKIE)
    first, second = (staff, passenger) if route.rule is Rule.ROLE else (passenger, staff)
    return first or second, bool(first or second)


def _from_our_pages(wire: Wire) -> None:
    """Raises `Forbidden` for a deed that another site's page asks for."""
    site, origin = wire.headers.get("sec-fetch-site", "same-origin"), wire.headers.get("origin", "")
    if site not in ("same-origin", "none") or (origin and urlsplit(origin).netloc != wire.headers.get("host", "")):
        raise Forbidden("this was asked by another site's page: use the railway's own")


def _parameters(raw: bytes) -> dict[str, list[str]]:
    text = raw.decode("latin-1")
    if len(text) > QUERY_CHARS_MAX:
        raise BadField(f"the query has more than {QUERY_CHARS_MAX:,} characters")
    try:
        return parse_qs(text, keep_blank_values=False, max_num_fields=PARAMETERS_MAX, errors="strict")
    except ValueError as error:
        raise BadField(f"the query cannot be read: {error}") from None
