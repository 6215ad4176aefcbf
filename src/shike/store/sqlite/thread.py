"""One thread that owns one connection and commits what gathered while it was busy with the last commit.

No waiting window: a lone call is committed at once, two hundred calls that arrive during one fsync share the next
(natural group commit). Callers may be in any event loop or thread; each event loop is woken once per commit.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

from shike.errors import StoreUnavailable
from shike.store.hints import Hint
from shike.store.sqlite.faults import translated
from shike.store.sqlite.tx import Tx

log = logging.getLogger("shike.store")

CALLS_PER_COMMIT = 1_000  # bounds how long the first of a group waits for the last

Verb: TypeAlias = Callable[..., Any]
Begin: TypeAlias = Callable[[sqlite3.Connection], object]
Listener: TypeAlias = tuple[asyncio.AbstractEventLoop, Callable[[Hint], None]]


@dataclass(slots=True)
class Call:
    """A verb on its way to the thread, and who waits for its answer (`loop` None: a thread does)."""

    verb: Verb
    words: tuple[Any, ...]
    reply: asyncio.Future[Any] | Future[Any]
    loop: asyncio.AbstractEventLoop | None
    answer: Any = None
    error: Exception | None = None


class StoreThread:
    """Runs verbs on `tx`, each group inside one transaction that `begin` begins.

    A verb that fails harms none of its neighbours: if it had written nothing, it just answers with its error; if it
    had, the transaction is taken back and the group is done again, each call in a transaction of its own.
    """

    def __init__(
        self,
        name: str,
        tx: Tx,
        path: Path,
        begin: Begin,
        connect: Callable[[], sqlite3.Connection],
        tell: Callable[[list[Hint]], list[Listener]],
        forget_with_power: frozenset[Verb] = frozenset(),
    ) -> None:
        """`connect`: makes a connection such as that of `tx`. `forget_with_power`: verbs whose commit need not reach
        the disk before they answer."""
        self._tx = tx
        self._forget_with_power = forget_with_power
        self._forced = True  # whether the next commit is forced to the disk
        self._path = path
        self._begin = begin
        self._connect = connect
        self._busy = threading.Lock()  # held while SQLite is at work
        self._away = False  # the connection was closed: for a fork, or because it is of no use any more
        self._tell = tell
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def ask(self, verb: Verb, words: tuple[Any, ...]) -> Any:
        """Hand a verb over and wait for its answer: in the running event loop, or, without one, on this thread."""
        loop = asyncio._get_running_loop()
        if loop is None:
            blocked: Future[Any] = Future()
            self._put(Call(verb, words, blocked, None))
            return blocked.result()
        waiting: asyncio.Future[Any] = loop.create_future()
        self._put(Call(verb, words, waiting, loop))
        return await waiting

    def close(self) -> None:
        """Finish what was handed over, then stop and let the connection go. May be called again, and by any thread."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._calls.put(None)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def rest(self) -> None:
        """Before a fork: finish what is under way, and close the connection. SQLite remembers its locks in memory; a
        child would believe that it has them too, and lose what it commits when its parent tidies up."""
        self._busy.acquire()
        self._tx.connection.close()
        self._away = True

    def go_on(self) -> None:
        """After a fork, in the parent. It connects again when there is something to do."""
        self._busy.release()

    def orphan(self) -> None:
        """In a forked child: the thread stayed with the parent."""
        self._lock = threading.Lock()
        self._busy = threading.Lock()
        self._closed = True
        self._thread = threading.Thread()

    def _put(self, call: Call) -> None:
        with self._lock:  # nothing may stand behind the None that ends the thread
            if self._closed:
                raise StoreUnavailable(f"{self._path}: this store was closed, or belongs to a parent process; open it")
            self._calls.put(call)

    def _live(self) -> None:
        going = True
        while going:
            calls, going = self._gather()
            if calls:
                self._commit(calls)
        with self._busy:
            self._tx.connection.close()

    def _gather(self) -> tuple[list[Call], bool]:
        """What has been handed over until now, at least one call; False once there is no more to come."""
        first = self._calls.get()
        if first is None:
            return [], False
        calls = [first]
        try:
            while len(calls) < CALLS_PER_COMMIT:
                call = self._calls.get_nowait()
                if call is None:
                    return calls, False
                calls.append(call)
        except Empty:
            pass
        return calls, True

    def _commit(self, calls: list[Call]) -> None:
        with self._busy:
            if not self._done(calls):
                for call in calls:
                    self._done([call])
        _deliver(calls, self._listeners(), self._tx.hints)
        self._tx.hints = []

    def _done(self, calls: list[Call]) -> bool:
        """As `_together`; a fault of the thread's own must not leave callers waiting for ever."""
        try:
            self._come_back()
            return self._together(calls)
        except Exception as error:
            self._tell_all(calls, error)
            return True

    def _tell_all(self, calls: list[Call], error: Exception) -> None:
        for call in calls:
            call.answer, call.error = None, translated(error, self._path)

    def _come_back(self) -> None:
        if self._away:
            self._tx.use(self._connect())
            self._forced = True
            self._away = False

    def _listeners(self) -> list[Listener]:
        """Who hears of this commit; other processes have been told. No fault of theirs may end this thread."""
        try:
            return self._tell(self._tx.hints) if self._tx.hints else []
        except Exception:
            log.exception("%s: nobody could be told of a commit", self._path)
            return []

    def _together(self, calls: list[Call]) -> bool:
        """Do all of them in one transaction. False: one failed after it had written, so none was done."""
        connection = self._tx.connection
        hints = len(self._tx.hints)
        try:
            self._force(any(call.verb not in self._forget_with_power for call in calls))
            self._begin(connection)
            self._tx.begin()
            for call in calls:
                if not self._one(call):
                    self._take_back(hints)
                    return len(calls) == 1
            connection.execute("commit")
        except sqlite3.Error as error:  # begin or commit itself
            self._take_back(hints)
            self._tell_all(calls, error)
        return True

    def _force(self, forced: bool) -> None:
        """Whether SQLite waits for the disk at the next commit; it cannot be told inside a transaction."""
        if self._forget_with_power and forced != self._forced:
            self._tx.connection.execute(f"pragma synchronous = {'full' if forced else 'normal'}")
            self._forced = forced

    def _one(self, call: Call) -> bool:
        """Run one verb. False: it failed and had written, so what was written must be taken back."""
        connection = self._tx.connection
        before, hints = connection.total_changes, len(self._tx.hints)
        call.answer = call.error = None
        try:
            call.answer = call.verb(self._tx, *call.words)
        except Exception as error:
            call.error = translated(error, self._path)
            del self._tx.hints[hints:]
            return connection.total_changes == before and not isinstance(error, sqlite3.Error)
        return True

    def _take_back(self, hints: int) -> None:
        """Undo what was written. A connection that cannot do even that is closed, which undoes it, too: inside of its
        transaction it would keep everybody out."""
        del self._tx.hints[hints:]
        self._tx.forget()
        try:
            if self._tx.connection.in_transaction:
                self._tx.connection.execute("rollback")
        except sqlite3.Error as error:
            log.warning("%s: could not take a transaction back (%s); connecting anew", self._path, error)
            self._away = True
            self._tx.connection.close()


