"""A backlog that grows: the oldest run of a queue has waited long, and waits longer each time that one looks."""

from __future__ import annotations

from typing import ClassVar

from shike.clock import MICROS
from shike.connect.alarms.base import Finding, Rule, check_threshold, found, is_meant, seconds_of
from shike.connect.alarms.sight import Sight
from shike.trigger.duration import Duration

FOR_SECONDS = 120.0  # it has to grow for so long, unless told otherwise: a burst is no backlog


class Backlog(Rule, frozen=True):
    """The oldest eligible run of a queue has waited longer than `longer`, and the wait has grown for two minutes on end
    (`app.alarm(…, after=…)` says otherwise). A queue that catches up is left alone, however long it is.

    `queue`: a name or a pattern; nothing: each of them. A paused queue is left alone.
    """

    kind: ClassVar[str] = "backlog"
    after_seconds: ClassVar[float] = FOR_SECONDS
    longer: Duration = "1m"
    queue: str = ""

    def __post_init__(self) -> None:
        check_threshold(self.kind, seconds_of(self.longer), 0, "longer")

    @property
    def name(self) -> str:
        return f"{self.kind}{f':{self.queue}' if self.queue else ''}>{seconds_of(self.longer):g}s"

    @classmethod
    def read(cls, subject: str, threshold: str) -> Backlog:
        return cls(threshold or "1m", subject)

    def eyes(self) -> Growth:
        return Growth(self)


class Growth:
    """Remembers how long the oldest run of each queue had waited. Who begins takes what is long for growing."""

    def __init__(self, rule: Backlog) -> None:
        self._queue = rule.queue
        self._longer = seconds_of(rule.longer)
        self._last: dict[str, float] = {}

    async def look(self, sight: Sight) -> list[Finding]:
        before = self._last
        self._last = {queue: (sight.now - at) / MICROS for queue, at in (await sight.oldest()).items()}
        return [
            found("backlog", queue, amount=waited, queue=queue, waited=waited)
            for queue, waited in self._last.items()
            if waited > self._longer and waited >= before.get(queue, 0.0) and is_meant(queue, self._queue)
        ]
