"""What runs on the machines: production's node and worker, started through the one seam, and nothing else.

A `Breed` names the three parts that a planted bug may replace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from shike.errors import StoreError
from shike.runtime import Runtime
from shike.scheduler.node import Node
from shike.session import Member
from shike.store.memory import MemoryStore
from shike.task import Definition
from shike.worker.claims import QueueShare
from shike.worker.worker import Worker
from tests.sim.machines import Machine, Main
from tests.sim.workload import QUEUES

JOIN_SECONDS = 0.5
Tasks = Mapping[str, Definition]


async def join(member: Member) -> None:
    """As a process does at its start: until the store answers."""
    while True:
        try:
            await member.join()
            return
        except StoreError:
            await asyncio.sleep(JOIN_SECONDS)


def worker(tasks: Tasks, slots: int, plant: Callable[[Worker, Member], None] = lambda worker, member: None) -> Main:
    """A worker's life; `plant` may put a bug into it before it starts."""

    async def main(machine: Machine, store: Any, runtime: Runtime) -> None:
        member = Member(store, runtime, kind="worker", name=machine.name)
        await join(member)
        mine = Worker(store, runtime, member, tasks, slots=slots, queues=[QueueShare(name) for name in QUEUES])
        plant(mine, member)
        await mine.start()
        await asyncio.get_running_loop().create_future()

    return main


async def live_as_node(
    machine: Machine, store: Any, runtime: Runtime, plant: Callable[[Node], None] = lambda node: None
) -> None:
    """A node's life; `plant` may put a bug into it before it starts."""
    member = Member(store, runtime, kind="node", name=machine.name)
    await join(member)
    mine = Node(store, runtime, member)
    plant(mine)
    await mine.start()
    await asyncio.get_running_loop().create_future()


def node(tasks: Tasks) -> Main:
    return live_as_node


class Breed(Struct, frozen=True):
    """How the parts of a cluster are made."""

    name: str
    store: type[MemoryStore]
    node: Callable[[Tasks], Main]
    worker: Callable[[Tasks, int], Main]


BREED = Breed("as shipped", MemoryStore, node, worker)
