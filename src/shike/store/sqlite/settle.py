"""Runs end, or come back: each acknowledgement is compared with its lease, and answered."""

from __future__ import annotations

from collections.abc import Sequence

from shike.bounds import ATTEMPTS_MAX
from shike.clock import MICROS
from shike.model import RECORD_VERSION, Attempt, Manner, State
from shike.store.checks import OUTCOMES, check_ack
from shike.store.children import chosen_of
from shike.store.lost import Loss
from shike.store.rows import OPEN, TAKEN, pack
from shike.store.sqlite import ended
from shike.store.sqlite.leases import LeaseRow, leases_of, places
from shike.store.sqlite.outcomes import Endings, Returns, runs_of
from shike.store.sqlite.records import listed
from shike.store.sqlite.rescue import rescue
from shike.store.sqlite.submit import Arrivals
from shike.store.sqlite.tx import Tx
from shike.store.verbs import Ack, Answer

COMES_BACK = frozenset({State.FAILED, State.SCHEDULED})


def settle(tx: Tx, session: str, acks: Sequence[Ack]) -> list[Answer]:
    """`Store.settle`."""
    for ack in acks:
        if ack.state not in OUTCOMES or ack.delay_seconds or ack.effects:
            check_ack(ack)
    row = tx.one("session_state", session)
    step = _Step(tx, session, leases_of(tx, {ack.token for ack in acks}))
    if row is None or row[1]:
        return [step.stale(ack) for ack in acks]
    answers = [step.take(ack) for ack in acks]
    step.write()
    return answers


class _Step:
    """What one call settles. Rows are written together, and before any effect is applied."""

    def __init__(self, tx: Tx, session: str, leases: dict[int, LeaseRow]) -> None:
        self._tx = tx
        self._now = tx.now
        self._session = session
        self._leases = leases
        self._touched: dict[int, LeaseRow] = {}
        self._endings = Endings(tx, self._now, session)
        self._back: list[tuple[LeaseRow, Ack]] = []

    def take(self, ack: Ack) -> Answer:
        lease = self._leases.get(ack.token)
        place = -1 if lease is None else places(self._tx, lease).get(ack.run_id, -1)
        if lease is None or place < 0 or lease.fates[place] != OPEN or lease.holder != self._session:
            return self.stale(ack)
        lease.fates[place] = ack.state.value
        self._touched[ack.token] = lease
        if ack.state in COMES_BACK:
            self._back.append((lease, ack))
        else:
            self._endings.add(
                ack.run_id, lease.facts[place], ack.state.value,
                reason=ack.reason, token=ack.token, result=ack.result, trace=ack.trace, chosen=chosen_of(ack.effects),
            )  # fmt: skip
        if ack.effects:
            self._apply(ack)
        return Answer.ACCEPTED

    def stale(self, ack: Ack) -> Answer:
        """The lease does not hold this run: it was settled before, or taken away, or never was."""
        lease = self._leases.get(ack.token)
        place = None if lease is None else places(self._tx, lease).get(ack.run_id)
        if lease is not None and place is not None:
            mine = lease.holder == self._session and lease.fates[place] not in (OPEN, TAKEN)
            return Answer.ALREADY if mine else Answer.REFUSED
        self.write()
        over = ended.find(self._tx, ack.run_id)
        if over is not None:
            mine = bool(ack.token) and over.token == ack.token and over.session == self._session
            return Answer.ALREADY if mine else Answer.REFUSED
        return Answer.REFUSED if self._tx.one("run_exists", ack.run_id) else Answer.UNKNOWN

    def write(self) -> None:
        """Bring the tables up to date with what was taken so far."""
        if self._back:
            self._come_back()
        self._endings.write()
        for lease in self._touched.values():
            lease.write(self._tx, self._now)
        self._touched.clear()

    def _apply(self, ack: Ack) -> None:
        self.write()
        arrivals = Arrivals(self._tx)
        for effect in ack.effects:
            arrivals.do(effect, by=ack.run_id)
        arrivals.write()

    def _come_back(self) -> None:
        """Failed or given back: into a lane again, unless somebody asked for it to stop."""
        runs = runs_of(self._tx, [ack.run_id for _, ack in self._back])
        returns = Returns(self._tx, self._now)
        attempts: list[tuple[int, int, bytes]] = []
        for lease, ack in self._back:
            run = runs[ack.run_id]
            if ack.died and lease.manner is Manner.APART:  # no failure of an attempt, but a crash
                attempts.append((run.id, ack.token, ack.trace or self._untold(lease, run.attempts + 1, ack)))
                rescue(self._tx, run, Loss(True, run.together, True), self._endings, returns)
                continue
            if run.cancel:
                self._endings.add(
                    run.id, run.fact, State.CANCELLED.value, reason=run.cancel, token=ack.token, trace=ack.trace
                )
                continue
            failed = ack.state is State.FAILED
            if failed or ack.trace:
                attempts.append((run.id, ack.token, ack.trace or self._untold(lease, run.attempts + 1, ack)))
            outlived = Loss(False, 0) if failed or ack.trace else None  # by its process
            run_at = ack.run_at or self._now + round(ack.delay_seconds * MICROS)
            returns.add(run, ack.state, run_at, failed=int(failed), loss=outlived)
        returns.write()
        self._tx.many("attempt_write", attempts)
        snoozed = [ack.run_id for _, ack in self._back if ack.state is State.SCHEDULED and ack.trace]
        if snoozed:
            self._tx.run("attempts_trim", listed(snoozed), ATTEMPTS_MAX)
        self._back.clear()

    def _untold(self, lease: LeaseRow, number: int, ack: Ack) -> bytes:
        """The row of a failed attempt whose worker sent no trace."""
        return pack(
            Attempt(
                RECORD_VERSION, number, lease.token, lease.holder, State.FAILED,
                claimed_at=lease.granted_at, ended_at=self._now, error=ack.reason,
            )
        )  # fmt: skip
