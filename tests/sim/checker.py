"""The judgement at the end: the store's last contents, the effects log, the watch's book and the oracle, side by side.

P1: every accepted run and every moment of the oracle ended in exactly one way. P4: repeats are bounded and each has
a higher token. P5: after the faults, new work is on time and nothing is stuck. P7: what did not run has a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from shike.bounds import BEAT_SECONDS, CRASHES_MAX
from shike.model import Ended, Fate, Live, State, TimetableRow
from shike.route.bounds import LAGGING_SECONDS
from tests.sim import graphs
from tests.sim.effects import Effects
from tests.sim.oracle import Calendar, Rate, moments
from tests.sim.watch import MICROS, OVER, Page, Watch

HEAL_SECONDS = 60.0  # after the last fault, new work is on time
LANE_SECONDS_MAX = (
    3 * LAGGING_SECONDS + 2 * BEAT_SECONDS
)  # behind what its worker was at, which then died: until that shows
LATE_SECONDS_MAX = 0.25  # what "on time" means then: a wake-up and a claim, no polling
PLANNED_SECONDS = 2.0  # moments younger than this may still be on their way into the timetable
CHAIN_SECONDS = 60.0  # a fixed delay of seconds, its run included, comes back within
STORE_STEP_SECONDS = 11.0  # how far the store's clock may have been stepped between a start and its end
MAY_DIE = frozenset({"flaky", "hopeless", "once", "poison"})
HALVINGS_MAX = 5  # until it is alone: of the 8 that are under way in a process, and of those that ended in between
AT_MOST = {"once": 1, "poison": 1 + HALVINGS_MAX + CRASHES_MAX}  # how often a run of these may begin
STUCK_SECONDS = 30.0  # a run this long past its time, with nobody on it, will never run


class Span(Struct, frozen=True):
    """A stretch of a schedule's life, start ≤ moment < end, in which its moments run, or are to be written off."""

    start: int
    end: int
    what: Rate | Calendar
    runs: bool


class Expected(Struct, frozen=True):
    """A schedule as the harness made, paused, resumed and edited it. No spans: it plans by the ends of its runs."""

    name: str
    spans: tuple[Span, ...] = ()


class World(Struct):
    """All that is judged."""

    watch: Watch
    effects: Effects
    accepted: dict[int, str]  # run id -> which client was told so
    expected: Sequence[Expected]
    read: Callable[..., Any]  # one read of the store, without any weather
    now: int  # the store's clock at the end
    seconds: float  # true virtual time at the end
    healed_seconds: float  # true virtual time when the last fault was over
    healed_at: int  # the store's clock then
    faults: int
    in_flight_max: int
    stepped_seconds: float = STORE_STEP_SECONDS  # between a start and its end, at most
    approved: dict[int, int] = {}  # run id -> how often somebody was told that it is approved now


def judge(world: World) -> None:
    """Write every violation into the watch."""
    for page in world.watch.pages.values():
        _judge_run(world, page)
        _judge_effects(world, page)
        _judge_lateness(world, page)
    for run_id, client in world.accepted.items():
        if run_id not in world.watch.pages:
            world.watch.object("P1", f"run {run_id} was accepted from {client} and is unknown")
    for schedule in world.expected:
        _judge_timetable(world, schedule)
    graphs.judge(world)
    repeats, bound = duplicates(world), world.faults * world.in_flight_max
    if repeats > min(bound, world.watch.rescues):  # each repeat is of a run that was rescued from a dead session
        world.watch.object("P4", f"{repeats} duplicate effects of {world.watch.rescues} rescued runs, at most {bound}")


def duplicates(world: World) -> int:
    """Handler starts beyond those that an accepted acknowledgement asked for."""
    extra = 0
    for run_id, effects in world.effects.by_run.items():
        page = world.watch.pages.get(run_id)
        wanted = len({token for token, _ in page.settled}) if page else 0
        extra += max(0, sum(not effect.done for effect in effects) - max(1, wanted))
    return extra


def _judge_run(world: World, page: Page) -> None:
    row: Live | Ended | None = world.read("find", page.run_id)
    if isinstance(row, Ended):
        if row.state not in OVER:
            world.watch.object("P6", f"run {page.run_id} is in the history as {row.state.name}")
        if page.state is not row.state and page.state in OVER:
            world.watch.object("P6", f"run {page.run_id} went from {page.state.name} to {row.state.name}")
        _judge_reason(world, page, row)
    elif isinstance(row, Live):
        late = (world.now - row.run_at) / MICROS
        held = world.seconds - page.granted_at if row.state is State.RUNNING else late
        if min(late, held) > STUCK_SECONDS:
            world.watch.object("P1", f"run {page.run_id} ({row.run.task}) is stuck {row.state.name}, {late:.0f} s late")
    elif not _withdrawn(world, page):
        world.watch.object("P1", f"run {page.run_id} is lost")


def _judge_reason(world: World, page: Page, row: Ended) -> None:
    """What did not succeed says why, and the reason is true."""
    what = f"run {page.run_id} ({row.run.task}) ended {row.state.name}"
    if row.state is not State.SUCCESS and not row.reason:
        world.watch.object("P7", f"{what} without a reason")
    unlucky = row.reason.startswith("poison")  # the faults killed three processes that held nothing else: see `Watch`
    unlucky |= row.reason.startswith("parent ")  # which `graphs` judges
    if row.state is State.DEAD and row.run.task not in MAY_DIE and not unlucky:
        world.watch.object("P1", f"{what}, though its handler never fails: {row.reason}")
    if row.state is State.CANCELLED and not page.asked:
        world.watch.object("P1", f"{what}, and nobody had asked for it: {row.reason}")
    late = (row.ended_at - row.run.due_at) / MICROS
    if row.reason.startswith("missed") and late < row.run.misfire_seconds - world.stepped_seconds:
        world.watch.object("P1", f"{what} {late:.3f} s after its moment: {row.reason}")


