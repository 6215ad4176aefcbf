"""`shike rail disrupt`: a train that does not run, or runs with other carriages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from shike.cli import output
from shike.cli.rail import AsJson
from shike.cli.rail_desk import FILE, Departure, File, Now, at_counter, clock_of
from shike.cli.root import FINE
from shike.counted import counted
from shike.errors import BadOrder, BadSetting

if TYPE_CHECKING:
    from shike.rail.counter import Counter


def disrupt(
    departure: Departure,
    /,
    *,
    cancel: Annotated[
        bool, Parameter(help="It does not run: everybody gets all their money back.", negative="")
    ] = False,
    composition: Annotated[str, Parameter(help="It has these carriages instead: a name of trains.toml.")] = "",
    note: Annotated[str, Parameter(help="Why.")] = "",
    file: File = FILE,
    now: Now = "now",
    json: AsJson = False,
) -> int:
    """See to a train that does not run as planned, and tell which orders lost seats. It may be asked again."""
    if cancel == bool(composition):
        raise BadSetting("say --cancel, or --composition NAME: one of them")

    async def work(counter: Counter) -> dict[str, Any]:
        from shike.rail.disruption import Disruption

        key = counter.trade.timetable.by_key(departure).key
        if not (await counter.seats.state(key)).version:
            raise BadOrder(f"{key} was not put on sale from this file: there is nothing to see to")
        disruption = Disruption(counter.seats, counter.books, counter.books, counter.gateway, counter.clock)
        await counter.know_payments(key)
        if cancel:
            lost = await disruption.cancel_run(key, note=note)
        else:
            known = counter.trade.trains.compositions
            if composition not in known:
                raise BadOrder(f"no composition is called {composition[:40]!r}; there are {', '.join(sorted(known))}")
            lost = await disruption.recompose(key, known[composition])
        await counter.ring_due()
        orders = [await counter.books.get(order) for order in dict.fromkeys(lost)]
        return {
            "departure": key,
            "what": "does not run" if cancel else f"has the carriages {composition}",
            "orders": [
                {
                    "order": one.id,
                    "state": str(one.state),
                    "back_cents": sum(payment.received_cents - payment.kept_cents for payment in one.payments),
                    "currency": one.currency,
                }
                for one in orders
            ],
        }

    told = at_counter(file, clock_of(now), work)
    if json:
        output.as_json(told)
        return FINE
    print(f"{told['departure']} {told['what']}: {counted(len(told['orders']), 'order')} lost seats")
    for one in told["orders"]:
        print(f"{one['order']}: {one['state']}, {one['back_cents'] / 100:.2f} {one['currency']} goes back")
    return FINE
