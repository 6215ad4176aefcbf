"""`app.limits`: limits and strikes from a program; each call does its work at once; in async code, await it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, TypeVar

from shike.call import Task
from shike.client import Client
from shike.limit import shown, striking
from shike.limit.strikes import Deed
from shike.store.base import Store

T = TypeVar("T")


class Limiting:
    """Limits over the cluster as they hold now, and changing them while everything runs. `task`: a task or its name."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self, task: Task[..., Any] | str = "") -> Any:
        """Every limit that tasks have told the store, or those of one; gives a list of `LimitFacts`."""
        return self._do("list", lambda store: shown.listing(store, _name(task)))

    def show(self, task: Task[..., Any] | str, **values: Any) -> Any:
        """The keys of its limits that are in use: how much is taken, by which runs, how many wait and why; or one key,
        by the arguments it goes by: `show("send", tenant="acme")`. Gives a list of `KeyFacts`."""
        return self._do("show", lambda store: shown.keys(store, _name(task), values or None))

    def set(self, task: Task[..., Any] | str, limit: str, *, who: str = "", **numbers: Any) -> Any:
        """Other numbers for the whole cluster, at once, until `reset`: `set("send", "concurrency:tenant", cap=8)`.
        Gives its `LimitFacts`; raises `NotFound` or `BadLimit`."""
        return self._do("set", lambda store: shown.set_limit(store, _name(task), limit, numbers, who))

    def reset(self, task: Task[..., Any] | str, limit: str) -> Any:
        """What the code says holds again."""
        return self._do("reset", lambda store: shown.reset(store, _name(task), limit))

    def strike(
        self,
        predicate: str,
        reason: str,
        *,
        deed: Deed | str = Deed.HOLD,
        who: str = "",
        until: datetime | None = None,
    ) -> Any:
        """Keep runs from beginning that a predicate picks: `strike("task=send and tenant=acme", "the relay bounces")`.
        Gives the `Strike`; raises `BadPredicate`, `BadInput` without a reason, `BadTime`."""
        wanted: dict[str, Any] = {"deed": deed, "who": who, "until": until}
        return self._do("strike", lambda store: striking.add(store, predicate, reason, **wanted))

    def strikes(self) -> Any:
        """Those that are not over, oldest first."""
        return self._do("strikes", striking.listing)

    def lift(self, strike: str) -> Any:
        """Let these runs begin again, by the strike's id. Raises `NotFound`."""
        return self._do("lift", lambda store: striking.remove(store, strike))

    def _do(self, name: str, work: Callable[[Store], Coroutine[Any, Any, T]]) -> Any:
        async def begin() -> T:
            return await work(await self._client.store())

        return self._client.both(f"limits.{name}", begin)


def _name(task: Task[..., Any] | str) -> str:
    return task if isinstance(task, str) else task.name
