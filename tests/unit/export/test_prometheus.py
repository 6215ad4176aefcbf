"""Figures of one process for Prometheus: on loopback, bounded labels, and nobody suffers of it."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from shike import Backoff, Shike
from shike.errors import BadSetting
from shike.export.prometheus import HOST, TASKS_MAX, Prometheus
from shike.metrics import OTHER, Histogram, Labels, histogram, label, labelled, metric
from shike.testing import harness
from tests import bounded


@pytest.fixture
def app() -> Iterator[Shike]:
    one = Shike("memory://")

    @one.task(name="pay", retry=Backoff(attempts=2, base_seconds=1, jitter=0))
    async def pay(order: int) -> None:
        if order < 0:
            raise ValueError(str(order))

    yield one
    one.client.close_sync()


def test_attempts_are_counted_by_task_and_state(app: Shike) -> None:
    exporter = Prometheus(None)
    app.export(exporter)
    with harness(app) as h:
        for order in (1, 2, -1):
            h.submit(app.find_task("pay").bind(order))
        h.advance("5s")
        page = exporter.page()
    assert 'shike_attempts_total{task="pay",state="success"} 2\n' in page
    assert 'shike_attempts_total{task="pay",state="failed"} 1\n' in page
    assert 'shike_attempts_total{task="pay",state="dead"} 1\n' in page
    assert 'shike_attempt_seconds_count{task="pay"} 4\n' in page
    assert 'shike_start_late_seconds_bucket{queue="default",le="+Inf"} 3\n' in page
    assert "shike_process_slots 100\n" in page and "shike_process_buckets 1\n" in page


def test_the_endpoint_answers_that_one_question_on_loopback(app: Shike) -> None:
    exporter = Prometheus(0)
    app.export(exporter)

    async def ask(request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(HOST, exporter.port)
        answer = b""
        with suppress(ConnectionError):  # it may hang up on who goes on and on
            writer.write(request)
            answer = await reader.read()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        return answer

    def scrape() -> str:
        with urllib.request.urlopen(f"http://{HOST}:{exporter.port}/metrics", timeout=bounded.SECONDS) as got:
            assert got.headers["content-type"].startswith("text/plain; version=0.0.4")
            return str(got.read().decode())

    async def story() -> None:
        async with app.running(pools={}):
            handle = await app.find_task("pay").submit(1)
            await handle.wait(bounded.SECONDS)
            page = await asyncio.to_thread(scrape)
            assert "# TYPE shike_attempts_total counter" in page and "shike_process_busy" in page
            assert (await ask(b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404")
            assert (await ask(b"POST /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 405")
            assert await ask(b"x" * 100_000 + b"\r\n\r\n") == b""
        with pytest.raises(OSError):
            await asyncio.open_connection(HOST, exporter.port)

    bounded.run(story())


def test_a_port_that_is_taken_is_said_and_nothing_is_left_running(app: Shike) -> None:
    async def story() -> None:
        server = await asyncio.start_server(lambda *_: None, HOST, 0)
        app.export(Prometheus(server.sockets[0].getsockname()[1]))
        with pytest.raises(BadSetting, match="cannot be listened on"):
            async with app.running(pools={}):
                pass
        server.close()

    bounded.run(story())
    with pytest.raises(BadSetting, match="between 0 and"):
        Prometheus(70_000)


def test_labels_are_bounded_and_escaped() -> None:
    labels = Labels(TASKS_MAX)
    found = {labels.of(f"task {number}") for number in range(10 * TASKS_MAX)}
    assert len(found) == TASKS_MAX + 1 and OTHER in found
    assert labels.of("task 0") == "task 0"
    assert label("queue", 'a"b\\c\nd') == 'queue="a\\"b\\\\c\\nd"'


def test_figures_are_written_in_full() -> None:
    lines = metric("n", "Words.", labelled("a", {"y": 12_345_678.0, "x": 0.25}))
    assert lines == ["# HELP n Words.", "# TYPE n gauge", 'n{a="x"} 0.25', 'n{a="y"} 12345678']
    assert metric("n", "Words.", {"": 1})[-1] == "n 1"


def test_a_histogram_counts_what_is_at_most_so_long() -> None:
    one = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        one.note(value)
    assert histogram("h", "Words.", {"": one})[2:] == [
        'h_bucket{le="0.1"} 2',
        'h_bucket{le="1"} 3',
        'h_bucket{le="+Inf"} 4',
        "h_sum 7.65",
        "h_count 4",
    ]


def test_an_exporter_that_fails_harms_no_run(app: Shike, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Prometheus):
        begins = True

        def _fail(self, *_: Any) -> None:
            raise RuntimeError("an exporter's fault")

        begin = started = ended = _fail

    app.export(Broken(None))
    with harness(app) as h:
        assert h.submit(app.find_task("pay").bind(1)).result() is None
    assert caplog.text.count("an exporter failed over run") == 3
