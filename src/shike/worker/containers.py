"""Container tasks: run by an engine that is a program here, found again by their names, ended with their runs.

| exit status | the attempt |
|---|---|
| 0 | succeeded; the value is `{"status": 0, "stdout": …, "stderr": …}`, of each stream the end |
| 125 | the engine could not start it (no such image, no daemon): failed, tried again as the task says |
| 126, 127 | the image has no such program, or may not run it: a dead letter at once |
| one of `never_again` | a dead letter at once |
| any other | failed, tried again as the task says |
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

from shike.bounds import KILL_GRACE_SECONDS
from shike.errors import BadArguments, ContainerFailed, ContainerRefused, EngineMissing
from shike.ids import Entropy
from shike.model import Executor
from shike.store.base import Store
from shike.store.opening import without_secrets
from shike.worker.command import PREFIX
from shike.worker.container import LABEL_PLACE, LABEL_RUN, Container, argv_of, check, name_of, older, variables
from shike.worker.context import Context
from shike.worker.executor import Call
from shike.worker.process_group import ProcessGroup, ending
from shike.worker.programs import LAST_WORDS_SECONDS, ProgramPool
from shike.worker.tail import Tail

log = logging.getLogger("shike.worker")

ENGINE_SECONDS: Final = 30.0  # for an answer of the engine itself: to list, to stop, to remove
ENGINE_FAILED: Final = 125
NOT_TO_BE_RUN: Final = frozenset({126, 127})


class ContainerPool(ProgramPool):
    """Runs at most `size` containers at once, by an engine: `docker`, `podman`, or another that takes their options.

    A container has the name of its attempt and lease. Before one is started, those of earlier leases of the same run
    are removed: a worker that was killed leaves its container running, and its run is rescued. What is cancelled, or
    runs too long, is stopped, after `grace_seconds` killed, and removed. What it prints is in the run's log. Belongs to
    one event loop.
    """

    kind = Executor.CONTAINER

    def __init__(self, size: int, engine: str, *, grace_seconds: float = KILL_GRACE_SECONDS) -> None:
        super().__init__(size, "containers", grace_seconds)
        self._engine = engine
        self._place = "0"  # of no store: in tests

    def attach(self, store: Store, entropy: Entropy) -> None:
        """See `Attached`: run ids are a store's own, and an engine may serve workers of several."""
        where = f"{without_secrets(store.url)}\0{store.namespace}"
        self._place = hashlib.blake2b(where.encode(), digest_size=5).hexdigest()

    async def run(self, call: Call) -> Any:
        """See `Pool.run`. Raises `ContainerFailed`, `ContainerRefused`, `EngineMissing`, `BadArguments`."""
        return await super().run(call)

    async def _serve(self, call: Call) -> dict[str, Any]:
        wanted, context = contextvars.Context().run(_wanted, call), call.context
        name = name_of(self._place, context)
        async with self._seats:
            engine = self._found()
            await self._end_older(engine, context)
            with _kept(variables(wanted, context)) as env_file:
                ended = await self._followed(
                    lambda: _started(argv_of(engine, name, self._place, wanted, context, env_file)),
                    lambda group: _whole(self._end(engine, name, group)),
                    context,
                    _Log(context),
                )
        return _value_of(wanted, *ended)

    def _found(self) -> str:
        engine = shutil.which(self._engine)
        if engine is None:
            raise EngineMissing(
                f"this worker runs containers by {self._engine!r}, and there is no such program: install it, or name "
                "another one in the setting `containers`",
                engine=self._engine,
            )
        return engine

    async def _end_older(self, engine: str, context: Context) -> None:
        """What an earlier lease of this run left running would work beside us."""
        filters = [f"label={LABEL_RUN}={context.id}", f"label={LABEL_PLACE}={self._place}"]
        words = [word for one in filters for word in ("--filter", one)]
        status, said = await _asked([engine, "ps", "--all", *words, "--format", "{{.Names}}"])
        if status != 0:
            raise ContainerFailed(f"{self._engine} does not answer: {said}", status=ENGINE_FAILED, stderr=said)
        if names := older(said.split(), self._place, context):
            log.warning("run %s: its container of an earlier lease is ended: %s", context.id, ", ".join(names))
            await _asked([engine, "rm", "--force", *names])

    async def _end(self, engine: str, name: str, group: ProcessGroup) -> None:
        """Politely, then by force; also where the engine has not made it yet: the order leaves no gap."""
        grace = max(round(self._grace_seconds), 0)
        await _asked([engine, "stop", "-t", str(grace), name], seconds=grace + ENGINE_SECONDS)
        await group.stop(self._grace_seconds)
        await _asked([engine, "rm", "--force", name])


class _Log:
    """What a container prints is what its run logs."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __call__(self, line: str) -> None:
        notes = self._context.notes()
        if notes is not None:
            notes.log(logging.LogRecord("shike.container", logging.INFO, "", 0, line, None, None))
            self._context.logged()


def _wanted(call: Call) -> Container:
    handler = call.definition.handler
    wanted = handler(*call.args, **call.kwargs) if handler is not None else None
    if not isinstance(wanted, Container):
        raise BadArguments(f"container task {call.definition.name!r} needs a handler that returns a Container")
    return check(wanted)


@contextmanager
def _kept(text: str) -> Iterator[str]:
    """A file for as long as the container runs, which nobody else may read."""
    with tempfile.NamedTemporaryFile("w", prefix="shike-", suffix=".env", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        yield file.name


def _environment() -> dict[str, str]:
    """Of the engine: as this worker's, without Shike's own settings, which may hold passwords."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _started(argv: list[str]) -> ProcessGroup:
    try:
        return ProcessGroup(
            argv, sweep=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            env=_environment(),
        )  # fmt: skip
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ContainerFailed(f"{argv[0]} cannot be started: {error}", status=ENGINE_FAILED) from error


async def _asked(argv: list[str], seconds: float = ENGINE_SECONDS) -> tuple[int, str]:
    """Exit status and words of the engine itself; ENGINE_FAILED where it does not answer in time."""
    group = _started(argv)
    stdout, stderr = Tail(group.stdout), Tail(group.stderr)
    try:
        if not await group.ends(seconds):
            return ENGINE_FAILED, f"no answer within {seconds:g} s"
        await asyncio.wait([stdout.ended, stderr.ended], timeout=LAST_WORDS_SECONDS)
    finally:
        if not group.exited.done():
            await group.stop(0)
        stdout.close()
        stderr.close()
    status = group.exited.result()
    return status, (stdout.text() if status == 0 else stderr.text() or stdout.text()).strip()


async def _whole(work: Coroutine[Any, Any, None]) -> None:
    """Not cut short by a further cancellation: afterwards nothing of it runs."""
    task = asyncio.get_running_loop().create_task(work, name="shike:container-end")
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            continue
    if (error := task.exception()) is not None:
        log.error("a container could not be ended: %s", error)


def _value_of(wanted: Container, status: int, stdout: str, stderr: str) -> dict[str, Any]:
    if status == 0:
        return {"status": 0, "stdout": stdout, "stderr": stderr}
    last_line = stderr.strip().rpartition("\n")[2]
    message = f"{wanted.image} {ending(status)}" + (f": {last_line}" if last_line else "")
    kind = ContainerRefused if status in NOT_TO_BE_RUN or status in wanted.never_again else ContainerFailed
    raise kind(message, status=status, stdout=stdout, stderr=stderr)
