"""Limits in the store: control rows of what was declared, of what was changed since, and of what is remembered."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from shike.clock import WALL_MAX, WALL_MIN
from shike.errors import BadLimit, Conflict, NotFound
from shike.limit.bounds import GATES_FOUND_MAX
from shike.limit.deciding import Kept
from shike.limit.declared import Limits, Named
from shike.limit.gates import change_of, is_limit_gate, read
from shike.limit.kind import Limit
from shike.limit.registry import make
from shike.store.base import Control, Store
from shike.store.hints import Hint, HintKind

log = logging.getLogger("shike.limit")

DECLARED: Final = "limit/of/"  # + task: what the newest program that started says
CHANGED: Final = "limit/set/"  # + task: what people said since
KEPT: Final = "limit/at/"  # + pool: `Kept`
TRIES_MAX: Final = 20  # of a change that others come in between of


class Declared(Struct, frozen=True, omit_defaults=True):
    """One limit as a row keeps it."""

    name: str
    kind: str
    by: tuple[str, ...] = ()
    numbers: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)  # of the arguments that it goes by: for who has not the task


class Change(Struct, frozen=True, omit_defaults=True):
    """What somebody set differently from what the code says."""

    numbers: dict[str, Any] = field(default_factory=dict)
    who: str = ""
    at: int = 0


class Effective(Struct, frozen=True):
    """The limits of a task as they hold now, and how they came about."""

    task: str
    declared: tuple[Named, ...]
    changes: dict[str, Change]  # by the limit's name
    named: tuple[Named, ...]  # in the order of `declared`
    version: int = 0  # grows with each word about them

    @property
    def is_split(self) -> bool:
        """Whether all go by the same arguments, and none is shared: then keys have nothing to do with one another."""
        ways = {one.limit.args for one in self.named}
        return len(ways) == 1 and () not in ways and not any(one.limit.shared for one in self.named)


def numbers_of(limit: Limit) -> dict[str, Any]:
    """What can be changed about a limit."""
    found = msgspec.to_builtins(limit)
    found.pop("by", None)
    return dict(found)


async def declare(store: Store, limits: Iterable[Limits]) -> None:
    """Tell the store what this program's tasks declare. The newest program that says otherwise is believed."""
    wanted = {one.task: _packed(one) for one in limits}
    if not wanted:
        return
    known = {row.key.removeprefix(DECLARED): row.value for row in await store.controls(DECLARED)}
    for task, value in wanted.items():
        if known.get(task) != value:
            await store.put(f"{DECLARED}{task}", value, expect=None)
            tell_change(store, task)


async def declare_none(store: Store, tasks: Collection[str]) -> None:
    """Tell of tasks that have no limits in this program, if runs of theirs wait for limits that nobody ever told: the
    program that made them was killed before it did, or never ran them. Else they would wait for ever. What was told
    once holds for them until a program says otherwise."""
    found = await store.gated(0, store.virtual_buckets - 1, WALL_MIN, WALL_MAX, GATES_FOUND_MAX)
    gates = [read(one.gate) for one in found if is_limit_gate(one.gate)]
    for task in sorted({gate.task for gate in gates if gate is not None and gate.task in tasks}):
        with suppress(Conflict):  # it was told
            await store.put(f"{DECLARED}{task}", msgspec.json.encode(()), expect=0)
            tell_change(store, task)


def tell_change(store: Store, task: str) -> None:
    """Have nodes look at the limits of a task at once."""
    store.tell(Hint(HintKind.FREED, name=change_of(task)))


async def effective(store: Store, task: str = "") -> dict[str, Effective]:
    """The limits of one task, or of all that declare any, by task. What a newer program wrote raises `BadLimit`."""
    return _read(await _said(store, task), task)


async def told(store: Store) -> dict[str, Limits]:
    """What was declared, by task, for who has not the tasks; without what a newer program wrote."""
    found = {}
    for row in await store.controls(DECLARED):
        task = row.key.removeprefix(DECLARED)
        with suppress(BadLimit):
            rows = _declared(task, row.value)
            args = tuple(sorted({name for one in rows for name in one.by}))
            defaults = {name: value for one in rows for name, value in one.defaults.items()}
            if rows:
                found[task] = Limits(task, _named(rows), args, defaults)
    return found


async def _said(store: Store, task: str) -> list[Control]:
    """What was declared and what was set; not what is remembered, of which there is much."""
    return [*await store.controls(f"{DECLARED}{task}"), *await store.controls(f"{CHANGED}{task}")]


def _read(rows: Sequence[Control], task: str = "") -> dict[str, Effective]:
    said = {row.key.removeprefix(DECLARED): row.value for row in rows if row.key.startswith(DECLARED)}
    set_ = {row.key.removeprefix(CHANGED): _changes(row) for row in rows if row.key.startswith(CHANGED)}
    grown = Counter[str]()
    for row in rows:
        grown[row.key.removeprefix(DECLARED).removeprefix(CHANGED)] += row.version
    return {
        name: _effective(name, value, set_.get(name, {}), grown[name])
        for name, value in said.items()
        if not task or name == task
    }


