"""Ending a program that worked: a second signal ends it at once, and what never stops is left behind."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Coroutine
from typing import Any, Final

from shike.bounds import KILL_GRACE_SECONDS

log = logging.getLogger("shike")

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
ECHO_SECONDS = 1.0  # `make` and `timeout` signal their child and its group: the same wish, heard twice


def until_done(main: Coroutine[Any, Any, None], grace: float = KILL_GRACE_SECONDS) -> None:
    """As `asyncio.run`, which would wait for ever for a handler that ignores its cancellation: its run was given up
    long ago, so after `grace` seconds the loop is closed without it."""
    left_behind = threading.Event()

    def leave(loop: asyncio.AbstractEventLoop) -> None:
        left_behind.set()
        log.warning("a handler that was given up keeps the event loop from ending: leaving it behind")
        loop.call_soon_threadsafe(loop.stop)

    timer: threading.Timer | None = None
    try:
        with asyncio.Runner() as runner:
            runner.run(main)
            timer = threading.Timer(grace, leave, (runner.get_loop(),))
            timer.daemon = True
            timer.start()
    except RuntimeError:  # "Event loop stopped before Future completed"
        if not left_behind.is_set():
            raise
    finally:
        if timer is not None:
            timer.cancel()


def stop_on_signals(stopped: asyncio.Event) -> None:
    """The first SIGINT or SIGTERM asks to stop; another one, a while later, ends the process at once. Its leases are
    rescued."""
    loop = asyncio.get_running_loop()
    asked_at = 0.0

    def signalled(number: signal.Signals) -> None:
        nonlocal asked_at
        if not stopped.is_set():
            asked_at = loop.time()
            stopped.set()
        elif loop.time() - asked_at >= ECHO_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in SIGNALS:
        loop.add_signal_handler(number, signalled, number)
