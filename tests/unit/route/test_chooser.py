"""R2.3: affinity, tags and slots narrow the choice before the strategy; the decision keeps why."""

from __future__ import annotations

from shike.model import Route
from shike.route.fitness import unfit
from shike.route.nouns import Decision, pack, unpack
from tests.unit.route.fleet import ask, chooser, snapshot, worker


def number_of(decision: Decision | None) -> int:
    assert decision is not None
    return int(decision.to, 16)


def test_required_tags_leave_only_those_that_have_them_all() -> None:
    made = chooser(worker(1, tags=("gpu",)), worker(2, tags=("gpu", "ssd")), worker(3))
    assert number_of(made.decide(ask("first", required=("gpu", "ssd")))) == 2
    assert made.decide(ask("first", required=("tpu",))) is None


def test_anti_tags_leave_out_and_preferred_tags_are_a_wish() -> None:
    made = chooser(worker(1, tags=("spot",)), worker(2), worker(3, tags=("ssd",)))
    assert number_of(made.decide(ask("first", anti=("spot",)))) == 2
    assert number_of(made.decide(ask("first", preferred=("ssd",)))) == 3
    assert number_of(made.decide(ask("first", preferred=("gpu",)))) == 1


def test_a_worker_gets_only_what_it_serves_knows_and_has_the_slots_for() -> None:
    one = worker(1, slots=2, queues=("default",), tasks=("t",))
    assert unfit(one, Route(), "t", "default>") is None
    assert unfit(one, Route(), "t", "mail>") == ("serves_not", {"queue": "mail"})
    assert unfit(one, Route(), "u", "default>") == ("knows_not", {"task": "u"})
    assert unfit(one, Route(slots=3), "t", "default>") == ("has_few_slots", {"slots": 2, "needed": 3})
    assert unfit(worker(1, silent_seconds=4.0), Route(), "t", "default>") == ("silent", {"seconds": "4.0"})


def test_a_run_of_two_slots_counts_twice() -> None:
    made = chooser(worker(1), worker(2))
    assert [number_of(made.decide(ask(slots=2))), number_of(made.decide(ask())), number_of(made.decide(ask()))] == [
        1,
        2,
        2,
    ]


def test_affinity_stays_with_the_last_worker_while_it_may_have_the_run() -> None:
    made = chooser(worker(1), worker(2), worker(3))
    first = made.decide(ask("round_robin", affinity="user:7"))
    assert number_of(first) == 1
    again = made.decide(ask("round_robin", affinity="user:7"))
    assert number_of(again) == 1
    assert again is not None and again.rule == "as before for user:7"
    made.look(snapshot(worker(2), worker(3)))
    assert number_of(made.decide(ask("round_robin", affinity="user:7"))) == 2
    assert number_of(made.decide(ask("round_robin", affinity="user:7"))) == 2


def test_who_goes_by_load_leaves_a_run_in_the_hall_while_nobody_has_room() -> None:
    made = chooser(worker(1, busy=4, lane=2), worker(2, busy=4, lane=1))
    second = made.decide(ask())
    assert number_of(second) == 2
    assert second is not None and second.without == (1,)
    assert made.decide(ask()) is None
    assert number_of(made.decide(ask("round_robin"))) == 1  # goes by turns, whatever there is to do


def test_a_decision_keeps_its_rule_its_three_best_and_its_snapshot() -> None:
    made = chooser(worker(1, busy=1), worker(2), worker(3, busy=2), worker(4, busy=3))
    decision = made.decide(ask(required=(), anti=("spot",)))
    assert decision is not None
    assert (decision.by, decision.snapshot, decision.worker) == ("least_busy", "1", "worker-2")
    assert decision.rule == "has not spot; least busy"
    assert [(int(session, 16), score) for session, score in decision.best] == [(2, 0.0), (1, -0.25), (3, -0.5)]
    kept = unpack(pack(decision))
    assert kept is not None and kept.to == decision.to and list(kept.view) == list(decision.view)
    assert unpack("{nonsense") is None


def test_a_run_that_moves_on_does_not_come_back_to_where_it_was() -> None:
    made = chooser(worker(1), worker(2, busy=3))
    decision = made.decide(ask("first"), besides=worker(1).session, moved=1)
    assert number_of(decision) == 2
    assert decision is not None and (decision.moved, decision.source) == (1, worker(1).session)
