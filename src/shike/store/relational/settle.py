"""Runs end, or come back: each acknowledgement is compared with its lease, and answered."""

from __future__ import annotations

from collections.abc import Sequence

from shike.bounds import ATTEMPTS_MAX
from shike.clock import MICROS
from shike.errors import Conflict
from shike.model import RECORD_VERSION, Attempt, Manner, State
from shike.store.checks import OUTCOMES, check_ack
from shike.store.children import chosen_of
from shike.store.guards import Choose
from shike.store.hints import Hint, HintKind
from shike.store.lost import Loss
from shike.store.relational import graphs
from shike.store.relational.arrivals import Arrivals, Needs
from shike.store.relational.leases import LeaseRow, lease_of, write_leases
from shike.store.relational.link import Again, Taken
from shike.store.relational.outcomes import DIGEST_SLOTS, Endings, Returns, ending_row, lock_runs, release
from shike.store.relational.rescue import rescue
from shike.store.relational.tx import DAY_MICROS, Tx
from shike.store.rows import OPEN, TAKEN, Facts, pack
from shike.store.verbs import Ack, Answer

COMES_BACK = frozenset({State.FAILED, State.SCHEDULED})


async def settle(tx: Tx, session: str, acks: Sequence[Ack]) -> list[Answer]:
    """`Store.settle`."""
    needs = Needs()
    is_plain = tx.facts.at_once and bool(acks)
    for ack in acks:
        if ack.state not in OUTCOMES or ack.delay_seconds or ack.effects:
            check_ack(ack)
        if ack.effects:
            needs.effects(ack.effects)
        is_plain = is_plain and not ack.effects and ack.state not in COMES_BACK
    if is_plain and await _at_once(tx, session, acks):
        return [Answer.ACCEPTED] * len(acks)
    if tx.facts.at_once and acks and all(map(_only_ends, acks)) and await _with_children(tx, session, acks):
        return [Answer.ACCEPTED] * len(acks)
    await tx.learn(needs.names | needs.schedules)
    arrivals = None
    if any(ack.effects for ack in acks):  # what effects depend on is locked before the leases
        arrivals = Arrivals(tx, await tx.now())
        await arrivals.prepare(needs)
    try:
        return await _settle(tx, session, acks, arrivals)
    except Taken:
        raise Conflict("a run that an effect brings is in the store already; nothing was settled") from None


async def _at_once(tx: Tx, session: str, acks: Sequence[Ack]) -> bool:
    """End these runs in one statement, if their leases are as this process expects them; else nothing is done."""
    endings = tx.grants.endings(session, acks)
    if endings is None:
        return False
    rows = sorted(ending_row(ack) for ack in acks)
    tokens = [ending.token for ending in endings]
    fates = [ending.old for ending in endings], [ending.new for ending in endings]
    slot = tx.grants.session_of(tokens[0]) % DIGEST_SLOTS
    try:
        await tx.look_many(
            "leases_end", rows, tx.given, session, DAY_MICROS, slot, tokens, *fates, [ending.left for ending in endings]
        )
    except Again:
        tx.grants.forget(endings)
        return False
    except BaseException:
        tx.grants.forget(endings)
        raise
    tx.grants.settled(endings)
    tx.hint(Hint(HintKind.ENDED, run_ids=tuple([row[0] for row in rows])))
    return True


def _only_ends(ack: Ack) -> bool:
    return ack.state not in COMES_BACK and all(isinstance(effect, Choose) for effect in ack.effects)


async def _with_children(tx: Tx, session: str, acks: Sequence[Ack]) -> bool:
    """As `_at_once`, of runs that hold permits or other runs back: what they held is freed first, in the same step.
    Where the leases are not as expected the whole step is taken back, and repeated the slow way."""
    endings = tx.grants.endings(session, acks, holding=True)
    if endings is None:
        return False
    tokens = [ending.token for ending in endings]
    number = tx.grants.session_of(tokens[0])  # now: whoever is refused meanwhile forgets it
    try:
        bodies, now = await release(tx, [ack.run_id for ack in acks])
        now = now if tx.given is None else tx.given
        if bodies:
            over = {ack.run_id: (ack.state, chosen_of(ack.effects)) for ack in acks}
            await graphs.resolve(Endings(tx, now, session, number), bodies, over)
        rows = sorted(ending_row(ack) for ack in acks)
        fates = [ending.old for ending in endings], [ending.new for ending in endings]
        left = [ending.left for ending in endings]
        await tx.many("leases_end", rows, now, session, DAY_MICROS, number % DIGEST_SLOTS, tokens, *fates, left)
    except BaseException:
        tx.grants.forget(endings)
        raise
    tx.grants.settled(endings)
    tx.hint(Hint(HintKind.ENDED, run_ids=tuple([row[0] for row in rows])))
    return True


