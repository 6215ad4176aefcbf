"""The decision service: one node watches how late all buckets are, and says how many there should be.

It is whoever owns the first virtual bucket; should two believe so for a moment, one of them finds that its decision's
number is taken. A decision is a row, with its reason and what it was seen from; carrying it out is every node's own
work (`shike.scheduler.buckets`). On a store of one virtual bucket there is nothing to decide.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from shike.bounds import BEAT_SECONDS, DECISIONS_KEPT, SLEEP_SECONDS_MAX
from shike.clock import MICROS, Clock
from shike.errors import Conflict, StoreError
from shike.model import Load, Session
from shike.scheduler.buckets import Buckets
from shike.scheduler.decision import DECISIONS, Bounds, Decision, Sight, decide, packed
from shike.scheduler.forecast import Forecast, Outlook
from shike.scheduler.lateness import width
from shike.scheduler.peers import load_of, read_load
from shike.scheduler.shares import Range
from shike.session import Member
from shike.store.base import Control, Store

log = logging.getLogger("shike.scheduler")

NUMBER_DIGITS = 9  # so that rows lie in the order of their numbers


class Decider:
    """Looks once a second at what the beats told; asks the store nothing unless it decides."""

    def __init__(
        self, store: Store, member: Member, clock: Clock, buckets: Buckets, least: int, forecast: Forecast | None = None
    ) -> None:
        self._store = store
        self._member = member
        self._clock = clock
        self._buckets = buckets
        self._bounds = Bounds(most=store.virtual_buckets, least=least)
        self._calm_since = clock.monotonic()
        self._outlook = Outlook(forecast, clock)
        self._width = width(store.virtual_buckets)

    async def run(self) -> None:
        """The role."""
        if self._bounds.most == 1:
            return
        while True:
            await asyncio.sleep(SLEEP_SECONDS_MAX)
            try:
                await self._look()
            except StoreError as error:
                log.warning("deciding about buckets is put off: %s", error)

    async def _look(self) -> None:
        own = read_load(self._member.load())
        late_ms, started_late_ms = self._late(own), self._started_late(own)
        if not self._is_due([*late_ms.values(), *started_late_ms.values()]):
            return
        expected = await self._outlook.per_second(self._buckets.wanted)
        sight = self._sight(late_ms, started_late_ms, expected)
        decided = decide(sight, self._bounds)
        if decided is not None:
            await self._write(sight, *decided)

    def _is_due(self, late_ms: list[int]) -> bool:
        """Whether it is ours to decide. A node that was not the decider before knows of no calm."""
        mine = self._buckets.holder_of(0) is not None
        if not mine or any(late > self._bounds.calm_ms for late in late_ms):
            self._calm_since = self._clock.monotonic()
        return mine

    def _late(self, own: Load) -> dict[int, int]:
        """How late each bucket is, by its lowest virtual bucket: ours as we know it, the others' as they told."""
        late_ms = dict(own.late_ms)
        for node in self._heard():
            late_ms |= load_of(node).late_ms
        return late_ms

    def _heard(self) -> list[Session]:
        """The other nodes that live: what the store has of us is older than what we know, and what a node told before
        it fell silent is over."""
        own = self._member.session.id if self._member.session is not None else ""
        alive = self._buckets.peers.alive("")
        return [node for node in self._buckets.peers.nodes if node.id != own and node.id in alive]

    def _started_late(self, own: Load) -> dict[int, int]:
        """The same of runs that workers had room for, beyond the beat that makes up for a hint that never came.

        A node alone looks at the others seldom, and hears them as seldom.
        """
        loads = [own, *(load_of(one) for one in [*self._buckets.peers.tellers(), *self._heard()])]
        found: dict[int, int] = {}
        for low, high in self._buckets.wanted:
            late = [ms for load in loads for at, ms in load.started_late_ms.items() if low - self._width < at <= high]
            beyond = max(late, default=0) - round(BEAT_SECONDS * 1000)
            if beyond > 0:
                found[low] = beyond
        return found

    def _sight(
        self, late_ms: dict[int, int], started_late_ms: dict[int, int], expected: Mapping[Range, float]
    ) -> Sight:
        own = self._member.session.id if self._member.session is not None else ""
        last = self._buckets.decision
        since = (self._member.store_now() - last.at) / MICROS if last is not None else float("inf")
        return Sight(
            wanted=self._buckets.wanted,
            late_ms=late_ms,
            nodes=len(self._buckets.peers.alive(own)),
            seconds_since_last=since if since >= 0 else float("inf"),  # the store's clock was set back
            calm_seconds=self._clock.monotonic() - self._calm_since,
            started_late_ms=started_late_ms,
            expected_per_second=expected,
        )

    async def _write(self, sight: Sight, wanted: tuple[Range, ...], reason: str) -> None:
        rows = await self._store.controls(DECISIONS)
        decision = Decision(
            number=_number(rows) + 1,
            at=await self._store.now(),
            lows=tuple(low for low, _ in wanted),
            reason=reason,
            nodes=sight.nodes,
            late_ms=dict(sight.late_ms),
            started_late_ms=dict(sight.started_late_ms),
            expected_per_second={low: round(runs, 1) for (low, _), runs in sight.expected_per_second.items()},
        )
        try:
            await self._store.put(f"{DECISIONS}{decision.number:0{NUMBER_DIGITS}}", packed(decision), expect=0)
        except Conflict:
            self._buckets.look()  # another node has decided
            return
        log.info("%d buckets instead of %d: %s", len(wanted), len(sight.wanted), reason)
        self._calm_since = self._clock.monotonic()
        self._buckets.look()
        for row in rows[: max(len(rows) + 1 - DECISIONS_KEPT, 0)]:
            await self._store.put(row.key, None, expect=row.version)


def _number(rows: list[Control]) -> int:
    last = rows[-1].key.removeprefix(DECISIONS) if rows else "0"
    return int(last) if last.isdecimal() else 0
