"""What the locks of both relational servers share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

from shike.clock import MICROS
from shike.trigger.duration import Duration, parse_duration

KNOWN_MAX = 10_000  # names remembered; then they are made once more, which costs a round trip
C = TypeVar("C")


class Row(NamedTuple, Generic[C]):
    """A row lock: the transaction that holds it, and its token for what lies outside of that database."""

    connection: C
    token: int


class Known:
    """Which rows this process has seen to be there, so that they are made only once."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def missing(self, names: Iterable[str]) -> list[str]:
        return sorted(set(names) - self._names)

    def add(self, names: Iterable[str]) -> None:
        if len(self._names) > KNOWN_MAX:
            self._names.clear()
        self._names.update(names)


def row_name(name: str) -> str:
    """Rows that are locked by transactions are others than those locked by leases."""
    return f"row:{name}"


def whole_seconds(length: Duration) -> int:
    """Rounded up, and at least one: a limit of 0 means none to a server."""
    return max(1, -(-parse_duration(length) // MICROS))


def whole_milliseconds(length: Duration) -> int:
    """Rounded up, and at least one."""
    return max(1, -(-parse_duration(length) // 1_000))
