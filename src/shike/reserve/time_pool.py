"""Capacity over time (R1.13): so many workers, machines or desks, reserved by the slot.

`await pool.reserve("gpu", 4, start, end, id="training-7")`

A line whose positions are slots since 1970, one ledger pool for each kind, nothing with a name. All that a ledger can
do holds here too: a `MAX` rule for a channel is the cap of a tenant, a `MIN` rule a guarantee, a `BOARD` rule the most
that may start in one slot.

With a `store`, the dispatcher of that store honours it: tasks with the limit `shike.Reserved` run in its slots. It is
told after each commit, and before the caller is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from shike.clock import Clock, to_datetime, to_micros
from shike.errors import BadCommand
from shike.reserve import commands, query
from shike.reserve.bounds import SEGMENTS_MAX
from shike.reserve.clerk import Clerk
from shike.reserve.events import Confirmed, Held
from shike.reserve.model import NOWHERE, Binding, Line, Pool, Reason, Refusal, Rule, Sale
from shike.reserve.telling import Teller, check_sizes
from shike.store.base import Store

SLOT: Final = timedelta(minutes=15)
AHEAD: Final = timedelta(days=7)
WHENEVER: Final = 1  # a sale that has always been open


class TimePool:
    """One ledger of a clerk, by name. Reservations begin and end with slots: the start is rounded down, the end up, so
    nobody gets less than they asked for. `open` it once; `advance` it now and then, or its time runs out."""

    def __init__(
        self,
        clerk: Clerk,
        name: str,
        clock: Clock,
        *,
        slot: timedelta = SLOT,
        ahead: timedelta = AHEAD,
        store: Store | None = None,
    ) -> None:
        if slot < timedelta(seconds=1) or not 1 <= ahead // slot <= SEGMENTS_MAX // 2:
            raise BadCommand(f"a time pool has 1 … {SEGMENTS_MAX // 2} slots ahead, of a second or more")
        self._clerk, self._name, self._clock = clerk, name, clock
        self._slot, self._ahead = slot // timedelta(microseconds=1), ahead // slot
        self._teller = None if store is None else Teller(clerk.journal, name, self._slot, store)

    async def open(self, kinds: Mapping[str, int], *, rules: tuple[Rule, ...] = ()) -> None:
        """So many of each kind, from now on. A pool that is open already stays as it is. Raises `BadCommand`."""
        if self._teller is not None:
            check_sizes(kinds)
        now = self._clock.wall()
        first = now // self._slot
        pools = tuple(Pool(kind, capacity=count, binding=Binding.NEVER) for kind, count in kinds.items())
        line = Line(self._labels(first, first + self._ahead), origin=first)
        if not (await self._clerk.read(self._name)).state.version:
            await self._clerk.do(self._name, commands.Open("open", now, line, pools, rules, (Sale(opens_at=WHENEVER),)))
        await self.tell()

    async def reserve(
        self, kind: str, count: int, start: datetime, end: datetime, *, id: str, tenant: str = ""
    ) -> int | Refusal:
        """So many of a kind from `start` until `end`, all or none: the number of the reservation, or why not. The same
        `id` gets the same answer. Raises `BadCommand` for a kind or a time that the pool does not have."""
        first, last = self._section(start, end)
        now = self._clock.wall()
        held = await self._clerk.do(
            self._name, commands.Hold(f"{id}/hold", now, kind, first, last, count, channel=tenant)
        )
        if not isinstance(held, Held):
            assert isinstance(held, Refusal)
            return held
        kept = await self._clerk.do(self._name, commands.Confirm(f"{id}/keep", now, held.order))
        await self.tell()
        if isinstance(kept, Confirmed):
            return held.order
        return kept if isinstance(kept, Refusal) else Refusal(Reason.EXPIRED)  # asked again when the hold was over

    async def give_back(self, reservation: int) -> bool:
        """Free what was reserved, all of it; whether there was anything."""
        words = commands.Refund(f"give back {reservation}", self._clock.wall(), reservation)
        done = bool(await self._clerk.do(self._name, words))
        await self.tell()
        return done

    async def free(self, kind: str, start: datetime, end: datetime, *, tenant: str = "") -> int:
        """How many of a kind can be reserved all the time from `start` until `end`."""
        state = (await self._clerk.read(self._name)).state
        return query.available(state, kind, *self._section(start, end), at=self._clock.wall(), channel=tenant)

    async def earliest(self, kind: str, count: int, length: timedelta, *, after: datetime) -> datetime | None:
        """When so many of a kind are first free for so long, rules aside; None: not as far as the pool reaches."""
        state = (await self._clerk.read(self._name)).state
        slots = -(-length // timedelta(microseconds=self._slot))
        found = query.earliest(state, kind, count, slots, after=-(-to_micros(after) // self._slot))
        return None if found == NOWHERE else to_datetime(found * self._slot)

    async def advance(self) -> None:
        """Forget what has passed, and open as much time anew. Once a slot is enough; more often does no harm."""
        now = self._clock.wall()
        first = now // self._slot
        state = (await self._clerk.read(self._name)).state
        last = state.origin + state.segments
        if first > state.position:
            labels = self._labels(last + 1, max(last, first + self._ahead))
            await self._clerk.do(self._name, commands.Advance(f"advance {first}", now, first, labels, forget=True))
        await self.tell()

    async def tell(self) -> None:
        """Have the dispatcher know what is committed. All that changes the pool does so at its end; if that raises, or
        the process dies before it, repeat what you asked, or this."""
        if self._teller is not None:
            await self._teller.tell()

    def _section(self, start: datetime, end: datetime) -> tuple[int, int]:
        if end <= start:
            raise BadCommand(f"a reservation ends after it begins; this one goes from {start} to {end}")
        return to_micros(start) // self._slot, -(-to_micros(end) // self._slot)

    def _labels(self, first: int, last: int) -> tuple[str, ...]:
        return tuple(f"{to_datetime(slot * self._slot):%Y-%m-%d %H:%M:%S}" for slot in range(first, last + 1))
