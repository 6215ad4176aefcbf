"""Submit, wait, cancel, ask: from sync code, from any event loop, from threads, and after a fork.

The store lives on a *home* loop: the one an app was started on, or a background thread of the client's own. Calls
from elsewhere are handed over to it; what is submitted in one turn of another loop goes over together.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar, cast

from shike.background import Background, in_loop, running_loop
from shike.bounds import FROZEN_SECONDS_MAX, SLEEP_SECONDS_MAX, SUBMIT_BATCH_MAX, SUBMIT_PAUSE_SECONDS, SUBMIT_TRIES
from shike.bulk import in_steps
from shike.call import Call, Handle, Handles, checked
from shike.errors import (
    BadInput,
    IdsUsedUp,
    NotFound,
    RunFailed,
    StoreError,
    StoreFrozen,
    StoreUnavailable,
    WaitTimeout,
)
from shike.how import How, as_it_is
from shike.ids import RunIds, virtual_bucket
from shike.ids.forks import FORKS
from shike.lazy import Lazy
from shike.limit.told import Told
from shike.model import IN_LANE, PROTOCOL_VERSION, Ended, Live, State
from shike.runtime import Runtime, driven, rest
from shike.store.base import Store
from shike.store.codec import Codec
from shike.store.gather import Gather
from shike.store.guards import Entry
from shike.store.hints import Hint, HintKind
from shike.store.portable import refuse_unfinished
from shike.store.verbs import Answer, Move, NewSession, Submitted
from shike.task import Definition

T = TypeVar("T")
R = TypeVar("R")


class Client:
    """One per app. Opens its store on first use."""

    def __init__(self, make_store: Callable[[], Store], runtime: Runtime, codec: Codec) -> None:
        self._make_store = make_store
        self.runtime = runtime
        self.codec = codec
        self.carried: Callable[[How], How] = as_it_is  # what an exporter of traces adds to each call
        self._lock = threading.Lock()
        self._line: Gather[Call[Any], tuple[int, bool]] = Gather(self._gathered, most=SUBMIT_BATCH_MAX)
        self._reset()
        FORKS.in_child(self._forked)

    def _reset(self) -> None:
        self._store: Store | None = None
        self._ids: RunIds | None = None
        self._home: asyncio.AbstractEventLoop | None = None
        self._background: Background | None = None
        self._beside: Background | None = None
        self.told = Told(lambda: self.runtime.clock.monotonic())
        self._waits: dict[int, list[asyncio.Future[None]]] = {}
        self._unlisten: Callable[[], None] | None = None
        self._opening: asyncio.Lock | None = None
        self._runner: Callable[[Coroutine[Any, Any, Any]], Any] | None = None

    def _forked(self) -> None:  # a child has neither our threads nor our connections: it opens anew on first use
        self._lock = threading.Lock()
        self._line.forget()
        self._reset()

    def move_in(self, store: Store, runtime: Runtime, runner: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        """Live in another store for a while, whose loop is driven by `runner`: for tests."""
        self._reset()
        self.runtime = runtime
        self._runner = runner
        self._store = store
        self._home = runner(running_loop())

    def move_out(self, runtime: Runtime) -> None:
        """Back to the store that the app was made with."""
        self._reset()
        self.runtime = runtime

    async def settle_here(self) -> Store:
        """Make the running loop the home and open the store: what starting an app does."""
        here = asyncio.get_running_loop()
        if self._home is not here:
            if self._home is not None and self._store is not None and not self._store.any_thread:
                return await self._elsewhere(self._opened())
            with self._lock:
                self._move(here, None)
        return await self._opened()

    def _move(self, home: asyncio.AbstractEventLoop, background: Background | None) -> None:
        """Live on another loop from here on: hints have to come there. What waits on the old one may finish."""
        if self._unlisten is not None:
            self._unlisten()
        if self._background is not None:
            self._background.retire()
        if self._store is not None and not self._store.any_thread:
            self._store = None
        self._home, self._background, self._unlisten, self._opening = home, background, None, None

    async def close(self) -> None:
        """Let go of the store. The next call opens it again."""
        store, loops = self._store, [self._background, self._beside]
        if self._unlisten is not None:
            self._unlisten()
        self._reset()
        if store is not None:
            await store.close()
        for background in filter(None, loops):
            background.retire()

    def close_sync(self) -> None:
        """As `close`, from sync code."""
        if self._store is None:
            return
        self._home_loop()  # the one it was opened on may be over
        background = self._background
        self.sync(self.close())
        if background is not None:
            background.join()

    def _home_loop(self) -> asyncio.AbstractEventLoop:
        """The loop where the store lives; a background thread is started for it if there is none."""
        with self._lock:
            if self._home is None or self._home.is_closed():
                background = Background()
                self._move(background.loop, background)
            assert self._home is not None
            return self._home

    async def _opened(self) -> Store:
        if self._store is not None:
            if self._waits and in_loop():
                self._hear(self._store)  # for those who wait since before a move
            return self._store
        if not in_loop():
            raise StoreUnavailable("the store was closed in this moment; the same call opens it again")
        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            if self._store is None:
                store = self._make_store()
                await store.open()
                try:
                    await self._patiently(lambda: refuse_unfinished(store))
                except StoreError:
                    await store.close()
                    raise
                self._store = store
        return self._store

    async def store(self) -> Store:
        """The open store, to be used on the home loop (or on any, where the store allows it)."""
        return await self.here(self._opened())

    async def here(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work that belongs to the home loop from whatever loop we are on."""
        home = self._home_loop()
        return await (work if home is asyncio.get_running_loop() else self._elsewhere(work))

    async def _elsewhere(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._home_loop()))

    def sync(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work of the home loop and block until it is done."""
        if self._runner is not None:
            return cast(T, self._runner(work))
        if self._home is not None and self._home is asyncio._get_running_loop():
            work.close()
            raise BadInput("this would block the event loop that it waits for: in async code, await wait() instead")
        return asyncio.run_coroutine_threadsafe(work, self._home_loop()).result()

    def _blocking(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work that asks nobody but the store, and block: on this very thread where the store can."""
        store = self._store
        if store is not None and store.blocks and self._runner is None:
            return driven(work)
        return self.sync(work)

    def aside(self, work: Coroutine[Any, Any, T]) -> T:
        """As `sync`, for work that only asks the store: also on the home loop itself, where the store is open and
        serves any thread."""
        store, here = self._store, asyncio._get_running_loop()
        if store is None or not store.any_thread or here is None or here is not self._home:
            return self.sync(work)
        with self._lock:
            self._beside = self._beside or Background()
        return asyncio.run_coroutine_threadsafe(work, self._beside.loop).result()

    def both(self, name: str, begin: Callable[[], Coroutine[Any, Any, T]]) -> Any:
        """In sync code do it now and return its value; in async code return what has to be awaited, under that name."""
        return self._later(name, begin) if in_loop() else self.sync(begin())

    def _later(self, name: str, begin: Callable[[], Coroutine[Any, Any, T]]) -> Lazy[T]:
        async def work() -> T:  # nothing of it may exist before somebody awaits it
            return await self.here(begin())

        return Lazy(name, work)

    def submit(self, call: Call[R]) -> Handle[R]:
        """Store one run; see `Task.submit`."""
        if in_loop():
            return Handle(self, call.definition, Lazy("Task.submit", lambda: self._line.ask(call)))
        (handle,) = self._blocking(self._submit_calls([call]))
        return handle

    def submit_many(self, calls: Iterable[Call[R]]) -> Handles[R]:
        """Store many runs; up to SUBMIT_BATCH_MAX in one atomic step. Gives a handle for each call."""
        listed = checked(calls)
        if in_loop():
            return Handles(self._later("Shike.submit_many", lambda: self._submit_calls(listed)))
        return Handles(None, self._blocking(self._submit_calls(listed)))

    async def _gathered(self, calls: list[Call[Any]]) -> list[tuple[int, bool] | BaseException]:
        """What callers on one event loop submit in the same turn: one way to the home loop, one step."""
        return await self.here(self._submit_all(calls))

    async def _submit_all(self, calls: list[Call[Any]]) -> list[tuple[int, bool] | BaseException]:
        """What is wrong with one, found before anything was stored, is not the others' fault."""
        entries: list[Entry] = []
        try:
            entries = await self.entries(calls)
            return [(answer.run_id, answer.fresh) for answer in await self.deliver(entries)]
        except Exception as error:  # a codec may raise whatever it likes
            if isinstance(error, StoreError) or (entries and not isinstance(error, BadInput)):
                raise
            if len(calls) == 1:
                return [error]
        return [one for call in calls for one in await self._submit_all([call])]

    async def _submit_calls(self, calls: Sequence[Call[R]]) -> list[Handle[R]]:
        blocks = not in_loop() or (await self._opened()).blocks
        in_order = blocks or any(call.how.key for call in calls)  # of one key, the first wins
        answers = await in_steps(self.entries, self.deliver, calls, overlap=not in_order)
        return [
            Handle(self, call.definition, None, answer.run_id, answer.fresh)
            for call, answer in zip(calls, answers, strict=True)
        ]

    async def prepared(self, calls: Sequence[Call[Any]]) -> tuple[Store, list[Entry]]:
        """The open store, and the runs that calls become there."""
        return await self._opened(), await self.entries(calls)

    async def entries(self, calls: Sequence[Call[Any]]) -> list[Entry]:
        """The runs that calls become, with ids of this process's own; nothing is stored yet."""
        store = await self._opened()
        ids, codec, count = await self._numbers(store), self.codec, store.virtual_buckets
        await self.told.learn(store, [call.definition for call in calls])
        now = self.runtime.clock.wall()
        try:
            run_ids = ids.spread(len(calls), count)
        except IdsUsedUp:  # this session has named 268 million runs: go on under a new number
            self._ids = None
            return await self.entries(calls)
        entries = []
        for call, run_id in zip(calls, run_ids, strict=True):
            at_home = ids.next(virtual_bucket(call.how.key, count)) if call.how.key and count > 1 else run_id
            entries.append(call.entry(at_home, now, codec, self.told.gate(call.definition, call.payload)))
        return entries

    async def deliver(self, entries: Sequence[Entry]) -> list[Submitted]:
        """Hand entries to the store until it answers; the same ids again, so nothing is stored twice."""
        store = await self._opened()
        for attempt in range(SUBMIT_TRIES):
            try:
                repeat = attempt > 0
                return await self._patiently(lambda: store.submit(entries, repeat=repeat))  # noqa: B023 - awaited here
            except StoreUnavailable as error:
                if isinstance(error, StoreFrozen) or attempt == SUBMIT_TRIES - 1:
                    raise
                await rest(SUBMIT_PAUSE_SECONDS * 2**attempt)
        raise AssertionError("unreachable")

    async def _patiently(self, ask: Callable[[], Awaitable[R]]) -> R:
        """Wait out a move of the store, for FROZEN_SECONDS_MAX."""
        begun, pause = self.runtime.clock.monotonic(), SUBMIT_PAUSE_SECONDS
        while True:
            try:
                return await ask()
            except StoreFrozen:
                if self.runtime.clock.monotonic() - begun >= FROZEN_SECONDS_MAX:
                    raise
                await rest(pause)
                pause = min(2 * pause, SLEEP_SECONDS_MAX)

    async def take_id(self, spread: str = "", count: int = 1) -> int:
        """A fresh run id, the first of `count` that follow each other; `spread` decides its virtual bucket."""
        store = await self._opened()
        try:
            bucket = virtual_bucket(spread, store.virtual_buckets) if spread else 0
            return (await self._numbers(store)).block(count, bucket)
        except IdsUsedUp:  # as in `entries`
            self._ids = None
            return await self.take_id(spread, count)

    async def _numbers(self, store: Store) -> RunIds:
        if self._ids is None:
            new = NewSession(
                identity=self.runtime.entropy.token_hex(16),
                name=f"{socket.gethostname()}:{os.getpid()}",
                kind="client",
                host=socket.gethostname(),
                pid=os.getpid(),
                lease_seconds=0.0,
                protocol=PROTOCOL_VERSION,
            )
            session = await self._patiently(lambda: store.open_session(new))
            self._ids = RunIds(session.number)
        return self._ids

    async def cancel(self, run_id: int, reason: str = "cancelled by request") -> Answer:
        """Take a run back, or ask it to stop where it runs already (`ASKED`)."""
        store = await self._opened()
        (answer,) = await store.move([Move(run_id=run_id, version=0, to=State.CANCELLED, reason=reason)])
        return answer

    def wait_sync(self, run_id: int, definition: Definition, seconds: float | None) -> Any:
        return self.sync(self._wait(run_id, definition, seconds))

    async def wait(self, run_id: int, definition: Definition, seconds: float | None) -> Any:
        """The handler's value; told by the store as soon as the run is over."""
        return await self.here(self._wait(run_id, definition, seconds))

    async def _wait(self, run_id: int, definition: Definition, seconds: float | None) -> Any:
        ended = await self.ended(run_id, seconds)
        if ended.state is State.SUCCESS:
            return definition.decode_result(self.codec.decode(ended.result) if ended.result else b"")
        raise RunFailed(
            f"run {run_id} of {definition.name} ended {ended.state.name}: {ended.reason or 'no reason was given'}",
            run_id=str(run_id),
            state=ended.state.name,
            reason=ended.reason,
        )

    async def ended(self, run_id: int, seconds: float | None) -> Ended:
        """Wait until a run is over. Hints make it quick; a look each second makes it sure."""
        store, clock = await self._opened(), self.runtime.clock
        deadline = None if seconds is None else clock.monotonic() + seconds
        while True:
            told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waits.setdefault(run_id, []).append(told)
            self._hear(store)
            try:
                known = await store.find(run_id)
                if isinstance(known, Ended):
                    return known
                if known is None:
                    raise NotFound(f"no run {run_id} in the store; was its history dropped?")
                left = SLEEP_SECONDS_MAX if deadline is None else min(deadline - clock.monotonic(), SLEEP_SECONDS_MAX)
                if left <= 0:
                    words = _words(known, await store.now())
                    raise WaitTimeout(f"run {run_id} {words} after {seconds:g} s; it goes on")
                await asyncio.wait([told], timeout=left)
            finally:
                self._forget(run_id, told)

    def _hear(self, store: Store) -> None:
        """Listen to the store from here on. Only who waits does: it costs a wake-up with each commit."""
        if self._unlisten is None:
            self._unlisten = store.listen(self._hinted)

    def _forget(self, run_id: int, told: asyncio.Future[None]) -> None:
        waits = self._waits.get(run_id, [])
        if told in waits:
            waits.remove(told)
        if not waits:
            self._waits.pop(run_id, None)

    def _hinted(self, hint: Hint) -> None:
        if hint.kind is not HintKind.ENDED or not self._waits:
            return
        for run_id in hint.run_ids:
            for told in self._waits.get(run_id, ()):
                try:  # it may wait on a loop that was home before
                    told.get_loop().call_soon_threadsafe(_tell, told)
                except RuntimeError:
                    pass  # that loop is closed


def _words(live: Live, now: int) -> str:
    is_due = live.state in IN_LANE and live.run_at <= now
    return "was due and no worker had taken it" if is_due else f"was {live.state.name}"


def _tell(told: asyncio.Future[None]) -> None:
    if not told.done():
        told.set_result(None)
