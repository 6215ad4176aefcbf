"""What a decision is made from, and what it is."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from shike.model import Route
from shike.route.bounds import PACKED_FROM_BYTES


class Candidate(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A worker as a router sees it. Shares are 0 … 1 of the whole machine."""

    session: str
    number: int  # of its session: grows, so the lowest has been there longest
    name: str = ""
    host: str = ""
    slots: int = 1
    busy: int = 0  # runs under way and granted
    lane: int = 0  # runs that stand in its own lanes
    cpu: float = 0.0
    memory: float = 0.0
    io: float = 0.0
    failures: float = 0.0  # of its last runs, the share that failed
    latency_ms: float = 0.0  # a run, from its start to its end, on average
    answer_ms: float = 0.0  # its last beat, from sending to the store's answer
    silent_seconds: float = 0.0  # since its last beat
    runs_per_second: float = 0.0
    weight: float = 1.0  # its base weight: how much more it is worth than the others
    tags: tuple[str, ...] = ()
    queues: tuple[str, ...] | None = None  # None: it did not say
    tasks: tuple[str, ...] | None = None


class Snapshot(Struct, frozen=True, kw_only=True):
    """All workers as of one round of beats, in the order of their numbers."""

    id: str
    at: int
    workers: tuple[Candidate, ...]


class Ask(Struct, frozen=True, gc=False):
    """A run that wants a worker."""

    run_id: int
    task: str
    queue: str
    route: Route
    key: str  # what consistent hashing goes by


class Choice(Struct, frozen=True, gc=False):
    """What a strategy answers. Places count the candidates that it was given.

    `view` is all that it went by beside the snapshot: a turn, a draw, or a number for each candidate. With it anybody
    can choose again and must come to the same.
    """

    place: int
    view: Sequence[float]
    best: tuple[tuple[int, float], ...]  # the highest scores, the highest first


class Decision(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which worker, by which rule, on what grounds. Kept with the run; `shike explain` recomputes it."""

    by: str
    to: str  # the session
    worker: str = ""  # its name
    rule: str = ""  # what narrowed the choice, and the strategy, in words
    best: tuple[tuple[str, float], ...] = ()  # session and score of the three best
    snapshot: str = ""
    view: Sequence[float] = ()
    without: tuple[int, ...] = ()  # numbers of workers that might have had it, but had no room
    moved: int = 0  # how often it was moved on from one worker's lane to another's
    source: str = ""  # the session that it was moved on from


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Decision).decode
_decode_snapshot = msgspec.json.Decoder(Snapshot).decode


def pack(decision: Decision) -> str:
    """As a run keeps it."""
    return _encode(decision).decode()


def unpack(told: str) -> Decision | None:
    """A kept decision; None for what this program cannot read."""
    try:
        return _decode(told)
    except msgspec.MsgspecError:
        return None


def pack_snapshot(snapshot: Snapshot) -> bytes:
    """As a store keeps it: JSON, compressed (zlib) where it is large."""
    told = _encode(snapshot)
    return told if len(told) < PACKED_FROM_BYTES else zlib.compress(told, 1)


def unpack_snapshot(told: bytes) -> Snapshot | None:
    """A kept snapshot; None for what this program cannot read."""
    try:
        return _decode_snapshot(told if told.startswith(b"{") else zlib.decompress(told))
    except (msgspec.MsgspecError, zlib.error):
        return None
