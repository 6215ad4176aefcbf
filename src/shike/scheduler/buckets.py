"""Which buckets this node looks after: taken by compare-and-set on their epoch, dropped when the session dies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from shike.bounds import SLEEP_SECONDS_MAX
from shike.errors import Conflict, StoreError
from shike.model import Bucket
from shike.runtime import woken
from shike.session import Member
from shike.store.base import Store

log = logging.getLogger("shike.scheduler")

LOOK_SECONDS = 2.5  # how often a node that stands by looks whether a bucket became free


class Buckets:
    """The buckets in hand. Every write of the planner carries their epoch, so an old owner can do no harm."""

    def __init__(self, store: Store, member: Member, changed: Callable[[], None]) -> None:
        self._store = store
        self._member = member
        self._changed = changed
        self._look = asyncio.Event()
        self.owned: dict[int, Bucket] = {}  # by their lowest virtual bucket
        member.on_lost.append(self._lost)
        member.on_joined.append(self._look.set)

    def holder_of(self, virtual_bucket: int) -> Bucket | None:
        """The bucket in hand that this virtual bucket belongs to."""
        for bucket in self.owned.values():
            if bucket.low <= virtual_bucket <= bucket.high:
                return bucket
        return None

    def doubt(self) -> None:
        """A write was refused for its epoch: look again who owns what."""
        self.owned.clear()
        self._look.set()

    async def run(self) -> None:
        """The role: takes what is free, then stands by. A node that owns everything costs nothing."""
        while True:
            complete = False
            try:
                complete = await self._take_free()
            except StoreError as error:
                log.warning("cannot look after buckets: %s", error)
            await woken(self._look, None if complete else LOOK_SECONDS)
            self._look.clear()

    async def _take_free(self) -> bool:
        session = self._member.session
        if session is None:
            await asyncio.sleep(SLEEP_SECONDS_MAX / 4)
            return False
        buckets = await self._store.buckets()
        before = dict(self.owned)
        open_sessions = (
            {known.id for known in await self._store.sessions()} if len(self.owned) < len(buckets) else set()
        )
        for bucket in buckets:
            if bucket.owner == session.id or bucket.owner not in open_sessions:
                await self._take(session.id, bucket)
        if self.owned != before:
            self._changed()
        return len(self.owned) == len(buckets)

    async def _take(self, identity: str, bucket: Bucket) -> None:
        try:
            self.owned[bucket.low] = await self._store.own(identity, bucket.low, bucket.high, bucket.epoch)
        except Conflict:
            self.owned.pop(bucket.low, None)

    def _lost(self, _reason: str) -> None:
        self.owned.clear()
        self._changed()
