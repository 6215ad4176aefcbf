"""A ledger as it stands after `version` events: everything that deciding looks at. Only `applying.py` changes it."""

from __future__ import annotations

from collections.abc import Iterator

from shike.errors import BadCommand
from shike.reserve.bounds import PLANS_MAX
from shike.reserve.events import AnyEvent
from shike.reserve.model import NEVER, Order, Sale, Take, Wait, WaitPolicy
from shike.reserve.pools import PoolState
from shike.reserve.quotas import EVER, Part, RuleState

Key = tuple[str, int, int, str]  # pool, start, end, channel


class Plan:
    """What is the same for all commands on one section, pool and channel, as long as nothing but takes changes."""

    __slots__ = ("closes_at", "end", "length", "mask", "opens_at", "pool", "price", "rules", "start")

    def __init__(self, pool: PoolState, start: int, end: int, rules: tuple[Part, ...]) -> None:
        self.pool = pool
        self.start = start  # segments from the line's origin
        self.end = end
        self.length = end - start
        self.mask = (1 << end) - (1 << start)
        self.rules = rules
        self.opens_at = EVER
        self.closes_at = NEVER
        self.price = sum(pool.prices[start:end])


class State:
    """Orders and waits that have ended are kept until the line forgets them, so that a late question has an answer."""

    __slots__ = (
        "cancelled",
        "done",
        "labels",
        "opened_at",
        "orders",
        "orders_made",
        "origin",
        "orphans",
        "people",
        "plans",
        "policy",
        "pools",
        "position",
        "queues",
        "rules",
        "sales",
        "times",
        "version",
        "waits",
        "waits_made",
    )

    def __init__(self) -> None:
        self.version = 0
        self.opened_at = NEVER
        self.labels: tuple[str, ...] = ()
        self.times: tuple[int, ...] = ()
        self.origin = 0  # the position of the first label
        self.position = 0  # nothing begins before it
        self.pools: dict[str, PoolState] = {}
        self.rules: dict[str, RuleState] = {}
        self.sales: dict[str, Sale] = {}
        self.policy = WaitPolicy.FIT
        self.cancelled = False
        self.orders: dict[int, Order] = {}
        self.orders_made = 0
        self.orphans: dict[str, int] = {}  # payments that found no order to confirm, and the order they were for
        self.waits: dict[int, Wait] = {}
        self.waits_made = 0
        self.queues: dict[tuple[str, int, int], dict[int, Wait]] = {}  # those that wait, in their order
        self.people: dict[str, int] = {}  # the segments on which a person has a take
        self.done: dict[str, AnyEvent] = {}  # what the last commands have led to
        self.plans: dict[Key, Plan] = {}

    @property
    def segments(self) -> int:
        return len(self.labels) - 1

    def plan(self, pool: str, start: int, end: int, channel: str) -> Plan:
        """Raises `BadCommand` for a pool or section that does not exist."""
        plan = self.plans.get((pool, start, end, channel))
        if plan is None:
            if len(self.plans) >= PLANS_MAX:
                self.plans.clear()
            plan = self.plans[pool, start, end, channel] = self._plan(pool, start, end, channel)
        return plan

    def _plan(self, pool: str, start: int, end: int, channel: str) -> Plan:
        found = self.pools.get(pool)
        if found is None:
            raise BadCommand(f"there is no pool {pool!r} here; there are {', '.join(self.pools) or 'none'}")
        origin = self.origin
        self.check_section(start, end)
        parts = [
            (rule, *rule.part(start, end, origin))
            for rule in self.rules.values()
            if rule.touches(pool, start, end, channel)
        ]
        plan = Plan(found, start - origin, end - origin, tuple(parts))
        sale = self.sale(channel)
        if sale.opens_at != NEVER and start >= self.position and not self.cancelled:
            plan.opens_at = sale.opens_at
            plan.closes_at = min(sale.closes_at or EVER, self.times[start - origin] if self.times else EVER)
        return plan

    def check_section(self, start: int, end: int) -> None:
        """Raises `BadCommand` unless start < end, both on the line."""
        first, last = self.origin, self.origin + self.segments
        if not first <= start < end <= last:
            raise BadCommand(f"a section must go forward within {first} … {last}; this one goes from {start} to {end}")

    def sale(self, channel: str) -> Sale:
        return self.sales.get(channel) or self.sales.get("") or Sale()

    def plan_of(self, order: Order) -> Plan:
        return self.plan(order.pool, order.start, order.end, order.channel)

    def live_orders(self, pool: str = "") -> Iterator[Order]:
        for order in self.orders.values():
            if order.live and (not pool or order.pool == pool):
                yield order

    def takes(self, order: Order) -> Iterator[Take]:
        """Those that have not gone; none of an order that has ended."""
        if not order.live:
            return
        for index, unit in enumerate(order.units):
            if index not in order.gone:
                who = order.people[index] if order.people else ""
                yield Take(order.number, index, order.pool, unit, order.start, order.end, who)

    def learn_rules(self) -> None:
        """After a change of rules, blocks, units, sales, prices or the line: what plans know is out of date."""
        self.plans.clear()
        for rule in self.rules.values():
            rule.fits(self.origin, self.pools.values())
