"""Sync handlers under a virtual loop: on a thread of their own, but only ever one side of the two runs.

A sync handler may submit and wait, as it may in production, where it has no running event loop. So it gets a thread,
and the loop stands still for it: either the handler has its turn, or the loop does what the handler asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from functools import partial
from queue import SimpleQueue
from typing import Any

from shike.model import Executor
from shike.worker.context import Context, running
from shike.worker.executor import Call

Ask = Coroutine[Any, Any, Any]


class Aside:
    """One call of a sync handler, taking turns with the loop that waits for it."""

    def __init__(self, run: Context, work: Callable[[], Any]) -> None:
        self._run = run
        self._work = work
        self._said: SimpleQueue[tuple[Ask | None, Any, BaseException | None]] = SimpleQueue()
        self._answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    async def run(self) -> Any:
        """Give the handler its turn until it is over; in between, do what it asks for."""
        thread = threading.Thread(target=copy_context().run, args=(self._turn,), name="shike:handler", daemon=True)
        thread.start()
        while True:
            ask, value, error = self._said.get()
            if ask is None:
                thread.join()
                if error is not None:
                    raise error
                return value
            try:
                self._answers.put((await ask, None))
            except BaseException as raised:  # a cancellation too: it is the handler that has to stop
                self._answers.put((None, raised))

    def ask(self, work: Ask) -> Any:
        """Called by the handler: let the loop do this, and stand still until it is done."""
        self._said.put((work, None, None))
        value, error = self._answers.get()
        if error is not None:
            raise error
        return value

    def _turn(self) -> None:
        aside.set(self)
        running.set(self._run)
        try:
            self._said.put((None, self._work(), None))
        except BaseException as error:
            self._said.put((None, None, error))


aside: ContextVar[Aside | None] = ContextVar("shike_aside", default=None)


class TurnsPool:
    """An executor for tests: sync handlers one after the other, in the order in which they were granted."""

    def __init__(self, kind: Executor) -> None:
        self.kind = kind
        self.size = 1
        self.abandoned = 0

    async def run(self, call: Call) -> Any:
        handler = call.definition.handler
        assert handler is not None
        return await Aside(call.context, partial(handler, *call.args, **call.kwargs)).run()

    async def close(self) -> None:
        """There is nothing to close."""
