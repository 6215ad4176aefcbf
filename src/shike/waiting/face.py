"""`app.waiting`: each call does its work at once; in async code, await it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, TypeVar

from shike.call import Handle
from shike.client import Client
from shike.clock import to_micros
from shike.model import NEVER, Route
from shike.store.base import Store
from shike.store.orders import Order
from shike.waiting import bulk, moves, orders, pauses
from shike.waiting.bulk import Which

T = TypeVar("T")


class Waiting:
    """Runs that wait. `run` is a handle or an id; `which` picks many: `Which(task="shop.mail", band=3)`.

    Every change compares the version of the run that was seen, so it does what was meant or raises `Conflict`; a run
    that runs or is over raises it, too. Of many runs those that changed meanwhile are left and counted.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def reprioritise(self, run: Handle[Any] | int, band: int) -> Any:
        """Put it into another band (0 first … 7), where it stands: before its gate, in a worker's lane, or in the
        queue's. It takes O(log n) of those that wait."""
        return self._do("reprioritise", lambda store: moves.change(store, _id(run), band=band))

    def reschedule(self, run: Handle[Any] | int, at: datetime) -> Any:
        """Let it be eligible at another time, earlier or later; an instant that is past means now."""
        return self._do("reschedule", lambda store: moves.change(store, _id(run), run_at=to_micros(at)))

    def reroute(
        self, run: Handle[Any] | int, *, worker: str = "", queue: str = "", route: Route | str | None = None
    ) -> Any:
        """Into the own lane of one worker, by name or session; or into another queue, by another route, or both."""
        wanted: dict[str, Any] = {"worker": worker, "queue": queue, "route": route}
        return self._do("reroute", lambda store: moves.reroute(store, _id(run), **wanted))

    def count(self, which: Which) -> Any:
        """How many runs a change of these would be about, now."""
        return self._do("count", lambda store: bulk.count(store, which))

    def reprioritise_all(self, which: Which, band: int) -> Any:
        """As `reprioritise`, for all that fit; gives an `Outcome`."""
        return self._do("reprioritise_all", lambda store: bulk.change(store, which, band=band))

    def reschedule_all(self, which: Which, at: datetime) -> Any:
        """As `reschedule`, for all that fit; gives an `Outcome`."""
        return self._do("reschedule_all", lambda store: bulk.change(store, which, run_at=to_micros(at)))

    def reroute_all(self, which: Which, *, queue: str = "", route: Route | str | None = None) -> Any:
        """Another queue or route for all that fit; gives an `Outcome`."""
        return self._do("reroute_all", lambda store: bulk.reroute(store, which, queue=queue, route=route))

    def pause(
        self,
        *,
        queue: str = "",
        task: str = "",
        tag: str = "",
        key: str = "",
        reason: str,
        until: datetime | None = None,
    ) -> Any:
        """Hold back one of a queue, a task, the tasks with a tag, the runs with a business key: from the answer on none
        of it begins. Some node ends it at `until`, within about a second; without one it lasts until `resume`."""
        what = pauses.what_of(queue=queue, task=task, tag=tag, key=key)
        end = NEVER if until is None else to_micros(until)
        return self._do("pause", lambda store: pauses.pause(store, what, reason, end))

    def resume(self, *, queue: str = "", task: str = "", tag: str = "", key: str = "") -> Any:
        """Let it begin again; False if it was not paused."""
        what = pauses.what_of(queue=queue, task=task, tag=tag, key=key)
        return self._do("resume", lambda store: pauses.resume(store, what))

    def pauses(self) -> Any:
        """All that is paused."""
        return self._do("pauses", pauses.listing)

    def order(self, queue: str, by: Order | str) -> Any:
        """What goes out first of a queue: `priority`, `fifo` or `deadline`."""
        return self._do("order", lambda store: orders.choose(store, queue, by))

    def _do(self, name: str, work: Callable[[Store], Coroutine[Any, Any, T]]) -> Any:
        async def begin() -> T:
            return await work(await self._client.store())

        return self._client.both(f"waiting.{name}", begin)


def _id(run: Handle[Any] | int) -> int:
    return int(run.id) if isinstance(run, Handle) else run
