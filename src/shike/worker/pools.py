"""The pools a worker has unless told otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from shike.bounds import THREADS_MAX
from shike.model import Executor
from shike.worker.executor import Pool


def pools_for(
    slots: int,
    *,
    threads: int = 0,
    app_path: str = "",
    processes: int = 0,
    allow_commands: bool = False,
    allow_http: Sequence[str] = (),
    containers: str = "",
) -> dict[Executor, Pool]:
    """Threads always (0: as many as slots); processes where the app can be imported by its path; commands, calls
    to executors and containers only where they are allowed."""
    from shike.worker.threads import ThreadPool

    pools: dict[Executor, Pool] = {Executor.THREAD: ThreadPool(min(threads or slots, THREADS_MAX))}
    if app_path and processes:
        from shike.worker.processes import ProcessPool

        pools[Executor.PROCESS] = ProcessPool(app_path, processes)
    if allow_commands:
        from shike.worker.commands import CommandPool

        pools[Executor.COMMAND] = CommandPool(min(slots, THREADS_MAX), allowed=True)
    if allow_http:
        from shike.egress.rules import Rules
        from shike.worker.http import CALLS_MAX, HttpPool

        pools[Executor.HTTP] = HttpPool(min(slots, CALLS_MAX), Rules.parse(allow_http))
    if containers:
        from shike.worker.containers import ContainerPool

        pools[Executor.CONTAINER] = ContainerPool(min(slots, THREADS_MAX), containers)
    return pools
