"""Work that begins when it is awaited, and that is missed by the name users know where nobody awaits it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")


class Lazy(Coroutine[Any, Any, T]):
    """What a call gives back in async code: to be awaited once, or handed to `asyncio.create_task`.

    Dropped before, it warns as Python does for a coroutine, and says what to do. Python's own warning would come twice,
    with the names of functions of ours.
    """

    __slots__ = ("_begin", "_name", "_work")

    def __init__(self, name: str, begin: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._name = name
        self._begin = begin
        self._work: Coroutine[Any, Any, T] | None = None

    def __await__(self) -> Generator[Any, Any, T]:
        return self._begun().__await__()

    def send(self, value: Any, /) -> Any:
        return self._begun().send(value)

    def throw(self, kind: Any, value: Any = None, traceback: TracebackType | None = None, /) -> Any:
        return self._begun().throw(value if value is not None else kind)

    def close(self) -> None:
        """Give it up: no warning any more."""
        self._begun().close()

    def _begun(self) -> Coroutine[Any, Any, T]:
        if self._work is None:
            self._work = self._begin()
        return self._work

    def __del__(self, warn: Callable[..., None] = warnings.warn) -> None:  # bound early: modules end before objects do
        if self._work is None:
            words = (
                f"coroutine '{self._name}' was never awaited, so it did nothing: in async code write `await` before it"
            )
            warn(words, RuntimeWarning, stacklevel=2)

    def __repr__(self) -> str:
        return f"<{self._name}, to be awaited>"
