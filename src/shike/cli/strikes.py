"""`shike strikes`: keep some runs from beginning, and let them begin again."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from cyclopts import App, Parameter

from shike.cli import output
from shike.cli.root import FINE
from shike.cli.where import ANYWHERE, Desk, Where, at_desk
from shike.clock import to_datetime
from shike.limit import striking as strikes
from shike.limit.strikes import Deed, Strike
from shike.operate.facts import instant
from shike.trigger.duration import parse_duration

BECOMES = {
    Deed.HOLD: "held until it is over, and begun then, are runs with",
    Deed.SKIP: "skipped, when they would begin, are runs with",
    Deed.CANCEL: "cancelled, when they would begin, are runs with",
}

app = App(name="strikes", help="Keep runs from beginning that a predicate picks, and let them begin again.")


@app.command
def add(
    predicate: str,
    /,
    *,
    reason: Annotated[str, Parameter(help="Why: whoever finds runs held will ask.")],
    deed: Annotated[str, Parameter(help="What becomes of them: hold, skip or cancel.")] = "hold",
    for_: Annotated[str, Parameter(name="for", help="How long, as in 2h; else until it is removed.")] = "",
    who: Annotated[str, Parameter(help="Who says so.")] = "",
    where: Where = ANYWHERE,
) -> int:
    """Strike runs: `shike strikes add 'task=mail.send and tenant=acme' --reason 'their relay bounces' --for 2h`."""

    async def work(desk: Desk) -> Strike:
        until = None
        if for_:
            until = to_datetime(await desk.store.now()) + timedelta(microseconds=parse_duration(for_))
        return await strikes.add(desk.store, predicate, reason, deed=deed, who=who, until=until)

    strike = at_desk(where, work)
    if where.json:
        output.as_json({"strike": strike})
    else:
        print(f"strike {strike.id}: {BECOMES[strike.deed]} {strike.predicate}")
    return FINE


@app.command(name="list")
def list_(*, where: Where = ANYWHERE) -> int:
    """All strikes that are not over."""
    found = at_desk(where, lambda desk: strikes.listing(desk.store))
    if where.json:
        output.as_json({"strikes": found})
    else:
        rows = [
            (
                one.id,
                one.deed,
                one.predicate,
                one.reason,
                one.who,
                output.local(instant(one.until)) if one.until else "",
            )
            for one in found
        ]
        output.table(("id", "deed", "predicate", "reason", "by", "until"), rows, empty="nothing is struck")
    return FINE


@app.command
def remove(id: str, /, *, where: Where = ANYWHERE) -> int:
    """Let these runs begin again."""
    strike = at_desk(where, lambda desk: strikes.remove(desk.store, id))
    if where.json:
        output.as_json({"strike": strike})
    else:
        print(f"strike {strike.id} is removed: runs with {strike.predicate} begin again")
    return FINE
