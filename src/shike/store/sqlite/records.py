"""Records as they lie in a row, and back."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Final

import msgspec

from shike.bounds import BANDS
from shike.model import Attempt, Ended, Live, Run, Schedule, State
from shike.store.sqlite.tx import Row

_encoder = msgspec.msgpack.Encoder()
_decode_runs = msgspec.msgpack.Decoder(list[Run]).decode
_decode_numbers = msgspec.json.Decoder(list[int]).decode

pack = _encoder.encode
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


def unpack_runs(count: int, packed: bytes) -> list[Run]:
    """Many packed runs that stand one behind the other."""
    return _decode_runs(b"\xdd" + count.to_bytes(4, "big") + packed)  # the head of a msgpack array


def numbers(listed: str | None) -> list[int]:
    """`group_concat` of integers."""
    return _decode_numbers(f"[{listed}]") if listed else []


def listed(ids: Iterable[int]) -> str:
    """Integers as a JSON array, for `json_each`."""
    return f"[{','.join(map(str, ids))}]"


def listed_names(names: list[str]) -> str:
    """Texts as a JSON array, for `json_each`."""
    return msgspec.json.encode(names).decode()


def unpack_ids(packed: bytes) -> array[int]:
    ids = array("q")
    ids.frombytes(packed)
    return ids


def live_of(row: Row, token: int = 0) -> Live:
    """A row of `run_of` or `runs_live`. `token`: of the open lease that holds it."""
    _, state, lane, run_at, attempts, crashes, version, cancel, progress, body = row[:10]
    return Live(
        unpack_run(body),
        State.RUNNING if token else State(state),
        run_at,
        lane & (BANDS - 1),
        attempts,
        crashes,
        version,
        token,
        bool(lane & SUSPECT),
        cancel,
        progress,
    )


def ended_of(row: Row) -> Ended:
    """A row of a history table or of the dead letters."""
    _, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as = row[:11]
    return Ended(unpack_run(body), State(state), ended_at, attempts, token, session, reason, result, trace, replayed_as)
