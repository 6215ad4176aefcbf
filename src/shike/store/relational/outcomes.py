"""The two ways on from a lease, a lane or a gate: over for ever, or back into a lane. Many runs, few steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from shike.model import State
from shike.store.hints import Hint, HintKind
from shike.store.lost import Loss
from shike.store.relational import graphs
from shike.store.relational.tx import DAY_MICROS, Tx
from shike.store.rows import QUEUE_BITS, SUSPECT, Facts, facts_of
from shike.store.verbs import Ack

DIGEST_SLOTS = 64  # rows of one day, task and state, so that settling sessions do not wait for each other


async def lock_runs(tx: Tx, ids: Iterable[int]) -> dict[int, Facts]:
    """The live ones of these runs. Nobody else changes them until this transaction is over."""
    wanted = sorted(set(ids))
    return {row[0]: facts_of(row) for row in await tx.rows("runs_lock", wanted)} if wanted else {}


@dataclass(slots=True)
class Endings:
    """Runs that are over: from the live tables to the history, with their permits given back."""

    tx: Tx
    now: int
    session: str = ""  # whose acknowledgement ended them …
    number: int = 0  # … and its number
    _rows: list[tuple[int, int, int, int, str, bytes, bytes]] = field(default_factory=list)
    _counts: Counter[tuple[int, int]] = field(default_factory=Counter)  # by task and state
    _holders: dict[int, tuple[State, tuple[str, ...]]] = field(default_factory=dict)

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
        self._rows.append((run_id, state, 1 if trace else 0, token, reason, result, trace))
        self._counts[fact >> 1, state] += 1
        if fact & 1:
            self._holders[run_id] = State(state), chosen

    async def write(self) -> None:
        """Move them. They must have left their lane, gate or lease."""
        if not self._rows:
            return
        tx = self.tx
        if self._holders:
            bodies, _ = await release(tx, self._holders)
            if bodies:
                await graphs.resolve(self, bodies, self._holders)
        self._rows.sort()
        day, slot = self.now // DAY_MICROS, self.number % DIGEST_SLOTS
        await tx.many("runs_end", [row for row in self._rows if row[1] != State.DEAD], self.now, self.session)
        await tx.many("runs_bury", [row for row in self._rows if row[1] == State.DEAD], self.now, self.session)
        await tx.many("digest_add", [(day, *ended, slot, count) for ended, count in sorted(self._counts.items())])
        tx.hint(Hint(HintKind.ENDED, run_ids=tuple([row[0] for row in self._rows])))
        self._rows.clear()
        self._counts.clear()
        self._holders.clear()


def ending_row(ack: Ack) -> tuple[int, int, int, int, str, bytes, bytes]:
    """A row of `runs_end` and `leases_end`, for a run that its acknowledgement ends."""
    return ack.run_id, ack.state.value, 1 if ack.trace else 0, ack.token, ack.reason, ack.result, ack.trace


async def release(tx: Tx, ids: Iterable[int]) -> tuple[list[bytes], int]:
    """These runs are over: their permits are free again. Gives the bodies of those that are tied to others, and the
    server's clock."""
    rows = await tx.rows("holders_release", sorted(ids))
    for key in {key: None for key, body in rows if body is None}:
        tx.hint(Hint(HintKind.FREED, name=key))
    return [body for _, body in rows if body], next(int(key) for key, body in rows if body == b"")


@dataclass(slots=True)
class Returns:
    """Runs that go back into a lane."""

    tx: Tx
    now: int
    _rows: list[tuple[int, int, int, int, int, int, int]] = field(default_factory=list)

    def add(self, run: Facts, state: State, run_at: int, *, failed: int = 0, loss: Loss | None = None) -> None:
        """`failed`: what this adds to its attempts; `loss`: what is new of its being a suspect."""
        loss = loss or Loss(bool(run.lane & SUSPECT), run.together)
        lane = run.lane | SUSPECT if loss.suspect else run.lane & ~SUSPECT
        counts = run.attempts + failed, run.crashes + loss.crashed, loss.together
        self._rows.append((run.id, state.value, lane, run_at, *counts))

    async def write(self) -> None:
        if not self._rows:
            return
        await self.tx.many("runs_return", self._rows)
        await tell_due(self.tx, ((row[2], row[3]) for row in self._rows), self.now)
        self._rows.clear()


async def tell_due(tx: Tx, lanes: Iterable[tuple[int, int]], now: int) -> None:
    """Say that something entered these lanes, eligible at …"""
    found = {(lane >> QUEUE_BITS, max(run_at, now)): None for lane, run_at in lanes}
    await tx.call_by_name(queue for queue, _ in found)
    for queue, at in found:
        tx.hint(Hint(HintKind.DUE, tx.names.text(queue), at))
