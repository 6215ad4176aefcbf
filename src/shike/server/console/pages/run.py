"""One run: its waterfall with the causes of its gaps, what it was given and gave, who was chosen; and its deeds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from shike.bounds import BAND_DEFAULT
from shike.errors import BadArguments, BadField, BadInput
from shike.model import Ended, Live, State
from shike.operate import runs, traces
from shike.operate.accept import Wish, call_of
from shike.operate.autopsy import because
from shike.operate.explain import explain
from shike.operate.facts import run_facts
from shike.server import reading
from shike.server.ask import Ask, Nothing, Reply
from shike.server.bounds import BODY_BYTES_MAX
from shike.server.console.meanwhile import meanwhile
from shike.server.console.page import done, shown
from shike.server.console.render import pretty, show, told, words_of
from shike.server.console.rows import row_of, rows_of
from shike.server.paging import number_of
from shike.server.runs import found, hidden
from shike.store.children import children, parents
from shike.task import DEFAULT_QUEUE

PAGE = None  # it is reached from others
NEIGHBOURS_MAX: Final = 12  # of a graph, on either side
CHARS_MAX: Final = 200
BARS_MAX: Final = 200  # drawn: a handler may have taken a thousand steps

Text = Annotated[str, Meta(max_length=CHARS_MAX)]


class Why(Struct, frozen=True, forbid_unknown_fields=True):
    """A reason, for the log."""

    reason: Annotated[str, Meta(max_length=1_000)] = ""


class NewRun(Struct, frozen=True, forbid_unknown_fields=True):
    """A run as somebody types it. `again`: the run that it was made of."""

    task: Annotated[str, Meta(min_length=1, max_length=CHARS_MAX)]
    arguments: Annotated[str, Meta(max_length=BODY_BYTES_MAX)] = "{}"
    queue: Text = ""
    key: Text = ""
    delay: Text = ""
    priority: Text = ""
    again: Text = ""


class Given(Struct, frozen=True, forbid_unknown_fields=True):
    """What a new run starts from."""

    task: Text = ""
    again: Text = ""


async def page(ask: Ask[None, Nothing]) -> Reply:
    """All of it; asked for by itself only what changes."""
    known = await found(ask, number_of(ask.path["run"]))
    store, run = ask.desk.store, known.run
    now = await store.now()
    trace = await traces.of_run(store, run.id)
    facts, steps = await runs.show(ask.desk.client, run.id)
    if (sealed := run_facts(known, now, codec=ask.desk.codec, full=True)).arguments is not None:
        facts = msgspec.structs.replace(facts, arguments=sealed.arguments, result=sealed.result)
    failures = await traces.failures(ask.desk.client, run.id)
    return show(
        ask,
        "run_body.html" if ask.visit.is_part else "run.html",
        page="runs",
        row=row_of(known, now),
        facts=hidden(facts),
        steps=steps,
        trace=trace,
        bars=trace.bars[:BARS_MAX],
        because=because(trace.due_at, trace.late_micros, trace.bars),
        meanwhile=await meanwhile(store, trace, now),
        failures=failures,
        why=await explain(store, ask.desk.clock, run.id),
        before=await _neighbours(ask, [other for other, _ in parents(run)], now),
        after=await _neighbours(ask, [other for other, _ in children(run)], now),
        token=known.token,
        version=known.version if isinstance(known, Live) else 0,
        can=_can(known, now),
    )


def _can(known: Live | Ended, now: int) -> dict[str, bool]:
    """What can be done to it in its state."""
    is_live = isinstance(known, Live)
    waits = isinstance(known, Live) and known.state in (State.SCHEDULED, State.FAILED) and known.run_at > now
    again = known.state in (State.FAILED, State.DEAD, State.CANCELLED, State.SKIPPED)
    return {"cancel": is_live, "promote": waits, "retry": again and not getattr(known, "replayed_as", 0)}


async def _neighbours(ask: Ask[Any, Any], ids: list[int], now: int) -> dict[str, Any]:
    """The first of a run's parents or children, and how many there are."""
    known = [await ask.desk.store.find(other) for other in ids[:NEIGHBOURS_MAX]]
    return {"count": len(ids), "rows": rows_of([one for one in known if one is not None], now)}


# ---------------------------------------------------------------- deeds


async def ask_cancel(ask: Ask[None, Nothing]) -> Reply:
    """The dialog."""
    known = await found(ask, number_of(ask.path["run"]))
    return show(ask, "run_cancel.html", row=row_of(known, await ask.desk.store.now()))


