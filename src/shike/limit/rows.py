"""Limits in the store: control rows of what was declared, of what was changed since, and of what is remembered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from shike.errors import BadLimit, Conflict, NotFound
from shike.limit.deciding import Kept
from shike.limit.declared import Limits, Named
from shike.limit.gates import change_of
from shike.limit.kind import Limit
from shike.limit.registry import make
from shike.store.base import Control, Store
from shike.store.hints import Hint, HintKind

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


def tell_change(store: Store, task: str) -> None:
    """Have nodes look at the limits of a task at once."""
    store.tell(Hint(HintKind.FREED, name=change_of(task)))


async def effective(store: Store, task: str = "") -> dict[str, Effective]:
    """The limits of one task, or of all that declare any, by task. What a newer program wrote raises `BadLimit`."""
    return _read(await store.controls("limit/"), task)


def _read(rows: Sequence[Control], task: str = "") -> dict[str, Effective]:
    changes = {row.key.removeprefix(CHANGED): _changes(row) for row in rows if row.key.startswith(CHANGED)}
    declared = {row.key.removeprefix(DECLARED): row for row in rows if row.key.startswith(DECLARED)}
    return {
        name: _effective(name, row, changes.get(name, {})) for name, row in declared.items() if not task or name == task
    }


async def change(store: Store, task: str, name: str, new: Change | None) -> Effective:
    """Set a limit differently, or (None) as the code says again. Raises `NotFound` for a task or limit that is not
    declared, `BadLimit` for numbers it cannot have."""
    for _ in range(TRIES_MAX):
        read = await store.controls("limit/")  # once: what is changed and the version that it had belong together
        found = _read(read, task).get(task)
        if found is None:
            raise NotFound(f"no task {task!r} has declared limits; `shike limits list` shows which have")
        if name not in {one.name for one in found.declared}:
            have = ", ".join(one.name for one in found.declared)
            raise NotFound(f"task {task!r} has no limit {name!r}; it has: {have}")
        changes = {key: value for key, value in found.changes.items() if key != name}
        if new is not None:
            old = found.changes.get(name, Change())
            changes[name] = Change(old.numbers | new.numbers, new.who, new.at)
        merged = _merged(found.declared, changes)
        version = next((row.version for row in read if row.key == f"{CHANGED}{task}"), 0)
        try:  # rows are emptied and not deleted: versions only grow
            await store.put(f"{CHANGED}{task}", msgspec.json.encode(changes), expect=version)
        except Conflict:
            continue
        tell_change(store, task)
        return Effective(task, found.declared, changes, merged)
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
    rows = [Declared(one.name, one.limit.word, one.limit.args, numbers_of(one.limit)) for one in limits.named]
    return msgspec.json.encode(rows)


def _effective(task: str, row: Control, changes: dict[str, Change]) -> Effective:
    try:
        rows = msgspec.json.decode(row.value, type=tuple[Declared, ...])
    except msgspec.MsgspecError as error:
        raise BadLimit(f"the limits of {task} cannot be read: {error}", limit=task) from None
    declared = tuple(Named(one.name, make(one.kind, {**one.numbers, "by": one.by})) for one in rows)
    return Effective(task, declared, changes, _merged(declared, changes))


def _merged(declared: Sequence[Named], changes: Mapping[str, Change]) -> tuple[Named, ...]:
    found = []
    for one in declared:
        change = changes.get(one.name)
        if change is None:
            found.append(one)
        else:
            numbers = {**numbers_of(one.limit), **change.numbers, "by": one.limit.args}
            found.append(Named(one.name, make(one.limit.word, numbers)))
    return tuple(found)


def _changes(row: Control) -> dict[str, Change]:
    try:
        return msgspec.json.decode(row.value, type=dict[str, Change])
    except msgspec.MsgspecError:
        return {}


async def _row(store: Store, key: str) -> Control | None:
    return next((row for row in await store.controls(key) if row.key == key), None)
