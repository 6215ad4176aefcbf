"""The waiting list: who joins, leaves, and is served next.

After everything by which something may have come free, the ledger serves those who wait before anybody else is heard.
The search goes over all sections, so it finds that a seat given back and the hole beside it make room for a longer
section; sections with a full segment are passed over at once, which leaves those inside the merged gap.
"""

from __future__ import annotations

from shike.clock import MICROS
from shike.errors import BadCommand
from shike.reserve import commands, events
from shike.reserve.bounds import WAITS_MAX
from shike.reserve.checks import check_order
from shike.reserve.model import NEVER, NOWHERE, Reason, Refusal, Wait, WaitPolicy, WaitState
from shike.reserve.placing import Placed, find
from shike.reserve.seats import check_want
from shike.reserve.state import State

Decision = events.AnyEvent | Refusal

SHORT = frozenset({Reason.FULL, Reason.FRAGMENTED, Reason.QUOTA})  # more capacity would help: the smaller may fit


def join(state: State, command: commands.Join) -> Decision:
    plan = state.plan(command.pool, command.start, command.end, command.channel)
    check_order(command)
    if command.want is not None:
        check_want(plan.pool, command.want, command.count)
    if command.deadline != NEVER and command.deadline <= command.at:
        raise BadCommand("the deadline of a wait lies ahead")
    if state.cancelled:
        return Refusal(Reason.CLOSED)
    if command.start < state.position or (state.times and command.at >= state.times[plan.start]):
        return Refusal(Reason.PASSED)
    if command.count > plan.pool.size:
        return Refusal(Reason.FULL)
    if sum(map(len, state.queues.values())) >= WAITS_MAX:
        return Refusal(Reason.CROWDED)
    return events.Joined(
        command.at,
        command.id,
        state.waits_made + 1,
        command.pool,
        command.start,
        command.end,
        command.count,
        command.people,
        command.deadline,
        command.want,
        command.channel,
        command.price,
        command.payment,
        command.ttl_seconds,
    )


def leave(state: State, command: commands.Leave) -> Decision:
    wait = state.waits.get(command.wait)
    if wait is None or wait.state is not WaitState.WAITING:
        return _over(wait)
    return events.Left(command.at, command.id, command.wait)


def lapse(state: State, command: commands.Lapse) -> Decision:
    wait = state.waits.get(command.wait)
    if wait is None or wait.state is not WaitState.WAITING:
        return _over(wait)
    if wait.deadline == NEVER or command.at < wait.deadline:
        return Refusal(Reason.EARLY, opens_at=wait.deadline)
    return events.Lapsed(command.at, command.id, command.wait)


def _over(wait: Wait | None) -> Refusal:
    return Refusal(Reason.UNKNOWN) if wait is None else Refusal(Reason.ENDED, state=wait.state.value)


def serve(state: State, command: commands.Serve) -> Decision:
    """Of those that can be served, who has waited longest."""
    first: tuple[Wait, Placed] | None = None
    for (pool, start, end), queue in state.queues.items():
        if (command.pool and pool != command.pool) or start < command.start or end > command.end != NOWHERE:
            continue
        if _is_full(state, pool, start, end):
            continue
        before = first[0].number if first else 1 << 62
        first = _next(state, queue, command.at, before) or first
    if first is None:
        return Refusal(Reason.NOBODY)
    wait, placed = first
    expires_at = NEVER if wait.payment else command.at + int(wait.ttl_seconds * MICROS)
    return events.Served(
        command.at,
        command.id,
        wait.number,
        state.orders_made + 1,
        placed.units,
        expires_at,
        placed.pinned,
        placed.moves,
    )


def _is_full(state: State, pool: str, start: int, end: int) -> bool:
    found = state.pools[pool]
    segments = found.left if found.counted else found.free
    return start < state.position or 0 in segments[start - state.origin : end - state.origin]


def _next(state: State, queue: dict[int, Wait], at: int, before: int) -> tuple[Wait, Placed] | None:
    """The first of one queue that can be served, if it came before `before`."""
    hopeless: dict[str, int] = {}  # per channel: so many takes are too many
    for number, wait in queue.items():
        if number > before:
            break
        if (wait.deadline != NEVER and at >= wait.deadline) or wait.count >= hopeless.get(wait.channel, 1 << 62):
            continue
        placed = _place(state, wait, at)
        if isinstance(placed, Placed):
            return wait, placed
        if placed.reason in SHORT or placed.reason is Reason.WISH:
            if state.policy is WaitPolicy.STRICT:
                break
            if wait.want is None:
                hopeless[wait.channel] = min(wait.count, hopeless.get(wait.channel, wait.count))
    return None


def _place(state: State, wait: Wait, at: int) -> Placed | Refusal:
    plan = state.plan(wait.pool, wait.start, wait.end, wait.channel)
    if not plan.opens_at <= at < plan.closes_at:
        return Refusal(Reason.NOT_ON_SALE)
    if wait.price < plan.price * wait.count:
        return Refusal(Reason.PRICE)
    return find(state, plan, at, wait.count, wait.people, wait.want)
