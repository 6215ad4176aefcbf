"""Limits as operators see them: what holds, who has it, who waits; and changing it while everything runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from shike.clock import to_datetime
from shike.errors import BadInput, NotFound
from shike.limit import rows
from shike.limit.bounds import GATES_FOUND_MAX, WAITING_COUNTED, WHO_CHARS_MAX
from shike.limit.deciding import Head, View, decide, permits_of
from shike.limit.declared import Named
from shike.limit.gates import Gate, gate_of, in_words, is_limit_gate, read, shard_of
from shike.limit.rows import Change, Effective
from shike.limit.strikes import Strikes, arguments_of, listed
from shike.model import NEVER, Live, State
from shike.store.base import RunFilter, Store
from shike.store.children import UNTIL_FREED

HOLDERS_TOLD = 5  # of a limit, by name; the others are counted
RUNS_READ = 1_000  # of a task, to find the keys in use
IN_USE = (State.SCHEDULED, State.PENDING, State.ASSIGNED, State.RUNNING, State.FAILED)


class LimitFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One limit of a task: as its code says, and as it holds now."""

    task: str
    name: str
    kind: str
    words: str
    by: tuple[str, ...] = ()
    numbers: dict[str, Any] = {}  # as they hold now
    declared: dict[str, Any] = {}  # what the code says, where that is another
    changed_by: str = ""
    changed_at: datetime | None = None
    version: int = 0  # of all limits of the task: grows with each change


class KeyFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One key of a limit. `waiting` counts those that are due; at most `WAITING_COUNTED`."""

    task: str
    name: str
    key: str  # in words
    values: dict[str, Any] = {}
    cap: int = 0  # 0: this kind counts no holders
    taken: int = 0
    holders: tuple[str, ...] = ()  # run ids, at most `HOLDERS_TOLD`
    waiting: int = 0
    why: str = ""  # why the first of them does not go


class WhyLimited(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a run waits before its limits."""

    words: str
    limit: str = ""
    key: str = ""
    holders: tuple[str, ...] = ()
    again_at: datetime | None = None  # when it may go, as far as that is known


async def listing(store: Store, task: str = "") -> list[LimitFacts]:
    """Every limit that is declared, or those of one task."""
    found = await rows.effective(store, task)
    return [_facts(limits, old, new) for limits in found.values() for old, new in _pairs(limits)]


async def keys(store: Store, task: str, values: Mapping[str, Any] | None = None) -> list[KeyFacts]:
    """The keys of a task's limits that are in use, or wait; or those of one call (`values`, by argument). A task that
    has declared none: an empty list."""
    limits = (await rows.effective(store, task)).get(task)
    if limits is None:
        return []
    gates = await _gates_in_use(store, task) if values is None else [_asked_for(limits, values)]
    found: dict[str, KeyFacts] = {}
    for gate in gates:
        waiting = await store.gate_waiters(gate_of(task, gate.values), WAITING_COUNTED)
        why = (await _blocked(store, limits, gate))[0] if waiting else ""
        for one, permit in zip(limits.named, permits_of(gate, limits.named), strict=True):
            known = found.get(permit)
            if known is None:
                known = await _key_facts(store, one, permit)
            found[permit] = _with_waiting(known, len(waiting), why)
    return [found[permit] for permit in sorted(found)]


async def find(store: Store, task: str, name: str) -> LimitFacts:
    """One limit. Raises `NotFound`."""
    found = await listing(store, task)
    for one in found:
        if one.name == name:
            return one
    have = f"it has: {', '.join(one.name for one in found)}" if found else "it has declared none"
    raise NotFound(f"task {task!r} has no limit {name!r}; {have}")


async def set_limit(
    store: Store, task: str, name: str, numbers: Mapping[str, Any], who: str = "", *, expect: int | None = None
) -> LimitFacts:
    """Change a limit for the whole cluster, at once, until it is reset: `set_limit(store, "mail.send",
    "concurrency:tenant", {"cap": 8})`. Raises `NotFound`, `BadLimit`, or `Conflict` where `LimitFacts.version` is not
    `expect` any more. A cap that is lowered takes nothing from runs that hold a permit."""
    check_who(who)
    if not numbers:
        raise BadInput("say what to set: cap=8, rate=100/m, burst=20, …")
    if "by" in numbers:
        raise BadInput("what a limit goes by stands in the code: runs that wait do so by that key")
    now = await store.now()
    return _one(await rows.change(store, task, name, Change(dict(numbers), who, now), expect), name)


def check_who(who: object) -> None:
    """Raises `BadInput`: what is kept with a change is read again by every program."""
    if not isinstance(who, str) or len(who) > WHO_CHARS_MAX:
        raise BadInput(f"who={who!r:.40}: a text of at most {WHO_CHARS_MAX} characters; empty: nobody says")


async def reset(store: Store, task: str, name: str, *, expect: int | None = None) -> LimitFacts:
    """What the code says holds again. Raises as `set_limit`."""
    return _one(await rows.change(store, task, name, None, expect), name)