def _withdrawn(world: World, page: Page) -> bool:
    """Whether an edit or a pause may have taken it back: it lay ahead then, and nobody had been granted it."""
    edits = world.watch.edits[page.schedule][1:] if page.schedule else []
    return not page.grants and any(page.due_at > wall for wall, _ in edits)


def _judge_effects(world: World, page: Page) -> None:
    effects = world.effects.by_run.get(page.run_id, ())
    newest = 0
    for effect in effects:
        if effect.done:
            continue
        if effect.token <= newest:
            world.watch.object(
                "P4", f"run {page.run_id} began under token {effect.token} in {effect.process} after {newest}"
            )
        newest = max(newest, effect.token)
        if effect.at < page.granted.get(effect.token, math.inf):
            world.watch.object("P2", f"run {page.run_id} began in {effect.process} before it was granted")
    row: Live | Ended | None = world.read("find", page.run_id)
    begun = sum(not effect.done for effect in effects)
    if row is not None and begun > AT_MOST.get(row.run.task, begun):
        world.watch.object("P4", f"run {page.run_id} ({row.run.task}) began {begun} times")
    if row is None or row.state is not State.SUCCESS:
        return
    if not any(effect.done and effect.token == row.token for effect in effects):
        world.watch.object("P1", f"run {page.run_id} is a success of token {row.token} that never took effect")


def _judge_lateness(world: World, page: Page) -> None:
    """Only what became eligible well after the last fault, and waits for nobody's permit."""
    allowed = LANE_SECONDS_MAX if page.assigned > 1 else LATE_SECONDS_MAX
    if page.gated or page.late_seconds <= allowed or min(page.granted.values()) < world.healed_seconds:
        return
    if page.eligible_at >= world.healed_at + round(HEAL_SECONDS * MICROS):
        world.watch.object("P5", f"run {page.run_id} was granted {page.late_seconds:.3f} s late after the faults")


def _judge_timetable(world: World, schedule: Expected) -> None:
    """Each moment of the oracle up to now has its row or lies in a range; each run's moment is one of the oracle."""
    horizon = world.now - round(PLANNED_SECONDS * MICROS)
    table = Table(world.read("timetable", schedule.name, 0, world.now + 3600 * MICROS))
    for row in table.planned.values():
        if world.read("find", row.run_id) is None:
            world.watch.object("P1", f"moment {row.moment} of {schedule.name} names run {row.run_id}, which is lost")
    if not schedule.spans:
        _judge_chain(world, schedule.name, table)
        return
    wanted: set[int] = set()
    for span in schedule.spans:
        if span.runs and span.end < horizon:  # what had run before the store's clock was stepped back, and edited then
            wanted.update(moments(span.what, span.end, span.end + round(STORE_STEP_SECONDS * MICROS)))
        for moment in moments(span.what, span.start, min(span.end, horizon)):
            at = f"moment {(moment - schedule.spans[0].start) / MICROS:.6f} s of {schedule.name}"
            if span.runs:
                wanted.add(moment)
                answers = table.answers(moment)
                if answers != 1:
                    world.watch.object("P1" if answers else "P7", f"{at} has {answers} rows")
            elif not table.answers(moment) and moment not in table.withdrawn:
                world.watch.object("P7", f"{at} did not run, and no row says why")
    for moment in table.planned:
        if moment < horizon and moment not in wanted:
            world.watch.object("P1", f"{schedule.name} has a run for {moment}, which is no moment")
    _judge_ranges(world, schedule, table)


def _judge_ranges(world: World, schedule: Expected, table: Table) -> None:
    for row in table.ranges:
        inside = {
            moment
            for span in schedule.spans
            for moment in moments(span.what, max(span.start, row.moment), min(span.end, row.until + 1))
        }
        if len(inside) != row.count:
            world.watch.object("P7", f"a {row.fate} row of {schedule.name} counts {row.count}, there are {len(inside)}")


def _judge_chain(world: World, name: str, table: Table) -> None:
    """Fixed delay: one moment follows another, never two at once, and the chain goes on to the end."""
    if not table.planned or max(table.planned) < world.now - round(CHAIN_SECONDS * MICROS):
        world.watch.object("P1", f"{name} stopped: its last moment is {max(table.planned, default=0)}")
    live = [row for row in table.planned.values() if isinstance(world.read("find", row.run_id), Live)]
    if len(live) > 1:
        world.watch.object("P1", f"{name} has {len(live)} runs at once")


class Table:
    """A timetable's rows, by what they say."""

    def __init__(self, rows: Sequence[TimetableRow]) -> None:
        self.planned = {row.moment: row for row in rows if row.fate is Fate.PLANNED}
        self.withdrawn = {row.moment for row in rows if row.fate is Fate.WITHDRAWN}
        self.ranges = [row for row in rows if row.fate not in (Fate.PLANNED, Fate.WITHDRAWN)]

    def answers(self, moment: int) -> int:
        """How many rows say what became of a moment, not counting one that was taken back."""
        return (moment in self.planned) + sum(row.moment <= moment <= row.until for row in self.ranges)
