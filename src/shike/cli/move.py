"""`shike move FROM TO`: a live store becomes another one."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from shike.cli import output
from shike.cli.progress import Progress
from shike.cli.root import FINE, FOUND
from shike.cli.where import ANYWHERE, Where, refuse_missing
from shike.counted import counted
from shike.errors import BadInput

if TYPE_CHECKING:
    from shike.store.base import Store
    from shike.transfer.copying import Tallies


def move(
    source: Annotated[str, Parameter(name="FROM", help="URL of the store that is left.")],
    target: Annotated[str, Parameter(name="TO", help="URL of the new one; it is made.")] = "",
    /,
    *,
    grace: Annotated[str, Parameter(help="How long to wait for what runs.")] = "60s",
    repeat: Annotated[
        bool, Parameter(help="What still runs then is taken away, and runs again on TO.", negative="")
    ] = False,
    cancel: Annotated[bool, Parameter(help="Give up a move that is not done: FROM goes on.", negative="")] = False,
    to_namespace: Annotated[str | None, Parameter(help="Namespace in TO; else the same.")] = None,
    where: Where = ANYWHERE,
) -> int:
    """Take a live store to another one, of the same kind or another: nothing is lost, nothing runs twice.

    History is copied while everything goes on; then no new work is given out, what runs ends, the rest is copied and
    compared, and from there on FROM sends everybody to TO. Killed or interrupted, it goes on when it is repeated.
    """
    from shike.settings import with_settings
    from shike.store.opening import address

    if where.store:
        raise BadInput("a move names both its stores: shike move FROM TO, without --store")
    if bool(target) == cancel:
        raise BadInput("say where to: shike move FROM TO; or shike move FROM --cancel")
    loaded = where.settings()
    namespace = loaded.settings.namespace
    source = with_settings(source, loaded)
    if cancel:
        return asyncio.run(_cancel(source, namespace))
    seconds = _seconds(grace)
    with Progress(quiet=where.json) as progress:
        counts = asyncio.run(_move((source, namespace), (target, to_namespace or namespace), seconds, repeat, progress))
    moved = {kind: tally.count for kind, tally in counts.items() if tally.count}
    if where.json:
        output.as_json({"counts": moved})
    else:
        shown = address(target, to_namespace or namespace)
        print(f"moved: {counted(sum(moved.values()), 'record')} while it was sealed; use {shown} from here on")
    return FINE


def _seconds(text: str) -> float:
    from shike.clock import MICROS
    from shike.trigger.duration import parse_duration

    return parse_duration(text) / MICROS


async def _move(
    source: tuple[str, str], target: tuple[str, str], grace_seconds: float, repeat: bool, progress: Progress
) -> Tallies:
    from shike.clock import SystemClock
    from shike.ids import SystemEntropy
    from shike.store.opening import address
    from shike.transfer.moving import Move

    if address(*source) == address(*target):
        raise BadInput("FROM and TO are the same store")
    async with AsyncExitStack() as stack:
        old = await _opened(stack, *source, makes=False)
        new = await _opened(stack, *target, makes=True, virtual_buckets=old.virtual_buckets)
        return await Move(
            old,
            new,
            SystemClock(),
            SystemEntropy(),
            address(*source),
            address(*target),
            grace_seconds=grace_seconds,
            repeat=repeat,
            say=progress.say,
            progress=progress,
        ).run()


async def _cancel(url: str, namespace: str) -> int:
    from shike.clock import SystemClock
    from shike.ids import SystemEntropy
    from shike.transfer.moving import Move

    async with AsyncExitStack() as stack:
        store = await _opened(stack, url, namespace, makes=False)
        if not await Move(store, store, SystemClock(), SystemEntropy(), "", "").cancel():
            print("no move is under way")
            return FOUND
    print("given up: work goes on where it was. What was copied is of no use; drop it before you move there again")
    return FINE


async def _opened(
    stack: AsyncExitStack, url: str, namespace: str, *, makes: bool, virtual_buckets: int | None = None
) -> Store:
    from shike.clock import SystemClock
    from shike.store.opening import open_store

    if url.startswith("memory:"):
        raise BadInput("memory:// ends with its process: it can neither be left nor be moved to")
    refuse_missing(url, makes=makes)
    store = open_store(url, namespace=namespace, clock=SystemClock(), virtual_buckets=virtual_buckets)
    await store.open()
    stack.push_async_callback(store.close)
    return store
