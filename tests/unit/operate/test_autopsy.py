"""Why so late: every cause in words, from what was written down. Pure: no store, no clock (R0.9, R2.9)."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shike.attempts import UserStep
from shike.model import Attempt, Ended, Gang, Live, Options, Route, Run, Session, SessionState, State, Ties
from shike.operate.autopsy import Cause, Trace, because, clock, trace
from shike.operate.runs import timeline
from shike.operate.sayings import sentence
from shike.operate.waterfall import Before, Evidence, Kind, Status, seconds
from shike.store.past import Pause
from shike.worker.serving import pack

S = 1_000_000
DUE = 1_767_261_600 * S  # 2026-01-01 10:00:00 UTC
RUN = Run(1, 256, "mail.send", due_at=DUE, created_at=DUE)


def ended(run: Run = RUN, at: int = DUE + 3 * S, state: State = State.SUCCESS, **more: Any) -> Ended:
    return Ended(run, state, at, 1, 7, "s1", **more)


def attempt(claimed: int, took: int = S // 10, **more: Any) -> Attempt:
    known: dict[str, Any] = {
        "version": 1, "number": 1, "token": 7, "session": "s1", "state": State.SUCCESS, "claimed_at": claimed,
        "started_at": claimed, "ended_at": claimed + took, "worker": "a", "eligible_at": DUE, "slots": 4,
    }  # fmt: skip
    return Attempt(**(known | more))


def session(kind: str, start: int, end: int = 0, queues: tuple[str, ...] = ("default",)) -> Session:
    return Session(
        id=f"{kind}{start}", number=1, name="a", kind=kind, host="h", pid=1, started_at=start, expires_at=1,
        state=SessionState.CLOSED if end else SessionState.OPEN, closed_at=end, load=pack(queues, ()),
    )  # fmt: skip


def story(*attempts: Attempt, **more: Any) -> Trace:
    known = more.pop("known", None) or ended(at=max((one.ended_at for one in attempts), default=DUE) + 1000)
    return trace(Evidence(known=known, now=DUE + 100 * S, attempts=attempts, **more))


def causes(told: Trace) -> list[tuple[str, int]]:
    return [(bar.cause, (bar.end - bar.start) // (S // 10)) for bar in told.bars if bar.kind is Kind.WAIT]


def test_all_slots_were_busy_until_an_instant() -> None:
    told = story(attempt(DUE + 19 * S // 10, room_at=DUE + 19 * S // 10))
    assert told.why == "1.9 s late: all 4 slots of worker a were busy until 10:00:01.9"
    assert causes(told) == [(Cause.BUSY, 19)] and told.late_micros == 19 * S // 10
    one = story(attempt(DUE + 2 * S, room_at=DUE + 2 * S, slots=1))
    assert "the only slot of worker a was busy" in one.why
    limited = story(attempt(DUE + 2 * S, room_at=DUE + 2 * S, slots=-2))
    assert "all 2 slots of worker a that queue default may have were busy" in limited.why


def test_clock_times_are_those_of_the_readers_zone() -> None:
    assert clock(DUE, UTC) == "10:00:00.0" and clock(DUE, timezone(timedelta(hours=8))) == "18:00:00.0"


def test_on_time_is_said_so() -> None:
    assert story(attempt(DUE + 1000)).why == "on time"


def test_no_scheduler_was_running() -> None:
    planned = replace(RUN, schedule="g/n", moment=DUE, created_at=DUE + 5 * S)
    sessions = [session("node", DUE - 60 * S, DUE - S), session("all", DUE + 5 * S)]
    told = story(attempt(DUE + 5 * S), known=ended(planned, DUE + 6 * S), sessions=sessions)
    assert told.why == "5.0 s late: no scheduler node was running until 10:00:05.0"
    behind = story(attempt(DUE + 5 * S), known=ended(planned, DUE + 6 * S), sessions=[session("all", DUE - S)])
    assert behind.why == "5.0 s late: its moment was planned 5.0 s after it was due"


def test_no_worker_that_serves_the_queue_was_running() -> None:
    others = session("worker", DUE - S, queues=("bulk",))
    told = story(attempt(DUE + 3 * S), sessions=[others, session("worker", DUE + 3 * S)])
    assert told.why == "3.0 s late: no worker of queue default was running until 10:00:03.0"


def test_the_queue_was_paused() -> None:
    pause = Pause(since=DUE - S, until=DUE + 4 * S, reason="stocktaking")
    told = story(attempt(DUE + 4 * S), pauses=[pause])
    assert told.why == "4.0 s late: queue default was paused (stocktaking) until 10:00:04.0"


def test_the_store_was_slow() -> None:
    told = story(attempt(DUE + 3 * S, asked_micros=3 * S))
    assert told.why == "3.0 s late: the store was slow: it took 3.0 s to grant it"


def test_the_overlap_gate_held_it_until_the_run_before_was_over() -> None:
    run = replace(RUN, schedule="g/n", moment=DUE, gate="overlap/g/n")
    before = [Before(run_id=1, ended_at=DUE + 2 * S), Before(run_id=0, ended_at=DUE - S)]
    told = story(attempt(DUE + 2 * S), known=ended(run), before=before)
    assert told.why == "2.0 s late: overlap gate: the run before it was not over until 10:00:02.0"
    assert [point.at for point in told.points if point.step == "promoted"] == [DUE + 2 * S]


def test_a_limit_held_it_back() -> None:
    told = story(attempt(DUE + 2 * S), known=ended(replace(RUN, gate="limit/pay/7")))
    assert told.why == "2.0 s late: it waited for its permit at limit/pay/7"


def test_parents_and_a_person_held_it_back() -> None:
    run = replace(RUN, ties=Ties(256, 2, approval_seconds=60.0), gate="graph/approval")
    late = attempt(DUE + 8 * S, eligible_at=DUE + 8 * S)
    told = story(late, known=ended(run, DUE + 9 * S), parents_ended_at=DUE + 3 * S)
    assert causes(told) == [(Cause.PARENTS, 30), (Cause.APPROVAL, 50)]
    assert told.why.startswith("8.0 s late: its parents were not over until 10:00:03.0; then nobody had approved it")


def test_a_router_and_a_lane() -> None:
    options = msgspec.json.encode(Options(route=Route(by="round_robin")))
    run = replace(RUN, queue="default>", options=options)
    note = attempt(DUE + S, state=State.ASSIGNED)
    told = story(attempt(DUE + 3 * S), known=ended(run, DUE + 4 * S), decisions=[note])
    assert causes(told) == [(Cause.ROUTER, 10), (Cause.LANE, 20)]
    assert told.why == (
        "3.0 s late: it waited in the hall for the router (round_robin); then it waited in the lane of worker a"
    )


def test_backoff_snooze_and_a_lost_process_between_attempts() -> None:
    failed = attempt(DUE, state=State.FAILED, error="OSError: x", ended_at=DUE + S)
    lost = attempt(DUE + 3 * S, number=2, state=State.FAILED, started_at=0, ended_at=DUE + 13 * S, error="lost: killed")
    snoozed = attempt(DUE + 13 * S, number=3, state=State.SCHEDULED, ended_at=DUE + 14 * S)
    last = attempt(DUE + 20 * S, number=3, eligible_at=DUE + 20 * S)
    told = story(failed, replace(lost, eligible_at=DUE + 3 * S), replace(snoozed, eligible_at=DUE + 3 * S), last)
    assert causes(told) == [(Cause.BACKOFF, 20), (Cause.LOST, 100), (Cause.SNOOZED, 60)]
    words = [bar.words for bar in told.bars if bar.kind is Kind.WAIT]
    assert words[0] == "retry backoff: 2.0 s after attempt 1 failed"
    assert words[1] == "attempt 2 was lost: killed; rescued at 10:00:13.0"
    assert told.why == "on time", "the first attempt was"


def test_several_causes_are_told_in_the_order_in_which_they_ended() -> None:
    told = story(
        attempt(DUE + 4 * S, room_at=DUE + 4 * S),
        pauses=[Pause(since=DUE - S, until=DUE + S)],
        sessions=[session("worker", DUE + 3 * S)],
    )
    assert causes(told) == [(Cause.PAUSED, 10), (Cause.NO_WORKER, 20), (Cause.BUSY, 10)]
    assert because(DUE, told.late_micros, told.bars) == [bar for bar in told.bars if bar.kind is Kind.WAIT]
    assert because(DUE, 0, told.bars) == []


def test_what_nobody_wrote_down_is_not_guessed() -> None:
    assert causes(story(attempt(DUE + 2 * S))) == [(Cause.UNKNOWN, 20)]


def test_a_run_that_was_put_off_says_so() -> None:
    told = story(attempt(DUE + 9 * S, eligible_at=DUE + 9 * S))
    assert told.why == "9.0 s late: it was put off until 10:00:09.0"


@pytest.mark.parametrize(
    ("live", "more", "cause"),
    [
        (Live(RUN, State.WAITING, DUE, 3), {}, Cause.GATE),
        (Live(RUN, State.SCHEDULED, DUE + 200 * S, 3), {}, Cause.AHEAD),
        (Live(RUN, State.SCHEDULED, DUE, 3), {}, Cause.NO_WORKER),
        (Live(RUN, State.SCHEDULED, DUE, 3), {"sessions": [session("worker", DUE - S)]}, Cause.BUSY),
        (Live(RUN, State.SCHEDULED, DUE, 3), {"pauses": [Pause(since=DUE, until=0, reason="x")]}, Cause.PAUSED),
    ],
)
def test_a_run_that_waits_says_for_what(live: Live, more: dict[str, Any], cause: Cause) -> None:
    told = trace(Evidence(known=live, now=DUE + 100 * S, **more))
    assert [(bar.cause, bar.status) for bar in told.bars] == [(cause, Status.OPEN)]


def test_a_run_under_way_is_an_open_bar() -> None:
    told = trace(Evidence(known=Live(RUN, State.RUNNING, DUE, 3), now=DUE + S))
    assert [(bar.kind, bar.status) for bar in told.bars] == [(Kind.RUN, Status.OPEN)]


def test_steps_nest_in_their_attempt_and_have_ids_of_their_own() -> None:
    spans = (UserStep("outer", DUE, S), UserStep("inner", DUE + 1, 5, 0, "OSError"), UserStep("next", DUE + 9, 5))
    told = story(attempt(DUE, took=S, spans=spans))
    assert [(bar.label, bar.depth, bar.status) for bar in told.bars if bar.kind is Kind.STEP] == [
        ("outer", 1, Status.OK),
        ("inner", 2, Status.FAILED),
        ("next", 1, Status.OK),
    ]
    names = [point.step for point in told.points]
    assert {"submitted", "due", "claimed", "started", "step outer", "step inner", "ended", "acked"} <= set(names)
    assert len({point.id for point in told.points}) == len(told.points)
    assert [point.at for point in told.points] == sorted(point.at for point in told.points)


def test_steps_of_older_programs_are_drawn_too() -> None:
    told = story(attempt(DUE, took=S, steps=(("load", DUE, 5),)))
    assert [bar.label for bar in told.bars if bar.kind is Kind.STEP] == ["load"]


@given(
    st.lists(st.integers(0, 50 * S), min_size=4, max_size=4),
    st.integers(0, 60 * S),
    st.integers(0, 60 * S),
    st.integers(0, 60 * S),
)
def test_waits_never_overlap_and_never_run_backwards(lengths: list[int], room: int, asked: int, paused: int) -> None:
    at, attempts = DUE, []
    for number, length in enumerate(lengths[::2], 1):
        at += length
        attempts.append(
            attempt(at, lengths[1], number=number, state=State.FAILED, room_at=DUE + room, asked_micros=asked)
        )
        at += lengths[1]
    told = story(
        *attempts, pauses=[Pause(since=DUE, until=DUE + paused)], sessions=[session("worker", DUE + lengths[3])]
    )
    waits = [bar for bar in told.bars if bar.kind is Kind.WAIT]
    assert all(bar.start < bar.end for bar in waits)
    assert all(one.end <= two.start for one, two in pairwise(waits))
    assert all(bar.words == sentence(bar.saying, bar.about) for bar in waits), "other languages have the same blanks"


def test_lengths_are_words() -> None:
    assert [seconds(n) for n in (400, 80_000, 1_900_000, 270 * S, 7_560 * S, 90 * 3600 * S)] == [
        "0.4 ms", "80 ms", "1.9 s", "4.5 min", "2.1 h", "3.8 d",
    ]  # fmt: skip


GANG_RUN = replace(RUN, ties=Ties(256, 8), options=msgspec.json.encode(Options(gang=Gang("256.0", 8, 8, 30.0))))


def test_a_member_of_a_gang_waits_for_slots_and_says_so() -> None:
    told = story(attempt(DUE + 12 * S, started_at=DUE + 12 * S + S // 5), known=ended(GANG_RUN, DUE + 13 * S))
    assert told.why == "12.2 s late: its gang had not the 8 slots that it needs until 10:00:12.0"
    assert causes(told) == [(Cause.GANG, 120), (Cause.GANG, 2)]
    assert told.bars[1].words == "it kept a slot of worker a for 200 ms, until its gang had all 8 that it needs"


@pytest.mark.parametrize(
    ("state", "run_at", "gathers", "words"),
    [
        (State.RUNNING, DUE, True, "it has a slot, and its gang has not all 8 that it needs"),
        (
            State.SCHEDULED,
            DUE + 102 * S,
            True,
            "its gang did not get the 8 slots that it needs, and tries again in 2.0 s",
        ),
        (State.SCHEDULED, DUE, True, "its gang has not the 8 slots that it needs"),
        (State.RUNNING, DUE, False, "under way"),
    ],
)
def test_a_member_that_waits_now_says_for_what(state: State, run_at: int, gathers: bool, words: str) -> None:
    known = Live(GANG_RUN, state, run_at, 3)
    told = story(known=known, gathers=gathers, sessions=[session("worker", DUE - S)])
    assert [bar.words for bar in told.bars] == [words]


def test_a_run_ends_after_its_last_attempt_whatever_two_clocks_say() -> None:
    one = attempt(DUE, S)
    known = ended(at=one.ended_at - 2000)  # the worker's clock is 2 ms ahead
    assert [point.step for point in story(one, known=known).points][-2:] == ["ended", "acked"]
    assert [line.what for line in timeline(known, [one], DUE + 5 * S)][-2:] == ["attempt success", "success"]
