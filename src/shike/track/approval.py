"""A person's approval of one run: what it is bound to, and what a row of it says. Pure.

A run that needs one waits, once its parents are over, until its `run_at`: then the approval has expired. Saying yes
writes a control row under the run's id that must not be there before, and only then lets the run in. So an approval is
durable, counts once, and is for exactly what was looked at: the task and its arguments, parents' results among them.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shike.limit.gates import is_limit_gate
from shike.model import Live, Run, State, Ties
from shike.store.children import UNTIL_FREED, gate_of, is_graph_gate
from shike.store.verbs import Move
from shike.track.settle import options_of

APPROVAL_KEY: Final = "approval/"  # APPROVAL_KEY + the run's id: a control row that holds an `Approval`
DIGEST_BYTES: Final = 16


class Approval(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """That somebody decided, on what, and when: UTC µs by the store's clock."""

    digest: str
    by: str
    at: int
    granted: bool = True


def key_of(run_id: int) -> str:
    return f"{APPROVAL_KEY}{run_id}"


def digest_of(task: str, arguments: bytes) -> str:
    """Of what is approved: the task, and its arguments as its handler will get them."""
    found = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in (task.encode(), arguments):
        found.update(len(part).to_bytes(8, "big") + part)
    return found.hexdigest()


def encoded(approval: Approval) -> bytes:
    return msgspec.json.encode(approval)


def decoded(value: bytes) -> Approval:
    return msgspec.json.decode(value, type=Approval)


def first_gate(ties: Ties | None, limited: str) -> str:
    """Where a new run stands: before its graph as long as it needs approval, else before its limits (`limited`; empty:
    it has none that are known), which it asks once its parents are over."""
    if ties is None or (limited and not ties.approval_seconds):
        return limited
    return gate_of(ties.graph) if ties.after or ties.approval_seconds else ""


def limits_of(run: Run) -> str:
    """The gate of a run's limits, where it stands or will stand; empty: none is known."""
    return run.gate if is_limit_gate(run.gate) else options_of(run.options).gate


def let_in(run: Run, version: int, now: int) -> Move:
    """What becomes of a run that was approved: into its lane, or before its limits."""
    gate = limits_of(run)
    if not gate:
        return Move(run_id=run.id, version=version, to=State.SCHEDULED, run_at=now)
    return Move(run_id=run.id, version=version, to=State.WAITING, run_at=now, run=replace(run, gate=gate))


def awaits(known: Live) -> bool:
    """Whether a run waits for nothing but approval."""
    return known.state is State.WAITING and is_graph_gate(known.run.gate) and known.run_at < UNTIL_FREED
