"""What is sent to the railway, in bodies and in queries: the types that read it, and make the OpenAPI."""

from __future__ import annotations

from datetime import date, datetime

from msgspec import Struct, field

# ---------------------------------------------------------------- what is sent


class Sent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What nobody knows is refused."""


class Traveller(Sent, frozen=True):
    """One passenger: a name and a document, neither of which is kept."""

    name: str
    document: str
    number: str
    fare: str = "adult"


class Ride(Sent, frozen=True):
    """A ride on one train."""

    train: str  # its departure: "ICE 948/2019-05-03/1"
    origin: str = field(name="from")
    goal: str = field(name="to")
    class_: str = field(name="class", default="second")


class NewOrder(Sent, frozen=True):
    """Seats on one train, or on two of one journey; `seats`: window, aisle, … or `=21-11`, taken if still free."""

    trains: tuple[Ride, ...]
    passengers: tuple[Traveller, ...]
    seats: tuple[str, ...] = ()


class NewWait(Sent, frozen=True):
    """A place on the waiting list, until an instant at most."""

    train: Ride
    passengers: tuple[Traveller, ...]
    until: datetime


class Tickets(Sent, frozen=True):
    """Tickets of one train of an order, counted from 0; none named: all that are good."""

    train: int = 0
    tickets: tuple[int, ...] = ()


class Change(Sent, frozen=True):
    """The ride that all good tickets of an order shall be changed into."""

    train: Ride
    seats: tuple[str, ...] = ()


class Putting(Sent, frozen=True):
    """A train that shall be put on sale; `opens_at` none: now."""

    opens_at: datetime | None = None
    online_permille: int = 1000


class Note(Sent, frozen=True):
    """Why."""

    note: str = ""


class Recomposing(Sent, frozen=True):
    """The composition that a train has now."""

    composition: str


class NewRule(Sent, frozen=True):
    """A quota of one class, between two stations of the train; for `board` and `alight` at `from` alone."""

    kind: str
    count: int
    class_: str = field(name="class")
    origin: str = field(name="from")
    goal: str = field(name="to", default="")
    measure: str = "thickness"


class Prices(Sent, frozen=True):
    """The bid price of each segment of a class, in cents; none: no longer."""

    class_: str = field(name="class")
    prices: tuple[int, ...] = ()


# ---------------------------------------------------------------- what is asked


class Typed(Sent, frozen=True):
    """What somebody types for a station."""

    text: str


class Wanted(Sent, frozen=True):
    """A day's journeys from one place to another."""

    origin: str = field(name="from")
    goal: str = field(name="to")
    day: date = field(name="date")
    passengers: int = 1
    change: bool = False


class OfClass(Sent, frozen=True):
    """One class of a train; the first it has where none is named."""

    class_: str = field(name="class", default="")


class OfSection(Sent, frozen=True):
    """One class between two stations of a train."""

    origin: str = field(name="from", default="")
    goal: str = field(name="to", default="")
    class_: str = field(name="class", default="")
    count: int = 1


class OfDay(Sent, frozen=True):
    """A service day; none: the first with trains on sale."""

    day: date | None = field(name="date", default=None)


class Forecasting(Sent, frozen=True):
    """What to advise for: so much demand at the busiest segment, of the class's seats."""

    class_: str = field(name="class", default="")
    load: float = 1.4
