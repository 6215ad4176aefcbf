"""Who comes to a sale: when, for what, how many together, and how they behave. Drawn from a seed; all pure.

Most come in the first minute. They want some trains far more than others (the n-th most wanted 1/n as often as the
first), which is what sells those out while the others are half empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import accumulate
from random import Random
from typing import Final

from msgspec import Struct

from shike.rail.bounds import HOLD_SECONDS

EARLY: Final = 0.01  # of the buyers, before it opens
RUSH: Final = 0.65  # with the opening
RUSH_SECONDS: Final = 25.0  # on average after it
HOUR_SECONDS: Final = 3600.0
PARTY_SHARES: Final = (0.62, 0.25, 0.07, 0.04, 0.02)  # one to five together
FIRST_CLASS: Final = 0.15
REFUNDS: Final = 0.05  # of those who have paid
WAITS: Final = 0.5  # of those who get nothing
WAIT_PAID: Final = 0.6  # of those who wait
WAIT_SECONDS: Final = 5400.0
ONWARD: Final = 0.06  # of the buyers want two trains, both or none
CHANGES: Final = 0.04  # of those with tickets of one train change them into another


class Manner(StrEnum):
    """How somebody pays."""

    PROMPT = "prompt"  # within two minutes
    SLOW = "slow"  # before the hold is over
    LATE = "late"  # after it
    NEVER = "never"
    TWICE = "twice"  # prompt, and again


MANNERS: Final = {Manner.PROMPT: 72, Manner.SLOW: 12, Manner.LATE: 4, Manner.NEVER: 10, Manner.TWICE: 2}


class Ride(Struct, frozen=True):
    """A section of a train, in a class: what can be asked of one ledger."""

    ledger: str
    class_: str
    board: int
    alight: int


class Train(Struct, frozen=True):
    """What is for sale of one departure."""

    ledger: str
    classes: tuple[str, ...]
    sections: tuple[tuple[int, int], ...]


class Buyer(Struct, frozen=True):
    """One buyer. Seconds count from the opening of the sale, and for deeds from the answer before."""

    number: int
    comes_seconds: float
    rides: tuple[Ride, ...]  # the wish, then what is tried where there is none
    count: int
    manner: Manner
    pays_seconds: float
    refund_seconds: float  # 0: never
    waits: bool
    waits_paid: bool
    onward: Ride | None = None  # the second train of a journey: without it the first is not wanted either
    change: Ride | None = None  # what the tickets are changed into, …
    change_seconds: float = 0.0  # … so long after they were paid for

    @property
    def people(self) -> tuple[str, ...]:
        """References to the travellers."""
        return tuple(f"p{self.number}.{index}" for index in range(self.count))


def crowd(trains: Sequence[Train], buyers: int, seed: int) -> Iterator[Buyer]:
    """So many buyers, always the same for a seed."""
    rng, more = Random(seed), Random(f"{seed}/more")
    wanted = list(trains)
    rng.shuffle(wanted)
    weights = list(accumulate(1 / place for place in range(1, len(wanted) + 1)))
    for number in range(buyers):
        rides = tuple(_ride(rng, train) for train in rng.choices(wanted, cum_weights=weights, k=2))
        (manner,) = rng.choices(list(MANNERS), list(MANNERS.values()))
        yield Buyer(
            number,
            _comes(rng),
            rides,
            rng.choices(range(1, len(PARTY_SHARES) + 1), PARTY_SHARES)[0],
            manner,
            _pays(rng, manner),
            rng.uniform(60, HOUR_SECONDS) if rng.random() < REFUNDS else 0.0,
            rng.random() < WAITS,
            rng.random() < WAIT_PAID,
            *_more(more, trains, rides[0]),
        )


def _ride(rng: Random, train: Train) -> Ride:
    wishes = ("first", "second") if rng.random() < FIRST_CLASS else ("second", "first")
    class_ = next((wish for wish in wishes if wish in train.classes), train.classes[0])
    return Ride(train.ledger, class_, *rng.choice(train.sections))


def _more(rng: Random, trains: Sequence[Train], first: Ride) -> tuple[Ride | None, Ride | None, float]:
    """A second train for some, another train for others; drawn apart, so that the crowd stays what it was."""
    luck, other = rng.random(), _ride(rng, rng.choice(trains))
    if other.ledger == first.ledger or luck >= ONWARD + CHANGES:
        return None, None, 0.0
    return (other, None, 0.0) if luck < ONWARD else (None, other, rng.uniform(60, HOUR_SECONDS))


def _comes(rng: Random) -> float:
    luck = rng.random()
    if luck < EARLY:
        return -rng.uniform(1, 30)
    if luck < EARLY + RUSH:
        return rng.expovariate(1 / RUSH_SECONDS)
    return rng.uniform(0, HOUR_SECONDS)


def _pays(rng: Random, manner: Manner) -> float:
    match manner:
        case Manner.SLOW:
            return rng.uniform(120, HOLD_SECONDS - 1)
        case Manner.LATE:
            return HOLD_SECONDS + rng.uniform(0, 120)
        case _:
            return rng.uniform(5, 120)
