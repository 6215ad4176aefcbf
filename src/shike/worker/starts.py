"""How late runs are claimed though there was room for them: what a worker tells the decision service.

What waits because every place is taken is late, too, but no number of buckets helps it. So lateness counts from when
this worker last had no room for a queue, or knew of more than it could take, and only where it is more than the beat
that makes up for a hint that never came. Nor does it count what was late by somebody's will or misfortune: what was
made after its time, what waited for a permit or a router, what was rescued, the backlog.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from shike.bounds import BAND_BACKLOG, BEAT_SECONDS
from shike.clock import MICROS, Clock
from shike.ids.runs import bucket_of
from shike.lanes import is_routed
from shike.model import Load, Manner
from shike.scheduler.lateness import Lateness, width
from shike.store.orders import is_ranked
from shike.store.verbs import Batch, Claimed, Want

BEAT_MICROS = round(BEAT_SECONDS * MICROS)


class Starts:
    """Written by the claim loop; read by the beat, which may be another thread's."""

    def __init__(self, clock: Clock, virtual_buckets: int) -> None:
        self.clock = clock
        self._width = width(virtual_buckets)
        self._lateness = Lateness(clock)
        self._full: set[str] = set()  # queues for which there was no room at the last look
        self._room_since: dict[str, int] = {}  # by queue, on the store's clock

    def looked(self, hungry: Iterable[str], wants: Sequence[Want], now: int) -> None:
        """Of the queues that may have something, these are asked for: for the others there is no room."""
        wanted = {want.queue for want in wants}
        for queue in self._full & wanted:
            self._room_since[queue] = now
        self._full = (self._full - wanted) | {queue for queue in hungry if queue not in wanted}

    def claimed(self, batch: Batch, wants: Sequence[Want]) -> None:
        """An answer came at the first asking."""
        if batch.manner is Manner.ORDINARY:
            before = batch.now - BEAT_MICROS
            for one in batch.runs:
                if one.run_at < before and not _is_excused(one) and not is_ranked(one.run_at):
                    run = one.run
                    since = max(one.run_at, run.created_at, self._room_since.get(run.queue, 0))
                    if since < before:
                        self._lateness.note(bucket_of(run.id) // self._width * self._width, batch.now - since)
        if batch.more:
            for want in wants:
                self._room_since[want.queue] = batch.now

    def room_at(self, queue: str) -> int:
        """Since when there has been room for a queue; 0: as long as is known."""
        return self._room_since.get(queue, 0)

    def load(self) -> bytes:
        """For the beat."""
        return msgspec.json.encode(Load(started_late_ms=self._lateness.told()))


def _is_excused(one: Claimed) -> bool:
    return bool(one.together or one.crashes or one.run.gate or one.run.band == BAND_BACKLOG or is_routed(one.run.queue))
