"""From a request to its answer: who asks, may they, how often, what do they send; then the handler; then the log.

In this order, so that nobody who may not ask costs more than a hash: authenticate, authorise, meter, and only then read
a body, of which no more is kept than the route allows. Whatever goes wrong is a problem with a status; nothing of an
unforeseen error's words leaves the process.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from shike.errors import (
    BadField,
    BadSignature,
    Forbidden,
    NotAuthenticated,
    NotFound,
    ShikeError,
    StoreLost,
    StoreMoved,
)
from shike.server import reading
from shike.server.ask import Ask, Nothing, Reply
from shike.server.bounds import REFUSALS_BURST, REFUSALS_PER_SECOND, REQUESTS_PER_SECOND
from shike.server.desk import Desk
from shike.server.opening import Opening
from shike.server.problems import MEDIA_TYPE, Problem, encode, headers_of, plain, problem_of, unexpected
from shike.server.roles import Access, Role, may
from shike.server.routes import Logged, Route, Rule
from shike.server.wire import Gone, Wire
from shike.server.workers import is_of

log = logging.getLogger("shike.server")

NOBODY: Final = Access(id="", name="", role=Role.VIEWER)
BEARER: Final = "bearer "
PARAMETERS_MAX: Final = 64
QUERY_CHARS_MAX: Final = 8_000
HIDDEN_FROM_HANDLERS: Final = frozenset({"authorization", "cookie"})
READ_BY_HANDLERS: Final[tuple[str, ...]] = ("if-match", "if-none-match", "idempotency-key")
NOTHING: Final = Nothing()


class Door:
    """What all requests come through. `opening` opens the store with the first one."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening

    async def answer(self, wire: Wire, verbs: Mapping[str, Route]) -> None:
        """One request to one path; `verbs` are the routes of that path."""
        try:
            await self._answer(wire, verbs)
        except Gone:
            pass  # nobody listens any more
        except ShikeError as error:
            await self._refuse(wire, problem_of(error))
            if isinstance(error, StoreMoved | StoreLost):
                self._opening.gone(error)
        except Exception:
            log.exception("%s %s failed", wire.verb, wire.path)
            await self._refuse(wire, unexpected())

    async def _answer(self, wire: Wire, verbs: Mapping[str, Route]) -> None:
        route = verbs.get("GET" if wire.verb == "HEAD" else wire.verb)
        if route is None:
            allowed = ", ".join(sorted(verbs))
            await self._refuse(wire, plain(405, f"there is {allowed} here", "wrong-verb"), {"allow": allowed})
            return
        if route.storeless:
            await self._send(wire, route, _reply(await route.handler(Ask(None, NOBODY, {}, NOTHING, None, {}, ""))))  # type: ignore[arg-type]
            return
        desk = await self._opening.desk()
        who = await _who(desk, wire, route)
        ask = await _ask(desk, wire, route, who)
        if route.lasting:
            reply = await wire.unless_gone(self._opening.here(self._handled(ask, wire, route)))
        else:
            reply = await self._opening.here(self._handled(ask, wire, route))
        await self._send(wire, route, reply)

    async def _handled(self, ask: Ask[Any, Any], wire: Wire, route: Route) -> Reply:
        """The handler's answer, logged."""
        try:
            reply = _reply(await route.handler(ask), route)
        except (NotAuthenticated, BadSignature):  # what was signed by nobody: as a key that is none
            _refused(ask.desk, wire)
            raise
        except ShikeError as error:
            if route.logged is Logged.EACH:
                await self._note(ask, wire, problem_of(error).status)
            raise
        if route.logged is Logged.EACH:
            await self._note(ask, wire, reply.status)
        elif route.logged is Logged.SUMMED and ask.desk.log.count(ask.who, route.name):
            await ask.desk.log.write_sums()
        return reply

    async def _note(self, ask: Ask[Any, Any], wire: Wire, status: int) -> None:
        await ask.desk.log.note(ask.who, ask.address, f"{wire.verb} {wire.path}"[:500], status, ask.before, ask.after)

    async def _send(self, wire: Wire, route: Route, reply: Reply) -> None:
        headers = {"cache-control": "no-store", **reply.headers}
        if reply.stream is not None:
            await wire.stream(reply.status, reply.media_type, headers, reply.stream)
            return
        raw = reply.raw if reply.raw is not None else encode(reply.value)
        await wire.send(reply.status, reply.media_type, headers, raw)

    async def _refuse(self, wire: Wire, problem: Problem, more: Mapping[str, str] | None = None) -> None:
        await wire.send(problem.status, MEDIA_TYPE, {**headers_of(problem), **(more or {})}, encode(problem))


