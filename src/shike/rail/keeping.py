"""Where orders are kept, and who is on which train when: two small ports, and both in memory. `sqlite_books` has them
on a file.

Keeping is a compare-and-set: who changed an older version is refused, reads again, and decides again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn, Protocol

from msgspec.structs import replace

from shike.errors import Conflict, NotFound
from shike.rail.order import Order, OrderState
from shike.rail.passenger import Ride, check_rides


class Orders(Protocol):
    """What was sold."""

    async def get(self, order: str) -> Order:
        """Raises `NotFound`."""

    async def put(self, order: Order) -> Order:
        """Keep an order, with the next version. Raises `Conflict` where the kept one is not of this one's version (0:
        there must be none)."""

    async def of_payment(self, payment: str) -> Order:
        """The order that has a payment now. Raises `NotFound`."""

    async def unfinished(self) -> list[str]:
        """The orders with something `to_do`."""

    async def waiting(self) -> list[str]:
        """The orders on a waiting list."""


class Rides(Protocol):
    """Who is on which train when, over all trains: one person is never on two at once (R1.7)."""

    async def claim(self, person: str, ride: Ride, order: str, *, instead_of: str = "") -> None:
        """The person will be on that ride for an order; once. Rides for the order `instead_of` are no hindrance. Raises
        `TradeRefused`, reason `person`."""

    async def free(self, person: str, departure: str, order: str) -> None:
        """The person will not be on that train for that order."""

    async def orders_on(self, departure: str) -> list[str]:
        """The orders for which somebody will be on that train."""


class MemoryOrders:
    """Gone when the process ends. For tests, and for trying things."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._payments: dict[str, str] = {}

    async def get(self, order: str) -> Order:
        return self._orders.get(order) or no_order(order)

    async def put(self, order: Order) -> Order:
        known = self._orders.get(order.id)
        if (known.version if known else 0) != order.version:
            raise outdated(order.id)
        kept = replace(order, version=order.version + 1)
        self._orders[order.id] = kept
        self._payments.update({payment.id: order.id for payment in order.payments})
        return kept

    async def of_payment(self, payment: str) -> Order:
        return self._orders[self._payments.get(payment) or no_payment(payment)]

    async def unfinished(self) -> list[str]:
        return [order.id for order in self._orders.values() if order.to_do]

    async def waiting(self) -> list[str]:
        return [order.id for order in self._orders.values() if order.state is OrderState.WAITING]

    def all(self) -> Iterable[Order]:
        """Every order there was."""
        return self._orders.values()


class MemoryRides:
    """Gone when the process ends."""

    def __init__(self) -> None:
        self._rides: dict[str, dict[tuple[str, str], Ride]] = {}  # person → (departure, order) → ride

    async def claim(self, person: str, ride: Ride, order: str, *, instead_of: str = "") -> None:
        rides = self._rides.setdefault(person, {})
        others = [
            one
            for (departure, of), one in rides.items()
            if of != instead_of and (departure, of) != (ride.departure, order)
        ]
        check_rides(others, ride)
        rides[ride.departure, order] = ride

    async def free(self, person: str, departure: str, order: str) -> None:
        self._rides.get(person, {}).pop((departure, order), None)

    async def orders_on(self, departure: str) -> list[str]:
        return sorted({order for rides in self._rides.values() for (of, order) in rides if of == departure})

    def of(self, person: str) -> list[Ride]:
        return sorted(self._rides.get(person, {}).values())


def no_order(order: str) -> NoReturn:
    """Raises `NotFound`."""
    raise NotFound(f"there is no order {order[:60]!r}")


def no_payment(payment: str) -> NoReturn:
    """Raises `NotFound`."""
    raise NotFound(f"there is no payment {payment[:60]!r}")


def outdated(order: str) -> Conflict:
    """For who puts an order that is not the newest."""
    return Conflict(f"order {order} was changed meanwhile: read it again")
