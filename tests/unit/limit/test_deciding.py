"""R0.9: who goes, who waits and who is dropped is a pure decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from shike import Concurrency, Cooldown, Debounce, FairShare, Rate
from shike.clock import MICROS
from shike.limit.bounds import KEYS_REMEMBERED_MAX
from shike.limit.deciding import Decision, Head, Kept, View, decide, permits_of
from shike.limit.declared import Named, named
from shike.limit.gates import Gate, gate_of
from shike.limit.kind import Limit
from shike.store.base import Gated

NOW = 1_800_000_000 * MICROS


class Desk:
    """A task's limits, who waits, who holds; looks are decided one after another, as a node would."""

    def __init__(self, *limits: Limit) -> None:
        self.limits = named(limits)
        self.kept = Kept()
        self.now = NOW
        self.waiting: dict[str, list[Gated]] = {}
        self.gates: dict[str, Gate] = {}
        self.holders: dict[str, list[int]] = {}
        self.last_id = 0
        self.went: list[int] = []
        self.skipped: list[int] = []
        self.decision: Decision | None = None

    def wait(self, count: int = 1, **values: str) -> list[int]:
        gate = Gate("send", dict(values))
        name = gate_of("send", gate.values)
        self.gates[name] = gate
        ids = range(self.last_id + 1, self.last_id + 1 + count)
        self.last_id += count
        self.waiting.setdefault(name, []).extend(Gated(one, 1, name, self.now) for one in ids)
        return list(ids)

    def look(self, *, done: bool = True) -> list[int]:
        """One look; `done`: whom it admits is moved. Else the node died before that."""
        heads = [Head(self.gates[name], found) for name, found in self.waiting.items()]
        decision = self.decision = decide(View(self.limits, self.kept, self.holders, heads, self.now))
        self.kept = decision.kept
        if not done:
            return []
        ids = [one.gated.run_id for one in decision.admitted]
        for one in decision.admitted:
            for permit in one.permits:
                self.holders.setdefault(permit, []).append(one.gated.run_id)
        out = {*ids, *(gated.run_id for gated, _ in decision.skipped)}
        self.skipped += [gated.run_id for gated, _ in decision.skipped]
        for name, found in self.waiting.items():
            self.waiting[name] = [gated for gated in found if gated.run_id not in out]
        self.kept = Kept(
            {run: permits for run, permits in self.kept.granting.items() if run not in out}, self.kept.memory
        )
        self.went += ids
        return ids

    def end(self, *ids: int) -> None:
        self.holders = {key: [run for run in held if run not in ids] for key, held in self.holders.items()}

    def later(self, seconds: float) -> None:
        self.now += round(seconds * MICROS)

    def why(self, **values: str) -> str:
        assert self.decision is not None
        return self.decision.blocked[gate_of("send", values)].no.words


def test_no_more_than_the_cap_of_a_key_go_and_other_keys_are_not_held_up() -> None:
    desk = Desk(Concurrency(2, by="tenant"))
    acme, zeta = desk.wait(5, tenant="acme"), desk.wait(1, tenant="zeta")
    assert sorted(desk.look()) == [*acme[:2], *zeta]
    assert desk.look() == []
    assert desk.why(tenant="acme") == "2 of 2 taken"
    desk.end(acme[0])
    assert desk.look() == [acme[2]]


def test_of_several_limits_each_has_to_allow_it_and_none_is_taken_where_one_does_not() -> None:
    desk = Desk(Rate("1/s", burst=1), Concurrency(1, by="tenant"))
    first, second = desk.wait(2, tenant="acme")
    assert desk.look() == [first]
    desk.later(60)
    assert desk.look() == []
    other = desk.wait(1, tenant="zeta")
    assert desk.look() == other  # the token that `acme` could not use was not taken
    assert second not in desk.went


