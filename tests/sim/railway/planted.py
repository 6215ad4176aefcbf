"""Bugs that a railway could have, planted one at a time: `judge` has to see each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from msgspec import Struct, field
from msgspec.structs import replace

from shike.clock import MICROS
from shike.model import Misfire
from shike.rail import order as orders
from shike.rail.order import ActKind, Order, OrderState, Step, time_over
from shike.rail.payment import Payment
from shike.rail.selling import Selling
from shike.reserve import commands, events
from shike.reserve.clerk import Clerk, Desk
from shike.reserve.deciding import DECIDE, Decision
from shike.reserve.journal.base import Frame
from shike.reserve.state import State
from tests.sim.railway.bounds import EPOCH
from tests.sim.railway.world import Railway, TimedJournal


class UnfencedJournal(TimedJournal):
    """Whoever writes last is right: a hold is kept, and told, after a second writer took over."""

    async def append(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            known = self._frames.setdefault(frame.ledger, [])
            known[:] = [one for one in known if one.version < frame.version]
            known.append(frame)
            self.noted(frame)


class HastyClerk(Clerk):
    """Tells what it has decided before it is in the journal."""

    def _committed(self, ledger: str, desk: Desk) -> asyncio.Future[None]:
        super()._committed(ledger, desk).add_done_callback(lambda done: done.exception())
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        told.set_result(None)
        return told


class TrustingClerk(Clerk):
    """Refuses by what it remembers, also what another writer has changed since."""

    async def _stands(self, ledger: str, desk: Desk, command: commands.AnyCommand) -> bool:
        return True


class ForgetfulSelling(Selling):
    """Rings by a timer of its process: a hold's end is lost with its house."""

    async def later(self, order: str, at: int) -> None:
        loop = asyncio.get_running_loop()
        loop.call_at((at - EPOCH) / MICROS, lambda: loop.create_task(self._quietly(order)))

    async def _quietly(self, order: str) -> None:
        with suppress(Exception):
            await self._served().ring(order)


class CarelessSelling(Selling):
    """Nobody looks for what a killed house left in the middle."""

    async def _finished(self) -> int:
        return 0


def frees_what_is_paid(order: Order, at: int) -> Step:
    """The timer does not look whether money has come."""
    if order.state in (OrderState.CONFIRMING, OrderState.TICKETED) and at >= order.expires_at:
        order = replace(order, state=OrderState.HELD)
    return time_over(order, at)


def ends_what_is_sold(state: State, command: commands.Expire) -> Decision:
    """And neither does the ledger."""
    order = state.orders.get(command.order)
    if order is not None and order.live:
        return events.Expired(command.at, command.id, command.order)
    return _soundly(state, command)


_soundly = DECIDE[commands.Expire]
_given_up = orders._given_up


def half_given_up(order: Order, state: OrderState, how: ActKind) -> Step:
    """Of a journey of two trains only the last one is given back."""
    step = _given_up(order, state, how)
    return Step(step.order, tuple(act for act in step.acts if act.kind is not how or act.part == len(order.parts) - 1))


def keeps_late_money(payment: Payment) -> Payment:
    """What came too late stays where it is."""
    return payment


class Bug(Struct, frozen=True):
    """What is other than it should be: parts of a world, and names in production's code."""

    parts: dict[str, Any] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)


PLANTED = {
    "second-writer": Bug({"journal": UnfencedJournal}),
    "told-too-soon": Bug({"clerk": HastyClerk}),
    "stale-refusal": Bug({"clerk": TrustingClerk}),
    "timer-in-memory": Bug({"selling": ForgetfulSelling}),
    "half-done-for-ever": Bug({"selling": CarelessSelling}),
    "opening-skipped": Bug(names={"shike.rail.selling.Misfire": SimpleNamespace(ALL=Misfire.SKIP)}),
    "frees-what-is-paid": Bug(names={"shike.rail.desk.time_over": frees_what_is_paid}),
    "late-money": Bug(names={"shike.rail.order.orphan": keeps_late_money}),
    "half-an-order": Bug(names={"shike.rail.order._given_up": half_given_up}),
}


def story_of(seed: int, planted: str = "", **more: Any) -> list[str]:
    """What is wrong in the world of this seed, with this bug in it."""
    bug = PLANTED[planted] if planted else Bug()
    with ExitStack() as stack:
        for name, wrong in bug.names.items():
            stack.enter_context(patch(name, wrong))
        if planted == "frees-what-is-paid":
            stack.enter_context(patch.dict(DECIDE, {commands.Expire: ends_what_is_sold}))
        return Railway(seed, **bug.parts, **more).tell()
