"""Slots of a worker pool that tenants reserve for a time; what is not reserved is anybody's.

Runs of other tasks may take slots of the same pool: all are counted together. No run is ever stopped for another, so a
slot is kept free for a reservation by not giving it to a run that may last into it: hence `longest`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from msgspec import Struct, field
from msgspec.structs import force_setattr

from shike.clock import MICROS, to_datetime
from shike.errors import BadLimit
from shike.limit import slots
from shike.limit.bounds import SLOTS_MAX
from shike.limit.kind import Limit, Memory, No, Scalar, check_by
from shike.limit.lengths import in_words, micros_of
from shike.limit.slots import Slots
from shike.trigger.duration import Duration

OVERDUE = 0  # until when a run lasts that nobody knows any more: for all that is known, for ever


class Reserved(Limit, frozen=True):
    """At most as many runs as the pool has slots of a kind; each holds one from when it is let in until it is over.

    A tenant (the value of `by`, or `tenant`, where the whole task is one tenant's) that has reserved slots finds them
    free at its time, if it reserved them `longest` before, and no run lasts longer than that. One that does goes on,
    and keeps its slot: the reservation waits for it, and there are never more runs than slots.
    """

    pool: str
    kind: str
    longest: Duration
    by: str | tuple[str, ...] = ""
    tenant: str = ""

    word: ClassVar[str] = slots.WORD
    shared: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name, value in (("pool", self.pool), ("kind", self.kind)):
            if not isinstance(value, str) or not value:
                raise BadLimit(f"reserved: {name}={value!r} is no name of a {name}", limit=self.word)
        force_setattr(self, "longest", micros_of(self.word, "longest", self.longest) / MICROS)
        check_by(self.word, self.by)
        if not isinstance(self.tenant, str) or (self.tenant and self.args not in ((), ("*",))):
            raise BadLimit("reserved: give by= or tenant=: with tenant= all runs of the task are one tenant's; "
                           'where an argument is marked as Key, say by="*", too', limit=self.word)  # fmt: skip

    @property
    def across(self) -> str:
        return slots.home_of(self.pool, self.kind)

    @property
    def row(self) -> str:
        return slots.row_of(self.pool)

    @property
    def longest_micros(self) -> int:
        return micros_of(self.word, "longest", self.longest)

    def informed(self, value: bytes | None) -> Limit:
        page = slots.read(self.pool, value) if value is not None else None
        return Sharing(self, page.kinds.get(self.kind) if page is not None else None)

    def most(self) -> int:
        return SLOTS_MAX

    def room(self, memory: Memory, values: Mapping[str, Scalar], taken: int, now: int) -> No | None:
        raise AssertionError("nobody has read what is reserved")

    def who(self, values: Mapping[str, Scalar]) -> str:
        """Whose reservations runs with these arguments use."""
        return self.tenant or "/".join(str(values.get(name, "")) for name in self.args)

    def tells(self) -> str:
        by = ", ".join(self.args) or self.tenant or "all"
        return f"slots of {self.pool}/{self.kind}, reserved by {by}; runs of {in_words(self.longest_micros)} at most"


class Ahead(Struct, frozen=True):
    """What holds while a run that is let in now may be under way: whose how many slots are, from each instant on."""

    next_change: int  # 0: none
    reserved: dict[int, Counter[str]]


class Sharing(Limit, frozen=True):
    """A `Reserved`, with the slots as they are told now. Its memory: who has which runs under way, until when each."""

    declared: Reserved
    slots: Slots | None
    seen: dict[int, Ahead] = field(default_factory=dict)  # by instant: one decision asks many times at one

    word: ClassVar[str] = Reserved.word
    shared: ClassVar[bool] = True

    @property
    def args(self) -> tuple[str, ...]:
        return self.declared.args

    @property
    def across(self) -> str:
        return self.declared.across

    def most(self) -> int:
        """Without slots one, for it is held all the same by whom it was given to."""
        return min(self.slots.size, SLOTS_MAX) if self.slots is not None else 1

    def look(self, memory: Memory, holders: Sequence[int], now: int) -> Memory:
        left = {str(run_id) for run_id in holders}
        found: dict[str, dict[str, int]] = {}
        for who, runs in (memory or {}).items():
            if still := {run: until for run, until in runs.items() if run in left}:
                found[who] = still
                left -= still.keys()
        for run in sorted(left):
            found.setdefault("", {})[run] = OVERDUE
        return found or None

    def room(self, memory: Memory, values: Mapping[str, Scalar], taken: int, now: int) -> No | None:
        if self.slots is None:
            return No(f"no slots of {self.declared.pool}/{self.declared.kind} are told: open the pool, with its store")
        if taken >= self.most():
            return No(f"{taken} of {self.most()} under way")
        ahead = self._ahead(self.slots, now)
        view = _View(self.slots, memory or {}, self.declared.who(values), now)
        for at, reserved in ahead.reserved.items():
            if words := view.full(at, reserved):
                return No(words, ahead.next_change)
        return None

    def _ahead(self, slots: Slots, now: int) -> Ahead:
        if now not in self.seen:
            self.seen.clear()
            changes = slots.changes(now)
            until = now + self.declared.longest_micros
            edges = (now, *(edge for edge in changes if edge < until))
            self.seen[now] = Ahead(changes[0] if changes else 0, {at: slots.reserved(at) for at in edges})
        return self.seen[now]

    def take(self, memory: Memory, values: Mapping[str, Scalar], run_id: int, now: int) -> Memory:
        who = self.declared.who(values)
        mine = {**(memory or {}).get(who, {}), str(run_id): now + self.declared.longest_micros}
        return {**(memory or {}), who: mine}

    def tells(self) -> str:
        return self.declared.tells()


class _View(Struct, frozen=True):
    """One who asks for a slot, and what all others have and may have."""

    slots: Slots
    runs: Mapping[str, Mapping[str, int]]
    who: str
    now: int

    def full(self, at: int, reserved: Counter[str]) -> str:
        """Why one more of its runs, under way at that instant, would take what is another's; empty: it would not."""
        if not self._full(at, reserved, {who: len(runs) for who, runs in self.runs.items()}):
            return ""  # though all of them lasted so long
        return self._full(at, reserved, {who: self._still(runs, at) for who, runs in self.runs.items()})

    def _full(self, at: int, reserved: Counter[str], under_way: Mapping[str, int]) -> str:
        mine = under_way.get(self.who, 0)
        for cap in self.slots.capping(self.who, at, self.now):
            taken = sum(count for who, count in under_way.items() if not cap.tenants or who in cap.tenants)
            if taken >= cap.count:
                return f"{taken} of {cap.count} that {', '.join(cap.tenants) or 'all'} may have{self._when(at)}"
        if mine < reserved[self.who]:
            return ""
        others = (under_way.keys() | reserved.keys()) - {self.who}
        taken = mine + sum(max(under_way.get(one, 0), reserved[one]) for one in others)
        if taken < self.slots.size:
            return ""
        kept = taken - sum(under_way.values())
        return f"of {self.slots.size} slots {taken - kept} are taken and {kept} kept for others{self._when(at)}"

    def _still(self, runs: Mapping[str, int], at: int) -> int:
        """How many of these runs last until then; one that should be over by now lasts for all that is known."""
        return sum(until > at or until <= self.now for until in runs.values())

    def _when(self, at: int) -> str:
        return "" if at <= self.now else f", from {to_datetime(at):%Y-%m-%d %H:%M:%S} UTC on"


kind: Any = Reserved
