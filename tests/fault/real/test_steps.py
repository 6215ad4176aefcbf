"""SIGKILL at each step of the river (P1, P3, P4): each victim dies at a step of its own, with work of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fault.real.figures import record
from tests.fault.real.grounds import STORES, ground_of
from tests.fault.real.judge import judge
from tests.fault.real.scene import scene

WORKER_STEPS = (
    "claim:before",
    "claim:during",
    "claim:after",
    "handler:begin",
    "handler:end:3",
    "handler:gathered:4",
    "settle:before:2",
    "settle:during:2",
    "settle:after:2",
    "beat:during",
)
NODE_STEPS = (
    "to_plan:after:2",
    "plan:before:3",
    "plan:during:5",
    "plan:after:7",
    "due:after:3",
    "beat:after:2",
    "close_session:after",
    "free:during",
    "free:after",
)
SLOTS = 4
RUNS = 12


@pytest.mark.slow
@pytest.mark.parametrize("kind", STORES)
def test_a_worker_killed_at_each_step(kind: str, tmp_path: Path) -> None:
    with scene(ground_of(kind), tmp_path) as site:
        site.up(site.start("node"))
        for step in WORKER_STEPS:
            site.submit(RUNS, queue=queue_of(step), seconds=2.0 if step.startswith("beat") else 0.02)
        victims = {step: site.start("worker", queues=[queue_of(step)], slots=SLOTS, doom=step) for step in WORKER_STEPS}
        for step, victim in victims.items():
            site.struck(victim, step)
        site.start("worker", queues=["default", *map(queue_of, WORKER_STEPS)], slots=100)
        verdict = judge(site, repeats_max=len(WORKER_STEPS) * 2 * SLOTS)
    record("worker-steps", kind, steps=len(WORKER_STEPS), **verdict.figures())


def queue_of(step: str) -> str:
    return step.replace(":", "-")


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("kind", STORES)
def test_a_scheduler_killed_at_each_step(kind: str, tmp_path: Path) -> None:
    with scene(ground_of(kind), tmp_path, virtual_buckets=64) as site:
        site.up(site.start("worker", slots=20))
        with site.stream():
            for step in NODE_STEPS:
                site.struck(site.start("node", doom=step), step)
        site.start("node")
        verdict = judge(site, repeats_max=0)
    record("scheduler-steps", kind, steps=len(NODE_STEPS), **verdict.figures())
