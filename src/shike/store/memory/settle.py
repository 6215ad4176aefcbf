"""Runs end, or come back: each acknowledgement is compared with its lease, and answered."""

from __future__ import annotations

from collections.abc import Sequence

from shike.model import RECORD_VERSION, Attempt, Live, Manner, State
from shike.store.checks import OUTCOMES, check_ack
from shike.store.children import chosen_of
from shike.store.lost import Loss
from shike.store.memory.sessions import rescue
from shike.store.memory.submit import apply
from shike.store.memory.tables import LeaseRow, Tables, micros, pack_attempt
from shike.store.verbs import Ack, Answer

COMES_BACK = frozenset({State.FAILED, State.SCHEDULED})


def settle(tables: Tables, session: str, acks: Sequence[Ack]) -> list[Answer]:
    for ack in acks:
        if ack.state not in OUTCOMES or ack.delay_seconds or ack.effects:
            check_ack(ack)
    now = tables.now()
    row = tables.sessions.get(session)
    is_open = row is not None and row.is_open
    runs, leases = tables.runs, tables.leases
    answers: list[Answer] = []
    for ack in acks:
        lease = leases.get(ack.token)
        live = runs.get(ack.run_id)
        if is_open and lease and live and live.token == ack.token and lease.session == session:
            _accept(tables, lease, live, ack, now)
            answers.append(Answer.ACCEPTED)
        else:
            answers.append(_stale(tables, session, lease, ack))
    tables.over.trim()
    tables.dead.trim()
    return answers


def _accept(tables: Tables, lease: LeaseRow, live: Live, ack: Ack, now: int) -> None:
    if ack.state in COMES_BACK:
        _come_back(tables, lease, live, ack, now)
    else:
        tables.end(
            live, ack.state, now, ack.reason, ack.token, lease.session, ack.result, ack.trace, chosen_of(ack.effects)
        )
    lease.left -= 1
    if not lease.left:
        tables.retire(lease, now)
    for effect in ack.effects:
        apply(tables, effect, ack.run_id, now)


def _come_back(tables: Tables, lease: LeaseRow, live: Live, ack: Ack, now: int) -> None:
    """Failed or given back: into a lane again, unless somebody asked for it to stop."""
    if ack.died and lease.manner is Manner.APART:
        _crash(tables, lease, live, ack, now)
        return
    if live.cancel:
        tables.end(live, State.CANCELLED, now, live.cancel, ack.token, lease.session, trace=ack.trace)
        return
    failed = ack.state is State.FAILED
    if failed or ack.trace:
        tables.write_attempt(ack.run_id, ack.trace or _untold(lease, live, ack, now))
        live.suspect, live.together = False, 0  # its process outlived it
    live.attempts += failed
    live.state = ack.state
    tables.requeue(live, ack.run_at or now + micros(ack.delay_seconds), now)


def _crash(tables: Tables, lease: LeaseRow, live: Live, ack: Ack, now: int) -> None:
    """The process that it had to itself died over it: no failure of an attempt, but a crash."""
    tables.write_attempt(ack.run_id, ack.trace or _untold(lease, live, ack, now))
    rescue(tables, live, Loss(True, live.together, True), now)


def _untold(lease: LeaseRow, live: Live, ack: Ack, now: int) -> bytes:
    """The row of a failed attempt whose worker sent no trace."""
    return pack_attempt(
        Attempt(
            RECORD_VERSION,
            live.attempts + 1,
            lease.token,
            lease.session,
            State.FAILED,
            claimed_at=lease.granted_at,
            ended_at=now,
            error=ack.reason,
        )
    )


def _stale(tables: Tables, session: str, lease: LeaseRow | None, ack: Ack) -> Answer:
    """The lease does not hold this run: it was settled before, or taken away, or never was."""
    if lease is not None and ack.run_id in lease.run_ids:
        live = tables.runs.get(ack.run_id)
        is_open = live is not None and live.token == lease.token
        if is_open or lease.session != session or ack.run_id in lease.taken:
            return Answer.REFUSED
        return Answer.ALREADY
    ended = tables.ended(ack.run_id)
    if ended is not None:
        mine = bool(ack.token) and ended.token == ack.token and ended.session == session
        return Answer.ALREADY if mine else Answer.REFUSED
    return Answer.REFUSED if ack.run_id in tables.runs else Answer.UNKNOWN
