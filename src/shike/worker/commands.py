"""Command tasks: programs given as argv, in a process group of their own, with the end of what they print."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import subprocess
import sys
import tempfile
from typing import Any

from shike.bounds import COMMANDS_MAX, KILL_GRACE_SECONDS
from shike.errors import BadArguments, BadSetting, CommandFailed, UnsupportedExecutor
from shike.model import Executor
from shike.worker.command import Command, account, command_of, environment
from shike.worker.executor import Call
from shike.worker.process_group import ProcessGroup, ending
from shike.worker.tail import Tail

log = logging.getLogger("shike.worker")

NOT_FOUND_STATUS = 127  # as a shell says it
NOT_STARTED_STATUS = 126
LAST_WORDS_SECONDS = 0.5  # for the end of the output; a daemon that was left running may hold the pipe for ever


class CommandPool:
    """Runs at most `size` programs at once, if the worker allows commands at all.

    The value of a call is `{"status": 0, "stdout": …, "stderr": …}`, of each stream the last COMMAND_TAIL_BYTES.
    Another status raises `CommandFailed` (127: not found, 126: not to be started, negative: that signal killed it).
    A program that ends may leave daemons running. A cancelled one gets SIGTERM for its whole process group, and
    SIGKILL after `grace_seconds`; so does one whose worker was killed, at once. Belongs to one event loop.
    """

    kind = Executor.COMMAND
    abandoned = 0  # whatever runs here can be killed

    def __init__(self, size: int, allowed: bool, *, grace_seconds: float = KILL_GRACE_SECONDS) -> None:
        if not 1 <= size <= COMMANDS_MAX:
            raise BadSetting(f"a worker can run 1 to {COMMANDS_MAX} commands at once, not {size}")
        self.size = size
        self._allowed = allowed
        self._grace_seconds = grace_seconds
        self._seats = asyncio.Semaphore(size)
        self._calls: set[asyncio.Task[Any]] = set()
        self._guard: Guard | None = None
        self._closed = False

    async def run(self, call: Call) -> Any:
        """See `Pool.run`. Raises `UnsupportedExecutor` where commands are not allowed."""
        if not self._allowed:
            raise UnsupportedExecutor(
                f"task {call.definition.name!r} runs a program, which this worker does not allow; "
                "allow commands for a worker of its own, on a queue that only trusted callers reach"
            )
        if self._closed:
            raise RuntimeError("this pool of commands is closed")
        serving = asyncio.get_running_loop().create_task(self._serve(call), name="shike:command")
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
        command = contextvars.Context().run(command_of, call)
        async with self._seats:
            self._guard = self._guard or Guard()
            group = _start(command, environment(command, call.context))
            self._guard.watch(group)
            stdout, stderr = Tail(group.stdout), Tail(group.stderr)
            try:
                await asyncio.wait([group.exited])
                await asyncio.wait([stdout.ended, stderr.ended], timeout=LAST_WORDS_SECONDS)
            except BaseException:
                call.context.cancelled = call.context.cancelled or "stopped by the worker"
                await group.stop(self._grace_seconds)
                raise
            finally:
                stdout.close()
                stderr.close()
        return _value_of(command, group.exited.result(), stdout.text(), stderr.text())


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


def _start(command: Command, variables: dict[str, str]) -> ProcessGroup:
    options: dict[str, Any] = {"cwd": command.cwd or None}
    if command.user:
        options |= _as_user(command.user)
    with tempfile.TemporaryFile() as stdin:  # not a pipe: nobody has to wait until it is read
        stdin.write(command.stdin_text.encode())
        stdin.seek(0)
        try:
            return ProcessGroup(
                command.argv,
                sweep=False,
                stdin=stdin if command.stdin_text else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=variables,
                **options,
            )
        except ValueError as error:  # a NUL or half a sign, in the command or the environment
            raise BadArguments(f"{command.argv[0]!r} cannot be started: {error}") from error
        except (OSError, subprocess.SubprocessError) as error:
            status = NOT_FOUND_STATUS if isinstance(error, FileNotFoundError) else NOT_STARTED_STATUS
            raise CommandFailed(f"{command.argv[0]!r} cannot be started: {error}", status=status) from error


def _as_user(name: str) -> dict[str, Any]:
    user = account(name)
    if user.pw_uid == os.geteuid():
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": os.getgrouplist(name, user.pw_gid)}


def _value_of(command: Command, status: int, stdout: str, stderr: str) -> dict[str, Any]:
    if status == 0:
        return {"status": 0, "stdout": stdout, "stderr": stderr}
    last_line = stderr.strip().rpartition("\n")[2]
    message = f"{command.argv[0]} {ending(status)}" + (f": {last_line}" if last_line else "")
    raise CommandFailed(message, status=status, stdout=stdout, stderr=stderr)
