"""HTTP tasks: an executor is called, and its status says how the attempt ended (R3.14)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shike import Shike
from shike.egress.rules import Rules
from shike.egress.signing import AGE_SECONDS_MAX, SIGNATURE, STAMP, check, signed
from shike.engine import Roles
from shike.errors import NotAuthenticated, RunFailed
from shike.model import Ended, Executor, Live, State
from shike.secret import Secret
from shike.store.memory import MemoryStore
from shike.worker.http import HttpCall, HttpPool

Answering = Callable[[bytes, dict[str, str], bytes], bytes]


def answer(status: str, body: str = "", **headers: str) -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        f"content-length: {len(body)}",
        *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


class Place:
    """An executor on a socket: says what it heard, and answers as it was told."""

    def __init__(self, answers: list[bytes]) -> None:
        self.answers = answers
        self.hangs = False
        self.heard: list[tuple[str, dict[str, str], Any]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        body = await reader.readexactly(int(headers["content-length"]))
        self.heard.append((first, headers, json.loads(body) if body else None))
        writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
        await writer.drain()
        if self.hangs:
            await reader.read()  # until the other side gives up
        writer.close()


def work(
    answers: list[bytes],
    story: Callable[[Shike, Place, str], Awaitable[None]],
    *,
    allowed: bool = True,
    **settings: Any,
) -> None:
    """An app with the task `charge`, whose executor answers so."""

    async def whole() -> None:
        place = Place(answers)
        server = await asyncio.start_server(place.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        app = Shike(MemoryStore())

        @app.task(name="charge", executor="http", **settings)
        def charge(order: int, path: str = "/charge") -> HttpCall:
            return HttpCall(f"http://127.0.0.1:{port}{path}", body={"order": order}, signed_by=NAMED)

        rules = Rules.parse([f"127.0.0.1:{port}"] if allowed else ["public"])
        async with server, app.running(Roles(), pools={Executor.HTTP: HttpPool(4, rules)}):
            await story(app, place, f"127.0.0.1:{port}")
        await app.client.close()

    asyncio.run(whole())


NAMED = "CHARGE_KEY"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAMED, "hunter2")


async def ended(app: Shike, **arguments: Any) -> Ended:
    handle = await app.find_task("charge").submit(**arguments)
    return await app.client.ended(int(handle.id), 30)


def test_an_executor_is_called_and_its_answer_is_the_result() -> None:
    async def story(app: Shike, place: Place, at: str) -> None:
        handle = await app.find_task("charge").submit(order=7)
        assert await handle.wait(30) == {"paid": True}
        ((first, headers, body),) = place.heard
        assert (first, body, headers["host"]) == ("POST /charge HTTP/1.1", {"order": 7}, at)
        assert headers["x-shike-run"] == handle.id == headers["idempotency-key"] and headers["x-shike-attempt"] == "1"
        identity = f"{headers['x-shike-run']}.{headers['x-shike-token']}"
        now = int(headers[STAMP])
        raw = json.dumps(body, separators=(",", ":")).encode()
        check(Secret("hunter2"), now, identity, raw, stamp=headers[STAMP], signature=headers[SIGNATURE])
        assert "hunter2" not in str(place.heard)

    work([answer("200 OK", '{"paid": true}', content_type="application/json")], story)


@pytest.mark.parametrize("status", ["500 Oops", "503 Busy", "429 Slow", "408 Late", "425 Early"])
def test_what_may_be_another_answer_next_time_is_tried_again(status: str) -> None:
    async def story(app: Shike, place: Place, at: str) -> None:
        over = await ended(app, order=7)
        assert (over.state, over.attempts, len(place.heard)) == (State.SUCCESS, 2, 2)
        tokens = [int(headers["x-shike-token"]) for _, headers, _ in place.heard]
        assert tokens[0] < tokens[1] and place.heard[0][1]["idempotency-key"] == place.heard[1][1]["idempotency-key"]

    from shike.model import Backoff

    work([answer(status), answer("204 Done")], story, retry=Backoff(attempts=3, base_seconds=0.01))


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "307 There", "400 No", "401 Who", "404 Where", "422 What"]
)
def test_what_would_be_the_same_next_time_is_a_dead_letter_at_once(status: str) -> None:
    async def story(app: Shike, place: Place, at: str) -> None:
        over = await ended(app, order=7)
        assert (over.state, len(place.heard)) == (State.DEAD, 1), "a redirect is not followed, either"
        assert status[:3] in over.reason and "because" in over.reason

    work([answer(status, "because", location="http://169.254.169.254/")], story, retry=5)


def test_it_is_not_asked_again_before_the_time_it_named() -> None:
    async def story(app: Shike, place: Place, at: str) -> None:
        handle = await app.find_task("charge").submit(order=7)
        store = await app.client.store()
        while not (isinstance(live := await store.find(int(handle.id)), Live) and live.state is State.FAILED):
            await asyncio.sleep(0.001)
        assert live.run_at - await store.now() > 3_000_000_000
        await handle.cancel()

    work([answer("503 Busy", retry_after="3600")], story, retry=5)


@pytest.mark.parametrize(
    "said",
    [
        b"", b"HTTP/1.1", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000, b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", b"HTTP/1.1 999 Odd\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_answer_is_a_failure_that_says_so(said: bytes) -> None:
    async def story(app: Shike, place: Place, at: str) -> None:
        over = await ended(app, order=7)
        assert over.state is State.DEAD and "CallFailed" in over.reason

    work([said], story)


def test_chunks_and_texts_are_read() -> None:
    async def story(app: Shike, place: Place, at: str) -> None:
        handle = await app.find_task("charge").submit(order=7)
        assert await handle.wait(30) == "all is paid"

    work([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nall \r\n7;x=y\r\nis paid\r\n0\r\n\r\n"], story)


def test_an_executor_that_says_nothing_is_given_up() -> None:
    async def story(app: Shike, place: Place, at: str) -> None:
        place.hangs = True
        over = await ended(app, order=7)
        assert over.state is State.DEAD and ("did not answer" in over.reason or "Timeout" in over.reason)

    work([b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12"], story, timeout=0.2)


def test_a_worker_that_does_not_allow_it_calls_nobody() -> None:
    async def story(app: Shike, place: Place, at: str) -> None:
        over = await ended(app, order=7)
        assert over.state is State.DEAD and "UnsupportedExecutor" in over.reason and at in over.reason
        assert place.heard == []

    work([answer("200 OK")], story, allowed=False)


def test_without_http_allowed_the_run_says_so() -> None:
    async def whole() -> None:
        app = Shike(MemoryStore())

        @app.task(name="charge", executor="http")
        def charge() -> HttpCall:
            return HttpCall("https://example.org/")

        async with app.running():
            with pytest.raises(RunFailed, match="wants to run as a http"):
                await (await app.find_task("charge").submit()).wait(30)
        await app.client.close()

    asyncio.run(whole())


def test_a_signature_holds_for_its_message_its_time_and_its_secret() -> None:
    key = Secret("hunter2")
    headers = signed(key, 1_000, "7.1", b"{}")
    stamp, signature = headers[STAMP], headers[SIGNATURE]
    check(key, 1_000 + AGE_SECONDS_MAX, "7.1", b"{}", stamp=stamp, signature=signature)
    for secret, now, identity, body, at, sign in (
        (Secret("hunter3"), 1_000, "7.1", b"{}", stamp, signature),
        (key, 1_001 + AGE_SECONDS_MAX, "7.1", b"{}", stamp, signature),
        (key, 999 - AGE_SECONDS_MAX, "7.1", b"{}", stamp, signature),
        (key, 1_000, "7.2", b"{}", stamp, signature),
        (key, 1_000, "7.1", b"{} ", stamp, signature),
        (key, 1_001, "7.1", b"{}", "1001", signature),
        (key, 1_000, "7.1", b"{}", "x", signature),
        (key, 1_000, "7.1", b"{}", stamp, "é"),
        (key, 1_000, "7.1", b"{}", stamp, ""),
    ):
        with pytest.raises(NotAuthenticated):
            check(secret, now, identity, body, stamp=at, signature=sign)
