"""Divided work goes to workers in stretches, and what is meant for one worker goes nowhere else (R2.7, R3.13)."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shike.model import OnGone, Route
from shike.route.chooser import candidates, is_gone
from shike.route.strategies.even import place_of
from tests.unit.route.fleet import ask, chooser, snapshot, worker


@given(st.integers(1, 50), st.integers(1, 300))
def test_parts_are_dealt_out_evenly_and_side_by_side(workers: int, parts: int) -> None:
    places = [place_of(f"{index}/{parts}", workers) for index in range(parts)]
    assert places == sorted(places), "stretches"
    counts = Counter(places)
    assert max(counts.values()) - min(counts.get(place, 0) for place in range(workers)) <= 1


@given(st.text(max_size=20), st.integers(1, 50))
def test_a_key_that_is_no_part_has_a_place_too(key: str, workers: int) -> None:
    assert 0 <= place_of(key, workers) < workers
    assert place_of("0/0", workers) == 0


def test_who_stands_in_the_right_lane_stays_and_the_others_are_divided_anew() -> None:
    three = chooser(worker(1), worker(2), worker(3))
    part = ask("even", key="5/12")
    assert three.decide(part).worker == "worker-2"  # type: ignore[union-attr]
    two = chooser(worker(1), worker(3))
    assert two.anew(part, worker(1).session, 1) is None
    moved = two.anew(ask("even", key="7/12"), worker(1).session, 1)
    assert moved is not None
    assert (moved.worker, moved.rule, moved.moved) == ("worker-3", "divided anew among 2", 1)
    assert two.anew(ask("round_robin"), worker(1).session, 1) is None, "divides nothing"


@pytest.mark.parametrize("on_gone", OnGone)
def test_what_is_meant_for_one_worker_goes_to_no_other_as_long_as_that_is_there(on_gone: OnGone) -> None:
    route = Route(by="first", session=worker(2).session, on_gone=on_gone)
    here = snapshot(worker(1), worker(2), worker(3))
    assert [one.number for one in candidates(here, route, "t", "default>")] == [2]
    silent = snapshot(worker(1), worker(2, silent_seconds=5.0))
    assert candidates(silent, route, "t", "default>") == [], "it may come back: the run waits"
    gone = snapshot(worker(1), worker(3))
    assert is_gone(gone, route)
    found = [one.number for one in candidates(gone, route, "t", "default>")]
    assert found == ([1, 3] if on_gone is OnGone.FAILOVER else [])


def test_a_decision_about_a_run_that_failed_over_says_nothing_of_its_own_worker() -> None:
    made = chooser(worker(1))
    meant = replace(ask("first"), route=Route(by="first", session=worker(1).session))
    assert made.decide(meant).rule == "meant for it alone; first"  # type: ignore[union-attr]
    lost = replace(meant, route=replace(meant.route, session=worker(9).session))
    assert made.decide(lost).rule == "first"  # type: ignore[union-attr]
