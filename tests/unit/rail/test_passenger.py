"""R1.7: documents that cannot be right are refused, and nobody is on two trains at once. R1.14: the four relations."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.errors import BadOrder, BadPassenger, TradeRefused
from shike.rail.passenger import Document, Passenger, Relation, Ride, check_group, check_rides, passenger, relation
from shike.rail.tariff import Fare

DAY = date(2026, 11, 22)
KEY = b"a key of sixteen bytes or more"
CARD = "11010519491231002X"  # the example of the standard
CHILD = "110105201811220028"
INTERVALS = st.tuples(st.integers(0, 8), st.integers(1, 8)).map(lambda pair: (pair[0], pair[0] + pair[1]))


def person(number: str = "P1234567", fare: Fare = Fare.ADULT) -> Passenger:
    return Passenger("A", Document.PASSPORT, number, fare)


@pytest.mark.parametrize(
    ("document", "number"),
    [
        ("cn_id", CARD),
        ("cn_id", " 110105 19491231 002x "),
        ("passport", "e12345678"),
        ("hk_macao", "H12345678"),
        ("taiwan", "12345678"),
    ],
)
def test_a_document_that_can_be_right_is_taken_in_one_spelling(document: str, number: str) -> None:
    made = passenger("  Li   Lei ", document, number, day=DAY)
    assert (made.name, made.number) == ("Li Lei", "".join(number.split()).upper())
    assert made.shown.endswith(made.number[-4:]) and made.number not in made.shown


@pytest.mark.parametrize(
    ("field", "name", "document", "number", "fare", "words"),
    [
        ("name", " ", "passport", "E1234567", "adult", "1 to 100 letters"),
        ("name", "x" * 101, "passport", "E1234567", "adult", "1 to 100 letters"),
        ("name", "Li\x00Lei", "passport", "E1234567", "adult", "as on the document"),
        ("name", "007", "passport", "E1234567", "adult", "as on the document"),
        ("document", "A", "library_card", "E1234567", "adult", "cn_id, hk_macao, passport, taiwan"),
        ("fare", "A", "passport", "E1234567", "dog", "adult, child, disabled, student"),
        ("number", "A", "passport", "ABCDEFGH", "adult", "6 to 12 letters and digits"),
        ("number", "A", "passport", "E12", "adult", "6 to 12 letters and digits"),
        ("number", "A", "passport", "E１２３４５６", "adult", "6 to 12 letters and digits"),
        ("number", "A", "hk_macao", "X12345678", "adult", "H or M"),
        ("number", "A", "cn_id", "1101051949123100", "adult", "18 digits"),
        ("number", "A", "cn_id", "110105194912310029", "adult", "one is mistyped"),
        ("number", "A", "cn_id", "010105194912310026", "adult", "no province"),
        ("number", "A", "cn_id", "110105194913310021", "adult", "no day"),
        ("number", "A", "cn_id", "110105209912310029", "adult", "cannot be right"),
        ("fare", "A", "cn_id", CARD, "child", "under 14; this one is 76"),
    ],
)
def test_a_passenger_who_cannot_be_is_refused_by_field_without_telling_the_number(
    field: str, name: str, document: str, number: str, fare: str, words: str
) -> None:
    with pytest.raises(BadPassenger, match=words) as refused:
        passenger(name, document, number, fare, day=DAY)
    assert refused.value.field == field and number not in str(refused.value)


def test_a_child_travels_on_a_childs_fare_until_the_fourteenth_birthday() -> None:
    assert passenger("Xiao Li", "cn_id", CHILD, "child", day=date(2032, 11, 21)).fare is Fare.CHILD
    with pytest.raises(BadPassenger, match="under 14"):
        passenger("Xiao Li", "cn_id", CHILD, "child", day=date(2032, 11, 22))


@given(st.integers(0, 16), st.integers(1, 9))
def test_one_mistyped_digit_of_a_card_is_always_noticed(at: int, by: int) -> None:
    digit = (int(CARD[at]) + by) % 10
    with pytest.raises(BadPassenger):
        passenger("A", "cn_id", f"{CARD[:at]}{digit}{CARD[at + 1 :]}", day=DAY)


def test_the_ledger_hears_of_a_person_by_a_keyed_hash() -> None:
    one, other = person(), person("P1234568")
    assert one.reference(KEY) == person().reference(KEY) != other.reference(KEY)
    assert one.reference(KEY) != one.reference(KEY[::-1]) and one.number not in one.reference(KEY)
    with pytest.raises(BadPassenger, match="keep a secret of your own"):
        one.reference(b"")


def test_an_order_has_one_to_five_different_passengers_and_an_adult() -> None:
    group = [person(f"P100000{at}") for at in range(6)]
    check_group(group[:1])
    check_group([*group[:4], person("P9999999", Fare.CHILD)])
    for people, words in (
        ([], "at least one passenger"),
        (group, "6 passengers are more than the 5 of one order"),
        ([group[0], group[0]], "named twice"),
        ([person(fare=Fare.CHILD)], "travel with an adult"),
    ):
        with pytest.raises(BadOrder, match=words):
            check_group(people)


def test_one_person_is_never_on_two_overlapping_rides() -> None:
    taken = [Ride(100, 200, "G1/2026-11-22/1"), Ride(300, 400, "G2/2026-11-22/1")]
    check_rides(taken, Ride(200, 300, "G3/2026-11-22/1"))
    check_rides([], Ride(0, 1, "G3/2026-11-22/1"))
    for ride in ((199, 250), (350, 360), (50, 500), (300, 400)):
        with pytest.raises(TradeRefused, match="the passenger is on G") as refused:
            check_rides(taken, Ride(*ride, "G3/2026-11-22/1"))
        assert refused.value.reason == "person"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0, 2), (2, 4), Relation.APART),
        ((0, 1), (3, 4), Relation.APART),
        ((0, 3), (2, 5), Relation.CROSSING),
        ((0, 5), (2, 4), Relation.CONTAINING),
        ((0, 5), (0, 4), Relation.CONTAINING),
        ((1, 3), (1, 3), Relation.EQUAL),
    ],
)
def test_two_intervals_lie_to_each_other_in_one_of_four_ways(
    one: tuple[int, int], other: tuple[int, int], expected: Relation
) -> None:
    assert relation(one, other) is relation(other, one) is expected


@given(INTERVALS, INTERVALS)
def test_only_apart_leaves_a_seat_for_both(one: tuple[int, int], other: tuple[int, int]) -> None:
    first, second = set(range(*one)), set(range(*other))
    found = relation(one, other)
    assert (found is Relation.APART) == (not first & second)
    assert (found is Relation.EQUAL) == (first == second)
    assert (found is Relation.CROSSING) == bool(first & second and first - second and second - first)


def test_what_is_no_interval_has_no_relation() -> None:
    with pytest.raises(BadOrder, match="is no interval"):
        relation((3, 3), (1, 2))
