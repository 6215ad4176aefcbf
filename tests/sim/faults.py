"""What stands between a process and the store: a network that is slow, cut, repeats itself and loses answers.

Each process reaches the one `MemoryStore` through its own `FaultyStore`. A call travels there, is applied in one
atomic step in the store's own process, and its answer travels back; each leg can fail by itself. So a caller that
was told "no answer" never knows whether its words were heard, a killed caller's last words may still arrive, and a
call that was given up may be applied after its repetition.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from enum import Enum
from functools import partial
from random import Random
from typing import Any

from shike.errors import ShikeError, StoreUnavailable
from shike.store.guards import Entry
from shike.store.hints import Hint
from shike.store.verbs import Submitted
from tests.sim.loop import Process, SimLoop
from tests.sim.rumours import Ear, Rumours

CALL_TIMEOUT_SECONDS = 5.0  # a caller gives up then; its words may still be on their way
REPEATABLE = frozenset({"beat", "claim", "settle", "plan", "divide", "free", "close_session"})
OBSERVED = REPEATABLE | {"open_session", "submit", "move", "put", "put_schedule", "control_schedule"}


class Cut(Enum):
    """How a process is cut off from the store."""

    SILENT = "silent"  # requests vanish; callers wait for their time-out
    REFUSED = "refused"  # requests fail at once
    ANSWERS = "answers"  # requests arrive and are applied, no answer comes back


class Weather:
    """How bad the network is for everybody. `calm` stops all faults; what is in flight still arrives."""

    def __init__(self) -> None:
        self.calm = False
        self.slow_call = 0.004  # share of calls that take 1 … 15 s
        self.lost_answer = 0.004  # share of calls that are applied and never answered
        self.refused = 0.004  # share of calls that fail before anything happened
        self.doubled = 0.004  # share of calls that arrive twice, the second time late
        self.late_commit = 0.02  # share of plain submits that readers see seconds after their answer
        self.store_delay_seconds = 0.0  # while the whole store is slow
        self.faults: Counter[str] = Counter()

    def strikes(self, draw: Random, share: float, kind: str) -> bool:
        """Whether a fault of this kind happens now; counts it."""
        if self.calm or draw.random() >= share:
            return False
        self.faults[kind] += 1
        return True


Observer = Callable[[str, str, tuple[Any, ...], dict[str, Any], Any, bool], None]


class FaultyStore:
    """A `Store` as one process sees it. Every verb and every read of the protocol goes through the same weather."""

    def __init__(
        self,
        store: Any,
        loop: SimLoop,
        home: Process,
        owner: Process,
        weather: Weather,
        rumours: Rumours,
        draw: Random,
        seen: Observer,
    ) -> None:
        self.url = store.url
        self.namespace = store.namespace
        self.virtual_buckets = store.virtual_buckets
        self.any_thread = False
        self._cut: Cut | None = None
        self.ambush: tuple[frozenset[str], Callable[[], None]] | None = None  # strike after one of these verbs
        self._store = store
        self._loop = loop
        self._home = home
        self._owner = owner
        self._weather = weather
        self._draw = draw
        self._seen = seen
        self._rumours = rumours
        self._ear = Ear(loop, owner, draw)
        rumours.join(self._ear)

    async def open(self) -> None:
        """The store is open already; a process only finds it."""

    async def close(self) -> None:
        """Others still use it."""

    def is_gone(self, session: str) -> bool:
        return bool(self._store.is_gone(session))

    def tell(self, hint: Hint) -> None:
        """A hint without a commit takes the same uncertain way."""
        if self.cut is None:
            self._home.context.copy().run(self._store.tell, hint)

    def listen(self, callback: Callable[[Hint], None]) -> Callable[[], None]:
        """Hints take their own uncertain way, and none at all while cut off."""
        return self._ear.add(callback)

    def sever(self) -> None:
        """Its process is dead: the store has nobody to tell."""
        self._rumours.leave(self._ear)

    @property
    def cut(self) -> Cut | None:
        """How this process is cut off; None: it is not."""
        return self._cut

    @cut.setter
    def cut(self, cut: Cut | None) -> None:
        self._cut = cut
        self._ear.deaf = cut is not None

    def __getattr__(self, verb: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        if verb.startswith("_"):
            raise AttributeError(verb)
        inner = getattr(self._store, verb)

        async def call(*args: Any, **named: Any) -> Any:
            return await self._call(verb, partial(_apply, inner, args, named), args, named)

        self.__dict__[verb] = call
        return call

    # ------------------------------------------------------------ a call's way there and back

    def _call(
        self, verb: str, apply: Callable[[], Any], args: tuple[Any, ...], named: dict[str, Any]
    ) -> asyncio.Future[Any]:
        weather, draw, loop = self._weather, self._draw, self._loop
        answer: asyncio.Future[Any] = loop.create_future()
        there = 0.0002 + 0.002 * draw.random()
        if not weather.calm:
            there += weather.store_delay_seconds * draw.random()
            if weather.strikes(draw, weather.refused, "refused call"):
                loop.call_later(there, _fail, answer, f"{verb}: the connection broke before the call")
                return answer
            if weather.strikes(draw, weather.slow_call, "slow call"):
                there += 1.0 + 14.0 * draw.random()
        lost = weather.strikes(draw, weather.lost_answer, "lost answer")
        if self.cut is Cut.REFUSED:
            loop.call_later(there, _fail, answer, f"{verb}: connection refused")
            return answer
        if there > CALL_TIMEOUT_SECONDS or lost or self.cut is Cut.SILENT:
            loop.call_later(CALL_TIMEOUT_SECONDS, _fail, answer, f"{verb}: no answer in {CALL_TIMEOUT_SECONDS} s")
        if self.cut is Cut.SILENT:
            return answer
        arrive = partial(self._arrive, verb, apply, args, named)
        self._at_store(there, arrive, None if lost else answer)
        if verb in REPEATABLE and weather.strikes(draw, weather.doubled, "doubled call"):
            self._at_store(there + 4.0 * draw.random(), arrive, None)
        return answer

    def _at_store(self, delay: float, callback: Callable[..., None], *args: Any) -> None:
        self._loop.call_later(delay, callback, *args, context=self._home.context)

    def _arrive(
        self,
        verb: str,
        apply: Callable[[], Any],
        args: tuple[Any, ...],
        named: dict[str, Any],
        answer: asyncio.Future[Any] | None,
    ) -> None:
        """The call is at the store: apply it, in the store's own process, and send the answer."""
        weather, draw = self._weather, self._draw
        reply: Any
        if verb == "submit" and _plain(args[0]) and weather.strikes(draw, weather.late_commit, "late commit"):
            reply, failed = self._commit_late(args[0]), False
        else:
            reply, failed = apply()
            if verb in OBSERVED:
                self._seen(self._owner.name, verb, args, named, reply, failed)
        if self.ambush is not None and verb in self.ambush[0] and not failed and (verb != "claim" or reply.runs):
            (_, blow), self.ambush = self.ambush, None
            blow()
        if failed and not isinstance(reply, ShikeError):
            self._loop.call_exception_handler({"message": f"the store's {verb} failed", "exception": reply})
        if answer is None:
            return
        if self.cut is not None:
            self._loop.call_later(CALL_TIMEOUT_SECONDS, _fail, answer, f"{verb}: the answer was lost")
        else:
            self._loop.call_later(0.0002 + 0.002 * draw.random(), _answer, answer, reply, failed)

    def _commit_late(self, entries: Sequence[Entry]) -> list[Submitted]:
        """Answer now, let others see the rows seconds later: behind every floor, and without a hint."""
        now = self._store.clock.wall()
        fixed = [_fix(entry, now) for entry in entries]
        store, named = self._store, {"repeat": True}

        def commit() -> None:
            self._rumours.silence()
            reply, failed = _apply(store.submit, (fixed,), named)
            self._seen(self._owner.name, "submit", (fixed,), named, reply, failed)

        self._at_store(1.0 + 7.0 * self._draw.random(), commit)
        return [Submitted(entry.run.id, True, entry.run.due_at) for entry in fixed]


