"""From what a program sends to the call it means: runs of tasks that this process knows, or that only workers know.

Where the app has the task, arguments are checked against its signature and its defaults hold. Where it has not, the
arguments are a JSON object, which only a worker can check.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from shike.bounds import ARGS_BYTES_MAX, DEDUPE_SECONDS
from shike.call import Call, Duration, Task, backoff, check_band
from shike.errors import TooLarge
from shike.how import How
from shike.model import Backoff, OnUnknown, Route
from shike.task import Definition, check_queue

if TYPE_CHECKING:
    from shike.app import Shike

EMPTY = b"{}"
STRANGE_MAX = 10_000  # names of other programs' tasks that are remembered as checked


class Wish(Struct, frozen=True, kw_only=True, gc=False):
    """How a run is wanted; None and empty: as the task says."""

    at: datetime | None = None
    delay_seconds: float | None = None
    key: str = ""
    key_ttl: Duration = DEDUPE_SECONDS
    queue: str = ""
    band: int | None = None
    expires: Duration | None = None
    retry: Backoff | int | None = None
    timeout: Duration | None = None
    on_unknown: OnUnknown | None = None
    owner: str = ""
    route: Route | None = None

    @property
    def is_plain(self) -> bool:
        """Whether nothing is wanted but perhaps a queue and a band."""
        return (
            self.at is None
            and self.delay_seconds is None
            and not self.key
            and self.expires is None
            and self.retry is None
            and self.timeout is None
            and self.on_unknown is None
            and not self.owner
            and self.route is None
        )


class Tasks:
    """The tasks that calls are made of: those of an app, and any other by its name alone."""

    def __init__(self, app: Shike | None) -> None:
        self._app = app
        self._strange: dict[str, Task[..., Any]] = {}

    def find(self, name: str) -> Task[..., Any]:
        """The task of exactly that name. Raises `BadInput` for what is no name."""
        if self._app is not None and name in self._app.tasks:
            return self._app.find_task(name)
        task = self._strange.get(name)
        if task is None:
            task = Task(None, Definition(name, None), _nothing)  # type: ignore[arg-type]  # it is never submitted itself
            if len(self._strange) >= STRANGE_MAX:
                self._strange.clear()
            self._strange[name] = task
        return task

    def knows(self, name: str) -> bool:
        """Whether the app has it."""
        return self._app is not None and name in self._app.tasks


def call_of(task: Task[..., Any], arguments: bytes, wish: Wish) -> Call[Any]:
    """The call. `arguments` is a JSON object that was read once; raises `BadInput`."""
    return Call(task.definition, payload_of(task.definition, arguments), how_of(task, wish))


def payload_of(definition: Definition, arguments: bytes) -> bytes:
    """The arguments as the task stores them; raises `BadInput`."""
    if definition.handler is not None and arguments != EMPTY:
        arguments = definition.encode((), msgspec.json.decode(arguments))
    elif definition.handler is not None:
        arguments = definition.encode((), {})
    if len(arguments) > ARGS_BYTES_MAX:
        raise TooLarge(
            f"the arguments are {len(arguments):,} bytes; the limit is {ARGS_BYTES_MAX:,}. Store the data elsewhere "
            "and pass a reference to it",
            size=len(arguments),
            limit=ARGS_BYTES_MAX,
        )
    return arguments


def how_of(task: Task[..., Any], wish: Wish) -> How:
    """How the call is submitted; raises `BadInput` for what cannot be."""
    if wish.is_plain:
        if not wish.queue and wish.band is None:
            return task.how
        if wish.queue:
            check_queue(wish.queue)
        return How(queue=wish.queue, band=-1 if wish.band is None else check_band(wish.band))
    if wish.at is not None:
        task = task.at(wish.at)
    elif wish.delay_seconds is not None:
        task = task.in_(wish.delay_seconds)
    return task.options(
        key=wish.key or None,
        key_ttl=wish.key_ttl,
        queue=wish.queue or None,
        band=wish.band,
        expires=wish.expires,
        retry=backoff(wish.retry) if wish.retry is not None else None,
        timeout=wish.timeout,
        on_unknown=wish.on_unknown,
        owner=wish.owner,
        route=wish.route,
    ).how


def _nothing() -> None: ...
