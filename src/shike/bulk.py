"""A bulk submission that is too long for one step: while the store writes a part of it, the next is made ready."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from shike.bounds import SUBMIT_BATCH_MAX, SUBMIT_PART

S = TypeVar("S")
M = TypeVar("M")
T = TypeVar("T")

Prepare = Callable[[Sequence[S]], Coroutine[Any, Any, M]]
Deliver = Callable[[M], Coroutine[Any, Any, list[T]]]

UNDER_WAY_MAX = 2  # one is written, one is made ready


async def in_steps(prepare: Prepare[S, M], deliver: Deliver[M, T], items: Sequence[S], *, overlap: bool) -> list[T]:
    """What `deliver` answers to all items, as `prepare` makes them ready, in their order: in one atomic step, if there
    are not too many. Else in as few as will do, one after the other; or, with `overlap`, in shorter ones, two under way
    at a time: where the order does not matter, as it does of two runs with one key. Where one fails, its error is
    raised, and what became of the other one is not known."""
    size = SUBMIT_PART if overlap and len(items) > SUBMIT_BATCH_MAX else SUBMIT_BATCH_MAX
    steps = [items[start : start + size] for start in range(0, len(items), size)]
    if overlap and len(steps) > 1:
        return await _overlapping(prepare, deliver, steps)
    return [answer for step in steps for answer in await deliver(await prepare(step))]


async def _overlapping(prepare: Prepare[S, M], deliver: Deliver[M, T], steps: Sequence[Sequence[S]]) -> list[T]:
    under_way: deque[asyncio.Task[list[T]]] = deque()
    answers: list[T] = []
    try:
        for step in steps:
            under_way.append(asyncio.create_task(deliver(await prepare(step)), name="shike:bulk"))
            await asyncio.sleep(0)  # it begins
            if len(under_way) == UNDER_WAY_MAX:
                answers += await under_way.popleft()
        while under_way:
            answers += await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
    return answers
