"""R0.14, R2.3, R2.4: each strategy chooses as its name says, and its scores explain the choice."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.route.chooser import Chooser
from shike.route.fitness import Field
from shike.route.nouns import Candidate
from shike.route.registry import make, names
from tests.unit.route.fleet import ask, chooser, snapshot, worker

ROUTED = names()[1:]


def chosen(made: Chooser, by: str, count: int, **named: object) -> list[int]:
    decisions = [made.decide(ask(by, run_id, **named)) for run_id in range(count)]  # type: ignore[arg-type]
    return [int(decision.to, 16) for decision in decisions if decision is not None]


def test_all_strategies_of_the_requirement_are_there() -> None:
    assert set(names()) == {
        "any", "first", "last", "round_robin", "random", "consistent_hash", "least_recently_used",
        "least_frequently_used", "fastest_heartbeat", "failover", "least_busy", "weighted_round_robin", "smart", "even",
    }  # fmt: skip


fleets = st.lists(
    st.builds(
        worker,
        st.just(0),
        busy=st.integers(0, 9),
        lane=st.integers(0, 9),
        slots=st.integers(1, 8),
        cpu=st.floats(0, 1),
        memory=st.floats(0, 1),
        failures=st.floats(0, 1),
        answer_ms=st.floats(0, 100),
        silent_seconds=st.floats(0, 2.9),
        weight=st.floats(0.1, 4),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("by", ROUTED)
@given(fleet=fleets, seed=st.integers(0, 1000), count=st.integers(1, 12))
def test_the_scores_of_a_choice_choose_the_same(by: str, fleet: list[Candidate], seed: int, count: int) -> None:
    """What `explain` recomputes from the snapshot and the view is what was chosen, however often one chose before."""
    numbered = [worker(number, **{f: getattr(one, f) for f in ("busy", "lane", "slots", "cpu", "memory", "failures",
                "answer_ms", "silent_seconds", "weight")}) for number, one in enumerate(fleet, 1)]  # fmt: skip
    strategy, field = make(by, Random(seed).random), Field(numbered)
    for turn in range(count):
        asked = ask(by, turn, key=f"key-{turn}", task=f"t{turn % 2}")
        choice = strategy.choose(asked, field)
        scores = strategy.scores(asked, numbered, choice.view)
        assert strategy.pick(scores, choice.view) == choice.place
        assert len(choice.best) == min(3, len(numbered))
        told = [score for _, score in choice.best]
        assert told == pytest.approx(sorted(scores, reverse=True)[: len(told)])


def test_first_and_last_go_by_how_long_a_worker_has_been_there() -> None:
    made = chooser(worker(3), worker(5), worker(9))
    assert chosen(made, "first", 3) == [3, 3, 3]
    assert chosen(made, "last", 3) == [9, 9, 9]


def test_round_robin_goes_on_behind_the_last_one_though_others_come_and_go() -> None:
    made = chooser(worker(1), worker(3), worker(5))
    assert chosen(made, "round_robin", 4) == [1, 3, 5, 1]
    made.look(snapshot(worker(3), worker(4), worker(5)))
    assert chosen(made, "round_robin", 4) == [3, 4, 5, 3]


def test_random_draws_each_about_equally_often() -> None:
    counts = Counter(chosen(chooser(*map(worker, range(1, 5))), "random", 4000))
    assert all(900 < counts[number] < 1100 for number in range(1, 5))


def test_the_least_recently_used_has_waited_longest_task_by_task() -> None:
    made = chooser(worker(1), worker(2), worker(3))
    assert chosen(made, "least_recently_used", 2) == [1, 2]
    assert chosen(made, "least_recently_used", 1, task="other") == [1]
    assert chosen(made, "least_recently_used", 3) == [3, 1, 2]


def test_the_least_frequently_used_has_had_fewest_and_who_joins_is_not_flooded() -> None:
    made = chooser(worker(1), worker(2))
    assert chosen(made, "least_frequently_used", 10).count(1) == 5
    made.look(snapshot(worker(1), worker(2), worker(3)))
    assert Counter(chosen(made, "least_frequently_used", 9)) == {1: 3, 2: 3, 3: 3}


def test_the_fastest_heartbeat_is_the_shortest_answer() -> None:
    made = chooser(worker(1, answer_ms=3.0), worker(2, answer_ms=0.4), worker(3, answer_ms=9.0))
    assert chosen(made, "fastest_heartbeat", 2) == [2, 2]


def test_failover_leaves_the_first_while_it_is_unwell() -> None:
    assert chosen(chooser(worker(1), worker(2)), "failover", 1) == [1]
    assert chosen(chooser(worker(1, silent_seconds=2.0), worker(2)), "failover", 1) == [2]
    assert chosen(chooser(worker(1, failures=0.6), worker(2)), "failover", 1) == [2]
    assert chosen(chooser(worker(1, failures=0.6), worker(2, failures=0.9)), "failover", 1) == [1]


def test_least_busy_counts_what_it_gave_itself_and_the_size_of_a_worker() -> None:
    made = chooser(worker(1, slots=8, busy=4), worker(2, slots=2, runs_per_second=100.0), worker(3, slots=4, lane=4))
    assert chosen(made, "least_busy", 3) == [2, 1, 2]


def test_weighted_round_robin_gives_turns_by_the_load_score() -> None:
    """0.5 CPU + 0.3 memory + 0.2 I/O: scores 0 and 0.5 make turns of 2 to 1."""
    idle, loaded = worker(1, runs_per_second=9e4), worker(2, cpu=0.5, memory=0.5, io=0.5, runs_per_second=9e4)
    counts = Counter(chosen(chooser(idle, loaded), "weighted_round_robin", 300))
    assert counts == {1: 200, 2: 100}


def test_smart_draws_by_free_cpu_base_weight_and_failures() -> None:
    fleet = [worker(n, cpu=c, weight=w, failures=f, runs_per_second=9e4) for n, c, w, f in
             ((1, 0.0, 1.0, 0.0), (2, 0.5, 1.0, 0.0), (3, 0.5, 2.0, 0.0), (4, 0.0, 1.0, 0.5))]  # fmt: skip
    counts = Counter(chosen(chooser(*fleet), "smart", 5000))
    for number, share in ((1, 1 / 3), (2, 1 / 6), (3, 1 / 3), (4, 1 / 6)):
        assert abs(counts[number] / 5000 - share) < 0.03


def test_a_loaded_worker_still_gets_a_little_so_that_somebody_sees_it_recover() -> None:
    fleet = worker(1, cpu=1.0, runs_per_second=9e4), worker(2, runs_per_second=9e4)
    assert 0 < chosen(chooser(*fleet), "smart", 1000).count(1) < 100


@pytest.mark.parametrize("by", ["round_robin", "least_recently_used", "least_frequently_used", "weighted_round_robin"])
def test_what_a_strategy_remembers_survives_a_restart(by: str) -> None:
    import msgspec

    fleet = [worker(number, runs_per_second=9e4) for number in (1, 2, 3)]
    made, steady = chooser(*fleet), chooser(*fleet)
    before, expected = chosen(made, by, 5), chosen(steady, by, 11)
    kept = msgspec.json.decode(msgspec.json.encode(made.memories()))
    born_again = Chooser(Random(0).random, kept)
    born_again.look(snapshot(*fleet))
    assert before + chosen(born_again, by, 6) == expected


@pytest.mark.parametrize("by", ROUTED)
def test_a_memory_that_cannot_be_read_is_forgotten(by: str) -> None:
    for memory in (None, "x", [], {"t": 3}, [[], {}]):
        made = make(by, Random(0).random)
        made.recall(memory)
        assert made.choose(ask(by), Field([worker(1)])).place == 0
