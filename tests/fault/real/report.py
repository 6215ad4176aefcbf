"""`python -m tests.fault.real.report FIGURES`: a run's figures go into figures.json, and docs/faults.md is written."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = ROOT / "docs/faults.md"
KEPT: Final = Path(__file__).with_name("figures.json")

SCENARIOS: Final = {  # name of the figures → what is done, what is proved
    "worker-steps": (
        "SIGKILL of ten workers, each at another step: a claim about to be sent, on its way, answered; in the handler, "
        "behind its last line, acknowledgement gathered; a flush about to be sent, on its way, answered; a beat",
        "P1 P3 P4 P5",
    ),
    "scheduler-steps": (
        "SIGKILL of nine schedulers, one after the other: after reading what is to be planned, before, in and after a "
        "plan, after a scan, holding buckets, having closed a dead session, in and after freeing what it held",
        "P1 P3 P5 P7",
    ),
    "killed-and-missed": (
        "SIGKILL of a worker whose lease lasts for ten minutes: it is missed at once by those on its machine",
        "P1 P4 P5",
    ),
    "server-restarts": ("the server is killed and started again three times", "P1 P4 P5 P7"),
    "connections-cut": ("1,000 connections are reset while sixteen readers come back at once", "P1 P4 P5 P7"),
    "partition, requests lost": ("what a scheduler and a worker send is swallowed for three leases", "P1 P3 P4 P5"),
    "partition, answers lost": ("what they are answered is swallowed for three leases", "P1 P3 P4 P5"),
    "partition, both lost": ("both are swallowed", "P1 P3 P4 P5"),
    "partition, flapping": ("both, or the answers, are swallowed and let through in turn, six times", "P1 P3 P4 P5"),
    "stopped-processes": (
        "SIGSTOP of a worker, a scheduler and a worker about to flush, for three leases",
        "P1 P3 P4",
    ),
    "blocked-loop": ("the event loop computes for two leases: its run is nobody else's", "P3 P4"),
    "node's clock -1 h": ("the only scheduler and worker are an hour slow, right, an hour slow", "P1 P2 P5 P7"),
    "node's clock +1 h": ("the same an hour fast", "P1 P2 P5 P7"),
    "store's clock -1 h": ("the server's clock is set back by an hour", "P1 P3 P5 P7"),
    "store's clock +1 h": ("the server's clock is set forward by an hour", "P1 P3 P5 P7"),
    "disk full": ("no room on the disk for four seconds (a tmpfs in a mount namespace)", "P1 P4 P5 P7"),
    "tablespace full": (
        "no room in InnoDB's tablespace for four seconds (its own limit), then more room and a restart",
        "P1 P4 P5 P7",
    ),
    "memory full": ("no room in the server for four seconds (its own `maxmemory`)", "P1 P4 P5 P7"),
    "replica": (
        "everything that a scheduler and a worker read is a second old (PostgreSQL), or a replica that answers wait "
        "for says nothing for a while (Redis); then the primary is killed and the replica takes its place (R2.16)",
        "P1 P3 P4 P5 P7",
    ),
    "slots": ("eight slots of a cluster move to another node while work goes on, key by key", "P1 P3 P4 P5 P7"),
    "10,000 in one millisecond": ("10,000 runs are due in the same millisecond", "P1 P2 P3"),
    "backlog at once": ("a backlog of a million is due at once; new work beside it", "P5"),
    "poison": ("a run takes its worker along each time; sixty innocents beside it", "P1 P4"),
}
STORES: Final = ("sqlite", "redis", "postgres", "mysql")
WORDS: Final = {
    "runs": "{:,} runs",
    "repeats": "{:,} repeated",
    "moments": "{:,} moments audited",
    "heal_seconds": "healed in {} s",
    "late_ms": "then late by at most {:,} ms",
    "refused": "{:,} submits refused",
    "doubtful": "{:,} submits without an answer",
    "connections": "{:,} connections",
    "drained_seconds": "drained in {} s",
    "backlog": "backlog {:,}",
    "keys": "{:,} keys moved",
    "deaths": "{:,} workers died",
}
HEAD: Final = """# Faults

What `make fault` does to real processes and private servers, and what it proves. This page is written by
`python -m tests.fault.real.report`; `tests/fault` has more (SQLite's file, process groups, forks, locks).

In each scenario somebody submits all the time, schedules tick, and handlers write down what they do in a file outside
of the store. After the fault, the judgement lays that beside what the store says: every accepted run ended once, as a
success, with its effect (P1); its tokens only grew, and the newest is the accepted one (P3); repeats are at most faults
× work in flight (P4); `shike audit` finds neither hole nor double (P7); and twenty new runs in a row begin on time,
within a minute (P5: *healed in*). The figures are the latest of each scenario, on two shared, busy cores; "late" is
from handing a run in to the first line of its handler.

| fault | store | proved | latest figures |
|---|---|---|---|
"""
TAIL: Final = """
## What is not shown here

- The clock of SQLite is that of its processes. `tests/sim` and the contract suite set every store's clock.
- A disk that is full for the *log* of PostgreSQL's transactions ends that server, and a disk that is full under
  MariaDB's tables does so after five seconds (its InnoDB finds no page to take a statement back): both are then as
  servers that were killed, and have to be started again when there is room. What has room for its log but not for its
  tables (PostgreSQL), or is given a limit (MariaDB, Redis), refuses, and that is an error of ours that may be repeated
  (`StoreFull`).
- Power loss: `tests/unit/store/test_sqlite_power.py`, and what each server promises ([promises](promises.md), P8).
"""


def key_of(row: dict[str, Any]) -> str:
    return f"{row['scenario']}|{row['store']}"


def merged(kept: list[dict[str, Any]], fresh: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The newest figures of each scenario on each store, in the order of the page."""
    rows = {key_of(row): row for row in (*kept, *fresh)}
    order = [f"{name}|{store}" for name in SCENARIOS for store in STORES]
    return [rows[key] for key in order if key in rows]


def page(rows: list[dict[str, Any]]) -> str:
    """docs/faults.md."""
    lines, before = [], ""
    for row in rows:
        fault, proved = SCENARIOS[row["scenario"]]
        told = ", ".join(words.format(row[name]) for name, words in WORDS.items() if name in row)
        again = row["scenario"] == before
        lines.append(f"| {'〃' if again else fault} | {row['store']} | {'〃' if again else proved} | {told} |\n")
        before = row["scenario"]
    return HEAD + "".join(lines) + TAIL


def main() -> None:
    fresh = [json.loads(line) for name in sys.argv[1:] for line in Path(name).read_text().splitlines()]
    rows = merged(json.loads(KEPT.read_text()) if KEPT.exists() else [], fresh)
    KEPT.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    PAGE.write_text(page(rows))


if __name__ == "__main__":
    main()
