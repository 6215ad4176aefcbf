"""What becomes of a run whose process died over it: the same in every store."""

from __future__ import annotations

import msgspec

from shike.model import OnUnknown, Options, State

_options = msgspec.json.Decoder(Options)


def lost(options: bytes, cancel: str, crashes: int, crashes_max: int) -> tuple[State, str]:
    """Where the run goes, and why: to the dead letters as poison or because its outcome is unknown, to its end where
    somebody had asked for that (`cancel`), else back into a lane (`SCHEDULED`)."""
    if crashes >= crashes_max:
        return State.DEAD, f"poison: killed {crashes} processes"
    match _on_unknown(options):
        case OnUnknown.FAIL:
            return State.DEAD, "unknown outcome"
        case OnUnknown.ASK:
            return State.DEAD, "unknown outcome: ask"
        case _:
            return (State.CANCELLED, cancel) if cancel else (State.SCHEDULED, "")


def _on_unknown(options: bytes) -> OnUnknown | None:
    """What the run says of it. Options that cannot be read must not stop the rescue of the others; the worker that
    gets the run looks at them before it begins anything, and refuses it."""
    try:
        return _options.decode(options).on_unknown if options else None
    except ValueError:
        return None
