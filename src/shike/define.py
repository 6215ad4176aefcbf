"""From what a user registers to a `Definition`: a handler or a program under its name, with checked settings."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, overload

from shike.bounds import BAND_DEFAULT, BATCH_RUNS_MAX, BATCH_WINDOW_SECONDS, BATCH_WINDOW_SECONDS_MAX
from shike.call import AsyncTask, Duration, SyncTask, Task, backoff, check_band
from shike.clock import MICROS
from shike.errors import BadInput
from shike.limit.declared import limits_of
from shike.model import Executor, OnUnknown
from shike.route.tags import route_of
from shike.task import SETTINGS, Definition, Outcome, is_text, member
from shike.trigger.duration import parse_duration

P = ParamSpec("P")
R = TypeVar("R")


class Decorator:
    """The type of `@app.task(...)`; never made."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R | Outcome]], /) -> AsyncTask[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, function: Callable[P, R | Outcome], /) -> SyncTask[P, R]: ...
    def __call__(self, function: Any, /) -> Any:
        raise NotImplementedError


def definition_of(function: Any, settings: Mapping[str, Any]) -> Definition:
    """A handler with the settings that `@app.task` was given; raises `BadInput`, which says what to write instead."""
    if isinstance(function, Task):
        raise BadInput(
            f"{function!r} is a task already; other settings for some of its runs: task.options(…).submit(…); "
            "a second task: app.task(name='…')(task.function)"
        )
    if not callable(function):
        raise BadInput(f"{function!r} cannot be a handler: it cannot be called")
    refuse_unknown("a task", settings, SETTINGS)
    options = dict(settings)
    name = options.pop("name", None) or _name_of(function)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise BadInput(f"task {name!r} yields, so calling it would run nothing; return a value instead")
    timeout, expires, executor = (options.pop(key, None) for key in ("timeout", "expires", "executor"))
    return Definition(
        name,
        _alone(function, options.pop("batch", None), options.pop("window", None), executor),
        executor=member(Executor, executor) if executor else None,
        retry=backoff(options.pop("retry", None)),
        band=check_band(options.pop("band", BAND_DEFAULT)),
        timeout_seconds=_seconds(timeout),
        expires_seconds=_seconds(expires),
        route=route_of(options.pop("route", None)),
        limits=limits_of(name, function, options.pop("limits", None)),
        on_unknown=member(OnUnknown, options.pop("on_unknown", OnUnknown.REPEAT)),
        **options,
    )


def _alone(function: Any, batch: int | None, window: Duration | None, executor: Any) -> Any:
    """The handler of one run; of a task that works on batches, what hands it over to the next one."""
    if batch is None:
        if window is not None:
            raise BadInput("window= is how long a batch waits to be full: say how large one may be, batch=100")
        return function
    if isinstance(batch, bool) or not isinstance(batch, int) or not 1 <= batch <= BATCH_RUNS_MAX:
        raise BadInput(f"batch={batch!r}: a whole number of runs from 1 to {BATCH_RUNS_MAX:,}")
    seconds = BATCH_WINDOW_SECONDS if window is None else _seconds(window)
    if not 0 <= seconds <= BATCH_WINDOW_SECONDS_MAX:
        raise BadInput(
            f"window={window!r}: from 0 to {BATCH_WINDOW_SECONDS_MAX:g} s, for so long runs hold their slots"
        )
    if executor is not None and executor != Executor.ASYNC:
        raise BadInput(f"executor={executor!r}: batches are gathered on the event loop, so their handler runs there")
    from shike.worker.batch import batched  # only a program with batches needs it

    return batched(function, batch, seconds)


def command_of(name: str, argv: Sequence[str], timeout: Duration | None, settings: Mapping[str, Any]) -> Definition:
    """A program as a task; raises `BadInput` for an argv that is no list of texts."""
    if not argv or isinstance(argv, str) or not all(map(_is_word, argv)):
        raise BadInput(f"command {name!r}: argv is a list of at least one text, as in ['ls', '-l']")
    from shike.worker.command import takes  # only a program with commands needs it

    return Definition(
        name, takes(argv), executor=Executor.COMMAND, timeout_seconds=_seconds(timeout), argv=tuple(argv), **settings
    )


def refuse_unknown(what: str, words: Iterable[str], known: tuple[str, ...]) -> None:
    """Raises `BadInput` for words that are not among the known ones, and tells those."""
    if unknown := set(words) - set(known):
        raise BadInput(f"{what} has no {', '.join(sorted(unknown))}; there are: {', '.join(known)}")


def _name_of(function: Callable[..., Any]) -> str:
    """`module.function`, as others would import it; raises `BadInput` for a callable without a name of its own."""
    own = getattr(function, "__qualname__", "")
    if not own:
        raise BadInput(f"{function!r} has no name of its own; give it one: app.task(name='…')(it)")
    return f"{_module_of(function)}.{own}".replace("<locals>.", "")


def _module_of(function: Callable[..., Any]) -> str:
    """The module by the name under which others import it, also where it is the program that runs."""
    if function.__module__ != "__main__":
        return function.__module__
    main = sys.modules["__main__"]
    if main.__spec__ is not None:
        return main.__spec__.name
    file = getattr(main, "__file__", None)
    return Path(file).stem if file else "__main__"


def _is_word(word: Any) -> bool:
    return isinstance(word, str) and is_text(word) and "\0" not in word


def _seconds(length: Duration | None) -> float:
    return parse_duration(length) / MICROS if length is not None else 0.0
