"""Runs of limited tasks that never stood at their gate, and are put there before they begin.

Such are those of programs that did not know of the limits, those that were submitted before there were any, and
children of a graph whose key is the result of a parent. Whoever is granted one gives it back, and moves it before its
gate by compare-and-set. Who dies in between has done nothing: the run is granted again, and put there then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from msgspec.structs import replace

from shike.limit.gates import is_limit_gate
from shike.model import Run, State
from shike.store.base import Store
from shike.store.verbs import Claimed, Move

GIVEN_BACK_SECONDS: Final = 2.0  # for so long nobody is granted it: time to move it
WORDS: Final = "it has to wait for its limits"


class Limited(Protocol):
    """Limits of a task: `shike.limit.declared.Limits`."""

    def gate(self, payload: bytes) -> str: ...


def gate_missed(run: Run, limits: Limited | None, payload: bytes) -> str:
    """The gate at which a run should have stood; empty: it did, or has none. Raises `BadArguments` or `TooLarge`."""
    return "" if limits is None or is_limit_gate(run.gate) else limits.gate(payload)


async def put_before(store: Store, missed: Mapping[int, tuple[str, Claimed]]) -> None:
    """Move runs that were given back before the gates that they missed (run → gate, as it was granted). One that
    somebody else is granted in between, or that is over, is left to that."""
    moves = []
    for run_id, (gate, claimed) in missed.items():
        live = await store.live(run_id)
        if live is not None and live.state is State.SCHEDULED:
            run = replace(live.run, gate=gate)
            moves.append(Move(run_id=run_id, version=live.version, to=State.WAITING, run_at=claimed.run_at, run=run))
    if moves:
        await store.move(moves)
