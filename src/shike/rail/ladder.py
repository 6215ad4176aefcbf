"""What giving a ticket back costs, and what changing it costs: ladders as dated data, pure functions over them.

Steps count from the departure of the station of *boarding*, and a ticket keeps the ladder of the day it was sold. Fees
are rounded to the ladder's step, halves up, are at least its minimum, and never more than what was paid.
"""

from __future__ import annotations

from datetime import date
from importlib.resources import files
from typing import Final, NamedTuple

from shike.errors import TradeRefused, UnknownTrain
from shike.rail.tariff import WHOLE, Dated, read_rules

HOUR: Final = 3_600_000_000  # microseconds


class Ladder(Dated, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`refund` and `change_later`: (from so many hours before departure on, thousandths), farthest first, down to 0."""

    rounding_cents: int
    minimum_cents: int
    refund: tuple[tuple[int, int], ...]
    changes_max: int
    change_free_hours: int
    change_later: tuple[tuple[int, int], ...]
    change_after_departure_later: int
    moved_away_hours: int
    moved_away_share: int
    rush: tuple[tuple[date, date], ...] = ()
    rush_share: int = 0

    def __post_init__(self) -> None:
        for steps in (self.refund, self.change_later):
            hours = [hour for hour, _ in steps]
            if not steps or hours[-1] != 0 or hours != sorted(set(hours), reverse=True):
                raise ValueError("steps must fall to 0 hours")
            if any(not 0 <= share <= WHOLE for _, share in steps):
                raise ValueError("shares are thousandths, 0 to 1000")
        if self.rounding_cents < 1 or self.minimum_cents < 0:
            raise ValueError("rounding_cents is at least 1, minimum_cents at least 0")


class Paid(NamedTuple):
    """What a ladder has to know of a ticket. Instants are UTC microseconds, days those of the wall clock."""

    price_cents: int
    departs_at: int
    day: date
    changes: int = 0  # how often it was changed
    moved_at: int = 0  # when it was changed last …
    moved_from: int = 0  # … and the departure it had then


class Onto(NamedTuple):
    """The ride that a ticket shall be changed into."""

    price_cents: int
    departs_at: int
    day: date


class ChangeQuote(NamedTuple):
    """`to_pay_cents` and `to_get_cents` are the whole account: one of them, or both, are 0."""

    fee_cents: int  # for the change itself
    difference_cents: int  # new price less old one
    difference_fee_cents: int  # what giving back the difference costs
    to_pay_cents: int
    to_get_cents: int


def refund_fee(ticket: Paid, at: int, ladder: Ladder) -> int:
    """What is kept back when a ticket is given back at an instant. Raises `TradeRefused` after its departure."""
    _not_departed(ticket, at, "given back")
    return _fee(ticket.price_cents, _refund_share(ticket, at, ladder), ladder)


def change_quote(ticket: Paid, onto: Onto, at: int, ladder: Ladder) -> ChangeQuote:
    """What changing a ticket costs, before its departure or after it, into any train that has not left. Raises
    `TradeRefused` for one that has, and for a ticket that was changed before."""
    if ticket.changes >= ladder.changes_max:
        raise TradeRefused("a ticket is changed once: give it back and buy another", reason="changed_once")
    if onto.departs_at <= at:
        raise TradeRefused("that train has left: change into one that leaves later", reason="departed")
    share = _change_share(ticket, onto, at, ladder)
    fee = _fee(min(ticket.price_cents, onto.price_cents), share, ladder)
    difference = onto.price_cents - ticket.price_cents
    kept = _fee(-difference, _refund_share(ticket, at, ladder), ladder)
    account = difference + fee + kept
    return ChangeQuote(fee, difference, kept, max(0, account), max(0, -account))


def known_ladders() -> tuple[Ladder, ...]:
    """The ladders that come with Shike, oldest first."""
    found = read_rules((files("shike.rail") / "data" / "ladders.toml").read_bytes(), Ladder, "ladders", "ladders.toml")
    return tuple(sorted(found, key=lambda ladder: ladder.valid_from))


def ladder_called(ladders: tuple[Ladder, ...], name: str) -> Ladder:
    """The ladder that a ticket was sold by. Raises `UnknownTrain`."""
    for ladder in ladders:
        if ladder.name == name:
            return ladder
    raise UnknownTrain(f"no ladder is called {name!r}; there are {', '.join(one.name for one in ladders)}")


def _refund_share(ticket: Paid, at: int, ladder: Ladder) -> int:
    if ticket.changes and any(first <= ticket.day <= last for first, last in ladder.rush):
        return ladder.rush_share
    share = _step(ladder.refund, ticket.departs_at - at)
    near = ladder.moved_away_hours * HOUR
    moved_away = ticket.moved_at and ticket.moved_from - ticket.moved_at < near <= ticket.departs_at - ticket.moved_at
    return max(share, ladder.moved_away_share) if moved_away else share


def _change_share(ticket: Paid, onto: Onto, at: int, ladder: Ladder) -> int:
    left, is_later = ticket.departs_at - at, onto.day > ticket.day
    if left <= 0:
        return ladder.change_after_departure_later if is_later else 0
    if left >= ladder.change_free_hours * HOUR or not is_later:
        return 0
    return _step(ladder.change_later, left)


def _step(steps: tuple[tuple[int, int], ...], left: int) -> int:
    return next(share for hours, share in steps if max(0, left) >= hours * HOUR)


def _fee(amount_cents: int, share: int, ladder: Ladder) -> int:
    if not share or amount_cents <= 0:
        return 0
    step = ladder.rounding_cents
    rounded = (2 * amount_cents * share + WHOLE * step) // (2 * WHOLE * step) * step
    return min(amount_cents, max(ladder.minimum_cents, rounded))


def _not_departed(ticket: Paid, at: int, what: str) -> None:
    if at >= ticket.departs_at:
        raise TradeRefused(f"the train has left: a ticket cannot be {what} any more", reason="departed")
