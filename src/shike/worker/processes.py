"""Handlers in warm child processes: for work that needs a core of its own, may crash, or must be killable.

A child is a fresh interpreter that imports the app once and then serves call after call. Nothing is forked from a
process with threads, nothing is pickled: arguments and results cross as JSON in small frames over a socket pair.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from typing import Any

import msgspec

from shike.bounds import CHILD_START_SECONDS, KILL_GRACE_SECONDS, PROCESSES_MAX
from shike.errors import BadArguments, BadInput, BadSetting, ChildDied, ImportFailed, TooLarge
from shike.model import Executor
from shike.worker import frames
from shike.worker.executor import Call, HandlerFailed
from shike.worker.notes import Told
from shike.worker.process_group import ProcessGroup, ending
from shike.worker.recycle import Limits, should_recycle

LAST_WORDS_SECONDS = 0.5  # for what a dead child had written to be read; descendants may keep the socket open


class Warm:
    """One child process, as its pool sees it: serves one call at a time."""

    def __init__(self, group: ProcessGroup, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._group = group
        self._reader = reader
        self._writer = writer
        self.pid = group.pid
        self.runs_done = 0
        self.rss_bytes = 0
        loop = asyncio.get_running_loop()
        group.exited.add_done_callback(lambda _: loop.call_later(LAST_WORDS_SECONDS, writer.transport.abort))

    @property
    def alive(self) -> bool:
        return not self._group.exited.done()

    @classmethod
    async def start(cls, app_path: str) -> Warm:
        """A child that has imported the app. Raises `ImportFailed`, `ChildDied`, `OSError`."""
        ours, theirs = socket.socketpair()
        with theirs:
            argv = [sys.executable, "-m", "shike.worker.child", str(theirs.fileno())]
            try:
                group = ProcessGroup(argv, sweep=True, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),))
            except BaseException:
                ours.close()
                raise
        try:
            child = cls(group, *await asyncio.open_connection(sock=ours))
        except BaseException:
            ours.close()
            await group.stop(0)
            raise
        try:
            async with asyncio.timeout(CHILD_START_SECONDS):
                await child._introduce(app_path)
        except TimeoutError:
            await child.stop(0)
            raise ImportFailed(f"{app_path!r} took longer than {CHILD_START_SECONDS:.0f} s to import") from None
        except BaseException:
            await child.stop(0)
            raise
        return child

    async def ask(self, call: Call, args: bytes) -> frames.Ending:
        """How the handler ended. Progress goes to the call's context on the way."""
        context = call.context
        message = frames.Ask(
            call.definition.name,
            args,
            context.run,
            context.token,
            context.attempt,
            context.claimed_at,
            context.started_at,
            context.traces,
        )
        self._writer.write(frames.pack(message))
        notes = Told()
        while isinstance(answer := await self._hear(), frames.Progress | frames.Logged):
            if isinstance(answer, frames.Progress):
                context.progress(msgspec.json.decode(answer.value))
            else:
                notes.take(answer.tail)
                context.hear(notes)
        if isinstance(answer, frames.Ready):
            raise BadInput("a child process answered what it was not asked")
        self.runs_done += 1
        self.rss_bytes = answer.rss_bytes
        if context.traces:
            notes.take(answer.tail, answer.steps, answer.lost)
            context.hear(notes)
        return answer

    async def stop(self, grace_seconds: float) -> None:
        """End it and what its handler started: politely, and after the grace with SIGKILL."""
        self._writer.write(frames.pack(frames.Stop()))
        try:
            await self._group.stop(grace_seconds)
        finally:
            self._writer.transport.abort()

    async def dismiss(self, grace_seconds: float) -> None:
        """Let an idle child end by itself, running its exit functions."""
        self._writer.close()
        if not await self._group.ends(grace_seconds):
            await self._group.stop(0)

    async def _introduce(self, app_path: str) -> None:
        self._writer.write(frames.pack(frames.Start(app_path, list(sys.path))))
        answer = await self._hear()
        if isinstance(answer, frames.Failed):
            raise ImportFailed(answer.error)

    async def _hear(self) -> frames.FromChild:
        try:
            head = await self._reader.readexactly(frames.HEAD_BYTES)
            body = await self._reader.readexactly(frames.body_bytes(head))
        except (asyncio.IncompleteReadError, ConnectionError):
            raise await self._died() from None
        return frames.read_from_child(body)

    async def _died(self) -> ChildDied:
        if not await self._group.ends(LAST_WORDS_SECONDS):
            await self._group.stop(0)
        status = self._group.exited.result() if self._group.exited.done() else 0
        return ChildDied(f"the process that ran this {ending(status)} before it answered", status=status)


