"""A run's trace from end to end, in virtual time: steps, log, failure, and why it was late (R0.9, R2.9)."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from shike import Backoff, Growth, Roles, Shike, current, step, traced
from shike.model import Attempt, Ended
from shike.operate import runs, traces
from shike.operate.facts import run_facts
from shike.operate.waterfall import Kind
from shike.testing import harness
from shike.testing.harness import Harness
from tests import bounded

app = Shike("memory://")
log = logging.getLogger("tests.traces")
log.setLevel(logging.INFO)


@traced
def parse(number: int) -> int:
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number


@app.task(name="later", retry=Backoff(attempts=2, growth=Growth.FIXED, base_seconds=5, jitter=0))
async def later(number: int, password: str = "") -> int:
    log.info("number %d", number)
    with step("outer"), step("inner"):
        return parse(number)


@app.task(name="here")
def here(number: int) -> int:
    log.info("number %d", number)
    with step("outer"):
        return parse(number)


def attempts(h: Harness, run_id: str) -> list[Attempt]:
    return h.run(h.store.attempts(int(run_id)))


@pytest.mark.parametrize("task", [later, here])
def test_steps_and_log_lines_travel_with_the_end(task: Any) -> None:
    with harness(app) as h:
        handle = h.submit(task.bind(7))
        (one,) = attempts(h, handle.id)
        assert [step.name for step in one.spans] in (["outer", "inner", "parse"], ["outer", "parse"])
        assert [line.text for line in one.lines] == ["number 7"]
        assert (one.slots, one.failure) == (100, None) and one.eligible_at == one.claimed_at == one.started_at
        known = h.find(handle)
        assert known is not None and [line.text for line in run_facts(known, 0, full=True).log] == ["number 7"]


def test_a_failure_is_a_record_with_redacted_arguments_and_the_end_of_the_log() -> None:
    with harness(app) as h:
        handle = h.submit(later.bind(-1, password="guess"))  # noqa: S106
        h.advance("10s")
        first, second = h.run(traces.failures(app.client, int(handle.id)))
        assert first.fingerprint == second.fingerprint and (first.attempt, second.attempt) == (1, 2)
        fault = first.chain[0]
        assert (fault.kind, fault.message) == ("ValueError", "-1 is negative")
        assert [call.function for call in fault.calls if call.own][-1] == "parse"
        assert first.arguments == {"number": -1, "password": "‹secret›"}
        assert [line.text for line in first.log] == ["number -1"]
        errors = [one.error for one in attempts(h, handle.id)[0].spans]
        assert errors == ["ValueError"] * 3


def test_the_trace_tells_the_retry_and_why_it_rested() -> None:
    with harness(app) as h:
        handle = h.submit(later.bind(-1))
        h.advance("10s")
        told = h.run(traces.of_run(h.store, int(handle.id)))
        assert told.state == "DEAD" and told.why == "on time"
        waits = [bar.words for bar in told.bars if bar.kind is Kind.WAIT and bar.end - bar.start > 1_000_000]
        assert waits == ["retry backoff: 5.0 s after attempt 1 failed"]
        assert [point.step for point in told.points if point.attempt == 1][:2] == ["claimed", "started"]
        _, steps = h.run(runs.show(app.client, int(handle.id)))
        assert "step parse" in [one.what for one in steps]


def test_a_backlog_says_that_all_slots_were_busy() -> None:
    busy = Shike("memory://")

    @busy.task(name="slow")
    async def slow(number: int) -> None:
        await asyncio.sleep(2)

    with harness(busy) as h:
        handles = busy.submit_many([slow.bind(number) for number in range(150)])
        h.run_due()
        told = [h.run(traces.of_run(h.store, int(handle.id))) for handle in handles]
    late = [one for one in told if one.late_micros > 1_000_000]
    assert len(late) == 50
    assert all("2.0 s late: all 100 slots of worker" in one.why and "were busy until" in one.why for one in late)


def test_a_run_under_way_tells_its_progress_and_its_log_with_the_beat() -> None:
    slow = Shike("memory://")

    @slow.task(name="slow")
    async def work() -> None:
        log.info("it begins")
        current().progress({"done": 1})
        await asyncio.sleep(60)
        log.info("it ends")

    with harness(slow) as h:
        handle = slow.client.submit(work.bind())
        h.advance("3s")
        known = h.find(handle)
        assert known is not None
        facts = run_facts(known, 0, full=True)
        assert facts.progress == {"done": 1} and [line.text for line in facts.log] == ["it begins"]
        h.advance("2m")
        known = h.find(handle)
        assert known is not None
        assert [line.text for line in run_facts(known, 0, full=True).log] == ["it begins", "it ends"]


def test_without_tracing_there_are_times_and_nothing_else() -> None:
    silent = Shike("memory://")

    @silent.task(name="t")
    async def quiet() -> None:
        log.info("unheard")
        with step("unseen"):
            pass
        assert current().noted() is None

    async def story() -> Attempt:
        async with silent.running(Roles(traces=False), pools={}) as engine:
            handle = await quiet.submit()
            await handle.wait(bounded.SECONDS)
            await engine.until_idle()
            store = await silent.client.store()
            known = await store.find(int(handle.id))
            assert isinstance(known, Ended)
            (one,) = await store.attempts(known.run.id)
        await silent.client.close()
        return one

    one = bounded.run(story())
    assert one.started_at and not (one.spans or one.lines or one.lost)


def test_a_reader_tells_each_line_once() -> None:
    with harness(app) as h:
        handle = h.submit(here.bind(7))
        known = h.find(handle)
        assert known is not None
        lines = run_facts(known, 0, full=True).log
    reader = runs.Reader()
    assert reader.new(lines) == list(lines) and reader.new(lines) == [] == reader.new(())
