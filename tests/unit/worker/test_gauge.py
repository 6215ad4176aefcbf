"""R2.8: what a worker tells of its load, without measuring each run."""

from __future__ import annotations

import msgspec
import pytest

from shike.bounds import LOAD_BYTES_MAX, TAGS_MAX
from shike.model import Load
from shike.route.bounds import TAG_CHARS_MAX
from shike.usage import Counters
from shike.worker.gauge import Gauge


class Bench:
    """A worker that is what a test says."""

    def __init__(self, tags: tuple[str, ...] = ()) -> None:
        self.now, self.busy, self.done, self.answer = 0.0, 0, 0, 0.0
        self.gauge = Gauge(
            lambda: self.now, lambda: Counters(self.now, 2 * self.now + 1, 0.25), slots=4, tags=tags, weight=2.0,
            busy=lambda: self.busy, done=lambda: self.done, answer_seconds=lambda: self.answer,
        )  # fmt: skip

    def beat(self) -> Load:
        return msgspec.json.decode(self.gauge.load(), type=Load)

    def beats(self, count: int) -> Load:
        for _ in range(count):
            self.now += 1.0
            told = self.beat()
        return told


def test_a_worker_tells_its_slots_tags_weight_and_machine() -> None:
    bench = Bench(tags=("gpu",))
    bench.busy, bench.answer = 3, 0.002
    told = bench.beats(6)
    assert (told.slots, told.busy, told.tags, told.weight) == (4, 3, ("gpu",), 2.0)
    assert (told.cpu, told.memory, told.answer_ms) == (0.5, 0.25, 2.0)


def test_the_latency_of_a_run_comes_from_how_many_are_under_way_and_how_many_end() -> None:
    """Three under way at any time and twelve a second: 250 ms each, by Little's law."""
    bench = Bench()
    bench.busy = 3
    for _ in range(20):
        bench.done += 12
        told = bench.beats(1)
    assert told.runs_per_second == pytest.approx(12, rel=0.1)
    assert told.latency_ms == pytest.approx(250, rel=0.1)


def test_failures_are_a_share_of_the_last_half_minute() -> None:
    bench = Bench()
    for _ in range(40):
        bench.done += 10
        bench.gauge.failed += 2
        told = bench.beats(1)
    assert told.failures == pytest.approx(0.2)
    for _ in range(40):
        bench.done += 10
        told = bench.beats(1)
    assert told.failures == 0.0


def test_a_worker_that_does_nothing_tells_no_rates() -> None:
    told = Bench().beats(10)
    assert (told.runs_per_second, told.latency_ms, told.failures) == (0.0, 0.0, 0.0)


def test_the_longest_load_leaves_room_in_a_beat() -> None:
    tags = tuple(f"{number:02}".ljust(TAG_CHARS_MAX, "x") for number in range(TAGS_MAX))
    assert len(Bench(tags).gauge.load()) < LOAD_BYTES_MAX / 2