def test_a_rate_lets_its_burst_begin_at_once_and_then_one_per_interval() -> None:
    desk = Desk(Rate("10/s", burst=3))
    ids = desk.wait(10)
    assert desk.look() == ids[:3]
    assert desk.decision is not None and desk.decision.again_at == NOW + 100_000
    for later in ids[3:6]:
        desk.later(0.1)
        assert desk.look() == [later]
    desk.later(100)
    assert desk.look() == ids[6:9]


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=60), st.integers(1, 5), st.integers(1, 20))
def test_in_no_interval_more_begin_than_the_burst_and_what_came_back_meanwhile(
    pauses: Sequence[float], burst: int, count: int
) -> None:
    desk = Desk(Rate(f"{count}/s", burst=burst))
    desk.wait(200)
    begun = []
    for pause in pauses:
        desk.later(pause)
        begun += [desk.now for _ in desk.look()]
    for first in range(len(begun)):
        for last in range(first, len(begun)):
            allowed = burst + (begun[last] - begun[first]) * count / MICROS
            assert last - first + 1 <= allowed + 1e-6


def test_a_bucket_that_is_full_again_is_forgotten() -> None:
    desk = Desk(Rate("10/s", by="tenant", burst=1))
    for tenant in range(5):
        desk.wait(1, tenant=str(tenant))
    desk.look()
    assert len(desk.kept.memory) == 5
    desk.later(10)
    desk.wait(1, tenant="new")
    desk.look()
    assert len(desk.kept.memory) == 1


def test_a_clock_that_was_set_back_costs_no_more_than_one_empty_bucket() -> None:
    desk = Desk(Rate("1/s", burst=1))
    desk.wait(2)
    desk.look()
    desk.later(-3600)
    desk.look()
    desk.later(1.0)
    assert len(desk.look()) == 1


def test_of_several_that_come_close_the_last_one_runs_after_a_quiet_window() -> None:
    desk = Desk(Debounce("10s", by="user"))
    for _ in range(3):
        desk.wait(1, user="ann")
        assert desk.look() == []
        desk.later(6)
    assert desk.skipped == [1, 2]
    desk.later(4)
    assert desk.look() == [3]


