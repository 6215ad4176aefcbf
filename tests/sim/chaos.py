"""The script of what goes wrong when, drawn before anything runs, so that it can be read, cut and replayed."""

from __future__ import annotations

from enum import Enum
from random import Random

from msgspec import Struct


class Kind(Enum):
    """What can happen to a machine, or to the store (the last three)."""

    KILL = "kill"  # SIGKILL; another process starts in its place after `seconds`
    RESTART = "restart"  # SIGTERM, and a successor
    PAUSE = "pause"  # SIGSTOP for `seconds`, then SIGCONT
    PARTITION = "partition"  # no way to the store for `seconds`
    SKEW = "skew"  # its wall clock is set `seconds` off
    OUTAGE = "outage"  # nobody reaches the store for `seconds`: misfires
    SLOW_STORE = "slow store"  # for `seconds`, every call takes up to so long and more
    STORE_STEP = "store step"  # the store's own clock is stepped


class Strike(Struct, frozen=True):
    """One fault."""

    at: float
    kind: Kind
    target: int
    seconds: float
    flavour: float  # decides what else is to decide


WEIGHTS = {
    Kind.KILL: 26,
    Kind.RESTART: 6,
    Kind.PAUSE: 24,
    Kind.PARTITION: 24,
    Kind.SKEW: 14,
    Kind.OUTAGE: 1,
    Kind.SLOW_STORE: 4,
    Kind.STORE_STEP: 2,
}


def script(draw: Random, machines: int, seconds: float, strikes: int) -> list[Strike]:
    """`strikes` faults over `seconds`, in order of time."""
    kinds = draw.choices([*WEIGHTS], [*WEIGHTS.values()], k=strikes)
    times = sorted(draw.uniform(1.0, seconds) for _ in range(strikes))
    return [
        Strike(at, kind, draw.randrange(machines), _how_long(draw, kind), draw.random())
        for at, kind in zip(times, kinds, strict=True)
    ]


def _how_long(draw: Random, kind: Kind) -> float:
    match kind:
        case Kind.KILL:
            return draw.uniform(0.5, 12.0)
        case Kind.RESTART:
            return 0.0
        case Kind.PAUSE:
            return draw.uniform(1.0, 30.0)
        case Kind.PARTITION:
            return draw.uniform(1.0, 20.0)
        case Kind.SKEW:
            return draw.choice((-3600.0, -5.0, -1.0, 0.0, 1.0, 5.0, 3600.0))
        case Kind.OUTAGE:
            return draw.uniform(10.0, 90.0)
        case Kind.SLOW_STORE:
            return draw.uniform(1.0, 15.0)
        case Kind.STORE_STEP:
            return draw.choice((-5.0, -1.0, -0.1, 0.1, 1.0, 5.0))
