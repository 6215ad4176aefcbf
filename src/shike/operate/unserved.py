"""Work that waits for nobody: due runs in queues that no live worker serves, or of tasks that none has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from shike.model import Planned, Session, State
from shike.operate.runs import runs_of
from shike.store.base import QUEUE_SWITCH, RunFilter, Store
from shike.worker.serving import unpack

WORKERS = ("worker", "all")
RUNS_READ = 200  # of each queue: more are told as "so many or more"


class Unserved(Struct, frozen=True, kw_only=True):
    """What nobody serves: a queue, with how many due runs; a task, with those and the schedules that want it."""

    queues: dict[str, int]
    tasks: dict[str, int]
    schedules: dict[str, list[str]]  # by task


async def unserved(store: Store, sessions: Iterable[Session], schedules: Iterable[Planned]) -> Unserved:
    """Look for it. A worker that has not told yet what it serves (the first second, another version) may serve all."""
    told = [unpack(session.load) for session in sessions if session.kind in WORKERS]
    queues = None if not told else _union([one.queues for one in told])
    tasks = None if not told else _union([one.tasks for one in told])
    found = Unserved(queues={}, tasks={}, schedules={})
    for name, due in (await _due(store)).items():
        if queues is not None and name not in queues:
            found.queues[name] = due.total()
        for task, count in due.items():
            if tasks is not None and task not in tasks:
                found.tasks[task] = found.tasks.get(task, 0) + count
    for planned in schedules:
        if tasks is not None and planned.schedule.task not in tasks and not planned.paused:
            found.schedules.setdefault(planned.schedule.task, []).append(planned.schedule.name)
    return found


async def _due(store: Store) -> dict[str, Counter[str]]:
    """How many due runs each queue that is not paused has, by task."""
    paused = {row.key.removeprefix(QUEUE_SWITCH) for row in await store.controls(QUEUE_SWITCH)}
    found = {}
    for queue in sorted((await store.counts()).by_queue.keys() - paused):
        runs = await runs_of(store, RunFilter(states=(State.PENDING,), queue=queue, limit=RUNS_READ))
        if runs:
            found[queue] = Counter(known.run.task for known in runs)
    return found


def _union(parts: Sequence[tuple[str, ...] | None]) -> set[str] | None:
    """All that is served; None where one did not say."""
    served: set[str] = set()
    for part in parts:
        if part is None:
            return None
        served.update(part)
    return served
