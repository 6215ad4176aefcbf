"""Look at runs, take them back, run them again, move them, watch them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shike.bounds import SLEEP_SECONDS_MAX
from shike.client import Client
from shike.clock import MICROS, to_micros
from shike.errors import BadInput, Conflict, NotFound
from shike.lanes import hall_of, is_routed
from shike.limit.gates import is_limit_gate
from shike.model import NEVER, TERMINAL, Attempt, Ended, Live, Misfire, Options, Run, State
from shike.operate.facts import RUN_ID_MAX, Line, RunFacts, instant, run_facts, state_now
from shike.operate.graphs import waits
from shike.operate.waterfall import steps_of
from shike.store.base import RunFilter, Store
from shike.store.guards import Entry, Replayed
from shike.store.hints import Hint, HintKind
from shike.store.verbs import Answer, Move
from shike.track.approval import first_gate, limits_of
from shike.waiting import moves

PAGE_RUNS = 200
PAGES_MAX = 50


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a run's timeline."""

    at: datetime | None
    what: str
    words: str = ""


def run_id_of(text: str) -> int:
    """The id a person typed; raises `BadInput`."""
    if not text.isascii() or not text.isdigit() or len(text) > len(str(RUN_ID_MAX)) or not 0 < int(text) <= RUN_ID_MAX:
        raise BadInput(f"{text!r} is no run id; `shike runs list` shows them")
    return int(text)


async def find(store: Store, run_id: int) -> Live | Ended:
    """The run of that id; raises `NotFound`."""
    known = await store.find(run_id)
    if known is None:
        raise NotFound(f"there is no run {run_id}: never submitted here, or its history was dropped")
    return known


async def listing(client: Client, wanted: RunFilter, *, ahead: bool = False) -> list[RunFacts]:
    """Runs, newest first; planned moments that lie ahead only if asked for (`ahead`), or for a state.

    Looks through PAGES_MAX pages at most: behind more planned moments than that, older runs are not found.
    """
    store = await client.store()
    now = await store.now()
    if ahead or wanted.states:
        return [run_facts(known, now) for known in await runs_of(store, wanted)]
    found: list[Live | Ended] = []
    before = wanted.before
    for _ in range(PAGES_MAX):
        page = await runs_of(store, replace(wanted, before=before, limit=PAGE_RUNS))
        found += [known for known in page if not _lies_ahead(known, now)]
        if len(found) >= wanted.limit or len(page) < PAGE_RUNS:
            break
        before = page[-1].run.id
    return [run_facts(known, now) for known in found[: wanted.limit]]


async def runs_of(store: Store, wanted: RunFilter) -> list[Live | Ended]:
    """As `Store.runs`; of a queue also what is routed."""
    found = await store.runs(wanted)
    if wanted.queue and not is_routed(wanted.queue):
        found += await store.runs(replace(wanted, queue=hall_of(wanted.queue)))
        found.sort(key=lambda row: row.run.id, reverse=True)
    return found[: wanted.limit]


def _lies_ahead(known: Live | Ended, now: int) -> bool:
    return isinstance(known, Live) and bool(known.run.schedule) and known.run.due_at > now


async def show(client: Client, run_id: int) -> tuple[RunFacts, list[Step]]:
    """Everything about one run, and its life so far."""
    store = await client.store()
    known = await find(store, run_id)
    attempts = await store.attempts(run_id)
    now = await store.now()
    facts = run_facts(known, now, codec=client.codec, full=True)
    tracebacks = [attempt.traceback for attempt in attempts if attempt.traceback]
    steps = timeline(known, attempts, now)
    if isinstance(known, Live) and (why := await waits(store, known)):
        steps[-1] = replace(steps[-1], words=str(why))
    return replace(facts, traceback=tracebacks[-1] if tracebacks else ""), steps


def timeline(known: Live | Ended, attempts: Sequence[Attempt], now: int) -> list[Step]:
    """The life of a run in order of time: what was written down, and nothing that was guessed."""
    run = known.run
    steps = [
        (run.created_at, "created", f"by {run.schedule}, moment {instant(run.moment)}" if run.schedule else ""),
        (run.due_at, "due", ""),
    ]
    for attempt in attempts:
        steps += _attempt_steps(attempt)
    if isinstance(known, Ended):
        words = f"replayed as {known.replayed_as}" if known.replayed_as else known.reason
        steps.append((known.ended_at, known.state.name.lower(), words))
    else:
        steps.append((now, f"{state_now(known, now).name.lower()} now", _live_words(known, now)))
    order = sorted(range(len(steps)), key=lambda place: (steps[place][0], place))
    return [Step(at=instant(steps[place][0]), what=steps[place][1], words=steps[place][2]) for place in order]


def _attempt_steps(attempt: Attempt) -> list[tuple[int, str, str]]:
    who = f" by {attempt.worker}" if attempt.worker else ""
    claimed_at = min(attempt.claimed_at, attempt.started_at or attempt.ended_at)  # two clocks wrote them
    steps = [(claimed_at, "claimed", f"attempt {attempt.number}, token {attempt.token}{who}")]
    if attempt.started_at:
        steps.append((attempt.started_at, "started", f"attempt {attempt.number}"))
    for step, _ in steps_of(attempt):
        words = f"{step.micros / MICROS:.3f} s"
        steps.append((step.started_at, f"step {step.name}", f"{words}: {step.error}" if step.error else words))
    took = f"after {(attempt.ended_at - attempt.started_at) / MICROS:.3f} s" if attempt.started_at else "not started"
    how = attempt.state.name.lower()
    steps.append((attempt.ended_at, f"attempt {how}", ": ".join(filter(None, (took, attempt.error)))))
    return steps


