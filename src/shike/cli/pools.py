"""`shike pools`: whose the slots of worker pools are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from cyclopts import Parameter

from shike.cli import output
from shike.cli.root import FINE
from shike.cli.where import ANYWHERE, Desk, Where, at_desk
from shike.errors import NotFound
from shike.operate import pools as operating
from shike.operate.pools import ReservationFacts, SlotsFacts


def pools(
    name: Annotated[str, Parameter(help="One pool, with its reservations that are not over.")] = "",
    /,
    *,
    where: Where = ANYWHERE,
) -> int:
    """Worker pools: how many slots each kind has, who uses them, and whose they are now and later."""

    async def work(desk: Desk) -> tuple[list[SlotsFacts], list[ReservationFacts]]:
        found = await operating.listing(desk.store, name)
        if name and not found:
            raise NotFound(f"no pool {name!r} was told to this store; `shike pools` lists those that were")
        return found, list(await operating.reservations(desk.store, name)) if name else []

    kinds, reservations = at_desk(where, work)
    if where.json:
        output.as_json({"pools": kinds, **({"reservations": reservations} if name else {})})
        return FINE
    output.table(
        ("pool", "kind", "slots", "taken", "by", "reserved now"),
        [(one.pool, one.kind, one.size, one.taken, _each(one.by), _each(one.reserved)) for one in kinds],
        empty="no worker pool was told to this store",
    )
    if name:
        output.table(
            ("from", "until", "kind", "slots", "tenant"),
            [(output.local(one.start), output.local(one.end), one.kind, one.count, one.tenant) for one in reservations],
            empty="nothing is reserved",
        )
    return FINE


def _each(found: Mapping[str, int]) -> str:
    return ", ".join(f"{who or '(nobody named)'} {count}" for who, count in sorted(found.items()))
