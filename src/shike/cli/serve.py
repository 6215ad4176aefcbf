"""One process at work: started, watched, stopped politely; a second signal ends it at once."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shike.bounds import KILL_GRACE_SECONDS, LEASE_SECONDS
from shike.cli.live import Screen
from shike.cli.logs import start_logging
from shike.cli.status import Status
from shike.cli.where import served
from shike.settings import Loaded

if TYPE_CHECKING:
    from shike.app import Shike
    from shike.engine import Engine, Roles
    from shike.model import Executor
    from shike.worker.executor import Pool
    from shike.worker.recycle import Limits
    from shike.worker.reload import Watcher

log = logging.getLogger("shike")

DAY_SECONDS = 86_400.0
LOOK_SECONDS = 0.5
ECHO_SECONDS = 1.0  # `make` and `timeout` signal their child and its group: the same wish, heard twice


class Service:
    """What `up`, `scheduler` and `worker` do. `run` answers whether the process is to be started anew."""

    def __init__(
        self,
        app: Shike,
        loaded: Loaded,
        *,
        scheduler: bool,
        worker: bool,
        limits: Limits,
        reload: bool = False,
        plain: bool = False,
        drain: bool = False,
        as_json: bool = False,
        begin: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._app = app
        self._loaded = loaded
        self._scheduler = scheduler
        self._worker = worker
        self._limits = limits
        self._watcher = self._watch_files() if reload else None  # from now on: the app is imported already
        self._plain = plain or not sys.stdout.isatty()
        self._drain = drain
        self._as_json = as_json
        self._begin = begin
        self._stopped = asyncio.Event()
        self._again = False
        self._signalled_at = 0.0

    async def run(self) -> bool:
        """Until a signal, a limit or an edit."""
        start_logging(self._loaded.settings.log_level, as_json=self._as_json)
        self._watch_signals()
        status = Status(self._app)
        settings = self._loaded.settings
        try:
            async with self._app.running(self._roles(), pools=self._pools()) as engine:
                await status.attach(engine, await self._app.client.store(), settings.slots if self._worker else 0)
                if self._begin is not None:
                    await self._begin()
                screen = Screen(status, plain=self._plain, as_json=self._as_json, title=self._title())
                watchers = [asyncio.create_task(work) for work in self._watchers(engine, screen)]
                try:
                    await self._stopped.wait()
                finally:
                    for watcher in watchers:
                        watcher.cancel()
                    await asyncio.gather(*watchers, return_exceptions=True)
                log.info("stopping: what runs may finish, what has not begun is given back (again: stop at once)")
        finally:
            await self._app.client.close()
        log.info("stopped after %s", status.total_words())
        return self._again

    def stop(self, why: str, *, again: bool = False) -> None:
        """Begin to stop; with `again` the process starts anew afterwards."""
        if not self._stopped.is_set():
            log.info("%s", why)
            self._again = again
            self._stopped.set()

    # ------------------------------------------------------------ what it is made of

    def _roles(self) -> Roles:
        from shike.engine import Roles
        from shike.scheduler.janitor import retention

        settings = self._loaded.settings
        lease_seconds = settings.lease_seconds if self._loaded.given("lease_seconds") else LEASE_SECONDS
        return Roles(
            scheduler=self._scheduler,
            worker=self._worker,
            slots=settings.slots,
            queues=served(self._loaded, self._app),
            lease_seconds=lease_seconds,
            runs_max=self._limits.max_runs,
            keep=retention(
                settings.history_success_days * DAY_SECONDS,
                settings.history_dead_days * DAY_SECONDS,
                lease_seconds,
            ),
        )

    def _pools(self) -> dict[Executor, Pool]:
        from shike.worker.load import located
        from shike.worker.pools import pools_for

        settings = self._loaded.settings
        if not self._worker:
            return {}
        return pools_for(
            settings.slots,
            threads=settings.threads,
            app_path=located(settings.app),  # a handler may change the folder that it is relative to
            processes=settings.processes,
            allow_commands=settings.allow_commands,
        )

    def _title(self) -> str:
        what = {(True, True): "up", (True, False): "scheduler", (False, True): "worker"}
        name = self._loaded.settings.app or self._app.name or "app"
        return f"shike {what[self._scheduler, self._worker]} · {name} · {self._app.store_url}"

    # ------------------------------------------------------------ what ends it

    def _watchers(self, engine: Engine, screen: Screen) -> Iterator[Coroutine[Any, Any, None]]:
        yield screen.run()
        if engine.worker is not None:
            yield self._watch_limits(engine)
        if self._drain:
            yield self._watch_idle(engine)
        if self._watcher is not None:
            yield self._watcher.run()

    async def _watch_limits(self, engine: Engine) -> None:
        from shike.worker.recycle import rss_bytes, should_recycle

        worker = engine.worker
        assert worker is not None
        while True:
            rss = rss_bytes() if self._limits.max_rss_bytes else 0
            why = should_recycle(self._limits, runs_done=worker.slots.done, rss_bytes=rss, abandoned=worker.abandoned)
            if why:
                self.stop(f"starting anew: {why}", again=not self._drain)
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _watch_idle(self, engine: Engine) -> None:
        await engine.until_idle()
        self.stop("nothing is left that is due")

    def _watch_files(self) -> Watcher:
        from shike.worker.reload import Watcher

        def edited(files: list[Path]) -> None:
            self.stop(f"starting anew: {', '.join(file.name for file in files)} changed", again=True)

        return Watcher(Path.cwd(), edited)

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: signal.Signals) -> None:
        now = asyncio.get_running_loop().time()
        if not self._stopped.is_set():
            self._signalled_at = now
            self.stop(f"{number.name} received")
        elif now - self._signalled_at >= ECHO_SECONDS:
            os._exit(128 + number)  # leases are rescued: the lock file shows at once that we are gone


def serve(service: Service) -> None:
    """Run it, then end or start anew. What a handler that would not stop still holds up is left behind: its run was
    given up long ago, and an event loop waits for its tasks and threads for ever."""
    with asyncio.Runner() as runner:
        again = runner.run(service.run())
        left_behind = threading.Timer(KILL_GRACE_SECONDS, _leave, (again,))
        left_behind.daemon = True
        left_behind.start()
    left_behind.cancel()
    if again:
        start_anew()


def _leave(again: bool) -> None:
    log.warning("a handler that was given up keeps this process from ending: leaving it behind")
    if again:
        start_anew()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(os.EX_OK)


def start_anew() -> None:
    """Replace this process by a fresh one with the same words: all memory is given back, the pid stays."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - the same words, no shell
