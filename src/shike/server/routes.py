"""What a route is: the one noun of the route table. A route that says no role, or no rule, cannot be written down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from shike.errors import UnguardedRoute
from shike.server.ask import Ask, Nothing
from shike.server.bounds import BODY_BYTES_MAX
from shike.server.roles import MACHINES, Role

API: Final = "/api/v1"
READS: Final = frozenset({"GET"})
VERBS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


class Rule(StrEnum):
    """What has to hold besides the role, and who sees to it."""

    OPEN = "open"  # nobody is asked who they are: says alive or not, and nothing else
    ROLE = "role"  # the role is enough: the same for everybody
    QUEUE = "queue"  # a key of some queues gets only what lies in them: the handler asks `Access`
    WHOLE = "whole"  # about everything: refused to a key of some queues, before the handler
    PROOF = "proof"  # nobody is known yet: what is sent proves who it is, and the handler checks that
    SESSION = "session"  # of the key that opened the worker session in the path, checked before the handler
    SIGNED = "signed"  # what is sent is signed with a secret of its own: the handler checks before it does anything


class Face(StrEnum):
    """Who talks at the other end, and so how it says who it is, and what it can read."""

    API = "api"  # a program: an access key in a header, JSON
    CONSOLE = "console"  # a person's browser: the cookie of a sign-in, forms, pages


class Logged(StrEnum):
    """What the log of deeds tells."""

    NO = "no"  # it changes nothing
    EACH = "each"  # an entry each, before the answer
    SUMMED = "summed"  # thousands a second: counted, by key


Handler = Callable[[Ask[Any, Any]], Awaitable[Any]]


class Route(Struct, frozen=True, kw_only=True):
    """One thing that can be asked for. `role` None goes with `Rule.OPEN`, `PROOF` and `SIGNED`, and no other."""

    verb: str
    path: str
    role: Role | None
    rule: Rule
    handler: Handler
    words: str  # what it does, for the OpenAPI
    also: tuple[Role, ...] = ()  # machines that may, too
    body: Any = None  # the type of what is sent; None: nothing is; `bytes`: as it came, for a signature to be checked
    query: Any = Nothing
    answer: Any = None  # the type of what is answered
    status: int = 200
    logged: Logged = Logged.NO
    body_bytes_max: int = BODY_BYTES_MAX
    example: Any = None  # of a body
    media_type: str = "application/json"
    lasting: bool = False  # it waits: given up as soon as nobody listens any more
    storeless: bool = False  # it needs no store
    face: Face = Face.API

    @property
    def name(self) -> str:
        """For the log and for errors."""
        return f"{self.verb} {self.path}"


def checked(routes: Iterable[Route]) -> tuple[Route, ...]:
    """The same routes; raises `UnguardedRoute` for what must not be served as it stands."""
    found = tuple(routes)
    seen: set[str] = set()
    for route in found:
        wrong = _wrong(route)
        if route.name in seen:
            wrong = "stands in the table twice"
        if wrong:
            raise UnguardedRoute(f"{route.name} {wrong}; the server does not start")
        seen.add(route.name)
    return found


def _wrong(route: Route) -> str:
    if route.verb not in VERBS:
        return "has a verb that is none"
    if (route.role is None) != (route.rule in (Rule.OPEN, Rule.PROOF, Rule.SIGNED)):
        return "has no role"
    if (route.rule is Rule.SIGNED) != (route.body is bytes):
        return "takes what is signed as something else"
    if route.rule is Rule.OPEN and (route.verb not in READS or route.body is not None):
        return "is open to all and takes something"
    if route.rule is Rule.PROOF and route.body is None:
        return "asks for a proof and takes none"
    if any(role not in MACHINES for role in route.also):
        return "lets in as a machine who is none"
    if route.verb not in READS and route.logged is Logged.NO:
        return "changes something and is not logged"
    return "" if route.words else "does not say what it does"