class ProcessPool:
    """Runs handlers of any kind, except commands, in at most `size` child processes of the app at `app_path`
    (as `load_app` takes it), started when first needed.

    A call whose child dies raises `ChildDied`; the others do not notice, the next gets a fresh child. A handler that
    raises gives `HandlerFailed`, a value that cannot be kept `BadArguments` or `TooLarge`. Values come back as JSON
    holds them. A cancelled call gets SIGTERM for its whole process group, and SIGKILL after `grace_seconds`. Children
    are replaced when they reach `limits`. Belongs to one event loop.
    """

    kind = Executor.PROCESS
    abandoned = 0  # whatever runs here can be killed

    def __init__(
        self,
        app_path: str,
        size: int,
        *,
        limits: Limits | None = None,
        grace_seconds: float = KILL_GRACE_SECONDS,
    ) -> None:
        if not 1 <= size <= PROCESSES_MAX:
            raise BadSetting(f"a worker can have 1 to {PROCESSES_MAX} child processes, not {size}")
        self.app_path = app_path
        self.size = size
        self.died = 0  # children that ended unasked while they ran something
        self._limits = limits or Limits()
        self._grace_seconds = grace_seconds
        self._seats = asyncio.Semaphore(size)
        self._idle: list[Warm] = []
        self._calls: set[asyncio.Task[Any]] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    async def run(self, call: Call) -> Any:
        """See `Pool.run`."""
        if self._closed:
            raise RuntimeError("this pool of processes is closed")
        serving = asyncio.get_running_loop().create_task(self._serve(call), name="shike:process")
        self._calls.add(serving)
        serving.add_done_callback(self._calls.discard)
        return await serving

    async def warm(self, count: int = 1) -> None:
        """Have `count` children ready, so that the first calls need not wait. Raises what starting one raises."""
        for _ in range(min(count, self.size) - len(self._idle)):
            self._idle.append(await Warm.start(self.app_path))

    async def close(self) -> None:
        """See `Pool.close`. Calls that still run are stopped as if cancelled."""
        self._closed = True
        for serving in self._calls:
            serving.cancel()
        while under_way := self._calls | self._dismiss_idle():
            await asyncio.wait(under_way)

    async def _serve(self, call: Call) -> Any:
        args = call.definition.encode(call.args, call.kwargs)
        async with self._seats:
            child = await self._take()
            try:
                answer = await child.ask(call, args)
            except asyncio.CancelledError:
                call.context.cancelled = call.context.cancelled or "stopped by the worker"
                await child.stop(self._grace_seconds)
                raise
            except BaseException:
                self.died += 1
                await child.stop(0)
                raise
            self._give_back(child)
        return _value_of(answer)

    async def _take(self) -> Warm:
        while self._idle:
            child = self._idle.pop()
            if child.alive:
                return child
            await child.stop(0)
        return await Warm.start(self.app_path)

    def _give_back(self, child: Warm) -> None:
        if should_recycle(self._limits, runs_done=child.runs_done, rss_bytes=child.rss_bytes):
            self._dismiss(child)
        else:
            self._idle.append(child)

    def _dismiss_idle(self) -> set[asyncio.Task[None]]:
        while self._idle:
            self._dismiss(self._idle.pop())
        return set(self._leaving)

    def _dismiss(self, child: Warm) -> None:
        leaving = asyncio.get_running_loop().create_task(child.dismiss(self._grace_seconds), name="shike:dismiss")
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)


def _value_of(answer: frames.Ending) -> Any:
    if isinstance(answer, frames.Failed):
        raise HandlerFailed(answer.error, answer.traceback, answer.failure)
    if isinstance(answer, frames.Refused):
        if answer.limit:
            raise TooLarge(answer.error, size=answer.size, limit=answer.limit)
        raise BadArguments(answer.error)
    if answer.kind:
        return msgspec.json.decode(answer.payload, type=frames.OUTCOMES[answer.kind])
    return msgspec.json.decode(answer.payload)
