"""Submit, wait, cancel, ask: from sync code, from any event loop, from threads, and after a fork.

The store lives on a *home* loop: the one an app was started on, or a background thread of the client's own. Calls
from elsewhere are handed over to it; stores that may be called from any loop are called directly.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar, cast

from shike.bounds import SLEEP_SECONDS_MAX, SUBMIT_BATCH_MAX
from shike.call import Call, Handle, Handles
from shike.errors import BadInput, IdsUsedUp, NotFound, RunFailed, StoreUnavailable, WaitTimeout
from shike.ids import RunIds, virtual_bucket
from shike.model import PROTOCOL_VERSION, Ended, Live, State
from shike.runtime import Runtime
from shike.store.base import Store
from shike.store.codec import Codec
from shike.store.guards import Entry
from shike.store.hints import Hint, HintKind
from shike.store.verbs import Answer, Move, NewSession, Submitted
from shike.task import Definition

T = TypeVar("T")
R = TypeVar("R")

SUBMIT_TRIES = 5
RETRY_SECONDS = 0.1
RETIRE_LOOK_SECONDS = 0.05


class Client:
    """One per app. Opens its store on first use."""

    def __init__(self, make_store: Callable[[], Store], runtime: Runtime, codec: Codec) -> None:
        self._make_store = make_store
        self.runtime = runtime
        self.codec = codec
        self._lock = threading.Lock()
        self._reset()
        _clients.add(self)

    def _reset(self) -> None:
        self._store: Store | None = None
        self._ids: RunIds | None = None
        self._home: asyncio.AbstractEventLoop | None = None
        self._background: _Background | None = None
        self._waits: dict[int, list[asyncio.Future[None]]] = {}
        self._unlisten: Callable[[], None] | None = None
        self._opening: asyncio.Lock | None = None
        self._runner: Callable[[Coroutine[Any, Any, Any]], Any] | None = None

    def move_in(self, store: Store, runtime: Runtime, runner: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        """Live in another store for a while, whose loop is driven by `runner`: for tests."""
        self._reset()
        self.runtime = runtime
        self._runner = runner
        self._store = store
        self._unlisten = runner(self._listen(store))

    def move_out(self, runtime: Runtime) -> None:
        """Back to the store that the app was made with."""
        self._reset()
        self.runtime = runtime

    async def _listen(self, store: Store) -> Callable[[], None]:
        self._home = asyncio.get_running_loop()
        return store.listen(self._hinted)

    # ------------------------------------------------------------ where the store lives

    async def settle_here(self) -> Store:
        """Make the running loop the home and open the store: what starting an app does."""
        here = asyncio.get_running_loop()
        if self._home is not here:
            if self._home is not None and self._store is not None and not self._store.any_thread:
                return await self._elsewhere(self._opened())
            with self._lock:
                self._move(here, None)
        return await self._opened()

    def _move(self, home: asyncio.AbstractEventLoop, background: _Background | None) -> None:
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
        store, background = self._store, self._background
        if self._unlisten is not None:
            self._unlisten()
        self._reset()
        if store is not None:
            await store.close()
        if background is not None:
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
                background = _Background()
                self._move(background.loop, background)
            assert self._home is not None
            return self._home

    async def _opened(self) -> Store:
        if self._store is not None and self._unlisten is not None:
            return self._store
        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            if self._store is None:
                store = self._make_store()
                await store.open()
                self._store = store
            if self._unlisten is None:
                self._unlisten = self._store.listen(self._hinted)
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

    def both(self, work: Coroutine[Any, Any, T]) -> Any:
        """In sync code do it now and return its value; in async code return what has to be awaited."""
        return self.here(work) if _in_loop() else self.sync(work)

    # ------------------------------------------------------------ what it does

    def submit(self, call: Call[R]) -> Handle[R]:
        """Store one run; see `Task.submit`."""
        if _in_loop():
            return Handle(self, call.definition, self.here(self._submit_one(call)))
        return Handle[R](self, call.definition, None).stored(*self.sync(self._submit_one(call)))

    def submit_many(self, calls: Iterable[Call[R]]) -> Handles[R]:
        """Store many runs, SUBMIT_BATCH_MAX in one atomic step each; gives a handle for each call."""
        listed = _checked(calls)
        if _in_loop():
            return Handles(self.here(self._submit_calls(listed)))
        handles = Handles[R]()
        handles.extend(self.sync(self._submit_calls(listed)))
        return handles

    async def _submit_one(self, call: Call[Any]) -> tuple[int, bool]:
        (answer,) = await self._submit([call])
        return answer.run_id, answer.fresh

    async def _submit_calls(self, calls: Sequence[Call[R]]) -> list[Handle[R]]:
        answers: list[Submitted] = []
        for start in range(0, len(calls), SUBMIT_BATCH_MAX):
            answers += await self._submit(calls[start : start + SUBMIT_BATCH_MAX])
        return [
            Handle[R](self, call.definition, None).stored(answer.run_id, answer.fresh)
            for call, answer in zip(calls, answers, strict=True)
        ]

    async def _submit(self, calls: Sequence[Call[Any]]) -> list[Submitted]:
        store = await self._opened()
        now = self.runtime.clock.wall()
        ids, codec, count = await self._numbers(store), self.codec, store.virtual_buckets
        try:
            run_ids = ids.spread(len(calls), count)
        except IdsUsedUp:  # this session has named 268 million runs: go on under a new number
            self._ids = None
            return await self._submit(calls)
        entries = []
        for call, run_id in zip(calls, run_ids, strict=True):
            key = call.how.key
            at_home = ids.next(virtual_bucket(key, count)) if key and count > 1 else run_id
            entries.append(call.entry(at_home, now, codec))
        return await self.deliver(entries)

    async def deliver(self, entries: Sequence[Entry]) -> list[Submitted]:
        """Hand entries to the store until it answers; the same ids again, so nothing is stored twice."""
        store = await self._opened()
        for attempt in range(SUBMIT_TRIES):
            try:
                return await store.submit(entries, repeat=attempt > 0)
            except StoreUnavailable:
                if attempt == SUBMIT_TRIES - 1:
                    raise
                await asyncio.sleep(RETRY_SECONDS * 2**attempt)
        raise AssertionError("unreachable")

    async def take_id(self, spread: str = "") -> int:
        """A fresh run id; `spread` decides its virtual bucket."""
        store = await self._opened()
        return (await self._numbers(store)).next(virtual_bucket(spread, store.virtual_buckets) if spread else 0)

    async def _numbers(self, store: Store) -> RunIds:
        if self._ids is None:
            session = await store.open_session(
                NewSession(
                    identity=self.runtime.entropy.token_hex(16),
                    name=f"{socket.gethostname()}:{os.getpid()}",
                    kind="client",
                    host=socket.gethostname(),
                    pid=os.getpid(),
                    lease_seconds=0.0,
                    protocol=PROTOCOL_VERSION,
                )
            )
            self._ids = RunIds(session.number)
        return self._ids

    async def cancel(self, run_id: int, reason: str = "cancelled by request") -> Answer:
        """Take a run back, or ask it to stop where it runs already (`ASKED`)."""
        store = await self._opened()
        (answer,) = await store.move([Move(run_id=run_id, version=0, to=State.CANCELLED, reason=reason)])
        return answer

    # ------------------------------------------------------------ waiting for ends

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
        store = await self._opened()
        clock = self.runtime.clock
        deadline = None if seconds is None else clock.monotonic() + seconds
        while True:
            told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waits.setdefault(run_id, []).append(told)
            try:
                known = await store.find(run_id)
                if isinstance(known, Ended):
                    return known
                if known is None:
                    raise NotFound(f"no run {run_id} in the store; was its history dropped?")
                left = SLEEP_SECONDS_MAX if deadline is None else min(deadline - clock.monotonic(), SLEEP_SECONDS_MAX)
                if left <= 0:
                    raise WaitTimeout(f"run {run_id} was {_words(known)} after {seconds:g} s; it goes on")
                await asyncio.wait([told], timeout=left)
            finally:
                self._forget(run_id, told)

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


def _words(live: Live) -> str:
    return live.state.name


def _in_loop() -> bool:
    return asyncio._get_running_loop() is not None


def _checked(calls: Iterable[Call[R]]) -> list[Call[R]]:
    listed = list(calls)
    for call in listed:
        if not isinstance(call, Call):
            raise BadInput(f"{call!r} is no call of a task; write task.bind(…) for each run")
    return listed


def _tell(told: asyncio.Future[None]) -> None:
    if not told.done():
        told.set_result(None)


class _Background:
    """An event loop on a thread of its own, for code that has none."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="shike:client", daemon=True)
        self._thread.start()

    def retire(self) -> None:
        """End once nothing waits on it any more."""
        self.loop.call_soon_threadsafe(self._end_if_idle)

    def join(self) -> None:
        self._thread.join()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()

    def _end_if_idle(self) -> None:
        if asyncio.all_tasks(self.loop):
            self.loop.call_later(RETIRE_LOOK_SECONDS, self._end_if_idle)
        else:
            self.loop.stop()


_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def _after_fork() -> None:
    """A child has neither our threads nor our connections: forget them, and open anew on first use."""
    for client in list(_clients):
        client._lock = threading.Lock()
        client._reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
