"""What has to be let go before an event loop is closed: its connections, whichever thread it ran on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable


def at_the_end(work: Callable[[], Awaitable[None]]) -> object:
    """Have this awaited when the running loop shuts down, as `asyncio.run` does it, for as long as somebody keeps what
    is returned here. (A loop closes its asynchronous generators; that is the only word it gives of its end.)"""
    generator = _held(work)
    try:
        generator.__anext__().send(None)  # this makes it known to the loop
    except StopIteration:
        pass
    return generator


async def _held(work: Callable[[], Awaitable[None]]) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await work()
