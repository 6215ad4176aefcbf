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
    except GeneratorExit as odd:
        raise _never_meant() from odd
    first_wait()
    while True:
        step: Callable[[Any], Any] = coroutine.send
        try:
            value = yield waited
        except GeneratorExit:  # whoever awaits this is going away: so does the handler
            coroutine.close()
            raise
        except BaseException as error:
            step, value = coroutine.throw, error
        try:
            waited = context.run(step, value)
        except StopIteration as done:
            return done.value
        except GeneratorExit as odd:
            raise _never_meant() from odd


def _never_meant() -> RuntimeError:
    """A handler's own GeneratorExit must not look as if its slot were going away."""
    return RuntimeError("the handler raised GeneratorExit")
