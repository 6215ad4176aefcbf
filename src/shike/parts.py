"""The nouns of divided work: which part of a whole a run is, and what begins together. `shike.model` has them, too."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class OnGone(StrEnum):
    """What becomes of a run that is meant for one worker when that worker is gone."""

    FAILOVER = "failover"  # another worker that may have it does it
    SKIP = "skip"  # it is skipped, and the reason says that it was not done there


class Shard(Struct, frozen=True):
    """Which part of a whole this run is: `index` of `total`, counted from 0."""

    index: int
    total: int


class Gang(Struct, frozen=True, omit_defaults=True):
    """Runs that begin together or not at all."""

    id: str
    size: int
    least: int  # so many of them have a slot before any of them begins
    timeout_seconds: float  # if they have not by then, all slots are given back
