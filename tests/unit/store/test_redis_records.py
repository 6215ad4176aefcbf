"""What is written to Redis is read again as it was, by this version and the next (golden bytes)."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shike.clock import WALL_MAX
from shike.model import Fate, Misfire, OnUnknown, Options, Planned, Run, Schedule, ScheduleVersion, TimetableRow
from shike.store.hints import Hint
from shike.store.redis.bodies import ASK, FAIL, pack_body, places, read_body
from shike.store.redis.news import NUMBERS, pack_hint, read_hints
from shike.store.redis.records import (
    eight,
    pack_planned,
    pack_row,
    pack_version,
    read_planned,
    read_row,
    read_version,
)

words = st.text(max_size=20)
instants = st.integers(0, WALL_MAX)
runs = st.builds(
    Run,
    version=st.just(1),
    id=st.integers(1, (1 << 63) - 1),
    task=words,
    args=st.binary(max_size=40),
    queue=words,
    band=st.integers(0, 7),
    due_at=instants,
    created_at=instants,
    key=words,
    schedule=words,
    moment=st.just(0),
    ordinal=st.just(0),
    misfire=st.sampled_from(Misfire),
    misfire_seconds=st.floats(0, 1e9),
    expires_at=instants,
    gate=words,
    replay_of=st.integers(0, (1 << 63) - 1),
    options=st.sampled_from([b"", b"{}", b"no json", b'{"on_unknown":"fail"}']),
    owner=words,
)


@given(run=runs, moment=instants, ordinal=st.integers(0, 1 << 40), version=st.integers(0, 1 << 20))
def test_a_run_comes_back_as_it_went(run: Run, moment: int, ordinal: int, version: int) -> None:
    if run.schedule:
        numbers = {"moment": moment, "ordinal": ordinal, "next_due_at": moment, "schedule_version": version}
        run = msgspec.structs.replace(run, **numbers)
    body = pack_body(run, 64)
    assert read_body(run.id, body) == run
    if run.schedule:
        at, expiry = places(run)
        assert body[at : at + 8] == eight(moment)
        assert (body[expiry : expiry + 8] == eight(run.expires_at)) if run.expires_at else expiry == 0


GOLDEN = {
    "0001030006474846204000000647484620400100046d61696c000764656661756c740000000a7b2275736572223a317d": Run(
        1, 7 << 8, "mail", b'{"user":1}', due_at=1_767_225_600_000_000, created_at=1_767_225_600_000_001
    ),
    "2f01030000000000000001000000000000000200046d61696c000764656661756c74000000027b7d1c0003612f62000000000000000300000000"
    "00000004000000000000000500000008000167000000000000000696a16ba3616c6ccb000000000000000007c4147b226f6e5f756e6b6e6f776e"
    "223a2261736b227da3616e6e": Run(
        1, 7 << 8, "mail", b"{}", due_at=1, created_at=2, key="k", schedule="a/b", moment=3, ordinal=4, next_due_at=5,
        expires_at=6, gate="g", replay_of=7, options=b'{"on_unknown":"ask"}', owner="ann", schedule_version=8,
    ),
}  # fmt: skip


def test_bodies_of_earlier_versions_are_read_for_ever() -> None:
    for golden, run in GOLDEN.items():
        assert read_body(run.id, bytes.fromhex(golden)) == run
        assert pack_body(run, 64).hex() == golden


def test_the_body_says_what_an_unknown_outcome_means() -> None:
    for meaning, flag in ((OnUnknown.FAIL, FAIL), (OnUnknown.ASK, ASK), (OnUnknown.REPEAT, 0)):
        run = Run(1, 256, "t", options=msgspec.json.encode(Options(on_unknown=meaning)))
        assert pack_body(run, 1)[0] & (FAIL | ASK) == flag


def test_schedules_versions_and_rows_come_back_as_they_went() -> None:
    schedule = Schedule(name="a/b", task="t", trigger=b"\xff", version=3, args=b"\x00", created_at=5)
    planned = Planned(
        schedule=schedule, cursor=WALL_MAX, ordinal=1 << 40, plan_at=WALL_MAX, paused=True, reason="r", resume_at=9
    )
    assert read_planned(pack_planned(planned)) == planned
    version = ScheduleVersion(schedule=schedule, edited_at=5, since=1, until=WALL_MAX, ordinal=4, stands=False)
    assert read_version(pack_version(version)) == version
    for row in (
        TimetableRow("a/b", 3, 5, 5, 1, Fate.PLANNED, 256, 6),
        TimetableRow("a/b", 3, 5, WALL_MAX, 1 << 40, Fate.MISSED, state=7),
    ):
        assert read_row("a/b", eight(row.moment), pack_row(row)) == row


@given(
    hints=st.lists(
        st.builds(
            Hint,
            kind=st.sampled_from(sorted(NUMBERS)),  # not MISSED, which no process tells another
            queue=words,
            at=st.integers(0, 1 << 50),
            run_ids=st.lists(st.integers(1, (1 << 63) - 1), max_size=3).map(tuple),
            name=words,
        )
    )
)
def test_hints_come_back_as_they_went(hints: list[Hint]) -> None:
    assert read_hints(b"".join(map(pack_hint, hints))) == hints
