"""Worker pools as operators see them: whose slots are whose now and later, and who uses how many."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from shike.clock import to_datetime
from shike.limit import rows, slots
from shike.limit.deciding import Kept
from shike.limit.slots import Slots
from shike.store.base import Store


class SlotsFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One kind of slots of one pool, now."""

    pool: str
    kind: str
    size: int
    taken: int  # by runs that were let in and are not over
    by: dict[str, int]  # tenant → how many of them
    reserved: dict[str, int]  # tenant → slots that are reserved for it now


class ReservationFacts(Struct, frozen=True, kw_only=True):
    """Slots of a tenant, under way or to come."""

    pool: str
    kind: str
    tenant: str
    count: int
    start: datetime
    end: datetime


async def listing(store: Store, pool: str = "") -> list[SlotsFacts]:
    """Each kind of each pool that the dispatcher was told of, or of one."""
    now = await store.now()
    pages = await slots.told(store)
    return [
        await _facts(store, name, kind, found, now)
        for name, page in sorted(pages.items())
        for kind, found in sorted(page.kinds.items())
        if pool in ("", name)
    ]


async def reservations(store: Store, pool: str) -> Sequence[ReservationFacts]:
    """All of a pool's that are not over, the soonest first; at most as many as the dispatcher is told."""
    now = await store.now()
    page = (await slots.told(store)).get(pool)
    return [
        ReservationFacts(
            pool=pool, kind=kind, tenant=one.tenant, count=one.count,
            start=to_datetime(one.start), end=to_datetime(one.end),
        )
        for kind, found in sorted((page.kinds if page is not None else {}).items())
        for one in found.reservations
        if one.end > now
    ]  # fmt: skip


async def _facts(store: Store, pool: str, kind: str, found: Slots, now: int) -> SlotsFacts:
    permit = slots.permit_at(pool, kind)
    holders = await store.holders(permit)
    kept: Kept = (await rows.kept(store, slots.home_of(pool, kind)))[0]
    left, by = {str(run_id) for run_id in holders}, {}
    for who, runs in (kept.memory.get(permit) or {}).items():
        if count := len(left & runs.keys()):
            by[who] = count
    return SlotsFacts(
        pool=pool, kind=kind, size=found.size, taken=len(holders), by=by, reserved=dict(found.reserved(now))
    )
