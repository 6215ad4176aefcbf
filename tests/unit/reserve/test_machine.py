"""Random lines, rules and commands: whatever is asked, nothing is sold twice, and a replay is the same (P9, R1.8).

The numbers in names are those of the invariants that a ledger has to keep.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from shike.errors import BadCommand
from shike.reserve import commands, events, snapshot
from shike.reserve.deciding import decide
from shike.reserve.ledger import Ledger
from shike.reserve.model import (
    Binding,
    Fill,
    Measure,
    OrderState,
    Pool,
    Reason,
    Refusal,
    Rule,
    RuleKind,
    Sale,
    Together,
    Unit,
    WaitPolicy,
    WaitState,
    Want,
)
from shike.reserve.query import available, table
from shike.reserve.verify import violations
from tests.unit.reserve.worlds import AT, MINUTE, opened, pool, replayed, rows, same

POOLS = ("fixed", "loose", "late", "plain")
OFTEN = (*POOLS, "loose", "loose")  # where most can go wrong
PEOPLE = tuple("pqrstuvw")
CAPACITY = frozenset({Reason.FULL, Reason.FRAGMENTED})


@st.composite
def quotas(draw: st.DrawFn, segments: int) -> Rule:
    start = draw(st.integers(0, segments - 1))
    since = draw(st.sampled_from([0, AT + 5 * MINUTE]))
    return Rule(
        draw(st.sampled_from(["r1", "r2", "r3"])),
        draw(st.sampled_from(RuleKind)),
        draw(st.integers(0, 4)),
        start,
        draw(st.integers(start + 1, segments)),
        draw(st.sampled_from(Measure)),
        tuple(draw(st.sets(st.sampled_from(POOLS), max_size=2))),
        draw(st.sampled_from([(), (), ("net",)])),
        since,
        draw(st.sampled_from([0, since + 10 * MINUTE])),
    )


class Ledgers(RuleBasedStateMachine):
    """Every command in any order; each decision is looked at, and the state after it."""

    orders: Bundle[int] = Bundle("orders")
    waits: Bundle[int] = Bundle("waits")

    @initialize(
        segments=st.integers(2, 6),
        sizes=st.tuples(*[st.integers(1, 4)] * 4),
        fill=st.sampled_from(Fill),
        spread=st.sampled_from([0.0, 0.4]),
        policy=st.sampled_from(WaitPolicy),
    )
    def open(self, segments: int, sizes: tuple[int, ...], fill: Fill, spread: float, policy: WaitPolicy) -> None:
        self.segments = segments
        self.now = AT
        self.number = 0
        bindings = (Binding.AT_SALE, Binding.ON_DEMAND, Binding.AT_SEAL, Binding.NEVER)
        pools = [
            pool(name, size, binding=binding, fill=fill, spread_until=spread if binding is Binding.AT_SALE else 0.0)
            for name, size, binding in zip(POOLS, sizes, bindings, strict=True)
        ]
        self.ledger: Ledger = opened(*pools, segments=segments, policy=policy)
        self.policy = policy

    def do(self, what: type[Any], *words: Any, **more: Any) -> events.AnyEvent | Refusal:
        """Ask, and look at what must hold for any answer."""
        self.number += 1
        command = what(f"m{self.number}", self.now, *words, **more)
        state = self.ledger.state
        before, written = snapshot.encode(state), len(self.ledger.fresh)
        decided = decide(state, command)
        assert snapshot.encode(state) == before, "deciding has changed the state"
        assert not violations(state)
        answer = self.ledger.do(command)
        assert answer == decided
        if isinstance(answer, Refusal):
            assert len(self.ledger.fresh) == written, "a refusal was written"
            assert snapshot.encode(state) == before, "a refusal has changed the state"
        else:
            again = self.ledger.do(command)  # 8: the same answer, and nothing new
            assert again is answer
            changed = type(command)(command.id, self.now, *["other" for _ in words], **more)
            assert self.ledger.do(changed) == Refusal(Reason.REPEATED)
            assert state.version == len(self.ledger.fresh)
        return answer

    def section(self, data: st.DataObject) -> tuple[int, int]:
        start = data.draw(st.integers(0, self.segments - 1))
        return start, data.draw(st.integers(start + 1, self.segments))

    @rule(
        target=orders,
        data=st.data(),
        name=st.sampled_from(OFTEN),
        people=st.lists(st.sampled_from(PEOPLE), unique=True, max_size=3),
        count=st.integers(1, 3),
        channel=st.sampled_from(["", "net"]),
        want=st.one_of(
            st.none(),
            st.builds(
                Want,
                st.sampled_from([(), ("window",)]),
                st.sampled_from(Together),
                st.sampled_from([(), (), ("u0",)]),
                st.booleans(),
            ),
        ),
    )
    def hold(
        self, data: st.DataObject, name: str, people: list[str], count: int, channel: str, want: Want | None
    ) -> int:
        start, end = self.section(data)
        count = len(people) or count
        state = self.ledger.state
        found = state.pools[name]
        if want is not None and (name == "plain" or (want.units and count != 1)):
            want = None
        was = {order.number: order.units for order in state.live_orders()}
        shown = available(state, name, start, end, at=self.now, channel=channel)
        least, fit = found.least(start, end), 0 if found.counted else found.fit(start, end).bit_count()
        pinned = bool(found.pinned) or any(found.blocked)
        untouched = found.untouched
        answer = self.do(commands.Hold, name, start, end, count=count, people=tuple(people), want=want, channel=channel)
        if isinstance(answer, Refusal):
            if answer.reason is Reason.FULL:  # 4: it was really full
                assert least < count
            elif answer.reason is Reason.FRAGMENTED:
                assert fit < count <= least
                assert not (found.fluid and not pinned and (want is None or not want.hard))  # 14b
            elif answer.reason is Reason.WISH:
                assert want is not None and want.hard
            assert answer.reason in CAPACITY | {Reason.QUOTA, Reason.PERSON, Reason.WISH}
            if not people and want is None:  # 18: never more is shown than is given
                assert shown < count
            return 0
        assert isinstance(answer, events.Held)
        assert count <= least and (shown >= count or found.fluid)
        plainly = want is None and count == 1 and not (answer.moves or found.counted or found.pool.spread_until)
        if plainly and found.pool.fill is Fill.BEST and untouched >> answer.units[0] & 1:  # 14
            assert not self.fitted(found, answer) & ~untouched
        for move in answer.moves:  # 13: only what may be moved, within its pool
            order = state.orders[move.order]
            assert order.pool == name and not order.pinned and was[move.order][move.index] != move.unit
        return answer.order

    @rule(data=st.data(), name=st.sampled_from(OFTEN), many=st.integers(2, 8), pinned=st.booleans())
    def crowd(self, data: st.DataObject, name: str, many: int, pinned: bool) -> None:
        """Many at once, so that units get scarce; some are told theirs."""
        for _ in range(many):
            start, end = self.section(data)
            found = self.ledger.state.pools[name]
            least, closed = found.least(start, end), bool(found.pinned) or any(found.blocked)
            answer = self.do(commands.Hold, name, start, end)
            if isinstance(answer, events.Held):
                assert not any(self.ledger.state.orders[move.order].pinned for move in answer.moves)  # 13
                if pinned and name == "loose":
                    self.do(commands.Pin, answer.order)
                    pinned = False
            elif answer.reason in CAPACITY:
                assert not least or not found.fluid or closed  # 14b

    def fitted(self, found: Any, held: events.Held) -> int:
        """The units that were free for the section before this take."""
        return int(found.fit(held.start, held.end))

    @rule(order=orders, late=st.booleans(), payment=st.sampled_from(["a", "b", ""]))
    def confirm(self, order: int, late: bool, payment: str) -> None:
        known = self.ledger.state.orders.get(order)
        was = known.state if known else None
        payment = f"{payment}{order}" if payment else ""
        answer = self.do(commands.Confirm, order, payment)
        if isinstance(answer, events.Confirmed):  # 6
            assert was is OrderState.HELD and known is not None and self.now < known.expires_at
        elif payment:
            state = self.ledger.state
            kept = payment in state.orphans or any(one.payment == payment for one in state.orders.values())
            assert kept, "a payment was lost"

    @rule(order=orders)
    def release(self, order: int) -> None:
        self.do(commands.Release, order)

    @rule(order=orders)
    def expire(self, order: int) -> None:
        known = self.ledger.state.orders.get(order)
        due = known is not None and known.state is OrderState.HELD and self.now >= known.expires_at
        assert isinstance(self.do(commands.Expire, order), events.Expired) is due

    @rule(order=orders, first=st.booleans())
    def refund(self, order: int, first: bool) -> None:
        known = self.ledger.state.orders.get(order)
        rows = {name: table(self.ledger.state, name) for name in POOLS}
        try:
            answer = self.do(commands.Refund, order, (0,) if first else ())
        except BadCommand:
            return
        if isinstance(answer, events.Refunded) and known is not None and not self.ledger.state.waits:
            for name, row in rows.items():  # 10: giving back lowers nothing
                now = table(self.ledger.state, name)
                assert all(x <= y for old, new in zip(row, now, strict=True) for x, y in zip(old, new, strict=True))

    @rule(order=orders, data=st.data(), name=st.sampled_from(POOLS))
    def change(self, order: int, data: st.DataObject, name: str) -> None:
        self.do(commands.Change, order, name, *self.section(data))

    @rule(data=st.data())
    def pin_somebody(self, data: st.DataObject) -> None:
        """Of the pool where others may still be moved."""
        live = [order.number for order in self.ledger.state.live_orders("loose")]
        if live:
            self.do(commands.Pin, data.draw(st.sampled_from(live)))

    @rule(order=orders)
    def pin(self, order: int) -> None:
        try:
            self.do(commands.Pin, order)
        except BadCommand:
            assert self.ledger.state.pools[self.ledger.state.orders[order].pool].counted

    @rule(data=st.data(), name=st.sampled_from(POOLS[:3]), unit=st.integers(0, 3), back=st.booleans())
    def block(self, data: st.DataObject, name: str, unit: int, back: bool) -> None:
        if unit < self.ledger.state.pools[name].size:
            self.do(commands.Unblock if back else commands.Block, name, (unit,), *self.section(data))

    @rule(data=st.data())
    def set_rule(self, data: st.DataObject) -> None:
        self.do(commands.SetRule, data.draw(quotas(self.segments)))

    @rule(name=st.sampled_from(["r1", "r2", "r3"]))
    def drop_rule(self, name: str) -> None:
        self.do(commands.DropRule, name)

    @rule(name=st.sampled_from(POOLS[1:3]))
    def seal(self, name: str) -> None:
        answer = self.do(commands.Seal, name)
        blocked = any(self.ledger.state.pools[name].blocked)
        if isinstance(answer, Refusal):  # 12
            assert answer.reason is Reason.SEALED or blocked

    @rule(name=st.sampled_from(POOLS))
    def add(self, name: str) -> None:
        self.number += 1
        words: dict[str, Any] = {"units": (Unit(f"more{self.number}"),)} if name != "plain" else {"capacity": 1}
        self.do(commands.AddUnits, name, **words)

    @rule(
        target=waits,
        data=st.data(),
        name=st.sampled_from(POOLS),
        count=st.integers(1, 2),
        who=st.sampled_from(PEOPLE),
        paid=st.booleans(),
        deadline=st.sampled_from([0, 20]),
        want=st.sampled_from([None, None, Want(("window",)), Want(("window",), hard=True), Want(units=("u0",))]),
    )
    def join(
        self, data: st.DataObject, name: str, count: int, who: str, paid: bool, deadline: int, want: Want | None
    ) -> int:
        people = (who,) if count == 1 else ()
        if want is not None and want.units and count != 1:
            want = None
        answer = self.do(
            commands.Join,
            name,
            *self.section(data),
            count=count,
            people=people,
            want=want,
            deadline=self.now + deadline * MINUTE if deadline else 0,
            payment=f"w{self.number}" if paid else "",
        )
        return answer.wait if isinstance(answer, events.Joined) else 0

    @rule(name=st.sampled_from(POOLS[:3]), want=st.sampled_from([Want(("sofa",)), Want(units=("u0", "u9"))]))
    def wish_for_what_is_not_there(self, name: str, want: Want) -> None:
        """Nobody who waits for it may be in the way of others later."""
        before = self.ledger.state.version
        for what in (commands.Join, commands.Hold):
            try:
                assert isinstance(self.do(what, name, 0, 1, want=want), Refusal)  # full, or whatever comes first
            except BadCommand:
                pass
            assert self.ledger.state.version == before

    @rule(wait=waits, lapse=st.booleans())
    def leave(self, wait: int, lapse: bool) -> None:
        self.do(commands.Lapse if lapse else commands.Leave, wait)

    @rule(minutes=st.sampled_from([1, 7, 16, -3]))
    def time_passes(self, minutes: int) -> None:
        """Also back: clocks are set."""
        self.now += minutes * MINUTE
        self.do(commands.Serve)

    @rule(open_=st.booleans())
    def sale(self, open_: bool) -> None:
        if open_:
            self.do(commands.SetSale, Sale("net", 1))

    @invariant()
    def nothing_is_sold_twice(self) -> None:
        """1, 2, 5."""
        if hasattr(self, "ledger"):
            assert violations(self.ledger.state) == []

    @invariant()
    def nobody_waits_for_what_is_free(self) -> None:
        """11: nobody of all where whoever fits is served; else none of those in front of their section."""
        if not hasattr(self, "ledger"):
            return
        state = self.ledger.state
        for (name, start, end), queue in state.queues.items():
            waiting = [wait for wait in queue.values() if not wait.deadline or self.now < wait.deadline]
            for wait in waiting[:1] if self.policy is WaitPolicy.STRICT else waiting:
                asked = commands.Hold(
                    "?", self.now, name, start, end, wait.count, wait.people, wait.want, 900.0, wait.channel, wait.price
                )
                assert isinstance(decide(state, asked), Refusal), wait
                assert wait.state is WaitState.WAITING

    @invariant()
    def the_snapshot_is_the_state(self) -> None:
        """7: so is the replay, and the replay of the tail on any snapshot."""
        if hasattr(self, "ledger"):
            read = snapshot.decode(snapshot.encode(self.ledger.state))
            assert same(read, self.ledger.state) and not violations(read)

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            live = self.ledger.state
            again = replayed(self.ledger)
            assert same(live, again) and not violations(again)
            for name, found in live.pools.items():
                other = again.pools[name]
                assert (found.free, found.left, found.untouched, found.placed, found.pinned) == (
                    other.free,
                    other.left,
                    other.untouched,
                    other.placed,
                    other.pinned,
                )


TestLedgers = Ledgers.TestCase
TestLedgers.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_the_pools_of_the_machine_are_of_all_bindings() -> None:
    assert {Pool("x", rows(1)).binding, *Binding} == set(Binding)
