"""New runs of one verb: what they depend on is read and locked first, decided in memory, and written together.

However many entries, guards and effects a step has, it takes the same handful of statements: `Needs` gathers what has
to be looked at, `Arrivals.prepare` reads it, `admit` and `do` decide one entry after the other as if each were alone,
`write` puts the result into the tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from msgspec.structs import replace

from shike.clock import MICROS
from shike.model import Fate, Run
from shike.store.children import TIED, first_look, parent_count
from shike.store.following import following
from shike.store.guards import Absent, Below, Choose, Effect, Entry, Guard, Insert, PlanNext, Replayed
from shike.store.hints import Hint, HintKind
from shike.store.relational import graphs
from shike.store.relational.link import Row
from shike.store.relational.tx import Tx
from shike.store.rows import lane_of, pack, unpack_run
from shike.store.verbs import Submitted


@dataclass(slots=True)
class Needs:
    """What some entries, guards and effects depend on."""

    keys: set[str] = field(default_factory=set)
    gates: set[str] = field(default_factory=set)
    schedules: set[str] = field(default_factory=set)
    letters: set[int] = field(default_factory=set)
    ids: set[int] = field(default_factory=set)  # runs that may be in the store already
    names: set[str] = field(default_factory=set)
    following: list[PlanNext] = field(default_factory=list)

    def entries(self, entries: Iterable[Entry], *, known: bool) -> None:
        """`known`: these very runs may have been stored before."""
        for entry in entries:
            self.run(entry.run)
            if known:
                self.ids.add(entry.run.id)
            if entry.guards:
                self.guards(entry.guards)
            if entry.effects:
                self.effects(entry.effects)

    def run(self, run: Run) -> None:
        self.names.add(run.queue)
        self.names.add(run.task)
        self.names.add(run.schedule)

    def guards(self, guards: Iterable[Guard]) -> None:
        for guard in guards:
            (self.keys if isinstance(guard, Absent) else self.gates).add(guard.key)

    def effects(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Insert(entry):
                    self.entries([entry], known=True)
                case Replayed(run_id):
                    self.letters.add(run_id)
                case PlanNext():
                    self.schedules.add(effect.schedule)
                    self.following.append(effect)
                    self.entries([effect.entry], known=True)
                case Choose():
                    pass
                case _:
                    assert_never(effect)


@dataclass(slots=True)
class _Schedule:
    """How far a schedule is planned, as far as a fixed delay cares."""

    number: int
    version: int
    ordinal: int
    stands: bool  # neither deleted nor paused
    cursor: int = 0
    moved: bool = False


class Arrivals:
    """The desk at which runs come in."""

    def __init__(self, tx: Tx, now: int) -> None:
        self._tx = tx
        self._now = now
        self._bodies: dict[int, bytes] = {}  # of runs that are in the store
        self._fresh: dict[int, int] = {}  # run id -> due_at of those taken in here
        self._keys: dict[str, tuple[int, int]] = {}  # key -> run id, until
        self._holders: dict[str, dict[int, None]] = {}
        self._letters: dict[int, int] = {}  # dead letter -> replayed as
        self._schedules: dict[str, _Schedule] = {}
        self._fates: dict[tuple[int, int], str] = {}  # schedule number, moment -> fate
        self._rows: list[tuple[object, ...]] = []
        self._planned: list[tuple[object, ...]] = []
        self._due: dict[tuple[str, int], None] = {}
        self._gated: dict[tuple[str, int], None] = {}
        self._keep: dict[str, tuple[str, int, int]] = {}
        self._permits: list[tuple[str, int]] = []
        self._replays: dict[int, int] = {}
        self._parents: list[tuple[int, int]] = []  # of runs that wait for others: how many

    # ---------------------------------------------------------------- reading and locking

    async def prepare(self, needs: Needs) -> None:
        """Lock and read what the decisions hang on. The names in `needs` must have been learnt."""
        tx = self._tx
        if needs.schedules:
            await self._lock_schedules(needs)
        if needs.gates:
            gates = sorted(needs.gates)
            await tx.many("gates_lock", [(gate,) for gate in gates])
            for gate, run_id in await tx.rows("holders_of", gates):
                self._holders.setdefault(gate, {})[run_id] = None
        if needs.keys:
            keys = sorted(needs.keys)
            await tx.many("keys_lock", [(key,) for key in keys])
            self._keys = {key: (run_id, until) for key, run_id, until in await tx.rows("keys_of", keys)}
        if needs.letters:
            self._letters = dict(map(tuple, await tx.rows("letters_lock", sorted(needs.letters))))
        holders = {run_id for run_id, until in self._keys.values() if until > self._now}
        wanted = needs.ids | holders | set(filter(None, self._letters.values()))
        if wanted:
            self._bodies = dict(map(tuple, await tx.rows("runs_stored", sorted(wanted))))

    async def _lock_schedules(self, needs: Needs) -> None:
        tx = self._tx
        numbers = [tx.names.number(name) for name in sorted(needs.schedules)]
        for row in await tx.rows("schedules_lock", numbers):
            self._note(row)
        moments = [(tx.names.number(effect.schedule), self._moment_of(effect)) for effect in needs.following]
        await self.read_fates(moments)

    def _note(self, row: Row) -> None:
        number, version, ordinal, paused, deleted = row
        name = self._tx.names.text(number)
        self._schedules[name] = _Schedule(number, version, ordinal, not (paused or deleted))

    async def read_fates(self, moments: Sequence[tuple[int, int]]) -> None:
        """What the timetable says of these (schedule, moment)."""
        for schedule, moment, fate in await self._tx.many("timetable_fates", moments):
            self._fates[schedule, moment] = fate

    def _moment_of(self, effect: PlanNext) -> int:
        return self._now + round(effect.delay_seconds * MICROS)

    # ---------------------------------------------------------------- deciding

    def known(self, run_id: int) -> bool:
        return run_id in self._bodies or run_id in self._fresh

    def fresh(self) -> list[int]:
        """The runs taken in here."""
        return sorted(self._fresh)

    def due_at(self, run_id: int) -> int:
        """When a run was promised that may be in the store; 0 where nothing is known of it."""
        body = self._bodies.get(run_id)
        return unpack_run(body).due_at if body is not None else self._fresh.get(run_id, 0)

    def admit(self, entry: Entry) -> Submitted:
        """Take one entry in if its guards hold, with its effects."""
        refused = self._refusal(entry)
        if refused is not None:
            return refused
        run, run_at = timed(entry, self._now)
        self.add(run, run_at, sum(self.take(guard, run.id) for guard in entry.guards))
        for effect in entry.effects:
            self.do(effect, by=run.id)
        return Submitted(run.id, True, run.due_at)

    def holds(self, guard: Guard, run_id: int) -> bool:
        """Whether the key is not remembered (for another run); whether the permit is held, or has room."""
        if isinstance(guard, Below):
            holders = self._holders.get(guard.key, {})
            return run_id in holders or len(holders) < guard.cap
        return self._keeper(guard) in (0, run_id)

    def take(self, guard: Guard, run_id: int) -> int:
        """What a guard that holds leaves behind; how many permits more the run has."""
        if isinstance(guard, Absent):
            until = self._now + round(guard.seconds * MICROS)
            self._keys[guard.key] = run_id, until
            self._keep[guard.key] = guard.key, run_id, until
            return 0
        holders = self._holders.setdefault(guard.key, {})
        if run_id in holders:
            return 0
        holders[run_id] = None
        self._permits.append((guard.key, run_id))
        return 1

    def _keeper(self, guard: Absent) -> int:
        run_id, until = self._keys.get(guard.key, (0, 0))
        return run_id if until > self._now else 0

    def _refusal(self, entry: Entry) -> Submitted | None:
        """The answer to an entry one of whose guards does not hold; None if all do."""
        run_id = entry.run.id
        for guard in entry.guards:
            if not self.holds(guard, run_id):
                found = self._keeper(guard) if isinstance(guard, Absent) else run_id
                return Submitted(found, False, self.due_at(found), type(guard).__name__)
        for effect in entry.effects:
            if isinstance(effect, Replayed) and not self._can_replay(effect, run_id):
                found = self._letters.get(effect.run_id, run_id)
                return Submitted(found, False, self.due_at(found), "Replayed")
        return None

    def _can_replay(self, effect: Replayed, run_id: int) -> bool:
        return self._letters.get(effect.run_id, -1) in (0, run_id)

    def do(self, effect: Effect, *, by: int) -> None:
        """One effect of a step that concerns the run `by`."""
        match effect:
            case Insert(entry):
                if not self.known(entry.run.id):
                    self.admit(entry)
            case Replayed(run_id):
                if self._can_replay(effect, by):
                    self._letters[run_id] = self._replays[run_id] = by
            case PlanNext():
                self._plan_next(effect)
            case Choose():
                pass  # done when its run ended
            case _:
                assert_never(effect)

    def _plan_next(self, effect: PlanNext) -> None:
        found = self._schedules.get(effect.schedule)
        if found is None or not found.stands or found.version != effect.version:
            return
        run = following(effect, found.ordinal, self._now)
        if run is not None and self.moment(run, effect.version, run.moment, run.moment):
            found.cursor, found.ordinal, found.moved = run.moment, run.ordinal, True

    def moment(self, run: Run, version: int, moment: int, run_at: int) -> bool:
        """A moment's row and its run, unless the moment has one. A row that was withdrawn gives way: it never ran."""
        schedule = self._tx.names.number(run.schedule)
        if self._fates.get((schedule, moment), Fate.WITHDRAWN) != Fate.WITHDRAWN or self.known(run.id):
            return False
        self._fates[schedule, moment] = Fate.PLANNED
        self._planned.append((schedule, moment, moment, 1, version, Fate.PLANNED.value, run.id, run.due_at, -1))
        self.add(run, run_at)
        return True

    def fate(self, schedule: int, moment: int) -> str | None:
        return self._fates.get((schedule, moment))

    # ---------------------------------------------------------------- writing

    def add(self, run: Run, run_at: int, holding: int = 0) -> None:
        """A run without conditions, its instants filled in."""
        names = self._tx.names
        self._fresh[run.id] = run.due_at
        if run.ties:
            run_at, holding = first_look(run, run_at, self._now), holding + TIED
            if count := parent_count(run):
                self._parents.append((run.id, count))
        lane = lane_of(names.number(run.queue), run.band)
        if run.gate:
            self._gated[run.gate, max(run_at, self._now)] = None
        else:
            self._due[run.queue, max(run_at, self._now)] = None
        self._rows.append(
            (
                run.id, lane, names.number(run.task), names.number(run.schedule), run.moment, holding, run.key,
                run.gate, run_at, -1, run.due_at, run.created_at, 0, pack(run),
            )
        )  # fmt: skip

    async def write(self) -> None:
        """Put everything into the tables. Raises `Taken` if the id of a new run is in the store."""
        tx = self._tx
        await tx.many("runs_arrive", self._rows, self._now, 1, 0)
        await graphs.count_parents(tx, self._parents)
        await tx.many("timetable_write", self._planned)
        await tx.many("keys_keep", list(self._keep.values()))
        await tx.many("holders_keep", self._permits)
        await tx.many("letters_replay", list(self._replays.items()))
        moved = [found for found in self._schedules.values() if found.moved]
        await tx.many("schedules_cursor", [(found.number, found.cursor, found.ordinal) for found in moved])
        for queue, at in self._due:
            tx.hint(Hint(HintKind.DUE, queue, at))
        for gate, at in self._gated:
            tx.hint(Hint(HintKind.GATED, at=at, name=gate))


def timed(entry: Entry, now: int) -> tuple[Run, int]:
    """The run with its instants filled in by the store's clock, and when it is eligible."""
    run = entry.run
    if entry.delay_seconds >= 0:
        run_at = due_at = now + round(entry.delay_seconds * MICROS)
    else:
        run_at = entry.run_at or run.due_at or now
        due_at = run.due_at or run_at
    if due_at != run.due_at or not run.created_at:
        run = replace(run, due_at=due_at, created_at=run.created_at or now)
    return run, run_at
