"""The face: an app holds tasks and schedules, submits runs, and can run them in this very process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

from msgspec.structs import replace

from shike.background import in_loop
from shike.bounds import BAND_DEFAULT, STOP_GRACE_SECONDS
from shike.call import AsyncTask, Call, Duration, Handle, Handles, SyncTask, Task, backoff, check_band, checked, task_of
from shike.client import Client
from shike.clock import to_datetime
from shike.declare import Policies, one_trigger, schedule_of, without_arguments
from shike.define import Decorator, command_of, definition_of, refuse_unknown
from shike.errors import BadInput, DuplicateName, StoreLost, StoreMoved, UnknownTask
from shike.events import Emitter, Listener, Name
from shike.lanes import queue_of
from shike.model import Backoff, Executor, OnGone, OnUnknown, Planned, Route, Schedule
from shike.runtime import Runtime
from shike.store.base import Store
from shike.store.codec import Codec, Plain
from shike.store.opening import open_store
from shike.task import DEFAULT_QUEUE, Definition, Outcome
from shike.trigger import AnyTrigger
from shike.typed import BatchDecorator
from shike.worker.executor import Pool

if TYPE_CHECKING:
    from shike.engine import Engine, Roles
    from shike.export import Exporter
    from shike.graph import Graph
    from shike.hosted import Hosted
    from shike.limit.kind import Limit
    from shike.limiting import Limiting
    from shike.scheduler.duty import Alarming, Duty
    from shike.waiting import Waiting

P = ParamSpec("P")
R = TypeVar("R")
Heard = TypeVar("Heard", bound=Listener)

log = logging.getLogger("shike")

DEFAULT_NAMESPACE = "shike"


class Shike:
    """Tasks, schedules, and the store they live in.

        app = Shike()                                  # one SQLite file, shike.db

        @app.task(retry=5)
        async def send(user: int) -> None: ...

        app.schedule(send.bind(user=1), cron="0 9 * * mon-fri", tz="Asia/Shanghai")
        send.in_("10m").submit(user=2)

    Creating one opens nothing. Without a store it is the one that the settings name (`SHIKE_STORE`, `shike.toml`), else
    `sqlite:///shike.db`: a program that submits and `shike up` mean the same one. Raises `BadSetting` for bad settings.
    """

    def __init__(
        self,
        store: str | Store | None = None,
        *,
        name: str = "",
        namespace: str = "",
        values: Mapping[str, str] | None = None,
        codec: Codec | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        self.name = name
        if store is None:
            from shike.settings import place

            store, namespace = place(namespace)
        self.store_url = store if isinstance(store, str) else store.url
        self.namespace = namespace or DEFAULT_NAMESPACE
        self.values: dict[str, str] = dict(values or {})
        self.tasks: dict[str, Definition] = {}
        self.intakes: dict[str, Any] = {}  # `shike.connect.Intake`, by name
        self.events = Emitter(aside=True)
        self.exporters: list[Exporter] = []
        self.runtime = runtime or Runtime()
        self._given_store = None if isinstance(store, str) else store
        self._virtual_buckets: int | None = None
        self._codec = codec
        self._schedules: dict[str, Schedule] = {}
        self._hosted: Hosted | None = None
        self.duties: list[Duty] = []
        self.client = Client(self._make_store, self.runtime, codec or Plain())

    def _make_store(self) -> Store:
        if self._given_store is not None:
            return self._given_store
        clock, virtual_buckets = self.runtime.clock, self._virtual_buckets
        return open_store(self.store_url, namespace=self.namespace, clock=clock, virtual_buckets=virtual_buckets)

    def use(self, *, store: str = "", namespace: str = "", virtual_buckets: int | None = None) -> None:
        """Settings from outside, before the store is opened: another store than the one named here, or namespace; and
        with how many virtual buckets a store is made, where its URL does not say."""
        self._virtual_buckets = virtual_buckets or self._virtual_buckets
        if store:
            self.store_url, self._given_store = store, None
        self.namespace = namespace or self.namespace

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
        route: Route | str | None = None,
        tags: Sequence[str] = (),
        limits: Sequence[Limit] = (),
    ) -> Decorator: ...
    @overload
    def task(self, /, *, batch: int, window: Duration = ..., **settings: Any) -> BatchDecorator: ...
    def task(self, function: Callable[..., Any] | None = None, /, **settings: Any) -> Any:
        """Register a handler, sync or async. Its name is `module.function` unless one is given.

        `queue`, `band` (0 first … 7): where its runs wait. `retry`: attempts in all, or a `Backoff`. `timeout`: then
        it is stopped and counts as failed. `executor`: `async` (async def), `thread` (def) or `process`.
        `on_unknown`: what it means if the process died in mid-run. `expires`: skipped if not started so long after
        it is due. `owner`: whom its dead letters belong to. `route`: which worker. `tags`: words by which several tasks
        are paused together. `limits`: how many go at once, or how often: `[Concurrency(4, by="tenant")]`. `batch`: one
        call works on so many runs, given as a list, or on those that came within `window`.
        """
        if function is not None:
            return self._register(function, settings)
        return lambda handler: self._register(handler, settings)

    def _register(self, function: Callable[..., Any], settings: dict[str, Any]) -> Task[..., Any]:
        definition = definition_of(function, settings)
        self._add(definition)
        return task_of(self.client, definition, function)

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
        settings = {"queue": queue, "band": check_band(band), "retry": backoff(retry), "owner": owner}
        definition = command_of(name, argv, timeout, settings)
        self._add(definition)
        return Task(self.client, definition, definition.handler or (lambda: None))

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
        return task_of(self.client, definition, definition.handler or (lambda: None))

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
        refuse_unknown("a schedule", policies, Policies.__struct_fields__)
        call = without_arguments(what) if isinstance(what, Task) else what
        if not isinstance(call, Call):
            raise BadInput(f"{what!r} cannot be scheduled; give a task, or task.bind(…) with its arguments")
        when = one_trigger(
            trigger,
            cron_text=cron,
            every_text=every,
            delay=delay,
            at=at,
            initial_delay=initial_delay,
            tz=tz,
            values=self.values,
        )
        named = name or call.definition.name
        schedule = schedule_of(named, group, call, when, Policies(**policies), self.client.codec)
        if schedule.name in self._schedules:
            raise DuplicateName(f"two schedules are called {schedule.name!r}; give one of them name='…'")
        self._schedules[schedule.name] = schedule
        return schedule

    @property
    def schedules(self) -> list[Schedule]:
        """The schedules declared in this program."""
        return list(self._schedules.values())

    @property
    def queues(self) -> list[str]:
        """The default queue and those that this program's tasks and schedules name: what its workers serve."""
        named = [task.queue for task in self.tasks.values()] + [queue_of(one.queue) for one in self._schedules.values()]
        return list(dict.fromkeys([DEFAULT_QUEUE, *named]))

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

    def submit_many(self, calls: Iterable[Call[R]]) -> Handles[R]:
        """Store many runs at once: `app.submit_many([send.bind(user=n) for n in users])`. In async code, await it."""
        return self.client.submit_many(calls)

    @property
    def waiting(self) -> Waiting:
        """What waits: give it another band, time, queue or worker; pause it; choose the order of a queue."""
        from shike.waiting import Waiting  # most programs need none of it

        return Waiting(self.client)

    @property
    def limits(self) -> Limiting:
        """Limits over the cluster: what holds, who has it, who waits; other numbers; keeping runs from beginning."""
        from shike.limiting import Limiting  # most programs need none of it

        return Limiting(self.client)

    def broadcast(self, call: Call[R], *, on_gone: OnGone | str = OnGone.FAILOVER) -> Handles[R]:
        """A run of this call for each worker that is there, told by `current().shard`. `on_gone`: what if its worker is
        gone before it is done: `failover` (another does it) or `skip`. In async code, await it. Raises `NoWorker`."""
        from shike.shards import broadcast  # few programs need it

        return broadcast(self.client, call, on_gone)

    def graph(self) -> Graph:
        """A graph of work: runs that wait for each other and take each other's results, stored in one step."""
        from shike.graph import Graph  # a program without graphs needs none of it

        return Graph(self.client)

    @overload
    def submit_on(self, connection: Any, calls: Call[R]) -> Handle[R]: ...
    @overload
    def submit_on(self, connection: Any, calls: Sequence[Call[R]]) -> Handles[R]: ...
    def submit_on(self, connection: Any, calls: Call[R] | Sequence[Call[R]]) -> Handle[R] | Handles[R]:
        """Store a run, or several, in the transaction that is open on your own connection to the store's database:

        they exist if, and only if, you commit. The connection is one of sqlite3, aiosqlite, asyncpg, psycopg, PyMySQL,
        asyncmy, a Session or Connection of SQLAlchemy, or django.db.connection; with an async one, await the answer.
        Workers hear of the runs at the commit on PostgreSQL, else within a second. Raises `BadInput` where no
        transaction is open or it was aborted, `ForeignStore` where the connection does not lead to the app's store.
        """
        from shike.transactions import Transactions  # a program that only submits needs none of it

        transactions = Transactions(self.client, self.store_url, self.namespace)
        if isinstance(calls, Call):
            return transactions.submit_one(connection, calls)
        return transactions.submit(connection, checked(calls))

    def open(self) -> Any:
        """Open the store now, and not on first use: makes its tables where there are none. In async code, await it."""
        return self.client.both("Shike.open", self.client.store)

    def now(self) -> datetime:
        """The time, aware and in UTC, by the app's clock: the machine's, or a test's own."""
        return to_datetime(self.runtime.clock.wall())

    @overload
    def on(self, event: Name | Literal["*"]) -> Callable[[Heard], Heard]: ...
    @overload
    def on(self, event: Name | Literal["*"], listener: Heard) -> Heard: ...
    def on(self, event: Name | Literal["*"], listener: Listener | None = None) -> Any:
        """Listen to an event of this process (`shike.events`), as a call or as a decorator: `@app.on("run.failed")`."""
        if listener is not None:
            self.events.on(event, listener)
            return listener
        return lambda function: self.on(event, function)

    def export(self, exporter: Exporter) -> None:
        """Have traces and metrics of this app go to an exporter (`shike.export`), from the next start on."""
        self.exporters.append(exporter)
        exporter.attach(self.client)

    def alarm(self, rule: Alarming, *channels: Any, **pace: Duration) -> None:
        """Have this app's schedulers watch for something, and tell these channels (`shike.connect.alarms` has both).
        `after`, `repeat`, `quiet`, `recover`: how soon and how often; declare the same in each scheduler of a store."""
        rule.watch(self, channels, **pace)

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
        from shike.worker.claims import QueueShare
        from shike.worker.pools import pools_for

        roles = roles or Roles()
        queues = roles.queues or tuple(map(QueueShare, self.queues))
        roles = replace(roles, queues=queues, duties=(*roles.duties, *self.duties))
        store = await self.client.settle_here()
        if pools is None:
            pools = pools_for(roles.slots) if roles.worker else {}
        runtime, tasks, codec, events = self.runtime, self.tasks, self._codec, self.events
        watchers = self.exporters
        engine = Engine(store, runtime, tasks, roles, pools=pools, codec=codec, events=events, watchers=watchers)
        if roles.scheduler:
            await self.store_schedules()
        await engine.start()
        try:
            yield engine
        finally:
            await engine.stop(grace)

    def start(self, roles: Roles | None = None, *, grace: float = STOP_GRACE_SECONDS) -> None:
        """Schedule and work beside this program, on a thread of its own, until `stop` or the program's end: for a WSGI
        server, a script, a notebook. Returns once it works; a second call does nothing.

        Call it in each process that is to take part, after a fork: any number of them make one timetable. Raises what
        keeps it from beginning, as `StoreUnavailable`. In async code use `running`.
        """
        if in_loop():
            raise BadInput("this is async code: use `async with app.running():` there, which needs no other thread")
        if self._hosted is None:
            from shike.hosted import Hosted  # a program that only submits needs none of it

            self._hosted = Hosted()
        self._hosted.start(lambda: self.running(roles, grace=grace))

    def stop(self) -> None:
        """End what `start` began: what runs may finish within the grace, the rest is given back. Blocks until then."""
        if self._hosted is not None:
            self._hosted.stop()

    def run(self, roles: Roles | None = None) -> None:
        """Schedule and work until SIGINT or SIGTERM; a second one ends the process at once. Blocks. Raises `StoreMoved`
        or `StoreLost` when the store is."""
        from shike.ending import until_done

        until_done(self._run(roles))

    async def _run(self, roles: Roles | None) -> None:
        from shike.ending import stop_on_signals

        stopped = asyncio.Event()
        stop_on_signals(stopped)
        gone: list[StoreMoved | StoreLost] = []
        async with self.running(roles) as engine:
            engine.member.on_gone += (gone.append, lambda error: stopped.set())
            await stopped.wait()
        await self.client.close()
        if gone:
            raise gone[0]
