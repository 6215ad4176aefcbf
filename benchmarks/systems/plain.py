"""The path as one writes it first: for each request a connection, one command a run, round robin over two workers.

A request pushes its run onto the list of the worker whose turn it is and waits, on the same connection, for the answer.
A worker moves one run at a time to a list of its own, runs it, keeps the result, acknowledges, answers: a command each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import redis
import redis.asyncio

from benchmarks import body
from benchmarks.systems.base import Unasked, broker_url

WORKERS = 2
PATIENCE_SECONDS = 30


class Plain(Unasked):
    """The client, and worker number `worker`."""

    def __init__(self, worker: int) -> None:
        self._worker = worker

    async def whole(self, number: int) -> None:
        connection: Any = redis.asyncio.Redis.from_url(broker_url(), single_connection_client=True)
        try:
            await connection.lpush(f"worker-{number % WORKERS}", number)
            if await connection.blpop([f"answer-{number}"], PATIENCE_SECONDS) is None:
                raise RuntimeError(f"no answer within {PATIENCE_SECONDS} s")
        finally:
            await connection.aclose()

    def work(self) -> None:
        connection: Any = redis.Redis.from_url(broker_url())
        waiting, doing = f"worker-{self._worker}", f"doing-{self._worker}"
        while True:
            number = connection.blmove(waiting, doing, 0, "RIGHT", "LEFT")
            result = body.mark_result(int(number))
            connection.hset("results", number, result)
            connection.lrem(doing, 1, number)
            connection.rpush(f"answer-{int(number)}", result)


def open_system(folder: Path, *, worker: int) -> Plain:
    return Plain(worker)
