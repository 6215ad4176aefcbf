"""Ends that no step of a worker tells: one node follows the history of the runs that did not succeed (R2.11).

A success is reported by a worker, and the write that settles it submits the run that tells it. Any other end may be
anybody's deed: a worker's, an operator's, a scheduler's, a rescuer's, a parent's that failed. All of them stand in the
history, so that is read, from where the last look came to. How far one has come is a row in the store for each outlet.
A node that is killed between telling and noting leaves it to the next one, which reads on from the old place; what was
told by then is known by its key.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from shike.call import Task
from shike.clock import MICROS
from shike.connect.bounds import (
    FOLLOW_LATE_SECONDS,
    FOLLOW_NOTE_SECONDS,
    FOLLOW_PAGE,
    FOLLOW_PAUSE_SECONDS,
    FOLLOW_SECONDS,
    TOLD_SECONDS,
)
from shike.errors import Conflict, StoreError
from shike.model import Ended, State
from shike.outage import Outage
from shike.scheduler.duty import Post
from shike.store.base import Control, Store
from shike.store.hints import Hint, HintKind

if TYPE_CHECKING:
    from shike.app import Shike
    from shike.client import Client

log = logging.getLogger("shike.connect")

CURSOR: Final = "outlet/"  # CURSOR + the name of an outlet: a control row, the store's time of the last look


class Told(Struct, frozen=True):
    """Who is told of the ends of which tasks."""

    name: str
    tasks: frozenset[str]
    states: frozenset[State]
    teller: Task[Any, Any]  # takes a run's id

    def wants(self, ended: Ended) -> bool:
        return ended.run.task in self.tasks and ended.state in self.states


class Follower:
    """The duty of all outlets of one app."""

    name = "outlets"

    def __init__(self, client: Client) -> None:
        self._client = client
        self._told: list[Told] = []
        self._seen: dict[int, int] = {}  # ends that this process has handed over, by id: when they were

    def add(self, told: Told) -> None:
        self._told.append(told)

    async def run(self, post: Post) -> None:
        """The role: after each hint of an end, and every FOLLOW_SECONDS without one."""
        outage = Outage(log, "following the ends of runs")
        ended = asyncio.Event()

        def heard(hint: Hint) -> None:
            if hint.kind in (HintKind.ENDED, HintKind.MISSED):
                ended.set()

        unlisten = post.store.listen(heard)
        try:
            while True:
                pause = FOLLOW_PAUSE_SECONDS
                try:
                    if post.is_ours():
                        ended.clear()
                        await self.look(post.store)
                    else:
                        self._seen.clear()  # others go on from here, and perhaps from before
                    outage.over()
                except StoreError as error:
                    pause = max(pause, outage.pause(error))
                await asyncio.sleep(pause)
                await _either(ended, FOLLOW_SECONDS)
        finally:
            unlisten()

    async def look(self, store: Store) -> None:
        """Once: from each outlet's place up to now."""
        now = await store.now()
        rows = {row.key: row for row in await store.controls(CURSOR)}
        since = {told.name: _since(rows.get(CURSOR + told.name), now) for told in self._told}
        at, behind = min(since.values()), 0
        while page := await store.unsuccessful(at, behind, FOLLOW_PAGE):
            await self._hand_over(page, since)
            at, behind = page[-1].ended_at, page[-1].run.id
            if len(page) < FOLLOW_PAGE:
                break
        for told in self._told:
            await _note(store, told.name, rows.get(CURSOR + told.name), now)
        late = min(now, *since.values())
        self._seen = {run_id: when for run_id, when in self._seen.items() if when >= late}

    async def _hand_over(self, page: Sequence[Ended], since: dict[str, int]) -> None:
        """Submit the runs that tell. Each has a key, so a second one of an end is refused for TOLD_SECONDS."""
        new = [ended for ended in page if ended.run.id not in self._seen]
        calls = [
            told.teller.options(key=f"{CURSOR}{told.name}/{ended.run.id}", key_ttl=TOLD_SECONDS).bind(str(ended.run.id))
            for ended in new
            for told in self._told
            if told.wants(ended) and ended.ended_at >= since[told.name]
        ]
        if calls:
            await self._client.deliver(await self._client.entries(calls))
        self._seen.update((ended.run.id, ended.ended_at) for ended in new)


def _since(row: Control | None, now: int) -> int:
    """From where on to look: a step that was under way at the last look may have ended runs before it. An outlet that
    is new begins there, too."""
    return (now if row is None else int(row.value)) - round(FOLLOW_LATE_SECONDS * MICROS)


async def _note(store: Store, name: str, row: Control | None, now: int) -> None:
    """All up to here is handed over."""
    if row is not None and now - int(row.value) < FOLLOW_NOTE_SECONDS * MICROS:
        return
    try:
        await store.put(CURSOR + name, b"%d" % now, expect=row.version if row is not None else 0)
    except Conflict:  # two nodes at once, for a moment: both have told all
        return


async def _either(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def follower_of(app: Shike) -> Follower:
    """The follower of an app: made with its first outlet."""
    for duty in app.duties:
        if isinstance(duty, Follower):
            return duty
    follower = Follower(app.client)
    app.duties.append(follower)
    return follower
