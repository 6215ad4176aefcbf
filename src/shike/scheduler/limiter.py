"""The limiter: decides about limited tasks, each time that something about one of them changes.

One node decides about a task: whoever owns the bucket of its name; safety does not hang on that (`admission`). Runs
arrive at a gate, a holder ends, time has come, limits are changed: each is a word that leads to a look at the gates it
is about. Words may be lost; the scanner's sweep tells of every gate where somebody waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from shike.bounds import SLEEP_SECONDS_MAX
from shike.clock import MICROS, WALL_MIN
from shike.errors import BadLimit, StoreError
from shike.ids import virtual_bucket
from shike.limit import rows
from shike.limit.bounds import DEFINITION_SECONDS, GATES_FOUND_MAX, HEADS_PER_LOOK_MAX, LOOKS_AT_ONCE
from shike.limit.gates import Gate, gate_of, home_of, is_limit_gate, is_pool, read, shard_of
from shike.limit.registry import minds_ends
from shike.limit.rows import Effective
from shike.outage import Outage
from shike.runtime import woken
from shike.scheduler.admission import Admission
from shike.scheduler.buckets import Buckets
from shike.store.base import Store
from shike.store.hints import Hint, HintKind

log = logging.getLogger("shike.scheduler")

TURN_SECONDS = 0.5
ROUNDS_MAX = 20  # over the same gates, before others have their turn
JUMP_MICROS = round(SLEEP_SECONDS_MAX * MICROS)


class Limiter:
    """Whom to look at, and when; how, is `Admission`'s."""

    def __init__(self, store: Store, buckets: Buckets, now: Callable[[], int]) -> None:
        self._store = store
        self._buckets = buckets
        self._now = now
        self._limits: dict[str, tuple[int, Effective | None]] = {}  # by task: (when it was read, what)
        self._waiting: dict[str, dict[str, Gate]] = {}  # by task: gates where somebody may wait, in the order of turns
        self._due: dict[str, dict[str, None]] = {}  # by task: gates to look at, in order
        self._later: dict[tuple[str, str], int] = {}  # (task, gate) → when to look again
        self._seen_at = 0  # the store's clock at the last ring
        self._finding = False
        self._looking = False
        self.admission = Admission(store, now)
        self._wake = asyncio.Event()
        self._outage = Outage(log, "looking at limits")
        self._complained: set[str] = set()

    # ---------------------------------------------------------------- being told

    def due(self, gate: str) -> None:
        """A run waits at a gate and its moment has come, as a read or a hint says. Another node's is told on."""
        found = read(gate)
        if found is None:
            return
        if self._concerns(found.task):
            self._arrived(gate, found)
        else:
            self._store.tell(Hint(HintKind.FREED, name=gate))

    def hinted(self, hint: Hint) -> None:
        """A permit came free, another node tells of a gate, or limits were changed. None of it is told on."""
        found = read(hint.name) if hint.kind is HintKind.FREED and is_limit_gate(hint.name) else None
        if found is not None and is_pool(found.task):
            self._look_at_sharers(found.task)
            return
        if found is None or not self._concerns(found.task):
            return
        gates = self._waiting.get(found.task, {})
        if found.changed:
            self._limits.pop(found.task, None)
            self._look_at(found.task, gates)
        elif found.name:
            self._look_at(found.task, [name for name, gate in gates.items() if _holds(gate, found)])
            if minds_ends(found.name):
                name = gate_of(found.task, found.values)
                self._arrived(name, gates.get(name) or Gate(found.task, found.values))
        else:
            self._arrived(hint.name, found)

    def turn_over(self) -> None:
        """Buckets came or went: what waits for a task that is ours from now on has to be found."""
        self.admission.forget()
        self._finding = True
        self._wake.set()

    def concerns_gate(self, gate: str) -> bool:
        """Whether this node decides about a gate, or may be about to."""
        found = read(gate)
        return found is not None and self._concerns(found.task)

    @property
    def looks_at(self) -> int:
        """When it looks again though nobody tells of anything; 0: not before the sweep."""
        return self._now() if self._due or self._looking else min(self._later.values(), default=0)

    def look(self) -> None:
        """See whether it is time."""
        self._wake.set()

    def _look_at_sharers(self, pool: str) -> None:
        for task in [task for task, (_, known) in self._limits.items() if known is not None and known.across == pool]:
            self._look_at(task, self._waiting.get(task, ()))

    def _concerns(self, task: str) -> bool:
        home = virtual_bucket(home_of(task), self._store.virtual_buckets)
        return self._buckets.holder_of(home) is not None or self._buckets.is_unsure_of(home)

    def _is_mine(self, task: str) -> bool:
        return self._buckets.holder_of(virtual_bucket(home_of(task), self._store.virtual_buckets)) is not None

    def _arrived(self, name: str, gate: Gate) -> None:
        self._waiting.setdefault(gate.task, {})[name] = gate
        self._look_at(gate.task, (name,))

    def _look_at(self, task: str, gates: Iterable[str]) -> None:
        if names := dict.fromkeys(gates):
            self._due.setdefault(task, {}).update(names)
            self._wake.set()

    # ---------------------------------------------------------------- the role

    async def run(self) -> None:
        """The role."""
        while True:
            await woken(self._wake, self._pause())
            self._wake.clear()
            self._ring()
            due, self._due = self._due, {}
            self._looking = bool(due)
            try:
                if self._finding:
                    await self._find()
                while due:
                    task, gates = next(iter(due.items()))
                    try:
                        await self._look(task, gates)
                    except BadLimit as error:
                        self._complain(task, error)
                    del due[task]
                self._outage.over()
            except StoreError as error:
                self.admission.forget()  # whether the last write was done is not known
                pause = self._outage.pause(error)
                for task, gates in due.items():
                    self._again(task, gates, round(pause * MICROS))
                self._finding = self._finding or not due
            self._looking = False

    def _pause(self) -> float | None:
        if self._due:
            return 0.0
        if not self._later:
            return None if not self._finding else TURN_SECONDS
        return min(max((min(self._later.values()) - self._now()) / MICROS, 0.0), SLEEP_SECONDS_MAX)

    def _ring(self) -> None:
        """Who was to be looked at by now is due; all are, after the clock was set back."""
        now = self._now()
        jumped = now < self._seen_at - JUMP_MICROS
        self._seen_at = now
        for (task, gate), at in list(self._later.items()):
            if jumped or at <= now:
                del self._later[task, gate]
                self._look_at(task, (gate,))

    def _again(self, task: str, gates: Iterable[str], micros: int = round(TURN_SECONDS * MICROS)) -> None:
        at = self._now() + micros
        for gate in gates:
            self._later[task, gate] = min(self._later.get((task, gate), at), at)

    async def _find(self) -> None:
        """All gates where somebody's moment has come, whoever reads ahead for them."""
        self._finding = False
        store = self._store
        now = await store.now()
        for gated in await store.gated(0, store.virtual_buckets - 1, WALL_MIN, now, GATES_FOUND_MAX):
            found = read(gated.gate) if is_limit_gate(gated.gate) else None
            if found is not None and self._concerns(found.task):
                self._arrived(gated.gate, found)

    async def _look(self, task: str, gates: Iterable[str]) -> None:
        if not self._is_mine(task):
            if self._concerns(task):  # as after a pause: nobody else may look before the sweep
                self._again(task, gates)
            else:
                self._waiting.pop(task, None)
            return
        limits = await self._limits_of(task)
        if limits is None:
            return  # no program that has this task has started yet: when one does, it is told
        waiting = self._waiting.setdefault(task, {})
        pools = list(self._by_pool(limits, waiting, gates).items())
        for start in range(0, len(pools), LOOKS_AT_ONCE):  # they have nothing to do with one another
            part = [self._pool(limits, waiting, *pool) for pool in pools[start : start + LOOKS_AT_ONCE]]
            for outcome in await asyncio.gather(*part, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome
        if not waiting:
            self._waiting.pop(task, None)

    async def _pool(self, limits: Effective, waiting: dict[str, Gate], pool: str, names: list[str]) -> None:
        for start in range(0, len(names), HEADS_PER_LOOK_MAX):
            if not await self._rounds(limits, pool, waiting, names[start : start + HEADS_PER_LOOK_MAX]):
                return

    async def _rounds(self, limits: Effective, pool: str, waiting: dict[str, Gate], names: list[str]) -> bool:
        """Whether there may be room for others."""
        for _ in range(ROUNDS_MAX):
            outcome = await self.admission.round(limits, pool, {name: waiting[name] for name in names})
            arrived = self._due.get(limits.task, ())  # since that was read
            for name in outcome.empty:
                if name not in arrived:
                    waiting.pop(name, None)
            for name in outcome.looked:  # the next turn is others'
                if name in waiting:
                    waiting[name] = waiting.pop(name)
            for name, at in outcome.again.items():
                self._later[limits.task, name] = at
            names = [name for name in names if name in waiting]
            if not outcome.left or not names:
                return not outcome.full
        self._look_at(limits.task, names)
        return True

    def _by_pool(self, limits: Effective, waiting: dict[str, Gate], gates: Iterable[str]) -> dict[str, list[str]]:
        """The gates to look at, by the memory that keeps their keys. Where keys have to do with one another all that
        wait are looked at, in the order of turns."""
        if not limits.is_split:
            return {rows.pool_of(limits, 0): list(waiting)}
        found: dict[str, list[str]] = {}
        for name in gates:
            if name in waiting:
                found.setdefault(rows.pool_of(limits, shard_of(waiting[name].values)), []).append(name)
        return found

    def _complain(self, task: str, error: BadLimit) -> None:
        if task not in self._complained:
            self._complained.add(task)
            log.error("runs of %s wait: %s", task, error)

    async def _limits_of(self, task: str) -> Effective | None:
        read_at, known = self._limits.get(task, (WALL_MIN, None))
        now = self._now()
        if known is None or not 0 <= now - read_at < DEFINITION_SECONDS * MICROS:
            try:
                known = (await rows.effective(self._store, task)).get(task)
            except BadLimit as error:
                known = None
                self._complain(task, error)
            self._limits[task] = (now, known)
        return known


def _holds(gate: Gate, permit: Gate) -> bool:
    """Whether who waits at the gate would hold that permit."""
    return all(gate.values.get(name) == value for name, value in permit.values.items())
