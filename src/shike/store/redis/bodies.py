"""The body of a run: written once, as it was submitted, in the fewest bytes; `lua/base.lua` reads it, too.

    flags, record version, band  a byte each
    due_at, created_at           8 bytes each: the server fills in what is 0
    task, queue                  a size of 2 bytes and UTF-8
    args                         a size of 4 bytes and bytes
    SCHEDULED                    the schedule's virtual bucket, a byte; its name; moment, ordinal, next_due_at, 8 bytes
                                 each; schedule_version, 4
    GATED                        gate
    EXPIRES                      expires_at, 8 bytes
    TIED                         a size of 4 bytes and the ties to other runs of a graph, a msgpack array
    REST                         a msgpack array of what is left: key, misfire, its seconds, replay_of, options, owner

FAIL and ASK repeat what the options say of an unknown outcome, so that a rescue need not read them.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Struct

from shike.errors import TooLarge
from shike.ids import virtual_bucket
from shike.model import Misfire, OnUnknown, Options, Run, Ties

SCHEDULED: Final = 1
GATED: Final = 2
EXPIRES: Final = 4
REST: Final = 8
FAIL: Final = 16
ASK: Final = 32
TIED: Final = 64
SIZE_MAX: Final = (1 << 16) - 1

NAMES_REMEMBERED: Final = 1024

_HEAD = struct.Struct(">BBBQQH")
_FRONT = struct.Struct(">BBBQQ")
_SIZE = struct.Struct(">H")
_ARGS = struct.Struct(">I")
_MOMENT = struct.Struct(">QQQI")
_INSTANT = struct.Struct(">Q")


class _Rest(Struct, frozen=True, array_like=True):
    key: str = ""
    misfire: Misfire = Misfire.ALL
    misfire_seconds: float = 0.0
    replay_of: int = 0
    options: bytes = b""
    owner: str = ""


_NOTHING = _Rest()
_pack = msgspec.msgpack.Encoder().encode
_rest = msgspec.msgpack.Decoder(_Rest)
_ties = msgspec.msgpack.Decoder(Ties)
_options = msgspec.json.Decoder(Options)


def pack_body(run: Run, buckets: int) -> bytes:
    """The bytes of a run in a store of so many virtual buckets. Its id is not among them: it is the key."""
    flags, tail = _tail(run, buckets)
    front = _FRONT.pack(flags, run.version, run.band, run.due_at, run.created_at)
    return b"".join((front, _names(run.task, run.queue), _ARGS.pack(len(run.args)), run.args, tail))


def pack_parts(run: Run, buckets: int) -> tuple[bytes, bytes]:
    """As `pack_body`, for a script that sets both times itself: what stands before them and the queue; the rest."""
    flags, tail = _tail(run, buckets)
    rest = b"".join((_names(run.task, run.queue), _ARGS.pack(len(run.args)), run.args, tail))
    return _kind(flags, run.version, run.band, run.queue), rest


@lru_cache(maxsize=NAMES_REMEMBERED)
def _names(task: str, queue: str) -> bytes:
    return _sized(task) + _sized(queue)


@lru_cache(maxsize=NAMES_REMEMBERED)
def _kind(flags: int, version: int, band: int, queue: str) -> bytes:
    return bytes((flags, version, band)) + queue.encode()


def _tail(run: Run, buckets: int) -> tuple[int, bytes]:
    """What only some runs have, and the flags that say which."""
    flags, tail = 0, b""
    if run.schedule:
        flags |= SCHEDULED
        numbers = _MOMENT.pack(run.moment, run.ordinal, run.next_due_at, run.schedule_version)
        tail += bytes((virtual_bucket(run.schedule, buckets),)) + _sized(run.schedule) + numbers
    if run.gate:
        flags |= GATED
        tail += _sized(run.gate)
    if run.expires_at:
        flags |= EXPIRES
        tail += _INSTANT.pack(run.expires_at)
    if run.ties:
        ties = _pack(run.ties)
        flags |= TIED
        tail += _ARGS.pack(len(ties)) + ties
    if run.options:
        flags |= _unknown(run.options)
    if run.key or run.options or run.owner or run.replay_of or run.misfire_seconds or run.misfire is not Misfire.ALL:
        rest = _Rest(run.key, run.misfire, run.misfire_seconds, run.replay_of, run.options, run.owner)
        return flags | REST, tail + _pack(rest)
    return flags, tail


def _sized(text: str) -> bytes:
    data = text.encode()
    if len(data) > SIZE_MAX:
        raise TooLarge("a name is too long for this store", size=len(data), limit=SIZE_MAX)
    return _SIZE.pack(len(data)) + data


def _unknown(options: bytes) -> int:
    try:
        match _options.decode(options).on_unknown:
            case OnUnknown.FAIL:
                return FAIL
            case OnUnknown.ASK:
                return ASK
    except ValueError:
        pass  # the worker that gets it refuses it
    return 0


def places(run: Run) -> tuple[int, int]:
    """Where the moment and the expiry of a run of a schedule stand in its body; 0 for one that it does not have."""
    moment = 21 + len(run.task.encode()) + 2 + len(run.queue.encode()) + 4 + len(run.args) + 1
    moment += 2 + len(run.schedule.encode())
    if not run.expires_at:
        return moment, 0
    gate = 2 + len(run.gate.encode()) if run.gate else 0
    return moment, moment + _MOMENT.size + gate


def read_body(run_id: int, body: bytes) -> Run:
    """What `pack_body` wrote."""
    flags, version, band, due_at, created_at, size = _HEAD.unpack_from(body)
    at = _HEAD.size + size
    task = body[_HEAD.size : at].decode()
    (size,) = _SIZE.unpack_from(body, at)
    queue = body[at + 2 : at + 2 + size].decode()
    at += 2 + size
    (size,) = _ARGS.unpack_from(body, at)
    args = body[at + 4 : at + 4 + size]
    if not flags & (SCHEDULED | GATED | EXPIRES | REST | TIED):
        return Run(version, run_id, task, args, queue, band, due_at, created_at)
    return _with_tail(Run(version, run_id, task, args, queue, band, due_at, created_at), flags, body, at + 4 + size)


def _with_tail(run: Run, flags: int, body: bytes, at: int) -> Run:
    schedule, gate, moment, ordinal, next_due_at, schedule_version, expires_at = "", "", 0, 0, 0, 0, 0
    if flags & SCHEDULED:
        schedule, at = _read_sized(body, at + 1)
        moment, ordinal, next_due_at, schedule_version = _MOMENT.unpack_from(body, at)
        at += _MOMENT.size
    if flags & GATED:
        gate, at = _read_sized(body, at)
    if flags & EXPIRES:
        (expires_at,) = _INSTANT.unpack_from(body, at)
        at += _INSTANT.size
    ties = None
    if flags & TIED:
        (size,) = _ARGS.unpack_from(body, at)
        ties = _ties.decode(body[at + 4 : at + 4 + size])
        at += 4 + size
    rest = _rest.decode(memoryview(body)[at:]) if flags & REST else _NOTHING
    return Run(
        run.version, run.id, run.task, run.args, run.queue, run.band, run.due_at, run.created_at,
        rest.key, schedule, moment, ordinal, next_due_at, rest.misfire, rest.misfire_seconds, expires_at, gate,
        rest.replay_of, rest.options, rest.owner, schedule_version, ties,
    )  # fmt: skip


def _read_sized(body: bytes, at: int) -> tuple[str, int]:
    (size,) = _SIZE.unpack_from(body, at)
    return body[at + 2 : at + 2 + size].decode(), at + 2 + size
