"""Who may have a run at all, before any strategy chooses: what the worker serves, its tags, its slots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from shike.lanes import queue_of
from shike.model import Route
from shike.route.bounds import LAGGING_SECONDS, LANE_AHEAD_SECONDS
from shike.route.nouns import Candidate


class Unfit(NamedTuple):
    """Why a worker may not have a run: a sentence of `shike.operate.sayings`, and what is in its blanks."""

    saying: str
    about: dict[str, str | int]


def unfit(worker: Candidate, route: Route, task: str, queue: str) -> Unfit | None:
    """Why this worker may not have such a run; None where it may."""
    if worker.silent_seconds > LAGGING_SECONDS:
        return Unfit("silent", {"seconds": f"{worker.silent_seconds:.1f}"})
    if route.session and worker.session != route.session:
        return Unfit("meant_for_another", {})
    if worker.queues is not None and queue_of(queue) not in worker.queues:
        return Unfit("serves_not", {"queue": queue_of(queue)})
    if worker.tasks is not None and task not in worker.tasks:
        return Unfit("knows_not", {"task": task})
    if missing := [tag for tag in route.required if tag not in worker.tags]:
        return Unfit("has_no_tag", {"tags": ", ".join(missing)})
    if unwanted := [tag for tag in route.anti if tag in worker.tags]:
        return Unfit("has_unwanted_tag", {"tags": ", ".join(unwanted)})
    if worker.slots < route.slots:
        return Unfit("has_few_slots", {"slots": worker.slots, "needed": route.slots})
    return None


def preferred(workers: Sequence[Candidate], route: Route) -> list[Candidate]:
    """Of workers that fit, those with the most of the preferred tags: a wish, which is let go where nobody has any."""
    if not route.preferred or not workers:
        return list(workers)
    wishes = [sum(tag in worker.tags for tag in route.preferred) for worker in workers]
    most = max(wishes)
    return [worker for worker, met in zip(workers, wishes, strict=True) if met == most]


def rule_of(route: Route) -> str:
    """What narrows the choice, in words."""
    words = []
    if route.session:
        words.append("meant for it alone")
    if route.required:
        words.append("has " + ", ".join(route.required))
    if route.anti:
        words.append("has not " + ", ".join(route.anti))
    if route.preferred:
        words.append("rather with " + ", ".join(route.preferred))
    if route.slots > 1:
        words.append(f"{route.slots} slots")
    return "; ".join([*words, route.by.replace("_", " ")])


class Given:
    """What was given to whom since a snapshot was taken, whatever kind of run it was: in order, and who is full by it.

    Fields catch up with it (`Field.catch_up`), so that a decision costs no look at every worker.
    """

    __slots__ = ("_room", "full", "record")

    def __init__(self, workers: Sequence[Candidate]) -> None:
        self._room = {worker.number: depth_of(worker) - worker.busy - worker.lane for worker in workers}
        self.full = {number for number, room in self._room.items() if room <= 0}
        self.record: list[tuple[int, int]] = []  # (number, slots)

    def note(self, number: int, slots: int) -> None:
        self.record.append((number, slots))
        self._room[number] -= slots
        if self._room[number] <= 0:
            self.full.add(number)


class Field:
    """The candidates that may have runs of one kind, as of one snapshot, in the order of their numbers.

    `given[place]`, once it has caught up, is how many slots' worth of runs each was given since, and `loads[place]` its
    occupancy with that. `cache` is a strategy's own: what it worked out for this field.
    """

    __slots__ = ("_seen", "_since", "cache", "given", "loads", "numbers", "place_of", "workers")

    def __init__(self, workers: Sequence[Candidate], since: Given | None = None) -> None:
        self.workers = workers
        self.numbers = [worker.number for worker in workers]
        self.place_of = {number: place for place, number in enumerate(self.numbers)}
        self.given = [0] * len(workers)
        self.loads = [occupancy(worker) for worker in workers]
        self.cache: dict[Any, Any] = {}
        self._since = Given(workers) if since is None else since
        self._seen = 0

    def __len__(self) -> int:
        return len(self.workers)

    def catch_up(self) -> None:
        """Take in what was given since it was last looked at."""
        record = self._since.record
        for number, slots in record[self._seen :]:
            place = self.place_of.get(number)
            if place is not None:
                worker = self.workers[place]
                self.given[place] += slots
                self.loads[place] = occupancy(worker, self.given[place])
        self._seen = len(record)


def occupancy(worker: Candidate, more: float = 0) -> float:
    """(Runs under way + its lane) ÷ slots: above 1 there is more than it can begin."""
    return (worker.busy + worker.lane + more) / worker.slots


def depth_of(worker: Candidate) -> int:
    """How many runs a worker may have, under way and in its lane, before those that go by load give it no more."""
    return worker.slots + max(1, worker.slots // 2, round(worker.runs_per_second * LANE_AHEAD_SECONDS))
