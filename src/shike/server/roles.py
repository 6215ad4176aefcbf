"""Who may do what: a ladder for people and their programs, and two roles of machines beside it."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Final

from msgspec import Struct

from shike.errors import Forbidden, NotFound
from shike.lanes import queue_of


class Role(StrEnum):
    """What an access key is for. On the ladder each may all that those before it may."""

    VIEWER = "viewer"  # look
    OPERATOR = "operator"  # run, cancel, retry, pause, replay
    EDITOR = "editor"  # make, change and delete schedules
    ADMIN = "admin"  # access keys, and the log of who did what
    WORKER = "worker"  # open a session, claim, beat, acknowledge; nothing else
    SCHEDULER = "scheduler"  # submit runs and see what became of them; nothing else


LADDER: Final = (Role.VIEWER, Role.OPERATOR, Role.EDITOR, Role.ADMIN)
MACHINES: Final = (Role.WORKER, Role.SCHEDULER)


def may(role: Role, least: Role, also: Collection[Role]) -> bool:
    """Whether a role is at least `least` on the ladder, or is the machine that it is for, or one let in as well."""
    if role in MACHINES:
        return role is least or role in also
    return least in LADDER and LADDER.index(role) >= LADDER.index(least)


class Access(Struct, frozen=True, kw_only=True):
    """Who asks: an access key, without its secret. `queues`: only what lies in these concerns it; none: everything."""

    id: str
    name: str
    role: Role
    queues: tuple[str, ...] = ()
    per_second: float = 0.0

    def covers(self, queue: str) -> bool:
        """Whether things of this queue, or of one of its lanes, concern it."""
        return not self.queues or queue_of(queue) in self.queues

    def may_see(self, queue: str, what: str) -> None:
        """Raises `NotFound` for what lies outside of its queues: that it exists is none of its business either."""
        if not self.covers(queue):
            raise NotFound(f"there is no {what}")

    def may_use(self, queue: str) -> None:
        """Raises `Forbidden` for a queue that was named and is not one of its own."""
        if not self.covers(queue):
            raise Forbidden(f"this key is for {', '.join(self.queues)}, not for the queue {queue!r}", needed=queue)

    def whole(self) -> None:
        """Raises `Forbidden` for a key of some queues: this is about all of them."""
        if self.queues:
            raise Forbidden(f"this is about all queues, and this key is for {', '.join(self.queues)}", needed="*")
