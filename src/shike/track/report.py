"""The row of a report that is waited for: an executor was called, has said "later" (202), and will tell how it ended.

A worker writes it before it calls, with a secret of its own for this one attempt; the server writes the report into it,
once, if it is signed with that secret, in time, and of the lease that holds the run (R3.14, P3).
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import Raw, Struct

PREFIX: Final = "report/"  # of the control rows


class Report(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of the work. `retry`: again after `delay_seconds`; `refused`: it never will be done."""

    outcome: Literal["ok", "failed", "retry", "refused"]
    result: Raw = Raw(b"null")
    error: str = ""
    delay_seconds: float = 0.0


class Awaited(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A report that is waited for. Fields are only ever added, each with a default."""

    version: int = 1
    secret: str  # it is to be signed with
    until: int  # by the store's clock
    report: Report | None = None


def key_of(run_id: int, token: int) -> str:
    return f"{PREFIX}{run_id}/{token}"


encoded = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Awaited)


def decoded(value: bytes) -> Awaited:
    """The row; raises `ValueError` for what is none."""
    return _decoder.decode(value)


def value_of(report: Report) -> Any:
    """The result of an `ok`."""
    return msgspec.json.decode(report.result)
