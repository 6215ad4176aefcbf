"""Bodies without end take no memory, and nothing of them is kept."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import pytest

from shike.server.bounds import BODY_BYTES_MAX, BULK_BYTES_MAX
from shike.server.roles import Role
from shike.server.serving import Front, bound
from shike.server.web import build
from tests.api.house import House, visit

CHUNK = b" " * 65_536


async def send_without_end(house: House, path: str, chunks: int, head: bytes = b"") -> tuple[int, int]:
    """(status, how many chunks were read) of a body that is said nothing about beforehand."""
    sent = 0

    async def receive() -> MutableMapping[str, Any]:
        nonlocal sent
        sent += 1
        return {"type": "http.request", "body": head if sent == 1 else CHUNK, "more_body": sent < chunks}

    answers: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        answers.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": path,
        "raw_path": path.encode(), "root_path": "", "scheme": "http", "query_string": b"", "client": ("127.0.0.1", 1),
        "server": ("shike", 80), "state": {},
        "headers": [
            (b"host", b"shike"), (b"content-type", b"application/json"),
            (b"authorization", f"Bearer {await house.key(Role.ADMIN)}".encode()),
        ],
    }  # fmt: skip
    application: Callable[..., Awaitable[None]] = build(house.opening)
    await application(scope, receive, send)
    return answers[0]["status"], sent


@pytest.mark.parametrize(("path", "limit"), [("/api/v1/runs", BODY_BYTES_MAX), ("/api/v1/runs/bulk", BULK_BYTES_MAX)])
def test_a_body_of_a_gibibyte_is_not_read_on_beyond_its_bound(path: str, limit: int) -> None:
    async def story(house: House) -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        status, read = await send_without_end(house, path, (1 << 30) // len(CHUNK), b'{"task":"a","arguments":{"x":"')
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert status == 413 and (read - 2) * len(CHUNK) <= limit
        assert grown * 1024 < 3 * limit + (32 << 20)
        assert (await house.store.counts()).by_queue == {}

    visit(story)


def test_a_body_that_says_how_long_it_is_is_refused_before_it_comes() -> None:
    async def story(house: House) -> None:
        async def leave() -> None: ...

        front = Front(build(house.opening), bound("127.0.0.1", 0), leave)
        front.start()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(front.url.rpartition(":")[2]))
            key = await house.key(Role.ADMIN)
            writer.write(
                f"POST /api/v1/runs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
                f"content-type: application/json\r\ncontent-length: {1 << 40}\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n")
            assert b" 413 " in head
            writer.close()
        finally:
            await front.stop()

    visit(story)


def test_who_leaves_in_mid_body_leaves_nothing_behind() -> None:
    async def story(house: House) -> None:
        async def body() -> AsyncIterator[bytes]:
            yield json.dumps({"task": "resize"}).encode()[:-1]

        said = await house.client.post(
            "/api/v1/runs",
            content=body(),
            headers={"authorization": f"Bearer {await house.key(Role.ADMIN)}", "content-type": "application/json"},
        )
        assert said.status_code == 400
        assert (await house.store.counts()).by_queue == {}

    visit(story)


def test_who_leaves_while_it_waits_frees_its_place() -> None:
    async def story(house: House) -> None:
        async def leave() -> None: ...

        front = Front(build(house.opening), bound("127.0.0.1", 0), leave)
        front.start()
        key = await house.key(Role.WORKER)
        session = (await house.ask("POST", "/worker/sessions", {"name": "w"}, key=key)).body["session"]
        body = json.dumps({"number": 1, "tasks": ["resize"], "wait_seconds": 30}).encode()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", int(front.url.rpartition(":")[2]))
            writer.write(
                f"POST /api/v1/worker/sessions/{session}/claims HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
                + body
            )
            while not house.desk.waiters:
                await asyncio.sleep(0.001)
            writer.close()
            while house.desk.waiters:
                await asyncio.sleep(0.001)
            run = await house.submit(task="resize")
            claimed = await house.ask("POST", f"/worker/sessions/{session}/claims", json.loads(body), key=key)
            assert [one["run"] for one in claimed.body["runs"]] == [run], "nothing was granted to who had left"
        finally:
            await front.stop()

    visit(story)
