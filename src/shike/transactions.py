"""Submitting in a transaction of the user's own: the run exists if, and only if, the user's rows do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from shike.bounds import SUBMIT_BATCH_MAX
from shike.call import Call, Handle, Handles
from shike.client import Client
from shike.errors import BadInput, TooLarge
from shike.lazy import Lazy
from shike.runtime import driven
from shike.store.base import Store
from shike.store.guards import Entry
from shike.store.guests import Guest, dialect_of, is_async, reach
from shike.store.verbs import Submitted

R = TypeVar("R")

_Prepared = tuple[Store, list[Entry]]
_Ask = Callable[[Coroutine[Any, Any, _Prepared]], Awaitable[_Prepared]]


class _Hosting(Protocol):
    """A store on a database server, as far as guests care."""

    async def learn(self, entries: Sequence[Entry]) -> None: ...

    async def submit_on(self, guest: Guest, entries: Sequence[Entry]) -> list[Submitted]: ...


class Transactions:
    """Stores the runs of one app on connections of the user's own, which lead to where the app's store lives."""

    def __init__(self, client: Client, url: str, namespace: str) -> None:
        self._client = client
        self._dialect = dialect_of(url)
        self._namespace = namespace

    def submit(self, connection: Any, calls: Sequence[Call[R]]) -> Handles[R]:
        """`Shike.submit_on`, of many calls."""
        if len(calls) > SUBMIT_BATCH_MAX:
            words = f"submit_on takes {SUBMIT_BATCH_MAX} runs at a time; call it more than once in the transaction"
            raise TooLarge(words, size=len(calls), limit=SUBMIT_BATCH_MAX)
        if is_async(connection):
            return Handles(Lazy("Shike.submit_on", lambda: self._stored(connection, calls, self._client.here)))
        return Handles(None, driven(self._stored(connection, calls, self._ask_blocking)))

    def submit_one(self, connection: Any, call: Call[R]) -> Handle[R]:
        """`Shike.submit_on`, of one call."""
        if not is_async(connection):
            return self.submit(connection, [call])[0]

        async def work() -> tuple[int, bool]:
            (handle,) = await self._stored(connection, [call], self._client.here)
            return int(handle.id), handle.fresh

        return Handle(self._client, call.definition, Lazy("Shike.submit_on", work))

    async def _stored(self, connection: Any, calls: Sequence[Call[R]], ask: _Ask) -> list[Handle[R]]:
        guest = await reach(connection)
        if guest.dialect != self._dialect:
            raise BadInput(
                f"this connection speaks {guest.dialect}, and the app's store is of another kind ({self._dialect}): "
                "a run shares a transaction only in the database that holds the store. From another one, an outbox "
                "hands runs over: shike.outbox"
            )
        answers = await (self._on_file(guest, calls) if guest.dialect == "sqlite" else self._hosted(guest, calls, ask))
        return [
            Handle(self._client, call.definition, None, answer.run_id, answer.fresh)
            for call, answer in zip(calls, answers, strict=True)
        ]

    async def _on_file(self, guest: Guest, calls: Sequence[Call[Any]]) -> list[Submitted]:
        """A file has one writer, which is the user's transaction: all that a run needs is taken within it."""
        from shike.store.sqlite.transactional import submit_on

        clock, codec = self._client.runtime.clock, self._client.codec
        entries = [call.entry(0, clock.wall(), codec) for call in calls]

        def submit(connection: Any) -> list[Submitted]:
            return submit_on(connection, entries, namespace=self._namespace, clock=clock)

        if guest.is_async:  # aiosqlite works on a thread of its own
            return await guest.raw._execute(submit, guest.raw._conn)  # type: ignore[no-any-return]
        return submit(guest.raw)

    async def _hosted(self, guest: Guest, calls: Sequence[Call[Any]], ask: _Ask) -> list[Submitted]:
        """Ids and the numbers of names come from the store itself, on a connection of its own: they are given once
        and for all, and nobody waits for the user's commit to learn them."""
        store, entries = await ask(self._prepare(calls))
        hosting: _Hosting = store  # type: ignore[assignment]  # what speaks a server's dialect is one
        return await hosting.submit_on(guest, entries)

    async def _prepare(self, calls: Sequence[Call[Any]]) -> _Prepared:
        store, entries = await self._client.prepared(calls)
        hosting: _Hosting = store  # type: ignore[assignment]
        await hosting.learn(entries)
        return store, entries

    async def _ask_blocking(self, work: Coroutine[Any, Any, _Prepared]) -> _Prepared:
        return self._client.aside(work)
