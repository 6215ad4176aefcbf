"""An app whose handlers misbehave in every way a child process has to stand."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from shike.model import Executor
from shike.task import Definition
from shike.worker.context import current
from shike.worker.outcome import Cancel, Retry, Snooze
from shike.worker.steps import step

leak: ContextVar[str] = ContextVar("leak", default="clean")
log = logging.getLogger("child")
log.addHandler(logging.NullHandler())
log.propagate = False
SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def add(a: int, b: int = 0) -> int:
    return a + b


async def add_async(a: int, b: int = 0) -> int:
    await asyncio.sleep(0)
    return a + b


def same_loop() -> int:
    return os.getpid()


async def who() -> dict[str, Any]:
    context = current()
    spoilt = leak.get()
    leak.set("spoilt")
    with step("looked"):
        log.warning("somebody looks")
    return {
        "id": context.id,
        "token": context.token,
        "attempt": context.attempt,
        "key": context.idempotency_key,
        "moment": context.moment.isoformat() if context.moment else None,
        "leak": spoilt,
        "pid": os.getpid(),
    }


def tell_progress() -> str:
    for share in (0.25, 0.5, 1.0):
        current().progress({"share": share})
    return "told"


def fail() -> None:
    raise LookupError("no such customer")


def leave(status: int) -> None:
    sys.exit(status)


def vanish(status: int) -> None:
    os._exit(status)


def kill_me() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crash() -> None:
    ctypes.string_at(0)


def outcome(kind: str) -> Snooze | Cancel | Retry:
    outcomes: dict[str, Snooze | Cancel | Retry] = {
        "snooze": Snooze(90.0),
        "cancel": Cancel("not needed"),
        "retry": Retry(7.0, reason="busy"),
    }
    return outcomes[kind]


def unkeepable() -> object:
    return object()


def huge() -> str:
    return "x" * 100_000


def unlimited() -> str:
    return "x" * 100_000


def linger(note: str) -> None:
    """Write one's pid, sleep, and say how it ended."""
    try:
        Path(note).write_text(f"{os.getpid()}")
        time.sleep(60)
    finally:
        Path(note + ".cleaned").write_text(current().cancelled)


async def linger_async(note: str) -> None:
    try:
        Path(note).write_text(f"{os.getpid()}")
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        Path(note + ".cleaned").write_text(current().cancelled)
        raise


def clean_up_slowly(note: str) -> None:
    try:
        Path(note).write_text(f"{os.getpid()}")
        time.sleep(60)
    finally:
        Path(note + ".cleaning").write_text(f"{os.getpid()}")
        while not Path(note + ".enough").exists():
            time.sleep(0.002)
        Path(note + ".cleaned").touch()


def ignore_everything(note: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(note).write_text(f"{os.getpid()}")
    while True:
        time.sleep(60)


def with_offspring(note: str) -> None:
    child = subprocess.Popen(SLEEPER)
    Path(note).write_text(f"{child.pid}")
    child.wait()


def leave_offspring() -> int:
    return subprocess.Popen(SLEEPER).pid


def short(note: str) -> str:
    Path(note).write_text(f"{os.getpid()}")
    time.sleep(0.3)
    return "finished"


def vanish_behind_a_daemon(note: str) -> None:
    """The daemon is in no group of ours, and holds whatever this process had open."""
    if os.fork() == 0:
        os.setsid()
        Path(note).write_text(f"{os.getpid()}")
        time.sleep(60)
        os._exit(0)
    while not Path(note).exists():
        time.sleep(0.001)
    os._exit(3)


def hoard() -> int:
    hoarded.append(b"x" * (64 << 20))
    return os.getpid()


hoarded: list[bytes] = []


def define(handler: Any, **options: Any) -> Definition:
    options.setdefault("executor", Executor.PROCESS)
    return Definition(handler.__name__, handler, **options)


TASKS = [
    *map(define, (add, who, tell_progress, fail, leave, vanish, kill_me, crash, outcome, unkeepable, huge)),
    *map(
        define,
        (
            linger,
            linger_async,
            clean_up_slowly,
            ignore_everything,
            with_offspring,
            leave_offspring,
            short,
            hoard,
            vanish_behind_a_daemon,
        ),
    ),
    define(add_async, executor=Executor.ASYNC),
    define(same_loop, executor=Executor.THREAD),
    define(unlimited, keep_result=False),
]
app = SimpleNamespace(tasks={definition.name: definition for definition in TASKS})
