"""The rescuer: closes dead sessions for ever and gives back what they held.

A session is dead when its process is provably gone, or when the store's clock says that its lease is over *and* we
ourselves have seen no beat of it for one whole lease on our own monotonic clock.
"""

from __future__ import annotations

import asyncio
import logging
import math

from shike.bounds import SLEEP_SECONDS_MAX
from shike.clock import Clock
from shike.counted import counted
from shike.errors import StoreError
from shike.model import Session
from shike.session import Member
from shike.store.base import Store
from shike.store.expiry import is_over
from shike.store.hints import Hint, HintKind

log = logging.getLogger("shike.scheduler")

LEASES_PER_STEP = 50
LOOKS_PER_LEASE = 4


class Rescuer:
    """Watches all sessions but its own. `rescued` counts runs that were given back."""

    def __init__(self, store: Store, member: Member, clock: Clock, lease_seconds: float) -> None:
        self._store = store
        self._member = member
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._seen: dict[str, tuple[int, float]] = {}  # session → (beat, when first seen on our clock)
        self._others: list[str] = []
        self._look_at = 0.0
        self.rescued = 0

    def hinted(self, hint: Hint) -> None:
        """Somebody joined: from now on there is somebody to watch."""
        if hint.kind is HintKind.SESSION and hint.name != self._own():
            self._look_at = 0.0

    async def run(self) -> None:
        """The role. Alone, it looks once a lease; with others around, LOOKS_PER_LEASE times."""
        while True:
            if self._clock.monotonic() >= self._look_at or any(self._store.is_gone(other) for other in self._others):
                self._look_at = math.inf  # whoever joins from here on is looked at next time
                try:
                    await self._look()
                except StoreError as error:
                    log.warning("rescuing is repeated: %s", error)
                pause = self._lease_seconds / (LOOKS_PER_LEASE if self._others else 1)
                self._look_at = min(self._look_at, self._clock.monotonic() + pause)
            await asyncio.sleep(min(SLEEP_SECONDS_MAX / 2, self._lease_seconds / LOOKS_PER_LEASE))

    def _own(self) -> str:
        return self._member.session.id if self._member.session else ""

    async def _look(self) -> None:
        now = await self._store.now()
        for session in await self._store.left_over():
            await self._clear(session)
        own = self._own()
        others = [session for session in await self._store.sessions() if session.id != own]
        for session in others:
            if self._is_dead(session, now):
                await self._bury(session)
        self._others = [session.id for session in others]
        self._seen = {name: self._seen[name] for name in self._others if name in self._seen}

    def _is_dead(self, session: Session, now: int) -> bool:
        beat, since = self._seen.get(session.id, (-1, 0.0))
        moment = self._clock.monotonic()
        if beat != session.beat:
            self._seen[session.id] = (session.beat, moment)
            since = moment
        if self._store.is_gone(session.id):
            return True
        return is_over(session, now) and moment - since >= max(session.lease_seconds, self._lease_seconds)

    async def _bury(self, session: Session) -> None:
        reason = "its process is gone" if self._store.is_gone(session.id) else "no beat for a whole lease"
        if await self._store.close_session(session.id, seen_beat=session.beat, reason=reason):
            log.warning("session %s (%s) is over: %s", session.id[:8], session.name, reason)
            await self._clear(session)

    async def _clear(self, session: Session) -> None:
        """Free a closed session's leases: ours to do even if another closed it and died over it."""
        left = True
        while left:
            freed = await self._store.free(session.id, LEASES_PER_STEP)
            self.rescued += len(freed.requeued)
            left = freed.left
            if freed.requeued or freed.dead:
                log.warning("rescued %s of session %s", counted(len(freed.requeued), "run"), session.id[:8])
