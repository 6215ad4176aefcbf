"""Waits that end: what a test waits for comes within a limit, or the test fails and says what did not come.

The limits are far beyond what anything takes, also on a machine that does three other things: they only keep a broken
test from standing still.
"""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, AnyStr, Final, TypeVar

T = TypeVar("T")

SECONDS: Final = 60.0
CROWD_SECONDS: Final = 240.0  # for a thousand of them at once


def run(story: Coroutine[Any, Any, T], seconds: float = SECONDS) -> T:
    """As `asyncio.run`."""

    async def bounded() -> T:
        try:
            async with asyncio.timeout(seconds) as limit:
                return await story
        except TimeoutError as error:
            if limit.expired():
                raise AssertionError(f"not over after {seconds:.0f} s") from error
            raise

    return asyncio.run(bounded())


def joined(*threads: threading.Thread, seconds: float = SECONDS) -> None:
    """Each of these threads is over."""
    for thread in threads:
        thread.join(seconds)
        assert not thread.is_alive(), f"thread {thread.name} is not over after {seconds:.0f} s"


def done(work: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    """Do what may never come back, and fail if it does not."""
    errors: list[BaseException] = []

    def attempt() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=attempt, name=what, daemon=True)
    thread.start()
    joined(thread, seconds=seconds)
    for error in errors:
        raise error


def ended(process: subprocess.Popen[AnyStr], seconds: float = SECONDS) -> int:
    """The exit status of a process that ends by itself. One that does not is killed."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        killed(process)
        raise AssertionError(f"process {process.args!r} is not over after {seconds:.0f} s") from None


def killed(process: subprocess.Popen[AnyStr]) -> None:
    """It is no more, whether it runs, is stopped, or has ended before."""
    if process.poll() is None:
        process.kill()
    process.wait(SECONDS)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()


@contextmanager
def talking(process: subprocess.Popen[AnyStr], seconds: float = SECONDS) -> Iterator[IO[AnyStr]]:
    """What it prints, to be read in the block: whoever has not said by then what is waited for is killed, so that its
    pipe ends."""
    assert process.stdout is not None
    silence = threading.Timer(seconds, process.kill)
    silence.daemon = True
    silence.start()
    try:
        yield process.stdout
    finally:
        silence.cancel()


def line(process: subprocess.Popen[AnyStr], seconds: float = SECONDS) -> AnyStr:
    """The next line that it prints; empty where it ended, or was killed because it said nothing for so long."""
    with talking(process, seconds) as pipe:
        return pipe.readline()
