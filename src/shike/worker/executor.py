"""The port of everything that runs handlers off the event loop: threads, processes, commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from msgspec import Struct

from shike.attempts import Failure
from shike.model import Executor
from shike.task import Definition
from shike.worker.context import Context

if TYPE_CHECKING:
    from shike.ids import Entropy
    from shike.store.base import Store


class Call(Struct, frozen=True):
    """A handler about to be called."""

    definition: Definition
    context: Context
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class HandlerFailed(Exception):
    """A handler failed where its exception object cannot come from: another process. Text only."""

    def __init__(self, error: str, traceback: str, failure: Failure | None = None) -> None:
        super().__init__(error)
        self.error = error  # type and message
        self.traceback = traceback
        self.failure = failure


class Pool(Protocol):
    """A bounded place to run one kind of handler. The worker's slots wait here when it is full."""

    kind: Executor
    size: int
    abandoned: int  # handlers that would not stop and were given up; they keep what they hold

    async def run(self, call: Call) -> Any:
        """The handler's value, or its exception. When the waiting task is cancelled, the handler is made to stop:
        politely first, then by force where that is possible; `CancelledError` is raised when it no longer runs, or
        when it was given up."""
        ...

    async def close(self) -> None:
        """Stop everything that still runs, within KILL_GRACE_SECONDS, and free all resources. Idempotent."""
        ...


@runtime_checkable
class Attached(Protocol):
    """A pool that has to ask the store something itself."""

    def attach(self, store: Store, entropy: Entropy) -> None:
        """Before the first run."""
        ...
