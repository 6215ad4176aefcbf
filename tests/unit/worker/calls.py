"""Calls for tests of executors: a handler and what it would be called with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shike.model import Executor, Run
from shike.task import Definition
from shike.worker.context import Context
from shike.worker.executor import Call

RUN = Run(version=1, id=77, task="tested", schedule="ops/nightly", moment=1_767_225_600_000_000)


def context(run: Run = RUN, token: int = 5, attempt: int = 2) -> Context:
    return Context(run, token, attempt, claimed_at=run.due_at, started_at=run.due_at)


def call(
    handler: Callable[..., Any] | None,
    *args: Any,
    executor: Executor | None = None,
    argv: tuple[str, ...] = (),
    name: str = "tested",
    **kwargs: Any,
) -> Call:
    return Call(Definition(name, handler, executor=executor, argv=argv), context(), args, kwargs)
