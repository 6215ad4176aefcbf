"""Tasks whose handler works on many runs with one call.

Each run takes a slot of its own and waits there for others, so it has its own lease, time-out, cancellation, retry and
acknowledgement, like any other run; only the handler's call is shared. A batch is called when it is full, or when its
window is over, which begins with its first run. So no batch has more runs than the worker has slots.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any, get_args, get_origin, get_type_hints
from weakref import WeakKeyDictionary

from shike.errors import BadInput
from shike.worker.context import Context, running, together

Handler = Callable[[list[Any]], Coroutine[Any, Any, Any]]


class WrongAnswers(Exception):
    """A batch handler returned neither None nor an answer for each of its runs."""


class Gathering:
    """The next batch of one handler, on one event loop."""

    def __init__(self, handler: Handler, size: int, window_seconds: float) -> None:
        self._handler = handler
        self._size = size
        self._window_seconds = window_seconds
        self._items: list[Any] = []
        self._runs: list[Context] = []
        self._answers: list[asyncio.Future[Any]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def add(self, item: Any) -> Any:
        """What the handler says of this item; raises what it raises."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._items.append(item)
        self._runs.append(running.get())
        self._answers.append(answer)
        if len(self._items) >= self._size:
            self._begin()
        elif self._timer is None:
            self._timer = loop.call_later(self._window_seconds, self._begin)
        return await answer

    def _begin(self) -> None:
        """Call the handler with what is here, and gather anew."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        kept = [number for number, answer in enumerate(self._answers) if not answer.done()]
        items = [self._items[number] for number in kept]
        runs = [self._runs[number] for number in kept]
        answers = [self._answers[number] for number in kept]
        self._items, self._runs, self._answers = [], [], []
        if items:
            context = copy_context()
            context.run(running.set, runs[0])
            context.run(together.set, tuple(runs))
            _hear_together(runs)
            work = _work(self._handler, items, answers)
            task = asyncio.get_running_loop().create_task(work, name="shike:batch", context=context)
            for answer in answers:  # whoever waits for an answer keeps the task that makes it
                answer.add_done_callback(partial(_given_up, task, answers))


def _hear_together(runs: Sequence[Context]) -> None:
    """What the handler logs, and its steps, are of each of its runs: whichever fails has to tell of it."""
    notes = runs[0].notes()
    if notes is not None:
        for one in runs[1:]:
            one.hear(notes)


def _given_up(task: asyncio.Task[None], answers: Sequence[asyncio.Future[Any]], _: asyncio.Future[Any]) -> None:
    """When nobody waits any more, the handler need not go on."""
    if not task.done() and all(answer.cancelled() for answer in answers):
        task.cancel()


async def _work(handler: Handler, items: list[Any], answers: Sequence[asyncio.Future[Any]]) -> None:
    try:
        values = _one_each(await handler(items), len(answers))
    except asyncio.CancelledError:
        for answer in answers:
            answer.cancel()
        raise
    except BaseException as error:
        for answer in answers:
            if not answer.done():
                answer.set_exception(_as_exception(error))
        return
    for answer, value in zip(answers, values, strict=True):
        if answer.done():
            continue  # cancelled meanwhile
        if isinstance(value, BaseException):
            answer.set_exception(_as_exception(value))
        else:
            answer.set_result(value)


def _one_each(values: Any, count: int) -> Sequence[Any]:
    if values is None:
        return [None] * count
    if not isinstance(values, list | tuple) or len(values) != count:
        what = f"{len(values)} answers" if isinstance(values, list | tuple) else f"{values!r:.60}"
        raise WrongAnswers(f"a batch of {count} was answered with {what}: return a list with one for each, or None")
    return values


def _as_exception(error: BaseException) -> BaseException:
    """What a future takes."""
    return RuntimeError(f"a batch handler raised {error!r}") if isinstance(error, StopIteration) else error


def batched(handler: Any, size: int, window_seconds: float) -> Callable[[Any], Coroutine[Any, Any, Any]]:
    """A handler for one run, which hands it to `handler` together with others. Its one parameter is one item of the
    list that `handler` takes. Raises `BadInput` for a handler of another shape."""
    name = getattr(handler, "__qualname__", repr(handler))
    if not inspect.iscoroutinefunction(handler):
        raise BadInput(f"{name} takes batches, so it is an `async def`; let it await asyncio.to_thread(…) what blocks")
    parameters = list(inspect.signature(handler).parameters.values())
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    if len(parameters) != 1 or parameters[0].kind not in named:
        raise BadInput(f"{name} takes batches, so it has one parameter: the list of what each run was given")
    only, by_loop = parameters[0], WeakKeyDictionary[asyncio.AbstractEventLoop, Gathering]()

    async def call(items: list[Any]) -> Any:
        return await handler(**{only.name: items})

    async def one(item: Any) -> Any:
        loop = asyncio.get_running_loop()
        gathering = by_loop.get(loop)
        if gathering is None:
            gathering = by_loop[loop] = Gathering(call, size, window_seconds)
        return await gathering.add(item)

    item_kind, answer_kind = _kinds(handler, only.name)
    for word in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(one, word, getattr(handler, word))
    parameter = inspect.Parameter(only.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=item_kind)
    one.__signature__ = inspect.Signature([parameter])  # type: ignore[attr-defined]
    one.__annotations__ = {only.name: item_kind, "return": answer_kind}
    return one


def _kinds(handler: Any, name: str) -> tuple[Any, Any]:
    """What one item and one answer are, by the handler's annotations: `list[T]` and `list[R]`."""
    try:
        hints = get_type_hints(handler)
    except (NameError, TypeError, AttributeError):  # names that exist only for the type checker
        return Any, Any
    return _item_of(hints.get(name)), _item_of(hints.get("return"))


def _item_of(annotation: Any) -> Any:
    """T of `list[T]`."""
    found = get_args(annotation)
    is_list = get_origin(annotation) in (list, Sequence, tuple)
    return found[0] if is_list and found else Any
