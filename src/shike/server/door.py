"""From a request to its answer: who asks, may they, how often, what do they send; then the handler; then the log.

In this order, so that nobody who may not ask costs more than a hash: authenticate, authorise, meter, and only then read
a body, of which no more is kept than the route allows. Whatever goes wrong is a problem with a status; nothing of an
unforeseen error's words leaves the process. How callers say who they are, and how they are refused, is their `Face`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from shike.errors import BadSignature, Forbidden, NotAuthenticated, NotFound, ShikeError, StoreLost, StoreMoved
from shike.server import reading, routes
from shike.server.ask import Ask, Nothing, Reply
from shike.server.bounds import REQUESTS_PER_SECOND
from shike.server.console.face import ConsoleFace
from shike.server.desk import Desk
from shike.server.face import NOBODY, ApiFace, Face, count_refusal, parameters
from shike.server.opening import Opening
from shike.server.problems import Problem, encode, plain, problem_of, unexpected
from shike.server.roles import Access, may
from shike.server.routes import Logged, Route, Rule
from shike.server.wire import Gone, Wire
from shike.server.workers import is_of

log = logging.getLogger("shike.server")

FACES: Final[Mapping[routes.Face, Face]] = {routes.Face.API: ApiFace(), routes.Face.CONSOLE: ConsoleFace()}
HIDDEN_FROM_HANDLERS: Final = frozenset({"authorization", "cookie"})
READ_BY_HANDLERS: Final[tuple[str, ...]] = ("accept-encoding", "if-match", "if-none-match", "idempotency-key")
NOTHING: Final = Nothing()


class Door:
    """What all requests come through. `opening` opens the store with the first one."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening

    async def answer(self, wire: Wire, verbs: Mapping[str, Route]) -> None:
        """One request to one path; `verbs` are the routes of that path."""
        face = FACES[next(iter(verbs.values())).face]
        try:
            await self._answer(wire, verbs, face)
        except Gone:
            pass  # nobody listens any more
        except ShikeError as error:
            await self._refuse(wire, face, problem_of(error))
            if isinstance(error, StoreMoved | StoreLost):
                self._opening.gone(error)
        except Exception:
            log.exception("%s %s failed", wire.verb, wire.path)
            await self._refuse(wire, face, unexpected())

    async def _answer(self, wire: Wire, verbs: Mapping[str, Route], face: Face) -> None:
        route = verbs.get("GET" if wire.verb == "HEAD" else wire.verb)
        if route is None:
            allowed = ", ".join(sorted(verbs))
            await self._refuse(wire, face, plain(405, f"there is {allowed} here", "wrong-verb"), {"allow": allowed})
            return
        if route.storeless:
            ask: Ask[Any, Any] = Ask(None, NOBODY, wire.params, NOTHING, None, _headers(wire), "")  # type: ignore[arg-type]
            await self._send(wire, _reply(await route.handler(ask)))
            return
        desk = await self._opening.desk()
        who = await _who(desk, wire, route, face)
        ask = await _ask(desk, wire, route, who, face)
        if route.lasting:
            reply = await wire.unless_gone(self._opening.here(self._handled(ask, wire, route)))
        else:
            reply = await self._opening.here(self._handled(ask, wire, route))
        await self._send(wire, reply)

    async def _handled(self, ask: Ask[Any, Any], wire: Wire, route: Route) -> Reply:
        """The handler's answer, logged."""
        try:
            reply = _reply(await route.handler(ask), route)
        except (NotAuthenticated, BadSignature):  # what was signed by nobody: as a key that is none
            count_refusal(ask.desk, wire.address)
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

    async def _send(self, wire: Wire, reply: Reply) -> None:
        headers = {"cache-control": "no-store", **reply.headers}
        if reply.stream is not None:
            await wire.stream(reply.status, reply.media_type, headers, reply.stream)
            return
        raw = reply.raw if reply.raw is not None else encode(reply.value)
        await wire.send(reply.status, reply.media_type, headers, raw)

    async def _refuse(self, wire: Wire, face: Face, problem: Problem, more: Mapping[str, str] | None = None) -> None:
        reply = face.refusal(wire, problem)
        reply.headers |= more or {}
        await self._send(wire, reply)


def _reply(answer: Any, route: Route | None = None) -> Reply:
    return answer if isinstance(answer, Reply) else Reply(value=answer, status=route.status if route else 200)


async def _who(desk: Desk, wire: Wire, route: Route, face: Face) -> Access:
    """Whoever asks, if they may. Raises `NotAuthenticated`, `Forbidden`, `RateLimited`."""
    if route.role is None:
        return NOBODY
    who = await face.known(desk, wire, route)
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


async def _ask(desk: Desk, wire: Wire, route: Route, who: Access, face: Face) -> Ask[Any, Any]:
    query = NOTHING if not wire.query and route.query is Nothing else reading.query(parameters(wire.query), route.query)
    body = None if route.body is None else await face.body(wire, route)
    headers = _signed(wire) if route.body is bytes else _headers(wire)
    ask: Ask[Any, Any] = Ask(desk, who, wire.params, query, body, headers, wire.address)
    face.dress(ask, wire)
    return ask


def _headers(wire: Wire) -> dict[str, str]:
    return {name: wire.headers[name] for name in READ_BY_HANDLERS if name in wire.headers}


def _signed(wire: Wire) -> dict[str, str]:
    """Of what is signed all headers but those that let somebody in: the signature is one of them."""
    return {name: value for name, value in wire.headers.items() if name not in HIDDEN_FROM_HANDLERS}
