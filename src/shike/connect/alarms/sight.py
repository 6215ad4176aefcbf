"""One look at the store: each read at most once, however many rules ask; bounded, and never over a hot table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, cast

from shike.clock import WALL_MIN
from shike.connect.alarms.bounds import (
    DEAD_READ,
    FINDS_MAX,
    HALL_READ,
    HALLS_READ,
    LIVE_READ,
    MOMENTS_READ,
    QUEUES_READ,
)
from shike.connect.alarms.held import Held, Tags, held_of
from shike.lanes import is_hall, queue_of
from shike.model import TERMINAL, Ended, Live, Planned, Session, State, TimetableRow
from shike.store.base import QUEUE_SWITCH, Counts, RunFilter, Store
from shike.store.pauses import PAUSE

T = TypeVar("T")

LIVE: Final = tuple(state for state in State if state not in TERMINAL)


class Sight:
    """What rules look at. `now` is the store's clock (UTC µs)."""

    def __init__(self, store: Store, now: int, tags: Tags | None = None) -> None:
        self.store = store
        self.now = now
        self._tags = tags or {}
        self._known: dict[str, Any] = {}
        self._finds_left = FINDS_MAX

    async def _once(self, name: str, read: Callable[[], Awaitable[T]]) -> T:
        if name not in self._known:
            self._known[name] = await read()
        return cast(T, self._known[name])

    async def counts(self) -> Counts:
        return await self._once("counts", self.store.counts)

    async def sessions(self) -> list[Session]:
        """Of processes that live, as far as is known."""

        async def read() -> list[Session]:
            return [one for one in await self.store.sessions() if not self.store.is_gone(one.id)]

        return await self._once("sessions", read)

    async def schedules(self) -> list[Planned]:
        """Those that plan something."""

        async def read() -> list[Planned]:
            return [one for one in await self.store.schedules() if not one.deleted and not one.paused]

        return await self._once("schedules", read)

    async def letters(self) -> list[Ended]:
        """The newest dead letters that nobody has replayed."""

        async def read() -> list[Ended]:
            return [one for one in await self.store.dead(DEAD_READ) if not one.replayed_as]

        return await self._once("letters", read)

    async def failing(self) -> list[Live]:
        """Runs whose last attempt failed, and that are tried again: those among the newest LIVE_READ by id. To look for
        them by their state would go through all that is alive."""

        async def read() -> list[Live]:
            found = await self.store.runs(RunFilter(states=LIVE, limit=LIVE_READ))
            return [one for one in found if isinstance(one, Live) and one.state is State.FAILED]

        return await self._once("failing", read)

    async def held(self) -> Held:
        """What is held back on purpose."""

        async def read() -> Held:
            queues = [row.key for row in await self.store.controls(QUEUE_SWITCH)]
            return held_of(queues, [row.key for row in await self.store.controls(PAUSE)], self._tags)

        return await self._once("held", read)

    async def oldest(self) -> dict[str, int]:
        """Since when (UTC µs) the oldest eligible run of each queue waits. Not in it are paused queues, and runs that
        are held back by their task, a tag or their key; a lane whose first HALL_READ runs all are counts as empty."""

        async def read() -> dict[str, int]:
            held, last = await self.held(), self.store.virtual_buckets - 1
            found: dict[str, int] = {}
            for run_at, lane in await self.store.due(0, last, WALL_MIN - 1, self.now, QUEUES_READ):
                queue = queue_of(lane)
                if queue in held.queues:
                    continue
                since = run_at if held.is_plain else await self._first_of(lane, held)
                if since:
                    found[queue] = min(found.get(queue, since), since)
            return found

        return await self._once("oldest", read)

    async def _first_of(self, lane: str, held: Held) -> int:
        """Of the first runs of a lane, since when the oldest waits that nothing holds back; 0: there is none."""
        first = [live for live in await self.heads(lane) if not held.run(live.run)]
        return min((live.run_at for live in first), default=0)

    async def halls(self) -> list[Live]:
        """The first runs of each hall: routed, and nobody has them yet."""

        async def read() -> list[Live]:
            lanes = [one.lane for one in await self.store.lanes() if is_hall(one.lane)]
            return [live for lane in lanes[:HALLS_READ] for live in await self.store.standing(lane, HALL_READ)]

        return await self._once("halls", read)

    async def heads(self, lane: str) -> list[Live]:
        """The first eligible runs of a lane; of a queue's shared one: what no worker may have gathers there."""
        return await self._once(f"heads {lane}", lambda: self.store.standing(lane, HALL_READ))

    async def moments(self, schedule: str, since: int) -> list[TimetableRow]:
        """The newest rows of a schedule's timetable from `since` until now, the newest first."""

        async def read() -> list[TimetableRow]:
            return (await self.store.timetable(schedule, since, self.now + 1))[-MOMENTS_READ:][::-1]

        return await self._once(f"moments {since} {schedule}", read)

    async def find(self, run_id: int) -> Live | Ended | None:
        """A run; None also where FINDS_MAX were looked up before."""
        if self._finds_left <= 0:
            return None
        self._finds_left -= 1
        return await self.store.find(run_id)
