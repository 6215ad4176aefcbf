"""What has happened to a ledger: results, never only the wish for them, so that a replay decides nothing.

An event is written as an array, its name first. Fields are only ever appended, each with a default
(`tests/unit/reserve/test_records.py` holds the golden bytes).
"""

from __future__ import annotations

from msgspec import Struct

from shike.reserve.model import NEVER, Line, Move, Pool, Rule, Sale, Unit, WaitPolicy, Want


class Event(Struct, frozen=True, tag=True, array_like=True):
    """`command` is the id of the one command it answers ("" where the ledger asked itself)."""

    at: int
    command: str


class Opened(Event, frozen=True):
    line: Line
    pools: tuple[Pool, ...]
    rules: tuple[Rule, ...]
    sales: tuple[Sale, ...]
    policy: WaitPolicy


class Held(Event, frozen=True, gc=False):
    """`units` are numbers in the pool, NOWHERE where the pool gives none (yet). `moves` came first, to make room."""

    order: int
    pool: str
    start: int
    end: int
    units: tuple[int, ...]
    people: tuple[str, ...]
    expires_at: int
    channel: str = ""
    price: int = 0
    pinned: bool = False
    moves: tuple[Move, ...] = ()


class Confirmed(Event, frozen=True, gc=False):
    order: int
    payment: str


class PaymentOrphaned(Event, frozen=True, gc=False):
    """A payment for an order that holds nothing (any more), or a second one: to be paid back."""

    order: int
    payment: str


class Extended(Event, frozen=True, gc=False):
    order: int
    expires_at: int


class Released(Event, frozen=True, gc=False):
    order: int
    note: str


class Expired(Event, frozen=True, gc=False):
    order: int


class Refunded(Event, frozen=True, gc=False):
    order: int
    indices: tuple[int, ...]
    amount: int
    note: str


class Changed(Event, frozen=True, gc=False):
    """`order` has ended, and `successor` has taken its place, with the same people."""

    order: int
    successor: int
    pool: str
    start: int
    end: int
    units: tuple[int, ...]
    channel: str
    price: int
    pinned: bool
    moves: tuple[Move, ...] = ()


class Pinned(Event, frozen=True, gc=False):
    order: int


class Blocked(Event, frozen=True):
    """`displaced` are the takes (order, index) that nothing else was left for."""

    pool: str
    units: tuple[int, ...]
    start: int
    end: int
    note: str
    moves: tuple[Move, ...]
    displaced: tuple[tuple[int, int], ...]


class Unblocked(Event, frozen=True):
    pool: str
    units: tuple[int, ...]
    start: int
    end: int


class UnitsAdded(Event, frozen=True):
    pool: str
    units: tuple[Unit, ...]
    capacity: int


class RuleSet(Event, frozen=True):
    rule: Rule


class RuleDropped(Event, frozen=True):
    name: str


class SaleSet(Event, frozen=True):
    sale: Sale


class PricesSet(Event, frozen=True):
    pool: str
    prices: tuple[int, ...]


class Sealed(Event, frozen=True):
    """`moves` give each take its unit where it had none, or another."""

    pool: str
    moves: tuple[Move, ...]


class Joined(Event, frozen=True):
    wait: int
    pool: str
    start: int
    end: int
    count: int
    people: tuple[str, ...]
    deadline: int
    want: Want | None
    channel: str
    price: int
    payment: str
    ttl_seconds: float


class Left(Event, frozen=True, gc=False):
    wait: int


class Lapsed(Event, frozen=True, gc=False):
    wait: int


class Served(Event, frozen=True):
    """The wait became an order: confirmed where it was paid for, else held until `expires_at`."""

    wait: int
    order: int
    units: tuple[int, ...]
    expires_at: int = NEVER
    pinned: bool = False
    moves: tuple[Move, ...] = ()


class Advanced(Event, frozen=True):
    position: int
    labels: tuple[str, ...]
    times: tuple[int, ...]
    forget: bool


class Cancelled(Event, frozen=True):
    note: str


AnyEvent = (
    Opened
    | Held
    | Confirmed
    | PaymentOrphaned
    | Extended
    | Released
    | Expired
    | Refunded
    | Changed
    | Pinned
    | Blocked
    | Unblocked
    | UnitsAdded
    | RuleSet
    | RuleDropped
    | SaleSet
    | PricesSet
    | Sealed
    | Joined
    | Left
    | Lapsed
    | Served
    | Advanced
    | Cancelled
)
