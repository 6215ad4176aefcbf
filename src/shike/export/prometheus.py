"""Figures of this very process for Prometheus, on a port of this machine: `--metrics-port 9464`.

Only on loopback, since nobody has to say who he is: from elsewhere the server's `/metrics` answers, to a key. It
answers `GET /metrics` and nothing else, one request a connection, at most CONNECTIONS_MAX at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from shike.client import Client
from shike.clock import MICROS
from shike.errors import BadSetting
from shike.lanes import queue_of
from shike.metrics import MEDIA_TYPE, Histogram, Kind, Labels, histogram, label, metric, text
from shike.model import Attempt, Run, State
from shike.store.verbs import Ack
from shike.track.owed import owed_at
from shike.worker.context import Context

log = logging.getLogger("shike")

HOST: Final = "127.0.0.1"
PORT_MAX: Final = 65_535
TASKS_MAX: Final = 100  # names of tasks that have figures of their own; the others count as `other`
QUEUES_MAX: Final = 50
CONNECTIONS_MAX: Final = 16
REQUEST_BYTES_MAX: Final = 8 * 1024
REQUEST_SECONDS: Final = 5.0
WORDS: Final = {
    "slots": "Places of this worker.",
    "busy": "Runs under way or queued here.",
    "acks_waiting": "Reports that the store has not taken yet.",
    "refused": "Late reports that were refused since the start.",
    "abandoned": "Handlers that would not stop and were given up.",
    "events_dropped": "Events that a slow listener did not hear.",
    "buckets": "Buckets that this node owns.",
    "late_seconds": "How late this node's latest bucket is read or planned.",
}


class Prometheus:
    """The exporter, and its endpoint. `port` 0: any that is free, see `port` afterwards; None: none, call `page`."""

    begins = False

    def __init__(self, port: int | None = 0) -> None:
        if port is not None and not 0 <= port <= PORT_MAX:
            raise BadSetting(f"metrics_port={port}: a port lies between 0 and {PORT_MAX:,}")
        self.port = port
        self._tasks, self._queues = Labels(TASKS_MAX), Labels(QUEUES_MAX)
        self._ended: Counter[str] = Counter()
        self._took: dict[str, Histogram] = {}
        self._late: dict[str, Histogram] = {}
        self._figures: Callable[[], Mapping[str, float]] = dict
        self._server: asyncio.Server | None = None
        self._open = 0

    def attach(self, client: Client) -> None:
        """Nothing travels with submits."""

    async def open(self, figures: Callable[[], Mapping[str, float]]) -> None:
        """Begin to answer. Raises `BadSetting` where the port is taken."""
        self._figures = figures
        if self.port is None or self._server is not None:
            return
        try:
            self._server = await asyncio.start_server(self._answer, HOST, self.port, limit=REQUEST_BYTES_MAX)
        except OSError as error:
            raise BadSetting(
                f"metrics_port={self.port}: it cannot be listened on: {error.strerror or error}"
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        log.info("figures for Prometheus: http://%s:%d/metrics", HOST, self.port)

    def begin(self, context: Context) -> None:
        """Not asked for."""

    def started(self, context: Context) -> None:
        """What is to be told is known at its end."""

    def ended(self, run: Run, ack: Ack) -> None:
        """How it ended, how long it took, and how late it was."""
        task = label("task", self._tasks.of(run.task))
        self._ended[f"{task},{label('state', _state(ack))}"] += 1
        attempt = _attempt.decode(ack.trace) if ack.trace else None
        if attempt is not None and attempt.started_at:
            took = max(attempt.ended_at - attempt.started_at, 0) / MICROS
            self._took.setdefault(task, Histogram()).note(took)
            if attempt.number == 1:
                queue = label("queue", self._queues.of(queue_of(run.queue)))
                late = max(attempt.started_at - owed_at(run, attempt), 0) / MICROS
                self._late.setdefault(queue, Histogram()).note(late)

    async def rest(self) -> None:
        """Stop to answer."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def page(self) -> str:
        """The whole text."""
        ended = dict(sorted(self._ended.items()))
        lines = metric("shike_attempts_total", "Attempts that ended here.", ended, Kind.COUNTER)
        lines += histogram("shike_attempt_seconds", "How long attempts took.", self._took)
        lines += histogram("shike_start_late_seconds", "From due to started, of first attempts that ended.", self._late)
        for name, value in self._figures().items():
            lines += metric(f"shike_process_{name}", WORDS.get(name, name), {"": value})
        return text(lines)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                status, body = await self._heard(reader)
                head = f"HTTP/1.1 {status}\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
                writer.write(f"{head}connection: close\r\n\r\n".encode() + body)
                await writer.drain()
        except (OSError, TimeoutError, ValueError, EOFError, asyncio.LimitOverrunError):  # whoever asks so gets nothing
            pass
        finally:
            self._open -= 1
            writer.close()

    async def _heard(self, reader: asyncio.StreamReader) -> tuple[str, bytes]:
        if self._open > CONNECTIONS_MAX:
            return "503 Service Unavailable", b""
        request = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n", 1)[0].split(b" ")
        if request[0] != b"GET":
            return "405 Method Not Allowed", b""
        if len(request) < 2 or request[1].partition(b"?")[0] != b"/metrics":
            return "404 Not Found", b"only /metrics is here\n"
        return "200 OK", self.page().encode()


def _state(ack: Ack) -> str:
    return "snoozed" if ack.state is State.SCHEDULED else ack.state.name.lower()


def exporter(port: int = 0) -> Prometheus:
    """On that port; 0: any that is free."""
    return Prometheus(port)


_attempt = msgspec.msgpack.Decoder(Attempt)
