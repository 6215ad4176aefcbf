"""What the railway answers: the types that write it, and make the OpenAPI."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from msgspec import Struct, field


class Told(Struct, frozen=True, kw_only=True):
    """An answer."""


class Instead(Told, frozen=True, omit_defaults=True):
    """What could be had: so many, in that class, on that section; `changes`: with another seat from there on."""

    class_: str = field(name="class")
    origin: str = field(name="from")
    goal: str = field(name="to")
    count: int
    changes: tuple[str, ...] = ()


class StationFacts(Told, frozen=True):
    id: str
    name: str


class StationList(Told, frozen=True):
    stations: list[StationFacts]


class ClassFacts(Told, frozen=True):
    """`left` is exact, or with `plenty` the least that is left."""

    class_: str = field(name="class")
    left: int
    plenty: bool
    price_cents: int


class RideFacts(Told, frozen=True, omit_defaults=True):
    """One ride; without classes nothing of it is sold."""

    train: str
    name: str
    origin: str = field(name="from")
    goal: str = field(name="to")
    departs_at: datetime
    arrives_at: datetime
    stops: list[str]
    classes: list[ClassFacts]
    state: str  # on_sale, not_on_sale, cancelled, over (it leaves too soon, or has left)
    opens_at: datetime | None = None  # of a sale that has not begun, where it is known when it will


class Journey(Told, frozen=True):
    """One ride, or two with a change between them."""

    rides: list[RideFacts]
    change_seconds: int = 0


class Journeys(Told, frozen=True):
    currency: str
    zone: str
    journeys: list[Journey]


class CallFacts(Told, frozen=True, omit_defaults=True):
    station: str
    arrives_at: datetime | None = None
    departs_at: datetime | None = None


class PoolFacts(Told, frozen=True):
    class_: str = field(name="class")
    seats: int


class TrainFacts(Told, frozen=True, omit_defaults=True):
    train: str
    state: str  # on_sale, not_on_sale, cancelled
    calls: list[CallFacts]
    classes: list[PoolFacts]
    opens_at: datetime | None = None
    version: int = 0


class PairFacts(Told, frozen=True):
    """What is left from one call to another, within all rules; `left` as in a class of a ride."""

    origin: int = field(name="from")
    goal: int = field(name="to")
    left: int
    plenty: bool
    price_cents: int


class Availability(Told, frozen=True):
    """All pairs of calls of one class, by their positions in `calls`."""

    train: str
    class_: str = field(name="class")
    version: int
    as_of: datetime
    currency: str
    calls: list[str]
    pairs: list[PairFacts]


class SeatFacts(Told, frozen=True):
    """`taken` has a sign for each segment: 1 taken, 0 free."""

    name: str
    car: str
    row: str
    attributes: tuple[str, ...]
    taken: str


class SeatMap(Told, frozen=True):
    train: str
    class_: str = field(name="class")
    version: int
    calls: list[str]
    seats: list[SeatFacts]


class Why(Told, frozen=True, omit_defaults=True):
    """What a hold would come to now."""

    train: str
    class_: str = field(name="class")
    left: int
    refused: str = ""
    reason: str = ""
    rule: str = ""
    instead: tuple[Instead, ...] = ()


class SessionFacts(Told, frozen=True):
    """`token` may be sent as `Authorization: Bearer`; browsers have it in a cookie."""

    token: str


class TicketFacts(Told, frozen=True):
    number: int
    fare: str
    price_cents: int
    state: str


class PartFacts(Told, frozen=True):
    train: str
    class_: str = field(name="class")
    origin: str = field(name="from")
    goal: str = field(name="to")
    departs_at: datetime
    arrives_at: datetime
    seats: list[str]
    tickets: list[TicketFacts]


class OrderFacts(Told, frozen=True, omit_defaults=True):
    """An order as its passenger sees it. `until`: held or waiting so long."""

    order: str
    state: str
    trains: list[PartFacts]
    costs_cents: int
    currency: str
    until: datetime | None = None
    in_front: int | None = None  # so many wait before it on the same train
    paid_cents: int = 0
    back_cents: int = 0  # gone back, or on its way
    changing: str = ""
    replaces: str = ""


class OrderList(Told, frozen=True):
    orders: list[OrderFacts]


class PayAt(Told, frozen=True):
    """Where the payer goes to pay."""

    page: str
    costs_cents: int
    currency: str


class RefundQuote(Told, frozen=True):
    order: str
    kept_cents: int
    back_cents: int
    currency: str


class ChangeFacts(Told, frozen=True):
    """The whole account of a change: one of the two last is 0, or both."""

    order: str
    fee_cents: int
    to_pay_cents: int
    to_get_cents: int
    currency: str


class Heard(Told, frozen=True):
    heard: str


class DepartureFacts(Told, frozen=True):
    train: str
    origin: str = field(name="from")
    goal: str = field(name="to")
    departs_at: datetime
    state: str
    sold_percent: int
    refused: int


class Departures(Told, frozen=True):
    """`count`: how many there are in all; `departures` may be a page of them."""

    day: date
    departures: list[DepartureFacts]
    count: int = 0


class RuleFacts(Told, frozen=True, omit_defaults=True):
    name: str
    kind: str
    count: int
    origin: str = field(name="from")
    goal: str = field(name="to", default="")
    measure: str = ""
    classes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


class Rules(Told, frozen=True):
    train: str
    rules: list[RuleFacts]
    prices: dict[str, tuple[int, ...]]


class TakeFacts(Told, frozen=True):
    """One seat from one call to another: held or sold; `blocked` ones are nobody's."""

    seat: int
    start: int = field(name="from")
    end: int = field(name="to")
    state: str


class Heat(Told, frozen=True):
    """Each seat along the line; `takes` name seats by their number in `seats`, positions by `calls`."""

    train: str
    class_: str = field(name="class")
    version: int
    calls: list[str]
    seats: list[str]
    taken: list[int]  # of each segment
    takes: list[TakeFacts]


class RefusalFacts(Told, frozen=True):
    """Since the train was put on sale, over all processes; up to a second late."""

    train: str
    by_reason: dict[str, int]
    by_section: list[dict[str, Any]]


class PlayedFacts(Told, frozen=True):
    """One crowd, sold to by one policy."""

    policy: str
    revenue_cents: int
    percent: float  # of the best possible, with the whole demand known
    tickets: int
    refused: dict[str, int]


class Advised(Told, frozen=True):
    """For a forecast: what would be earned before and after, on a copy of the ledger."""

    train: str
    class_: str = field(name="class")
    load: float
    best_cents: int
    played: list[PlayedFacts]
    prices: tuple[int, ...]
    rules: list[RuleFacts]


class Lost(Told, frozen=True):
    """The orders that lost seats; what was paid for them goes back."""

    orders: list[str]


class Ok(Told, frozen=True):
    done: bool = True
