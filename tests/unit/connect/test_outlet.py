"""The end of a run is told outside (R2.11): at least once, from the very step that settled it, at no run's cost."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shike import Shike
from shike.connect import Message, Outcome, Outlet, Sink, to_mqtt, to_nats, to_rabbitmq, to_redis, to_table
from shike.connect import outlet as module
from shike.errors import BadInput, BadStoreURL, BrokerLacks, BrokerUnavailable, DuplicateName
from shike.model import State
from shike.store.verbs import Move
from tests import servers
from tests.unit.connect.brokers import WAIT_SECONDS, fresh, run
from tests.unit.connect.topics import TOPICS, topic_of


class Kept(Sink):
    """Keeps what it is told, after so many tries that fail."""

    def __init__(self, fails: int = 0) -> None:
        self.outcomes: list[Outcome] = []
        self.fails = fails
        self.opened = 0

    async def open(self) -> None:
        self.opened += 1

    async def close(self) -> None: ...

    async def put(self, outcome: Outcome) -> None:
        if self.fails:
            self.fails -= 1
            raise BrokerUnavailable("away")
        self.outcomes.append(outcome)


class Shop:
    def __init__(self, sink: Sink, store: str = "memory://", **how: Any) -> None:
        self.app = Shike(store)
        self.ran: list[int] = []

        @self.app.task(retry=1)
        async def pay(order: int) -> dict[str, int]:
            self.ran.append(order)
            if order < 0:
                raise ValueError("nothing to pay")
            return {"paid": order}

        @self.app.task
        async def other() -> None: ...

        self.pay, self.other = pay, other
        self.outlet = Outlet(self.app, "receipts", sink, [pay], **how)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not true():
                await asyncio.sleep(0.01)


def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OUTLET_PAUSE_SECONDS_MAX", 0.01)


@pytest.mark.parametrize("store", ["memory://", "sqlite:///shop.db"])
def test_each_end_of_the_tasks_is_told_with_its_result_or_reason(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def story() -> None:
        sink = Kept()
        shop = Shop(sink, store)
        async with shop.app.running():
            handles = [await shop.pay.options(key=f"order/{n}").submit(n) for n in (7, -1)]
            await (await shop.other.submit()).wait()
            await shop.until(lambda: shop.outlet.told == 2)
        await shop.app.client.close()
        told = {outcome.run_id: outcome for outcome in sink.outcomes}
        good, bad = (told[handle.id] for handle in handles)
        assert (good.state, bytes(good.result), good.key) == ("SUCCESS", b'{"paid":7}', "order/7")
        assert (bad.state, bytes(bad.result)) == ("DEAD", b"null") and "nothing to pay" in bad.reason
        assert json.loads(good.body)["result"] == {"paid": 7} and sink.opened == 1

    run(story())


def test_a_sink_that_fails_is_tried_again_and_disturbs_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    hurried(monkeypatch)

    async def story() -> None:
        sink = Kept(fails=5)
        shop = Shop(sink)
        async with shop.app.running():
            for number in range(10):
                handle = await shop.pay.submit(number)
                assert await handle.wait() == {"paid": number}
            await shop.until(lambda: len(sink.outcomes) == 10)
        assert sink.opened > 1, "it is opened anew after each failure"

    run(story())


def test_what_is_never_told_is_a_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OUTLET_ATTEMPTS", 2)
    hurried(monkeypatch)

    async def story() -> None:
        shop = Shop(Kept(fails=10**6))
        store = await shop.app.client.store()
        async with shop.app.running():
            await (await shop.pay.submit(1)).wait()
            async with asyncio.timeout(WAIT_SECONDS):
                while not (dead := await store.dead(10)):
                    await asyncio.sleep(0.01)
        assert dead[0].run.task == "shike.outlet.receipts" and "away" in dead[0].reason

    run(story())


def test_a_process_that_dies_after_it_settled_a_run_has_left_the_news_in_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The news is in the store before anybody was told: another process, which never ran the run, tells it."""
    monkeypatch.chdir(tmp_path)
    gone, heard = Kept(), Kept()

    async def hang(outcome: Outcome) -> None:
        await asyncio.Event().wait()

    gone.put = hang  # type: ignore[method-assign]

    async def first() -> None:
        shop = Shop(gone, "sqlite:///shop.db")
        async with shop.app.running(grace=0):
            await (await shop.pay.submit(7)).wait()
        await shop.app.client.close()

    async def second() -> None:
        shop = Shop(heard, "sqlite:///shop.db")
        async with shop.app.running():
            await shop.until(lambda: len(heard.outcomes) == 1)
        assert shop.ran == []
        await shop.app.client.close()

    run(first())
    run(second())


def test_only_the_states_that_are_asked_for_are_told() -> None:
    async def story() -> None:
        sink = Kept()
        shop = Shop(sink, states=(State.DEAD,))
        async with shop.app.running():
            for number in (7, -1):
                await shop.pay.submit(number)
            await shop.until(lambda: len(sink.outcomes) == 1)
        assert sink.outcomes[0].state == "DEAD"

    run(story())


