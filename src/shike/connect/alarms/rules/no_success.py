"""The absence of success: what should have gone well by now, and has not. The alarm that also hears silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from shike.clock import MICROS, to_datetime
from shike.connect.alarms.base import Finding, Rule, check_threshold, found, seconds_of
from shike.connect.alarms.bounds import MOMENTS_BACK_SECONDS, MOMENTS_READ, MOMENTS_STEPS_SECONDS
from shike.connect.alarms.held import last_held
from shike.connect.alarms.sight import Sight
from shike.errors import BadInput, Conflict
from shike.model import Ended, Live, State, TimetableRow
from shike.store.base import RunFilter
from shike.track.alarm import id_of
from shike.trigger.duration import Duration

SINCE_KEY: Final = "alarm-since/"  # + its id: a control row, when the rule was first watched for (UTC µs)
NEWEST: Final = 200  # successes of a task by run id, among which the last by time is looked for


class NoSuccess(Rule, frozen=True):
    """A schedule (`group/name`) or a task that has not succeeded for so long: `NoSuccess("default/report", "26h")`.

    Counted from the end of the last success; where there was none, from when the schedule was made or resumed, or when
    this rule was first watched for. A paused schedule is silent on purpose, as is what is paused by its task, a tag or
    its queue; that is counted anew from the end of the pause. Of a task the newest NEWEST successes by run id are
    looked at: a program that submits more of it at once, and ends, hides what older processes submit.
    """

    kind: ClassVar[str] = "no_success"
    of: str
    within: Duration

    def __post_init__(self) -> None:
        if not self.of or set("*?[") & set(self.of):
            raise BadInput("no_success: name one schedule (group/name) or one task: silence has no other name")
        check_threshold(self.kind, seconds_of(self.within), 0.001, "within")

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.of}>{seconds_of(self.within):g}s"

    @classmethod
    def read(cls, subject: str, threshold: str) -> NoSuccess:
        if not threshold:
            raise BadInput("no_success: say for how long: no_success:default/report>26h")
        return cls(subject, threshold)

    def eyes(self) -> Silence:
        return Silence(self)


class Silence:
    """Remembers the last success, and looks at what has ended since."""

    def __init__(self, rule: NoSuccess) -> None:
        self._rule = rule
        self._within = round(seconds_of(rule.within) * MICROS)
        self._last = 0
        self._begun = 0
        self._looked_at = 0
        self._released = 0  # when the last pause of its task or queue ended, as far as is known
        self._over: set[int] = set()  # runs of the window that were looked at, and are over
        self._open: list[int] = []  # … and that were not: one may take longer than the window

    async def look(self, sight: Sight) -> list[Finding]:
        of = self._rule.of
        since = self._begun or await self._first_watched(sight)
        if "/" in of:
            planned = await sight.store.schedule(of)
            if planned is None or planned.deleted or planned.paused:
                return []
            last = await (self._of_window(sight) if self._begun else self._of_schedule(sight))
            task, queue = planned.schedule.task, planned.schedule.queue
            since, self._begun = max(planned.schedule.created_at, planned.resume_at) or since, since
        else:
            self._begun, task, queue = since, of, ""
            is_silent = sight.now - max(self._last, since) > self._within
            last = await self._of_task(sight) if is_silent else 0
        self._last = max(self._last, last)
        return await self._silence(sight, task, queue, since)

    async def _silence(self, sight: Sight, task: str, queue: str, since: int) -> list[Finding]:
        """Whether it is too long by now. A pause excuses it, and it counts anew from the end of the last one."""
        held = await sight.held()
        if held.task(task) or (queue and held.queue(queue)):
            self._released = sight.now
            return []
        silent = sight.now - max(self._last, since, self._released)
        if silent > self._within:
            self._released = max(self._released, await last_held(sight.store, task, queue))
            silent = sight.now - max(self._last, since, self._released)
        return [self._found(silent / MICROS)] if silent > self._within else []

    def _found(self, silent: float) -> Finding:
        of, within = self._rule.of, str(self._rule.within)
        if not self._last:
            return found("no_success_ever", of, amount=silent, of=of, silent=silent, within=within)
        last = f"{to_datetime(self._last):%Y-%m-%d %H:%M}"
        return found("no_success", of, amount=silent, of=of, silent=silent, within=within, last=last)

    async def _of_schedule(self, sight: Sight) -> int:
        """When it last succeeded, by whoever begins to watch: among its newest moments. Where there are too many to
        look at all of them, the oldest that was looked at, for before it there may have been a success: silence is then
        told later, and not too soon."""
        for back in (*MOMENTS_STEPS_SECONDS, 2 * self._within / MICROS):
            rows = await sight.moments(self._rule.of, max(sight.now - round(back * MICROS), 0))
            last = await self._last_of(sight, rows)
            if last or len(rows) >= MOMENTS_READ:
                return last or rows[-1].moment
        return 0

    async def _of_window(self, sight: Sight) -> int:
        """The same, of what has ended since the last look."""
        since = min(self._looked_at, sight.now) - round(MOMENTS_BACK_SECONDS * MICROS)
        return await self._last_of(sight, await sight.moments(self._rule.of, max(since, 0)))

    async def _last_of(self, sight: Sight, rows: Sequence[TimetableRow]) -> int:
        self._looked_at = sight.now
        before, self._over = self._over, set()
        due = {row.run_id: row.due_at if row.state == State.SUCCESS else 0 for row in rows if row.run_id}
        last, still = 0, []
        for run_id in dict.fromkeys([*self._open, *due]):
            known = await sight.find(run_id) if run_id not in before else None
            if isinstance(known, Live):
                still.append(run_id)
                continue
            if run_id in due:
                self._over.add(run_id)
            if known is None:  # looked at before; or its history is dropped, and it ended no earlier than it was due
                last = max(last, due.get(run_id, 0))
            elif known.state is State.SUCCESS:
                last = max(last, known.ended_at)
        self._open = still[:MOMENTS_READ]
        return last

    async def _of_task(self, sight: Sight) -> int:
        wanted = RunFilter(states=(State.SUCCESS,), task=self._rule.of, limit=NEWEST)
        found = [one for one in await sight.store.runs(wanted) if isinstance(one, Ended)]
        return max((one.ended_at for one in found), default=0)

    async def _first_watched(self, sight: Sight) -> int:
        key = f"{SINCE_KEY}{id_of(self._rule.name, self._rule.of)}"
        for _ in range(2):
            rows = [row for row in await sight.store.controls(key) if row.key == key]
            if rows and rows[0].value.isdigit():
                return int(rows[0].value)
            try:
                await sight.store.put(key, str(sight.now).encode(), expect=rows[0].version if rows else 0)
            except Conflict:
                continue
            break
        return sight.now
