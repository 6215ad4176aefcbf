"""The names of lanes. The shared lane of a queue has the queue's name; what is routed stands in others beside it.

`mail>` is the *hall* of the queue `mail`: routed runs wait there until a router has chosen a worker for them.
`mail>SESSION` is one worker's own lane. A queue's name cannot hold the sign, so no one else's lane is ever meant.
"""

from __future__ import annotations

from typing import Final

SIGN: Final = ">"


def hall_of(queue: str) -> str:
    """Where routed runs of this queue wait for a decision."""
    return queue + SIGN


def lane_of_worker(queue: str, session: str) -> str:
    """The lane that only this session claims from. `queue` may be the queue's own name or its hall's."""
    return f"{queue_of(queue)}{SIGN}{session}"


def queue_of(lane: str) -> str:
    """The queue that a lane is of."""
    return lane.partition(SIGN)[0]


def worker_of(lane: str) -> str:
    """The session whose lane it is; empty for a shared lane and for a hall."""
    return lane.partition(SIGN)[2]


def is_hall(lane: str) -> bool:
    return lane.endswith(SIGN)


def is_routed(lane: str) -> bool:
    """A hall, or a worker's own lane."""
    return SIGN in lane
