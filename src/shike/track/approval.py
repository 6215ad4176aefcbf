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

from shike.model import Live, State
from shike.store.children import UNTIL_FREED, is_graph_gate

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


def awaits(known: Live) -> bool:
    """Whether a run waits for nothing but approval."""
    return known.state is State.WAITING and is_graph_gate(known.run.gate) and known.run_at < UNTIL_FREED
