"""Alarms in the store: a control row each, changed by compare-and-set; what is owed to whom is in the same row. Pure.

So a restart neither repeats what was told nor forgets what was not: whoever watches next reads the rows and goes on.
What raises alarms, and who is told, is `shike.connect.alarms`.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

ALARM_KEY: Final = "alarm/"  # ALARM_KEY + the alarm's id: a control row that holds an `Alarm`
ID_BYTES: Final = 6  # of a few hundred alarms: short enough to be typed


class Phase(StrEnum):
    """How far an alarm is."""

    WATCHED = "watched"  # its condition holds, not yet for as long as its rule asks
    RAISED = "raised"
    EASED = "eased"  # the condition is gone, not yet for so long that it is over
    OVER = "over"  # kept for a while, for whoever asks what was


class Notice(StrEnum):
    """What is told of an alarm."""

    RAISED = "raised"
    AGAIN = "again"  # it goes on, or has become worse
    OVER = "over"


class Owed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A notice that a channel has to be told, not before `next_at` (UTC µs): who tells it moves that ahead first."""

    channel: str
    notice: Notice
    tries: int = 0
    next_at: int = 0


class Alarm(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that somebody should look at. Instants are UTC µs by the store's clock; 0: not yet."""

    id: str
    rule: str
    subject: str  # what of the rule it is about: a task, a queue, a schedule
    phase: Phase
    words: str
    count: float = 0.0  # how much of it there is: the larger, the worse
    since: int = 0  # when the condition was first seen
    seen_at: int = 0  # … and last
    raised_at: int = 0
    gone_at: int = 0
    over_at: int = 0
    told_at: int = 0  # when a notice was last owed
    told_count: float = 0.0
    is_told: bool = False  # that it was raised, this time: its end is told to nobody who knows of no beginning
    acked_at: int = 0
    acked_by: str = ""
    owner: str = ""  # whom its runs belong to
    owed: tuple[Owed, ...] = ()
    untold: tuple[str, ...] = ()  # the channels that were given up, the last ones
    saying: str = ""  # the sentence that `words` are in English, and what is in its blanks; empty: they are no sentence
    about: dict[str, str | int | float] = {}


def id_of(rule: str, subject: str) -> str:
    """The same for the same thing, always: a rule's alarm about one subject."""
    return hashlib.blake2b(f"{rule}\0{subject}".encode(errors="surrogatepass"), digest_size=ID_BYTES).hexdigest()


def key_of(alarm_id: str) -> str:
    return f"{ALARM_KEY}{alarm_id}"


def encoded(alarm: Alarm) -> bytes:
    return msgspec.json.encode(alarm)


def decoded(value: bytes) -> Alarm | None:
    """None: a row that this version cannot read, which is left alone."""
    try:
        return _decode(value)
    except msgspec.MsgspecError:
        return None


_decode = msgspec.json.Decoder(Alarm).decode
