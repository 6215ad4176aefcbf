"""Runs that start later than they may: in queues where they wait, and of schedules, moment by moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from msgspec import Struct

from shike.clock import MICROS
from shike.connect.alarms.base import Finding, Rule, check_threshold, found, is_meant, seconds_of
from shike.connect.alarms.bounds import MOMENTS_BACK_SECONDS, OPEN_MOMENTS_MAX
from shike.connect.alarms.held import Held
from shike.connect.alarms.sayings import About
from shike.connect.alarms.sight import Sight
from shike.model import Ended, Fate, Live, Planned, State, TimetableRow
from shike.operate.facts import run_facts
from shike.trigger.duration import Duration


class Late(Rule, frozen=True):
    """An objective: runs start within so long of their time. `of`: a queue or a schedule (`group/name`), or a pattern
    of either; nothing: all of both.

    Of a queue it is what waits now. Of a schedule it is also each moment of the last MOMENTS_BACK_SECONDS that was
    started too late, or missed: such an alarm lasts as long as the moment is in that window.
    """

    kind: ClassVar[str] = "late"
    within: Duration = "1m"
    of: str = ""

    def __post_init__(self) -> None:
        check_threshold(self.kind, seconds_of(self.within), 0.001, "within")

    @property
    def name(self) -> str:
        return f"{self.kind}{f':{self.of}' if self.of else ''}>{seconds_of(self.within):g}s"

    @classmethod
    def read(cls, subject: str, threshold: str) -> Late:
        return cls(threshold or "1m", subject)

    def eyes(self) -> Lateness:
        return Lateness(self)


class Missed(Struct, frozen=True):
    """A moment that was late, or did not run at all."""

    due_at: int
    late_seconds: float
    saying: str
    about: About
    owner: str


class Lateness:
    """Remembers which moments were late, as long as they are in the window, and which are not decided yet."""

    def __init__(self, rule: Late) -> None:
        self._of = rule.of
        self._within = seconds_of(rule.within)
        self._since = 0
        self._open: dict[int, str] = {}  # runs that had not started: whose they are
        self._late: dict[str, list[Missed]] = {}
        self._held = Held()
        self._excused: set[int] = set()  # runs that were held back while they waited: late on purpose

    async def look(self, sight: Sight) -> list[Finding]:
        waiting = list(self._waiting(sight, await sight.oldest()))
        self._held = await sight.held()
        since = max(self._since, sight.now - round(MOMENTS_BACK_SECONDS * MICROS))
        before, self._open = self._open, {}
        for run_id, name in before.items():
            self._judge(sight, name, await sight.find(run_id))
        for planned in await sight.schedules():
            if is_meant(planned.schedule.name, self._of):
                await self._timetable(sight, planned, since, before)
        self._since = sight.now
        self._excused &= self._open.keys()
        return waiting + list(self._kept(sight.now))

    def _waiting(self, sight: Sight, oldest: dict[str, int]) -> Iterator[Finding]:
        for queue, since in oldest.items():
            late = (sight.now - since) / MICROS
            if late > self._within and is_meant(queue, self._of):
                yield found("late_queue", queue, amount=late, queue=queue, late=late, within=self._within)

    async def _timetable(self, sight: Sight, planned: Planned, since: int, looked_at: dict[int, str]) -> None:
        name = planned.schedule.name
        for row in await sight.moments(name, since):
            if row.run_id and row.run_id not in looked_at:
                self._judge(sight, name, await sight.find(row.run_id))
            elif row.fate is Fate.MISSED:
                self._note(name, _missed(row, sight.now))

    def _judge(self, sight: Sight, name: str, known: Live | Ended | None) -> None:
        if known is None:
            return
        run, facts = known.run, run_facts(known, sight.now)
        about: About = {"run": str(run.id)}
        if isinstance(known, Live) and known.attempts == 0:
            if len(self._open) < OPEN_MOMENTS_MAX:
                self._open[run.id] = name
                if self._held.run(run):
                    self._excused.add(run.id)
            late = (sight.now - run.due_at) / MICROS if known.state is not State.RUNNING else 0.0
            saying = "late_not_started"
        elif isinstance(known, Ended) and known.state is State.SKIPPED:
            late, saying = (known.ended_at - run.due_at) / MICROS, "late_skipped"
            about["reason"] = known.reason
        else:
            late, saying = facts.late_seconds or 0.0, "late_started"
            about["late"] = late
        if late > self._within and run.id not in self._excused:
            self._note(name, Missed(run.due_at, late, saying, about, run.owner))

    def _note(self, name: str, missed: Missed) -> None:
        of = self._late.setdefault(name, [])
        of[:] = [*[one for one in of if one.due_at != missed.due_at][-OPEN_MOMENTS_MAX:], missed]

    def _kept(self, now: int) -> Iterator[Finding]:
        oldest = now - round(MOMENTS_BACK_SECONDS * MICROS)
        for name, late in list(self._late.items()):
            late[:] = [one for one in late if one.due_at >= oldest]
            if not late:
                del self._late[name]
                continue
            worst = max(late, key=lambda one: one.late_seconds)
            about: About = {"of": name, "within": self._within, **worst.about}
            yield found(worst.saying, name, amount=worst.late_seconds, owner=worst.owner, **about)


def _missed(row: TimetableRow, now: int) -> Missed:
    last = row.until or row.moment
    return Missed(last, max((now - last) / MICROS, 0.0), "late_missed", {"count": row.count}, "")