def test_a_stream_that_never_rests_runs_after_the_longest_wait() -> None:
    desk = Desk(Debounce("10s", max_wait="25s"))
    begun = []
    for _ in range(60):
        desk.wait(1)
        begun += [desk.now for _ in desk.look()]
        desk.later(1)
    assert [(at - NOW) // MICROS for at in begun] == [25, 51]


def test_after_an_end_the_next_waits_its_rest() -> None:
    desk = Desk(Cooldown("10s", by="user"))
    first, second, _ = desk.wait(3, user="ann")
    assert desk.look() == [first]
    desk.later(100)
    assert desk.look() == []
    assert desk.why(user="ann") == "the one before is not over"
    desk.end(first)
    assert desk.look() == []
    desk.later(10)
    assert desk.look() == [second]


def test_after_a_start_the_next_waits_its_rest_though_the_one_before_goes_on() -> None:
    desk = Desk(Cooldown("10s", after="start"))
    ids = desk.wait(3)
    assert desk.look() == ids[:1]
    desk.later(10)
    assert desk.look() == ids[1:2]


def test_what_comes_during_the_rest_may_be_dropped() -> None:
    desk = Desk(Cooldown("10s", meanwhile="skip"))
    first, second, third = desk.wait(3)
    assert desk.look() == [first]
    assert desk.skipped == [second, third]
    desk.end(first)
    desk.look()
    desk.later(11)
    (fourth,) = desk.wait()
    assert desk.look() == [fourth]


def test_one_tenant_with_ten_thousand_waiting_does_not_starve_another() -> None:
    desk = Desk(FairShare(1, by="tenant"))
    flood = desk.wait(10_000, tenant="flood")
    assert desk.look() == flood[:1]
    (small,) = desk.wait(1, tenant="small")
    desk.end(flood[0])
    assert desk.look() == [small]


def test_shares_are_by_weight_whatever_the_cap() -> None:
    for cap in (1, 4, 7):
        desk = Desk(FairShare(cap, by="tenant", weights={"gold": 3.0}))
        tenant_of = dict.fromkeys(desk.wait(2_000, tenant="gold"), "gold")
        tenant_of |= dict.fromkeys(desk.wait(2_000, tenant="iron"), "iron")
        running: list[int] = []
        while len(desk.went) < 400:
            running += desk.look()
            assert len(running) <= cap
            desk.end(running.pop(0))
        counts = Counter(tenant_of[run] for run in desk.went[:400])
        assert abs(counts["gold"] - 300) <= 3, (cap, counts)


def test_who_had_nothing_to_do_saves_nothing_up() -> None:
    desk = Desk(FairShare(1, by="tenant"))
    tenant_of = dict.fromkeys(desk.wait(500, tenant="busy"), "busy")
    for _ in range(100):
        (run,) = desk.look()
        desk.end(run)
    tenant_of |= dict.fromkeys(desk.wait(500, tenant="late"), "late")
    for _ in range(100):
        (run,) = desk.look()
        desk.end(run)
    counts = Counter(tenant_of[run] for run in desk.went[100:])
    assert abs(counts["late"] - 50) <= 1


def test_turns_are_remembered_only_of_those_ahead() -> None:
    desk = Desk(FairShare(1, by="tenant"))
    for tenant in range(50):
        desk.wait(1, tenant=str(tenant))
    for _ in range(50):
        (run,) = desk.look()
        desk.end(run)
    desk.wait(2, tenant="x")
    for _ in range(2):
        (run,) = desk.look()
        desk.end(run)
    (memory,) = desk.kept.memory.values()
    assert set(memory["ahead"]) == {"x"}


def test_without_shares_keys_take_turns_at_what_they_share() -> None:
    desk = Desk(Concurrency(2), Rate("1000/s", by="tenant"))
    acme, zeta = desk.wait(5, tenant="acme"), desk.wait(5, tenant="zeta")
    assert sorted(desk.look()) == [acme[0], zeta[0]]


def test_what_was_promised_and_not_done_counts_and_is_done_by_the_next_who_looks() -> None:
    desk = Desk(Concurrency(1, by="tenant"))
    first, _ = desk.wait(2, tenant="acme")
    desk.look(done=False)
    assert set(desk.kept.granting) == {first}
    before = desk.kept
    assert desk.look() == [first]
    assert desk.decision is not None and not desk.decision.changed
    assert before.memory == desk.kept.memory


def test_a_promise_is_kept_though_the_cap_was_lowered_since() -> None:
    desk = Desk(Concurrency(3))
    ids = desk.wait(5)
    desk.look(done=False)
    desk.limits = named([Concurrency(1)])
    assert desk.look() == ids[:3]
    assert desk.look() == []
    desk.end(*ids[:3])
    assert desk.look() == ids[3:4]


def test_more_keys_than_can_be_remembered_wait() -> None:
    desk = Desk(Rate("1/h", by="tenant", burst=1))
    for tenant in range(KEYS_REMEMBERED_MAX + 10):
        desk.wait(1, tenant=str(tenant))
    while desk.look():
        pass
    assert len(desk.went) == KEYS_REMEMBERED_MAX
    assert "too many keys" in desk.why(tenant=str(KEYS_REMEMBERED_MAX + 5))


def test_a_permit_counts_only_what_its_limit_goes_by() -> None:
    gate = Gate("send", {"tenant": "acme", "region": "eu"})
    limits = [
        Named("concurrency:tenant", Concurrency(1, by="tenant")),
        Named("fair_share:tenant", FairShare(4, by="tenant")),
    ]
    assert permits_of(gate, limits) == (
        'limit/["send","concurrency:tenant",{"tenant":"acme"}]',
        'limit/["send","fair_share:tenant",{}]',
    )


@given(st.data())
def test_at_no_instant_more_than_the_cap_of_any_key_hold_it(data: st.DataObject) -> None:
    cap, total = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 5))
    desk = Desk(Concurrency(cap, by="tenant"), Concurrency(total))
    tenants = ["a", "b", "c"]
    for _ in range(data.draw(st.integers(1, 25))):
        match data.draw(st.sampled_from(["wait", "look", "die", "end"])):
            case "wait":
                desk.wait(data.draw(st.integers(1, 4)), tenant=data.draw(st.sampled_from(tenants)))
            case "look":
                desk.look()
            case "die":
                desk.look(done=False)
            case "end" if desk.went:
                desk.end(data.draw(st.sampled_from(desk.went)))
        for permit, held in desk.holders.items():
            assert len(held) <= (total if permit.endswith("{}]") else cap)
