"""One look at gates of a limited task: read, decide, write down, move.

What is decided is written into the memory of these keys first, by compare-and-set, and only then are runs moved, each
with guards that make it a holder of its permits until the step that ends it. Of two nodes that decide at once one is
refused and reads again. What a node promised and did not do, because it died in between, counts as taken, and the next
does it. So it is read in this order: the memory; whether those it promised still wait; who holds; who waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct, field

from shike.bounds import GATE_LOOK_RUNS
from shike.errors import Conflict
from shike.limit import rows
from shike.limit.bounds import HOLDS, STRUCK_READ_MAX
from shike.limit.deciding import Decision, Head, Kept, View, decide, permit_at, permits_of
from shike.limit.gates import Gate
from shike.limit.rows import Effective
from shike.model import Live, State
from shike.scheduler.early import Early
from shike.scheduler.struck import Struck
from shike.scheduler.together import together
from shike.store.base import Store
from shike.store.guards import Below
from shike.store.verbs import Answer, Move

FULL = GATE_LOOK_RUNS  # a read of fewer was cut off because no more than that could go


class Pool(Struct):
    """One memory, as of its last write. A cache: the next write compares the version."""

    kept: Kept
    version: int
    moved: set[int] = field(default_factory=set)  # of those that were promised: they are holders now, or over


class Outcome(Struct, frozen=True):
    """What one look came to."""

    left: bool = False  # look again at once: there may be more to do
    looked: Sequence[str] = ()
    empty: Sequence[str] = ()  # gates at which nobody waits whose moment has come
    again: Mapping[str, int] = {}  # gate → when to look again though nothing happens
    full: bool = False  # a limit of the whole task has no room: at no gate may anybody go


class Admission:
    """Looks, one after another."""

    def __init__(self, store: Store, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now
        self._pools: dict[str, Pool] = {}
        self._struck = Struck(store, now)
        self._early = Early(store, now)

    def forget(self) -> None:
        """Read the memories anew: others may have written there."""
        self._pools.clear()

    async def round(self, limits: Effective, memory: str, gates: Mapping[str, Gate]) -> Outcome:
        """One look at these gates, whose keys are kept in one memory."""
        pool, strikes = await self._pool(memory), await self._struck.refresh()
        if limits.across:
            limits, pool = await rows.informed(self._store, limits), await self._read_again(memory, pool)
        if not await self._keep_promises(memory, pool):
            return Outcome(left=True)
        if full := await self._full(limits):
            return Outcome(left=True) if await self._take_back(memory, pool, full) else Outcome(full=True)
        holders = await self._holders(limits, gates.values())
        if await self._take_back(memory, pool, _without_room(limits, gates.values(), holders)):
            return Outcome(left=True)
        room = {name: _room(limits, gate, holders) for name, gate in gates.items()}
        asked = [gate for gate, places in room.items() if places]
        reach = {gate: STRUCK_READ_MAX if strikes else room[gate] for gate in asked}
        found = await together(lambda gate: self._store.gate_waiters(gate, reach[gate]), asked)
        waiters = dict(zip(asked, found, strict=True))
        now = self._now()
        due = {gate: [one for one in read if one.run_at <= now] for gate, read in waiters.items()}
        struck = await self._struck.sift(due, gates, room)
        heads = [
            Head(gates[gate], struck.left[gate], bool(struck.left[gate]) and len(due[gate]) == reach[gate] >= FULL)
            for gate in asked
        ]
        decision = decide(View(limits.named, pool.kept, holders, heads, now))
        if decision.changed and not await self._write(memory, pool, decision.kept):
            return Outcome(left=True)
        refused = await self._do(pool, decision, struck.moves)
        again = struck.again | {gate: why.no.at for gate, why in decision.blocked.items() if why.no.at}
        gone = Counter(one.gated.gate for one in decision.admitted) + Counter(one.gate for one, _ in decision.skipped)
        empty = [gate for gate in asked if gone[gate] == len(due[gate]) and len(waiters[gate]) < reach[gate]]
        return Outcome(decision.left or refused, asked, empty, again)

    # ---------------------------------------------------------------- reading

    async def _pool(self, name: str) -> Pool:
        pool = self._pools.get(name)
        if pool is None:
            kept, version = await rows.kept(self._store, name)
            pool = self._pools[name] = Pool(kept, version)
        return pool

    async def _read_again(self, name: str, pool: Pool) -> Pool:
        """Nodes that decide about other tasks write there, too."""
        kept, version = await rows.kept(self._store, name)
        if version != pool.version:
            pool = self._pools[name] = Pool(kept, version)
        return pool

    async def _keep_promises(self, name: str, pool: Pool) -> bool:
        """Whom it was promised and who still waits goes now, wherever he stands among the others; who was put off since
        is promised nothing any more. False: somebody changed one of them in between, so look again.

        The memory is written first though nothing changes in it: who knows an old one might keep what was taken back.
        One who slept since then comes with an old version of the run, for taking back makes a new one.
        """
        promised = {run_id: kept for run_id, kept in pool.kept.granting.items() if run_id not in pool.moved}
        found = await together(self._store.live, list(promised))
        waiting = [live for live in found if live is not None and live.state is State.WAITING]
        pool.kept = Kept({live.run.id: promised[live.run.id] for live in waiting}, pool.kept.memory)
        pool.moved.clear()
        if not waiting:
            return True
        if not await self._write(name, pool, pool.kept):
            return False
        now = self._now()
        moves = [
            _let_in(live.run.id, live.version, promised[live.run.id]) if live.run_at <= now else _back(live)
            for live in waiting
        ]
        answers = await self._store.move(moves)
        refused = {move.run_id for move, answer in zip(moves, answers, strict=True) if answer is not Answer.ACCEPTED}
        pool.kept = Kept({run_id: promised[run_id] for run_id in refused}, pool.kept.memory)
        return not refused

    async def _take_back(self, name: str, pool: Pool, full: Mapping[str, Sequence[int]]) -> bool:
        """Whoever keeps others waiting by these permits and need not begin yet waits again himself; whether there was
        any. The memory is written first, so that nobody who knows an old one keeps a promise of it to him."""
        early = await self._early.find(full)
        if not early:
            return False
        if await self._write(name, pool, pool.kept):
            await self._store.move([_back(live) for live in early])
        return True

    async def _full(self, limits: Effective) -> dict[str, list[int]]:
        """The permit for which nobody of the task may go, so that its gates need not be read, with who holds it: one is
        none, ten thousand are many."""
        if any(one.limit.thins or one.limit.drops for one in limits.named):
            return {}
        for one in limits.named:
            most = one.limit.most() if one.limit.shared or not one.limit.args else 0
            permit = permit_at(Gate(limits.task, {}), one)
            if most and len(holders := await self._store.holders(permit)) >= most:
                return {permit: holders}
        return {}

    async def _holders(self, limits: Effective, gates: Iterable[Gate]) -> dict[str, list[int]]:
        permits = {
            permit: None
            for gate in gates
            for one, permit in zip(limits.named, permits_of(gate, limits.named), strict=True)
            if one.limit.most()
        }
        return dict(zip(permits, await together(self._store.holders, list(permits)), strict=True))

    # ---------------------------------------------------------------- writing

    async def _write(self, name: str, pool: Pool, kept: Kept) -> bool:
        """False: another node wrote there since. It is read again."""
        try:
            pool.version = await rows.keep(self._store, name, kept, pool.version)
        except Conflict:
            self._pools.pop(name, None)
            return False
        pool.kept = kept
        return True

    async def _do(self, pool: Pool, decision: Decision, others: Sequence[Move]) -> bool:
        """Move whom the decision is about; whether any was refused, because somebody else changed it."""
        admitted = [_let_in(one.gated.run_id, one.gated.version, one.permits) for one in decision.admitted]
        skipped = [
            Move(run_id=gated.run_id, version=gated.version, to=State.SKIPPED, reason=reason)
            for gated, reason in decision.skipped
        ]
        moves = [*admitted, *skipped, *others]
        if not moves:
            return False
        answers = await self._store.move(moves)
        pool.moved |= {
            move.run_id for move, answer in zip(admitted, answers, strict=False) if answer is Answer.ACCEPTED
        }
        return Answer.REFUSED in answers


def _let_in(run_id: int, version: int, permits: Sequence[str]) -> Move:
    guards = tuple(Below(key=permit, cap=HOLDS) for permit in permits)
    return Move(run_id=run_id, version=version, to=State.SCHEDULED, guards=guards)


def _back(live: Live) -> Move:
    """Before its gate until its moment, with a new version."""
    return Move(run_id=live.run.id, version=live.version, to=State.WAITING, run_at=live.run_at)


def _without_room(
    limits: Effective, gates: Iterable[Gate], holders: Mapping[str, Sequence[int]]
) -> dict[str, Sequence[int]]:
    """The permits of these gates of which there are no more, with who holds them."""
    return {
        permit: holders[permit]
        for gate in gates
        for one, permit in zip(limits.named, permits_of(gate, limits.named), strict=True)
        if (most := one.limit.most()) and len(holders[permit]) >= most
    }


def _room(limits: Effective, gate: Gate, holders: Mapping[str, Sequence[int]]) -> int:
    """How many of those that wait at a gate matter; none, where a permit is out."""
    room = GATE_LOOK_RUNS
    for one, permit in zip(limits.named, permits_of(gate, limits.named), strict=True):
        if one.limit.thins or one.limit.drops:
            return GATE_LOOK_RUNS
        if most := one.limit.most():
            room = min(room, most - len(holders[permit]))
    return max(room, 0)
