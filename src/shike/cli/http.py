"""`shike server`: the REST API of a store, alone in its process; and how `shike up` has one beside it."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from shike.cli.intakes import read_beside
from shike.cli.where import Where, client_of, load_app, refuse_missing
from shike.errors import BadSetting, StoreLost, StoreMoved
from shike.settings import Loaded, store_url

if TYPE_CHECKING:
    from shike.app import Shike
    from shike.client import Client
    from shike.server.serving import Front

log = logging.getLogger("shike")

PARTS = ("litestar", "uvicorn", "httptools", "jinja2")
INSTALL = "the server needs four more packages: pip install 'shike[server]'"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Answering(Where):
    """Options of a process that answers HTTP."""

    host: Annotated[str | None, Parameter(help="Address to listen on.")] = None
    port: Annotated[int | None, Parameter(help="Port to listen on; 0: any that is free.")] = None
    log_level: Annotated[str | None, Parameter(help="debug, info, warning, error or critical.")] = None


def server(app: str | None = None, /, *, options: Answering | None = None) -> int:
    """Answer HTTP, until SIGTERM or Ctrl-C; schedulers and workers run elsewhere. Any number may run on one store.

    APP is module:attribute or file.py, else the setting `app`; with one, arguments of its tasks are checked. Without,
    the store is enough. Beyond this machine it starts only where there is an access key (`shike keys create`).
    """
    options = options or Answering()
    flags: dict[str, object] = {"host": options.host, "port": options.port, "log_level": options.log_level}
    loaded = options.settings(**flags, **({"app": app} if app else {}))
    if not is_installed():
        raise BadSetting(INSTALL)
    asyncio.run(_serve(loaded))
    return os.EX_OK


def is_installed() -> bool:
    """Whether the extra `server` is there."""
    return all(importlib.util.find_spec(part) is not None for part in PARTS)


async def _serve(loaded: Loaded) -> None:
    from shike.cli.logs import start_logging
    from shike.ending import stop_on_signals

    start_logging(loaded.settings.log_level, as_json=False)
    app = load_app(loaded) if loaded.settings.app else None
    client = app.client if app is not None else client_of(loaded)
    refuse_missing(app.store_url if app is not None else store_url(loaded), makes=app is not None)
    stopped = asyncio.Event()
    gone: list[StoreMoved | StoreLost] = []
    stop_on_signals(stopped)
    try:
        await client.settle_here()
        facade = Facade(client, app, loaded)
        facade.opening.on_gone += (gone.append, lambda error: stopped.set())
        front = await facade.front()
        try:
            async with read_beside(app, loaded.settings.intakes):
                await stopped.wait()
        finally:
            await front.stop()
    finally:
        await client.close()
    if gone:
        raise gone[0]


class Facade:
    """A server that is made, and does not listen yet: half a second of work that no run is to wait for."""

    def __init__(self, client: Client, app: Shike | None, loaded: Loaded) -> None:
        from shike.server.opening import Opening
        from shike.server.web import build

        self._settings = loaded.settings
        self.opening = Opening(client, app)
        self._application = build(self.opening)
        self._janitor: asyncio.Task[None] | None = None

    async def front(self) -> Front:
        """It at work; says where, and shows the key of a first start. Raises `BadSetting`, `OpenToAll`."""
        from shike.server.keeping import keep
        from shike.server.serving import Front, bound, first_key

        host, port = self._settings.host, self._settings.port
        key = await first_key((await self.opening.desk()).keys, host)
        front = Front(self._application, bound(host, port), self._close)
        front.start()
        if self._settings.history_log_days:
            desk = await self.opening.desk()
            self._janitor = asyncio.create_task(keep(desk.log, desk.store, self._settings.history_log_days))
        log.info("the console answers on %s, the API below /api/v1", front.url)
        if key is not None:
            print(f"access key of an admin, shown this once: {key.key}", file=sys.stderr, flush=True)
        if key is not None or sys.stderr.isatty():
            print(f"console, signed in once: {await self._link(front.url)}", file=sys.stderr, flush=True)
        return front

    async def _close(self) -> None:
        if self._janitor is not None:
            self._janitor.cancel()
            await asyncio.wait([self._janitor])
        await self.opening.close()

    async def _link(self, url: str) -> str:
        """An address that signs whoever sees this terminal in, once; for others `shike open` makes one."""
        from shike.server.console.signins import link_at
        from shike.server.roles import Role

        return link_at(url, await (await self.opening.desk()).sign_ins.link("terminal", Role.ADMIN))


def facade_beside(app: Shike, loaded: Loaded) -> Facade | None:
    """For `shike up`: where a server is wanted and can be."""
    return Facade(app.client, app, loaded) if loaded.settings.server and is_installed() else None


async def front_beside(facade: Facade, loaded: Loaded) -> Front | None:
    """Its front; where it cannot be and nobody asked for just that one, what runs goes on without."""
    try:
        return await facade.front()
    except BadSetting as error:
        if loaded.given("port") or loaded.given("host"):
            raise
        log.warning("no API: %s", error)
        return None