def _reply(answer: Any, route: Route | None = None) -> Reply:
    return answer if isinstance(answer, Reply) else Reply(value=answer, status=route.status if route else 200)


async def _who(desk: Desk, wire: Wire, route: Route) -> Access:
    """Whoever asks, if they may. Raises `NotAuthenticated`, `Forbidden`, `RateLimited`."""
    if route.role is None:
        return NOBODY
    who = await _known(desk, wire)
    if not may(who.role, route.role, route.also):
        desk.log.count(who, f"refused: {route.name}")
        raise Forbidden(f"this needs the role {route.role}; the key {who.name!r} is a {who.role}'s", needed=route.role)
    rate = who.per_second or REQUESTS_PER_SECOND
    desk.meters.take(who.id, rate, max(rate, 1.0))
    if route.rule is Rule.WHOLE:
        who.whole()
    if route.rule is Rule.SESSION and not is_of(wire.params["session"], who):
        raise NotFound("there is no such session of this key")
    return who


async def _known(desk: Desk, wire: Wire) -> Access:
    """The access key that was sent. Who sends many wrong ones is told to wait; others at the same address are not."""
    header = wire.headers.get("authorization", "")
    try:
        if header[: len(BEARER)].lower() != BEARER:
            return await desk.keys.who("")
        return await desk.keys.who(header[len(BEARER) :].strip())
    except NotAuthenticated:
        _refused(desk, wire)
        raise


def _refused(desk: Desk, wire: Wire) -> None:
    """Somebody showed nothing that lets in. Raises `RateLimited` for who does that often."""
    desk.meters.take(f"address/{wire.address}", REFUSALS_PER_SECOND, REFUSALS_BURST)
    desk.log.count(NOBODY, "refused: no valid key")


async def _ask(desk: Desk, wire: Wire, route: Route, who: Access) -> Ask[Any, Any]:
    query = (
        NOTHING if not wire.query and route.query is Nothing else reading.query(_parameters(wire.query), route.query)
    )
    body: Any = None
    if route.body is bytes:
        body = await wire.body(route.body_bytes_max)
        signed = {name: value for name, value in wire.headers.items() if name not in HIDDEN_FROM_HANDLERS}
        return Ask(desk, who, wire.params, query, body, signed, wire.address)
    if route.body is not None:
        raw = await wire.body(route.body_bytes_max)
        body = reading.body(raw or (b"{}" if _takes_nothing(route.body) else b""), route.body)
    headers: dict[str, str] = {name: wire.headers[name] for name in READ_BY_HANDLERS if name in wire.headers}
    return Ask(desk, who, wire.params, query, body, headers, wire.address)


def _parameters(raw: bytes) -> dict[str, list[str]]:
    text = raw.decode("latin-1")
    if len(text) > QUERY_CHARS_MAX:
        raise BadField(f"the query has more than {QUERY_CHARS_MAX:,} characters")
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=PARAMETERS_MAX, errors="strict")
    except ValueError as error:
        raise BadField(f"the query cannot be read: {error}") from None


def _takes_nothing(kind: Any) -> bool:
    """Whether an empty body will do: all that could be sent has a default."""
    return not any(field.required for field in msgspec.structs.fields(kind))
