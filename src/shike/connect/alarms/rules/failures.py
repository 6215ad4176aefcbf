"""Runs that fail, again and again, before they are dead letters."""

from __future__ import annotations

from typing import ClassVar

from shike.connect.alarms.base import Finding, Rule, check_threshold, found, is_meant
from shike.connect.alarms.sayings import About
from shike.connect.alarms.sight import Sight
from shike.errors import BadInput
from shike.model import Live
from shike.scheduler.peers import load_of

OLDER = "older runs"  # the subject of those that are not named


class Failures(Rule, frozen=True):
    """At least `runs` runs of a task have failed and wait for their next attempt. `task`: a name or a pattern.

    They are named among the newest LIVE_READ live runs by id; older ones are told of as a number, to a rule without a
    task. It is looked for from time to time: a run whose next attempt follows at once may fail and succeed in between.
    Each single failure is told to listeners (`app.on("run.ended")`).
    """

    kind: ClassVar[str] = "failures"
    runs: int = 1
    task: str = ""

    def __post_init__(self) -> None:
        check_threshold(self.kind, self.runs, 1, "runs")

    @property
    def name(self) -> str:
        return f"{self.kind}{f':{self.task}' if self.task else ''}>{self.runs}"

    @classmethod
    def read(cls, subject: str, threshold: str) -> Failures:
        if threshold and not threshold.isdecimal():
            raise BadInput(f"failures: {threshold!r} is no number of runs")
        return cls(int(threshold or 1), subject)

    def eyes(self) -> Failing:
        return Failing(self)


class Failing:
    """Counts them, by task. To count costs as much as there are live runs, so it is done only where there were some at
    the last look, or a worker tells of failures with its beat."""

    def __init__(self, rule: Failures) -> None:
        self._rule = rule
        self._failed = 1  # at the last look, as far as is known

    async def look(self, sight: Sight) -> list[Finding]:
        if not self._failed and not any(load_of(one).failures for one in await sight.sessions()):
            return []
        self._failed = (await sight.counts()).failed
        return await self._named(sight) if self._failed >= self._rule.runs else []

    async def _named(self, sight: Sight) -> list[Finding]:
        by_task: dict[str, list[Live]] = {}
        for live in await sight.failing():
            if is_meant(live.run.task, self._rule.task):
                by_task.setdefault(live.run.task, []).append(live)
        many = {task: runs for task, runs in by_task.items() if len(runs) >= self._rule.runs}
        findings = [await self._found(sight, task, runs) for task, runs in many.items()]
        older = self._failed - len(await sight.failing())
        if older >= self._rule.runs and not self._rule.task:
            findings.append(found("failures_older", OLDER, amount=older, count=older))
        return findings

    async def _found(self, sight: Sight, task: str, runs: list[Live]) -> Finding:
        newest = runs[0]
        attempts = await sight.store.attempts(newest.run.id)
        about: About = {"count": len(runs), "task": task, "run": str(newest.run.id)}
        if not attempts:
            return found("failures_mute", task, amount=len(runs), owner=newest.run.owner, **about)
        error = attempts[-1].error
        return found("failures", task, amount=len(runs), owner=newest.run.owner, error=error, **about)