async def change(store: Store, task: str, name: str, new: Change | None, expect: int | None = None) -> Effective:
    """Set a limit differently, or (None) as the code says again. Raises `NotFound` for a task or limit that is not
    declared, `BadLimit` for numbers it cannot have, `Conflict` where `Effective.version` is not `expect` any more."""
    for _ in range(TRIES_MAX):
        said = await _said(store, task)  # once: what is changed and the version that it had belong together
        found = _read(said, task).get(task)
        if found is None:
            raise NotFound(f"no task {task!r} has declared limits; `shike limits list` shows which have")
        if expect is not None and expect != found.version:
            raise Conflict(f"the limits of {task} were changed since: they are version {found.version}, not {expect}")
        if name not in {one.name for one in found.declared}:
            have = ", ".join(one.name for one in found.declared)
            raise NotFound(f"task {task!r} has no limit {name!r}; it has: {have}")
        changes = {key: value for key, value in found.changes.items() if key != name}  # those that fit
        if new is not None:
            old = found.changes.get(name, Change())
            changes[name] = Change(old.numbers | new.numbers, new.who, new.at)
        merged = tuple(_with(one, changes[one.name]) if one.name in changes else one for one in found.declared)
        version = next((row.version for row in said if row.key == f"{CHANGED}{task}"), 0)
        try:  # rows are emptied and not deleted: versions only grow
            await store.put(f"{CHANGED}{task}", msgspec.json.encode(changes), expect=version)
        except Conflict:
            continue
        tell_change(store, task)
        return Effective(task, found.declared, changes, merged, found.version + 1)
    raise Conflict(f"the limits of {task} are being changed by others all the time; try again")


async def kept(store: Store, pool: str) -> tuple[Kept, int]:
    """What is remembered of a pool, and the row's version; raises `BadLimit` for what a newer program wrote."""
    row = await _row(store, f"{KEPT}{pool}")
    if row is None:
        return Kept(), 0
    try:
        return msgspec.json.decode(row.value, type=Kept), row.version
    except msgspec.MsgspecError as error:
        raise BadLimit(f"what is remembered of {pool} cannot be read: {error}", limit=pool) from None


async def keep(store: Store, pool: str, new: Kept, version: int) -> int:
    """Remember it, if the row is still of that version: else `Conflict`. The version that it has now."""
    value = msgspec.json.encode(new)
    row = await store.put(f"{KEPT}{pool}", value, expect=version)
    return row.version if row is not None else 0


def pool_of(limits: Effective, shard: int) -> str:
    """The name of a memory."""
    return f"{limits.task}/{shard}" if limits.is_split else limits.task


def _packed(limits: Limits) -> bytes:
    plain = {name: value for name, value in sorted(limits.defaults.items()) if isinstance(value, str | int)}
    rows = [
        Declared(
            one.name,
            one.limit.word,
            one.limit.args,
            numbers_of(one.limit),
            {name: value for name, value in plain.items() if name in one.limit.args},
        )
        for one in limits.named
    ]
    return msgspec.json.encode(rows)


def _effective(task: str, value: bytes, changes: dict[str, Change], version: int) -> Effective:
    return msgspec.structs.replace(_merged(task, _named(_declared(task, value)), changes), version=version)


def _declared(task: str, value: bytes) -> tuple[Declared, ...]:
    try:
        return msgspec.json.decode(value, type=tuple[Declared, ...])
    except msgspec.MsgspecError as error:
        raise BadLimit(f"the limits of {task} cannot be read: {error}", limit=task) from None


def _named(rows: Iterable[Declared]) -> tuple[Named, ...]:
    return tuple(Named(one.name, make(one.kind, {**one.numbers, "by": one.by})) for one in rows)


def _merged(task: str, declared: tuple[Named, ...], changes: Mapping[str, Change]) -> Effective:
    """A change that does not fit what the code says by now is left out: the code's word holds, and nobody waits for
    ever."""
    names = {one.name for one in declared}
    fitting, found = {name: change for name, change in changes.items() if name not in names}, []
    for one in declared:
        now = one
        if one.name in changes:
            try:
                now = _with(one, changes[one.name])
                fitting[one.name] = changes[one.name]
            except BadLimit as error:
                _complain(task, one.name, str(error))
        found.append(now)
    return Effective(task, declared, fitting, tuple(found))


@lru_cache(maxsize=1024)
def _complain(task: str, name: str, words: str) -> None:
    """Once: it is read again every few seconds."""
    log.warning("what was set of %s %s is left out, for its code has changed: %s", task, name, words)


def _with(one: Named, change: Change) -> Named:
    return Named(one.name, make(one.limit.word, {**numbers_of(one.limit), **change.numbers, "by": one.limit.args}))


def _changes(row: Control) -> dict[str, Change]:
    try:
        return msgspec.json.decode(row.value, type=dict[str, Change])
    except msgspec.MsgspecError:
        return {}


async def _row(store: Store, key: str) -> Control | None:
    return next((row for row in await store.controls(key) if row.key == key), None)
