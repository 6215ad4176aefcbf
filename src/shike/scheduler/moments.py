"""One step of planning, as a pure function: which moments become runs, which become rows that say why not.

After an absence the moments between the cursor and now are judged by the schedule's misfire policy; then the
future is planned up to PLAN_AHEAD_MOMENTS and PLAN_AHEAD_SECONDS. Every moment the cursor passes is covered (P7).
"""

from __future__ import annotations

from collections.abc import Callable

from shike.bounds import (
    BAND_BACKLOG,
    CATCH_UP_MOMENTS_MAX,
    CATCH_UP_PER_SECOND,
    PLAN_AHEAD_MOMENTS,
    PLAN_AHEAD_SECONDS,
    SWEEP_SECONDS,
)
from shike.clock import MICROS, WALL_MAX
from shike.model import NEVER, RECORD_VERSION, Bucket, Fate, Misfire, Overlap, Planned, Run, Schedule, TimetableRow
from shike.store.guards import Entry
from shike.store.verbs import Plan, PlannedMoment
from shike.track.settle import options_of
from shike.trigger.line import Line, Moment

AHEAD = PLAN_AHEAD_SECONDS * MICROS
PAUSE_LOOK_SECONDS = 300  # how often the skipped moments of a paused schedule are written down

WAITS_ITS_TURN = frozenset({Overlap.QUEUE_ONE, Overlap.QUEUE_ALL, Overlap.CANCEL_PREVIOUS, Overlap.REPLACE})

TakeId = Callable[[str], int]


def plan_step(planned: Planned, line: Line, now: int, bucket: Bucket, take_id: TakeId) -> Plan:
    """The next step for a schedule with a fixed rate, a cron or single moments."""
    step = _Step(planned, line, now)
    if planned.paused:
        step.cover(now, Fate.PAUSED)
        step.rest()
    else:
        if planned.resume_at > planned.cursor:
            step.cover(planned.resume_at, Fate.PAUSED)
        step.catch_up()
        step.look_ahead()
    return step.plan(bucket, take_id)


def plan_following(planned: Planned, line: Line, now: int, ended_at: int, bucket: Bucket, take_id: TakeId) -> Plan:
    """The next step of a fixed-delay schedule: its first moment, or the one after an end that nobody followed up.

    Normally the step that settles a run plans the next one; this heals what was cancelled, skipped or withdrawn.
    `ended_at` is when the last run ended, NEVER while it goes on.
    """
    step = _Step(planned, line, now)
    step.plan_at = now + int(SWEEP_SECONDS * MICROS)
    if not planned.paused:
        first = planned.cursor == NEVER
        if first or ended_at != NEVER:
            step.take(line.after(planned.cursor, planned.ordinal, ended=None if first else ended_at, limit=1))
    return step.plan(bucket, take_id)


def put_off(planned: Planned, now: int, bucket: Bucket) -> Plan:
    """The step of a schedule that cannot be planned: it is looked at again after a sweep, behind those that can be."""
    return Plan(
        schedule=planned.schedule.name,
        version=planned.schedule.version,
        cursor=planned.cursor,
        plan_at_seen=planned.plan_at,
        to=planned.cursor,
        ordinal=planned.ordinal,
        plan_at=now + int(SWEEP_SECONDS * MICROS),
        bucket=bucket.low,
        epoch=bucket.epoch,
    )


