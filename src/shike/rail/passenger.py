"""Who travels: names and documents that can be right, and never one person on two overlapping rides.

A ledger and a log hear of a person by `reference` alone: a keyed hash of the document, which nobody without the key
turns back into it (numbers of identity cards are few enough to try them all).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple

from msgspec import Struct

from shike.errors import BadOrder, BadPassenger, TradeRefused
from shike.rail.bounds import NAME_CHARS_MAX, PASSENGERS_MAX
from shike.rail.tariff import Fare

CHILD_YEARS_MAX: Final = 14  # younger ones travel on a child's ticket
AGE_YEARS_MAX: Final = 130
KEY_BYTES_MIN: Final = 16
REFERENCE_BYTES: Final = 16
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = "10X98765432"  # by the weighted sum modulo 11 (GB 11643-1999, after ISO 7064)
_PROVINCES: Final = {  # the second digits that follow each first one
    "1": "12345",
    "2": "123",
    "3": "1234567",
    "4": "123456",
    "5": "01234",
    "6": "12345",
    "7": "1",
    "8": "123",
}


class Document(StrEnum):
    """What says who somebody is."""

    CN_ID = "cn_id"  # an identity card of the People's Republic: 18 signs, the last a check
    PASSPORT = "passport"
    HK_MACAO = "hk_macao"  # permit of residents of Hong Kong and Macao: H or M and 8 digits
    TAIWAN = "taiwan"  # permit of residents of Taiwan: 8 digits


_SHAPES: Final = {
    Document.CN_ID: (re.compile(r"\d{17}[\dX]"), "18 digits, the last may be X"),
    Document.PASSPORT: (re.compile(r"(?=.*\d)[A-Z0-9]{6,12}"), "6 to 12 letters and digits"),
    Document.HK_MACAO: (re.compile(r"[HM]\d{8}(\d\d)?"), "H or M and 8 or 10 digits"),
    Document.TAIWAN: (re.compile(r"\d{8}(\d\d)?"), "8 or 10 digits"),
}


class Passenger(Struct, frozen=True):
    """One person with a document, and the fare they ask for. Made by `passenger`, which checks them."""

    name: str
    document: Document
    number: str
    fare: Fare = Fare.ADULT

    def reference(self, key: bytes) -> str:
        """What the ledger knows this person by: the same for the same document and key."""
        if len(key) < KEY_BYTES_MIN:
            raise BadPassenger(
                f"the key must have {KEY_BYTES_MIN} bytes or more: keep a secret of your own", field="key"
            )
        body = f"{self.document}/{self.number}".encode()
        return hmac.new(key, body, hashlib.sha256).hexdigest()[: 2 * REFERENCE_BYTES]

    @property
    def shown(self) -> str:
        """The document as it may be printed: its last four signs."""
        return "*" * max(0, len(self.number) - 4) + self.number[-4:]


class Ride(NamedTuple):
    """When somebody is on a train: from `departs_at` until before `arrives_at`, UTC microseconds."""

    departs_at: int
    arrives_at: int
    departure: str


class Relation(StrEnum):
    """How two intervals lie to each other: the four ways (R1.14). Only APART leaves a seat for both."""

    APART = "apart"  # they share no segment; one may begin where the other ends
    CROSSING = "crossing"  # each has a part of its own
    CONTAINING = "containing"  # one lies within the other
    EQUAL = "equal"


def passenger(name: str, document: str, number: str, fare: str = "adult", *, day: date) -> Passenger:
    """A person who can be; `day` is that of the journey, for the age. Raises `BadPassenger`, which says what is wrong
    with which field and never repeats the number."""
    kinds, fares = {kind.value for kind in Document}, {kind.value for kind in Fare}
    if document not in kinds:
        raise BadPassenger(f"a document is one of {', '.join(sorted(kinds))}, not {document[:20]!r}", field="document")
    if fare not in fares:
        raise BadPassenger(f"a fare is one of {', '.join(sorted(fares))}, not {fare[:20]!r}", field="fare")
    plain = " ".join(name.split())
    if not plain or len(plain) > NAME_CHARS_MAX or any(unicodedata.category(sign)[0] in "CN" for sign in plain):
        raise BadPassenger(f"a name has 1 to {NAME_CHARS_MAX} letters, as on the document", field="name")
    spelt = "".join(number.split()).upper()
    shape, words = _SHAPES[Document(document)]
    if not (spelt.isascii() and shape.fullmatch(spelt)):
        raise BadPassenger(f"the number of a {document} has {words}", field="number")
    if document == Document.CN_ID:
        _check_identity(spelt, fare, day)
    return Passenger(plain, Document(document), spelt, Fare(fare))


def check_group(people: Sequence[Passenger]) -> None:
    """Whether these may travel on one order. Raises `BadOrder`."""
    if not people:
        raise BadOrder("an order needs at least one passenger")
    if len(people) > PASSENGERS_MAX:
        raise BadOrder(
            f"{len(people)} passengers are more than the {PASSENGERS_MAX} of one order: make another for the rest"
        )
    documents = [(one.document, one.number) for one in people]
    if len(set(documents)) < len(documents):
        raise BadOrder("one passenger is named twice: each travels on one ticket")
    if all(one.fare is Fare.CHILD for one in people):
        raise BadOrder("children travel with an adult of the same order")


def check_rides(taken: Iterable[Ride], ride: Ride) -> None:
    """One person is never on two overlapping rides, whatever the trains. Raises `TradeRefused`, reason `person`."""
    for other in taken:
        if relation((other.departs_at, other.arrives_at), (ride.departs_at, ride.arrives_at)) is not Relation.APART:
            words = f"the passenger is on {other.departure} at that time: give that ticket back or change it"
            raise TradeRefused(words, reason="person")


def relation(one: tuple[int, int], other: tuple[int, int]) -> Relation:
    """How two half-open intervals lie to each other; of segments or of instants."""
    if not (one[0] < one[1] and other[0] < other[1]):
        raise BadOrder(f"{one} or {other} is no interval: its start must be before its end")
    if one[1] <= other[0] or other[1] <= one[0]:
        return Relation.APART
    if one == other:
        return Relation.EQUAL
    if (one[0] <= other[0] and other[1] <= one[1]) or (other[0] <= one[0] and one[1] <= other[1]):
        return Relation.CONTAINING
    return Relation.CROSSING


def _check_identity(number: str, fare: str, day: date) -> None:
    if number[1] not in _PROVINCES.get(number[0], ""):
        raise BadPassenger("the first two digits of the card name no province", field="number")
    if _CHECKS[sum(weight * int(sign) for weight, sign in zip(_WEIGHTS, number, strict=False)) % 11] != number[17]:
        raise BadPassenger("the last sign of the card does not fit the others: one is mistyped", field="number")
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise BadPassenger("the card's date of birth is no day", field="number") from None
    years = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    if born > day or years > AGE_YEARS_MAX:
        raise BadPassenger("the card's date of birth cannot be right", field="number")
    if fare == Fare.CHILD and years >= CHILD_YEARS_MAX:
        raise BadPassenger(f"a child's fare is for those under {CHILD_YEARS_MAX}; this one is {years}", field="fare")