async def _settle(tx: Tx, session: str, acks: Sequence[Ack], arrivals: Arrivals | None) -> list[Answer]:
    rows = await tx.rows("leases_lock", tx.instant, sorted({ack.token for ack in acks})) if acks else []
    leases = {row[2]: lease_of(row[2:]) for row in rows}
    closed = {row[2] for row in rows if row[1]}
    step = _Step(tx, session, rows[0][0] if rows else 0, leases)
    answers = [None if ack.token in closed else step.take(ack, arrivals) for ack in acks]
    stale = [ack for ack, answer in zip(acks, answers, strict=True) if answer is None]
    await step.write()
    if arrivals is not None:
        await arrivals.write()
    late = iter(await _stale(tx, session, leases, stale) if stale else [])
    return [next(late) if answer is None else answer for answer in answers]


async def _stale(tx: Tx, session: str, leases: dict[int, LeaseRow], acks: Sequence[Ack]) -> list[Answer]:
    """The leases do not hold these runs: they were settled before, or taken away, or never were."""
    ids = sorted({ack.run_id for ack in acks})
    over = {row[0]: (row[1], row[2]) for row in await tx.rows("runs_over", ids)}
    live = {row[0] for row in await tx.rows("runs_alive", ids)}
    return [_stale_one(session, leases.get(ack.token), ack, over.get(ack.run_id), ack.run_id in live) for ack in acks]


def _stale_one(session: str, lease: LeaseRow | None, ack: Ack, over: tuple[int, str] | None, is_live: bool) -> Answer:
    place = -1 if lease is None else lease.place(ack.run_id)
    if lease is not None and place >= 0:
        mine = lease.holder == session and lease.fates[place] not in (OPEN, TAKEN)
        return Answer.ALREADY if mine else Answer.REFUSED
    if over is not None:
        token, holder = over
        return Answer.ALREADY if ack.token and token == ack.token and holder == session else Answer.REFUSED
    return Answer.REFUSED if is_live else Answer.UNKNOWN


class _Step:
    """What one call settles; written together at its end."""

    def __init__(self, tx: Tx, session: str, now: int, leases: dict[int, LeaseRow]) -> None:
        self._tx = tx
        self._now = now
        self._session = session
        self._leases = leases
        self._touched: dict[int, LeaseRow] = {}
        number = next((lease.session for lease in leases.values()), 0)
        self._endings = Endings(tx, now, session, number)
        self._back: list[tuple[LeaseRow, Ack]] = []

    def take(self, ack: Ack, arrivals: Arrivals | None) -> Answer | None:
        """Accept an acknowledgement whose lease holds the run; None: it does not."""
        lease = self._leases.get(ack.token)
        if lease is None or lease.holder != self._session or not lease.holds(ack.run_id):
            return None
        place = lease.place(ack.run_id)
        lease.fates[place] = ack.state.value
        self._touched[ack.token] = lease
        if ack.state in COMES_BACK:
            self._back.append((lease, ack))
        else:
            self._endings.add(
                ack.run_id, lease.facts[place], ack.state.value,
                reason=ack.reason, token=ack.token, result=ack.result, trace=ack.trace, chosen=chosen_of(ack.effects),
            )  # fmt: skip
        if arrivals is not None:
            for effect in ack.effects:
                arrivals.do(effect, by=ack.run_id)
        return Answer.ACCEPTED

    async def write(self) -> None:
        """Bring the tables up to date with what was taken."""
        await write_leases(self._tx, self._touched.values(), self._now)
        if self._back:
            await self._come_back()
        await self._endings.write()

    async def _come_back(self) -> None:
        """Failed or given back: into a lane again, unless somebody asked for it to stop."""
        runs = await lock_runs(self._tx, [ack.run_id for _, ack in self._back])
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
            self._return(returns, lease, ack, run)
            if ack.state is State.FAILED or ack.trace:
                attempts.append((run.id, ack.token, ack.trace or self._untold(lease, run.attempts + 1, ack)))
        await returns.write()
        await self._tx.many("attempts_write", attempts)
        snoozed = [ack.run_id for _, ack in self._back if ack.state is State.SCHEDULED and ack.trace]
        if snoozed:
            await self._tx.run("attempts_trim", snoozed, ATTEMPTS_MAX)

    def _return(self, returns: Returns, lease: LeaseRow, ack: Ack, run: Facts) -> None:
        failed = ack.state is State.FAILED
        outlived = Loss(False, 0) if failed or ack.trace else None  # by its process
        run_at = ack.run_at or self._now + round(ack.delay_seconds * MICROS)
        returns.add(run, ack.state, run_at, failed=int(failed), loss=outlived)

    def _untold(self, lease: LeaseRow, number: int, ack: Ack) -> bytes:
        """The row of a failed attempt whose worker sent no trace."""
        return pack(
            Attempt(
                RECORD_VERSION, number, lease.token, lease.holder, State.FAILED,
                claimed_at=lease.granted_at, ended_at=self._now, error=ack.reason,
            )
        )  # fmt: skip
