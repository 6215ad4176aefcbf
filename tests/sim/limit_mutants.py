"""Planted bugs of limits: each breaks a promise in the way a real system has broken it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from shike.engine import Engine
from shike.limit.deciding import Kept
from shike.limit.gates import Gate, is_limit_gate
from shike.limit.rows import Effective
from shike.model import State
from shike.scheduler.admission import Admission, Pool
from shike.store.memory import MemoryStore
from shike.store.verbs import Ack, Answer, Freed, Move


class PerNode(Admission):
    """P3. Each node counts what it let in itself: two of them let in twice as many."""

    def __init__(self, store: Any, now: Any) -> None:
        super().__init__(store, now)
        self._mine: set[int] = set()

    async def _pool(self, name: str) -> Pool:
        return self._pools.setdefault(name, Pool(Kept(), 0))

    async def _write(self, name: str, pool: Pool, kept: Kept) -> bool:
        pool.kept = kept
        return True

    async def _holders(self, limits: Effective, gates: Iterable[Gate]) -> dict[str, list[int]]:
        found = await super()._holders(limits, gates)
        return {permit: [run for run in held if run in self._mine] for permit, held in found.items()}

    async def _do(self, pool: Pool, decision: Any, others: Sequence[Move]) -> bool:
        self._mine |= {one.gated.run_id for one in decision.admitted}
        return await super()._do(pool, decision, others)

    def forget(self) -> None:
        """What it counted is all it has."""


def counts_per_node(engine: Engine) -> None:
    """P3. See `PerNode`."""
    if engine.node is not None:
        limiter = engine.node.limiter
        limiter.admission = PerNode(limiter._store, limiter._now)


class GivenBackAtRescue(MemoryStore):
    """P3. A rescue gives back the permits of what it rescues, and those runs go on to another worker all the same."""

    async def free(self, session: str, limit: int) -> Freed:
        freed = await super().free(session, limit)
        gates = self._tables.gates
        for run_id in freed.requeued:
            if any(map(is_limit_gate, gates._held.get(run_id, ()))):
                gates.release(run_id)
        return freed


class NotHeld(MemoryStore):
    """P3. Whoever is let in does not become a holder: nobody counts those that wait in a lane or run."""

    async def move(self, moves: Sequence[Move]) -> list[Answer]:
        return await super().move(
            [
                Move(
                    run_id=move.run_id, version=move.version, to=move.to, run_at=move.run_at, band=move.band,
                    reason=move.reason, worker=move.worker, note=move.note,
                    guards=tuple(guard for guard in move.guards if not is_limit_gate(guard.key)),
                )
                for move in moves
            ]
        )  # fmt: skip


class PastItsGate(MemoryStore):
    """P3. The end of a parent frees a child that has limits into its lane, as any other."""

    async def settle(self, session: str, acks: Sequence[Ack]) -> list[Answer]:
        answers = await super().settle(session, acks)
        tables = self._tables
        freed = [
            live.run.id
            for live in tables.runs.values()
            if live.run.ties and live.run.ties.after and live.state is State.WAITING
            and is_limit_gate(live.run.gate) and live.run.id not in tables.parents
        ]  # fmt: skip
        await super().move([Move(run_id=run_id, version=0, to=State.SCHEDULED) for run_id in freed])
        return answers


def lets_strays_begin(engine: Engine) -> None:
    """P3. A worker begins whatever it is granted, also what never stood at its gate."""
    if engine.worker is not None:
        engine.worker._turnback.keep_back = lambda runs: runs  # type: ignore[method-assign]
