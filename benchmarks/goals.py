"""The goals beside what was measured: `python -m benchmarks.goals`, with `--write` into docs/benchmarks.md.

It measures nothing: it reads what `python -m benchmarks … --write` left in out/bench. CPU per run comes first, since it
hardly depends on what else the machine does; then ratios and rates.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import FOLDER, Figures, load
from benchmarks.report import PAGE, between


@dataclass(frozen=True)
class Check:
    """One figure and its bound. `limit` may depend on other figures; NaN: it is only told."""

    measure: str
    row: str
    key: str
    limit: float | Callable[[Figures], float] = math.nan
    at_least: bool = False
    digits: int = 0
    unit: str = ""

    def value(self, figures: Figures) -> float | None:
        if self.key == "ratio to best peer":
            return figures.ratio(self.measure, self.row)
        return figures.value(self.measure, self.row, self.key)

    def holds(self, figures: Figures) -> bool | None:
        """None: not measured, or only to be told."""
        value = self.value(figures)
        limit = self.limit(figures) if callable(self.limit) else self.limit
        if value is None or math.isnan(limit):
            return None
        return value >= limit if self.at_least else value <= limit

    def shown(self, figures: Figures) -> str:
        value = self.value(figures)
        if value is None:
            return "–"
        return "never" if math.isinf(value) else f"{value:,.{self.digits}f}{self.unit}"


@dataclass(frozen=True)
class Goal:
    """A line of the table."""

    what: str
    goal: str
    checks: tuple[Check, ...]
    peer: tuple[str, str, str] | None = None  # (measure, group, key) whose best peer is shown

    def line(self, figures: Figures) -> str:
        here = " / ".join(check.shown(figures) for check in self.checks)
        cells = (self.what, self.goal, here, self._peer(figures), self._met(figures))
        return "| " + " | ".join(cells) + " |"

    def _peer(self, figures: Figures) -> str:
        best = figures.best_peer(*self.peer) if self.peer else None
        return "" if best is None else f"{best[0]:,.{0 if best[0] >= 100 else 1}f} ({best[1]})"

    def _met(self, figures: Figures) -> str:
        verdicts = [check.holds(figures) for check in self.checks]
        measured = [check.value(figures) is not None for check in self.checks]
        if not any(measured):
            return "to come"
        known = [verdict for verdict in verdicts if verdict is not None]
        if not known:
            return "told"
        if all(known):
            return "met" if all(measured) else "met so far"
        return f"{sum(known)} of {len(known)}" if any(known) else "not met"


REDIS, POSTGRES, MARIADB = "shike-redis", "shike-postgres", "shike-mysql"
SERVERS = (REDIS, POSTGRES, MARIADB)


def _pair(measure: str, row: str, p50: float, p99: float) -> tuple[Check, ...]:
    return Check(measure, row, "p50_ms", p50, digits=2), Check(measure, row, "p99_ms", p99, digits=1, unit=" ms")


def _burst_ms(row: str) -> Callable[[Figures], float]:
    """What a burst of 2,000 may take: the time of its own drain, and 20 ms."""

    def limit(figures: Figures) -> float:
        rate = figures.value("drain-brokered", row, "per_second")
        return math.nan if rate is None else 2_000 / rate * 1e3 + 20

    return limit


def _in_flight(row: str) -> Callable[[Figures], float]:
    def limit(figures: Figures) -> float:
        found = figures.value("crash-brokered", row, "in_flight")
        return math.nan if found is None else found  # none in flight is a limit, too

    return limit


def _crash(row: str) -> tuple[Check, ...]:
    return (
        Check("crash-brokered", row, "lost", 0),
        Check("crash-brokered", row, "repeats", _in_flight(row)),
        Check("crash-brokered", row, "heal_seconds", 3, digits=2, unit=" s"),
    )


GOALS = (
    Goal(
        "CPU of the worker per run, Redis", "≤ 30 µs",
        (Check("drain-brokered", REDIS, "cpu_us", 30, digits=1, unit=" µs"),),
        ("drain-brokered", "redis", "cpu_us"),
    ),
    Goal(
        "CPU of the worker per run, PostgreSQL / MariaDB", "told",
        tuple(Check("drain-brokered", row, "cpu_us", digits=1, unit=" µs") for row in (POSTGRES, MARIADB)),
        ("drain-brokered", "postgres", "cpu_us"),
    ),
    Goal(
        "drain, Redis, result kept", "≥ 20,000/s, ≥ 12 ×",
        (
            Check("drain-brokered", REDIS, "per_second", 20_000, at_least=True, unit="/s"),
            Check("drain-brokered", REDIS, "ratio to best peer", 12, at_least=True, digits=1, unit=" ×"),
        ),
        ("drain-brokered", "redis", "per_second"),
    ),
    Goal(
        "submit, Redis: bulk / 100 at once", "≥ 80,000 / ≥ 40,000/s",
        (
            Check("enqueue-brokered", REDIS, "bulk_per_second", 80_000, at_least=True),
            Check("enqueue-brokered", REDIS, "crowd_per_second", 40_000, at_least=True, unit="/s"),
        ),
        ("enqueue-brokered", "redis", "bulk_per_second"),
    ),
    Goal(
        "PostgreSQL: drain / bulk submit", "≥ 18,000 / ≥ 70,000/s",
        (
            Check("drain-brokered", POSTGRES, "per_second", 18_000, at_least=True),
            Check("enqueue-brokered", POSTGRES, "bulk_per_second", 70_000, at_least=True, unit="/s"),
        ),
        ("drain-brokered", "postgres", "per_second"),
    ),
    Goal(
        "MariaDB: drain", "≥ 10,000/s",
        (Check("drain-brokered", MARIADB, "per_second", 10_000, at_least=True, unit="/s"),),
    ),
    Goal(
        "pickup p50 / p99, Redis", "≤ 0.8 / ≤ 3 ms", _pair("pickup-brokered", REDIS, 0.8, 3),
        ("pickup-brokered", "redis", "p50_ms"),
    ),
    Goal(
        "pickup p50 / p99, PostgreSQL", "≤ 2.5 / ≤ 10 ms", _pair("pickup-brokered", POSTGRES, 2.5, 10),
        ("pickup-brokered", "postgres", "p50_ms"),
    ),
    Goal(
        "submit and wait for the result p50, Redis", "≤ 1.5 ms",
        (Check("answer", REDIS, "p50_ms", 1.5, digits=2, unit=" ms"),), ("answer", "redis", "p50_ms"),
    ),
    Goal(
        "lateness p50 / p99 at 200/s, Redis; early", "≤ 1.5 / ≤ 5 ms; 0",
        (*_pair("lateness-brokered", REDIS, 1.5, 5), Check("lateness-brokered", REDIS, "early", 0)),
        ("lateness-brokered", "redis", "p99_ms"),
    ),
    Goal(
        "lateness p50 / p99 at 200/s, PostgreSQL; early", "≤ 3 / ≤ 12 ms; 0",
        (*_pair("lateness-brokered", POSTGRES, 3, 12), Check("lateness-brokered", POSTGRES, "early", 0)),
        ("lateness-brokered", "postgres", "p99_ms"),
    ),
    Goal(
        "lateness p99 at 1,000/s among a million: Redis / PostgreSQL / MariaDB", "≤ 50 ms",
        tuple(Check("dispatch-million", row, "p99", 50, digits=1, unit=" ms") for row in SERVERS),
        ("dispatch-million", "redis", "p99"),
    ),
    Goal(
        "lateness of dispatch p99 at 20,000/s, Redis, one / two nodes", "≤ 60 / ≤ 20 ms",
        (
            Check("dispatch", "slices", "busy_p99", 60, digits=1),
            Check("dispatch", "slices-two", "busy_p99", 20, digits=1, unit=" ms"),
        ),
        ("dispatch", "redis", "busy_p99"),
    ),
    Goal(
        "lateness to start p99 at half of own drain: Redis / PostgreSQL / MariaDB", "told",
        tuple(Check("half", row, "p99", digits=1, unit=" ms") for row in SERVERS),
    ),
    Goal(
        "burst of 2,000, last start: Redis / PostgreSQL / MariaDB", "≤ 2,000 ÷ own drain + 20 ms",
        tuple(Check("burst-brokered", row, "max_ms", _burst_ms(row), digits=1, unit=" ms") for row in SERVERS),
        ("burst-brokered", "redis", "max_ms"),
    ),
    Goal(
        "end to end, bare ÷ raw insert: Redis / PostgreSQL / MariaDB / SQLite", "≥ 0.24 / 0.15 / 0.13 / 0.34",
        tuple(
            Check("verbs", kind, "ratio", limit, at_least=True, digits=2)
            for kind, limit in (("redis", 0.24), ("postgres", 0.15), ("mysql", 0.13), ("sqlite", 0.34))
        ),
    ),
    Goal(
        "a scan with nothing due, a million schedules: Redis / PostgreSQL / MariaDB / SQLite", "≤ 5 ms",
        tuple(
            Check("scan", kind, "scan_ms", 5, digits=2, unit=" ms") for kind in ("redis", "postgres", "mysql", "sqlite")
        ),
    ),
    *(
        Goal(f"SIGKILL, {name}: lost / begun again / healed", "0 / ≤ in flight / ≤ 3 s", _crash(row))
        for name, row in (("Redis", REDIS), ("PostgreSQL", POSTGRES), ("MariaDB", MARIADB))
    ),
    Goal(
        "bytes in Redis per pending run, beyond / inside the read-ahead", "≤ 200 / ≤ 380",
        (
            Check("footprint", "shike-redis-precise", "beyond", 200),
            Check("footprint", "shike-redis-precise", "inside", 380),
        ),
        ("footprint", "redis", "beyond"),
    ),
    Goal(
        "claim p50 before a million ÷ empty queue: Redis / PostgreSQL / MariaDB / SQLite", "≤ 2",
        tuple(Check("backlog", kind, "ratio", 2, digits=2) for kind in ("redis", "postgres", "mysql", "sqlite")),
    ),
    Goal(
        "an idle process, statements a second: Redis / PostgreSQL / MariaDB", "1",
        tuple(Check("idle-brokered", row, "statements_per_second", 1.25, digits=1) for row in SERVERS),
    ),
    Goal(
        "500 connections, whole path (R2.15), Redis: before → after", "told; the source: 1,240 → 3,670/s",
        (
            Check("connections", "before", "per_second"), Check("connections", "redis", "per_second", unit="/s"),
            Check("connections", "redis", "ratio to best peer", digits=1, unit=" ×"),
        ),
    ),
)  # fmt: skip


def table(figures: Figures) -> str:
    head = ["| measure | goal | here | best peer here | |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *(goal.line(figures) for goal in GOALS)])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.goals", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    parser.add_argument("--figures", type=Path, default=FOLDER, help="another folder than out/bench")
    options = parser.parse_args()
    figures = load(options.figures)
    text = f"{table(figures)}\n\n*{figures.when()}*"
    print(text)
    if options.write:
        PAGE.write_text(between(PAGE.read_text(), "goals", text))


if __name__ == "__main__":
    main()
