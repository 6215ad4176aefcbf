"""Every moment is covered exactly once, by a run or by a row that says why not: compared with a list of all moments."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from shike.bounds import (
    BAND_BACKLOG,
    BAND_DEFAULT,
    CATCH_UP_MOMENTS_MAX,
    CATCH_UP_PER_SECOND,
    COUNT_MOMENTS,
    PLAN_AHEAD_MOMENTS,
    PLAN_AHEAD_SECONDS,
)
from shike.model import NEVER, Bucket, Fate, Misfire, Overlap, Planned, Run, Schedule, TimetableRow
from shike.scheduler.moments import plan_following, plan_step
from shike.store.verbs import Plan
from shike.trigger import AnyTrigger, Line, any_of, encode, every

SECOND = 1_000_000
START = 1_767_225_600 * SECOND
BUCKET = Bucket(low=0, high=63, owner="me", epoch=4)


class Timetable(Struct):
    """What a store would hold after some steps of planning, and the schedule's own place."""

    planned: Planned
    line: Line
    runs: dict[int, Run] = {}
    ranges: list[TimetableRow] = []
    steps: int = 0
    ids: int = 0

    def step(self, now: int) -> Plan:
        plan = plan_step(self.planned, self.line, now, BUCKET, self._take)
        assert plan.cursor == self.planned.cursor and plan.to >= plan.cursor, "the cursor only grows"
        assert (plan.bucket, plan.epoch, plan.version) == (0, 4, self.planned.schedule.version)
        for moment in plan.moments:
            assert moment.moment not in self.runs
            self.runs[moment.moment] = moment.entry.run
        self.ranges += plan.ranges
        self.planned = replace(self.planned, cursor=plan.to, ordinal=plan.ordinal, plan_at=plan.plan_at)
        self.steps += 1
        return plan

    def until_quiet(self, now: int, steps: int = 400) -> int:
        """Steps until nothing is to be planned at `now`; time passes where a step asks for it. The time then."""
        self.step(now)
        while self.planned.plan_at <= now + SECOND and steps:
            now = max(now, self.planned.plan_at)
            self.step(now)
            steps -= 1
        assert steps, "planning does not come to an end"
        return now

    def _take(self, schedule: str) -> int:
        self.ids += 1
        return self.ids << 8


def timetable(trigger: AnyTrigger, **fields: object) -> Timetable:
    schedule = Schedule(name="g/n", task="t", trigger=encode(trigger), version=3, created_at=START, **fields)  # type: ignore[arg-type]
    return Timetable(Planned(schedule=schedule), Line.of(schedule))


