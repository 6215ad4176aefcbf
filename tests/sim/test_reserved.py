"""A pool of slots that two tasks share, in the cluster under faults: never more runs than slots, and all of them end.

Where each task counts for itself is planted, and has to be caught (R1.13)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from shike.clock import MICROS
from shike.limit import slots
from shike.limit.declared import Named
from shike.limit.gates import Gate, is_limit_gate, permit_of, read
from shike.limit.kinds.reserved import Reserved
from shike.limit.slots import Page, Reservation, Slots
from shike.model import Run
from shike.runtime import Runtime
from tests.sim.cluster import SHORT_SECONDS, Cluster, Report
from tests.sim.fleet import describe
from tests.sim.machines import Machine
from tests.sim.tenants import Tenants, _insist

SIZE = 3
SEEDS = 6
HUNT = 12
BY_TENANT = (Reserved("workers", "gpu", "20s", by="tenant"),)


def keys_of(run: Run) -> list[tuple[str, int]]:
    gate = read(run.gate) if is_limit_gate(run.gate) else None
    return [("pool", SIZE)] if gate is not None else []


class Sharers(Tenants):
    """Tell of the pool first: a tenant that submits little has most of it for half a minute."""

    async def main(self, machine: Machine, store: Any, runtime: Runtime) -> None:
        now = await _insist(store.now)
        reservation = Reservation("c", SIZE - 1, now + 10 * MICROS, now + 40 * MICROS)
        await _insist(slots.tell, store, "workers", Page(1, {"gpu": Slots(SIZE, (reservation,))}))
        await super().main(machine, store, runtime)


@contextmanager
def a_pool() -> Iterator[None]:
    """The tenants of the cluster take slots of one pool instead of having limits of their own."""
    with (
        patch("tests.sim.handlers.METERED", BY_TENANT),
        patch("tests.sim.handlers.SHARED", BY_TENANT),
        patch("tests.sim.watch.keys_of", keys_of),
        patch("tests.sim.cluster.Tenants", Sharers),
        patch("tests.sim.cluster.LIMITS_SHARE", 1.0),
    ):
        yield


def day(seed: int) -> Report:
    with a_pool():
        return Cluster(seed, chaos_seconds=SHORT_SECONDS).run()


def test_a_pool_that_two_tasks_share_is_never_overfull_and_nobody_waits_for_ever() -> None:
    for seed in range(SEEDS):
        report = day(seed)
        assert not report.violations, "\n".join(describe(report))


def each_for_itself(gate: Gate, one: Named) -> str:
    return permit_of(gate.task, one.name, {})


def test_tasks_that_count_each_for_itself_are_caught() -> None:
    with patch("shike.limit.deciding.permit_at", each_for_itself):
        assert any(day(seed).violations for seed in range(HUNT))
