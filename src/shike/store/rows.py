"""Records as they lie in a row of a table, and back: the same for every store that speaks SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from shike.bounds import BANDS
from shike.model import Attempt, Ended, Live, Run, Schedule, State
from shike.store.verbs import Move

_decode_runs = msgspec.msgpack.Decoder(list[Run]).decode

pack = msgspec.msgpack.Encoder().encode
unpack_run = msgspec.msgpack.Decoder(Run).decode
unpack_attempt = msgspec.msgpack.Decoder(Attempt).decode
unpack_schedule = msgspec.msgpack.Decoder(Schedule).decode

SUSPECT: Final = BANDS  # the bit of a lane number that marks suspects
LANES_PER_QUEUE: Final = 2 * BANDS
QUEUE_BITS: Final = 4

# The fate of one run in its lease: still open, taken away by a rescue or release, or the `State` it was settled with.
OPEN: Final = 0xFF
TAKEN: Final = 0xFE


def lane_of(queue: int, band: int, *, suspect: bool = False) -> int:
    """A lane's number: queue << 4 | suspect << 3 | band."""
    return queue << QUEUE_BITS | (SUSPECT if suspect else 0) | band


def band_of(lane: int) -> int:
    return lane & (BANDS - 1)


def unpack_runs(count: int, packed: bytes) -> list[Run]:
    """Many packed runs that stand one behind the other."""
    return _decode_runs(b"\xdd" + count.to_bytes(4, "big") + packed)  # the head of a msgpack array


def live_of(row: Sequence[Any], token: int = 0, worker: str = "") -> Live:
    """A row of (id, state, lane, run_at, attempts, crashes, version, cancel, progress, body, together, …).
    `token`: of the open lease that holds it. `worker`: in whose lane it was put."""
    _, state, lane, run_at, attempts, crashes, version, cancel, progress, body, together = row[:11]
    return Live(
        unpack_run(body),
        State.RUNNING if token else State(state),
        run_at,
        band_of(lane),
        attempts,
        crashes,
        version,
        token,
        bool(lane & SUSPECT),
        cancel,
        progress,
        together,
        worker,
    )


def ended_of(row: Sequence[Any]) -> Ended:
    """A row of the history or of the dead letters."""
    _, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as = row[:11]
    return Ended(unpack_run(body), State(state), ended_at, attempts, token, session, reason, result, trace, replayed_as)


@dataclass(slots=True)
class Facts:
    """The row of a live run, as whoever ends it or returns it needs it."""

    id: int
    state: State
    lane: int
    run_at: int
    attempts: int
    crashes: int
    version: int
    cancel: str
    progress: bytes
    body: bytes
    together: int
    task: int
    holding: int
    schedule: int
    place: int = 0  # the worker's own lane in which an ASSIGNED one stands

    @property
    def stands(self) -> int:
        """The lane in which it is, unless it waits or is leased."""
        return self.place if self.state is State.ASSIGNED else self.lane

    @property
    def fact(self) -> int:
        """As a lease keeps it."""
        return self.task << 1 | (self.holding > 0)


def facts_of(row: Sequence[Any]) -> Facts:
    run_id, state, *others = row
    return Facts(run_id, State(state), *others)


def target(run: Facts, wanted: Move) -> tuple[int, int]:
    """When a moved run is eligible, and the lane that it is of."""
    run_at = run.run_at if wanted.run_at is None else wanted.run_at
    band = band_of(run.lane) if wanted.band is None else wanted.band
    return run_at, run.lane - band_of(run.lane) + band
