"""Which of the runs that wait may go: one pure decision over all keys of a task, or of one shard of them.

What was decided is written into the *memory* of these keys, by compare-and-set, before any run is moved: so of two
nodes that decide at once one is refused, and a promise (`granting`) that a node could not keep any more is kept by the
next. A run that was promised counts as a holder until it is seen to be one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush

from msgspec import Struct, field

from shike.limit.bounds import ADMITS_PER_LOOK_MAX, KEYS_REMEMBERED_MAX
from shike.limit.declared import Named
from shike.limit.gates import Gate, permit_of, read
from shike.limit.kind import Memory, No
from shike.store.base import Gated

FULL_SECONDS = 1.0


class Kept(Struct, frozen=True, omit_defaults=True):
    """The row of one task, or shard, that the compare-and-set is on."""

    granting: dict[int, tuple[str, ...]] = field(default_factory=dict)  # run → the permits it was promised
    memory: dict[str, Memory] = field(default_factory=dict)  # by permit


class Head(Struct, frozen=True):
    """One gate, and the first runs that wait at it, whose moment has come."""

    gate: Gate
    waiters: Sequence[Gated]
    more: bool = False  # others wait behind them


class View(Struct, frozen=True):
    """All that a decision looks at."""

    limits: Sequence[Named]
    kept: Kept
    holders: Mapping[str, Sequence[int]]  # by permit
    heads: Sequence[Head]  # in the order of turns, where no limit makes another
    now: int


class Admission(Struct, frozen=True):
    """A run that may go, and what it holds from then on."""

    gated: Gated
    permits: tuple[str, ...]


class Blocked(Struct, frozen=True):
    """Why the first of a gate may not go."""

    limit: str
    permit: str
    no: No


class Decision(Struct, frozen=True):
    """What is to be written, and then done."""

    kept: Kept
    changed: bool  # whether it has to be written at all
    admitted: Sequence[Admission]
    skipped: Sequence[tuple[Gated, str]]
    blocked: dict[str, Blocked]  # by gate
    again_at: int = 0  # when to look again though nothing happens; 0: no need
    left: bool = False  # others of these gates might go at once


def permits_of(gate: Gate, limits: Iterable[Named]) -> tuple[str, ...]:
    """The permit of each limit, for runs at a gate."""
    return tuple(permit_at(gate, one) for one in limits)


def permit_at(gate: Gate, one: Named) -> str:
    """The permit of one limit; what several tasks count together has the same one for all of them."""
    if one.limit.across:
        return permit_of(one.limit.across, one.limit.word, {})
    return permit_of(gate.task, one.name, _key(gate, one))


def _key(gate: Gate, one: Named) -> dict[str, str | int | bool]:
    if one.limit.shared:
        return {}
    return {name: gate.values[name] for name in one.limit.args if name in gate.values}


def decide(view: View) -> Decision:
    """Who goes, who is dropped, what is remembered, and when to look again."""
    return _Decider(view).run()


class _Decider:
    def __init__(self, view: View) -> None:
        self.view = view
        self.memory = dict(view.kept.memory)
        self.granting = dict(view.kept.granting)
        self.taken: dict[str, set[int]] = {}
        self.admitted: list[Admission] = []
        self.skipped: list[tuple[Gated, str]] = []
        self.blocked: dict[str, Blocked] = {}
        self.again: list[int] = []
        self.fresh = False
        self.lines = [_Line(head, permits_of(head.gate, view.limits)) for head in view.heads]

    def run(self) -> Decision:
        for line in self.lines:
            self._prepare(line)
        self._serve([line for line in self.lines if line.waiters])
        memory = self._without_rest()
        changed = self.fresh or memory.keys() != self.view.kept.memory.keys() or self.memory != self.view.kept.memory
        waiting = {gated.run_id for gated, _ in self.skipped}
        kept = Kept({run: permits for run, permits in self.granting.items() if run not in waiting}, memory)
        left = len(self.admitted) >= ADMITS_PER_LOOK_MAX or any(line.hides_others(self.blocked) for line in self.lines)
        again_at = min(self.again, default=0)
        return Decision(kept, changed, self.admitted, self.skipped, self.blocked, again_at, left)

    def _prepare(self, line: _Line) -> None:
        """The light of who holds what falls on the memory; and those are dropped that another takes the place of."""
        for one, permit in zip(self.view.limits, line.permits, strict=True):
            if permit not in self.taken:
                holders = self.view.holders.get(permit, ())
                promised = {run for run, permits in self.granting.items() if permit in permits}
                self.taken[permit] = {*holders, *promised}
                self._remember(
                    permit, one.limit.look(self.memory.get(permit), tuple(self.taken[permit]), self.view.now)
                )
            if one.limit.thins:
                self._thin(line, one, permit)

    def _thin(self, line: _Line, one: Named, permit: str) -> None:
        free = [gated for gated in line.waiters if gated.run_id not in self.granting]
        thinned = one.limit.thin(free, self.memory.get(permit), self.view.now)
        self._remember(permit, thinned.memory)
        reason = f"{one.limit.word}: a later one took its place"
        self.skipped += [(gated, reason) for gated in thinned.skipped]
        line.thinned = bool(thinned.skipped)
        promised = [gated for gated in line.waiters if gated.run_id in self.granting]
        kept = () if line.head.more and thinned.skipped else thinned.kept  # the last that was read is not the last
        line.waiters = [*promised, *kept]
        if thinned.no is not None:
            self._block(line, one, permit, thinned.no)

    def _serve(self, lines: list[_Line]) -> None:
        heap = [(self._turn(line), place, line) for place, line in enumerate(lines)]
        heapify(heap)
        place = len(heap)
        while heap and len(self.admitted) < ADMITS_PER_LOOK_MAX:
            turn, was, line = heappop(heap)
            if (now := self._turn(line)) > turn:  # others went in the meantime
                heappush(heap, (now, was, line))
                continue
            if self._admit(line, line.waiters[0]):
                line.waiters = line.waiters[1:]
                line.served += 1
                place += 1
            else:
                self._drop_in_between(line)
            if line.waiters and line.gate not in self.blocked:
                heappush(heap, (self._turn(line), place, line))

    def _turn(self, line: _Line) -> float:
        for one, permit in zip(self.view.limits, line.permits, strict=True):
            turn = one.limit.turn(self.memory.get(permit), line.head.gate.values)
            if turn is not None:
                return turn
        return float(line.served)

    def _admit(self, line: _Line, gated: Gated) -> bool:
        run_id, limits, values = gated.run_id, self.view.limits, line.head.gate.values
        if run_id in self.granting:
            self.admitted.append(Admission(gated, self.granting[run_id]))
            return True
        for one, permit in zip(limits, line.permits, strict=True):
            no = one.limit.room(self.memory.get(permit), values, len(self.taken[permit]), self.view.now)
            if no is None and permit not in self.memory and len(self.memory) >= KEYS_REMEMBERED_MAX:
                no = No("too many keys are not at rest", self.view.now + round(FULL_SECONDS * 1_000_000))
            if no is not None:
                self._block(line, one, permit, no)
                return False
        held = []
        for one, permit in zip(limits, line.permits, strict=True):
            self._remember(permit, one.limit.take(self.memory.get(permit), values, run_id, self.view.now))
            if one.limit.most():
                self.taken[permit].add(run_id)
                held.append(permit)
        self.granting[run_id] = tuple(held)
        self.admitted.append(Admission(gated, tuple(held)))
        self.fresh = True
        return True

    def _drop_in_between(self, line: _Line) -> None:
        """The first may not go, and its kind does not let others wait either: all of them are dropped."""
        why = self.blocked[line.gate]
        if why.no.skip:
            keep = [gated for gated in line.waiters if gated.run_id in self.granting]
            self.skipped += [(gated, why.no.words) for gated in line.waiters if gated.run_id not in self.granting]
            line.waiters = keep
            line.thinned = True

    def _block(self, line: _Line, one: Named, permit: str, no: No) -> None:
        self.blocked.setdefault(line.gate, Blocked(one.name, permit, no))
        if no.at:
            self.again.append(no.at)

    def _remember(self, permit: str, memory: Memory) -> None:
        if memory is None:
            self.memory.pop(permit, None)
        else:
            self.memory[permit] = memory

    def _without_rest(self) -> dict[str, Memory]:
        """What need not be remembered any more is not: of keys at rest, and of limits that there are no more."""
        if not self.fresh and self.memory == self.view.kept.memory and len(self.memory) < KEYS_REMEMBERED_MAX // 2:
            return self.memory
        limits = {one.name: one.limit for one in self.view.limits}
        tasks = {line.head.gate.task for line in self.lines}
        kept = {}
        for permit, memory in self.memory.items():
            found = read(permit)
            if found is not None and found.task not in tasks:  # another's, with which this one shares a memory
                kept[permit] = memory
                continue
            limit = limits.get(found.name) if found is not None else None
            if limit is not None and not limit.rests(memory, self.view.now):
                kept[permit] = memory
        return kept


class _Line:
    """One gate while it is decided about."""

    def __init__(self, head: Head, permits: tuple[str, ...]) -> None:
        self.head = head
        self.permits = permits
        self.waiters = list(head.waiters)
        self.gate = head.waiters[0].gate if head.waiters else ""
        self.served = 0
        self.thinned = False

    def hides_others(self, blocked: Mapping[str, Blocked]) -> bool:
        """Whether those that wait behind what was read might go, or be dropped, too."""
        return self.head.more and (self.thinned or (not self.waiters and self.gate not in blocked))
