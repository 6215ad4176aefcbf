"""Traces and metrics by OpenTelemetry (extra `otel`): a span for each attempt, its user steps below it.

What submits a run gives it its context (W3C Trace Context, in the run's options), so that attempts are children of the
span that submitted them, in whatever process they run; a run that nothing submitted (a schedule's) begins a trace. The
attempt's span is open while its handler runs, in the handler's own context, so that spans of other libraries lie below
it; of handlers in child processes, programs and calls only Shike's own are told. A retry links to the attempt before
it: where that ran in another process, by its record, which costs a look into the store.

Spans and figures go wherever the app's own SDK sends them: nothing here opens a connection. Label values of metrics are
bounded (TASKS_MAX). An attempt whose report the store refused leaves no span: it did not happen.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import structs
from opentelemetry import context as contexts
from opentelemetry import metrics, trace
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shike.attempts import OUTSIDE
from shike.client import Client
from shike.clock import MICROS
from shike.errors import BadInput, ShikeError
from shike.how import How
from shike.lanes import queue_of
from shike.metrics import Labels
from shike.model import Attempt, Run, State
from shike.store.verbs import Ack
from shike.track.owed import owed_at
from shike.track.settle import options_of
from shike.worker.context import Context

log = logging.getLogger("shike")

NAME: Final = "shike"
TASKS_MAX: Final = 100
OPEN_MAX: Final = 20_000  # spans of attempts whose report is not back yet: more than any worker has under way
EARLIER_MAX: Final = 10_000  # attempts that a retry here may link to
NANOS: Final = 1_000  # of a µs
CARRIER: Final = "traceparent"
PREVIOUS: Final = {"shike.link": "previous attempt"}

_propagator = TraceContextTextMapPropagator()
_attempt = msgspec.msgpack.Decoder(Attempt)


class OpenTelemetry:
    """The exporter. Without providers the global ones are used, which do nothing until an SDK is set up."""

    begins = True

    def __init__(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self._tracer = trace.get_tracer(NAME, tracer_provider=tracer_provider)
        meter = metrics.get_meter(NAME, meter_provider=meter_provider)
        self._attempts = meter.create_counter("shike.attempts", "{attempt}", "Attempts that ended.")
        self._took = meter.create_histogram("shike.attempt.duration", "s", "How long attempts took.")
        self._late = meter.create_histogram("shike.start.lateness", "s", "From due to started, of first attempts.")
        self._tasks = Labels(TASKS_MAX)
        self._spans: OrderedDict[tuple[int, int], trace.Span] = OrderedDict()  # by run and token
        self._earlier: OrderedDict[int, trace.SpanContext] = OrderedDict()  # by run: its last attempt here
        self._looking: dict[trace.Span, asyncio.Task[None]] = {}  # for the attempt before, which ran elsewhere
        self._client: Client | None = None

    def attach(self, client: Client) -> None:
        """From now on what this client submits carries the context of the span that is open then."""
        client.carried = carried
        self._client = client

    async def open(self, figures: Callable[[], Mapping[str, float]]) -> None:
        """Nothing is to be opened."""

    def started(self, context: Context) -> None:
        """Begin the span of an attempt."""
        run = context.run
        parent = parent_of(run)
        links = []
        before = self._earlier.get(run.id)
        if context.attempt > 1 and before is not None:
            links.append(Link(before, PREVIOUS))
        attributes: dict[str, Any] = {
            "messaging.system": NAME,
            "messaging.operation.type": "process",
            "messaging.destination.name": queue_of(run.queue),
            "messaging.message.id": str(run.id),
            "shike.task": run.task,
            "shike.attempt": context.attempt,
        }
        if run.schedule:
            attributes["shike.schedule"] = run.schedule
        span = self._tracer.start_span(
            run.task, parent, SpanKind.CONSUMER, attributes, links, start_time=context.started_at * NANOS
        )
        self._spans[run.id, context.token] = span
        if context.attempt > 1 and before is None and self._client is not None:
            look = self._link(self._client, run.id, context.attempt, span)
            self._looking[span] = asyncio.get_running_loop().create_task(look, name="shike:link")
        if len(self._spans) > OPEN_MAX:
            self._spans.popitem(last=False)
        self._earlier[run.id] = span.get_span_context()
        self._earlier.move_to_end(run.id)
        if len(self._earlier) > EARLIER_MAX:
            self._earlier.popitem(last=False)
        carrier: dict[str, str] = {}
        _propagator.inject(carrier, trace.set_span_in_context(span))
        context.traceparent = carrier.get(CARRIER, "")

    def begin(self, context: Context) -> None:
        """The handler is about to be called: its own spans lie below the attempt's."""
        span = self._spans.get((context.run.id, context.token))
        if span is not None:
            contexts.attach(trace.set_span_in_context(span))  # its context ends with the handler

    def ended(self, run: Run, ack: Ack) -> None:
        """End the span, and tell the steps and the figures."""
        span = self._spans.pop((run.id, ack.token), None)
        attempt = _attempt.decode(ack.trace) if ack.trace else None
        state = "snoozed" if ack.state is State.SCHEDULED else ack.state.name.lower()
        if attempt is None:
            if span is not None:
                span.end()
            return
        if span is not None:
            self._tell_steps(span, attempt)
            span.set_attribute("shike.state", state)
            if ack.state in (State.FAILED, State.DEAD):
                self._tell_failure(span, attempt)
            ends = partial(span.end, max(attempt.ended_at, attempt.started_at) * NANOS)
            looking = self._looking.get(span)
            if looking is None:
                ends()
            else:  # a span that has ended takes no link
                looking.add_done_callback(lambda _: ends())
        labels = {"task": self._tasks.of(run.task), "state": state}
        self._attempts.add(1, labels)
        if attempt.started_at:
            self._took.record(max(attempt.ended_at - attempt.started_at, 0) / MICROS, labels)
            if attempt.number == 1:
                late = max(attempt.started_at - owed_at(run, attempt), 0) / MICROS
                self._late.record(late, {"task": labels["task"]})
        if ack.state is not State.FAILED and ack.state is not State.SCHEDULED:
            self._earlier.pop(run.id, None)

    async def rest(self) -> None:
        """What is still open was not reported, and leaves no span; what was, the SDK's own shutdown flushes."""
        self._spans.clear()
        if self._looking:
            await asyncio.wait(self._looking.values())

    async def _link(self, client: Client, run_id: int, number: int, span: trace.Span) -> None:
        """Link to the attempt before, as its own record tells of its span."""
        try:
            attempts = await (await client.store()).attempts(run_id)
            told = [one.traceparent for one in attempts if one.number < number and one.traceparent]
            if told:
                context = trace.get_current_span(_propagator.extract({CARRIER: told[-1]}, contexts.Context()))
                span.add_link(context.get_span_context(), PREVIOUS)
        except ShikeError as error:
            log.info("an attempt of run %d is not linked to the one before it: %s", run_id, error)
        finally:
            self._looking.pop(span, None)

    def _tell_steps(self, span: trace.Span, attempt: Attempt) -> None:
        told: list[trace.Span] = []
        for step in attempt.spans:
            around = told[step.inside] if OUTSIDE < step.inside < len(told) else span
            one = self._tracer.start_span(
                step.name, trace.set_span_in_context(around), start_time=step.started_at * NANOS
            )
            if step.error:
                one.set_status(Status(StatusCode.ERROR, step.error))
            told.append(one)
        for one, step in zip(told, attempt.spans, strict=True):
            one.end((step.started_at + step.micros) * NANOS)

    def _tell_failure(self, span: trace.Span, attempt: Attempt) -> None:
        fault = attempt.failure.chain[0] if attempt.failure is not None and attempt.failure.chain else None
        span.set_status(Status(StatusCode.ERROR, attempt.error))
        facts = {
            "exception.type": fault.kind if fault is not None else "",
            "exception.message": fault.message if fault is not None else attempt.error,
            "exception.stacktrace": attempt.traceback,
        }
        if attempt.failure is not None:
            facts["shike.fingerprint"] = attempt.failure.fingerprint
        span.add_event("exception", facts, attempt.ended_at * NANOS)


def carried(how: How) -> How:
    """The same, with the span that is open here, where one is."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return structs.replace(how, traceparent=carrier[CARRIER]) if CARRIER in carrier else how


def parent_of(run: Run) -> contexts.Context:
    """The context that a run was submitted in; an empty one where it was in none."""
    try:
        traceparent = options_of(run.options).traceparent if run.options else ""
    except BadInput:  # a newer program's
        traceparent = ""
    return _propagator.extract({CARRIER: traceparent} if traceparent else {}, contexts.Context())


def exporter() -> OpenTelemetry:
    """On the global providers."""
    return OpenTelemetry()
