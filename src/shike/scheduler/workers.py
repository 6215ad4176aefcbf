"""The workers as a router sees them: from sessions and what their beats tell, candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from shike.clock import Clock
from shike.lanes import worker_of
from shike.model import Session
from shike.route.nouns import Candidate
from shike.route.tags import WORKER_TAG
from shike.scheduler.peers import load_of
from shike.store.base import Standing
from shike.worker.serving import unpack

GONE_SECONDS: Final = 1e9  # of silence: JSON has no infinity


class Fleet:
    """Remembers when each beat was first seen, on our own clock: how long a worker has been silent.

    One whose process is provably gone is silent for ever.
    """

    def __init__(self, clock: Clock, is_gone: Callable[[str], bool]) -> None:
        self._clock = clock
        self._is_gone = is_gone
        self._seen: dict[str, tuple[int, float]] = {}
        self.round = 0  # grows whenever somebody beat, came or went

    def look(self, sessions: Iterable[Session], standing: Iterable[Standing]) -> tuple[Candidate, ...]:
        """All open workers, in the order of their numbers."""
        now = self._clock.monotonic()
        lanes: dict[str, int] = {}
        for one in standing:
            owner = worker_of(one.lane)
            lanes[owner] = lanes.get(owner, 0) + one.runs
        found = []
        seen: dict[str, tuple[int, float]] = {}
        for session in sorted(sessions, key=lambda session: session.number):
            load = load_of(session)
            if load.slots < 1:
                continue
            beat, since = self._seen.get(session.id, (-1, now))
            since = now if beat != session.beat else since
            seen[session.id] = session.beat, since
            silent = GONE_SECONDS if self._is_gone(session.id) else now - since
            serving = unpack(session.load)
            found.append(
                Candidate(
                    session=session.id, number=session.number, name=session.name, host=session.host,
                    slots=load.slots, busy=load.busy, lane=lanes.get(session.id, 0), cpu=load.cpu, memory=load.memory,
                    io=load.io, failures=load.failures, latency_ms=load.latency_ms, answer_ms=load.answer_ms,
                    silent_seconds=silent, runs_per_second=load.runs_per_second, weight=load.weight,
                    tags=(*load.tags, f"{WORKER_TAG}{session.name}"), queues=serving.queues, tasks=serving.tasks,
                )
            )  # fmt: skip
        if seen.keys() != self._seen.keys() or any(seen[key][0] != self._seen[key][0] for key in seen):
            self.round += 1
        self._seen = seen
        return tuple(found)
