"""The port through which a higher room (alarms) has one node of all do something in the background."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from msgspec import Struct

from shike.clock import Clock
from shike.store.base import Store


class Post(Struct, frozen=True):
    """What a duty is done with. `is_ours`: whether it is this node's turn, which is whoever owns the first virtual
    bucket; two nodes may believe so for a moment, so what must not be done twice is a compare-and-set."""

    store: Store
    clock: Clock
    draw: Callable[[], float]
    is_ours: Callable[[], bool]


class Duty(Protocol):
    """Something that is done in the background for the whole cluster, as long as this process schedules."""

    name: str

    async def run(self, post: Post) -> None:
        """The role: until it is cancelled. It never blocks, and what it raises is logged and it begins again."""
        ...


class Alarming(Protocol):
    """What `app.alarm` is given: it knows how an app watches for it."""

    def watch(self, app: Any, channels: Sequence[Any], **pace: Any) -> None:
        """Give the app a duty, or more to do for the one that it has."""
        ...
