"""What a store verb checks and does in its one atomic step, and the run on its way in that carries both.

Policies (dedupe, limits, overlap, fixed delay, replay) are no part of a store: they are compiled to these few words.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from shike.model import Run


class Absent(Struct, frozen=True, tag=True):
    """Guard: the business key is not remembered. Where it holds, the key is remembered for `seconds`."""

    key: str
    seconds: float


class Below(Struct, frozen=True, tag=True):
    """Guard: fewer than `cap` runs hold the permit `key`. Where it holds, this run becomes a holder until it ends."""

    key: str
    cap: int


Guard: TypeAlias = Absent | Below


class PlanNext(Struct, frozen=True, tag=True):
    """Effect: plan the next moment of a fixed-delay schedule, counted from the store's now, if `version` still stands.

    The run is `entry` with `due_at`, `moment` and `run_at` set to now + `delay_seconds`.
    """

    schedule: str
    version: int
    delay_seconds: float
    entry: Entry


class Insert(Struct, frozen=True, tag=True):
    """Effect: submit one more run in the same step."""

    entry: Entry


class Replayed(Struct, frozen=True, tag=True):
    """Effect: note on a dead letter that `run_id` was run again as the run this belongs to. Refused if done before."""

    run_id: int


class Choose(Struct, frozen=True, tag=True):
    """Effect: with its success a run chose these branches; children that wait for any other are skipped."""

    branches: tuple[str, ...]


Effect: TypeAlias = PlanNext | Insert | Replayed | Choose


class Entry(Struct, frozen=True, gc=False):
    """A run on its way in. `run_at` 0: due_at. `delay_seconds` ≥ 0: due and eligible so long after the store's now."""

    run: Run
    run_at: int = 0
    delay_seconds: float = -1.0
    guards: tuple[Guard, ...] = ()
    effects: tuple[Effect, ...] = ()
