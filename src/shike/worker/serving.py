"""What a worker asks for, told with its beats: so that somebody can see what nobody asks for."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from shike.bounds import LOAD_BYTES_MAX


class Serving(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The queues a worker serves and the tasks it has. None: it did not say."""

    queues: tuple[str, ...] | None = None
    tasks: tuple[str, ...] | None = None


def pack(queues: Iterable[str], tasks: Iterable[str]) -> bytes:
    """For `Session.load`; what would make a beat longer than LOAD_BYTES_MAX is left out, the tasks first."""
    told = Serving(queues=tuple(sorted(queues)), tasks=tuple(sorted(tasks)))
    for serving in (told, Serving(queues=told.queues)):
        packed = msgspec.json.encode(serving)
        if len(packed) <= LOAD_BYTES_MAX:
            return packed
    return b""


def unpack(load: bytes) -> Serving:
    """What a session told; of an older or a newer program's words what can be read."""
    try:
        return msgspec.json.decode(load, type=Serving) if load else Serving()
    except msgspec.MsgspecError:
        return Serving()
