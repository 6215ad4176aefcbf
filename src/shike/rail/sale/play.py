"""An hour of sale, by a clock of its own: what falls due in one second is asked at once, then the next second comes.

Instants go with the commands, so the hour lasts as long as the writer needs. What was told is kept, to be proved.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from enum import StrEnum
from heapq import heappop, heappush
from typing import Final, NamedTuple

from msgspec import Struct

from shike.clock import MICROS
from shike.rail.bounds import HOLD_SECONDS
from shike.rail.opening import ONLINE
from shike.rail.sale.bounds import IN_FLIGHT_MAX, LOOK_SECONDS, STEP_SECONDS, TELL_ANSWERS
from shike.rail.sale.crowd import WAIT_SECONDS, Buyer, Manner, Ride
from shike.rail.sale.line import Line
from shike.rail.tail import Tail
from shike.reserve import commands, events
from shike.reserve.model import Reason, Refusal

SOON: Final = 2 * STEP_SECONDS  # whoever is told no does the next thing after so long
RING_LATE_SECONDS: Final = 5  # timers of holds ring up to so late
SHORT: Final = frozenset({Reason.FULL, Reason.FRAGMENTED, Reason.QUOTA, Reason.WISH})

Say = Callable[[str], None]
Take = tuple[str, int]  # an order of a ledger
Price = Callable[[Ride, int], int]  # of a ride for so many, in cents


class Does(StrEnum):
    """What somebody asks the writer."""

    HOLD = "hold"
    PAY = "pay"
    PAY_AGAIN = "pay_again"
    RELEASE = "release"
    EXPIRE = "expire"  # the timer of a hold does
    REFUND = "refund"
    JOIN = "join"
    LAPSE = "lapse"  # the timer of a wait does


class Part(StrEnum):
    """Which of a buyer's trains it is about."""

    FIRST = ""
    ONWARD = "/onward"  # the second of a journey of two
    CHANGE = "/change"  # what the tickets of the first are changed into


class Visit(Struct, eq=False):
    """What has become of one buyer so far, on one train."""

    buyer: Buyer
    tries: int = 0
    order: int = 0
    wait: int = 0
    part: Part = Part.FIRST
    first: Visit | None = None  # the visit that this one is for
    onward: Visit | None = None

    @property
    def ride(self) -> Ride:
        other = {Part.ONWARD: self.buyer.onward, Part.CHANGE: self.buyer.change}.get(self.part)
        return other or self.buyer.rides[self.tries]


class Deed(NamedTuple):
    """Something that is asked at an instant; `number` keeps those of one instant in their order."""

    at: int
    number: int
    does: Does
    visit: Visit


