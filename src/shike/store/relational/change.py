"""Operators and nodes change runs that no worker settles: admit, reschedule, cancel, skip, bury."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shike.model import TERMINAL, State
from shike.store.checks import can_move, check_move, needs_freedom
from shike.store.hints import Hint, HintKind
from shike.store.relational import graphs
from shike.store.relational.arrivals import Arrivals, Needs
from shike.store.relational.outcomes import Endings, lock_runs, tell_due
from shike.store.relational.routed import Assignments, learn
from shike.store.relational.tx import Tx
from shike.store.rows import SUSPECT, Facts, band_of, lane_of, pack, target, unpack_run
from shike.store.verbs import Answer, Move


async def move(tx: Tx, moves: Sequence[Move]) -> list[Answer]:
    """`Store.move`."""
    for wanted in moves:
        check_move(wanted)
    if tx.facts.moves_at_once and len(moves) == 1 and await _at_once(tx, moves[0]):
        return [Answer.ACCEPTED]
    await learn(tx, moves)
    answers: list[Answer] = []
    for group in _apart(moves):
        answers += await _Step(tx, await tx.now()).take(group)
    return answers


async def _at_once(tx: Tx, wanted: Move) -> bool:
    """Move one run within its lanes in one round trip, if it stands there as it was seen; else nothing is done."""
    if wanted.to is not State.SCHEDULED or wanted.guards or wanted.run is not None or wanted.note:
        return False
    rows = await tx.look("lane_move", tx.given, wanted.run_id, wanted.version, wanted.run_at, wanted.band)
    for lane, run_at, now in rows:
        await tell_due(tx, [(lane, run_at)], now)
    return bool(rows)


def _apart(moves: Sequence[Move]) -> Iterable[Sequence[Move]]:
    """The moves in groups that name each run once."""
    start, seen = 0, set[int]()
    for place, wanted in enumerate(moves):
        if wanted.run_id in seen:
            yield moves[start:place]
            start, seen = place, set()
        seen.add(wanted.run_id)
    if moves:
        yield moves[start:]


async def free_ones(tx: Tx, runs: Iterable[Facts]) -> set[int]:
    """Those of these (locked) runs that stand in a lane or before a gate: no claim can take them any more. The others
    are leased."""
    waiting = {run.id for run in runs if run.state is State.WAITING}
    places = [(run.stands, run.run_at, run.id) for run in runs if run.state is not State.WAITING]
    return waiting | {run_id for (run_id,) in await tx.many("lanes_lock", places)}


async def leave(tx: Tx, runs: Sequence[Facts]) -> None:
    """Out of their lanes, or away from their gates."""
    await tx.many("lanes_leave", [(run.stands, run.run_at, run.id) for run in runs if run.state is not State.WAITING])
    waiting = [run.id for run in runs if run.state is State.WAITING]
    if waiting:
        await tx.run("gated_leave", waiting)


class _Step:
    """Moves of different runs, written together."""

    def __init__(self, tx: Tx, now: int) -> None:
        self._tx = tx
        self._now = now
        self._arrivals = Arrivals(tx, now)
        self._endings = Endings(tx, now)
        self._left: list[Facts] = []
        self._moved: list[tuple[int, int, int, int]] = []  # run, lane, run_at, task
        self._assigned = Assignments(tx, now)
        self._asked: list[tuple[int, str]] = []
        self._waiting: list[tuple[int, int, int]] = []  # run, lane, run_at
        self._gated: list[tuple[int, int, int, str, bytes]] = []  # run, lane, run_at, gate, body
        self._rewritten: list[tuple[int, bytes]] = []

    async def take(self, moves: Sequence[Move]) -> list[Answer]:
        needs = Needs()
        for wanted in moves:
            needs.guards(wanted.guards)
        await self._arrivals.prepare(needs)
        await self._assigned.prepare(moves)
        runs = await lock_runs(self._tx, [wanted.run_id for wanted in moves])
        free = await free_ones(self._tx, runs.values())
        gone = [wanted.run_id for wanted in moves if wanted.run_id not in runs]
        over = {row[0]: row[3] for row in await self._tx.rows("runs_over", sorted(gone))} if gone else {}
        answers = []
        for wanted in moves:
            run = runs.get(wanted.run_id)
            answers.append(_gone(wanted, over) if run is None else self._one(run, wanted, run.id in free))
        await self._write()
        return answers

    def _one(self, run: Facts, wanted: Move, is_free: bool) -> Answer:
        if wanted.version not in (0, run.version):
            return Answer.REFUSED
        if not is_free:
            return self._ask(run, wanted)
        if not can_move(run.state, wanted) or not self._assigned.may(wanted):
            return Answer.REFUSED
        if needs_freedom(wanted) and graphs.is_held(run):
            return Answer.GUARDED
        if not all(self._arrivals.holds(guard, run.id) for guard in wanted.guards):
            return Answer.GUARDED
        run.holding += sum(self._arrivals.take(guard, run.id) for guard in wanted.guards)
        run_at, lane = target(run, wanted)
        if wanted.to is State.WAITING:
            self._wait_on(run, wanted, lane, run_at)
            return Answer.ACCEPTED
        self._left.append(run)
        if wanted.to in TERMINAL:
            self._endings.add(run.id, run.fact, wanted.to.value, reason=wanted.reason)
        else:
            if wanted.run is not None:
                lane = lane_of(self._tx.names.number(wanted.run.queue), band_of(lane), suspect=bool(lane & SUSPECT))
                self._rewritten.append((run.id, pack(wanted.run)))
            if wanted.worker:
                self._assigned.add(run, wanted, lane, run_at)
            else:
                self._moved.append((run.id, lane, run_at, run.holding))
        return Answer.ACCEPTED

    def _wait_on(self, run: Facts, wanted: Move, lane: int, run_at: int) -> None:
        """Before its gate again: another band, another time; or before another one."""
        if wanted.run is None:
            gate = unpack_run(run.body).gate
            self._waiting.append((run.id, lane, run_at))
        else:
            gate = wanted.run.gate
            self._left.append(run)
            self._gated.append((run.id, lane, run_at, gate, pack(wanted.run)))
        self._tx.hint(Hint(HintKind.GATED, at=max(run_at, self._now), name=gate))

    def _ask(self, run: Facts, wanted: Move) -> Answer:
        """A running run is its worker's: it can be asked to stop, nothing else. The first reason stands."""
        if wanted.to is not State.CANCELLED:
            return Answer.REFUSED
        if not run.cancel:
            self._asked.append((run.id, wanted.reason or "cancelled"))
        self._tx.hint(Hint(HintKind.CANCEL, run_ids=(run.id,)))
        return Answer.ASKED

    async def _write(self) -> None:
        await self._arrivals.write()
        await leave(self._tx, self._left)
        await self._endings.write()
        await self._tx.many("runs_wait", self._waiting)
        await self._tx.many("runs_gate", self._gated)
        await self._tx.many("runs_rewrite", self._rewritten)
        await self._tx.many("runs_move", self._moved)
        await tell_due(self._tx, ((lane, run_at) for _, lane, run_at, _ in self._moved), self._now)
        await self._assigned.write()
        await self._tx.many("runs_ask", self._asked)


def _gone(wanted: Move, over: dict[int, int]) -> Answer:
    """What became of a run that is not live."""
    if wanted.run_id not in over:
        return Answer.UNKNOWN
    return Answer.ALREADY if over[wanted.run_id] == wanted.to else Answer.REFUSED
