"""Doing what an order asks for: at the ledgers, at the gateway, among the people. Each deed may be done again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from shike.clock import MICROS, Clock
from shike.errors import Conflict, NotFound
from shike.rail.bounds import HOLD_SECONDS
from shike.rail.changing import give_up, take_over, unmark
from shike.rail.journey import BY_NAME
from shike.rail.keeping import Orders, Rides
from shike.rail.order import Act, ActKind, Order, OrderState, Part, Step, part_confirmed, part_refused, undone
from shike.rail.payment import Gateway
from shike.rail.seats import Seats
from shike.reserve import commands
from shike.reserve.events import AnyEvent, Confirmed, Held, Joined
from shike.reserve.model import Reason, Refusal, Want

LEAST_SECONDS: Final = 1.0  # of a hold that is asked for when its time is nearly over
WAIT: Final = "/wait"  # ends the name of the command by which an order waits
TRIES: Final = 16  # at an order that others change at the same time


class Deeds:
    """Keeps each next order before anything is done for it."""

    def __init__(self, seats: Seats, orders: Orders, rides: Rides, gateway: Gateway, clock: Clock) -> None:
        self._seats, self._orders, self._rides, self._gateway, self._clock = seats, orders, rides, gateway, clock

    async def step(self, order: str, decide: Callable[[Order], Step]) -> Order:
        """Decide on the order as it is kept, keep what comes of it, and do it. Gives the order as it then is. Raises
        what `decide` raises, and `Conflict` where others never leave the order alone."""
        step = await self._keep(order, decide)
        return await self._all_done(step, step.order.to_do[-1:]) if step.acts else step.order

    async def finish(self, order: str) -> Order:
        """Do all that the order stands for, again, if something may not have been done."""
        known = await self._orders.get(order)
        return await self._all_done(Step(known, undone(known)), known.to_do) if known.to_do else known

    async def _all_done(self, step: Step, versions: tuple[int, ...]) -> Order:
        """Do the acts, then take these versions off the list of what may not be done."""
        for act in step.acts:
            await self._do(step.order, act)

        def done(one: Order) -> Step:
            return Step(replace(one, to_do=tuple(version for version in one.to_do if version not in versions)))

        return (await self._keep(step.order.id, done)).order

    async def hold_part(self, order: str, at: int) -> AnyEvent | Refusal:
        """Ask the ledger for the seats of a part, and keep the number of its order. Asked again it says the same."""
        known = await self._orders.get(order)
        answer = await self._seats.ask(known.parts[at].departure, _hold(known, at, self._clock.wall()))
        if isinstance(answer, Held):
            number = answer.order

            def numbered(one: Order) -> Step:
                parts = list(one.parts)
                parts[at] = replace(parts[at], number=number)
                return Step(replace(one, parts=tuple(parts)))

            kept = (await self._keep(order, numbered)).order
            if kept.state is not OrderState.HELD:  # it was given up meanwhile, perhaps before the ledger knew of it
                await self._free(kept, Act(ActKind.RELEASE, at))
        return answer

    async def wait_for_part(self, order: str) -> AnyEvent | Refusal:
        """Put an order on the ledger's waiting list, and keep its place. Asked again it says the same."""
        known = await self._orders.get(order)
        answer = await self._seats.ask(known.parts[0].departure, _join(known, self._clock.wall()))
        if isinstance(answer, Joined):
            place = answer.wait
            await self._keep(order, lambda one: Step(replace(one, parts=(replace(one.parts[0], wait=place),))))
        return answer

    async def keep_old(self, new: Order) -> None:
        """The order that `new` was to replace stays as it is."""
        await self._keep(new.replaces, lambda old: Step(unmark(old, new.id)))

    async def _keep(self, order: str, decide: Callable[[Order], Step]) -> Step:
        for _ in range(TRIES):
            known = await self._orders.get(order)
            step = decide(known)
            if step.order == known and not step.acts:
                return step
            next_order = replace(step.order, to_do=(*known.to_do, known.version + 1)) if step.acts else step.order
            try:
                return Step(await self._orders.put(next_order), step.acts)
            except Conflict:
                continue
        raise Conflict(f"order {order} is being changed by others all the time: try again")

    async def _do(self, order: Order, act: Act) -> None:
        match act.kind:
            case ActKind.CONFIRM:
                await self._confirm(order.id, act)
            case ActKind.RELEASE | ActKind.EXPIRE:
                await self._free(order, act)
            case ActKind.LEAVE:
                await self._leave(order)
            case ActKind.REFUND_SEATS:
                part = order.parts[act.part]
                for index in act.indices:  # each by itself, so that doing it again meets what was done
                    id = f"{order.id}/refund/{act.part}/{index}"
                    await self._ask(part, commands.Refund(id, self._clock.wall(), part.number, (index,)))
            case ActKind.REFUND_MONEY:
                await self._gateway.refund(act.payment, act.key, act.cents)
            case ActKind.CLOSE_PAYMENT:
                await self._gateway.close(act.payment)
            case ActKind.FREE_PEOPLE:
                part = order.parts[act.part]
                for index in act.indices:
                    await self._rides.free(part.tickets[index].person, part.departure, order.id)
            case ActKind.CLOSE_OLD:
                await self._close_old(order)
            case ActKind.KEEP_OLD:
                await self.keep_old(order)

    async def _confirm(self, order: str, act: Act) -> None:
        """The ledger has the last word on whether the money came in time."""
        known = await self._orders.get(order)
        if known.state is not OrderState.CONFIRMING:
            return
        part = known.parts[act.part]
        id = f"{order}/confirm/{act.part}"
        answer = await self._ask(part, commands.Confirm(id, self._clock.wall(), part.number, act.payment))
        decide = part_confirmed if isinstance(answer, Confirmed) else part_refused
        await self.step(order, lambda one: decide(one, act.part))

    async def _free(self, order: Order, act: Act) -> None:
        part, now = order.parts[act.part], self._clock.wall()
        number = part.number
        if not number:  # nobody knows whether the ledger was asked: asked again, it tells
            answer = await self._ask(part, _hold(order, act.part, now))
            number = answer.order if isinstance(answer, Held) else 0
        if not number:
            return
        if act.kind is ActKind.EXPIRE:
            answer = await self._ask(part, commands.Expire(f"{order.id}/expire/{act.part}", now, number))
            if not (isinstance(answer, Refusal) and answer.reason is Reason.EARLY):
                return  # else it was asked for so late that the ledger would keep it a moment longer
        await self._ask(part, commands.Release(f"{order.id}/release/{act.part}", now, number))

    async def _leave(self, order: Order) -> None:
        """Nobody waits any more; what the ledger has given meanwhile is free again."""
        part, now = order.parts[0], self._clock.wall()
        place = part.wait
        if not place:  # nobody knows whether the ledger was asked: asked again, it tells
            answer = await self._ask(part, _join(order, now))
            place = answer.wait if isinstance(answer, Joined) else 0
        if not place:
            return
        answer = await self._ask(part, commands.Leave(f"{order.id}/leave", now, place))
        if isinstance(answer, Refusal):
            wait = (await self._seats.state(part.departure)).waits.get(place)
            if wait is not None and wait.order:
                await self._ask(part, commands.Release(f"{order.id}/release/0", now, wait.order))

    async def _close_old(self, new: Order) -> None:
        """First the money has a new owner, then the old one gives up what it has."""
        try:
            old = await self._orders.get(new.replaces)
        except NotFound:
            return
        if old.state is OrderState.TICKETED and old.changing == new.id:
            await self.step(new.id, lambda one: take_over(one, old))
            await self.step(old.id, give_up)

    async def _ask(self, part: Part, command: commands.AnyCommand) -> AnyEvent | Refusal:
        return await self._seats.ask(part.departure, command)


