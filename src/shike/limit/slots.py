"""The slots of worker pools, as limits know them: how many there are, and who has reserved how many of them, and when.

Whoever keeps the reservations (`shike.reserve.time_pool`) tells them here, a control row for each pool; whoever decides
about runs reads it. Reservations of one kind never add up to more than there is: the ledger sees to that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from shike.errors import BadLimit, Conflict
from shike.limit.gates import POOL, change_of, permit_of
from shike.store.base import Store
from shike.store.hints import Hint, HintKind

SLOTS: Final = "limit/slots/"  # + pool: control rows
WORD: Final = "reserved"  # the kind of limit that takes slots
TRIES_MAX: Final = 20  # of a word that others come in between of


class Reservation(Struct, frozen=True, array_like=True):
    """So many slots are a tenant's from `start` until `end`, UTC µs."""

    tenant: str
    count: int
    start: int
    end: int


class Cap(Struct, frozen=True, array_like=True):
    """Of these tenants together (none named: of all) at most so many runs from `start` until `end`; said from `since`
    until `until` (0: no such end)."""

    count: int
    start: int
    end: int
    tenants: tuple[str, ...] = ()
    since: int = 0
    until: int = 0


class Slots(Struct, frozen=True):
    """One kind of slots."""

    size: int
    reservations: tuple[Reservation, ...] = ()
    caps: tuple[Cap, ...] = ()

    def reserved(self, at: int) -> Counter[str]:
        """How many are whose at an instant."""
        found: Counter[str] = Counter()
        for one in self.reservations:
            if one.start <= at < one.end:
                found[one.tenant] += one.count
        return found

    def capping(self, who: str, at: int, now: int) -> Iterator[Cap]:
        """What bounds a tenant at an instant, as is said now."""
        for cap in self.caps:
            is_said = cap.since <= now and (not cap.until or now < cap.until)
            if is_said and cap.start <= at < cap.end and (not cap.tenants or who in cap.tenants):
                yield cap

    def changes(self, after: int) -> list[int]:
        """The instants after that one at which something else holds, in order."""
        found = {edge for one in self.reservations for edge in (one.start, one.end)}
        found |= {edge for cap in self.caps for edge in (cap.start, cap.end, cap.since, cap.until)}
        return sorted(edge for edge in found if edge > after)


class Page(Struct, frozen=True):
    """A pool as of one version of its ledger."""

    version: int
    kinds: dict[str, Slots]


def row_of(pool: str) -> str:
    """The control row of a pool."""
    return f"{SLOTS}{pool}"


def home_of(pool: str, kind: str) -> str:
    """What stands for a kind of a pool where else a task stands: in permits and memories."""
    return f"{POOL}{pool}/{kind}"


def permit_at(pool: str, kind: str) -> str:
    """What whoever has a slot holds."""
    return permit_of(home_of(pool, kind), WORD, {})


def read(pool: str, value: bytes) -> Page:
    """Raises `BadLimit` for what a newer program wrote."""
    try:
        return msgspec.json.decode(value, type=Page)
    except msgspec.MsgspecError as error:
        raise BadLimit(f"what is told of pool {pool} cannot be read: {error}", limit=pool) from None


async def tell(store: Store, pool: str, page: Page) -> bool:
    """Have the dispatcher know; whether that was news. An older version never takes the place of a newer one."""
    for _ in range(TRIES_MAX):
        row = next((row for row in await store.controls(row_of(pool)) if row.key == row_of(pool)), None)
        if row is not None and page.version <= read(pool, row.value).version:
            return False
        try:
            await store.put(row_of(pool), msgspec.json.encode(page), expect=row.version if row is not None else 0)
        except Conflict:
            continue
        for kind in page.kinds:
            store.tell(Hint(HintKind.FREED, name=change_of(home_of(pool, kind))))
        return True
    raise Conflict(f"pool {pool} is being told by others all the time; try again")


async def told(store: Store) -> Mapping[str, Page]:
    """Every pool that was told, by name."""
    rows = await store.controls(SLOTS)
    return {pool: read(pool, row.value) for row in rows for pool in (row.key.removeprefix(SLOTS),)}