def _deliver(calls: list[Call], listeners: Iterable[Listener], hints: list[Hint]) -> None:
    """Answer everybody: threads directly, each event loop by waking it once, answers before hints."""
    by_loop: dict[asyncio.AbstractEventLoop, tuple[list[Call], list[Callable[[Hint], None]]]] = {}
    for call in calls:
        if call.loop is None:
            _answer(call)
        else:
            by_loop.setdefault(call.loop, ([], []))[0].append(call)
    for loop, callback in listeners:
        by_loop.setdefault(loop, ([], []))[1].append(callback)
    for loop, (answered, callbacks) in by_loop.items():
        try:
            loop.call_soon_threadsafe(_arrive, answered, callbacks, hints)
        except RuntimeError:
            pass  # that loop is closed: nobody waits there any more


def _arrive(calls: list[Call], callbacks: list[Callable[[Hint], None]], hints: list[Hint]) -> None:
    for call in calls:
        _answer(call)
    for callback in callbacks:
        for hint in hints:
            callback(hint)


def _answer(call: Call) -> None:
    if isinstance(call.reply, Future):
        if not call.reply.set_running_or_notify_cancel():
            return
    elif call.reply.done():
        return  # its caller was cancelled meanwhile
    if call.error is not None:
        call.reply.set_exception(call.error)
    else:
        call.reply.set_result(call.answer)