async def cancel(ask: Ask[Why, Nothing]) -> Reply:
    """Take it back, or ask it to stop."""
    known = await _noted(ask)
    await runs.cancel(ask.desk.client, known.run.id, ask.body.reason)
    return told(ask, words_of(ask, "run.cancelled"))


async def promote(ask: Ask[Nothing, Nothing]) -> Reply:
    """Make it eligible now."""
    known = await _noted(ask)
    now = datetime.fromtimestamp(await ask.desk.store.now() / 1e6).astimezone()
    await runs.move(ask.desk.client, known.run.id, at=now)
    return told(ask, words_of(ask, "run.promoted"))


async def retry(ask: Ask[Nothing, Nothing]) -> Reply:
    """Again, with the same arguments."""
    known = await _noted(ask)
    again = await runs.retry(ask.desk.client, known.run.id)
    return told(ask, words_of(ask, "run.again_as", run=again), to=f"/runs/{again}")


async def _noted(ask: Ask[Any, Any]) -> Live | Ended:
    known = await found(ask, number_of(ask.path["run"]))
    ask.before = {"run": str(known.run.id), "task": known.run.task, "state": known.state.name}
    ask.after = ask.body
    return known


# ---------------------------------------------------------------- a new one


async def ask_new(ask: Ask[None, Given]) -> Reply:
    """The form, empty or filled with what another run had."""
    given: dict[str, Any] = {"task": ask.query.task, "arguments": "{}", "queue": "", "priority": "", "again": ""}
    if ask.query.again:
        known = await found(ask, number_of(ask.query.again))
        facts = run_facts(known, await ask.desk.store.now(), codec=ask.desk.codec, full=True)
        given = {
            "task": facts.task,
            "arguments": pretty(hidden(facts).arguments or {}),
            "queue": facts.queue,
            "priority": str(facts.band),
            "again": facts.id,
        }
    tasks = sorted(ask.desk.app.tasks) if ask.desk.app is not None and not ask.who.queues else []
    return show(ask, "run_new.html", page="runs", given=given, tasks=tasks)


async def make(ask: Ask[NewRun, Nothing]) -> Reply:
    """Store it."""
    body = ask.body
    ask.after = {"task": body.task, "queue": body.queue, "again": body.again}
    arguments = reading.json_object(msgspec.Raw(body.arguments.encode() or b"{}"), "arguments")
    if b"\xe2\x80\xb9secret\xe2\x80\xba" in arguments:
        raise BadField(words_of(ask, "run.secret_left"), field="arguments")
    task = ask.desk.tasks.find(body.task)
    wish = Wish(
        key=body.key,
        queue=body.queue,
        band=_priority(body.priority),
        delay_seconds=_delay(body.delay),
    )
    ask.who.may_use(body.queue or task.definition.queue or DEFAULT_QUEUE)
    try:
        handle = await ask.desk.client.submit(call_of(task, arguments, wish))
    except BadInput as error:
        raise reading.named(error, _field_of(error)) from None
    words = words_of(ask, "run.stored" if handle.fresh else "run.was_there", run=handle.id)
    return told(ask, words, to=f"/runs/{handle.id}")


def _field_of(error: BadInput) -> str:
    if isinstance(error, BadArguments):
        return "arguments"
    words = {"arguments": "arguments", "queue": "queue", "key": "key", "delay": "delay", "band": "priority"}
    return next((field for word, field in words.items() if word in str(error)), "task")


def _priority(text: str) -> int | None:
    if not text or text == str(BAND_DEFAULT):
        return None
    if not text.isascii() or not text.isdigit():
        raise BadField("a priority is a number from 0, the first, to 7", field="priority")
    return int(text)


def _delay(text: str) -> float | None:
    from shike.trigger.duration import parse_duration

    if not text:
        return None
    try:
        return parse_duration(text) / 1e6
    except BadInput as error:
        raise reading.named(error, "delay") from None


ROUTES = (
    shown("/runs/new", ask_new, query=Given, words="The form of a new run."),
    done("/runs/new", make, body=NewRun, words="Store a run that somebody typed."),
    shown("/runs/{run}", page, words="One run: its life, its causes, its neighbours."),
    shown("/runs/{run}/cancel", ask_cancel, words="Asks why a run is to be cancelled."),
    done("/runs/{run}/cancel", cancel, body=Why, words="Take a run back, or ask it to stop."),
    done("/runs/{run}/promote", promote, words="Make a run eligible now."),
    done("/runs/{run}/retry", retry, words="Run it again."),
)
