"""Steps of a handler that get a name in its trace (R2.9): `with step("fetch"): …`, or `@traced` on a function.

Both note the entry, the exit, how long it took, and the type of what was raised. They are kept in memory, at most
STEPS_MAX of an attempt, and travel with its acknowledgement: a step costs no write. Where no run is under way, or
tracing is off, they do nothing. A step nests in the one that is open where it begins, also across `await`, tasks and
`asyncio.to_thread`; a thread that does not inherit the context is not seen.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, overload

from shike.errors import BadInput
from shike.worker.context import running
from shike.worker.notes import Begun, Notes

P = ParamSpec("P")
R = TypeVar("R")

_inside: ContextVar[tuple[Notes, Begun | None] | None] = ContextVar("shike_step", default=None)


class step:
    """A named stretch of work: `with step("fetch"): …`, in sync and in async code. One object, one use at a time.
    Raises `BadInput` for a name that is no text."""

    __slots__ = ("_begun", "_name", "_notes", "_token")

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise BadInput(f"step({name!r:.60}): its name is a text")
        self._name = name
        self._notes: Notes | None = None
        self._begun: Begun | None = None
        self._token: Token[tuple[Notes, Begun | None] | None] | None = None

    def __enter__(self) -> step:
        context = running.get(None)
        notes = None if context is None else context.notes()
        self._notes = notes
        if notes is not None:
            around = _inside.get()
            outer = around[1] if around is not None and around[0] is notes else None
            self._begun = begun = notes.begin(self._name, outer)
            self._token = _inside.set((notes, outer if begun is None else begun))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        notes, token = self._notes, self._token
        if notes is not None and token is not None:
            if self._begun is not None:
                notes.end(self._begun, "" if kind is None else kind.__qualname__)
            self._token = None
            try:
                _inside.reset(token)
            except ValueError:  # left in another context than it was entered in: a generator that somebody else closes
                _inside.set(None)


@overload
def traced(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def traced(*, name: str) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def traced(function: Callable[..., Any] | None = None, /, *, name: str = "") -> Any:
    """Make each call of a function a step of the run that calls it: `@traced`, or `@traced(name="fetch")`.

    Sync functions and `async def`. A generator's step would end before its work begins: those are refused with
    `TypeError`; put a `step` into them.
    """
    if not isinstance(name, str):
        raise BadInput(f"@traced(name={name!r:.60}): its name is a text")
    if function is None:
        return functools.partial(_traced, name=name)
    return _traced(function, name=name)


def _traced(function: Callable[..., Any], *, name: str) -> Callable[..., Any]:
    if not callable(function) or inspect.isclass(function):
        raise BadInput(f"@traced is for functions and methods, and {function!r:.60} is none")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{function.__qualname__} is a generator: write `with step(…):` around its work instead")
    called = name or getattr(function, "__qualname__", type(function).__qualname__).rpartition(".<locals>.")[2]
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def waited(*args: Any, **kwargs: Any) -> Any:
            with step(called):
                return await function(*args, **kwargs)

        return waited

    @functools.wraps(function)
    def told(*args: Any, **kwargs: Any) -> Any:
        with step(called):
            return function(*args, **kwargs)

    return told
