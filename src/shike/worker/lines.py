"""Log records know the run in which they were made, and that run keeps the last of them.

`logging` lets a program say how records are made. Ours asks the factory that was there before, and adds `shike_run_id`,
`shike_attempt` and `shike_task` where a handler is under way: any formatter may show them. No handler is added to any
logger, and what an app's own levels leave out is never made. (`extra` may not name what a record has already, hence the
prefix.)
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from shike.worker.context import running

_users = 0  # workers of this process
_before: Callable[..., logging.LogRecord] | None = None


def listen() -> Callable[[], None]:
    """From now on records know their run; returns the way to stop. Each worker of a process calls it once."""
    global _users, _before
    if not _users and logging.getLogRecordFactory() is not _make:  # it still is where somebody wrapped it in between
        _before = logging.getLogRecordFactory()
        logging.setLogRecordFactory(_make)
    _users += 1
    done = False

    def stop() -> None:
        nonlocal done
        global _users
        if done:
            return
        done = True
        _users -= 1
        if not _users and _before is not None and logging.getLogRecordFactory() is _make:
            logging.setLogRecordFactory(_before)

    return stop


def _make(*args: Any, **kwargs: Any) -> logging.LogRecord:
    record = (_before or logging.LogRecord)(*args, **kwargs)
    context = running.get(None)
    if context is not None:
        record.shike_run_id, record.shike_attempt = context.id, context.attempt
        record.shike_task = context.run.task
        notes = context.notes()
        if notes is not None:
            notes.log(record)
            context.logged()
    return record