def _live_words(known: Live, now: int) -> str:
    if known.cancel:
        return f"asked to stop: {known.cancel}"
    if known.state is State.WAITING:
        if is_limit_gate(known.run.gate):
            return f"waits for a limit; `shike explain {known.run.id}` tells which"
        return f"waits at {known.run.gate}" if known.run.ties else f"waits for the permit {known.run.gate}"
    if known.run_at > now:
        return f"eligible in {(known.run_at - now) / MICROS:.1f} s"
    return "its last worker died; it goes on in a process of its own, or beside few others" if known.suspect else ""


async def cancel(client: Client, run_id: int, reason: str, *, version: int = 0) -> Answer:
    """Take a run back (ACCEPTED), or ask it to stop where it runs (ASKED). Raises `Conflict` if it is over, or no
    longer of the version that the caller saw (0: any)."""
    store = await client.store()
    known = await find(store, run_id)
    if isinstance(known, Ended):
        raise Conflict(f"run {run_id} is over: {known.state.name}")
    (answer,) = await store.move([Move(run_id=run_id, version=version, to=State.CANCELLED, reason=reason)])
    return moves.heard(run_id, answer)


async def move(
    client: Client, run_id: int, *, at: datetime | None = None, band: int | None = None, version: int = 0
) -> Answer:
    """Make a run eligible at another time or in another band. Raises `Conflict` for one that runs or is over, or is no
    longer of the version that the caller saw (0: of that which is read here)."""
    run_at = None if at is None else to_micros(at)
    return await moves.change(await client.store(), run_id, run_at=run_at, band=band, version=version)


async def retry(client: Client, run_id: int) -> int:
    """Run it again: now, where it rests between two attempts; else as a new run with `replay_of`. Gives the id.

    Raises `Conflict` for a run that succeeded, that waits or runs, or whose dead letter was replayed before.
    """
    store = await client.store()
    known = await find(store, run_id)
    if isinstance(known, Live):
        if known.state is not State.FAILED:
            raise Conflict(f"run {run_id} is {known.state.name}: it has not failed")
        await move(client, run_id, at=instant(await store.now()))
        return run_id
    if known.state is State.SUCCESS:
        raise Conflict(f"run {run_id} succeeded; submit the task again if you want it twice")
    return await replay(client, known)


async def replay(client: Client, ended: Ended) -> int:
    """A new run of what is over. A dead letter is replayed once: a second time raises `Conflict`."""
    entry = Entry(
        again(ended.run, await client.take_id(ended.run.schedule or ended.run.key)),
        delay_seconds=0.0,
        effects=(Replayed(ended.run.id),) if ended.state is State.DEAD else (),
    )
    (answer,) = await client.deliver([entry])
    if not answer.fresh:
        raise Conflict(f"run {ended.run.id} was replayed before, as run {answer.run_id}")
    return answer.run_id


def again(run: Run, run_id: int) -> Run:
    """The same work under a new id, due now. It keeps its moment and its key, so its handler knows what it is about;
    misfire and expiry are over, and a fixed delay is not set off a second time. Of a graph it takes the results that it
    took; nobody waits for it, and it needs an approval of its own."""
    options = msgspec.json.decode(run.options, type=Options) if run.options else Options()
    packed = msgspec.json.encode(replace(options, repeat_seconds=None))
    ties = None if run.ties is None else replace(run.ties, after=(), before=())
    return replace(
        run,
        id=run_id,
        due_at=NEVER,
        created_at=NEVER,
        next_due_at=NEVER,
        misfire=Misfire.ALL,
        misfire_seconds=0.0,
        expires_at=NEVER,
        gate=run.gate if ties is None else first_gate(ties, limits_of(run)),
        ties=ties,
        replay_of=run.replay_of or run.id,
        options=b"" if packed == b"{}" else packed,
    )


class Reader:
    """Tells which lines of a log are new, where each look shows only the end of it."""

    def __init__(self) -> None:
        self._last: datetime | None = None
        self._there: set[Line] = set()  # of that instant

    def new(self, lines: Sequence[Line]) -> list[Line]:
        """Those that were not in a look before."""
        last = self._last
        found = [
            line
            for line in lines
            if line.at is not None and (last is None or line.at > last or (line.at == last and line not in self._there))
        ]
        if found:
            self._last = max(line.at for line in found if line.at is not None)
            there = {line for line in lines if line.at == self._last}
            self._there = there | self._there if self._last == last else there
        return found


async def follow(client: Client, run_id: int) -> AsyncIterator[RunFacts]:
    """The run each time that its state, attempt, progress or log changes, until it is over.

    Hints make it quick, a look each second makes it sure; what changes twice in between is seen once.
    """
    store = await client.store()
    changed = asyncio.Event()

    def hinted(hint: Hint) -> None:
        if hint.kind is not HintKind.ENDED or run_id in hint.run_ids:
            changed.set()

    unlisten = store.listen(hinted)
    try:
        shown = None
        while True:
            changed.clear()
            known = await find(store, run_id)
            facts = run_facts(known, await store.now(), codec=client.codec, full=True)
            if facts != shown:
                shown = facts
                yield facts
            if known.state in TERMINAL:
                return
            try:
                await asyncio.wait_for(changed.wait(), SLEEP_SECONDS_MAX)
            except TimeoutError:
                pass
    finally:
        unlisten()
