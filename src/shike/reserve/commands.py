"""What can be asked of a ledger. Each command has an id, by which a repetition is known, and the instant it is of."""

from __future__ import annotations

from msgspec import Struct

from shike.reserve.bounds import TTL_SECONDS
from shike.reserve.model import NEVER, NOWHERE, Line, Pool, Rule, Sale, Unit, WaitPolicy, Want


class Command(Struct, frozen=True, tag=True, array_like=True):
    """`id` is the caller's: the same id with the same words gets the same answer and is done once."""

    id: str
    at: int


class Open(Command, frozen=True):
    """A new ledger. Nothing is on sale before a `SetSale` says so, unless `sales` are given."""

    line: Line
    pools: tuple[Pool, ...]
    rules: tuple[Rule, ...] = ()
    sales: tuple[Sale, ...] = ()
    policy: WaitPolicy = WaitPolicy.FIT


class Hold(Command, frozen=True):
    """`count` units of one pool on one section, all or none. `people`, if given, are as many references to persons."""

    pool: str
    start: int
    end: int
    count: int = 1
    people: tuple[str, ...] = ()
    want: Want | None = None
    ttl_seconds: float = TTL_SECONDS
    channel: str = ""
    price: int = 0  # of the whole order, in the smallest coin


class Confirm(Command, frozen=True):
    """A held order is paid for. After `expires_at` the payment is kept as orphaned, and nothing is confirmed."""

    order: int
    payment: str = ""


class Extend(Command, frozen=True):
    """A held order shall last until `until`."""

    order: int
    until: int


class Release(Command, frozen=True):
    """A held order is given up; `note` says by whom."""

    order: int
    note: str = ""


class Expire(Command, frozen=True):
    """The timer of a hold has rung. Refused before `expires_at`, and after any other end."""

    order: int


class Refund(Command, frozen=True):
    """Takes of a confirmed order are given back: those at `indices`, none named: all."""

    order: int
    indices: tuple[int, ...] = ()
    amount: int = 0  # what is paid back
    note: str = ""


class Change(Command, frozen=True):
    """A confirmed order gets another section or pool of the same ledger, all or nothing; what it had counts as free."""

    order: int
    pool: str
    start: int
    end: int
    want: Want | None = None
    price: int = 0
    channel: str = ""


class Pin(Command, frozen=True):
    """The units of an order are told to somebody: nothing moves it any more."""

    order: int


class Block(Command, frozen=True):
    """Units cannot be used on a section. Whoever has them is moved, or displaced where nothing else is left."""

    pool: str
    units: tuple[int, ...]
    start: int
    end: int
    note: str = ""


class Unblock(Command, frozen=True):
    """Units can be used again; segments that were not blocked stay as they are."""

    pool: str
    units: tuple[int, ...]
    start: int
    end: int


class AddUnits(Command, frozen=True):
    """Further units of a pool (or capacity, for one without names)."""

    pool: str
    units: tuple[Unit, ...] = ()
    capacity: int = 0


class SetRule(Command, frozen=True):
    """A rule, in place of the one of that name. What was sold stays sold, also above the rule."""

    rule: Rule


class DropRule(Command, frozen=True):
    name: str


class SetSale(Command, frozen=True):
    sale: Sale


class SetPrices(Command, frozen=True):
    """The bid price of each segment of a pool: who offers less than their sum is refused. Empty: no longer."""

    pool: str
    prices: tuple[int, ...] = ()


class Seal(Command, frozen=True):
    """From now on each take of the pool has its unit for good."""

    pool: str


class Join(Command, frozen=True):
    """Wait for units. Whoever could be served at once is refused: hold them."""

    pool: str
    start: int
    end: int
    count: int = 1
    people: tuple[str, ...] = ()
    deadline: int = NEVER
    want: Want | None = None
    channel: str = ""
    price: int = 0
    payment: str = ""
    ttl_seconds: float = TTL_SECONDS


class Leave(Command, frozen=True):
    """Wait no longer."""

    wait: int


class Lapse(Command, frozen=True):
    """The deadline of a wait has passed."""

    wait: int


class Serve(Command, frozen=True):
    """The next of those who wait gets what is free. The ledger asks this of itself after each gain; a timer asks it
    when a rule lapses. `pool` and the section narrow the search."""

    pool: str = ""
    start: int = 0
    end: int = NOWHERE


class Advance(Command, frozen=True):
    """The line has come to `position`: nothing begins before it any more. `labels` are appended (a rolling line), and
    with `forget` what lies before it is dropped."""

    position: int
    labels: tuple[str, ...] = ()
    times: tuple[int, ...] = ()
    forget: bool = False


class Cancel(Command, frozen=True):
    """The run does not take place: the sale is closed for good. Orders stay, to be refunded one by one."""

    note: str = ""


AnyCommand = (
    Open
    | Hold
    | Confirm
    | Extend
    | Release
    | Expire
    | Refund
    | Change
    | Pin
    | Block
    | Unblock
    | AddUnits
    | SetRule
    | DropRule
    | SetSale
    | SetPrices
    | Seal
    | Join
    | Leave
    | Lapse
    | Serve
    | Advance
    | Cancel
)
