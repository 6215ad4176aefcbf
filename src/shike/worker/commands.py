"""Command tasks: programs given as argv, in a process group of their own, with the end of what they print."""

from __future__ import annotations

import contextvars
import logging
import os
import subprocess
import tempfile
from typing import Any

from shike.bounds import KILL_GRACE_SECONDS
from shike.errors import BadArguments, CommandFailed, UnsupportedExecutor
from shike.model import Executor
from shike.worker.command import Command, account, command_of, environment
from shike.worker.executor import Call
from shike.worker.process_group import ProcessGroup, ending
from shike.worker.programs import ProgramPool

log = logging.getLogger("shike.worker")

NOT_FOUND_STATUS = 127  # as a shell says it
NOT_STARTED_STATUS = 126


class CommandPool(ProgramPool):
    """Runs at most `size` programs at once, if the worker allows commands at all.

    The value of a call is `{"status": 0, "stdout": …, "stderr": …}`, of each stream the last COMMAND_TAIL_BYTES.
    Another status raises `CommandFailed` (127: not found, 126: not to be started, negative: that signal killed it).
    A program that ends may leave daemons running. A cancelled one gets SIGTERM for its whole process group, and
    SIGKILL after `grace_seconds`; so does one whose worker was killed, at once. Belongs to one event loop.
    """

    kind = Executor.COMMAND

    def __init__(self, size: int, allowed: bool, *, grace_seconds: float = KILL_GRACE_SECONDS) -> None:
        super().__init__(size, "commands", grace_seconds)
        self._allowed = allowed

    async def run(self, call: Call) -> Any:
        """See `Pool.run`. Raises `UnsupportedExecutor` where commands are not allowed."""
        if not self._allowed:
            raise UnsupportedExecutor(
                f"task {call.definition.name!r} runs a program, which this worker does not allow; "
                "allow commands for a worker of its own, on a queue that only trusted callers reach"
            )
        return await super().run(call)

    async def _serve(self, call: Call) -> dict[str, Any]:
        command = contextvars.Context().run(command_of, call)
        async with self._seats:
            ended = await self._followed(
                lambda: _start(command, environment(command, call.context)),
                lambda group: group.stop(self._grace_seconds),
                call.context,
            )
        return _value_of(command, *ended)


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
