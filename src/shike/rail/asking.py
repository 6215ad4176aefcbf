"""Why somebody cannot have seats, and what they could have instead, in the words of the railway."""

from __future__ import annotations

from typing import Any

from shike.errors import BadOrder
from shike.rail.bounds import PASSENGERS_MAX
from shike.rail.composition import class_of
from shike.rail.journey import Trade, refused
from shike.rail.opening import ONLINE
from shike.rail.order import Part
from shike.rail.seats import Seats, available
from shike.reserve import query
from shike.reserve.commands import Hold
from shike.reserve.query import Alternative
from shike.reserve.state import State


async def ask_why(
    trade: Trade, seats: Seats, key: str, class_: str, origin: str, goal: str, count: int, *, at: int
) -> dict[str, Any]:
    """What a hold through the online channel would come to at an instant: `refused` is empty where it would be held.
    Raises as `Desk.hold` does for what cannot be."""
    if not 1 <= count <= PASSENGERS_MAX:
        raise BadOrder(f"an order is for 1 to {PASSENGERS_MAX} passengers, not {count}")
    departure = trade.timetable.by_key(key)
    leg = trade.timetable.section(departure, origin, goal)
    name = class_of(trade.trains.of(departure.train), class_)
    state = await seats.state(departure.key)
    told: dict[str, Any] = {"departure": departure.key, "class": name, "refused": "", "reason": "", "left": 0}
    if not state.version:
        return {**told, "refused": f"{key} is not on sale yet", "reason": "not_on_sale", "instead": []}
    hold = Hold("why", at, name, leg.board, leg.alight, count, channel=ONLINE)
    refusal = query.why(state, hold)
    told["left"] = available(state, name, leg.board, leg.alight, at=at, channel=ONLINE)
    if refusal is None:
        return {**told, "instead": []}
    part = Part(departure.key, 0, name, leg.board, leg.alight, leg.departs_at, leg.arrives_at, departure.day, ())
    error = refused(part, refusal)
    instead = [_words(state, one, name) for one in query.alternatives(state, hold)]
    return {**told, "refused": str(error), "reason": error.reason, "rule": refusal.rule, "instead": instead}


def _words(state: State, other: Alternative, class_: str) -> str:
    labels, origin = state.labels, state.origin
    if other.legs:
        changes = ", ".join(labels[leg.start - origin] for leg in other.legs[1:])
        return f"{class_} all the way, with another seat from {changes} on"
    way = f"{labels[other.start - origin]} – {labels[other.end - origin]}"
    return f"{other.count} of class {other.pool}, {way}"
