"""What every kind of limit answers: pure questions about one key, its memory, and the instant.

A *memory* is what a kind has to know of a key from one look to the next: a value that JSON holds, `None` at rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from msgspec import Struct

from shike.errors import BadLimit
from shike.store.base import Gated

Memory: TypeAlias = Any
Scalar: TypeAlias = str | int | bool


class No(Struct, frozen=True):
    """Why a run may not go yet; and when to ask again (UTC µs), 0: when something changes."""

    words: str
    at: int = 0
    skip: bool = False  # it shall not wait either: its kind drops what comes in between


class Thinned(Struct, frozen=True):
    """Of the runs that wait with one key: those that may go on to ask, and those that were superseded."""

    kept: Sequence[Gated]
    skipped: Sequence[Gated]
    memory: Memory
    no: No | None = None  # why none is kept


class Limit(Struct, frozen=True):
    """Base of all kinds. `by` names the arguments whose values are the key; each kind says what it is the key of."""

    word: ClassVar[str] = ""  # how it is called in rows and on the command line
    shared: ClassVar[bool] = False  # counts over all keys: `by` says who takes turns
    thins: ClassVar[bool] = False  # looks at all that wait with a key, not only at the first
    minds_ends: ClassVar[bool] = False  # has to know at once that a run is over, though nobody waits

    @property
    def args(self) -> tuple[str, ...]:
        """The names of the arguments it goes by."""
        by: Any = getattr(self, "by", ())
        return tuple(filter(None, (by,) if isinstance(by, str) else by))

    @property
    def drops(self) -> bool:
        """Whether it may drop runs that could only wait."""
        return False

    @property
    def across(self) -> str:
        """The name under which several tasks are counted together; empty: each task by itself."""
        return ""

    @property
    def row(self) -> str:
        """The control row that it has to know before it can decide; empty: none."""
        return ""

    def informed(self, value: bytes | None) -> Limit:
        """The limit as it decides, with what stands in its `row`; raises `BadLimit` for what it cannot read."""
        return self

    def most(self) -> int:
        """How many may hold it at once; 0: it counts something else."""
        return 0

    def look(self, memory: Memory, holders: Sequence[int], now: int) -> Memory:
        """What is remembered, in the light of who holds it now."""
        return memory

    def thin(self, waiters: Sequence[Gated], memory: Memory, now: int) -> Thinned:
        """Which of those that wait with one key may go on to ask."""
        return Thinned(waiters, (), memory)

    def room(self, memory: Memory, values: Mapping[str, Scalar], taken: int, now: int) -> No | None:
        """Whether one more may go, while so many hold a permit; None: it may."""
        return None

    def take(self, memory: Memory, values: Mapping[str, Scalar], run_id: int, now: int) -> Memory:
        """What is remembered once that run went."""
        return memory

    def turn(self, memory: Memory, values: Mapping[str, Scalar]) -> float | None:
        """Where a key stands in the order of turns, lowest first; None: this kind makes no order."""
        return None

    def rests(self, memory: Memory, now: int) -> bool:
        """Whether this may be forgotten: a key without memory is treated the same."""
        return memory is None

    def tells(self) -> str:
        """The limit in words."""
        return self.word


def whole(limit: str, name: str, value: object, least: int, most: int) -> int:
    """A whole number in range; raises `BadLimit`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadLimit(f"{limit}: {name}={value!r} is no whole number from {least:,} to {most:,}", limit=limit)
    return value


def check_by(limit: str, by: object) -> None:
    """Raises `BadLimit` for what are no names of arguments."""
    names = (by,) if isinstance(by, str) else by
    if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
        raise BadLimit(f"{limit}: by={by!r} is neither the name of an argument nor several", limit=limit)
