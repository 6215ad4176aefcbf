"""Programs that a worker runs, whatever starts them: so many at once, guarded, and ended with their runs."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from shike.bounds import COMMANDS_MAX, KILL_GRACE_SECONDS
from shike.errors import BadSetting
from shike.worker.context import Context
from shike.worker.executor import Call
from shike.worker.process_group import ProcessGroup
from shike.worker.tail import Tail

log = logging.getLogger("shike.worker")

LAST_WORDS_SECONDS = 0.5  # for the end of the output; a daemon that was left running may hold the pipe for ever


class ProgramPool:
    """Runs at most `size` programs at once; how one is started and stopped is the kind's. Belongs to one event loop."""

    abandoned = 0  # whatever runs here can be killed

    def __init__(self, size: int, words: str, grace_seconds: float) -> None:
        if not 1 <= size <= COMMANDS_MAX:
            raise BadSetting(f"a worker can run 1 to {COMMANDS_MAX} {words} at once, not {size}")
        self.size = size
        self._words = words
        self._grace_seconds = grace_seconds
        self._seats = asyncio.Semaphore(size)
        self._calls: set[asyncio.Task[Any]] = set()
        self._guard: Guard | None = None
        self._closed = False

    async def run(self, call: Call) -> Any:
        """See `Pool.run`."""
        if self._closed:
            raise RuntimeError(f"this pool of {self._words} is closed")
        serving = asyncio.get_running_loop().create_task(self._serve(call), name=f"shike:{self._words}")
        self._calls.add(serving)
        serving.add_done_callback(self._calls.discard)
        return await serving

    async def close(self) -> None:
        """See `Pool.close`. Programs that still run are stopped as if cancelled."""
        self._closed = True
        for serving in self._calls:
            serving.cancel()
        if self._calls:
            await asyncio.wait(set(self._calls))
        if self._guard is not None:
            await self._guard.close()
            self._guard = None

    async def _serve(self, call: Call) -> dict[str, Any]:
        raise NotImplementedError

    async def _followed(
        self,
        start: Callable[[], ProcessGroup],
        stop: Callable[[ProcessGroup], Awaitable[None]],
        context: Context,
        heard: Callable[[str], None] | None = None,
    ) -> tuple[int, str, str]:
        """A program from its start to its end: its status, and the end of what it printed. Cancelled, it is stopped."""
        self._guard = self._guard or Guard()
        group = start()
        self._guard.watch(group)
        stdout, stderr = Tail(group.stdout, heard), Tail(group.stderr, heard)
        try:
            await asyncio.wait([group.exited])
            await asyncio.wait([stdout.ended, stderr.ended], timeout=LAST_WORDS_SECONDS)
        except BaseException:
            context.cancelled = context.cancelled or "stopped by the worker"
            await stop(group)
            raise
        finally:
            stdout.close()
            stderr.close()
        return group.exited.result(), stdout.text(), stderr.text()


class Guard:
    """The worker's end of `shike.worker.guardian`. Does what it can: no run fails for want of it."""

    def __init__(self) -> None:
        reading, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        try:
            argv = [sys.executable, "-m", "shike.worker.guardian"]
            self._group = ProcessGroup(argv, sweep=False, stdin=reading, stdout=subprocess.DEVNULL)
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(reading)

    def watch(self, group: ProcessGroup) -> None:
        self._tell(f"+{group.pid}\n")
        group.exited.add_done_callback(lambda _: self._tell(f"-{group.pid}\n"))

    async def close(self) -> None:
        os.close(self._pipe)
        self._pipe = -1
        if not await self._group.ends(KILL_GRACE_SECONDS):
            await self._group.stop(0)

    def _tell(self, line: str) -> None:
        try:
            os.write(self._pipe, line.encode())
        except OSError as error:
            log.warning("the guardian of commands does not listen (%s); killing this worker may leave some", error)
