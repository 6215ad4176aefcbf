"""Which store and which app a command works with, and the options that all commands share."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import Parameter

from shike.errors import BadInput, ImportFailed, StoreUnavailable, UnknownTask
from shike.settings import Loaded, load, store_url, with_settings

if TYPE_CHECKING:
    from shike.app import Shike
    from shike.client import Client
    from shike.store.base import Store
    from shike.worker.claims import QueueShare

T = TypeVar("T")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Where:
    """Options of every command that opens a store."""

    store: Annotated[str | None, Parameter(help="URL of the store; else SHIKE_STORE, shike.toml, the app's own.")] = (
        None
    )
    namespace: Annotated[str | None, Parameter(help="Keeps several Shikes in one store apart.")] = None
    app: Annotated[str | None, Parameter(help="Your app: module:attribute or file.py.")] = None
    json: Annotated[bool, Parameter(help="Answer in JSON.", negative="")] = False
    debug: Annotated[bool, Parameter(help="Show the traceback of an error.", negative="")] = False

    def settings(self, **flags: object) -> Loaded:
        """All settings, with these flags on top."""
        given = {"store": self.store, "namespace": self.namespace, "app": self.app, **flags}
        return load(environ=os.environ, flags=given)


ANYWHERE = Where()


@dataclass(frozen=True)
class Desk:
    """What an operator's command works at. Its store is open."""

    loaded: Loaded
    client: Client
    store: Store
    app: Shike | None

    def full_name(self, task: str) -> str:
        """The name of the task that is meant: as `submit` takes it where the app has it, else as it was given."""
        if not task or not self.loaded.settings.app:
            return task
        try:
            return (self.app or load_app(self.loaded)).find_task(task).name
        except (UnknownTask, ImportFailed):  # the app may have had it when its runs were made
            return task


def at_desk(where: Where, work: Callable[[Desk], Awaitable[T]], *, needs_app: bool = False, makes: bool = False) -> T:
    """Open the store, do the work, close it again. Raises `StoreUnavailable` where there is no store yet, unless this
    command `makes` one."""

    async def run() -> T:
        loaded = where.settings()
        app = load_app(loaded) if needs_app or (loaded.settings.app and not loaded.given("store")) else None
        client = app.client if app is not None else client_of(loaded)
        refuse_missing(app.store_url if app is not None else store_url(loaded), makes=needs_app or makes)
        try:
            store = await client.settle_here()
            return await work(Desk(loaded, client, store, app))
        finally:
            await client.close()

    return asyncio.run(run())


def load_app(loaded: Loaded) -> Shike:
    """Import the app and give it the settings that were made outside of it. Raises `ImportFailed`, `BadInput`."""
    import sys

    from shike.worker.load import load_app as import_app
    from shike.worker.load import tasks_of

    name = loaded.settings.app
    if not name:
        raise BadInput("which app? name it (--app shop.py or module:app), or set SHIKE_APP, or app in shike.toml")
    for key, value in loaded.settings.values.items():
        os.environ.setdefault(key, value)  # where `${NAME}` in a schedule is looked up, in child processes too
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    app: Any = import_app(name)
    tasks_of(app, name)
    if loaded.given("store"):
        app.use(store=store_url(loaded))
    elif loaded.given("synchronous") or loaded.given("history_url"):
        app.use(store=with_settings(app.store_url, loaded))
    app.use(virtual_buckets=_virtual_buckets(loaded))
    if loaded.given("namespace"):
        app.use(namespace=loaded.settings.namespace)
    return app  # type: ignore[no-any-return]


def served(loaded: Loaded, app: Shike) -> tuple[QueueShare, ...]:
    """What a worker was asked to serve; else every queue that the app knows of, so that nothing waits for nobody."""
    from shike.worker.claims import QueueShare

    return tuple(QueueShare.parse(text) for text in loaded.settings.queues or app.queues)


def _virtual_buckets(loaded: Loaded) -> int | None:
    """What a preset that somebody chose asks for; None: whatever the store has."""
    from shike.scheduler.preset import PRESETS

    return PRESETS[loaded.settings.preset].virtual_buckets if loaded.given("preset") else None


def client_of(loaded: Loaded) -> Client:
    """A client of the store that the settings name, without an app."""
    from shike.client import Client
    from shike.runtime import Runtime
    from shike.store.codec import Plain
    from shike.store.opening import open_store

    runtime = Runtime()
    url, namespace = store_url(loaded), loaded.settings.namespace
    buckets = _virtual_buckets(loaded)
    return Client(
        lambda: open_store(url, namespace=namespace, clock=runtime.clock, virtual_buckets=buckets), runtime, Plain()
    )


def refuse_missing(url: str, *, makes: bool) -> None:
    """To look at what is not there must not make an empty store that hides a wrong path."""
    if url.startswith("memory:"):
        raise StoreUnavailable("memory:// lives inside one process and cannot be reached from another one")
    if url.startswith("sqlite:") and not makes:
        from shike.store.opening import without_buckets
        from shike.store.sqlite.options import parse

        path = parse(without_buckets(url)[0]).path
        if not path.exists():
            raise StoreUnavailable(
                f"there is no store at {path} yet; start one with `shike up`, or name it with --store or SHIKE_STORE"
            )
