"""Where runs of a limited task wait, and what they hold: names that are keys in every store.

A *gate* is `limit/["TASK",{"tenant":"acme"}]`: all runs that agree in every argument the task's limits go by wait at
one, so what holds for the first of them holds for all. A *permit* is `limit/["TASK","concurrency:tenant",{…}]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Struct

from shike.errors import TooLarge
from shike.ids import virtual_bucket
from shike.limit.bounds import GATE_BYTES_MAX, SHARDS
from shike.limit.kind import Scalar

PREFIX: Final = "limit/"
POOL: Final = "pool "


class Gate(Struct, frozen=True):
    """A gate, or with a `name` a permit, read."""

    task: str
    values: dict[str, Any]
    name: str = ""  # of the limit that it is a permit of
    changed: bool = False  # neither: the word that limits of the task were changed


def is_limit_gate(gate: str) -> bool:
    """Whether a limiter decides about it."""
    return gate.startswith(PREFIX)


def gate_of(task: str, values: Mapping[str, Scalar]) -> str:
    """Where runs of a task with these values wait; raises `TooLarge`."""
    return _written([task, dict(sorted(values.items()))])


def permit_of(task: str, name: str, values: Mapping[str, Scalar]) -> str:
    """What runs of a task with these values hold of the limit `name`."""
    return PREFIX + msgspec.json.encode([task, name, dict(sorted(values.items()))]).decode()


def change_of(task: str) -> str:
    """The word that limits of a task were changed."""
    return PREFIX + msgspec.json.encode([task]).decode()


@lru_cache(maxsize=16_384)
def read(gate: str) -> Gate | None:
    """A gate, permit or word of change; None for what a newer program may have written."""
    try:
        parts = msgspec.json.decode(gate.removeprefix(PREFIX))
    except msgspec.DecodeError:
        return None
    match parts:
        case [str(task)]:
            return Gate(task, {}, changed=True)
        case [str(task), dict(values)]:
            return Gate(task, values)
        case [str(task), str(name), dict(values)]:
            return Gate(task, values, name)
    return None


def is_pool(task: str) -> bool:
    """Whether this stands for a worker pool, in whose slots several tasks are counted together. No task's name has a
    space."""
    return task.startswith(POOL)


def home_of(task: str) -> str:
    """What decides which node looks after the limits of a task: the owner of this name's virtual bucket."""
    return f"{PREFIX}{task}"


def shard_of(values: Mapping[str, Scalar]) -> int:
    """Which memory of a task keeps these values, where its limits all go by the same arguments."""
    return virtual_bucket(msgspec.json.encode(dict(sorted(values.items()))).decode(), SHARDS)


def in_words(values: Mapping[str, Scalar]) -> str:
    """`tenant=acme, region=eu`; `all` where a limit goes by nothing."""
    return ", ".join(f"{name}={value}" for name, value in sorted(values.items())) or "all"


def _written(parts: list[Any]) -> str:
    gate = PREFIX + msgspec.json.encode(parts).decode()
    size = len(gate.encode())
    if size > GATE_BYTES_MAX:
        raise TooLarge(
            f"the limit key of task {parts[0]!r} has {size} bytes with the task's name; at most {GATE_BYTES_MAX}. "
            "Limit by a shorter argument",
            size=size,
            limit=GATE_BYTES_MAX,
        )
    return gate
