"""Storing new runs: by `submit`, and by the effects and plans that make runs in the same step."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final, assert_never

from msgspec.structs import replace

from shike.clock import MICROS
from shike.errors import Conflict
from shike.model import Fate, Run, State
from shike.store.checks import check_entries
from shike.store.children import TIED, first_look, parent_count
from shike.store.following import following
from shike.store.guards import Absent, Choose, Effect, Entry, Insert, PlanNext, Replayed
from shike.store.hints import Hint, HintKind
from shike.store.rows import lane_of, pack
from shike.store.sqlite import ended, guards
from shike.store.sqlite.tx import Tx
from shike.store.verbs import Submitted

SCHEDULED: Final = State.SCHEDULED.value  # an enum's `.value` is a call of its own, and this is asked for each run
WAITING: Final = State.WAITING.value


def submit(tx: Tx, entries: Sequence[Entry], repeat: bool = False) -> list[Submitted]:
    """`Store.submit`."""
    check_entries(entries)
    ids = [entry.run.id for entry in entries]
    known = ended.stored(tx, ids) if repeat else {}
    if not repeat and ids and ended.any_of(tx, ids):
        raise Conflict("one of these run ids belongs to a run that is over; nothing was stored")
    arrivals = Arrivals(tx)
    answers = [
        Submitted(entry.run.id, True, known[entry.run.id].due_at) if entry.run.id in known else arrivals.admit(entry)
        for entry in entries
    ]
    arrivals.write()
    return answers


class Arrivals:
    """The new runs of one verb, written together at its end."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._now = tx.now
        self._runs: list[tuple[object, ...]] = []
        self._lanes: list[tuple[int, int, int, int]] = []
        self._gated: list[tuple[int, str, int, int]] = []
        self._due: dict[tuple[str, int], None] = {}
        self._numbers: dict[tuple[str, int, str], tuple[int, int]] = {}
        self._ids: set[int] = set()

    def admit(self, entry: Entry) -> Submitted:
        """Take one entry in if its guards hold, with its effects."""
        if not entry.guards and not entry.effects:
            run, run_at = self.timed(entry)
            self.add(run, run_at)
            return Submitted(run.id, True, run.due_at)
        self.write()  # guards look at what came before
        refused = self._refusal(entry)
        if refused is not None:
            return refused
        run, run_at = self.timed(entry)
        self.add(run, run_at, sum(guards.take(self._tx, guard, run.id) for guard in entry.guards))
        self.write()
        for effect in entry.effects:
            self.do(effect, by=run.id)
        return Submitted(run.id, True, run.due_at)

    def add(self, run: Run, run_at: int, holding: int = 0) -> None:
        """A run without conditions."""
        self._ids.add(run.id)
        words = (run.queue, run.band, run.task)
        found = self._numbers.get(words)
        if found is None:
            names = self._tx.names
            found = self._numbers[words] = lane_of(names.number(run.queue), run.band), names.number(run.task)
        lane, task = found
        schedule = self._tx.names.number(run.schedule) if run.schedule else 0
        state = SCHEDULED
        if run.ties:
            run_at, holding = first_look(run, run_at, self._now), holding + TIED
        if run.gate:
            state = WAITING
            self._gated.append((run.id, run.gate, run_at, parent_count(run)))
        else:
            self._lanes.append((lane, run_at, run.id, task))
            self._due[run.queue, run_at if run_at > self._now else self._now] = None
        self._runs.append(
            (
                run.id,
                state,
                lane,
                run_at,
                task,
                schedule,
                run.moment,
                0,
                0,
                1,
                holding,
                run.key,
                "",
                b"",
                pack(run),
            )
        )

    def write(self) -> None:
        """Put them into the tables. Raises `Conflict` if one of the ids is taken."""
        try:
            self._tx.many("run_insert", self._runs)
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_TRIGGER:  # the store is being moved
                raise
            raise Conflict("one of these runs is in the store already; nothing of this step was stored") from None
        self._tx.many("lane_insert", self._lanes)
        self._tx.many("gated_insert", self._gated)
        for queue, at in self._due:
            self._tx.hint(Hint(HintKind.DUE, queue, at))
        for gate, at in {(gate, max(run_at, self._now)): None for _, gate, run_at, _ in self._gated}:
            self._tx.hint(Hint(HintKind.GATED, at=at, name=gate))
        for part in (self._runs, self._lanes, self._gated, self._due):
            part.clear()

    def do(self, effect: Effect, *, by: int) -> None:
        """One effect of a step that concerns the run `by`."""
        match effect:
            case Insert(entry):
                self.write()
                if not ended.stored(self._tx, [entry.run.id]):
                    self.admit(entry)
            case Replayed(run_id):
                self._tx.run("dead_replay", by, run_id)
            case PlanNext():
                self._plan_next(effect)
            case Choose():
                pass  # done when its run ended
            case _:
                assert_never(effect)

    def moment(self, run: Run, version: int, moment: int, run_at: int) -> bool:
        """A moment's row and its run, unless the moment has one. A row that was withdrawn gives way: it never ran."""
        schedule = self._tx.names.number(run.schedule)
        row = self._tx.one("timetable_fate", schedule, moment)
        if row is not None and row[0] != Fate.WITHDRAWN:
            return False
        if run.id in self._ids or ended.stored(self._tx, [run.id]):
            return False
        planned = (schedule, moment, moment, 1, version, Fate.PLANNED.value, run.id, run.due_at, -1)
        self._tx.many("timetable_write", [planned])
        self.add(run, run_at)
        return True

    def timed(self, entry: Entry) -> tuple[Run, int]:
        """The run with its instants filled in by the store's clock, and when it is eligible."""
        run = entry.run
        if entry.delay_seconds >= 0:
            run_at = due_at = self._now + round(entry.delay_seconds * MICROS)
        else:
            run_at = entry.run_at or run.due_at or self._now
            due_at = run.due_at or run_at
        if due_at != run.due_at or not run.created_at:
            run = replace(run, due_at=due_at, created_at=run.created_at or self._now)
        return run, run_at

    def _refusal(self, entry: Entry) -> Submitted | None:
        """The answer to an entry one of whose guards does not hold; None if all do."""
        run_id = entry.run.id
        for guard in entry.guards:
            if not guards.holds(self._tx, guard, run_id):
                found = guards.keeper(self._tx, guard) if isinstance(guard, Absent) else run_id
                return self._refused(found, type(guard).__name__)
        for effect in entry.effects:
            if isinstance(effect, Replayed):
                row = self._tx.one("dead_replayed_as", effect.run_id)
                if row is None or row[0] not in (0, run_id):
                    return self._refused(row[0] if row else run_id, "Replayed")
        return None

    def _refused(self, run_id: int, guard: str) -> Submitted:
        run = ended.stored(self._tx, [run_id]).get(run_id)
        return Submitted(run_id, False, run.due_at if run else 0, guard)

    def _plan_next(self, effect: PlanNext) -> None:
        name = self._tx.names.seen(effect.schedule)
        stands = self._tx.one("schedule_stands", name, effect.version)
        run = following(effect, stands[0], self._now) if stands else None
        if run is not None and self.moment(run, effect.version, run.moment, run.moment):
            self._tx.run("schedule_cursor", run.moment, run.ordinal, name)
