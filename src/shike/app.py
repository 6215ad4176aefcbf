"""The face: an app holds tasks and schedules, submits runs, and can run them in this very process."""

from __future__ import annotations

import asyncio
import inspect
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from shike.bounds import BAND_DEFAULT, STOP_GRACE_SECONDS
from shike.call import AsyncTask, Call, Duration, Handle, Handles, SyncTask, Task, backoff, check_band
from shike.client import Client
from shike.clock import MICROS, to_datetime
from shike.declare import Policies, one_trigger, schedule_of
from shike.errors import BadInput, DuplicateName, UnknownTask
from shike.events import Emitter, Listener
from shike.model import Backoff, Executor, OnUnknown, Planned, Schedule
from shike.runtime import Runtime
from shike.store.base import Store
from shike.store.codec import Codec, Plain
from shike.store.opening import open_store
from shike.task import SETTINGS, Definition, Outcome, is_text, member
from shike.trigger import AnyTrigger
from shike.trigger.duration import parse_duration
from shike.worker.executor import Pool

if TYPE_CHECKING:
    from sqlite3 import Connection

    from shike.engine import Engine, Roles

P = ParamSpec("P")
R = TypeVar("R")
Heard = TypeVar("Heard", bound=Listener)

log = logging.getLogger("shike")

DEFAULT_STORE = "sqlite:///shike.db"


