"""The type of `@app.task(batch=…)`, for type checkers; nothing of it is ever made."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, overload

from shike.call import AsyncTask

R = TypeVar("R")
T = TypeVar("T")


class BatchDecorator:
    """The type of `@app.task(batch=…)`: the handler takes a list, a submission one item of it."""

    @overload
    def __call__(self, function: Callable[[list[T]], Coroutine[Any, Any, None]], /) -> AsyncTask[[T], None]: ...
    @overload
    def __call__(self, function: Callable[[list[T]], Coroutine[Any, Any, list[R]]], /) -> AsyncTask[[T], R]: ...
    def __call__(self, function: Any, /) -> Any:
        raise NotImplementedError