def _apply(verb: Callable[..., Coroutine[Any, Any, Any]], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Run a verb of the memory store to its end in this one step: (answer, False) or (error, True)."""
    step = verb(*args, **named)
    try:
        step.send(None)
    except StopIteration as done:
        return done.value, False
    except Exception as error:
        return error, True
    raise AssertionError(f"{verb!r} suspended; verbs of the memory store are atomic")


def _answer(answer: asyncio.Future[Any], reply: Any, failed: bool) -> None:
    if answer.done():
        return
    if failed:
        answer.set_exception(reply)
    else:
        answer.set_result(reply)


def _fail(answer: asyncio.Future[Any], message: str) -> None:
    if not answer.done():
        answer.set_exception(StoreUnavailable(message))


def _plain(entries: Sequence[Entry]) -> bool:
    """Whether rows can become visible late without their answer changing."""
    return not any(entry.guards or entry.effects or entry.run.gate for entry in entries)


def _fix(entry: Entry, now: int) -> Entry:
    """The entry with its relative times made absolute, as the transaction saw them when it began."""
    from msgspec.structs import replace

    run = entry.run
    due_at = now + round(entry.delay_seconds * 1_000_000) if entry.delay_seconds >= 0 else run.due_at or now
    run_at = due_at if entry.delay_seconds >= 0 else entry.run_at or due_at
    run = replace(run, due_at=due_at, created_at=run.created_at or now)
    return replace(entry, run=run, run_at=run_at, delay_seconds=-1.0)
