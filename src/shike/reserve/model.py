"""Every noun of the ledger, before any behaviour: line, pool, unit, rule, order, wait, refusal.

What is asked for stands in `commands.py`, what has happened in `events.py`. Instants are `int` UTC microseconds, and
come with commands: nothing in this room reads a clock. Positions are absolute, also on a line that rolls.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, final

from msgspec import Struct

RECORD_VERSION: Final = 1  # of frames and snapshots
NEVER: Final = 0  # an instant that is not set
NOWHERE: Final = -1  # a unit or position that is not set


class Binding(StrEnum):
    """When a take gets its unit for good."""

    AT_SALE = "at_sale"  # with the hold; it is told at once and never changes
    ON_DEMAND = "on_demand"  # a provisional one with the hold; it may change until it is sealed or pinned
    AT_SEAL = "at_seal"  # counted until the pool is sealed, then all at once
    NEVER = "never"  # units have no names: only how many are left counts


class RuleKind(StrEnum):
    """What a rule bounds. Each has a section, or for the last two a position (its `start`)."""

    MAX = "max"  # takes that lie inside the section: at most `count`
    MIN = "min"  # of all units, `count` stay for takes that cover the whole section; others share the rest
    BOARD = "board"  # takes that begin at the position: at most `count`
    ALIGHT = "alight"  # takes that end at the position: at most `count`


class Measure(StrEnum):
    """How takes are counted against a section."""

    TICKETS = "tickets"  # each take once, also two on one reused unit
    THICKNESS = "thickness"  # on each segment apart; the thickest decides, so reuse costs nothing


class Together(StrEnum):
    """How near the units of one order shall be."""

    ROW = "row"  # side by side
    AREA = "area"  # in one area (coach, floor)
    ANY = "any"


class Fill(StrEnum):
    """Which of the units that fit is chosen."""

    BEST = "best"  # the one that leaves no hole beside the take, reused before untouched
    FIRST = "first"  # the lowest number
    FRESH = "fresh"  # an untouched one first: what a naive seller does; here to be measured


class WaitPolicy(StrEnum):
    """Whether the one behind may be served before the one in front."""

    STRICT = "strict"  # never on the same section of the same pool: a group in front holds up those behind it
    FIT = "fit"  # whoever comes first among those that can be served


class OrderState(StrEnum):
    """Where an order is. Those after CONFIRMED are final and hold nothing."""

    HELD = "held"  # until `expires_at`
    CONFIRMED = "confirmed"
    RELEASED = "released"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    CHANGED = "changed"  # another order of the same ledger took its place
    DISPLACED = "displaced"  # its units were blocked and no others were left


LIVE: Final = frozenset({OrderState.HELD, OrderState.CONFIRMED})


class WaitState(StrEnum):
    """Where a wait is. Those after WAITING are final."""

    WAITING = "waiting"
    FULFILLED = "fulfilled"
    LEFT = "left"
    EXPIRED = "expired"


class Reason(StrEnum):
    """Why nothing was written."""

    FULL = "full"  # a segment of the section has too few units left
    FRAGMENTED = "fragmented"  # each segment has enough, but no unit is free all the way
    QUOTA = "quota"  # `rule` says no
    PRICE = "price"  # the bid price of the section is higher than what was offered
    WISH = "wish"  # units are left, but none as it was insisted on
    PERSON = "person"  # `who` has a take that overlaps
    NOT_ON_SALE = "not_on_sale"  # before `opens_at`, or none is set
    CLOSED = "closed"  # the sale is over
    PASSED = "passed"  # the section begins before where the line now stands
    EXPIRED = "expired"  # the hold's time is over
    EARLY = "early"  # the time of the hold or wait is not over before `opens_at`
    UNKNOWN = "unknown"  # no such order, wait or rule
    ENDED = "ended"  # the order or wait has come to another end; `state` names it
    REPEATED = "repeated"  # the command's id was used for another command
    OPEN = "open"  # there is such a ledger already
    SEALED = "sealed"  # the pool has been sealed already
    UNSEALABLE = "unsealable"  # pins and blocks leave no unit for some of the takes
    CROWDED = "crowded"  # as many wait as may
    NOBODY = "nobody"  # there is nobody to be served


class Line(Struct, frozen=True, array_like=True):
    """The positions 0 … S of a run. `times`, if given, tells for each position until when takes may begin there.

    A rolling line begins at `origin`: its first label is the position of that number.
    """

    labels: tuple[str, ...]
    times: tuple[int, ...] = ()
    origin: int = 0

    @property
    def segments(self) -> int:
        return len(self.labels) - 1


class Unit(Struct, frozen=True, array_like=True):
    """One seat, berth, room or slot. Units that follow each other in one `row` of one `area` are side by side."""

    name: str
    row: str = ""
    area: str = ""
    attributes: tuple[str, ...] = ()


class Pool(Struct, frozen=True, array_like=True):
    """A class of like units: named ones, or `capacity` without names (binding NEVER).

    `spread_until` is a share of the pool's unit-segments: until so much is taken, people are seated apart, then
    packed. 0.4 costs nothing at full demand, 0.5 costs 6 % (measured).
    """

    name: str
    units: tuple[Unit, ...] = ()
    capacity: int = 0
    binding: Binding = Binding.AT_SALE
    fill: Fill = Fill.BEST
    spread_until: float = 0.0

    @property
    def size(self) -> int:
        return len(self.units) or self.capacity


class Rule(Struct, frozen=True, array_like=True):
    """A quota. It binds what is asked in one of `pools` through one of `channels` (none named: all), and counts the
    live takes of just those, together; commands are bound whose time lies in [since, until) (NEVER: no such end)."""

    name: str
    kind: RuleKind
    count: int
    start: int
    end: int = NOWHERE
    measure: Measure = Measure.THICKNESS
    pools: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    since: int = NEVER
    until: int = NEVER


class Sale(Struct, frozen=True, array_like=True):
    """From when until when a channel may hold ("" is every channel that has no sale of its own)."""

    channel: str = ""
    opens_at: int = NEVER  # NEVER: not yet known
    closes_at: int = NEVER  # NEVER: with the line's times


class Want(Struct, frozen=True, array_like=True):
    """What is wished of the units: attributes all of them have, nearness, or units by name. `hard`: or else nothing.

    A hard wish pins the takes: nothing moves them any more.
    """

    attributes: tuple[str, ...] = ()
    together: Together = Together.ROW
    units: tuple[str, ...] = ()
    hard: bool = False


class Move(Struct, frozen=True, array_like=True):
    """The take at `index` of an order goes to another unit of its pool."""

    order: int
    index: int
    unit: int


class Take(Struct, frozen=True, array_like=True):
    """One unit for one person from `start` to `end`; named by its order and its index there."""

    order: int
    index: int
    pool: str
    unit: int  # its number in the pool; NOWHERE while it has none
    start: int
    end: int
    who: str = ""


class Order(Struct, gc=False, array_like=True):
    """Takes that were held together, all or nothing, on one section of one pool.

    A take that was given back alone is named in `gone`. In a pool whose takes have no unit (yet), `units` are all
    NOWHERE.
    """

    number: int
    pool: str
    start: int
    end: int
    units: tuple[int, ...]
    people: tuple[str, ...]
    expires_at: int
    state: OrderState = OrderState.HELD
    count: int = 1  # takes that have not gone
    channel: str = ""
    price: int = 0
    pinned: bool = False
    gone: tuple[int, ...] = ()  # indices of the takes that were given back or displaced
    payment: str = ""
    replaces: int = 0  # the order that was changed into this one
    wait: int = 0  # the wait that was served by this one

    @property
    def live(self) -> bool:
        return self.state is OrderState.HELD or self.state is OrderState.CONFIRMED


class Wait(Struct, array_like=True):
    """Somebody who takes what comes free. `payment` says that it is paid for: then it is served as confirmed."""

    number: int
    pool: str
    start: int
    end: int
    count: int
    people: tuple[str, ...]
    deadline: int
    want: Want | None = None
    channel: str = ""
    price: int = 0
    payment: str = ""
    ttl_seconds: float = 0.0
    state: WaitState = WaitState.WAITING
    order: int = 0  # what it was served with


@final
class Refusal(Struct, frozen=True, gc=False):
    """Nothing was written, and why. Facts that do not belong to the reason are at their defaults."""

    reason: Reason
    available: int = 0  # takes that the same command would have got for fewer
    rule: str = ""
    who: str = ""
    opens_at: int = NEVER
    state: str = ""
    segment: int = NOWHERE  # the first that is full
    price: int = 0  # that would have been enough

    def __bool__(self) -> bool:
        return False