class Tally:
    """What was told, how often, and in which second of the sale."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.seconds: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.kills: list[int] = []  # the seconds in which the writer was killed
        self.told: defaultdict[str, dict[str, events.AnyEvent]] = defaultdict(dict)  # ledger → command → event
        self.both: list[tuple[Take, Take]] = []  # of journeys: both are paid for in the end, or neither
        self.one: list[tuple[Take, Take]] = []  # of changes: never both

    def note(self, what: str, second: int, count: int = 1) -> None:
        self.counts[what] += count
        self.seconds[what][second] += count


class Sale:
    """One sale over one line. `opens_at` is in UTC microseconds."""

    def __init__(self, line: Line, tail: Tail, price: Price, opens_at: int) -> None:
        self._line, self._tail, self._price, self._opens_at = line, tail, price, opens_at
        self._due: list[Deed] = []
        self._planned = 0
        self._waiting: dict[tuple[str, int], Visit] = {}
        self._look_at = opens_at
        self.tally = Tally()

    async def play(self, buyers: Iterable[Buyer], say: Say = lambda _words: None) -> Tally:
        """Until nobody has anything left to do, and every timer has rung. `say` is told how far it has come."""
        tell_at = self._line.answers + TELL_ANSWERS
        for buyer in buyers:
            self._plan(self._opens_at, buyer.comes_seconds, Does.HOLD, Visit(buyer))
        while self._due:
            end = self._due[0].at + STEP_SECONDS * MICROS
            deeds: list[Deed] = []
            while self._due and self._due[0].at < end and len(deeds) < IN_FLIGHT_MAX:
                deeds.append(heappop(self._due))
            await asyncio.gather(*map(self._do, deeds))
            killed = len(self._line.outages) - len(self.tally.kills)
            self.tally.kills += [(deeds[-1].at - self._opens_at) // MICROS] * killed
            if self._line.answers >= tell_at:
                tell_at += TELL_ANSWERS
                say(f"{(end - self._opens_at) // MICROS:,} s after the opening: {self._line.answers:,} answers")
            if end >= self._look_at or not self._due:
                self._look_at = end + LOOK_SECONDS * MICROS
                await self._look(end)
        return self.tally

    def _plan(self, at: int, seconds: float, does: Does, visit: Visit) -> None:
        self._planned += 1
        heappush(self._due, Deed(at + int(seconds * MICROS), self._planned, does, visit))

    def _note(self, what: str, at: int, count: int = 1) -> None:
        self.tally.note(what, (at - self._opens_at) // MICROS, count)

    async def _do(self, deed: Deed) -> None:
        ledger, command = deed.visit.ride.ledger, self._command(deed)
        answer = await self._line.ask(ledger, command)
        if not isinstance(answer, Refusal):
            self.tally.told[ledger][command.id] = answer
        match deed.does:
            case Does.HOLD:
                self._hold_told(deed, answer)
            case Does.PAY | Does.PAY_AGAIN:
                self._pay_told(deed, answer)
            case Does.JOIN:
                self._join_told(deed, answer)
            case Does.RELEASE | Does.EXPIRE | Does.REFUND | Does.LAPSE:
                self._end_told(deed, answer)

    def _command(self, deed: Deed) -> commands.AnyCommand:
        visit, at = deed.visit, deed.at
        buyer, ride = visit.buyer, visit.ride
        id = f"{buyer.number}/{visit.tries}{visit.part}/{deed.does}"
        section = ride.class_, ride.board, ride.alight, buyer.count, buyer.people
        match deed.does:
            case Does.HOLD:
                price = self._price(ride, buyer.count)
                return commands.Hold(id, at, *section, None, float(HOLD_SECONDS), ONLINE, price)
            case Does.PAY | Does.PAY_AGAIN:
                return commands.Confirm(id, at, visit.order, f"money {id}")
            case Does.RELEASE:
                return commands.Release(id, at, visit.order)
            case Does.EXPIRE:
                return commands.Expire(id, at, visit.order)
            case Does.REFUND:
                return commands.Refund(id, at, visit.order)
            case Does.JOIN:
                paid = f"money {id}" if buyer.waits_paid else ""
                deadline, price = at + int(WAIT_SECONDS * MICROS), self._price(ride, buyer.count)
                return commands.Join(id, at, *section, deadline, None, ONLINE, price, paid, float(HOLD_SECONDS))
            case Does.LAPSE:
                return commands.Lapse(id, at, visit.wait)

    def _hold_told(self, deed: Deed, answer: events.AnyEvent | Refusal) -> None:
        visit, at = deed.visit, deed.at
        if isinstance(answer, events.Held):
            self._note("held", at)
            self._holds(visit, answer.order, at, answer.expires_at)
            return
        if visit.part is not Part.FIRST:
            self._part_refused(visit, at)
            return
        assert isinstance(answer, Refusal)
        if answer.reason is Reason.NOT_ON_SALE:
            self._note("too early", at)
            self._plan(answer.opens_at, SOON, Does.HOLD, visit)
            return
        self._note("refused", at)
        self.tally.refusals[answer.reason] += 1
        if answer.reason not in SHORT:
            return
        if visit.buyer.waits:
            self._plan(at, SOON, Does.JOIN, visit)
        elif visit.tries + 1 < len(visit.buyer.rides):
            visit.tries += 1
            self._plan(at, SOON, Does.HOLD, visit)

    def _holds(self, visit: Visit, order: int, at: int, expires_at: int) -> None:
        """Somebody has seats for a while: they pay or not, and the timer rings in any case."""
        visit.order, buyer = order, visit.buyer
        self._plan(expires_at, buyer.number % (RING_LATE_SECONDS + 1), Does.EXPIRE, visit)
        if visit.part is Part.CHANGE:
            self._plan(at, SOON, Does.PAY, visit)
            return
        if visit.part is Part.FIRST and buyer.onward is not None and not visit.wait:
            self._plan(at, SOON, Does.HOLD, Visit(buyer, visit.tries, part=Part.ONWARD, first=visit))
            return
        if visit.first is not None:
            visit.first.onward = visit
            self.tally.both.append((_take(visit.first), _take(visit)))
            visit = visit.first  # now both are held: they are paid for, one after the other
        if buyer.manner is not Manner.NEVER:
            self._plan(at, buyer.pays_seconds, Does.PAY, visit)
        if buyer.manner is Manner.TWICE:
            self._plan(at, buyer.pays_seconds + SOON, Does.PAY_AGAIN, visit)

    def _part_refused(self, visit: Visit, at: int) -> None:
        """Without the second train the first is free again; a change that cannot be had leaves the old tickets good."""
        self._note("onward refused" if visit.part is Part.ONWARD else "change refused", at)
        if visit.part is Part.ONWARD and visit.first is not None:
            self._plan(at, SOON, Does.RELEASE, visit.first)

    def _pay_told(self, deed: Deed, answer: events.AnyEvent | Refusal) -> None:
        visit, at = deed.visit, deed.at
        if isinstance(answer, events.Confirmed):
            self._has_tickets(visit, at)
            return
        self._note("paid twice" if deed.does is Does.PAY_AGAIN else "paid too late", at)
        if visit.part is Part.ONWARD and visit.first is not None:  # the first was paid for just in time: it goes back
            self._plan(at, SOON, Does.REFUND, visit.first)

    def _has_tickets(self, visit: Visit, at: int) -> None:
        self._note("paid", at)
        self._note("tickets", at, visit.buyer.count)
        buyer = visit.buyer
        if visit.part is Part.CHANGE and visit.first is not None:  # the new tickets are good: the old ones go last
            self._note("changed", at)
            self.tally.one.append((_take(visit.first), _take(visit)))
            self._plan(at, SOON, Does.REFUND, visit.first)
        elif visit.part is Part.ONWARD:
            self._note("two trains", at)
        elif visit.onward is not None:
            self._plan(at, SOON, Does.PAY, visit.onward)
        elif buyer.change is not None and not visit.wait:
            self._plan(at, buyer.change_seconds, Does.HOLD, Visit(buyer, visit.tries, part=Part.CHANGE, first=visit))
        elif buyer.refund_seconds:
            self._plan(at, buyer.refund_seconds, Does.REFUND, visit)

    def _join_told(self, deed: Deed, answer: events.AnyEvent | Refusal) -> None:
        visit = deed.visit
        if not isinstance(answer, events.Joined):
            return
        visit.wait = answer.wait
        self._note("wait", deed.at)
        self._waiting[visit.ride.ledger, answer.wait] = visit
        self._plan(answer.deadline, 0, Does.LAPSE, visit)

    def _end_told(self, deed: Deed, answer: events.AnyEvent | Refusal) -> None:
        match answer:
            case events.Expired():
                self._note("expired", deed.at)
            case events.Refunded():
                self._note("given back", deed.at)
                self._note("tickets given back", deed.at, len(answer.indices))
            case events.Lapsed():
                self._note("waited in vain", deed.at)
                del self._waiting[deed.visit.ride.ledger, answer.wait]
            case _:
                pass  # a timer of what has come to another end

    async def _look(self, at: int) -> None:
        """Those who wait find out whether they were served."""
        for ledger in sorted({ledger for ledger, _ in self._waiting}):
            for event in await self._tail.new(ledger):
                visit = self._waiting.pop((ledger, event.wait), None) if isinstance(event, events.Served) else None
                if visit is None:
                    continue
                assert isinstance(event, events.Served)
                self._note("served", at)
                visit.order = event.order
                if visit.buyer.waits_paid:
                    self._has_tickets(visit, at)
                else:
                    self._holds(visit, event.order, at, event.expires_at)


def _take(visit: Visit) -> Take:
    return visit.ride.ledger, visit.order
