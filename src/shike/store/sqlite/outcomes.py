"""The two ways on from a lease, a lane or a gate: over for ever, or back into a lane. Many runs, few steps."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from shike.model import State
from shike.store.hints import Hint, HintKind
from shike.store.lost import Loss
from shike.store.rows import QUEUE_BITS, SUSPECT, Facts, facts_of
from shike.store.sqlite import graphs, guards
from shike.store.sqlite.records import listed
from shike.store.sqlite.tx import DAY_MICROS, Tx


def runs_of(tx: Tx, ids: list[int]) -> dict[int, Facts]:
    """The live ones of these runs."""
    return {row[0]: facts_of(row) for row in tx.all("run_facts", listed(ids))} if ids else {}


@dataclass(slots=True)
class Endings:
    """Runs that are over: from the live tables to the history, with their permits given back."""

    tx: Tx
    now: int
    session: str = ""  # whose acknowledgement ended them
    _over: list[tuple[object, ...]] = field(default_factory=list)
    _dead: list[tuple[object, ...]] = field(default_factory=list)
    _ids: list[int] = field(default_factory=list)
    _holders: dict[int, tuple[State, tuple[str, ...]]] = field(default_factory=dict)
    _count: Counter[tuple[int, int]] = field(default_factory=Counter)

    def add(
        self,
        run_id: int,
        fact: int,
        state: int,
        *,
        reason: str = "",
        token: int = 0,
        result: bytes = b"",
        trace: bytes = b"",
        chosen: tuple[str, ...] = (),
    ) -> None:
        """`fact`: task number << 1 | whether it holds permits or other runs back. With a trace an attempt more counts.
        `chosen`: the branches that its success chose."""
        row = (run_id, state, 1 if trace else 0, token, reason, result, trace)
        (self._dead if state == State.DEAD else self._over).append(row)
        self._ids.append(run_id)
        self._count[fact >> 1, state] += 1
        if fact & 1:
            self._holders[run_id] = State(state), chosen

    def write(self) -> None:
        """Move them. They must have left their lane, gate or lease."""
        if not self._ids:
            return
        if self._holders:
            graphs.resolve(self, self._holders)
        day = self.now // DAY_MICROS
        if self._over:
            self.tx.today(self.now)
            self.tx.many("history_write", self._over, lead=(self.now, self.session), day=day)
        self.tx.many("dead_write", self._dead, lead=(self.now, self.session))
        self.tx.run("run_delete", listed(self._ids))
        self.tx.many("digest_add", [(day, task, state, count) for (task, state), count in self._count.items()])
        if self._holders:
            guards.release(self.tx, list(self._holders))
        if self.tx.last_ended is not None:
            self.tx.last_ended = max(self.tx.last_ended, *self._ids)
        self.tx.hint(Hint(HintKind.ENDED, run_ids=tuple(self._ids)))
        for part in (self._over, self._dead, self._ids, self._holders, self._count):
            part.clear()


@dataclass(slots=True)
class Returns:
    """Runs that go back into a lane."""

    tx: Tx
    now: int
    _runs: list[tuple[object, ...]] = field(default_factory=list)
    _lanes: list[tuple[int, int, int, int]] = field(default_factory=list)

    def add(self, run: Facts, state: State, run_at: int, *, failed: int = 0, loss: Loss | None = None) -> None:
        """`failed`: what this adds to its attempts; `loss`: what is new of its being a suspect."""
        loss = loss or Loss(bool(run.lane & SUSPECT), run.together)
        lane = run.lane | SUSPECT if loss.suspect else run.lane & ~SUSPECT
        counts = run.attempts + failed, run.crashes + loss.crashed, loss.together
        self._runs.append((run.id, state.value, lane, run_at, *counts))
        self._lanes.append((lane, run_at, run.id, run.task))

    def write(self) -> None:
        self.tx.many("run_back", self._runs)
        enter(self.tx, self._lanes, self.now)
        self._runs.clear()
        self._lanes.clear()


def enter(tx: Tx, lanes: list[tuple[int, int, int, int]], now: int) -> None:
    """Put (lane, run_at, id, task) into lanes, and say so."""
    tx.many("lane_insert", lanes)
    for queue, at in {(lane >> QUEUE_BITS, max(run_at, now)): None for lane, run_at, _, _ in lanes}:
        tx.hint(Hint(HintKind.DUE, tx.names.text(queue), at))