@pytest.mark.parametrize("store", ["memory://", "sqlite:///shop.db"])
def test_ends_that_no_worker_had_a_part_in_are_told_too(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken back before it began, and buried by an operator: soon after, and while others look."""
    monkeypatch.chdir(tmp_path)

    async def story() -> None:
        sink = Kept()
        shop = Shop(sink, store)
        async with shop.app.running():
            at = datetime.now(UTC) + timedelta(hours=1)
            taken_back, buried = [await shop.pay.at(at).submit(n) for n in (1, 2)]
            await taken_back.cancel()
            known = await shop.app.client.store()
            await known.move([Move(run_id=int(buried.id), version=0, to=State.DEAD, reason="buried")])
            await shop.until(lambda: len(sink.outcomes) == 2)
            await (await shop.pay.submit(3)).wait()
            await shop.until(lambda: len(sink.outcomes) == 3)
        await shop.app.client.close()
        ends = [(outcome.run_id, outcome.state, outcome.attempts) for outcome in sink.outcomes]
        assert sorted(ends[:2]) == sorted([(taken_back.id, "CANCELLED", 0), (buried.id, "DEAD", 0)])
        assert sink.outcomes[2].state == "SUCCESS" and shop.ran == [3]

    run(story())


def test_bad_input_is_refused_at_once() -> None:
    shop = Shop(Kept())
    with pytest.raises(DuplicateName):
        Outlet(shop.app, "receipts", Kept(), [shop.pay])
    with pytest.raises(BadInput, match="short word"):
        Outlet(shop.app, "Receipts!", Kept(), [shop.pay])
    for tasks in ([], shop.pay, [print]):
        with pytest.raises(BadInput, match="list of tasks"):
            Outlet(shop.app, "more", Kept(), tasks)  # type: ignore[arg-type]
    for url in ("redis://localhost", "app.db", "mysql://root@localhost/test"):
        with pytest.raises(BadStoreURL):
            to_table(url, "outcomes")
    for table in ("", "a; drop table runs", "A", "a.b.c", 'a"b'):
        with pytest.raises(BadInput, match="name of a table"):
            to_table("sqlite:///app.db", table)


OUTCOME = Outcome(run_id="7", task="pay", state="DEAD", ended_at="2026-01-01T00:00:00+00:00", attempts=1, reason="no\0")


def test_a_table_of_sqlite_holds_a_row_for_each_run(tmp_path: Path) -> None:
    async def story() -> None:
        for _ in "12":
            sink = to_table(f"sqlite:///{tmp_path}/app.db", "outcomes")
            await sink.open()
            await sink.put(OUTCOME)
            await sink.close()

    run(story())
    connection = sqlite3.connect(tmp_path / "app.db")
    assert connection.execute("select run_id, state, reason, result from outcomes").fetchall() == [
        ("7", "DEAD", "no�", "null")
    ]
    connection.close()


@pytest.mark.servers
def test_a_table_of_postgres_holds_a_row_for_each_run() -> None:
    import asyncpg

    async def story() -> None:
        table = f"outcomes_{fresh()[-12:]}"
        url = servers.url("postgres")
        for _ in "12":
            sink = to_table(url, table)
            await sink.open()
            await asyncio.gather(sink.put(OUTCOME), sink.put(OUTCOME))
            await sink.close()
        connection = await asyncpg.connect(url)
        assert [tuple(row) for row in await connection.fetch(f"select run_id, reason from {table}")] == [("7", "no�")]
        await connection.execute(f"drop table {table}")
        await connection.close()

    run(story())


def sink_of(topic: Any) -> Sink:
    return {
        "NatsTopic": lambda: to_nats(topic.url, f"{topic.name}.told"),
        "RabbitTopic": lambda: to_rabbitmq(topic.url, topic.name),
        "RedisTopic": lambda: to_redis(topic.url, topic.name),
        "MqttTopic": lambda: to_mqtt(topic.url, f"{topic.name}/told"),
    }[type(topic).__name__]()


@pytest.mark.servers
@pytest.mark.parametrize("service", TOPICS)
def test_what_is_told_to_a_broker_is_a_message_with_the_runs_id(service: str) -> None:
    async def story() -> None:
        name = fresh()
        async with topic_of(service, reader=name) as topic:
            shop = Shop(sink_of(topic))
            async with shop.app.running():
                handle = await shop.pay.submit(7)
                await shop.until(lambda: shop.outlet.told == 1)
                await shop.outlet.close()
            source, came = topic.source(), asyncio.Queue[Message]()
            await source.open(name)

            async def take(message: Message) -> None:
                came.put_nowait(message)

            receiving = asyncio.ensure_future(source.receive(take))
            async with asyncio.timeout(WAIT_SECONDS):
                message = await came.get()
            receiving.cancel()
            await asyncio.wait([receiving])
            await source.close()
            assert message.id == handle.id and json.loads(message.body)["result"] == {"paid": 7}

    run(story())


@pytest.mark.servers
def test_a_place_that_nobody_keeps_is_an_error_and_not_a_loss() -> None:
    async def story() -> None:
        for sink in (
            to_nats(servers.url("nats"), f"{fresh()}.told"),
            to_rabbitmq(servers.url("rabbitmq"), fresh()),
        ):
            await sink.open()
            with pytest.raises(BrokerLacks, match="make one"):
                await sink.put(OUTCOME)
            await sink.close()

    run(story())
