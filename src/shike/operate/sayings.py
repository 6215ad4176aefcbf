"""What is said of a wait, and of who is to do a run, in English: one sentence for each way in which it can be.

Whoever speaks another language, or tells clock times otherwise, has sentences of the same names with the same blanks:
`shike.server.console` has them in `words/causes.toml` and `words/why.toml`.
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
    "gang": "its gang had not the {least} slots that it needs until {until}",
    "gang_slot": "it kept a slot of worker {worker} for {took}, until its gang had all {least} that it needs",
    "gang_slot_now": "it has a slot, and its gang has not all {least} that it needs",
    "gang_rests": "its gang did not get the {least} slots that it needs, and tries again in {left}",
    "gang_now": "its gang has not the {least} slots that it needs",
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


ROUTED: Final[Mapping[str, str]] = {  # of who is to do a run, and why: `words/why.toml`
    "routeless": "it has no route: whichever worker of its queue was free first claims it",
    "over": "it is over",
    "over_because": "it is over: {reason}",
    "running": "session {session} works on it",
    "running_somewhere": "session of a worker works on it",
    "assigned": "it stands in the lane of session {session}",
    "waiting": "it waits for its permit, and then for a router",
    "in_hall": "it waits in the hall for a worker that may have it and has room",
    "approval": "it waits for approval until {until}: shike approvals show",
    "parents": "it waits for {left} of {over} parents: {told}",
    "gang": "it waits for its gang: {have} of the {least} slots that it needs",
    "gang_again": "it waits for its gang: {have} of the {least} slots that it needs; its slots were given back {times}",
    "limited": "{reason}",
    "newer_decision": "a newer program wrote this decision",
    "snapshot_gone": "its snapshot is not kept any more (the last {kept} are)",
    "silent": "silent for {seconds} s",
    "meant_for_another": "it is meant for another worker",
    "serves_not": "does not serve queue {queue}",
    "knows_not": "does not know task {task}",
    "has_no_tag": "has no {tags}",
    "has_unwanted_tag": "has {tags}",
    "has_few_slots": "has {slots} slots of the {needed} that it takes",
    "others_preferred": "others have more of the preferred tags",
    "had_no_room": "had no room",
    "moved_away": "it was moved away from there",
    "has_no_room": "has no room: {busy} under way, {lane} in its lane",
    "may_have_it": "may have it",
}


def sentence(saying: str, about: Mapping[str, str | int]) -> str:
    """The words."""
    return SENTENCES[saying].format(**about)


def routed(saying: str, about: Mapping[str, str | int]) -> str:
    """The words about a worker that was chosen or not."""
    return ROUTED[saying].format(**about)
