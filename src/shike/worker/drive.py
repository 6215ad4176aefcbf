"""Run a handler's coroutine on the present task, in a context of its own, without a task of its own.

Creating an asyncio task costs as much as a whole durable claim and acknowledgement. A slot is one long-lived task
that awaits handler after handler: `asyncio.current_task()`, `asyncio.timeout` and cancellation mean the slot's task
from the handler's first line to its last, and context variables that a handler sets die with its own context.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any


@types.coroutine
def drive(
    coroutine: Coroutine[Any, Any, Any], context: Context, first_wait: Callable[[], None]
) -> Generator[Any, Any, Any]:
    """Await `coroutine` inside `context`; `first_wait` is called once, when and if it first has to wait."""
    try:
        waited = context.run(coroutine.send, None)
    except StopIteration as done:
        return done.value
    first_wait()
    while True:
        try:
            value = yield waited
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:
            try:
                waited = context.run(coroutine.throw, error)
            except StopIteration as done:
                return done.value
        else:
            try:
                waited = context.run(coroutine.send, value)
            except StopIteration as done:
                return done.value
