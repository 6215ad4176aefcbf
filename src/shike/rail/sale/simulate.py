"""From a timetable and a number of buyers to a sale that was played, proved and counted."""

from __future__ import annotations

import asyncio
import time
from datetime import date
from functools import cache
from zoneinfo import ZoneInfo

from msgspec import Struct

from shike.errors import BadOrder, UnknownTrain
from shike.rail.composition import Composition
from shike.rail.journey import Trade
from shike.rail.model import Departure
from shike.rail.opening import opening
from shike.rail.sale.bounds import BUYERS_MAX, IN_FLIGHT_MAX, KILLS_MAX
from shike.rail.sale.crowd import HOUR_SECONDS, Ride, Train, crowd
from shike.rail.sale.line import Line, Outage
from shike.rail.sale.play import Price, Sale, Say, Tally
from shike.rail.sale.proof import Proof, prove
from shike.rail.selling import Openings
from shike.rail.tail import Tail
from shike.rail.tariff import Fare, fare_cents
from shike.rail.timetable import sections
from shike.reserve.events import AnyEvent, Opened
from shike.reserve.journal import open_journal


class Played(Struct):
    """What a sale was. Seconds are of the real clock: of the sale without its opening and its proof."""

    day: date
    trains: int
    buyers: int
    opens_at: int
    tally: Tally
    outages: list[Outage]
    answers: int
    seconds: float
    proof: Proof


async def simulate(
    trade: Trade, day: date, url: str, *, buyers: int, seed: int = 1, kills: int = 1, say: Say = lambda _words: None
) -> Played:
    """Open every train of a day in the (empty) journal at `url`, let a crowd buy, kill the writer so many times, and
    prove what has come of it. Raises `BadOrder` for what cannot be played, `UnknownTrain` for a day without trains."""
    if not 1 <= buyers <= BUYERS_MAX or not 0 <= kills <= KILLS_MAX:
        raise BadOrder(f"a sale has 1 to {BUYERS_MAX:,} buyers, and its writer is killed at most {KILLS_MAX} times")
    departures = _for_sale(trade, day)
    if not departures:
        raise UnknownTrain(f"no train whose carriages are known runs on {day}: there is nothing to sell")
    journal = open_journal(url)
    await journal.open()
    try:
        if await journal.ledgers(most=1):
            raise BadOrder("this journal has ledgers already: a sale is played on an empty one")
        opens_at = min(_opens_at(trade, departure) for departure, _ in departures)
        async with Line(url) as line:
            say(f"opening {len(departures)} trains of {day}")
            opened = await _open(trade, departures, line, opens_at)
            line.kills = [line.answers + buyers * place // (kills + 1) for place in range(1, kills + 1)]
            say(f"{buyers:,} buyers; the writer will be killed {kills} times")
            began, asked = time.monotonic(), line.answers
            sale = Sale(line, Tail(journal), _prices(trade, departures, opens_at), opens_at)
            trains = [_train(departure, of) for departure, of in departures]
            tally = await sale.play(crowd(trains, buyers, seed), say)
            seconds, answers = time.monotonic() - began, line.answers - asked
        for ledger, event in opened.items():
            tally.told[ledger][event.command] = event
        say("proving it: every event of every train")
        proof = await prove(journal, tally.told, both=tally.both, one=tally.one)
    finally:
        await journal.close()
    return Played(day, len(departures), buyers, opens_at, tally, line.outages, answers, seconds, proof)


def _for_sale(trade: Trade, day: date) -> list[tuple[Departure, Composition]]:
    found = []
    for departure in trade.timetable.departures(day):
        try:
            found.append((departure, trade.trains.of(departure.train)))
        except UnknownTrain:
            continue
    return found


def _opens_at(trade: Trade, departure: Departure) -> int:
    return Openings().opens_at(departure, ZoneInfo(trade.timetable.zone_name))


def _train(departure: Departure, composition: Composition) -> Train:
    return Train(departure.key, composition.classes, tuple(sections(departure.trip)))


async def _open(
    trade: Trade, departures: list[tuple[Departure, Composition]], line: Line, opens_at: int
) -> dict[str, AnyEvent]:
    at = opens_at - int(HOUR_SECONDS) * 1_000_000
    opened: dict[str, AnyEvent] = {}
    for first in range(0, len(departures), IN_FLIGHT_MAX):
        some = departures[first : first + IN_FLIGHT_MAX]
        words = [opening(trade.timetable, one, of, at=at, opens_at=opens_at) for one, of in some]
        told = await asyncio.gather(*(line.ask(one.key, word) for (one, _), word in zip(some, words, strict=True)))
        for (one, _), event in zip(some, told, strict=True):
            assert isinstance(event, Opened), f"{one.key} was not opened: {event}"
            opened[one.key] = event
    return opened


def _prices(trade: Trade, departures: list[tuple[Departure, Composition]], at: int) -> Price:
    tariff = trade.tariff(at)
    kilometres = {departure.key: trade.kilometres_of(departure.trip) for departure, _ in departures}

    @cache
    def one(ride: Ride) -> int:
        along = kilometres[ride.ledger]
        return fare_cents(tariff, ride.class_, along[ride.alight] - along[ride.board], Fare.ADULT)

    return lambda ride, count: one(ride) * count
