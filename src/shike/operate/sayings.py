"""What is said of a wait, in English: one sentence for each way in which something can be in the way.

Whoever speaks another language, or tells clock times otherwise, has sentences of the same names with the same blanks:
`shike.server.console` has them in `words/causes.toml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SENTENCES: Final[Mapping[str, str]] = {
    "no_scheduler": "no scheduler node was running until {until}",
    "planned_late": "its moment was planned {took} after it was due",
    "no_worker": "no worker of queue {queue} was running until {until}",
    "no_worker_now": "no worker of queue {queue} is running",
    "all_busy": "all {slots} slots of worker {worker} were busy until {until}",
    "all_busy_of_queue": "all {slots} slots of worker {worker} that queue {queue} may have were busy until {until}",
    "only_busy": "the only slot of worker {worker} was busy until {until}",
    "only_busy_of_queue": "the only slot of worker {worker} that queue {queue} may have was busy until {until}",
    "busy_now": "the workers that serve it have no room yet",
    "queue_paused": "queue {queue} was paused until {until}",
    "queue_paused_because": "queue {queue} was paused ({reason}) until {until}",
    "queue_paused_now": "queue {queue} is paused",
    "queue_paused_now_because": "queue {queue} is paused: {reason}",
    "task_paused": "task {task} was paused until {until}",
    "task_paused_because": "task {task} was paused ({reason}) until {until}",
    "task_paused_now": "task {task} is paused",
    "task_paused_now_because": "task {task} is paused: {reason}",
    "gate": "overlap gate: the run before it was not over until {until}",
    "permit": "it waited for its permit at {gate}",
    "gate_now": "it waits at {gate}",
    "parents": "its parents were not over until {until}",
    "approval": "nobody had approved it until {until}",
    "moved": "it was put off until {until}",
    "backoff": "retry backoff: {took} after attempt {number} failed",
    "snoozed": "snoozed for {took}",
    "lost": "attempt {number} was {error}; rescued at {until}",
    "hall": "it waited in the hall for the router ({strategy})",
    "routed": "it was routed",
    "lane": "it waited in the lane of worker {worker}",
    "lane_now": "it waits in the lane of worker {worker}",
    "store": "the store was slow: it took {took} to grant it",
    "claimed": "worker {worker} had claimed it and began it {took} later",
    "picked_up": "claimed within {took}",
    "ahead": "it is due in {left}",
    "unasked": "nobody asked for it",
    "unknown": "nobody asked for it, and nobody wrote down why",
    "ended_because": "{reason}",
    "ended_unbegun": "it ended {state} without a start",
}


def sentence(saying: str, about: Mapping[str, str | int]) -> str:
    """The words."""
    return SENTENCES[saying].format(**about)
