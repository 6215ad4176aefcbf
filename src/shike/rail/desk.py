"""The ticket desk: holds seats for people, takes their money, gives it back, changes their tickets.

Everything that is decided stands in `journey`, `order`, `payment`, `changing` and the ledger; here it is kept, and
then done. An order is kept before anything is done for it, and each deed is known by a key, so that whatever a killed
process left half done is finished by `finish`, which the timers of `selling` see to.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from msgspec.structs import replace

from shike.clock import MICROS, Clock
from shike.errors import BadOrder, Conflict, NotFound, TradeRefused
from shike.rail.bounds import HOLD_SECONDS
from shike.rail.changing import good_tickets, mark
from shike.rail.deeds import Deeds
from shike.rail.journey import Trade, Wish, change_of, check_wishes, fees_of, journey, refused, section_of
from shike.rail.keeping import Orders, Rides
from shike.rail.ladder import ChangeQuote
from shike.rail.opening import ONLINE
from shike.rail.order import (
    Order,
    OrderState,
    Part,
    Step,
    ask_payment,
    cancel,
    give_tickets_back,
    money_came,
    nothing_to_pay,
    payment_told,
    served,
    time_over,
)
from shike.rail.passenger import Passenger, Ride, check_group
from shike.rail.payment import Gateway, Heard, Notice, Payment, PaymentState, hear, verify
from shike.rail.seats import Seats, units_of
from shike.reserve.events import Served
from shike.reserve.model import Refusal

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

Later = Callable[[str, int], Awaitable[None]]  # (order, UTC microseconds): ring then


class Desk:
    """One seller; there may be several, in several processes, over the same orders and ledgers.

    `key` makes references of documents, `secret` is what the gateway signs with; neither has a default. `later` is
    asked to ring (`ring`) for an order when its hold is over.
    """

    def __init__(
        self,
        trade: Trade,
        *,
        seats: Seats,
        orders: Orders,
        rides: Rides,
        gateway: Gateway,
        clock: Clock,
        key: bytes,
        secret: bytes,
        later: Later,
    ) -> None:
        self.trade = trade
        self._seats, self._orders, self._rides, self._gateway = seats, orders, rides, gateway
        self._clock, self._key, self._secret, self._later = clock, key, secret, later
        self._deeds = Deeds(seats, orders, rides, gateway, clock)

    async def hold(
        self,
        order: str,
        wishes: Sequence[Wish],
        people: Sequence[Passenger],
        *,
        seats: Sequence[str] = (),
        channel: str = ONLINE,
    ) -> Order:
        """Hold seats for 15 minutes on one train, or on two of one journey; all of them, or none. `order` is the
        caller's name for it: the same again gives the same. `seats` are attributes, or seats by name (`=21-11`), taken
        where there are such.

        Raises `BadOrder`, `BadTrip`, `UnknownTrain`, `UnknownStation` for what cannot be, `TradeRefused` for what is
        not to be had: `not_on_sale` (with `opens_at`), `full`, `person`, …
        """
        known = await self._known(order)
        if known is not None:
            self._check_same(known, wishes, people)
            return await self._go_on(known)
        check_group(people)
        travellers = [(one.reference(self._key), one.fare) for one in people]
        parts = journey(self.trade, wishes, travellers, self._clock.wall())
        check_wishes(self.trade, parts, seats)
        due = sum(ticket.price_cents for part in parts for ticket in part.tickets)
        return await self._hold(self._new(order, parts, channel, seats, due_cents=due))

    async def wait(
        self, order: str, wish: Wish, people: Sequence[Passenger], *, until: int, channel: str = ONLINE
    ) -> Order:
        """Wait for seats on one train, until an instant at most. Those that come free are held for 15 minutes, to be
        paid for (`waiting.WaitingList` finds out); until then the people are on no other train at that time.

        Raises as `hold` does, and `BadOrder` for an instant that has passed."""
        known = await self._known(order)
        if known is not None:
            self._check_same(known, [wish], people)
            return await self._wait_on(known)
        check_group(people)
        if until <= self._clock.wall():
            raise BadOrder("the time until which you wait has passed: name a later one")
        travellers = [(one.reference(self._key), one.fare) for one in people]
        parts = journey(self.trade, [wish], travellers, self._clock.wall())
        due = sum(ticket.price_cents for ticket in parts[0].tickets)
        new = replace(self._new(order, parts, channel, (), due_cents=due), expires_at=until, has_waited=True)
        await self._later(order, until)
        return await self._wait_on(await self._orders.put(replace(new, state=OrderState.WAITING)))

    async def serve(self, order: str, event: Served) -> bool:
        """The ledger has given an order its seats; whether it still waited. May be repeated."""
        if (await self._orders.get(order)).state is not OrderState.WAITING:
            return False
        await self._later(order, event.expires_at)
        await self._deeds.step(order, lambda one: Step(served(one, event.order, event.expires_at)))
        return True

    async def pay(self, order: str) -> str:
        """Where to pay for an order. Each call asks for a payment of its own; the first that is paid counts, all others
        go back. Raises `TradeRefused` for an order that is not held."""

        def ask(known: Order) -> Step:
            at = len(known.payments) + 1
            return Step(ask_payment(known, Payment(f"{order}.{at}", order, known.due_cents, known.currency)))

        asked = await self._deeds.step(order, ask)
        return await self._gateway.open(asked.payments[-1])

    async def hear(self, notice: Notice) -> Heard:
        """Take a callback of the gateway; as often as it comes, in any order, however late. Raises `BadNotice`,
        `NotFound` for a payment that nobody asked for, and `Conflict` where it has to be told again."""
        verify(notice, self._secret)
        order, heard = await self._orders.of_payment(notice.payment), Heard.REPEATED

        def take(known: Order) -> Step:
            nonlocal heard
            found = next((one for one in known.payments if one.id == notice.payment), None)
            if found is None:
                raise Conflict(f"payment {notice.payment} has gone over to another order just now: tell it again")
            payment, heard = hear(found, notice)
            return money_came(known, payment) if heard is Heard.PAID else payment_told(known, payment)

        await self._deeds.step(order.id, take)
        if heard is Heard.REPEATED:
            await self.finish(order.id)
        return heard

    async def ask_again(self, order: str) -> None:
        """Ask the gateway for what it has not told of: callbacks get lost."""
        for payment in (await self._orders.get(order)).payments:
            if payment.state is not PaymentState.REFUNDED and not payment.received_cents:
                notice = await self._gateway.ask(payment.id)
                if notice is not None:
                    await self.hear(notice)

    async def ring(self, order: str) -> OrderState:
        """The time of a hold is over: its seats are free again, unless it was paid for."""
        now = self._clock.wall()
        try:
            await self._deeds.step(order, lambda known: time_over(known, now))
        except NotFound:  # its process died between setting the timer and keeping the order
            return OrderState.CANCELLED
        return (await self.finish(order)).state

    async def cancel(self, order: str) -> Order:
        """Give up an order that is not paid for. Raises `TradeRefused` for one that is."""
        await self._deeds.step(order, cancel)
        return await self.finish(order)

    async def refund_quote(self, order: str, part: int, indices: Sequence[int]) -> int:
        """What would be kept back if these tickets were given back now, in cents. Raises `TradeRefused`."""
        known = await self._orders.get(order)
        return sum(fees_of(self.trade, known, part, indices, self._clock.wall()))

    async def refund(self, order: str, part: int, indices: Sequence[int]) -> int:
        """Give tickets back; what goes back of their price, in cents. Raises `TradeRefused`, `BadOrder`."""
        now, back = self._clock.wall(), 0

        def give(known: Order) -> Step:
            nonlocal back
            fees = fees_of(self.trade, known, part, indices, now)
            tickets = known.parts[part].tickets
            back = sum(tickets[index].price_cents for index in indices) - sum(fees)
            return give_tickets_back(known, part, tuple(indices), back)

        await self._deeds.step(order, give)
        return back

    async def change_quote(self, order: str, wish: Wish) -> list[ChangeQuote]:
        """What changing an order's tickets into a ride would cost now, for each good ticket."""
        known = await self._orders.get(order)
        mark(known, "a question")
        return change_of(self.trade, known, wish, self._clock.wall())[1]

    async def change(self, order: str, successor: str, wish: Wish, *, seats: Sequence[str] = ()) -> Order:
        """Change all good tickets of an order into another ride: a new order, held for 15 minutes, and paid for where
        it is dearer; the old tickets are good until the new ones are. Raises as `hold` does."""
        known = await self._known(successor)
        if known is not None:
            return await self._go_on(known)
        old, now = await self._orders.get(order), self._clock.wall()
        mark(old, successor)
        part, quotes = change_of(self.trade, old, wish, now)
        check_wishes(self.trade, (part,), seats)
        new = self._new(
            successor,
            (part,),
            old.channel,
            seats,
            due_cents=sum(quote.to_pay_cents for quote in quotes),
            back_cents=sum(quote.to_get_cents for quote in quotes),
            changes=old.changes + 1,
            replaces=order,
            moved_at=now,
            moved_from=old.parts[0].departs_at,
        )
        return await self._hold(new)

    async def seats_of(self, order: str) -> list[tuple[str, ...]]:
        """What the seats are called, train by train. They may change until a train is sealed."""
        known = await self._orders.get(order)
        return [units_of(await self._seats.state(part.departure), part.number) for part in known.parts]

    async def is_good(self, order: str, departure: str) -> bool:
        """Whether an order has a good ticket of that departure."""
        parts = (await self._orders.get(order)).parts
        return any(good_tickets(part) for part in parts if part.departure == departure)

    async def finish(self, order: str) -> Order:
        """Do again whatever may not have been done for an order."""
        return await self._deeds.finish(order)

    async def finish_all(self) -> int:
        """As `finish`, for every order that a process left in the middle; how many there were."""
        unfinished = await self._orders.unfinished()
        for order in unfinished:
            await self.finish(order)
        return len(unfinished)

    async def _known(self, order: str) -> Order | None:
        if not _ID.fullmatch(order):
            raise BadOrder(f"{order[:70]!r} names no order: use 1 to 64 letters, digits, - and _")
        try:
            known = await self._orders.get(order)
        except NotFound:
            return None
        if known.state is OrderState.CANCELLED:
            raise TradeRefused(f"order {order} came to nothing: try again under another name", reason="cancelled")
        return known

    async def _hold(self, order: Order) -> Order:
        """First the timer, then the order: whatever comes of it, somebody will look at it again."""
        await self._later(order.id, order.expires_at)
        return await self._go_on(await self._orders.put(order))

    async def _go_on(self, order: Order) -> Order:
        """Claim the people, and ask the ledgers, train by train; if one says no, the others are free again."""
        if order.state is not OrderState.HELD:
            return order
        await self._claim(order)
        for at, part in enumerate(order.parts):
            answer = None if part.number else await self._deeds.hold_part(order.id, at)
            if isinstance(answer, Refusal):
                await self._deeds.step(order.id, cancel)
                raise refused(part, answer)
        if not order.due_cents:
            return await self._deeds.step(order.id, nothing_to_pay)
        return await self._orders.get(order.id)

    async def _wait_on(self, order: Order) -> Order:
        """Claim the people, and get a place on the waiting list; where there is none, they are free again."""
        if order.state is not OrderState.WAITING or order.parts[0].wait:
            return order
        await self._claim(order)
        answer = await self._deeds.wait_for_part(order.id)
        if isinstance(answer, Refusal):
            await self._deeds.step(order.id, cancel)
            raise refused(order.parts[0], answer)
        return await self._orders.get(order.id)

    async def _claim(self, order: Order) -> None:
        """The people of an order travel on its trains; if one cannot, none does, and the order is over."""
        try:
            if order.replaces:
                await self._deeds.step(order.replaces, lambda old: Step(mark(old, order.id)))
            for part in order.parts:
                ride = Ride(part.departs_at, part.arrives_at, part.departure)
                for ticket in part.tickets:
                    await self._rides.claim(ticket.person, ride, order.id, instead_of=order.replaces)
        except TradeRefused:
            await self._deeds.step(order.id, partial(cancel, asked=False))
            raise

    def _check_same(self, known: Order, wishes: Sequence[Wish], people: Sequence[Passenger]) -> None:
        """The name of an order means one order."""
        of = [(part.departure, part.class_, part.board, part.alight) for part in known.parts]
        persons = [one.reference(self._key) for one in people]
        is_same = all([ticket.person for ticket in part.tickets] == persons for part in known.parts)
        if not is_same or of != [section_of(self.trade, wish) for wish in wishes]:
            raise BadOrder(f"there is an order {known.id} already, and it is another one: give yours another name")

    def _new(self, id: str, parts: tuple[Part, ...], channel: str, seats: Sequence[str], **more: int | str) -> Order:
        now = self._clock.wall()
        currency, ladder = self.trade.tariff(now).currency, self.trade.ladder(now).name
        expires_at = now + HOLD_SECONDS * MICROS
        return replace(
            Order(id, parts, currency, ladder, expires_at, channel=channel, wishes=tuple(seats)),
            **more,
        )