class _Step:
    """What has been decided so far; `cursor` and `ordinal` move on as moments are covered.

    Once `plan_at` is set the step is over: what it did not come to is for the next one.
    """

    def __init__(self, planned: Planned, line: Line, now: int) -> None:
        self.planned = planned
        self.schedule = planned.schedule
        self.line = line
        self.now = now
        self.cursor = planned.cursor
        self.ordinal = planned.ordinal
        self.plan_at = WALL_MAX
        self.late: list[Moment] = []
        self.ahead: list[Moment] = []
        self.ranges: list[TimetableRow] = []

    @property
    def over(self) -> bool:
        return self.plan_at != WALL_MAX

    def cover(self, until: int, fate: Fate) -> None:
        """Pass all moments up to `until` with one row that says why they do not run; in several steps where they are
        too many to be counted in one."""
        if self.over:
            return
        stretch = self.line.stretch(self.cursor, self.ordinal, until=until)
        if stretch is not None:
            schedule = self.schedule
            self.ranges.append(
                TimetableRow(schedule.name, schedule.version, stretch.first, stretch.last, stretch.moments, fate)
            )
            self.cursor, self.ordinal = stretch.last, self.ordinal + stretch.moments
            if not stretch.exact:
                self.plan_at = self.now
                return
        self.cursor = max(self.cursor, until)

    def rest(self) -> None:
        """Nothing runs while the schedule is paused, but now and then what it skips is written down."""
        if not self.over:
            look_at = self.now + PAUSE_LOOK_SECONDS * MICROS
            resume_at = self.planned.resume_at
            self.plan_at = min(look_at, resume_at) if resume_at > self.now else look_at

    def take(self, moments: list[Moment], *, late: bool = False) -> None:
        (self.late if late else self.ahead).extend(moments)
        if moments:
            self.cursor, self.ordinal = moments[-1].at, moments[-1].ordinal

    def catch_up(self) -> None:
        """Judge the moments that passed while nobody planned. Only what is late whatever its jitter is judged here;
        the rest becomes runs, and the worker looks at their due times."""
        jitter = int(self.schedule.jitter_seconds * MICROS)
        late = self.now - int(self.schedule.misfire_grace_seconds * MICROS) - jitter
        match self.schedule.misfire:
            case Misfire.SKIP:
                self.cover(late, Fate.MISSED)
            case Misfire.ONCE:
                self._all_but_the_latest(late)
            case Misfire.WITHIN:
                self.cover(self.now - int(self.schedule.misfire_window_seconds * MICROS) - jitter, Fate.MISSED)
                self._all_late(late)
            case Misfire.ALL:
                self._all_late(late)

    def _all_but_the_latest(self, late: int) -> None:
        stretch = self.line.stretch(self.cursor, self.ordinal, until=self.now)
        if stretch is None:
            return
        if stretch.exact:
            self.cover(min(late, stretch.last - 1), Fate.COALESCED)
        else:
            self.cover(min(late, stretch.last), Fate.COALESCED)
            self.plan_at = self.now  # which one is the latest is not known yet

    def _all_late(self, until: int) -> None:
        """The oldest first, a second's worth of the budget at a time, and the youngest CATCH_UP_MOMENTS_MAX in all."""
        stretch = None if self.over else self.line.stretch(self.cursor, self.ordinal, until=until)
        if stretch is None:
            return
        if stretch.moments > CATCH_UP_MOMENTS_MAX:
            kept = self.line.back(stretch.last, CATCH_UP_MOMENTS_MAX - 1)
            self.cover(kept - 1, Fate.CAPPED)
        if not stretch.exact:
            self.plan_at = self.now
            return
        moments = self.line.after(self.cursor, self.ordinal, limit=CATCH_UP_PER_SECOND, until=until)
        self.take(moments, late=True)
        if len(moments) == CATCH_UP_PER_SECOND:
            self.plan_at = self.now + MICROS

    def look_ahead(self) -> None:
        """Plan the future, unless the backlog is not through yet; then say when to look again."""
        if self.over:
            return
        horizon = self.now + AHEAD
        self.take(self.line.after(self.cursor, self.ordinal, limit=PLAN_AHEAD_MOMENTS, until=horizon))
        following = self.line.after(self.cursor, self.ordinal, limit=1)
        if not following:
            return
        if len(self.ahead) == PLAN_AHEAD_MOMENTS:
            self.plan_at = max(self.ahead[PLAN_AHEAD_MOMENTS // 2].at, self.now)
        else:
            self.plan_at = max(following[0].at - AHEAD, self.now + AHEAD // 2)

    def plan(self, bucket: Bucket, take_id: TakeId) -> Plan:
        moments = [(moment, True) for moment in self.late] + [(moment, False) for moment in self.ahead]
        following = self.line.after(self.cursor, self.ordinal, limit=1) if moments and not self.line.after_end else []
        nexts = [moment.due_at for moment, _ in moments[1:]] + [following[0].due_at if following else NEVER]
        nexts = nexts[: len(moments)]  # a step may cover a stretch and plan nothing
        schedule = self.schedule
        return Plan(
            schedule=schedule.name,
            version=schedule.version,
            cursor=self.planned.cursor,
            plan_at_seen=self.planned.plan_at,
            to=self.cursor,
            ordinal=self.ordinal,
            plan_at=self.plan_at,
            bucket=bucket.low,
            epoch=bucket.epoch,
            moments=tuple(
                PlannedMoment(
                    moment.at,
                    moment.ordinal,
                    moment.due_at,
                    Entry(run_of(schedule, moment, next_due_at, take_id(schedule.name), backlog=late)),
                )
                for (moment, late), next_due_at in zip(moments, nexts, strict=True)
            ),
            ranges=tuple(self.ranges),
        )


def run_of(schedule: Schedule, moment: Moment, next_due_at: int, run_id: int, *, backlog: bool) -> Run:
    """The run that a moment becomes."""
    expires_at = moment.due_at + int(schedule.expires_seconds * MICROS) if schedule.expires_seconds else NEVER
    return Run(
        version=RECORD_VERSION,
        id=run_id,
        task=schedule.task,
        args=schedule.args,
        queue=schedule.queue,
        band=BAND_BACKLOG if backlog else schedule.band,
        due_at=moment.due_at,
        schedule=schedule.name,
        moment=moment.at,
        ordinal=moment.ordinal,
        next_due_at=next_due_at,
        misfire=schedule.misfire,
        misfire_seconds=_misfire_seconds(schedule),
        expires_at=expires_at,
        gate=gate_of(schedule),
        options=schedule.options,
        owner=schedule.owner,
        schedule_version=schedule.version,
    )


def _misfire_seconds(schedule: Schedule) -> float:
    """How late a planned run may start; 0: as late as it likes. Waiting for its predecessor is no misfire where the
    overlap policy asked for it."""
    if schedule.misfire is Misfire.ALL or schedule.overlap in WAITS_ITS_TURN:
        return 0.0
    within = schedule.misfire is Misfire.WITHIN
    return schedule.misfire_window_seconds if within else schedule.misfire_grace_seconds


def gate_of(schedule: Schedule) -> str:
    """The permit that a schedule's runs need before they may start; where overlap is allowed without limit it is that
    of their task's limits, if it has any."""
    if schedule.overlap is Overlap.ALLOW and not schedule.overlap_max:
        return options_of(schedule.options).gate
    return f"overlap/{schedule.name}"
