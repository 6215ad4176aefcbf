"""What a route of the railway is. A route that does not say who may, and by which rule, cannot be written down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from shike.errors import UnguardedRoute
from shike.rail.web.ask import Ask
from shike.rail.web.bounds import BODY_BYTES_MAX
from shike.server.ask import Nothing
from shike.server.roles import Role
from shike.server.routes import VERBS

ROOT: Final = "/rail"
API: Final = f"{ROOT}/v1"
TRAIN: Final = "trains/{train}/{day}/{run}"


class Rule(StrEnum):
    """Who may, and who sees to it."""

    FILE = "file"  # a file of the pages: the same for everybody, without a limit
    OPEN = "open"  # anybody, where the railway is open to the public; else whoever has a session or a key
    SESSION = "session"  # a passenger with a session
    OWN = "own"  # the passenger whose order or payment it is, checked before the handler
    SIGNED = "signed"  # whoever signs what they send: the handler checks
    STEP = "step"  # the doorstep of staff, where they show their access key: the handler checks
    ROLE = "role"  # staff: an access key of at least that role


class Logged(StrEnum):
    """What the log of deeds tells. What passengers do stands in the journal of the ledgers, and in the orders."""

    NO = "no"
    EACH = "each"  # an entry each, before the answer
    KEPT = "kept"  # in the journal and the orders


Handler = Callable[[Ask[Any, Any]], Awaitable[Any]]


class Route(Struct, frozen=True, kw_only=True):
    """One thing that can be asked for. `role` goes with `Rule.ROLE`, and with nothing else."""

    verb: str
    path: str
    rule: Rule
    handler: Handler
    words: str
    role: Role | None = None
    body: Any = None
    query: Any = Nothing
    answer: Any = None
    status: int = 200
    logged: Logged = Logged.NO
    body_bytes_max: int = BODY_BYTES_MAX
    is_page: bool = False  # for people: problems are pages too
    example: Any = None

    @property
    def name(self) -> str:
        return f"{self.verb} {self.path}"


def checked(routes: Iterable[Route]) -> tuple[Route, ...]:
    """The same routes; raises `UnguardedRoute` for what must not be served as it stands."""
    found, seen = tuple(routes), set[str]()
    for route in found:
        wrong = "stands in the table twice" if route.name in seen else _wrong(route)
        if wrong:
            raise UnguardedRoute(f"{route.name} {wrong}; the railway is not served")
        seen.add(route.name)
    return found


def _wrong(route: Route) -> str:
    if route.verb not in VERBS or not route.path.startswith(ROOT):
        return "has a verb or a path that is none"
    if (route.role is not None) != (route.rule is Rule.ROLE):
        return "has no role, or one too many"
    if route.verb != "GET" and route.logged is Logged.NO:
        return "changes something and is not logged"
    if route.verb != "GET" and route.rule in (Rule.FILE, Rule.OPEN) and route.body is not None:
        return "is open to all and takes something"
    if route.rule is Rule.OWN and not (
        {"order", "payment"} & set(route.path.replace("{", " ").replace("}", " ").split())
    ):
        return "is for an owner, and names no order"
    return "" if route.words else "does not say what it does"
