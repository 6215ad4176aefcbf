"""How those at the other end say who they are and what they send, and how they are refused: programs here.

People's browsers are `shike.server.console.face`. A path has one face; the door asks it, and does the rest alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

import msgspec

from shike.errors import BadField, NotAuthenticated
from shike.server import reading
from shike.server.ask import Ask, Reply
from shike.server.bounds import REFUSALS_BURST, REFUSALS_PER_SECOND
from shike.server.desk import Desk
from shike.server.problems import MEDIA_TYPE, Problem, encode, headers_of
from shike.server.roles import Access, Role
from shike.server.routes import Route
from shike.server.wire import Wire

NOBODY: Final = Access(id="", name="", role=Role.VIEWER)
BEARER: Final = "bearer "
PARAMETERS_MAX: Final = 64
QUERY_CHARS_MAX: Final = 8_000


class Face(Protocol):
    """What the door asks of whoever speaks for a kind of caller."""

    async def known(self, desk: Desk, wire: Wire, route: Route) -> Access:
        """Who asks. Raises `NotAuthenticated`, or another refusal of what was sent."""
        ...

    async def body(self, wire: Wire, route: Route) -> Any:
        """What is sent, of the route's type. Raises `BadField`, `BadJSON`, `BadBody`."""
        ...

    def dress(self, ask: Ask[Any, Any], wire: Wire) -> None:
        """Add to a request what only this kind of caller tells."""
        ...

    def refusal(self, wire: Wire, problem: Problem) -> Reply:
        """A problem as this kind of caller can read it."""
        ...


class ApiFace:
    """A program: an access key in a header, JSON both ways."""

    async def known(self, desk: Desk, wire: Wire, route: Route) -> Access:
        """The access key that was sent."""
        header = wire.headers.get("authorization", "")
        try:
            return await desk.keys.who(header[len(BEARER) :].strip() if header[: len(BEARER)].lower() == BEARER else "")
        except NotAuthenticated:
            count_refusal(desk, wire.address)
            raise

    async def body(self, wire: Wire, route: Route) -> Any:
        """JSON, decoded strictly; of what is signed its very bytes."""
        raw = await wire.body(route.body_bytes_max)
        if route.body is bytes:
            return raw
        return reading.body(raw or (b"{}" if _takes_nothing(route.body) else b""), route.body)

    def dress(self, ask: Ask[Any, Any], wire: Wire) -> None:
        """Nothing more."""

    def refusal(self, wire: Wire, problem: Problem) -> Reply:
        """problem+json."""
        return Reply(status=problem.status, raw=encode(problem), media_type=MEDIA_TYPE, headers=headers_of(problem))


def count_refusal(desk: Desk, address: str) -> None:
    """Who shows many wrong keys is told to wait; others at the same address are not. Raises `RateLimited`."""
    desk.meters.take(f"address/{address}", REFUSALS_PER_SECOND, REFUSALS_BURST)
    desk.log.count(NOBODY, "refused: no valid key")


def parameters(raw: bytes, chars_max: int = QUERY_CHARS_MAX) -> Mapping[str, list[str]]:
    """Names and values of a query or a form. Raises `BadField`."""
    text = raw.decode("latin-1")
    if len(text) > chars_max:
        raise BadField(f"the query has more than {chars_max:,} characters")
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=PARAMETERS_MAX, errors="strict")
    except ValueError as error:
        raise BadField(f"the query cannot be read: {error}") from None


def _takes_nothing(kind: Any) -> bool:
    """Whether an empty body will do: all that could be sent has a default."""
    return not any(field.required for field in msgspec.structs.fields(kind))
