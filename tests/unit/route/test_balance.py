"""R2.8: monitor → analyse → decide: lanes are levelled, once, and stay so."""

from __future__ import annotations

from collections import Counter
from random import Random
from statistics import pstdev

from msgspec.structs import replace

from shike.route.balance import Balance, Shift
from shike.route.bounds import SPREAD_CALM
from shike.route.fitness import occupancy
from shike.route.load import INDEX, indices
from shike.route.nouns import Candidate
from tests.unit.route.fleet import worker


def after(workers: list[Candidate], shifts: list[Shift]) -> list[Candidate]:
    lanes = {one.session: one.lane for one in workers}
    for shift in shifts:
        assert 0 < shift.count <= lanes[shift.source]
        lanes[shift.source] -= shift.count
        lanes[shift.target] += shift.count
    return [replace(one, lane=lanes[one.session]) for one in workers]


def spread(workers: list[Candidate]) -> float:
    return pstdev(map(occupancy, workers))


def test_one_loaded_and_three_idle_are_level_within_two_samples() -> None:
    """Goal: σ < 0.1 within 2 samples; no run moves more than twice."""
    fleet = [worker(1, busy=4, lane=400), worker(2), worker(3), worker(4)]
    balance, moves = Balance(), Counter[str]()
    for _ in range(2):
        shifts = balance.decide(fleet)
        for shift in shifts:
            moves[shift.source] += shift.count
        fleet = after(fleet, shifts)
    assert spread(fleet) < 0.1
    assert moves == {worker(1).session: 303}
    assert balance.decide(after(fleet, [])) == []


def test_what_is_level_enough_is_left_alone_until_it_is_uneven_again() -> None:
    balance = Balance()
    even = [worker(number, slots=10, busy=5, lane=lane) for number, lane in ((1, 1), (2, 0), (3, 2), (4, 1))]
    assert balance.decide(even) == []
    assert not balance.levelling


def test_levelling_begins_above_one_threshold_and_ends_below_another() -> None:
    balance = Balance()
    between = [worker(1, slots=10, lane=3), worker(2, slots=10)]
    assert SPREAD_CALM < spread(between) < 0.2
    assert balance.decide(between) == []
    steep = [worker(1, slots=10, lane=9), worker(2, slots=10)]
    assert balance.decide(steep) == [Shift(worker(1).session, worker(2).session, 4)]
    assert balance.decide(between) == [Shift(worker(1).session, worker(2).session, 1)]


def test_it_does_not_swing_while_work_comes_and_goes() -> None:
    """A day of workers of different speed that all get the same: each run that moves goes down the slope, none comes
    back to where it was, and the spread stays small."""
    dice = Random(3)
    speeds = (8, 8, 8, 2)
    fleet = [worker(number, busy=4) for number in (1, 2, 3, 4)]
    balance, gave, took = Balance(), Counter[str](), Counter[str]()
    swings = 0
    for _ in range(500):
        fleet = [
            replace(one, lane=max(one.lane + 6 + dice.randrange(-1, 2) - speed, 0))
            for one, speed in zip(fleet, speeds, strict=True)
        ]
        before = {one.session: occupancy(one) for one in fleet}
        shifts = balance.decide(fleet)
        for shift in shifts:
            assert before[shift.source] > before[shift.target]
            gave[shift.source] += shift.count
            took[shift.target] += shift.count
        swings += sum(shift.target == worker(4).session for shift in shifts)
        fleet = after(fleet, shifts)
    assert gave.most_common(1)[0][0] == worker(4).session
    assert swings <= took.total() * 0.05
    assert spread(fleet) < 0.5


def test_a_worker_with_more_slots_keeps_more() -> None:
    fleet = [worker(1, slots=2, lane=30), worker(2, slots=8)]
    assert Balance().decide(fleet) == [Shift(worker(1).session, worker(2).session, 24)]


def test_one_worker_has_nobody_to_give_to() -> None:
    assert Balance().decide([worker(1, lane=100)]) == []
    assert Balance().decide([]) == []


def test_the_index_is_of_the_machine_unless_workers_share_it() -> None:
    """0.6 CPU + 0.4 memory; who shares a machine is told apart by (busy + lane) ÷ slots."""
    alone = worker(1, cpu=0.5, memory=0.25)
    twins = [worker(2, host="one", cpu=0.9, busy=1), worker(3, host="one", cpu=0.9, busy=2)]
    assert INDEX.of(alone) == 0.4
    assert indices([alone, *twins]) == [0.4, 0.25, 0.5]