def moments_of(seconds: tuple[int, ...], count: int, end: int, until: int) -> list[int]:
    """The oracle: all moments from START on, by looking at each second."""
    last = min(until, end - 1 if end else until)
    found = [
        START + second * SECOND
        for second in range((last - START) // SECOND + 1)
        if any(second % interval == 0 for interval in seconds)
    ]
    return found[:count] if count else found


def check_cover(table: Timetable, expected: list[int]) -> dict[int, Fate]:
    """Each moment up to the cursor is covered once, and nothing else is; which fate each has."""
    covered: dict[int, Fate] = {}
    for row in table.ranges:
        inside = [moment for moment in expected if row.moment <= moment <= row.until]
        assert inside and (inside[0], inside[-1], len(inside)) == (row.moment, row.until, row.count)
        assert not covered.keys() & set(inside), "a moment is covered twice"
        covered |= dict.fromkeys(inside, row.fate)
    assert not covered.keys() & table.runs.keys(), "a moment has a run and lies in a range"
    covered |= dict.fromkeys(table.runs, Fate.PLANNED)
    passed = [moment for moment in expected if moment <= table.planned.cursor]
    assert sorted(covered) == passed, "a moment is missing, or nobody asked for it"
    for number, moment in enumerate(expected, 1):
        if moment in table.runs:
            assert table.runs[moment].ordinal == number
    assert table.planned.ordinal == len(passed)
    return covered


# Intervals of one number are counted by arithmetic, those of two one by one.
intervals = st.sampled_from([(1,), (7,), (60,), (3_600,), (2, 3), (40, 60)])
words = {
    "seconds": intervals,
    "misfire": st.sampled_from(Misfire),
    "window": st.integers(1, 8_000),
    "grace": st.sampled_from([0.0, 1.0, 60.0, 600.0]),
    "count": st.sampled_from([0, 0, 1, 5, 300, 1_500]),
    "end_after": st.sampled_from([0, 0, 100, 5_000]),
    "jitter": st.sampled_from([0.0, 0.0, 30.0]),
}


def made(
    seconds: tuple[int, ...], misfire: Misfire, window: int, grace: float, count: int, end_after: int, jitter: float
) -> Timetable:
    parts = [every(f"{interval}s") for interval in seconds]
    return timetable(
        any_of(*parts) if len(parts) > 1 else parts[0],
        misfire=misfire,
        misfire_window_seconds=float(window) if misfire is Misfire.WITHIN else 0.0,
        misfire_grace_seconds=grace,
        count=count,
        end_at=START + end_after * SECOND if end_after else NEVER,
        jitter_seconds=jitter,
    )


@given(looks=st.lists(st.integers(0, 7_000), min_size=1, max_size=6), **words)
def test_every_moment_is_covered_exactly_once_whatever_the_absences(looks: list[int], **how: object) -> None:
    """P1 and P7: rows, ranges and the cursor, against all policies, counts, ends and long absences."""
    table = made(**how)  # type: ignore[arg-type]
    now = START
    for pause in looks:
        now = table.until_quiet(now + pause * SECOND + 300)
    end = how["end_after"]
    assert isinstance(end, int)
    expected = moments_of(
        how["seconds"], how["count"], START + end * SECOND if end else 0, table.planned.cursor  # type: ignore[arg-type]
    )  # fmt: skip
    check_cover(table, expected)
    assert len(expected) == how["count"] or table.planned.cursor >= min(now, max(expected, default=now)), "up to now"


@given(absence=st.integers(0, 20_000), **words)
@example(absence=700, seconds=(60,), misfire=Misfire.ONCE, window=1, grace=60.0, count=5, end_after=0, jitter=0.0)
@example(absence=20_000, seconds=(2, 3), misfire=Misfire.ALL, window=1, grace=1.0, count=1_500, end_after=0, jitter=0.0)
def test_after_an_absence_each_policy_decides_as_it_says(absence: int, **how: object) -> None:
    table = made(**how)  # type: ignore[arg-type]
    now = START + absence * SECOND
    count, end, misfire = how["count"], how["end_after"], how["misfire"]
    assert isinstance(count, int) and isinstance(end, int)
    table.step(now)
    judged_at = now
    while table.planned.plan_at <= judged_at + SECOND and not any(
        run.moment > now for run in table.runs.values() if run.band != BAND_BACKLOG
    ):
        judged_at = max(judged_at, table.planned.plan_at)
        before = len(table.ranges), len(table.runs)
        table.step(judged_at)
        if (len(table.ranges), len(table.runs)) == before:
            break
    everything = moments_of(how["seconds"], count, START + end * SECOND if end else 0, table.planned.cursor)  # type: ignore[arg-type]
    fates = check_cover(table, everything)
    grace = int((how["grace"] + how["jitter"]) * SECOND)  # type: ignore[operator]
    late = [moment for moment in fates if moment <= now - grace]
    due = [moment for moment in fates if moment <= now]
    window = now - int(how["window"] * SECOND + how["jitter"] * SECOND)  # type: ignore[operator]
    dropped = [moment for moment in fates if fates[moment] is not Fate.PLANNED and moment <= now]
    if misfire is Misfire.SKIP:
        assert sorted(dropped) == sorted(late)
    elif misfire is Misfire.ONCE:
        assert sorted(dropped) == sorted(moment for moment in late if moment != max(due))
        assert not due or fates[max(due)] is Fate.PLANNED, "the latest runs"
    elif misfire is Misfire.WITHIN:
        missed = [moment for moment in fates if moment <= window]
        assert set(dropped) >= set(missed)
        assert missed == [moment for moment in missed if fates[moment] is Fate.MISSED]
    else:
        assert Counter(fates[moment] for moment in late)[Fate.CAPPED] >= max(len(late) - CATCH_UP_MOMENTS_MAX, 0)
        planned = [moment for moment in late if fates[moment] is Fate.PLANNED]
        assert len(planned) >= min(len(late), CATCH_UP_MOMENTS_MAX) and planned == sorted(late)[-len(planned) :]


def test_of_more_moments_than_are_caught_up_with_the_youngest_run() -> None:
    table = timetable(every("1s"), misfire=Misfire.ALL, misfire_grace_seconds=60.0)
    now = table.until_quiet(START + 10_000 * SECOND)
    (capped,) = table.ranges
    assert capped.fate is Fate.CAPPED and capped.count == 10_000 - 60 - CATCH_UP_MOMENTS_MAX + 1
    backlog = [run for run in table.runs.values() if run.band == BAND_BACKLOG]
    assert CATCH_UP_MOMENTS_MAX <= len(backlog) <= CATCH_UP_MOMENTS_MAX + (now - START) // SECOND - 10_000
    assert {run.band for run in table.runs.values()} == {BAND_BACKLOG, BAND_DEFAULT}


def test_a_backlog_comes_as_a_stream() -> None:
    """R3: so many a second, oldest first, and the future only after it."""
    table = timetable(every("1s"), misfire=Misfire.ALL, misfire_grace_seconds=60.0)
    now = START + 500 * SECOND
    plan = table.step(now)
    assert [moment.moment for moment in plan.moments] == [START + n * SECOND for n in range(CATCH_UP_PER_SECOND)]
    assert plan.plan_at == now + SECOND


@pytest.mark.parametrize("misfire", Misfire)
def test_an_absence_of_years_is_no_flood(misfire: Misfire) -> None:
    """A second's interval, two years away: a few rows, and never more than the bounds in one step."""
    window = 3_600.0 if misfire is Misfire.WITHIN else 0.0
    table = timetable(every("1s"), misfire=misfire, misfire_window_seconds=window)
    now = START + 2 * 366 * 86_400 * SECOND
    for _ in range(60):
        plan = table.step(max(now, table.planned.plan_at))
        assert len(plan.moments) <= PLAN_AHEAD_MOMENTS + CATCH_UP_PER_SECOND
    assert len(table.ranges) <= 2
    assert table.planned.cursor > now


def test_moments_that_must_be_counted_one_by_one_are_counted_in_steps() -> None:
    table = timetable(any_of(every("2s"), every("3s")), misfire=Misfire.SKIP)
    now = START + 86_400 * SECOND
    plan = table.step(now)
    assert [row.count for row in plan.ranges] == [COUNT_MOMENTS] and plan.plan_at == now and not plan.moments
    table.until_quiet(now)
    check_cover(table, moments_of((2, 3), 0, 0, table.planned.cursor))


# ---------------------------------------------------------------- looking ahead


@given(st.sampled_from([1, 5, 9, 60, 1_000, 5_000]), st.lists(st.floats(0, 2_000), max_size=20))
def test_a_planner_that_comes_when_it_is_asked_to_is_never_late(interval: int, delays: list[float]) -> None:
    table = timetable(every(f"{interval}s"))
    now = START
    for extra in [0.0, *delays]:
        table.step(now)
        cursor = table.planned.cursor
        assert cursor <= now + PLAN_AHEAD_SECONDS * SECOND
        following = Line.of(table.planned.schedule).after(cursor, table.planned.ordinal, limit=1)[0].at
        assert now < table.planned.plan_at < following, "the next look is before the next moment that has no row"
        now = max(table.planned.plan_at, min(now + int(extra * SECOND), following - 1))
    assert not table.ranges


def test_rows_are_bounded_by_number_and_by_time() -> None:
    fast, slow = timetable(every("1s")), timetable(every("1m"))
    assert len(fast.step(START).moments) == PLAN_AHEAD_MOMENTS
    assert [moment.moment for moment in slow.step(START).moments][-1] == START + PLAN_AHEAD_SECONDS * SECOND


def test_each_run_knows_when_its_successor_is_due() -> None:
    """For `once`: late, and its successor due as well, means that it need not run."""
    table = timetable(every("1s"), jitter_seconds=20.0)
    table.step(START)
    table.step(table.planned.plan_at)
    runs = sorted(table.runs.values(), key=lambda run: run.moment)
    assert all(earlier.next_due_at == later.due_at for earlier, later in pairwise(runs))
    assert runs[-1].next_due_at > NEVER
    single = timetable(every("1h"), count=1)
    (only,) = single.step(START).moments
    assert only.entry.run.next_due_at == NEVER


def test_a_finished_schedule_is_not_looked_at_again() -> None:
    table = timetable(every("10s"), count=3)
    table.step(START)
    assert len(table.runs) == 3
    again = table.step(START + 3_600 * SECOND)
    assert not again.moments and not again.ranges and again.plan_at > START + 10**9 * SECOND


def test_a_run_carries_what_its_schedule_says() -> None:
    schedule = Schedule(
        name="g/n", task="t", trigger=encode(every("1h")), version=2, args=b"{}", queue="mail", band=1, owner="me",
        misfire=Misfire.WITHIN, misfire_window_seconds=900.0, expires_seconds=30.0, created_at=START, options=b"{}",
    )  # fmt: skip
    plan = plan_step(Planned(schedule=schedule), Line.of(schedule), START, BUCKET, lambda name: 512)
    run = plan.moments[0].entry.run
    assert (run.task, run.args, run.queue, run.band, run.owner) == ("t", b"{}", "mail", 1, "me")
    assert (run.schedule, run.schedule_version, run.moment, run.ordinal) == ("g/n", 2, START, 1)
    assert run.misfire_seconds == 900.0 and run.expires_at == START + 30 * SECOND


@pytest.mark.parametrize(
    ("overlap", "seconds"),
    [(Overlap.ALLOW, 60.0), (Overlap.SKIP, 60.0), (Overlap.QUEUE_ALL, 0.0), (Overlap.REPLACE, 0.0)],
)
def test_waiting_for_the_predecessor_is_no_misfire(overlap: Overlap, seconds: float) -> None:
    schedule = Schedule(name="g/n", task="t", trigger=encode(every("1m")), overlap=overlap, created_at=START)
    plan = plan_step(Planned(schedule=schedule), Line.of(schedule), START, BUCKET, lambda name: 512)
    assert {moment.entry.run.misfire_seconds for moment in plan.moments} == {seconds}


# ---------------------------------------------------------------- pauses

acts = st.lists(
    st.tuples(st.sampled_from(["look", "pause", "resume", "pause until"]), st.integers(1, 3_000)), max_size=12
)


@given(
    acts=acts, seconds=st.sampled_from([(7,), (60,), (40, 60)]), misfire=st.sampled_from([Misfire.ONCE, Misfire.ALL])
)
def test_pauses_are_covered_and_nothing_of_them_runs(
    acts: list[tuple[str, int]], seconds: tuple[int, ...], misfire: Misfire
) -> None:
    """As the store does it: a pause withdraws what is ahead, planning goes on where it stopped."""
    parts = [every(f"{interval}s") for interval in seconds]
    table = timetable(any_of(*parts) if len(parts) > 1 else parts[0], misfire=misfire, misfire_grace_seconds=10_000.0)
    now, pauses, paused_at = START, [], 0
    table.step(now)
    for act, pause in acts:
        now += pause * SECOND
        while table.planned.plan_at < now:  # nobody is absent here
            table.step(table.planned.plan_at)
            if table.planned.paused and NEVER < table.planned.resume_at <= table.planned.plan_at:
                break
        planned = table.planned
        if act.startswith("pause") and not planned.paused:
            ahead = [moment for moment in table.runs if moment > now]
            for moment in ahead:
                del table.runs[moment]
            resume_at = now + 1_000 * SECOND if act == "pause until" else NEVER
            table.planned = replace(
                planned, cursor=min(planned.cursor, now), ordinal=planned.ordinal - len(ahead),
                paused=True, resume_at=resume_at, plan_at=now,
            )  # fmt: skip
            paused_at = now
        elif act == "resume" and planned.paused:
            table.planned = replace(planned, paused=False, resume_at=now, plan_at=now)
            pauses.append((paused_at, now))
        plan = table.step(now)
        if table.planned.paused:
            assert not plan.moments and now < plan.plan_at <= max(now + 300 * SECOND, now + 1_000 * SECOND)
            assert not NEVER < table.planned.resume_at < plan.plan_at or table.planned.resume_at <= now
    fates = check_cover(table, moments_of(seconds, 0, 0, table.planned.cursor))
    for begin, end in pauses:
        inside = [moment for moment in fates if begin < moment <= end]
        assert all(fates[moment] is Fate.PAUSED for moment in inside)
    skipped = [moment for moment, fate in fates.items() if fate is Fate.PAUSED]
    held = [*pauses, (paused_at, now)] if table.planned.paused else pauses
    assert all(any(begin < moment <= end for begin, end in held) for moment in skipped), "and nothing else is"


# ---------------------------------------------------------------- fixed delay


def following(planned: Planned, now: int, ended_at: int) -> Plan:
    return plan_following(planned, Line.of(planned.schedule), now, ended_at, BUCKET, lambda name: 256)


def fixed_delay(**fields: object) -> Planned:
    trigger = encode(every("10s", delay=True, initial_delay="5s"))
    schedule = Schedule(name="g/n", task="t", trigger=trigger, version=1, created_at=START, after_end=True, **fields)  # type: ignore[arg-type]
    return Planned(schedule=schedule)


def test_the_first_moment_of_a_fixed_delay_waits_for_nobody() -> None:
    plan = following(fixed_delay(), START, NEVER)
    assert [(moment.moment, moment.ordinal) for moment in plan.moments] == [(START + 5 * SECOND, 1)]


def test_while_its_run_goes_on_nothing_follows() -> None:
    planned = replace(fixed_delay(), cursor=START + 5 * SECOND, ordinal=1)
    plan = following(planned, START + 60 * SECOND, NEVER)
    assert not plan.moments and plan.to == planned.cursor and plan.plan_at > START + 60 * SECOND


def test_an_end_that_nobody_followed_up_is_followed_up() -> None:
    planned = replace(fixed_delay(), cursor=START + 5 * SECOND, ordinal=1)
    plan = following(planned, START + 60 * SECOND, START + 30 * SECOND)
    assert [(moment.moment, moment.ordinal) for moment in plan.moments] == [(START + 40 * SECOND, 2)]


def test_nothing_follows_in_a_pause_or_after_the_count() -> None:
    paused = replace(fixed_delay(), cursor=START + 5 * SECOND, ordinal=1, paused=True)
    assert not following(paused, START + 60 * SECOND, START + 30 * SECOND).moments
    done = replace(fixed_delay(count=1), cursor=START + 5 * SECOND, ordinal=1)
    assert not following(done, START + 60 * SECOND, START + 30 * SECOND).moments
