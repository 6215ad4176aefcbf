"""R1.13: slots of a worker pool, reserved for a time: never more than there are, and free for whoever reserved them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from msgspec import json

from shike import Reserved
from shike.clock import MICROS
from shike.errors import BadLimit
from shike.limit.deciding import permits_of
from shike.limit.declared import Named, limits_of
from shike.limit.gates import Gate
from shike.limit.kind import Limit
from shike.limit.slots import Cap, Page, Reservation, Slots
from tests.unit.limit.test_deciding import NOW, Desk

MINUTE = 60 * MICROS


def at(minutes: float) -> int:
    return NOW + round(minutes * MINUTE)


def reserved(tenant: str, count: int, start: float, end: float) -> Reservation:
    return Reservation(tenant, count, at(start), at(end))


class Hall(Desk):
    """A desk at which slots are shared out; a task for each tenant comes to the same."""

    def __init__(self, size: int, *reservations: Reservation, longest: str = "30m", caps: tuple[Cap, ...] = ()) -> None:
        self.declared = Reserved("workers", "gpu", longest, by="tenant")
        super().__init__(self.declared)
        self.slots = Slots(size, reservations, caps)
        self.told()

    def told(self) -> None:
        self.limits = [Named("reserved:tenant", informed(self.declared, self.slots))]

    def under_way(self) -> int:
        return sum(map(len, self.holders.values()))


def informed(limit: Limit, slots: Slots) -> Limit:
    return limit.informed(json.encode(Page(1, {"gpu": slots})))


def test_what_nobody_has_reserved_is_anybodys_and_never_more_than_there_is() -> None:
    hall = Hall(4)
    first = hall.wait(6, tenant="acme")
    assert hall.look() == first[:4]
    hall.wait(1, tenant="zeta")
    assert hall.look() == []
    assert hall.why(tenant="zeta") == "4 of 4 under way"
    hall.end(first[0])
    assert len(hall.look()) == 1


def test_slots_are_kept_free_for_whoever_reserved_them_as_soon_as_a_run_might_last_into_their_time() -> None:
    hall = Hall(4, reserved("acme", 3, 60, 120))
    others = hall.wait(4, tenant="zeta")
    assert hall.look() == others  # they are over by 0:30
    hall.later(20 * 60)
    hall.end(*others)
    more = hall.wait(3, tenant="zeta")
    hall.later(15 * 60)
    assert hall.look() == more[:1]  # at 0:35 only one slot may be in use at 1:00
    assert "1 are taken and 3 kept for others, from " in hall.why(tenant="zeta")
    assert hall.decision is not None and hall.decision.again_at == at(60)
    hall.later(25 * 60)
    mine = hall.wait(4, tenant="acme")
    assert hall.look() == mine[:3]


def test_a_reservation_that_was_made_late_waits_for_runs_that_are_under_way() -> None:
    hall = Hall(2)
    others = hall.wait(3, tenant="zeta")
    assert hall.look() == others[:2]
    hall.slots = Slots(2, (reserved("acme", 2, 0, 60),))
    hall.told()
    mine = hall.wait(2, tenant="acme")
    assert hall.look() == []
    hall.end(others[0])
    assert hall.look() == mine[:1]  # and not the third of the others, who came before
    hall.end(others[1])
    assert hall.look() == mine[1:]


def test_a_run_that_lasts_longer_than_it_said_keeps_its_slot() -> None:
    hall = Hall(1, reserved("acme", 1, 60, 120))
    (long,) = hall.wait(1, tenant="zeta")
    assert hall.look() == [long]
    hall.later(70 * 60)
    (mine,) = hall.wait(1, tenant="acme")
    assert hall.look() == []
    hall.end(long)
    assert hall.look() == [mine]


def test_who_reserved_has_the_use_of_other_slots_too_and_no_more_right_to_them_than_others() -> None:
    hall = Hall(4, reserved("acme", 2, 0, 120))
    mine = hall.wait(5, tenant="acme")
    assert hall.look() == mine[:4]
    hall.end(mine[0])
    hall.wait(1, tenant="zeta")
    hall.waiting = {name: found for name, found in hall.waiting.items() if "zeta" in name}
    assert len(hall.look()) == 1


def test_a_run_that_would_last_beyond_its_reservation_into_anothers_is_not_begun() -> None:
    hall = Hall(1, reserved("acme", 1, 0, 60), reserved("zeta", 1, 60, 120))
    hall.later(45 * 60)
    hall.wait(1, tenant="acme")
    assert hall.look() == []
    (theirs,) = hall.wait(1, tenant="zeta")
    hall.later(15 * 60)
    assert hall.look() == [theirs]


def test_a_tenant_is_held_to_its_cap_and_all_of_them_to_theirs() -> None:
    day = 24 * 60
    small, all_ = Cap(1, at(0), at(day), ("small",)), Cap(3, at(0), at(day))
    hall = Hall(9, caps=(small, all_))
    (first, _) = hall.wait(2, tenant="small")
    assert hall.look() == [first]
    assert hall.why(tenant="small") == "1 of 1 that small may have"
    assert len(hall.wait(5, tenant="big")) == 5 and len(hall.look()) == 2
    assert hall.why(tenant="big") == "3 of 3 that all may have"


def test_a_cap_that_is_not_said_yet_or_any_more_binds_nobody() -> None:
    caps = (Cap(1, at(0), at(600), since=at(5)), Cap(1, at(0), at(600), until=at(0)))
    hall = Hall(2, caps=caps)
    assert len(hall.wait(2, tenant="acme")) == len(hall.look())


def test_a_pool_that_nobody_told_of_lets_nobody_in_and_says_so() -> None:
    desk = Desk()
    limit = Reserved("workers", "gpu", "1h", by="tenant")
    for value in (None, json.encode(Page(1, {"cpu": Slots(4)}))):
        desk.limits = [Named("reserved:tenant", limit.informed(value))]
        desk.wait(1, tenant="acme")
        assert desk.look() == []
        assert desk.why(tenant="acme").startswith("no slots of workers/gpu are told")


def test_what_a_newer_program_told_is_an_error_that_names_the_pool() -> None:
    with pytest.raises(BadLimit, match="pool workers cannot be read"):
        Reserved("workers", "gpu", "1h").informed(b"{}")


def test_tasks_that_share_a_pool_hold_the_same_permit() -> None:
    limit = informed(Reserved("workers", "gpu", "1h", tenant="nightly"), Slots(1))
    found = {permits_of(Gate(task, {}), [Named("reserved", limit)]) for task in ("train", "infer")}
    assert len(found) == 1


async def work(tenant: str) -> None: ...


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"pool": ""}, "no name of a pool"),
        ({"kind": 5}, "no name of a kind"),
        ({"longest": 0}, "not above 0"),
        ({"longest": "soon"}, "longest"),
        ({"by": "tenant", "tenant": "acme"}, "give by= or tenant="),
        ({"tenant": 5}, "give by= or tenant="),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_written(numbers: dict[str, Any], words: str) -> None:
    with pytest.raises(BadLimit, match=words):
        Reserved(**{"pool": "workers", "kind": "gpu", "longest": "1h", **numbers})


def test_a_task_takes_slots_of_one_pool() -> None:
    both = [Reserved("workers", kind, "1h", by="tenant") for kind in ("gpu", "cpu")]
    with pytest.raises(BadLimit, match="several pools"):
        limits_of("work", work, both)
    assert limits_of("work", work, [Reserved("workers", "gpu", "1h", tenant="nightly")]) is not None


TENANTS = ("a", "b", "c")
LONGEST = 5  # minutes


class Machine(RuleBasedStateMachine):
    """Any reservations that the ledger would take, any runs that keep to their word: what was reserved in time is
    there, and it is never more than there is."""

    @initialize(size=st.integers(1, 6))
    def open(self, size: int) -> None:
        self.hall = Hall(size, longest=f"{LONGEST}m")
        self.size = size
        self.minute = 0
        self.ends: dict[int, int] = {}
        self.whose: dict[int, str] = {}
        self.made: list[tuple[Reservation, int]] = []  # and in which minute

    @rule(tenant=st.sampled_from(TENANTS), count=st.integers(1, 4), ahead=st.integers(0, 12), length=st.integers(6, 20))
    def reserve(self, tenant: str, count: int, ahead: int, length: int) -> None:
        start, end = self.minute + ahead, self.minute + ahead + length
        for minute in range(start, end):
            taken = sum(one.count for one, _ in self.made if one.start <= at(minute) < one.end)
            if taken + count > self.size:
                return
        self.made.append((reserved(tenant, count, start, end), self.minute))
        self.hall.slots = Slots(self.size, tuple(one for one, _ in self.made))
        self.hall.told()

    @rule(tenant=st.sampled_from(TENANTS), count=st.integers(1, 8))
    def submit(self, tenant: str, count: int) -> None:
        for run in self.hall.wait(count, tenant=tenant):
            self.whose[run] = tenant

    @rule(minutes=st.integers(1, 12), draw=st.data())
    def pass_time(self, minutes: int, draw: st.DataObject) -> None:
        for _ in range(minutes):
            self.minute += 1
            self.hall.now = at(self.minute)
            self.hall.end(*[run for run, end in self.ends.items() if end <= self.minute])
            self.ends = {run: end for run, end in self.ends.items() if end > self.minute}
            for run in self.hall.look():
                self.ends[run] = self.minute + draw.draw(st.sampled_from((LONGEST, 1, 3)))
            self.check_reserved()

    def check_reserved(self) -> None:
        """Whoever reserved in time, and still has one that waits, has all of his slots in use."""
        in_use = Counter(self.whose[run] for run in self.ends)
        waiting = {
            next(iter(gate.values.values())) for name, gate in self.hall.gates.items() if self.hall.waiting[name]
        }
        for tenant in waiting:
            in_time = sum(
                one.count
                for one, made in self.made
                if one.tenant == tenant
                and at(made + LONGEST) <= one.start <= at(self.minute) <= one.end - LONGEST * MINUTE
            )
            assert in_use[tenant] >= in_time, f"{tenant} has {in_use[tenant]} of {in_time} in minute {self.minute}"

    @invariant()
    def never_more_than_there_are(self) -> None:
        if hasattr(self, "hall"):
            assert self.hall.under_way() <= self.size


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)


def _nothing_ahead(_slots: Slots, _after: int) -> list[int]:
    return []


def _nothing_reserved(_slots: Slots, _at: int) -> Counter[str]:
    return Counter()


@pytest.mark.parametrize(("name", "bug"), [("changes", _nothing_ahead), ("reserved", _nothing_reserved)])
def test_a_planted_bug_is_noticed(name: str, bug: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at the present only; does not count what is reserved."""
    monkeypatch.setattr(Slots, name, bug)
    hunt = settings(TestMachine.settings, max_examples=300, derandomize=True, phases=(Phase.generate,), database=None)
    with pytest.raises(AssertionError, match="in minute"):
        run_state_machine_as_test(Machine, settings=hunt)
