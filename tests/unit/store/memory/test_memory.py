"""What the memory store promises beyond the contract: it stays small, and nobody can reach into it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from shike.bounds import ATTEMPTS_MAX
from shike.clock import ManualClock
from shike.errors import BadSetting, BadTime, Conflict
from shike.model import RECORD_VERSION, Run, State
from shike.store.guards import Entry
from shike.store.hints import Hint, HintKind
from shike.store.memory import MemoryStore
from shike.store.verbs import Ack, Answer, Batch, Claim, NewSession, Retention, Want

T = TypeVar("T")
TASKS = frozenset({"mail"})


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


def entry(number: int, **fields: Any) -> Entry:
    return Entry(Run(RECORD_VERSION, number << 8, "mail", **fields))


async def open_session(store: MemoryStore, identity: str = "w") -> None:
    await store.open_session(
        NewSession(identity=identity, name="w", kind="worker", host="h", pid=1, lease_seconds=1e6, protocol=1)
    )


async def claim(store: MemoryStore, number: int, count: int = 100) -> Batch:
    wants = (Want("default", count, count),)
    return await store.claim(Claim(session="w", number=number, wants=wants, tasks=TASKS))


async def drain(store: MemoryStore, first: int, last: int, state: State = State.SUCCESS) -> None:
    """Submit and settle runs, one lease each ten."""
    for number in range(first, last, 10):
        await store.submit([entry(each) for each in range(number, number + 10)])
        batch = await claim(store, number)
        acks = [Ack(claimed.run.id, claimed.token, state) for claimed in batch.runs]
        assert await store.settle("w", acks) == [Answer.ACCEPTED] * 10


@pytest.mark.parametrize("state", [State.SUCCESS, State.DEAD])
def test_what_is_over_is_bounded_and_counted(state: State) -> None:
    async def story() -> None:
        store = MemoryStore(ManualClock(), history_max=100)
        await open_session(store)
        await drain(store, 1, 1001, state)
        counts = await store.counts()
        kept = counts.ended[state.name]
        assert 80 <= kept <= 100
        assert await store.ended(1 << 8) is None
        assert await store.ended(1000 << 8) is not None
        (dropped,) = store._tables.digest.counts.items()
        assert dropped[0][1:] == ("mail", state)
        assert dropped[1] + kept == 1000

    run(story())


def test_receipts_are_bounded_without_anybody_purging() -> None:
    async def story() -> None:
        store = MemoryStore(ManualClock(), history_max=100)
        await open_session(store)
        await drain(store, 1, 1001)
        tables = store._tables
        assert len(tables.leases) == len(tables.settled) == len(tables.sessions["w"].leases) <= 10
        last = Ack(1000 << 8, tables.token, State.SUCCESS)
        assert await store.settle("w", [last]) == [Answer.ALREADY]

    run(story())


def test_a_drained_store_is_empty_but_for_its_history() -> None:
    async def story() -> None:
        clock = ManualClock()
        store = MemoryStore(clock)
        await open_session(store)
        await drain(store, 1, 101)
        clock.advance(1e6)
        await store.purge(
            Retention(success_seconds=1, dead_seconds=1, receipt_seconds=1, session_seconds=1, rows_max=9999)
        )
        tables = store._tables
        places = (tables.runs, tables.lanes.by_queue, tables.gates.by_key, tables.attempts, tables.of_schedule)
        assert [len(place) for place in places] == [0] * len(places)
        assert (tables.over.rows, tables.leases, len(tables.settled), tables.receipts) == ({}, {}, 0, 0)
        assert sum(tables.digest.counts.values()) == 100

    run(story())


def test_a_run_that_is_snoozed_for_ever_keeps_its_last_attempts() -> None:
    async def story() -> None:
        store = MemoryStore(ManualClock())
        await open_session(store)
        await store.submit([entry(1)])
        for number in range(1, ATTEMPTS_MAX + 10):
            (claimed,) = (await claim(store, number)).runs
            await store.settle("w", [Ack(claimed.run.id, claimed.token, State.FAILED, reason=str(number))])
        attempts = await store.attempts(1 << 8)
        assert len(attempts) == ATTEMPTS_MAX
        assert attempts[-1].error == str(ATTEMPTS_MAX + 9)

    run(story())


def test_it_has_one_64_or_256_virtual_buckets() -> None:
    for count in (1, 64, 256):
        assert MemoryStore(virtual_buckets=count).virtual_buckets == count
    with pytest.raises(BadSetting):
        MemoryStore(virtual_buckets=2)


def test_an_error_leaves_no_half_of_a_step_and_no_hint() -> None:
    async def story() -> None:
        store = MemoryStore(ManualClock())
        heard: list[Hint] = []
        store.listen(heard.append)
        await store.submit([entry(1)])
        await asyncio.sleep(0)
        with pytest.raises(Conflict):
            await store.submit([entry(2), entry(1)])
        await store.now()
        await asyncio.sleep(0)
        assert [hint.kind for hint in heard] == [HintKind.DUE]

    run(story())


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e12])
def test_a_delay_that_is_no_length_of_time_is_refused_before_anything_is_stored(seconds: float) -> None:
    async def story() -> None:
        store = MemoryStore(ManualClock())
        await open_session(store)
        with pytest.raises(BadTime):
            await store.submit([entry(1), Entry(entry(2).run, delay_seconds=seconds)])
        assert await store.find(1 << 8) is None
        await store.submit([entry(3), entry(4)])
        runs = (await claim(store, 1)).runs
        acks = [Ack(claimed.run.id, claimed.token, State.FAILED) for claimed in runs]
        acks[1] = replace(acks[1], delay_seconds=seconds)
        with pytest.raises(BadTime):
            await store.settle("w", acks)
        assert (await store.counts()).running == 2

    run(story())


def test_a_verb_never_calls_a_listener_itself() -> None:
    async def story() -> None:
        store = MemoryStore(ManualClock())
        heard: list[Hint] = []
        store.listen(heard.append)
        verb = store.submit([entry(1)])
        with pytest.raises(StopIteration):
            verb.send(None)  # the whole verb: it never suspends
        assert heard == []
        await asyncio.sleep(0)
        assert len(heard) == 1

    run(story())


def test_a_hint_can_be_told_without_a_commit() -> None:
    async def story() -> None:
        store = MemoryStore()
        heard: list[Hint] = []
        store.listen(heard.append)
        store.tell(Hint(HintKind.DUE, "gpu", 7))
        await asyncio.sleep(0)
        assert heard == [Hint(HintKind.DUE, "gpu", 7)]

    run(story())


def test_a_listener_whose_loop_is_over_is_forgotten() -> None:
    store = MemoryStore(ManualClock())

    async def listen() -> None:
        store.listen(lambda hint: None)

    run(listen())
    run(store.submit([entry(1)]))
    assert not store._listeners


def test_several_threads_may_use_it_at_once() -> None:
    store = MemoryStore(ManualClock())
    heard: list[tuple[threading.Thread, Hint]] = []

    async def submit(first: int) -> None:
        for number in range(first, first + 200):
            await store.submit([entry(number)])

    async def story() -> None:
        store.listen(lambda hint: heard.append((threading.current_thread(), hint)))
        threads = [threading.Thread(target=run, args=(submit(first),)) for first in (1, 1001, 2001)]
        for thread in threads:
            thread.start()
        loop = asyncio.get_running_loop()
        for thread in threads:
            await loop.run_in_executor(None, thread.join)
        while len(heard) < 600:
            await asyncio.sleep(0)

    run(story())
    assert run(store.counts()).eligible == 600
    assert {thread for thread, _ in heard} == {threading.main_thread()}
