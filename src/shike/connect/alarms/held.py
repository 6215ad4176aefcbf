"""What is held back on purpose: neither its silence nor its backlog is anybody's fault."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from shike.lanes import queue_of
from shike.model import Run
from shike.store.base import QUEUE_SWITCH, Store
from shike.store.past import listed
from shike.store.pauses import NOTHING, PAUSE, TASK, Paused, paused_of

Tags = Mapping[str, frozenset[str]]  # of each task that this program has; others are not known


class Held(Struct, frozen=True):
    """All pauses as they are now."""

    queues: frozenset[str] = frozenset()
    others: Paused = NOTHING
    tags: Tags = {}

    @property
    def is_plain(self) -> bool:
        """Whether nothing but queues is paused."""
        return self.others == NOTHING

    def task(self, name: str) -> bool:
        """Whether a task is paused, or a tag of it."""
        return name in self.others.tasks or not self.others.tags.isdisjoint(self.tags.get(name, ()))

    def queue(self, name: str) -> bool:
        return queue_of(name) in self.queues

    def run(self, run: Run) -> bool:
        """Whether a run is held back by its queue, its task, a tag of that, or its business key."""
        return self.queue(run.queue) or self.task(run.task) or self.others.holds(run)


def held_of(queue_rows: Iterable[str], pause_rows: Iterable[str], tags: Tags) -> Held:
    """Of the keys of control rows."""
    queues = frozenset(row.removeprefix(QUEUE_SWITCH) for row in queue_rows)
    return Held(queues, paused_of(pause_rows), tags)


async def last_held(store: Store, task: str, queue: str) -> int:
    """When the last pause of a task or a queue ended (UTC µs), as far as is kept; 0: none did."""
    switches = [PAUSE + TASK + task if task else "", QUEUE_SWITCH + queue_of(queue) if queue else ""]
    past = [one for switch in filter(None, switches) for one in await listed(store, switch)]
    return max((one.until for one in past), default=0)
