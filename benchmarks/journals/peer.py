"""`eventsourcing`, as its documentation has it: an aggregate for each line, kept in memory between saves.

`python -m benchmarks.journals.peer WHERE SINGLE TOGETHER`, by the interpreter of out/peers-events. Its holds are the
lesser work: the lowest unit that is free all the way; no rules, people, expiry or repeated commands.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from benchmarks.journals.asked import EVENTS_PER_STREAM, SEGMENTS, TOGETHER, UNITS, Clock, main, now, sections


class Line(Aggregate):  # type: ignore[misc]
    """Units and segments, a bit for each that is free."""

    @event("Opened")  # type: ignore[untyped-decorator]
    def __init__(self, units: int, segments: int) -> None:
        self.free = [(1 << units) - 1] * segments
        self.orders: dict[int, tuple[int, int, int]] = {}

    def ask(self, start: int, end: int) -> bool:
        free = self.free[start]
        for segment in range(start + 1, end):
            free &= self.free[segment]
        if not free:
            return False
        self.hold((free & -free).bit_length() - 1, start, end)
        return True

    @event("Held")  # type: ignore[untyped-decorator]
    def hold(self, unit: int, start: int, end: int) -> None:
        self.orders[len(self.orders) + 1] = (unit, start, end)
        for segment in range(start, end):
            self.free[segment] &= ~(1 << unit)


def settings(where: str) -> dict[str, str]:
    """As shipped, but for where it is."""
    parts = urlsplit(where)
    if parts.scheme == "sqlite":
        return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": where.removeprefix("sqlite:///")}
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": parts.path.strip("/"),
        "POSTGRES_HOST": parts.hostname or "127.0.0.1",
        "POSTGRES_PORT": str(parts.port or 5432),
        "POSTGRES_USER": parts.username or "postgres",
        "POSTGRES_PASSWORD": parts.password or "none",
    }


def play(where: str, single: int, together: int) -> dict[str, float]:
    os.environ |= settings(where)
    clock, application = Clock(), Application()
    for kind, count in (("single", single), ("together", together)):
        lines = [Line(UNITS, SEGMENTS) for _ in range(-(-count // EVENTS_PER_STREAM))]
        application.save(*lines)
        asked = sections(count)
        size = 1 if kind == "single" else TOGETHER
        began = now()
        for first in range(0, count, size):
            line = lines[first // EVENTS_PER_STREAM]
            for start, end in asked[first : first + size]:
                assert line.ask(start, end)
            application.save(line)
        clock.tell(kind, count, began)
    began, read = now(), 0
    for line in lines:
        read += application.repository.get(line.id).version
    clock.tell("replay", read, began)
    assert read == together + len(lines)
    application.close()
    return clock.figures


if __name__ == "__main__":
    main(play)
