"""Executors that answer 202 and report later: signed, in time, by the lease that holds the run, once (R3.14, P3)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shike.app import Shike
from shike.clock import MICROS
from shike.egress.rules import Rules
from shike.egress.signing import signed
from shike.engine import Roles
from shike.model import Executor, Live
from shike.secret import Secret
from shike.server.roles import Role
from shike.store.memory import MemoryStore
from shike.track.report import Awaited, encoded, key_of
from shike.worker.http import HttpCall, HttpPool
from tests.api.house import House, Said, visit

Story = Callable[[House, "Away"], Awaitable[None]]


class Away:
    """An executor that says 202, and what it was told."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self.status = "202 Accepted"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        await reader.readexactly(int(headers["content-length"]))
        writer.write(f"HTTP/1.1 {self.status}\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()
        self.asked.put_nowait(headers)

    async def next(self) -> dict[str, str]:
        async with asyncio.timeout(60):
            return await self.asked.get()


def with_executor(story: Story, *, retry: int = 1, seconds: float = 600.0) -> None:
    async def whole(house: House) -> None:
        away = Away()
        server = await asyncio.start_server(away.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        @house.app.task(name="render", executor="http", retry=retry)
        def render(page: int) -> HttpCall:
            url = f"http://127.0.0.1:{port}/render"
            return HttpCall(url, body={"page": page}, report_to="http://shike", report_seconds=seconds)

        pools = {Executor.HTTP: HttpPool(4, Rules.parse([f"127.0.0.1:{port}"]))}
        async with server, house.app.running(Roles(), pools=pools):
            await story(house, away)

    visit(whole, Shike(MemoryStore()))


async def report(house: House, headers: dict[str, str], body: Any, *, secret: str = "", at: int = 0) -> Said:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    path = headers["x-shike-report-to"].removeprefix("http://shike")
    run, token = path.split("/")[-2:]
    key = Secret(secret or headers["x-shike-report-secret"])
    sent = signed(key, at or await house.store.now() // MICROS, f"{run}.{token}", raw)
    return await house.ask("POST", path, raw=raw, role=None, **sent)


async def end(house: House, run: str) -> Any:
    async with asyncio.timeout(60):
        while (said := (await house.ask("GET", f"/runs/{run}?wait_seconds=10")).body["run"])["state"] == "RUNNING":
            pass
    return said


def test_a_report_settles_the_run_with_its_result() -> None:
    async def story(house: House, away: Away) -> None:
        run = (await house.ask("POST", "/runs", {"task": "render", "arguments": {"page": 1}})).body["run"]
        headers = await away.next()
        assert (await report(house, headers, {"outcome": "ok", "result": {"kb": 7}})).body["answer"] == "accepted"
        assert (await end(house, run))["result"] == {"kb": 7}
        late = await report(house, headers, {"outcome": "ok"})
        assert late.status == 410 and late.body["type"].endswith("not-awaited")

    with_executor(story)


@pytest.mark.parametrize(
    ("body", "state", "words"),
    [
        ({"outcome": "failed", "error": "no paper"}, "DEAD", "no paper"),
        ({"outcome": "refused", "error": "no such page"}, "DEAD", "no such page"),
        ({"outcome": "retry", "error": "busy", "delay_seconds": 900}, "DEAD", "busy"),
    ],
)
def test_a_report_may_tell_of_a_failure(body: Any, state: str, words: str) -> None:
    async def story(house: House, away: Away) -> None:
        run = (await house.ask("POST", "/runs", {"task": "render", "arguments": {"page": 1}})).body["run"]
        assert (await report(house, await away.next(), body)).status == 200
        said = await end(house, run)
        assert said["state"] == state and words in said["reason"]

    with_executor(story)


def test_who_has_not_the_secret_of_this_attempt_is_not_heard() -> None:
    async def story(house: House, away: Away) -> None:
        run = (await house.ask("POST", "/runs", {"task": "render", "arguments": {"page": 1}})).body["run"]
        headers = await away.next()
        good = {"outcome": "ok", "result": 1}
        forged = await report(house, headers, good, secret="wrong" * 8)
        old = await report(house, headers, good, at=1_000_000_000)
        bare = await house.ask("POST", headers["x-shike-report-to"].removeprefix("http://shike"), good, role=None)
        assert (forged.status, old.status, bare.status) == (401, 401, 401)
        for broken in (b"", b"[", {"outcome": "perhaps"}, {"outcome": "ok", "result": "x" * 70_000}, {"more": 1}):
            assert (await report(house, headers, broken)).status in (400, 422), broken
        assert (await house.ask("GET", f"/runs/{run}")).body["run"]["state"] == "RUNNING"
        assert (await report(house, headers, good)).status == 200
        assert (await end(house, run))["state"] == "SUCCESS"

    with_executor(story)


def test_no_report_in_time_is_a_failed_attempt() -> None:
    async def story(house: House, away: Away) -> None:
        run = (await house.ask("POST", "/runs", {"task": "render", "arguments": {"page": 1}})).body["run"]
        await away.next()
        assert "did not report" in (await end(house, run))["reason"]
        assert await house.store.controls("report/") == []

    with_executor(story, seconds=0.05)


def test_another_answer_than_202_counts_as_ever() -> None:
    async def story(house: House, away: Away) -> None:
        away.status = "404 Not Found"
        run = (await house.ask("POST", "/runs", {"task": "render", "arguments": {"page": 1}})).body["run"]
        said = await end(house, run)
        assert said["state"] == "DEAD" and "404" in said["reason"]
        assert await house.store.controls("report/") == []

    with_executor(story)


def test_a_report_of_a_lease_that_was_lost_or_after_another_one_is_refused() -> None:
    async def story(house: House) -> None:
        run_id = int((await house.ask("POST", "/runs", {"task": "far"})).body["run"])
        session = (await house.ask("POST", "/worker/sessions", {"name": "w"}, role=Role.WORKER)).body["session"]
        claim = {"number": 1, "tasks": ["far"]}
        batch = (await house.ask("POST", f"/worker/sessions/{session}/claims", claim, role=Role.WORKER)).body
        token = batch["runs"][0]["token"]
        until = await house.store.now() + 600 * MICROS
        for row_token in (token, token + 1):
            await house.store.put(key_of(run_id, row_token), encoded(Awaited(secret="s" * 32, until=until)), expect=0)
        live = await house.store.find(run_id)
        assert isinstance(live, Live) and live.token == token

        async def tell(row_token: int, body: Any) -> Said:
            headers = {"x-shike-report-to": f"http://shike/api/v1/reports/{run_id}/{row_token}"}
            return await report(house, headers, body, secret="s" * 32)

        assert (await tell(token + 1, {"outcome": "ok"})).status == 410, "of another lease"
        assert (await tell(token, {"outcome": "ok", "result": 1})).body["answer"] == "accepted"
        assert (await tell(token, {"outcome": "ok", "result": 1})).body["answer"] == "already"
        assert (await tell(token, {"outcome": "failed"})).status == 409
        assert (await tell(token + 7, {"outcome": "ok"})).status == 410
        for path in ("x/1", "1/x", "1/-1"):
            assert (await house.ask("POST", f"/reports/{path}", {}, role=None)).status == 422

    visit(story)
