"""Whether the desk's orders and the ledgers' tell the same: a good ticket is a confirmed take, and the other way round.

`to_do` excepts an order: its process died in the middle, and `finish` does the rest.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterator, Mapping

from shike.rail.changing import good_tickets
from shike.rail.order import Order, OrderState, Part
from shike.reserve.model import OrderState as Kept
from shike.reserve.state import State


async def differences(orders: AsyncIterable[Order], ledgers: Mapping[str, State]) -> list[str]:
    """What is wrong between them, a sentence each; [] where all is well."""
    found: list[str] = []
    owned: dict[tuple[str, int], str] = {}
    async for order in orders:
        for part in order.parts:
            if not part.number:
                continue
            other = owned.setdefault((part.departure, part.number), order.id)
            if other != order.id:
                found.append(f"{order.id} and {other} have the same seats of {part.departure}")
            if not order.to_do:
                found += _part(order, part, ledgers.get(part.departure))
    for departure, state in ledgers.items():
        for number, kept in state.orders.items():
            if kept.state is Kept.CONFIRMED and (departure, number) not in owned:
                found.append(f"order {number} of {departure} is paid for, and no order of the desk has it")
    return found


def _part(order: Order, part: Part, state: State | None) -> Iterator[str]:
    kept = state.orders.get(part.number) if state is not None else None
    if kept is None:
        yield f"{order.id} has seats of {part.departure} that its ledger knows nothing of"
        return
    good = good_tickets(part)
    if order.state is OrderState.TICKETED and good:
        seated = tuple(index for index in range(len(part.tickets)) if index not in kept.gone)
        if kept.state is not Kept.CONFIRMED or seated != good:
            yield f"{order.id} has good tickets {good} of {part.departure}; its ledger has {seated}, {kept.state}"
    elif kept.state is Kept.CONFIRMED and order.state is not OrderState.CONFIRMING:
        yield f"{order.id} is {order.state}, and its seats of {part.departure} are still taken"
