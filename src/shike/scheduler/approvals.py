"""What waits for a person's approval too long is skipped; what was approved, and not let in, is."""

from __future__ import annotations

from shike.bounds import GATE_LOOK_RUNS
from shike.model import State
from shike.store.base import Store
from shike.store.verbs import Move
from shike.track.approval import decoded, key_of, let_in

EXPIRED = "approval expired: nobody approved it in time"


async def expire(store: Store, gate: str) -> bool:
    """One round at a graph's gate; whether there may be more to do. Two nodes that do it at once do no harm: a move
    names the version that was seen."""
    now = await store.now()
    late = [gated for gated in await store.gate_waiters(gate, GATE_LOOK_RUNS) if gated.run_at <= now]
    moves = []
    for gated in late:
        rows = await store.controls(key_of(gated.run_id))
        said = next((decoded(row.value) for row in rows if row.key == key_of(gated.run_id)), None)
        if said is not None and said.granted:  # whoever approved was cut off before the run was let in
            if (live := await store.live(gated.run_id)) is not None:
                moves.append(let_in(live.run, gated.version, now))
        else:
            reason = EXPIRED if said is None else f"approval was refused by {said.by}"
            to = State.SKIPPED if said is None else State.CANCELLED
            moves.append(Move(run_id=gated.run_id, version=gated.version, to=to, reason=reason))
    if moves:
        await store.move(moves)
    return len(late) == GATE_LOOK_RUNS