def _join(order: Order, now: int) -> commands.Join:
    """The one command by which an order waits, whenever it is asked; also when its time is over."""
    part, people = order.parts[0], order.parts[0].tickets
    return commands.Join(
        f"{order.id}{WAIT}",
        min(now, order.expires_at - 1),
        part.class_,
        part.board,
        part.alight,
        len(people),
        tuple(ticket.person for ticket in people),
        order.expires_at,
        _want(order),
        order.channel,
        sum(ticket.price_cents for ticket in people),
        ttl_seconds=float(HOLD_SECONDS),
    )


def _want(order: Order) -> Want | None:
    """What its passengers would rather have: attributes, and seats by name."""
    if not order.wishes:
        return None
    names = tuple(wish.removeprefix(BY_NAME) for wish in order.wishes if wish.startswith(BY_NAME))
    return Want(attributes=tuple(wish for wish in order.wishes if not wish.startswith(BY_NAME)), units=names)


def _hold(order: Order, at: int, now: int) -> commands.Hold:
    """The one command that holds the seats of a part, whenever it is asked.

    Of a change on the same train the ledger is not told who travels: they have the old tickets until then.
    """
    part = order.parts[at]
    return commands.Hold(
        f"{order.id}/hold/{at}",
        now,
        part.class_,
        part.board,
        part.alight,
        len(part.tickets),
        () if order.replaces else tuple(ticket.person for ticket in part.tickets),
        _want(order),
        max(LEAST_SECONDS, (order.expires_at - now) / MICROS),
        order.channel,
        sum(ticket.price_cents for ticket in part.tickets),
    )
