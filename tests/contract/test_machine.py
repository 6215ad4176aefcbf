"""Any words in any order: the reference model keeps its promises, and every other store answers as it does."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import engine
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shike.ids import virtual_bucket
from shike.lanes import hall_of, lane_of_worker
from shike.model import RECORD_VERSION, TERMINAL, Manner, OnUnknown, Options, Run, Schedule, State, may_move
from shike.store.guards import Absent, Below, Entry, Guard, Insert, PlanNext
from shike.store.verbs import (
    Ack,
    Answer,
    Batch,
    Beat,
    Claim,
    Claimed,
    Division,
    Move,
    Plan,
    PlannedMoment,
    Want,
)
from tests.contract.stores import STORES, demand
from tests.contract.twins import FOR_EVER, Twins
from tests.contract.world import decided, packed

QUEUES = ("a", "b")
HALL = hall_of("a")
TASKS = ("mail", "video")
GATES = ("one", "two")
NAMES = ("s/one", "s/two")
CAP = 2
LEASE_SECONDS = 10.0
WIDE = 64  # virtual buckets
SHRINKING_SECONDS = 15
PHASES = tuple(set(Phase) - {Phase.explain})  # which takes minutes to say which values do not matter
FAIL = msgspec.json.encode(Options(on_unknown=OnUnknown.FAIL))

seconds = st.sampled_from([-5.0, 0.0, 0.0, 0.5, 3.0, 20.0])
small = st.integers(0, 4)
wants = st.lists(
    st.tuples(st.sampled_from(QUEUES), small, small), min_size=1, max_size=2, unique_by=lambda want: want[0]
)
OUTCOMES = [State.SUCCESS, State.SUCCESS, State.FAILED, State.FAILED, State.SCHEDULED, State.DEAD]


class Words(RuleBasedStateMachine):
    """Random verbs. Subclasses say who listens."""

    kinds: ClassVar[tuple[str, ...]] = ("memory",)

    @initialize()
    def begin(self) -> None:
        self.twins = Twins(self.kinds, virtual_buckets=WIDE)
        self.ids: list[int] = []
        self.sessions: list[str] = []
        self.claims: dict[str, int] = {}
        self.beats: dict[str, int] = {}
        self.granted: list[tuple[str, Claimed]] = []
        self.states: dict[int, State] = {}
        self.successes: dict[int, int] = {}
        self.epochs: dict[int, int] = {}  # by virtual bucket
        self.token = 0
        self.ordinal = 0
        self.open_session()

    @property
    def now(self) -> int:
        return self.twins.clock.wall()

    def at(self, after: float) -> int:
        return self.now + round(after * 1_000_000)

    def new_run(self, **fields: Any) -> Run:
        self.ids.append((len(self.ids) + 1) << 8)
        words: dict[str, Any] = {"task": TASKS[0], "queue": QUEUES[0]} | fields
        return Run(RECORD_VERSION, self.ids[-1], **words)

    # ------------------------------------------------------------ rules

    @rule(step=st.sampled_from([0.1, 1.0, 6.0, 11.0]))
    def time_passes(self, step: float) -> None:
        self.twins.clock.advance(step)

    @rule()
    def the_clock_is_set_back(self) -> None:
        self.twins.clock.step(-2)

    @rule(
        many=st.lists(
            st.tuples(
                st.sampled_from([*QUEUES, HALL]),
                st.sampled_from(TASKS),
                st.sampled_from([0, 3, 7]),
                st.sampled_from(["", "", "", *GATES]),
                seconds,
                st.sampled_from([b"", b"", FAIL]),
            ),
            min_size=1,
            max_size=5,
        ),
        key=st.sampled_from(["", "", "k1", "k2"]),
        repeat=st.booleans(),
    )
    def submit(self, many: list[tuple[str, str, int, str, float, bytes]], key: str, repeat: bool) -> None:
        guards: tuple[Guard, ...] = (Absent(key, 8.0),) if key else ()
        entries = [
            Entry(
                self.new_run(
                    queue=queue, task=task, band=band, gate=gate, options=options, key=key, due_at=self.at(after)
                ),
                guards=guards,
            )
            for queue, task, band, gate, after, options in many
        ]
        self.twins.ask("submit", entries)
        if repeat:
            self.twins.ask("submit", entries, repeat=True)
            self.twins.ask("submit", entries)

    @rule()
    @precondition(lambda self: len(self.sessions) < 6)
    def open_session(self) -> None:
        identity = f"session-{len(self.sessions)}"
        self.sessions.append(identity)
        self.twins.join(identity, LEASE_SECONDS)

    @rule(
        who=small,
        wants=st.lists(
            st.tuples(st.sampled_from(QUEUES), small, small), min_size=1, max_size=2, unique_by=lambda w: w[0]
        ),
        tasks=st.sampled_from([TASKS[:1], TASKS, TASKS]),
        suspects=st.sampled_from(Manner),
        suspects_max=st.integers(1, 3),
        again=st.booleans(),
        highest_first=st.booleans(),
        own=st.booleans(),
    )
    def claim(
        self,
        who: int,
        wants: list[tuple[str, int, int]],
        tasks: tuple[str, ...],
        suspects: Manner,
        suspects_max: int,
        again: bool,
        highest_first: bool,
        own: bool,
    ) -> None:
        session = self.sessions[who % len(self.sessions)]
        if own:  # its own lane first
            wants = [(lane_of_worker("a", session), 3, 3), *wants[:1]]
        number = self.claims.get(session, 0) + (0 if again and session in self.claims else 1)
        batch = self.twins.ask(
            "claim",
            Claim(
                session=session,
                number=number,
                wants=tuple(Want(*want) for want in wants),
                tasks=frozenset(tasks),
                suspects=suspects,
                suspects_max=suspects_max,
                bands=tuple(range(8)) if highest_first else tuple(range(7, -1, -1)),
            ),
        )
        if isinstance(batch, Batch):
            self.judge(batch, session, number)

    def judge(self, batch: Batch, session: str, number: int) -> None:
        """What a grant must not do (P2, P3, P6)."""
        repeated = number <= self.claims.get(session, 0)
        for claimed in batch.runs:
            assert repeated or claimed.run_at <= batch.now == self.now, "granted early"
            assert repeated or claimed.token > self.token, "a token that did not grow"
            assert repeated or self.states[claimed.run.id] is not State.RUNNING, "granted to two"
            if (session, claimed) not in self.granted:
                self.granted.append((session, claimed))
        assert len({claimed.run.id for claimed in batch.runs}) == len(batch.runs)
        if batch.manner is Manner.TOGETHER and not repeated:
            assert all(len(batch.runs) <= claimed.together for claimed in batch.runs), "more company than it may have"
        if batch.runs:
            self.token = max(self.token, batch.runs[0].token)
            self.claims[session] = number

    @rule(
        which=st.lists(st.integers(0, 50), min_size=1, max_size=4),
        outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=4, max_size=4),
        traced=st.booleans(),
        thief=st.booleans(),
        insert=st.booleans(),
        died=st.booleans(),
    )
    def settle(
        self, which: list[int], outcomes: list[State], traced: bool, thief: bool, insert: bool, died: bool
    ) -> None:
        if not self.granted:
            return
        acks = []
        session = self.granted[-1 - which[0] % len(self.granted)][0]
        for number, state in zip(which, outcomes, strict=False):
            owner, claimed = self.granted[-1 - number % len(self.granted)]
            if owner == session:
                acks.append(self.ack(claimed, state, traced, insert, died))
        answers = self.twins.ask("settle", self.sessions[0] if thief else session, acks)
        for ack, answer in zip(acks, answers, strict=True):
            if answer is Answer.ACCEPTED and ack.state is State.SUCCESS:
                self.successes[ack.run_id] = self.successes.get(ack.run_id, 0) + 1

    def ack(self, claimed: Claimed, state: State, traced: bool, insert: bool, died: bool) -> Ack:
        trace = packed(claimed, state) if traced or state is State.FAILED else b""
        run = claimed.run
        effects: tuple[Insert | PlanNext, ...] = ()
        if insert and run.schedule:
            following = self.new_run(schedule=run.schedule, ordinal=run.ordinal + 1)
            effects = (PlanNext(run.schedule, run.schedule_version, 4.0, Entry(following)),)
        elif insert:
            effects = (Insert(Entry(self.new_run(), delay_seconds=1.0)),)
        return Ack(
            run.id,
            claimed.token,
            state,
            2.0,
            reason="why",
            trace=trace,
            effects=effects,
            died=died and state is State.FAILED,
        )

    @rule(who=small, late=st.booleans(), forget=st.booleans(), report=st.booleans())
    def beat(self, who: int, late: bool, forget: bool, report: bool) -> None:
        session = self.sessions[who % len(self.sessions)]
        if not late:
            self.beats[session] = self.beats.get(session, 0) + 1
        mine = [claimed for owner, claimed in self.granted if owner == session]
        self.twins.ask(
            "beat",
            Beat(
                session=session,
                number=self.beats.get(session, 0),
                lease_seconds=LEASE_SECONDS,
                received=self.claims.get(session, 0) if forget else 0,
                holds=tuple({claimed.token for claimed in mine[1:]}),
                progress=tuple((claimed.run.id, claimed.token, b"half") for claimed in mine if report),
            ),
        )

    @rule(who=small, own_word=st.booleans(), died=st.booleans(), limit=st.integers(1, 3))
    def session_ends(self, who: int, own_word: bool, died: bool, limit: int) -> None:
        session = self.sessions[who % len(self.sessions)]
        if died:
            self.twins.dead.add(session)
        seen = None if own_word else self.beats.get(session, 0)
        self.twins.ask("close_session", session, seen_beat=seen, reason="why")
        self.twins.ask("held", session)
        self.twins.ask("free", session, limit)

    @rule(
        which=st.integers(0, 50),
        to=st.sampled_from(
            [State.SCHEDULED, State.SCHEDULED, State.WAITING, State.CANCELLED, State.SKIPPED, State.DEAD]
        ),
        guarded=st.booleans(),
        after=st.sampled_from([None, None, 0.0, 4.0]),
        band=st.sampled_from([None, 1]),
        version=st.integers(0, 3),
    )
    def move(self, which: int, to: State, guarded: bool, after: float | None, band: int | None, version: int) -> None:
        if not self.ids:
            return
        run_id = self.ids[which % len(self.ids)]
        found = self.twins.ask("live", run_id)
        gate = found.run.gate if found is not None else ""
        if to is State.SCHEDULED and gate and not guarded:
            return  # nobody but a caller who means it admits without a permit
        guards: tuple[Guard, ...] = (Below(gate, CAP),) if gate and to is State.SCHEDULED else ()
        wanted = Move(
            run_id=run_id,
            version=version,
            to=to,
            run_at=None if after is None else self.at(after),
            band=band,
            reason="why",
            guards=guards,
        )
        self.twins.ask("move", [wanted])

    @rule(which=st.lists(st.integers(0, 50), min_size=1, max_size=3), who=small, seen=st.booleans())
    def assign(self, which: list[int], who: int, seen: bool) -> None:
        """Runs are put into one worker's own lane, from the hall, another lane, or wherever else they stand."""
        moves = []
        for run_id in dict.fromkeys(self.ids[number % len(self.ids)] for number in which if self.ids):
            found = self.twins.ask("live", run_id)
            if found is not None and found.state is not State.WAITING:
                version = found.version if seen else 0
                note = decided(found.version + 1)
                session = self.sessions[who % len(self.sessions)]
                moves.append(Move(run_id=run_id, version=version, to=State.ASSIGNED, worker=session, note=note))
        self.twins.ask("move", moves)

    @rule(lane=st.sampled_from([HALL, lane_of_worker("a", "session-0")]), limit=st.integers(1, 5))
    def look_at_lanes(self, lane: str, limit: int) -> None:
        self.twins.ask("lanes")
        self.twins.ask("standing", lane, limit)

    @rule(which=st.integers(0, 50))
    def ask_why(self, which: int) -> None:
        if self.ids:
            self.twins.ask("decisions", self.ids[which % len(self.ids)])
            self.twins.ask("attempts", self.ids[which % len(self.ids)])

    @rule(gate=st.sampled_from(GATES))
    def admit(self, gate: str) -> None:
        waiting = self.twins.ask("gate_waiters", gate, 1000)
        self.twins.ask(
            "move",
            [
                Move(run_id=one.run_id, version=one.version, to=State.SCHEDULED, guards=(Below(gate, CAP),))
                for one in waiting
            ],
        )

    @rule(queue=st.sampled_from(QUEUES), pause=st.booleans())
    def switch(self, queue: str, pause: bool) -> None:
        self.twins.ask("put", f"queue/{queue}", b"paused" if pause else None, expect=None)

    @rule(name=st.sampled_from(NAMES), args=st.sampled_from([b"1", b"2"]), expect=st.sampled_from([None, None, 0, 1]))
    def put_schedule(self, name: str, args: bytes, expect: int | None) -> None:
        schedule = Schedule(name=name, task=TASKS[0], trigger=b"t", args=args)
        self.twins.ask("put_schedule", schedule, expect=expect, plan_at=self.now)

    @rule(name=st.sampled_from(NAMES), change=st.sampled_from(["pause", "resume", "resume", "delete"]))
    def control(self, name: str, change: str) -> None:
        paused = {"pause": True, "resume": False}.get(change)
        self.twins.ask("control_schedule", name, paused=paused, reason="why", delete=change == "delete")

    @rule(name=st.sampled_from(NAMES), ahead=st.lists(seconds, max_size=3, unique=True), gated=st.booleans())
    def plan(self, name: str, ahead: list[float], gated: bool) -> None:
        planned = self.twins.ask("schedule", name)
        if planned is None:
            return
        version = planned.schedule.version
        moments = []
        for after in sorted(ahead):
            self.ordinal += 1
            fields = {"schedule": name, "moment": self.at(after), "due_at": self.at(after), "gate": GATES[0] * gated}
            run = self.new_run(ordinal=self.ordinal, schedule_version=version, **fields)
            moments.append(PlannedMoment(run.moment, run.ordinal, run.due_at, Entry(run)))
        home = virtual_bucket(name, WIDE)
        (bucket,) = [one for one in self.twins.ask("buckets") if one.low <= home <= one.high]
        self.twins.ask(
            "plan",
            Plan(
                schedule=name,
                version=version,
                cursor=planned.cursor,
                plan_at_seen=planned.plan_at,
                to=moments[-1].moment if moments else planned.cursor,
                ordinal=self.ordinal,
                plan_at=self.at(9),
                bucket=home,
                epoch=bucket.epoch,
                moments=tuple(moments),
            ),
        )

    @rule(
        who=small,
        whose=st.integers(-1, 4),
        first=small,
        count=st.integers(1, 3),
        into=st.sampled_from(["same", "same", "halves", "one"]),
        stale=st.booleans(),
        silent=st.booleans(),
    )
    def divide(self, who: int, whose: int, first: int, count: int, into: str, stale: bool, silent: bool) -> None:
        """Some of the buckets change hands or sizes; under the epochs seen, or older ones."""
        buckets = self.twins.ask("buckets")
        old = buckets[first % len(buckets) :][:count]
        new = [(bucket.low, bucket.high) for bucket in old]
        if into == "one":
            new = [(new[0][0], new[-1][1])]
        elif into == "halves":
            new = [half for low, high in new for half in halves(low, high)]
        division = Division(
            session=self.sessions[who % len(self.sessions)],
            owner="" if whose < 0 else self.sessions[whose % len(self.sessions)],
            old=tuple((bucket.low, bucket.epoch - stale) for bucket in old),
            new=tuple(new),
            silent=tuple((name, self.beats.get(name, 0)) for name in self.sessions if silent),
        )
        self.twins.ask("divide", division)
        self.twins.ask("divide", division)  # a repeat

    @rule(keep=st.sampled_from([3.0, 1e9]))
    def purge(self, keep: float) -> None:
        """Receipts, keys and sessions; what days are dropped in is each store's own."""
        self.twins.purge(receipt_seconds=keep, session_seconds=keep)

    # ------------------------------------------------------------ what must always hold

    @invariant()
    def counted_alike(self) -> None:
        self.twins.ask("counts")

    @invariant()
    def only_allowed_moves(self) -> None:
        for run_id in self.ids:
            old = self.states.get(run_id)
            if old in TERMINAL:
                continue
            found = self.twins._ask_one(self.twins.stores[0], "find", run_id)
            if found is not None:
                assert old is None or old is found.state or may_move(old, found.state), f"{old} became {found.state}"
                self.states[run_id] = found.state
            else:
                assert old is None or self.is_withdrawn(run_id), f"run {run_id} is lost"

    def is_withdrawn(self, run_id: int) -> bool:
        rows = [row for name in NAMES for row in self.twins.ask("timetable", name, 0, FOR_EVER)]
        self.states.pop(run_id)
        return any(row.run_id == run_id and row.fate == "withdrawn" for row in rows)

    @invariant()
    def one_success_and_no_more_permits_than_the_cap(self) -> None:
        assert all(count == 1 for count in self.successes.values())
        for gate in GATES:
            assert len(self.twins.ask("holders", gate)) <= CAP

    @invariant()
    def the_buckets_hold_each_virtual_bucket_once_and_their_epochs_grow(self) -> None:
        buckets = self.twins.ask("buckets")
        assert [at for bucket in buckets for at in range(bucket.low, bucket.high + 1)] == list(range(WIDE))
        for bucket in buckets:
            for at in range(bucket.low, bucket.high + 1):
                assert bucket.epoch >= self.epochs.get(at, 0)
                self.epochs[at] = bucket.epoch

    @invariant()
    def every_run_is_in_one_place(self) -> None:
        self.twins.assert_conserved()

    def teardown(self) -> None:
        if hasattr(self, "twins"):
            self.twins.compare(self.ids, GATES, NAMES)
            self.twins.close()


def halves(low: int, high: int) -> list[tuple[int, int]]:
    middle = (low + high) // 2
    return [(low, middle), (middle + 1, high)] if low < high else [(low, high)]


def machine(*kinds: str) -> type[Words]:
    return type("Words", (Words,), {"kinds": kinds})


def play(*kinds: str) -> None:
    for kind in kinds:
        demand(kind)
    run_state_machine_as_test(
        machine(*kinds),
        settings=settings(
            stateful_step_count=40,
            deadline=None,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture(autouse=True)
def shrink_for_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is told soon, rather than in the fewest words; hypothesis itself would take five minutes."""
    monkeypatch.setattr(engine, "MAX_SHRINKING_SECONDS", SHRINKING_SECONDS, raising=False)


def test_the_reference_model_keeps_its_promises() -> None:
    play("memory")


@pytest.mark.parametrize("kind", sorted(set(STORES) - {"memory", "redis-cluster"}))
def test_every_store_answers_as_the_reference_model_does(kind: str) -> None:
    play("memory", kind)
