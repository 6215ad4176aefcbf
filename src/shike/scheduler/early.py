"""Holders whose moment is ahead again: they give their permits to those whose moment has come.

A run is let in when its moment has come. It stands ahead again after the store's clock was set back, or when a person
puts it off. Holding its permits until then it would make all of its key wait as long. One that has begun once, and
waits for its next attempt, keeps them: work that is under way is not overtaken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from shike.clock import MICROS
from shike.model import Live, State
from shike.scheduler.together import together
from shike.store.base import Store

AHEAD_MICROS = MICROS  # what begins so soon is not worth a place at the end of the queue
LOOK_SECONDS = 5.0  # at who holds one permit, and longer where many do
MANY = 100  # holders: a permit of so many is looked at as much more seldom
PERMITS_KEPT = 10_000


class Early:
    """Looks at who holds permits that others wait for, each permit now and then."""

    def __init__(self, store: Store, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now
        self._looked: dict[str, int] = {}  # permit → when

    async def find(self, holders: Mapping[str, Sequence[int]]) -> list[Live]:
        """Of those that hold these permits, whoever stands ahead and has never begun."""
        now = self._now()
        asked = [permit for permit, held in holders.items() if held and self._is_time(permit, len(held), now)]
        lives = await together(self._store.live, list({run_id: None for permit in asked for run_id in holders[permit]}))
        ahead = [live for live in lives if live is not None and _is_ahead(live, now)]
        begun = await together(self._store.attempts, [live.run.id for live in ahead])
        return [live for live, attempts in zip(ahead, begun, strict=True) if not attempts]

    def _is_time(self, permit: str, count: int, now: int) -> bool:
        looked = self._looked.get(permit, 0)
        if 0 <= now - looked < LOOK_SECONDS * MICROS * max(1.0, count / MANY):
            return False
        if len(self._looked) >= PERMITS_KEPT:
            self._looked.clear()
        self._looked[permit] = now
        return True


def _is_ahead(live: Live, now: int) -> bool:
    return live.state is State.SCHEDULED and live.run_at > now + AHEAD_MICROS