async def why_limited(store: Store, live: Live) -> WhyLimited | None:
    """Why a run waits before its limits, or is kept from beginning by a strike, as things are now; None: neither."""
    gate = read(live.run.gate) if live.state is State.WAITING and is_limit_gate(live.run.gate) else None
    now = await store.now()
    if live.state is not State.RUNNING:
        args = arguments_of(live.run.args) | (gate.values if gate is not None else {})
        strike = Strikes(await listed(store)).on(live.run, args, now)
        if strike is not None:
            return WhyLimited(words=strike.words(), again_at=_instant(strike.until))
    if gate is None or live.run_at == UNTIL_FREED:
        return None
    if live.run_at > now:
        return WhyLimited(words="its moment has not come; then it asks for its limits", again_at=_instant(live.run_at))
    limits = (await rows.effective(store, gate.task)).get(gate.task)
    if limits is None:
        return WhyLimited(words=f"no program that has task {gate.task} has told its limits yet: is a worker started?")
    words, name, permit, at = await _why(store, limits, gate)
    first = await store.gate_waiters(live.run.gate, WAITING_COUNTED)
    before = next((place for place, one in enumerate(first) if one.run_id == live.run.id), len(first))
    holders = await store.holders(permit) if permit else []
    turn = f"; {before}{'+' if before >= WAITING_COUNTED else ''} wait before it" if before else ""
    return WhyLimited(
        words=words + turn, limit=name, key=in_words(gate.values), holders=_told(holders), again_at=_instant(at)
    )


async def _why(store: Store, limits: Effective, gate: Gate) -> tuple[str, str, str, int]:
    words, name, permit, at = await _blocked(store, limits, gate)
    if not words:
        return "nothing holds it: a node will let it in with its next look", "", "", 0
    holders = await store.holders(permit)
    key = read(permit)
    by = f" by runs {', '.join(_told(holders))}{' …' if len(holders) > HOLDERS_TOLD else ''}" if holders else ""
    return f"waits for limit {in_words(key.values if key else {})} ({name}): {words}{by}", name, permit, at


async def _blocked(store: Store, limits: Effective, gate: Gate) -> tuple[str, str, str, int]:
    """The decision about a gate, made without doing anything: (why not, limit, permit, again at)."""
    kept, _ = await rows.kept(store, rows.pool_of(limits, shard_of(gate.values)))
    permits = permits_of(gate, limits.named)
    holders = {
        permit: await store.holders(permit)
        for one, permit in zip(limits.named, permits, strict=True)
        if one.limit.most()
    }
    name = gate_of(gate.task, gate.values)
    now = await store.now()
    waiters = [one for one in await store.gate_waiters(name, WAITING_COUNTED) if one.run_at <= now]
    decision = decide(View(limits.named, kept, holders, [Head(gate, waiters)], now))
    why = decision.blocked.get(name)
    return ("", "", "", 0) if why is None else (why.no.words, why.limit, why.permit, why.no.at)


async def _gates_in_use(store: Store, task: str) -> list[Gate]:
    """Where somebody waits, and of the runs that were let in the newest ones' gates."""
    found: dict[str, Gate] = {}
    until = await store.now()
    for gated in await store.gated(0, store.virtual_buckets - 1, -1, until, GATES_FOUND_MAX):
        _add(found, task, gated.gate)
    for run in await store.runs(RunFilter(task=task, states=IN_USE, limit=RUNS_READ)):
        _add(found, task, run.run.gate)
    return list(found.values())


def _add(found: dict[str, Gate], task: str, name: str) -> None:
    gate = read(name) if is_limit_gate(name) else None
    if gate is not None and gate.task == task:
        found[name] = gate


def _asked_for(limits: Effective, values: Mapping[str, Any]) -> Gate:
    args = sorted({name for one in limits.named for name in one.limit.args})
    if missing := [name for name in args if name not in values]:
        raise BadInput(f"the limits of {limits.task} go by {', '.join(args)}: {', '.join(missing)} is missing")
    return Gate(limits.task, {name: values[name] for name in args})


async def _key_facts(store: Store, one: Named, permit: str) -> KeyFacts:
    read_ = read(permit)
    assert read_ is not None
    holders = await store.holders(permit) if one.limit.most() else []
    return KeyFacts(
        task=read_.task,
        name=one.name,
        key=in_words(read_.values),
        values=read_.values,
        cap=one.limit.most(),
        taken=len(holders),
        holders=_told(holders),
    )


def _with_waiting(known: KeyFacts, more: int, why: str) -> KeyFacts:
    return KeyFacts(
        task=known.task, name=known.name, key=known.key, values=known.values, cap=known.cap, taken=known.taken,
        holders=known.holders, waiting=known.waiting + more, why=known.why or why,
    )  # fmt: skip


def _told(holders: list[int]) -> tuple[str, ...]:
    return tuple(str(run_id) for run_id in holders[:HOLDERS_TOLD])


def _pairs(limits: Effective) -> list[tuple[Named, Named]]:
    return list(zip(limits.declared, limits.named, strict=True))


def _one(limits: Effective, name: str) -> LimitFacts:
    return next(_facts(limits, old, new) for old, new in _pairs(limits) if new.name == name)


def _facts(limits: Effective, old: Named, new: Named) -> LimitFacts:
    change = limits.changes.get(new.name)
    return LimitFacts(
        task=limits.task,
        name=new.name,
        kind=new.limit.word,
        words=new.limit.tells(),
        by=new.limit.args,
        numbers=rows.numbers_of(new.limit),
        declared=rows.numbers_of(old.limit) if change else {},
        changed_by=change.who if change else "",
        changed_at=_instant(change.at) if change else None,
        version=limits.version,
    )


def _instant(micros: int) -> datetime | None:
    return None if micros == NEVER else to_datetime(micros)
