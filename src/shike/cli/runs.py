"""`shike runs`: list, show, cancel, retry, move, reprioritise, reschedule, reroute, follow."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from cyclopts import App, Parameter
from msgspec.structs import replace

from shike.bands import check_band
from shike.cli import output, waterfall
from shike.cli.root import FINE, FOUND
from shike.cli.times import when
from shike.cli.where import ANYWHERE, Desk, Where, at_desk
from shike.clock import to_micros
from shike.counted import counted
from shike.errors import BadInput
from shike.model import State
from shike.operate import graphs, runs, traces
from shike.operate.autopsy import Trace
from shike.operate.facts import Line, RunFacts
from shike.operate.runs import run_id_of
from shike.store.base import RunFilter
from shike.store.verbs import Answer
from shike.waiting import bulk, moves
from shike.waiting.bulk import Outcome, Which

app = App(name="runs", help="List, show, cancel, retry, move, reroute and follow runs.")

LIST_MAX = 10_000
GOOD = State.SUCCESS.name


@app.command(name="list")
def list_(
    *,
    state: Annotated[tuple[str, ...], Parameter(help="Only these: success, dead, pending …")] = (),
    task: Annotated[str, Parameter(help="Only of this task.")] = "",
    queue: Annotated[str, Parameter(help="Only of this queue.")] = "",
    schedule: Annotated[str, Parameter(help="Only of this schedule (group/name).")] = "",
    key: Annotated[str, Parameter(help="Only with this business key.")] = "",
    before: Annotated[str, Parameter(help="Go on below this run id.")] = "",
    limit: Annotated[int, Parameter(help="At most so many.")] = 20,
    ahead: Annotated[bool, Parameter(help="Also the planned moments that lie ahead.", negative="")] = False,
    where: Where = ANYWHERE,
) -> int:
    """Runs, newest first: live ones and the history."""
    if not 1 <= limit <= LIST_MAX:
        raise BadInput(f"--limit {limit}: between 1 and {LIST_MAX:,}")
    wanted = RunFilter(
        states=tuple(_state(word) for word in state),
        task=task,
        queue=queue,
        schedule=schedule if "/" in schedule or not schedule else f"default/{schedule}",
        key=key,
        before=run_id_of(before) if before else 0,
        limit=limit,
    )
    found = at_desk(
        where, lambda desk: runs.listing(desk.client, replace(wanted, task=desk.full_name(wanted.task)), ahead=ahead)
    )
    if where.json:
        output.as_json({"runs": found})
    else:
        rows = [(run.id, run.state, run.task, run.due_at, _late(run), run.attempts or "", run.reason) for run in found]
        output.table(("id", "state", "task", "due", "late", "attempts", "reason"), rows, empty="no runs")
    return FINE


@app.command
def show(run_id: str, /, *, where: Where = ANYWHERE) -> int:
    """One run: what it is, its life as a timeline and as a waterfall, why it was late, and where it failed. Exit code 1
    if it ended without success."""
    number = run_id_of(run_id)

    async def look(desk: Desk) -> tuple[RunFacts, list[runs.Step], Trace, list[traces.FailureRecord]]:
        run, steps = await runs.show(desk.client, number)
        trace = await traces.of_run(desk.store, number, None)
        return run, steps, trace, await traces.failures(desk.client, number)

    run, steps, trace, failures = at_desk(where, look)
    if where.json:
        output.as_json({"run": run, "timeline": steps, "trace": trace, "failures": failures})
    else:
        _tell(run)
        print()
        output.table(
            ("when", "what", ""), [(output.local(step.at, parts=True), step.what, step.words) for step in steps]
        )
        print()
        waterfall.show(trace)
        for line in run.log:
            print(_words_of(line))
        if run.traceback:
            print(f"\n{output.plain(run.traceback.rstrip())}")
    return FOUND if run.state in ("DEAD", "CANCELLED", "SKIPPED") else FINE


@app.command
def cancel(
    run_id: str,
    /,
    *,
    reason: Annotated[str, Parameter(help="Why.")] = "cancelled by request",
    graph: Annotated[bool, Parameter(help="The whole graph that the run belongs to.", negative="")] = False,
    where: Where = ANYWHERE,
) -> int:
    """Take a run back; where it runs already, ask it to stop."""
    number = run_id_of(run_id)
    if graph:
        count = at_desk(where, lambda desk: graphs.cancel(desk.client, number, reason))
        return _say(where, run_id, "ACCEPTED", f"and its graph cancelled: {counted(count, 'run')} taken back or asked")
    answer = at_desk(where, lambda desk: runs.cancel(desk.client, number, reason))
    words = "asked to stop; its worker says how it ended" if answer is Answer.ASKED else "cancelled"
    return _say(where, run_id, answer.name, words)


@app.command
def retry(run_id: str, /, *, where: Where = ANYWHERE) -> int:
    """Run it again now: a dead, cancelled or skipped one as a new run."""
    number = run_id_of(run_id)
    new_id = str(at_desk(where, lambda desk: runs.retry(desk.client, number)))
    words = "is tried again now" if new_id == run_id else f"runs again as {new_id}"
    return _say(where, new_id, "ACCEPTED", words, of=run_id)


@app.command
def move(
    run_id: str,
    /,
    *,
    at: Annotated[str, Parameter(help="Not before this time.")] = "",
    band: Annotated[int | None, Parameter(help="Priority band: 0 first … 7.")] = None,
    where: Where = ANYWHERE,
) -> int:
    """Reschedule a waiting run, or change its priority."""
    number, instant = run_id_of(run_id), when(at) if at else None
    answer = at_desk(where, lambda desk: runs.move(desk.client, number, at=instant, band=band))
    return _say(where, run_id, answer.name, "moved")


Band = Annotated[int, Parameter(help="Priority band: 0 first … 7.")]
Task = Annotated[str, Parameter(help="All that wait of this task, instead of one run.")]
Queue = Annotated[str, Parameter(help="All that wait in this queue.")]
Schedule = Annotated[str, Parameter(help="All that wait of this schedule (group/name).")]
Key = Annotated[str, Parameter(help="All that wait with this business key.")]
InBand = Annotated[int | None, Parameter(help="Of these only those in this band.")]
Yes = Annotated[bool, Parameter(help="Do it; without, of many runs only their number is told.", negative="")]


@app.command
def reprioritise(
    run_id: str = "",
    /,
    *,
    band: Band,
    task: Task = "",
    queue: Queue = "",
    schedule: Schedule = "",
    key: Key = "",
    in_band: InBand = None,
    yes: Yes = False,
    where: Where = ANYWHERE,
) -> int:
    """Give a waiting run another priority, or all that fit: those are counted first, and changed with --yes."""
    which = _which(run_id, task, queue, schedule, key, in_band)
    if which is None:
        number = run_id_of(run_id)
        answer = at_desk(where, lambda desk: moves.change(desk.store, number, band=band))
        return _say(where, run_id, answer.name, f"is in band {band} now")
    return _many(where, which, yes, lambda desk, which: bulk.change(desk.store, which, band=check_band(band)))


@app.command
def reschedule(
    run_id: str = "",
    /,
    *,
    at: Annotated[str, Parameter(help="Not before this time; one that is past means now.")],
    task: Task = "",
    queue: Queue = "",
    schedule: Schedule = "",
    key: Key = "",
    in_band: InBand = None,
    yes: Yes = False,
    where: Where = ANYWHERE,
) -> int:
    """Give a waiting run another time, or all that fit: those are counted first, and changed with --yes."""
    instant = to_micros(when(at))
    which = _which(run_id, task, queue, schedule, key, in_band)
    if which is None:
        number = run_id_of(run_id)
        answer = at_desk(where, lambda desk: moves.change(desk.store, number, run_at=instant))
        return _say(where, run_id, answer.name, f"does not run before {at}")
    return _many(where, which, yes, lambda desk, which: bulk.change(desk.store, which, run_at=instant))


@app.command
def reroute(
    run_id: str = "",
    /,
    *,
    worker: Annotated[str, Parameter(help="Into the own lane of this worker (name or session); one run only.")] = "",
    to_queue: Annotated[str, Parameter(help="Into this queue.")] = "",
    route: Annotated[str, Parameter(help="By this route; any: whoever is free.")] = "",
    task: Task = "",
    queue: Queue = "",
    schedule: Schedule = "",
    key: Key = "",
    in_band: InBand = None,
    yes: Yes = False,
    where: Where = ANYWHERE,
) -> int:
    """Send a waiting run to another worker or queue, or all that fit: those are counted first, and changed with
    --yes."""
    which = _which(run_id, task, queue, schedule, key, in_band)
    by = route or None
    if which is None:
        number = run_id_of(run_id)
        answer = at_desk(where, lambda desk: moves.reroute(desk.store, number, worker=worker, queue=to_queue, route=by))
        return _say(where, run_id, answer.name, f"goes to {worker or to_queue or route}")
    if worker:
        raise BadInput("to one worker goes one run at a time; name a queue or a route for many")
    return _many(where, which, yes, lambda desk, which: bulk.reroute(desk.store, which, queue=to_queue, route=by))


@app.command
def follow(run_id: str, /, *, where: Where = ANYWHERE) -> int:
    """Watch a run until it is over: its state, its progress and what it logs. Exit code 1 if it ended without
    success."""
    number = run_id_of(run_id)

    async def watch(desk: Desk) -> RunFacts:
        last: RunFacts | None = None
        seen = runs.Reader()
        async for run in runs.follow(desk.client, number):
            new, before, last = seen.new(run.log), last, run
            if where.json:
                output.as_json(run)
                continue
            for line in new:
                print(
                    f"{output.local(line.at, parts=True)} {line.level.lower()}: {output.plain(line.text)}", flush=True
                )
            if before is None or replace(before, log=()) != replace(run, log=()):
                words = f" {output.plain(str(run.progress))}" if run.progress is not None else ""
                print(f"{run.state}{words}" + (f": {output.plain(run.reason)}" if run.reason else ""), flush=True)
        assert last is not None
        return last

    return FINE if at_desk(where, watch).state == GOOD else FOUND


def _which(run_id: str, task: str, queue: str, schedule: str, key: str, band: int | None) -> Which | None:
    """The runs that are meant where no single one is named."""
    if run_id and (task or queue or schedule or key or band is not None):
        raise BadInput("name one run, or say which: not both")
    if run_id:
        return None
    schedule = schedule if "/" in schedule or not schedule else f"default/{schedule}"
    return Which(task=task, queue=queue, schedule=schedule, key=key, band=band)


def _many(where: Where, which: Which, yes: bool, change: Callable[[Desk, Which], Coroutine[Any, Any, Outcome]]) -> int:
    """Count, and with `yes` change. Exit code 1 where some changed in between or could not be changed."""

    async def work(desk: Desk) -> Outcome:
        named = replace(which, task=desk.full_name(which.task))
        return await change(desk, named) if yes else Outcome(found=await bulk.count(desk.store, named))

    outcome = at_desk(where, work)
    if where.json:
        output.as_json({"runs": outcome, "done": yes})
    elif not yes:
        print(f"{counted(outcome.found, 'run')} would be changed; --yes does it")
    else:
        left = f", {outcome.changed} began or changed meanwhile" if outcome.changed else ""
        held = f", {outcome.held} wait for others and were left" if outcome.held else ""
        print(f"{counted(outcome.moved, 'run')} of {outcome.found} changed{left}{held}")
    return FOUND if outcome.changed or outcome.held else FINE


def _say(where: Where, run_id: str, answer: str, words: str, *, of: str = "") -> int:
    if where.json:
        output.as_json({"run": run_id, "answer": answer, **({"replay_of": of} if of and of != run_id else {})})
    else:
        print(f"run {of or run_id} {words}")
    return FINE


def _tell(run: RunFacts) -> None:
    names = ("id", "task", "state", "reason", "queue", "band", "due_at", "run_at", "late_seconds", "schedule", "moment")
    more = ("key", "owner", "attempts", "replay_of", "replayed_as", "arguments", "result", "progress")
    pairs = [(name.removesuffix("_at").replace("_", " "), getattr(run, name)) for name in (*names, *more)]
    output.facts([(name, output.seconds(value) if name == "late seconds" else value) for name, value in pairs])


def _late(run: RunFacts) -> str:
    return output.seconds(run.late_seconds)


def _state(word: str) -> State:
    try:
        return State[word.upper()]
    except KeyError:
        raise BadInput(f"{word!r} is no state; there are {', '.join(state.name.lower() for state in State)}") from None


def _words_of(line: Line) -> str:
    return f"{output.local(line.at, parts=True)} {line.level.lower()}: {output.plain(line.text)}"
