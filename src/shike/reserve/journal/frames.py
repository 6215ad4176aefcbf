"""Events as a frame, and back: JSON, readable with anything, under a checksum that goes over all frames before it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

from msgspec import DecodeError, ValidationError, json

from shike.errors import DamagedJournal
from shike.reserve.events import AnyEvent
from shike.reserve.journal.base import Frame
from shike.reserve.model import RECORD_VERSION

MARK: Final = b"%d " % RECORD_VERSION  # the version of the record stands first
_ENCODER: Final = json.Encoder()
_DECODER: Final = json.Decoder(list[AnyEvent])


def encode(ledger: str, version: int, before: int, events: Sequence[AnyEvent]) -> Frame:
    """The frame of these events, which follows the one with the checksum `before` (0: it is the first)."""
    body = MARK + _ENCODER.encode(events)
    return Frame(ledger, version, len(events), checksum(ledger, version, len(events), before, body), body)


def checksum(ledger: str, version: int, count: int, before: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(f"{ledger}\n{version}\n{count}\n{before}".encode()))


def decode(frame: Frame, version: int, before: int) -> list[AnyEvent]:
    """The events of the frame that follows `version` and the checksum `before`.

    Raises `DamagedJournal` for a frame that is torn, changed, or not the next one.
    """
    if frame.version != version:
        raise _damaged(frame, version, f"the next frame begins after event {frame.version}: something is missing")
    if checksum(frame.ledger, frame.version, frame.count, before, frame.body) != frame.checksum:
        raise _damaged(frame, version, "the next frame is torn or changed, or follows another one than it was made for")
    if not frame.body.startswith(MARK):
        raise _damaged(frame, version, "the next frame was written by a newer program, which is the one to read it")
    try:
        events = _DECODER.decode(frame.body[len(MARK) :])
    except (DecodeError, ValidationError) as error:
        raise _damaged(frame, version, f"the next frame cannot be read: {error}") from error
    if len(events) != frame.count:
        raise _damaged(frame, version, f"the next frame has {len(events)} events, not {frame.count}")
    return events


def _damaged(frame: Frame, version: int, what: str) -> DamagedJournal:
    return DamagedJournal(
        f"ledger {frame.ledger!r} is sound up to event {version}; {what}", ledger=frame.ledger, version=version
    )
