"""One process at work: started, watched, stopped politely; a second signal ends it at once."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from shike.bounds import KILL_GRACE_SECONDS, LEASE_SECONDS
from shike.cli.intakes import read_beside
from shike.cli.live import Screen
from shike.cli.logs import start_logging
from shike.cli.status import Status
from shike.cli.where import load_app, served
from shike.ending import ECHO_SECONDS, SIGNALS
from shike.errors import ImportFailed, StoreLost, StoreMoved
from shike.settings import Loaded
from shike.store.opening import may_be_opened, without_secrets

if TYPE_CHECKING:
    from shike.app import Shike
    from shike.cli.http import Facade
    from shike.engine import Engine, Roles
    from shike.model import Executor
    from shike.scheduler.waker import Waker
    from shike.server.serving import Front
    from shike.worker.executor import Pool
    from shike.worker.recycle import Limits
    from shike.worker.reload import Watcher

log = logging.getLogger("shike")

DAY_SECONDS = 86_400.0
LOOK_SECONDS = 0.5


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
        self._answers = scheduler and worker and not drain and begin is None
        self._stopped = asyncio.Event()
        self._again = False
        self._signalled_at = 0.0
        self._gone: StoreMoved | StoreLost | None = None

    async def run(self) -> bool:
        """Until a signal, a limit or an edit."""
        settings = self._loaded.settings
        start_logging(settings.log_level, as_json=self._as_json or settings.log_format == "json")
        self._watch_signals()
        self._export()
        facade = self._facade()
        self._declare_alarms()
        status = Status(self._app)
        try:
            async with self._app.running(self._roles(), pools=self._pools()) as engine, AsyncExitStack() as intakes:
                engine.member.on_gone.append(self._follow)
                await status.attach(engine, await self._app.client.store(), settings.slots if self._worker else 0)
                if self._begin is not None:
                    await self._begin()
                front = await self._front(facade)
                await intakes.enter_async_context(read_beside(self._app, settings.intakes and self._answers))
                screen = Screen(status, plain=self._plain, as_json=self._as_json, title=self._title())
                watchers = [asyncio.create_task(work) for work in self._watchers(engine, screen)]
                try:
                    await self._stopped.wait()
                finally:
                    if front is not None:
                        await front.stop()
                    for watcher in watchers:
                        watcher.cancel()
                    await asyncio.gather(*watchers, return_exceptions=True)
                log.info("stopping: what runs may finish, the rest is given back (again: at once)")
        finally:
            await self._app.client.close()
        log.info("stopped after %s", status.total_words())
        if self._gone is not None and not self._again:
            raise self._gone
        return self._again

    def stop(self, why: str, *, again: bool = False) -> None:
        """Begin to stop; with `again` the process starts anew afterwards."""
        if not self._stopped.is_set():
            log.info("%s", why)
            self._again = again
            self._stopped.set()

    def _follow(self, error: StoreMoved | StoreLost) -> None:
        """The store was moved away: start anew on the new one, where its address is all that is needed; else stop. It
        was lost: start anew on what is there now."""
        if self._stopped.is_set():
            return
        self._gone = error
        if isinstance(error, StoreLost):
            log.error("%s", error)
            self.stop("starting anew: the store is another one", again=not self._drain)
            return
        follows = self._loaded.origins["store"] != "--store" and may_be_opened(error.to)
        if follows:
            os.environ["SHIKE_STORE"] = error.to
        self.stop(f"the store was moved to {error.to}{': starting anew there' if follows else ''}", again=follows)

    # ------------------------------------------------------------ what it is made of

    def _roles(self) -> Roles:
        from shike.engine import Roles
        from shike.scheduler.janitor import retention
        from shike.scheduler.preset import PRESETS

        settings = self._loaded.settings
        queues = served(self._loaded, self._app)
        if self._worker and (unknown := [share.name for share in queues if share.name not in self._app.queues]):
            log.warning(
                "nothing in the app names queue %s; it has: %s", ", ".join(unknown), ", ".join(self._app.queues)
            )
        lease_seconds = settings.lease_seconds if self._loaded.given("lease_seconds") else LEASE_SECONDS
        return Roles(
            scheduler=self._scheduler,
            worker=self._worker,
            slots=settings.slots,
            queues=queues,
            tags=settings.tags,
            weight=settings.weight,
            traces=settings.trace,
            lease_seconds=lease_seconds,
            runs_max=self._limits.max_runs,
            preset=PRESETS[settings.preset],
            waker=self._waker(),
            keep=retention(
                settings.history_success_days * DAY_SECONDS,
                settings.history_dead_days * DAY_SECONDS,
                lease_seconds,
            ),
        )

    def _export(self) -> None:
        """What the settings name; the files of exporters may be missing, where nobody names them."""
        settings = self._loaded.settings
        names = [*settings.exporters, *(["prometheus"] if settings.metrics_port >= 0 else [])]
        if not names:
            return
        from shike.export import make

        for name in names:
            self._app.export(make(name, port=settings.metrics_port) if name == "prometheus" else make(name))

    def _declare_alarms(self) -> None:
        if self._scheduler and self._loaded.settings.alarms:
            from shike.connect.alarms.declaring import declare  # others need none of it

            declare(self._app, self._loaded.settings)

    def _waker(self) -> Waker | None:
        from shike.connect import BrokerWaker

        settings = self._loaded.settings
        if not settings.waker or not self._scheduler:
            return None
        return BrokerWaker(settings.waker, namespace=self._app.namespace)

    def _facade(self) -> Facade | None:
        """The API, where this process does everything and the extra is installed; made before anything runs."""
        if not self._answers:
            return None
        from shike.cli.http import facade_beside  # others need none of it

        return facade_beside(self._app, self._loaded)

    async def _front(self, facade: Facade | None) -> Front | None:
        if facade is None:
            return None
        from shike.cli.http import front_beside

        return await front_beside(facade, self._loaded)

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
            allow_http=settings.allow_http,
            containers=settings.containers,
        )

    def _title(self) -> str:
        what = {(True, True): "up", (True, False): "scheduler", (False, True): "worker"}
        name = self._loaded.settings.app or self._app.name or "app"
        return f"shike {what[self._scheduler, self._worker]} · {name} · {without_secrets(self._app.store_url)}"

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
        for number in SIGNALS:
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


def load_or_wait(loaded: Loaded) -> Shike:
    """The app; with --reload one that does not import is a half-done edit: tell it, wait for the next, start anew."""
    from shike.worker.reload import look, sources, wait_for_edit

    before = look(sources(Path.cwd()))  # what is edited while it is imported is an edit
    try:
        return load_app(loaded)
    except ImportFailed as error:
        print(f"shike: {error}; waiting for an edit", file=sys.stderr, flush=True)
        wait_for_edit(Path.cwd(), before)
        start_anew()


def start_anew() -> NoReturn:
    """Replace this process by a fresh one with the same words: all memory is given back, the pid stays."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - the same words, no shell
