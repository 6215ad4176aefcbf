"""Work that waits for nobody: due in a queue that no worker serves, of a task that none has, for tags that none has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from shike.connect.alarms.base import Finding, Rule, check_threshold, found, is_meant, seconds_of
from shike.connect.alarms.bounds import HALLS_READ
from shike.connect.alarms.sight import Sight
from shike.errors import BadInput
from shike.model import Route
from shike.operate.unserved import WORKERS
from shike.scheduler.peers import load_of
from shike.track.settle import options_of
from shike.trigger.duration import Duration
from shike.worker.serving import unpack

NOBODY = "all queues"
QUEUES_SHOWN = 5


class NoWorker(Rule, frozen=True):
    """Runs are due, and no live worker may have them, for so long. Subjects: `queue NAME`, `task NAME`, `tags a,b`.

    `of`: a pattern of these; nothing: all.
    """

    kind: ClassVar[str] = "no_worker"
    longer: Duration = "1m"
    of: str = ""

    def __post_init__(self) -> None:
        check_threshold(self.kind, seconds_of(self.longer), 0, "longer")

    @property
    def name(self) -> str:
        return f"{self.kind}{f':{self.of}' if self.of else ''}>{seconds_of(self.longer):g}s"

    @property
    def after_seconds(self) -> float:  # type: ignore[override]
        return seconds_of(self.longer)

    @classmethod
    def read(cls, subject: str, threshold: str) -> NoWorker:
        return cls(threshold or "1m", subject)

    def eyes(self) -> Nobody:
        return Nobody(self.of)


class Nobody:
    """Lays what is due beside what live workers have told."""

    def __init__(self, of: str) -> None:
        self._of = of

    async def look(self, sight: Sight) -> list[Finding]:
        findings = [*await self._unserved(sight), *await self._tags(sight)]
        return [one for one in findings if is_meant(one.subject, self._of)]

    async def _unserved(self, sight: Sight) -> list[Finding]:
        due = await sight.oldest()
        if not due:
            return []
        workers = [unpack(one.load) for one in await sight.sessions() if one.kind in WORKERS]
        if not workers:
            queues = ", ".join(sorted(due)[:QUEUES_SHOWN])
            return [found("no_worker", NOBODY, amount=len(due), queues=queues)]
        served, tasks = _union([one.queues for one in workers]), _union([one.tasks for one in workers])
        findings = [
            found("no_worker_queue", f"queue {queue}", queue=queue)
            for queue in due
            if served is not None and queue not in served
        ]
        return findings if tasks is None else findings + await self._tasks(sight, list(due)[:HALLS_READ], tasks)

    async def _tasks(self, sight: Sight, queues: Sequence[str], tasks: set[str]) -> list[Finding]:
        held = await sight.held()
        first = [live.run for queue in queues for live in await sight.heads(queue)]
        wanted = Counter(run.task for run in first if run.task not in tasks and not held.run(run))
        return [
            found("no_worker_task", f"task {task}", amount=runs, count=runs, task=task) for task, runs in wanted.items()
        ]

    async def _tags(self, sight: Sight) -> list[Finding]:
        """Runs in halls, whose route asks for tags that no worker has together."""
        have = [set(load_of(one).tags) for one in await sight.sessions() if one.kind in WORKERS]
        wanted: Counter[tuple[str, ...]] = Counter()
        held = await sight.held()
        for live in await sight.halls():
            if held.run(live.run):
                continue
            try:
                route = options_of(live.run.options).route or Route()
            except BadInput:  # a newer program's
                continue
            if route.required and not any(set(route.required) <= tags for tags in have):
                wanted[tuple(sorted(route.required))] += 1
        return [
            found("no_worker_tags", f"tags {','.join(tags)}", amount=runs, count=runs, tags=", ".join(tags))
            for tags, runs in wanted.items()
        ]


def _union(parts: Sequence[tuple[str, ...] | None]) -> set[str] | None:
    """All that is served; None where one did not say (in its first second, or another version): it may serve all."""
    if any(part is None for part in parts):
        return None
    return {word for part in parts for word in part or ()}
