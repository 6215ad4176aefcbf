"""What an attempt tells of itself is kept by every store, in the one record that travels with its end (R0.9, R2.9)."""

from __future__ import annotations

import msgspec

from shike.attempts import Failure, Fault, Frame, LogLine, Tail, UserStep, pack_report, split_report
from shike.bounds import FAULTS_MAX, FRAMES_MAX, LOG_TAIL_LINES, STEPS_MAX
from shike.model import RECORD_VERSION, Attempt, State
from shike.operate import dead, queues, traces
from shike.operate.autopsy import Cause
from shike.store import past
from shike.store.verbs import Answer, Claimed
from shike.waiting import pauses
from tests.contract.world import TASK, World

FRAMES = tuple(Frame(f"/srv/shop/{n}.py", n, "支付", "x" * 200, True) for n in range(FRAMES_MAX))
LARGEST = Failure("0f" * 8, tuple(Fault("shop.Sold", "m" * 1000, FRAMES, "cause") for _ in range(FAULTS_MAX)))


def attempt_of(claimed: Claimed, state: State, now: int, **more: object) -> Attempt:
    return Attempt(
        RECORD_VERSION, claimed.attempt, claimed.token, "worker", state, now, now, now, "shop.Sold: 七", "", (), "w1",
        claimed.run_at, 0, 4, 500, **more,
    )  # type: ignore[arg-type]  # fmt: skip


async def test_the_largest_trace_is_kept_as_it_was(world: World) -> None:
    await world.session()
    claimed = await world.started()
    steps = tuple(UserStep(f"step {n}", n, 1, n - 1) for n in range(STEPS_MAX))
    lines = tuple(LogLine(n, "INFO", "七" * 80) for n in range(LOG_TAIL_LINES))
    told = attempt_of(
        claimed, State.FAILED, world.now, spans=steps, lines=lines, lost=7, failure=LARGEST, traceparent="00-a-b-01"
    )
    packed = msgspec.msgpack.encode(told)
    assert await world.settle(claimed, State.FAILED, trace=packed, delay_seconds=1.0) is Answer.ACCEPTED
    assert await world.store.attempts(claimed.run.id) == [told]
    world.clock.advance(2)
    again = await world.take()
    last = attempt_of(again, State.DEAD, world.now, failure=LARGEST)
    await world.settle(again, State.DEAD, trace=msgspec.msgpack.encode(last), reason="shop.Sold: 七")
    assert await world.store.attempts(claimed.run.id) == [told, last]


async def test_dead_letters_are_grouped_by_what_failed_where(world: World) -> None:
    await world.session()
    for number in range(5):
        claimed = await world.started()
        failure = msgspec.structs.replace(LARGEST, fingerprint="other") if number == 4 else LARGEST
        told = attempt_of(claimed, State.DEAD, world.now, failure=failure if number else None)
        await world.settle(claimed, State.DEAD, trace=msgspec.msgpack.encode(told), reason=f"shop.Sold: {number}")
    found = await dead.grouped(world.store)
    assert [(one.count, one.waiting) for one in found.groups] == [(3, 3), (1, 1), (1, 1)]
    largest = found.groups[0]
    assert (largest.fingerprint, largest.kind) == (LARGEST.fingerprint, "shop.Sold")
    assert largest.place == f"{FRAMES_MAX - 1}.py:{FRAMES_MAX - 1} 支付" and not found.more
    assert len(await dead.pick(world.store, (), group=LARGEST.fingerprint)) == 3


async def test_the_end_of_the_log_goes_with_the_progress(world: World) -> None:
    await world.session()
    claimed = await world.started()
    report = pack_report(b'{"done":3}', Tail(9, (LogLine(1, "INFO", "七"),)))
    await world.beat(progress=((claimed.run.id, claimed.token, report),), holds=(claimed.token,))
    found = split_report((await world.live(claimed.run.id)).progress)
    assert found == (b'{"done":3}', Tail(9, (LogLine(1, "INFO", "七"),)))


async def test_a_run_that_waited_for_a_paused_queue_says_so(world: World) -> None:
    await world.session()
    run_id = await world.add()
    await queues.pause(world.store, "default", "stocktaking")
    world.clock.advance(4)
    assert await world.granted() == []
    assert await queues.resume(world.store, "default")
    claimed = await world.take()
    await world.settle(
        claimed, State.SUCCESS, trace=msgspec.msgpack.encode(attempt_of(claimed, State.SUCCESS, world.now))
    )
    told = await traces.of_run(world.store, run_id)
    assert told.why.startswith("4.0 s late: queue default was paused (stocktaking) until ")
    assert Cause.PAUSED in [bar.cause for bar in told.bars]
    (pause,) = await past.listed(world.store, "queue/default")
    assert pause.until - pause.since == 4_000_000


async def test_only_the_last_pauses_are_remembered(world: World) -> None:
    for number in range(past.KEPT + 3):
        await queues.pause(world.store, "mail", f"reason {number}" * 20)
        await queues.pause(world.store, "mail", f"reason {number}")
        await queues.resume(world.store, "mail")
    found = await past.listed(world.store, "queue/mail")
    assert len(found) == past.KEPT and found[-1].reason == f"reason {past.KEPT + 2}"


async def test_a_paused_task_is_told_too_and_a_key_is_not_listed(world: World) -> None:
    await world.session()
    run_id = await world.add()
    task, key = pauses.what_of(task=TASK), pauses.what_of(key="order/7")
    for what in (task, key):
        await pauses.pause(world.store, what, "an incident")
    told = await traces.of_run(world.store, run_id)
    world.clock.advance(4)
    told = await traces.of_run(world.store, run_id)
    assert [bar.words for bar in told.bars] == [f"task {TASK} is paused: an incident"]
    for what in (task, key):
        assert await pauses.resume(world.store, what)
    assert [row.key for row in await world.store.controls(past.PAST)] == [f"{past.PAST}pause/task/{TASK}"]