class Shike:
    """Tasks, schedules, and the store they live in.

        app = Shike()                                  # one SQLite file, shike.db

        @app.task(retry=5)
        async def send(user: int) -> None: ...

        app.schedule(send.bind(user=1), cron="0 9 * * mon-fri", tz="Asia/Shanghai")
        send.in_("10m").submit(user=2)

    Creating one opens nothing; the store is opened on first use.
    """

    def __init__(
        self,
        store: str | Store = DEFAULT_STORE,
        *,
        name: str = "",
        namespace: str = "shike",
        values: Mapping[str, str] | None = None,
        codec: Codec | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        self.name = name
        self.store_url = store if isinstance(store, str) else store.url
        self.namespace = namespace
        self.values: dict[str, str] = dict(values or {})
        self.tasks: dict[str, Definition] = {}
        self.events = Emitter()
        self.runtime = runtime or Runtime()
        self._given_store = None if isinstance(store, str) else store
        self._codec = codec
        self._schedules: dict[str, Schedule] = {}
        self.client = Client(self._make_store, self.runtime, codec or Plain())

    def _make_store(self) -> Store:
        if self._given_store is not None:
            return self._given_store
        return open_store(self.store_url, namespace=self.namespace, clock=self.runtime.clock)

    def use(self, *, store: str = "", namespace: str = "") -> None:
        """Settings from outside, before the store is opened: another store than the one named here, or namespace."""
        if store:
            self.store_url, self._given_store = store, None
        self.namespace = namespace or self.namespace

    # ------------------------------------------------------------ tasks

    @overload
    def task(self, function: Callable[P, Coroutine[Any, Any, R | Outcome]], /) -> AsyncTask[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def task(self, function: Callable[P, R | Outcome], /) -> SyncTask[P, R]: ...
    @overload
    def task(
        self,
        /,
        *,
        name: str | None = None,
        queue: str = "default",
        band: int = BAND_DEFAULT,
        retry: Backoff | int | None = None,
        timeout: Duration | None = None,
        executor: Executor | str | None = None,
        on_unknown: OnUnknown | str = OnUnknown.REPEAT,
        keep_result: bool = True,
        expires: Duration | None = None,
        owner: str = "",
    ) -> _Decorator: ...
    def task(self, function: Callable[..., Any] | None = None, /, **settings: Any) -> Any:
        """Register a handler, sync or async. Its name is `module.function` unless one is given.

        `queue`, `band` (0 first … 7): where its runs wait. `retry`: attempts in all, or a `Backoff`. `timeout`: then
        it is stopped and counts as failed. `executor`: `async` (async def), `thread` (def) or `process`.
        `on_unknown`: what it means if the process died in mid-run. `expires`: skipped if not started so long after
        it is due. `owner`: whom its dead letters belong to.
        """
        if function is not None:
            return self._register(function, settings)
        return lambda handler: self._register(handler, settings)

    def _register(self, function: Callable[..., Any], settings: dict[str, Any]) -> Task[..., Any]:
        if not callable(function):
            raise BadInput(f"{function!r} cannot be a handler: it cannot be called")
        _refuse_unknown("a task", settings, SETTINGS)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise BadInput(f"{function.__qualname__} yields, so calling it would run nothing; return a value instead")
        options = dict(settings)
        name = options.pop("name", None) or f"{_module_of(function)}.{function.__qualname__}".replace("<locals>.", "")
        timeout, expires, executor = (options.pop(key, None) for key in ("timeout", "expires", "executor"))
        definition = Definition(
            name,
            function,
            executor=member(Executor, executor) if executor else None,
            retry=backoff(options.pop("retry", None)),
            band=check_band(options.pop("band", BAND_DEFAULT)),
            timeout_seconds=parse_duration(timeout) / MICROS if timeout is not None else 0.0,
            expires_seconds=parse_duration(expires) / MICROS if expires is not None else 0.0,
            on_unknown=member(OnUnknown, options.pop("on_unknown", OnUnknown.REPEAT)),
            **options,
        )
        self._add(definition)
        return _task(self.client, definition, function)

    def command(
        self,
        name: str,
        argv: Sequence[str],
        *,
        queue: str = "default",
        band: int = BAND_DEFAULT,
        retry: Backoff | int | None = None,
        timeout: Duration | None = None,
        owner: str = "",
    ) -> Task[..., Any]:
        """Register a program as a task: `app.command("dump", ["pg_dump", "{db}"]).submit(db="shop")`.

        Each `{name}` becomes one argument as it is, and a call has to give just these names; there is no shell. Workers
        run commands only if they were started with commands allowed. The environment tells SHIKE_RUN_ID, SHIKE_TOKEN
        and SHIKE_ATTEMPT.
        """
        if not argv or isinstance(argv, str) or not all(map(_is_word, argv)):
            raise BadInput(f"command {name!r}: argv is a list of at least one text, as in ['ls', '-l']")

        from shike.worker.command import takes  # only a program with commands needs it

        handler = takes(argv)
        definition = Definition(
            name,
            handler,
            executor=Executor.COMMAND,
            queue=queue,
            band=check_band(band),
            retry=backoff(retry),
            timeout_seconds=parse_duration(timeout) / MICROS if timeout is not None else 0.0,
            owner=owner,
            argv=tuple(argv),
        )
        self._add(definition)
        return Task(self.client, definition, handler)

    def _add(self, definition: Definition) -> None:
        if definition.name in self.tasks:
            raise DuplicateName(f"two tasks are called {definition.name!r}; give one of them name='…'")
        self.tasks[definition.name] = definition

    def find_task(self, name: str) -> Task[..., Any]:
        """A registered task by its name, or by the last part of it where that is unique; raises `UnknownTask`."""
        known = [full for full in self.tasks if full == name or full.rpartition(".")[2] == name]
        chosen = [name] if name in self.tasks else known
        if len(chosen) != 1:
            from difflib import get_close_matches

            near = ", ".join(known or get_close_matches(name, self.tasks) or list(self.tasks)[:8]) or "none at all"
            raise UnknownTask(f"no task is called {name!r}; this app has: {near}")
        definition = self.tasks[chosen[0]]
        return _task(self.client, definition, definition.handler or (lambda: None))

    # ------------------------------------------------------------ schedules

    def schedule(
        self,
        what: Task[..., Any] | Call[Any],
        trigger: AnyTrigger | str | None = None,
        *,
        cron: str | None = None,
        every: Duration | None = None,
        delay: Duration | None = None,
        at: Any = None,
        initial_delay: Duration | None = None,
        tz: str | None = None,
        name: str | None = None,
        group: str = "default",
        **policies: Any,
    ) -> Schedule:
        """Declare a schedule; it is stored when the app starts, or by `await app.store_schedules()`.

        Exactly one of: a trigger (or a cron text), `cron=`, `every=` (fixed rate), `delay=` (from the end of one run
        to the next), `at=`. Texts may hold `${NAME:-default}`, filled from settings or environment; the cron text `-`
        switches it off. Its identity is `group/name`; the task's name where none is given.
        Policies: `misfire`, `misfire_grace`, `misfire_window`, `overlap`, `overlap_max`, `jitter`, `start`, `end`,
        `count`, `expires`.
        """
        call = what.bind() if isinstance(what, Task) else what
        if not isinstance(call, Call):
            raise BadInput(f"{what!r} cannot be scheduled; give a task, or task.bind(…) with its arguments")
        schedule = schedule_of(
            name or call.definition.name,
            group,
            call,
            one_trigger(
                trigger,
                cron_text=cron,
                every_text=every,
                delay=delay,
                at=at,
                initial_delay=initial_delay,
                tz=tz,
                values=self.values,
            ),
            _policies(policies),
            self.client.codec,
        )
        if schedule.name in self._schedules:
            raise DuplicateName(f"two schedules are called {schedule.name!r}; give one of them name='…'")
        self._schedules[schedule.name] = schedule
        return schedule

    @property
    def schedules(self) -> list[Schedule]:
        """The schedules declared in this program."""
        return list(self._schedules.values())

    async def store_schedules(self) -> list[Planned]:
        """Store what was declared. Unchanged ones stay as they are; an edit makes a new version."""
        store = await self.client.store()
        stored = []
        for schedule in self._schedules.values():
            now = await store.now()
            stored.append(await store.put_schedule(schedule, expect=None, plan_at=now))
        for known in await store.schedules():
            name, task = known.schedule.name, known.schedule.task
            if task in self.tasks and name not in self._schedules and not known.deleted:
                log.warning("schedule %s goes on undeclared; `shike schedules delete %s` ends it", name, name)
        return stored

    # ------------------------------------------------------------ runs

    def submit_many(self, calls: Iterable[Call[R]]) -> Handles[R]:
        """Store many runs at once: `app.submit_many([send.bind(user=n) for n in users])`. In async code, await it."""
        return self.client.submit_many(calls)

    def submit_on(self, connection: Connection, calls: Sequence[Call[R]]) -> list[Handle[R]]:
        """Store runs in the transaction that is open on your own SQLite connection, to the file the store lives in:

        they exist if, and only if, you commit. Workers find them within a second. Raises `BadInput` where no
        transaction is open, `ForeignStore` where that file holds no store yet (`open` makes it).
        """
        from shike.store.sqlite.transactional import submit_on

        clock, codec = self.runtime.clock, self.client.codec
        entries = [call.entry(0, clock.wall(), codec) for call in calls]
        answers = submit_on(connection, entries, namespace=self.namespace, clock=clock)
        return [
            Handle[R](self.client, call.definition, None).stored(answer.run_id, answer.fresh)
            for call, answer in zip(calls, answers, strict=True)
        ]

    def open(self) -> Any:
        """Open the store now, and not on first use: makes its tables where there are none. In async code, await it."""
        return self.client.both(self.client.store())

    def now(self) -> datetime:
        """The time, aware and in UTC, by the app's clock: the machine's, or a test's own."""
        return to_datetime(self.runtime.clock.wall())

    @overload
    def on(self, event: str) -> Callable[[Heard], Heard]: ...
    @overload
    def on(self, event: str, listener: Heard) -> Heard: ...
    def on(self, event: str, listener: Listener | None = None) -> Any:
        """Listen to an event of this process (`shike.events`), as a call or as a decorator."""
        if listener is not None:
            self.events.on(event, listener)
            return listener
        return lambda function: self.on(event, function)

    # ------------------------------------------------------------ running

    @asynccontextmanager
    async def running(
        self,
        roles: Roles | None = None,
        *,
        pools: Mapping[Executor, Pool] | None = None,
        grace: float = STOP_GRACE_SECONDS,
    ) -> AsyncIterator[Engine]:
        """Schedule and work in this process for as long as the block lasts:

        async with app.running():
            ...
        """
        from shike.engine import Engine, Roles  # a program that only submits needs none of it
        from shike.worker.pools import pools_for

        roles = roles or Roles()
        store = await self.client.settle_here()
        if pools is None:
            pools = pools_for(roles.slots) if roles.worker else {}
        engine = Engine(store, self.runtime, self.tasks, roles, pools=pools, codec=self._codec, events=self.events)
        if roles.scheduler:
            await self.store_schedules()
        await engine.start()
        try:
            yield engine
        finally:
            await engine.stop(grace)

    def run(self, roles: Roles | None = None) -> None:
        """Schedule and work until SIGINT or SIGTERM. Blocks."""
        asyncio.run(self._run(roles))

    async def _run(self, roles: Roles | None) -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        async with self.running(roles):
            await stopped.wait()
        await self.client.close()


class _Decorator:
    """The type of `@app.task(...)`; never made."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R | Outcome]], /) -> AsyncTask[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, function: Callable[P, R | Outcome], /) -> SyncTask[P, R]: ...
    def __call__(self, function: Any, /) -> Any:
        raise NotImplementedError


def _task(client: Client, definition: Definition, function: Callable[..., Any]) -> Task[..., Any]:
    kind = AsyncTask if inspect.iscoroutinefunction(function) else SyncTask
    return kind(client, definition, function)


def _is_word(word: Any) -> bool:
    return isinstance(word, str) and is_text(word) and "\0" not in word


def _module_of(function: Callable[..., Any]) -> str:
    """The module by the name under which others import it, also where it is the program that runs."""
    if function.__module__ != "__main__":
        return function.__module__
    main = sys.modules["__main__"]
    if main.__spec__ is not None:
        return main.__spec__.name
    file = getattr(main, "__file__", None)
    return Path(file).stem if file else "__main__"


def _policies(words: dict[str, Any]) -> Policies:
    _refuse_unknown("a schedule", words, Policies.__struct_fields__)
    return Policies(**words)


def _refuse_unknown(what: str, words: dict[str, Any], known: tuple[str, ...]) -> None:
    if unknown := words.keys() - set(known):
        raise BadInput(f"{what} has no {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
