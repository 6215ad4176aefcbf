"""Why somebody cannot have seats, and what they could have instead, in the words of the railway."""

from __future__ import annotations

from typing import Any, NamedTuple

from shike.errors import BadOrder, TradeRefused
from shike.rail.bounds import PASSENGERS_MAX
from shike.rail.composition import class_of
from shike.rail.journey import Trade, Wish, refused
from shike.rail.opening import ONLINE
from shike.rail.order import Part
from shike.rail.seats import Seats, available
from shike.reserve import query
from shike.reserve.commands import Hold
from shike.reserve.model import Reason, Refusal
from shike.reserve.query import Alternative
from shike.reserve.state import State


class Other(NamedTuple):
    """What could be had instead; with `changes`, on another seat from these stations on."""

    class_: str
    origin: str
    goal: str
    number: int  # of seats
    changes: tuple[str, ...]


class Asked(NamedTuple):
    """What a hold would come to: `refusal` None, it would be held."""

    left: int
    refusal: Refusal | None
    error: TradeRefused | None
    instead: tuple[Other, ...]


async def ask(trade: Trade, seats: Seats, wish: Wish, count: int, *, at: int) -> Asked:
    """What a hold for so many through the online channel would come to at an instant. Raises as `Desk.hold` does for
    what cannot be."""
    if not 1 <= count <= PASSENGERS_MAX:
        raise BadOrder(f"an order is for 1 to {PASSENGERS_MAX} passengers, not {count}")
    departure = trade.timetable.by_key(wish.departure)
    leg = trade.timetable.section(departure, wish.origin, wish.goal)
    name = class_of(trade.trains.of(departure.train), wish.class_)
    part = Part(departure.key, 0, name, leg.board, leg.alight, leg.departs_at, leg.arrives_at, departure.day, ())
    state = await seats.state(departure.key)
    if not state.version:
        unopened = Refusal(Reason.UNKNOWN)
        return Asked(0, unopened, refused(part, unopened), ())
    hold = Hold("why", at, name, leg.board, leg.alight, count, channel=ONLINE)
    refusal = query.why(state, hold)
    left = available(state, name, leg.board, leg.alight, at=at, channel=ONLINE)
    if refusal is None:
        return Asked(left, None, None, ())
    return Asked(
        left, refusal, refused(part, refusal), tuple(_other(state, one) for one in query.alternatives(state, hold))
    )


async def ask_why(
    trade: Trade, seats: Seats, key: str, class_: str, origin: str, goal: str, count: int, *, at: int
) -> dict[str, Any]:
    """As `ask`, in words: `refused` is empty where it would be held."""
    asked = await ask(trade, seats, Wish(key, class_, origin, goal), count, at=at)
    departure = trade.timetable.by_key(key)
    name = class_of(trade.trains.of(departure.train), class_)
    told: dict[str, Any] = {"departure": departure.key, "class": name, "refused": "", "reason": "", "left": asked.left}
    if asked.refusal is None or asked.error is None:
        return {**told, "instead": []}
    told |= {"refused": str(asked.error), "reason": asked.error.reason}
    if asked.refusal.reason is not Reason.UNKNOWN:
        told["rule"] = asked.refusal.rule
    return {**told, "instead": [_words(one) for one in asked.instead]}


def _other(state: State, other: Alternative) -> Other:
    labels, origin = state.labels, state.origin
    changes = tuple(labels[leg.start - origin] for leg in other.legs[1:])
    return Other(other.pool, labels[other.start - origin], labels[other.end - origin], other.count, changes)


def _words(other: Other) -> str:
    if other.changes:
        return f"{other.class_} all the way, with another seat from {', '.join(other.changes)} on"
    return f"{other.number} of class {other.class_}, {other.origin} – {other.goal}"
