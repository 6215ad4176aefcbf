"""Spans and figures by OpenTelemetry: context from submit to handler, links of retries, bounded labels (R2.9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from shike import Backoff, Shike, cron, step
from shike.export.otel import OpenTelemetry
from shike.testing import harness
from tests import bounded


class Bench:
    """An app, and what its exporter says."""

    def __init__(self) -> None:
        self.exported = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exported))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])
        self.tracer = self.provider.get_tracer("tests")
        self.app = Shike("memory://")
        self.app.export(OpenTelemetry(self.provider, self.meters))
        tracer = self.tracer

        @self.app.task(name="later", retry=Backoff(attempts=2, base_seconds=1, jitter=0))
        async def later(order: int) -> str:
            with tracer.start_as_current_span("a library's own"), step("outer"), step("inner"):
                if order < 0:
                    raise ValueError(f"{order} is negative")
            return format(trace.get_current_span().get_span_context().trace_id, "032x")

        @self.app.task(name="here")
        def here(order: int) -> str:
            return format(trace.get_current_span().get_span_context().trace_id, "032x")

        self.later, self.here = later, here

    def spans(self, name: str = "") -> list[ReadableSpan]:
        return [span for span in self.exported.get_finished_spans() if not name or span.name == name]

    def figures(self) -> dict[str, list[Any]]:
        data = self.reader.get_metrics_data()
        assert data is not None
        return {
            metric.name: list(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def bench() -> Iterator[Bench]:
    one = Bench()
    yield one
    one.provider.shutdown()
    one.meters.shutdown()


def test_an_attempt_is_a_child_of_what_submitted_it(bench: Bench) -> None:
    with harness(bench.app) as h:
        with bench.tracer.start_as_current_span("request") as request:
            handle = h.submit(bench.later.bind(7))
        seen = handle.result()
    (attempt,) = bench.spans("later")
    context = request.get_span_context()
    assert attempt.parent is not None and attempt.parent.span_id == context.span_id
    assert seen == format(context.trace_id, "032x")
    assert attempt.kind is SpanKind.CONSUMER and attempt.attributes is not None
    assert attempt.attributes["messaging.message.id"] == handle.id
    assert attempt.attributes["shike.state"] == "success" and attempt.attributes["shike.attempt"] == 1


def test_steps_and_other_libraries_spans_lie_below_the_attempt(bench: Bench) -> None:
    with harness(bench.app) as h:
        h.submit(bench.later.bind(7))
    (attempt,), (outer,), (inner,) = (bench.spans(name) for name in ("later", "outer", "inner"))
    (library,) = bench.spans("a library's own")
    assert attempt.context is not None and outer.context is not None
    assert outer.parent is not None and outer.parent.span_id == attempt.context.span_id
    assert inner.parent is not None and inner.parent.span_id == outer.context.span_id
    assert library.parent is not None and library.parent.span_id == attempt.context.span_id
    assert attempt.start_time is not None and outer.start_time is not None and attempt.end_time is not None
    assert attempt.start_time <= outer.start_time <= attempt.end_time


def test_a_retry_links_to_the_attempt_before_it_and_failures_are_told(bench: Bench) -> None:
    with harness(bench.app) as h:
        with bench.tracer.start_as_current_span("request") as request:
            h.submit(bench.later.bind(-1))
        h.advance("5s")
    first, second = bench.spans("later")
    assert first.context is not None and [link.context.span_id for link in second.links] == [first.context.span_id]
    assert first.context.trace_id == request.get_span_context().trace_id
    assert first.status.status_code is StatusCode.ERROR
    (event,) = second.events
    assert event.attributes is not None
    assert event.attributes["exception.type"] == "ValueError" and event.attributes["shike.fingerprint"]
    assert [span.status.status_code for span in bench.spans("inner")] == [StatusCode.ERROR] * 2


def test_a_retry_elsewhere_links_to_the_attempt_before_it_by_its_record(bench: Bench) -> None:
    (exporter,) = bench.app.exporters
    assert isinstance(exporter, OpenTelemetry)
    with harness(bench.app) as h:
        h.submit(bench.later.bind(-1))
        h.run_due()
        assert len(bench.spans("later")) == 1
        exporter._earlier.clear()  # as in another process, which has not seen it
        h.advance("5s")
    first, second = bench.spans("later")
    assert first.context is not None and [link.context.span_id for link in second.links] == [first.context.span_id]
    assert not exporter._looking


def test_a_sync_handlers_thread_knows_the_span(bench: Bench) -> None:
    async def story() -> None:
        async with bench.app.running():
            with bench.tracer.start_as_current_span("request") as request:
                handle = await bench.here.submit(7)
            assert await handle.wait(bounded.SECONDS) == format(request.get_span_context().trace_id, "032x")
        await bench.app.client.close()

    bounded.run(story())


def test_sync_code_and_many_at_once_carry_it_too(bench: Bench) -> None:
    with harness(bench.app) as h:
        with bench.tracer.start_as_current_span("request") as request:
            bench.app.submit_many([bench.later.bind(n) for n in range(3)])
        h.run_due()
    assert {span.parent.span_id for span in bench.spans("later") if span.parent} == {request.get_span_context().span_id}


def test_a_schedule_is_nobodys_child_and_does_not_change_with_the_span_that_declared_it(bench: Bench) -> None:
    with bench.tracer.start_as_current_span("start"):
        declared = bench.app.schedule(bench.later.bind(1), cron("* * * * *"))
    assert b"traceparent" not in declared.options
    with harness(bench.app) as h:
        h.advance("3m")
    assert len(bench.spans("later")) >= 2 and all(span.parent is None for span in bench.spans("later"))


def test_what_is_submitted_outside_of_a_span_carries_nothing(bench: Bench) -> None:
    with harness(bench.app) as h:
        handle = h.submit(bench.later.bind(1))
        known = h.find(handle)
    assert known is not None and known.run.options == b""


def test_figures_have_bounded_labels(bench: Bench) -> None:
    with harness(bench.app) as h:
        h.submit(bench.later.bind(1))
        h.submit(bench.later.bind(-1))
        h.advance("5s")
    figures = bench.figures()
    counted = {(one.attributes["task"], one.attributes["state"]): one.value for one in figures["shike.attempts"]}
    assert counted == {("later", "success"): 1, ("later", "failed"): 1, ("later", "dead"): 1}
    assert sum(one.count for one in figures["shike.attempt.duration"]) == 3
    assert sum(one.count for one in figures["shike.start.lateness"]) == 2
