"""docs/events.md: its programs run against this machine's brokers, and it names every source and sink."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from shike.connect import Became, Webhook, open_delays
from shike.connect.jetstream import JetStream
from shike.connect.sinks import opening as sinks
from shike.connect.sources import opening as sources
from tests import servers
from tests.unit.connect.brokers import WAIT_SECONDS, fresh

PAGE = Path(__file__).parents[2].joinpath("docs/events.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the page defines, with this machine's brokers and names of this test's own."""
    monkeypatch.chdir(tmp_path)
    own: dict[str, Any] = {"__name__": "page", "own": fresh()}
    for program in PROGRAMS:
        text = program.replace("redis://localhost:6379/0", servers.url("redis"))
        text = text.replace("nats://localhost:4222", servers.url("nats"))
        text = text.replace('"ORDERS"', f'"{own["own"]}"').replace('"orders.*.paid"', f'"{own["own"]}.*.paid"')
        text = text.replace('"counter"', f'"{own["own"]}"')
        exec(compile(text, "events.md", "exec"), own)  # noqa: S102 - our own page
    return own


async def until_told(names: dict[str, Any], count: int) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while names["receipts"].told < count:
            await asyncio.sleep(0.01)


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.servers
def test_a_message_becomes_a_run_whose_end_is_told(names: dict[str, Any]) -> None:
    async def story() -> None:
        link, own = JetStream(servers.url("nats")), names["own"]
        await link.open()
        await link.stream.add_stream(name=own, subjects=[f"{own}.>"])
        orders: list[dict[str, Any]] = [
            {"id": 7, "total": 120, "test": False, "buyer": {"tier": "gold"}},
            {"id": 8, "total": 99, "test": False, "buyer": {"tier": "gold"}},
            {"id": 9, "total": 120, "test": True, "buyer": {}},
            {"total": 500, "test": False, "buyer": {}},
        ]
        for number, order in enumerate(orders):
            body, headers = json.dumps(order).encode(), {"Nats-Msg-Id": str(number)}
            await link.stream.publish(f"{own}.cn.paid", body, headers=headers)
        serving = asyncio.ensure_future(names["serve"]())
        await until_told(names, 1)
        async with asyncio.timeout(WAIT_SECONDS):
            while sum(names["paid"].counts.values()) < len(orders):
                await asyncio.sleep(0.01)
        assert names["paid"].counts == {Became.RUN: 1, Became.PASSED: 2, Became.ASIDE: 1, Became.REPEAT: 0}
        (wrong,) = await names["what_was_wrong"]()
        assert "nothing at id" in wrong
        await ended(serving)
        await names["app"].client.close()
        await link.stream.delete_stream(own)
        await link.close()

    asyncio.run(story())
    connection = sqlite3.connect("told.db")
    (row,) = connection.execute("select state, result from receipts").fetchall()
    connection.close()
    assert row == ("SUCCESS", '"receipt 7 of cn to desk@example.com"')


@pytest.mark.servers
def test_a_webhook_is_accepted_once(names: dict[str, Any]) -> None:
    async def story() -> None:
        secret, now = "s" * 32, time.time_ns() // 1_000
        body = b'{"order": 1, "to": "lin@example.com", "shop": "cn"}'
        headers = Webhook(secret).sign("msg_1", body, now)
        answers = [(await names["post"](headers, body, secret, now)).became for _ in "12"]
        assert answers == [Became.RUN, Became.REPEAT]
        await names["app"].client.close()

    asyncio.run(story())


@pytest.mark.servers
def test_batches_become_runs(names: dict[str, Any]) -> None:
    async def story() -> None:
        office = asyncio.ensure_future(names["in_the_back_office"]())
        await names["at_the_counter"]()
        await until_told(names, 250)
        await ended(office)
        await names["app"].client.close()
        for name in (names["own"], f"{names['own']}-refused"):
            async with open_delays(servers.url("redis"), name) as delays:
                await delays.drop()

    asyncio.run(story())


def test_it_names_every_source_and_sink() -> None:
    for module, prefix in ((sources, "from_"), (sinks, "to_")):
        for name in vars(module):
            assert not name.startswith(prefix) or name in PAGE
