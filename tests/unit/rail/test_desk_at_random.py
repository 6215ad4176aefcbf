"""R1.6, R1.7: whatever people, gateway and time do, in whatever order: nothing oversold, and the money adds up."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shike.errors import BadInput, BadNotice, TradeRefused
from shike.rail.changing import good_tickets
from shike.rail.order import Order, OrderState, TicketState, kept_cents
from shike.reserve.model import Binding
from tests.unit.rail.shop import SEATS, Shop, person, wish

RIDES = ["K1 A D", "K1 A B", "K1 B D", "K2 A D", "K2 C D", "K3 D G", "K3 E F", "K1 D A", "K9 A D"]
JOURNEYS = [[ride] for ride in RIDES] + [["K1 A D", "K3 D G"], ["K1 A B", "K2 B C"], ["K2 C D", "K3 D E"]]
PEOPLE = "pqrst"


class Sale(RuleBasedStateMachine):
    """A few people, three small trains."""

    @initialize(binding=st.sampled_from([Binding.ON_DEMAND, Binding.AT_SALE]))
    def open(self, binding: Binding) -> None:
        self.shop, self.made, self.fees_cents = Shop(binding=binding), 0, 0

    def one(self, at: int, *states: OrderState) -> str:
        """An order in one of these states, if there is one; else any."""
        orders = list(self.shop.orders.all())
        names = [order.id for order in orders if order.state in states] or [order.id for order in orders]
        return names[at % len(names)] if names else "nothing"

    def name(self) -> str:
        self.made += 1
        return f"o{self.made}"

    @rule(
        rides=st.sampled_from(JOURNEYS),
        people=st.sets(st.sampled_from(PEOPLE), min_size=1, max_size=2),
        class_=st.sampled_from(["second", "second", "first"]),
        pays=st.sampled_from(["told", "told", "paid", "not"]),
    )
    def hold(self, rides: list[str], people: set[str], class_: str, pays: str) -> None:
        order = self.name()
        try:
            self.shop.hold(order, *rides, people=[person(name) for name in sorted(people)], class_=class_)
        except (TradeRefused, BadInput):
            return
        if pays != "not":
            self.shop.gateway.pay(self.shop.do(self.shop.desk.pay(order)).rpartition("/")[2])
        if pays == "told":
            self.shop.tell()

    @rule(at=st.integers(0, 9), pays=st.booleans(), race=st.booleans())
    def ask_to_pay(self, at: int, pays: bool, race: bool) -> None:
        try:
            page = self.shop.do(self.shop.desk.pay(self.one(at, OrderState.HELD))).rpartition("/")[2]
            if pays:
                self.shop.gateway.pay(page, race=race)
        except (TradeRefused, LookupError):
            pass

    @rule(at=st.integers(0, 9), payment=st.integers(1, 3), cents=st.sampled_from([None, 100]))
    def pay_an_old_page(self, at: int, payment: int, cents: int | None) -> None:
        try:
            self.shop.gateway.pay(f"{self.one(at)}.{payment}", amount_cents=cents, race=True)
        except BadNotice:
            pass

    @rule(times=st.integers(1, 3), reverse=st.booleans())
    def tell(self, times: int, reverse: bool) -> None:
        self.shop.do(self.shop.gateway.deliver(self.shop.desk.hear, times=times, reverse=reverse))

    @rule(seconds=st.sampled_from([1, 400, 900, 7_200]), rings=st.booleans())
    def wait(self, seconds: int, rings: bool) -> None:
        self.shop.clock.advance(seconds)
        if rings:
            self.shop.ring()

    @rule(at=st.integers(0, 9))
    def cancel(self, at: int) -> None:
        try:
            self.shop.do(self.shop.desk.cancel(self.one(at, OrderState.HELD)))
        except (TradeRefused, LookupError):
            pass

    @rule(
        at=st.integers(0, 9),
        part=st.sampled_from([0, 0, 1]),
        indices=st.sampled_from([[0], [0], [1], [0, 1], [3], [0, 0]]),
    )
    def give_back(self, at: int, part: int, indices: list[int]) -> None:
        order = self.one(at, OrderState.TICKETED)
        try:
            back = self.shop.do(self.shop.desk.refund(order, part, indices))
        except (TradeRefused, BadInput, LookupError):
            return
        tickets = self.shop.get(order).parts[part].tickets
        self.fees_cents += sum(tickets[index].price_cents for index in indices) - back

    @rule(at=st.integers(0, 9), ride=st.sampled_from(RIDES), class_=st.sampled_from(["second", "first"]))
    def change(self, at: int, ride: str, class_: str) -> None:
        old = self.one(at, OrderState.TICKETED)
        try:
            self.shop.do(self.shop.desk.change(old, self.name(), wish(ride, class_)))
        except (TradeRefused, BadInput, LookupError):
            pass

    @invariant()
    def no_unit_is_sold_twice(self) -> None:
        for ledger in self.shop.seats.ledgers.values():
            taken: Counter[tuple[str, int]] = Counter()
            for order in ledger.state.orders.values():
                if order.live:
                    taken.update({(order.pool, at): order.count for at in range(order.start, order.end)})
            assert all(count <= {"second": SEATS, "first": 2}[pool] for (pool, _), count in taken.items())

    @invariant()
    def each_person_is_on_one_train_at_a_time(self) -> None:
        for name in PEOPLE:
            rides = self.shop.rides.of(reference(name))
            live = [ride for ride in rides if not self.is_to_be_left(ride.departure, reference(name))]
            for number, ride in enumerate(live):
                assert all(ride.arrives_at <= other.departs_at for other in live[number + 1 :])

    def is_to_be_left(self, departure: str, who: str) -> bool:
        """Whether somebody is about to change out of that train: until then both are theirs."""
        return any(order.changing for order in self.shop.orders.all() if _travels(order, departure, who))

    @invariant()
    def the_money_adds_up(self) -> None:
        orders = list(self.shop.orders.all())
        for order in orders:
            if order.state in (OrderState.EXPIRED, OrderState.CANCELLED):
                assert kept_cents(order) == 0
            if order.state is OrderState.TICKETED:
                good = [part.tickets[index] for part in order.parts for index in good_tickets(part)]
                assert good and kept_cents(order) >= sum(ticket.price_cents for ticket in good)

    def teardown(self) -> None:
        if hasattr(self, "shop"):
            self.shop.tell()
            self.shop.clock.advance(10_000)
            self.shop.ring()
            self.shop.tell()
            self.shop.check()
            changed = {order.id for order in self.shop.orders.all() if order.replaces}
            if not changed:  # a change has fees of its own
                kept = sum(kept_cents(order) for order in self.shop.orders.all())
                assert kept == self.fees_cents + sum(ticket.price_cents for ticket in self.issued())

    def issued(self) -> list[object]:
        return [
            ticket
            for order in self.shop.orders.all()
            for part in order.parts
            for ticket in part.tickets
            if ticket.state is TicketState.ISSUED
        ]


def reference(name: str) -> str:
    from tests.unit.rail.shop import KEY

    return person(name).reference(KEY)


def _travels(order: Order, departure: str, who: str) -> bool:
    return any(part.departure == departure and any(one.person == who for one in part.tickets) for part in order.parts)


TestSale = Sale.TestCase
TestSale.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
