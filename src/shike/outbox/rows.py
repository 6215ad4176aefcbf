"""What lies in an outbox."""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import Struct

from shike.bounds import ARGS_BYTES_MAX
from shike.how import How

TEXT_CHARS_MAX: Final = ARGS_BYTES_MAX + 1  # of one text, read from a row: one more than can be right


class Options(How, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How a run is submitted, as the column `options` says it: `How`, and no other words."""


class Row(NamedTuple):
    """A run that waits to be handed on."""

    id: int
    identity: str
    task: str
    args: str
    options: str
    created_at: int


class Refused(Struct, frozen=True):
    """A row that was set aside. `id` is a text, as all ids; times are UTC µs."""

    id: str
    task: str
    args: str
    created_at: int
    refused_at: int
    reason: str


class Counts(NamedTuple):
    """How full an outbox is."""

    waiting: int
    refused: int
    oldest_micros: int  # for how long the first has waited
