"""Who sits where, counted by other code than the ledger's own: from what the events say, one after the other (P9)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from msgspec import Struct

from shike.reserve import events
from shike.reserve.model import NOWHERE, Move


class Seated(Struct):
    """The takes of a live order; `units` has None for those that have gone."""

    pool: str
    start: int
    end: int
    units: list[int | None]


class Recount:
    """One ledger. It knows the events of a sale; another one is a problem too, so that nothing goes by uncounted."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.segments = 0
        self._names: dict[str, bool] = {}  # whether the units of a pool have names
        self._taken: defaultdict[tuple[str, int], int] = defaultdict(int)  # (pool, segment) → bits of units
        self._counts: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._orders: dict[int, Seated] = {}
        self._held: set[int] = set()
        self._waits: dict[int, tuple[str, int, int]] = {}
        self.payments: dict[str, str] = {}  # payment → what became of it, "" while it waits
        self._paid_waits: dict[int, str] = {}

    @property
    def open_holds(self) -> int:
        return len(self._held)

    @property
    def tickets(self) -> int:
        """Takes that are paid for."""
        return sum(
            sum(unit is not None for unit in order.units)
            for number, order in self._orders.items()
            if number not in self._held
        )

    def filled(self, pool: str) -> list[int]:
        """Takes on each segment."""
        return [self._counts[pool, segment] for segment in range(self.segments)]

    def take(self, event: events.AnyEvent) -> list[str]:
        """Count one event; what is wrong with it, a sentence each."""
        return list(self._take(event))

    def _take(self, event: events.AnyEvent) -> Iterator[str]:
        match event:
            case events.Opened():
                self.sizes = {pool.name: pool.size for pool in event.pools}
                self._names = {pool.name: bool(pool.units) for pool in event.pools}
                self.segments = event.line.segments
            case events.Held():
                yield from self._move(event.moves)
                yield from self._seat(event.order, event.pool, event.start, event.end, event.units)
                self._held.add(event.order)
            case events.Joined():
                self._waits[event.wait] = (event.pool, event.start, event.end)
                if event.payment:
                    self._paid_waits[event.wait] = event.payment
                    yield from self._pay(event.payment, "")
            case events.Served():
                yield from self._move(event.moves)
                yield from self._seat(event.order, *self._waits[event.wait], event.units)
                if event.wait in self._paid_waits:
                    self.payments[self._paid_waits[event.wait]] = "ticket"
                else:
                    self._held.add(event.order)
            case events.Confirmed():
                if event.order not in self._held:
                    yield f"order {event.order} is paid for, and was not held"
                self._held.discard(event.order)
                yield from self._pay(event.payment, "ticket")
            case events.PaymentOrphaned():
                yield from self._pay(event.payment, "back")
            case events.Lapsed() | events.Left():
                if event.wait in self._paid_waits:
                    self.payments[self._paid_waits[event.wait]] = "back"
            case events.Expired() | events.Released():
                if event.order not in self._held:
                    yield f"order {event.order} has expired, and was not held"
                self._held.discard(event.order)
                self._lift(event.order, range(len(self._orders[event.order].units)))
            case events.Refunded():
                self._lift(event.order, event.indices)
            case _:
                yield f"a sale knows no {type(event).__name__}"

    def _pay(self, payment: str, fate: str) -> Iterator[str]:
        if payment in self.payments:
            yield f"payment {payment!r} is counted twice"
        self.payments[payment] = fate

    def _move(self, moves: Iterable[Move]) -> Iterator[str]:
        """All get up before any sits down."""
        moved = list(moves)
        for move in moved:
            self._lift(move.order, (move.index,))
        for move in moved:
            order = self._orders[move.order]
            order.units[move.index] = move.unit
            yield from self._sit(order, move.unit)

    def _seat(self, number: int, pool: str, start: int, end: int, units: tuple[int, ...]) -> Iterator[str]:
        if number in self._orders:
            yield f"order {number} is made twice"
        order = self._orders[number] = Seated(pool, start, end, list(units))
        for unit in units:
            yield from self._sit(order, unit)

    def _sit(self, order: Seated, unit: int) -> Iterator[str]:
        for segment in range(order.start, order.end):
            where = (order.pool, segment)
            self._counts[where] += 1
            count, size = self._counts[where], self.sizes[order.pool]
            if count > size:
                yield f"{count} of {size} of {order.pool} are taken on segment {segment}"
            if unit == NOWHERE:
                continue
            if not 0 <= unit < self.sizes[order.pool] or not self._names[order.pool]:
                yield f"{order.pool} has no unit {unit}"
            if self._taken[where] >> unit & 1:
                yield f"unit {unit} of {order.pool} is taken twice on segment {segment}"
            self._taken[where] |= 1 << unit

    def _lift(self, number: int, indices: Iterable[int]) -> None:
        order = self._orders[number]
        for index in indices:
            unit = order.units[index]
            if unit is None:
                continue
            order.units[index] = None
            for segment in range(order.start, order.end):
                self._counts[order.pool, segment] -= 1
                if unit != NOWHERE:
                    self._taken[order.pool, segment] &= ~(1 << unit)
