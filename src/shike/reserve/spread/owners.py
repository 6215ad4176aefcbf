"""Which process writes which ledgers: the virtual buckets of a store, leased and fenced as those of schedulers are.

A ledger lies in the virtual bucket of its name, for ever. Processes share the buckets evenly. One that dies loses them
within three seconds; one that cannot reach the store stops by its own clock before others may take them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from shike.ids import virtual_bucket
from shike.reserve.spread.bounds import OWNER_LEASE_SECONDS, PARTS_MIN
from shike.runtime import Role, Runtime, woken
from shike.scheduler.buckets import Buckets
from shike.scheduler.decider import Decider
from shike.scheduler.rescue import Rescuer
from shike.session import Member
from shike.store.base import Store
from shike.store.hints import Hint

KIND: Final = "node"  # of the session: those share buckets


class Owners:
    """One of the processes. The store is theirs alone (a namespace of its own, PARTS virtual buckets), and open."""

    def __init__(
        self, store: Store, runtime: Runtime, *, name: str = "", lease_seconds: float = OWNER_LEASE_SECONDS
    ) -> None:
        self._store, self._runtime = store, runtime
        self._member = Member(store, runtime, kind=KIND, name=name, lease_seconds=lease_seconds)
        self._buckets = Buckets(store, self._member, runtime.clock, self._changed)
        self._decider = Decider(
            store, self._member, runtime.clock, self._buckets, min(PARTS_MIN, store.virtual_buckets)
        )
        self._rescuer = Rescuer(store, self._member, runtime.clock, lease_seconds)
        self._roles: list[Role] = []
        self._unlisten: Callable[[], None] = lambda: None
        self._news = asyncio.Event()
        self.on_lost: list[Callable[[frozenset[int]], None]] = []  # parts that are no longer ours
        self._had: frozenset[int] = frozenset()

    async def start(self) -> None:
        """Join the others."""
        await self._member.join()
        self._unlisten = self._store.listen(self._hinted)
        for name, role in (
            ("buckets", self._buckets.run),
            ("decider", self._decider.run),
            ("rescuer", self._rescuer.run),
        ):
            self._roles.append(self._runtime.start(role, f"ledgers-{name}"))

    async def stop(self) -> None:
        """Leave: the others have our share before we are gone."""
        self._unlisten()
        for role in self._roles:
            await role.stop()
        self._roles.clear()
        await self._buckets.hand_over()
        self._changed()
        await self._member.leave()

    @property
    def identity(self) -> str:
        """Of the present session; "" between two."""
        return self._member.session.id if self._member.session is not None else ""

    def part_of(self, ledger: str) -> int:
        """The virtual bucket in which a ledger lies."""
        return virtual_bucket(ledger, self._store.virtual_buckets)

    def has(self, part: int) -> bool:
        """Whether its ledgers are ours to write at this instant."""
        return self._buckets.holder_of(part) is not None

    def parts(self) -> list[int]:
        """All that are ours at this instant."""
        return [part for bucket in self._buckets.in_hand() for part in range(bucket.low, bucket.high + 1)]

    def doubt(self) -> None:
        """Another writer was there: look again who owns what."""
        self._buckets.doubt()
        self._changed()

    async def news(self, seconds: float) -> None:
        """Wait for a change of what is ours, at most so long."""
        self._news.clear()
        await woken(self._news, seconds)

    def _changed(self) -> None:
        now = frozenset(part for bucket in self._buckets.owned.values() for part in range(bucket.low, bucket.high + 1))
        lost, self._had = self._had - now, now
        if lost:
            for tell in self.on_lost:
                tell(lost)
        self._news.set()

    def _hinted(self, hint: Hint) -> None:
        self._buckets.hinted(hint)
        self._rescuer.hinted(hint)
