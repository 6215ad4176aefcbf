"""What runs on the machines: production's engine, started through the one seam, and nothing else.

A `Breed` names the two parts that a planted bug may change: the store, and an engine before it starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from shike.engine import Engine, Roles
from shike.errors import StoreError
from shike.runtime import Runtime
from shike.store.memory import MemoryStore
from shike.task import Definition
from shike.worker.claims import QueueShare
from tests.sim.machines import Machine, Main
from tests.sim.workload import QUEUES

START_SECONDS = 0.5  # between two tries to start while the store does not answer
GRACE_SECONDS = 3.0  # what a polite restart gives to running handlers


def _healthy(engine: Engine) -> None:
    """No bug."""


class Breed(Struct, frozen=True):
    """How the parts of a cluster are made."""

    name: str = "as shipped"
    store: type[MemoryStore] = MemoryStore
    plant: Callable[[Engine], None] = _healthy


def process(breed: Breed, tasks: Mapping[str, Definition], slots: int, *, scheduler: bool, worker: bool) -> Main:
    """The life of one process: it starts, insists until the store answers, and works until it is told to stop."""
    shares = tuple(QueueShare(name) for name in QUEUES)

    async def main(machine: Machine, store: Any, runtime: Runtime) -> None:
        roles = Roles(scheduler=scheduler, worker=worker, slots=slots, queues=shares, name=machine.name)
        while True:
            engine = Engine(store, runtime, tasks, roles, pools={})
            breed.plant(engine)
            try:
                await engine.start()
                break
            except StoreError:
                await asyncio.sleep(START_SECONDS)
        machine.engine = engine
        machine.farewell = lambda: engine.stop(GRACE_SECONDS)

    return main
