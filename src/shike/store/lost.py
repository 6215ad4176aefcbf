"""What becomes of a run whose process died over it: the same in every store.

Which run was it? A process takes all its runs with it, so all are *suspects*. They go out again by halves: at most
`together` of them share a process, and if that dies as well, half of those the next time. So the culprit is found after
as many deaths as there are doublings in what was under way, while all others run on in company. Blamed for a death is
only a run that was a suspect before, and was *all that its process held* when that died.
"""

from __future__ import annotations

import msgspec

from shike.model import Manner, OnUnknown, Options, Session, State

_options = msgspec.json.Decoder(Options)


class Loss(msgspec.Struct, frozen=True):
    """What a lost lease makes of a run that comes back."""

    suspect: bool
    together: int
    crashed: bool = False  # it was this run, and no other


def loss(session: Session, manner: Manner, party: int, together: int) -> Loss:
    """`party`: how many runs of the lease were open; `together`: of the run, as it was granted.

    A session whose process is known to live has slept, or was cut off: the first time that makes no suspects. What is
    lost again may hold its interpreter for longer than a lease: halving finds it a process of its own, without blame.
    """
    match manner:
        case Manner.ORDINARY:
            return Loss(session.died or together > 0, max(_half(session.held), 2))
        case Manner.TOGETHER:
            return Loss(True, _half(min(party, together)), session.died and session.held == 1)
        case Manner.APART:  # the one process that it could have killed was another
            return Loss(True, together)


def _half(count: int) -> int:
    return max((count + 1) // 2, 1)


def joining(party: list[int], bounds: list[int]) -> int:
    """How many of the next suspects may join a party, given for each how many it goes out together with."""
    tightest = min(party, default=bounds[0] if bounds else 0)
    for place, bound in enumerate(bounds):
        tightest = min(tightest, bound)
        if len(party) + place + 1 > tightest:
            return place
    return len(bounds)


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
