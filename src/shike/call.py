"""A task with its call: what users hold in their hands. Values until they are submitted."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar

import msgspec
from msgspec import Struct

from shike.bands import check_band as check_band
from shike.bounds import DEDUPE_SECONDS_MAX, KEY_CHARS_MAX, MISFIRE_GRACE_SECONDS
from shike.clock import MICROS, to_datetime, to_micros
from shike.errors import BadArguments, BadInput, BadTime, NotFound, TooLarge
from shike.how import How, lane_of, pack_options
from shike.model import NEVER, RECORD_VERSION, Backoff, OnUnknown, Route, Run
from shike.route.tags import ANY, route_of
from shike.store.codec import Codec
from shike.store.guards import Absent, Entry
from shike.store.verbs import Answer
from shike.task import Definition, check_owner, check_queue, is_text, member
from shike.track import retry as retrying
from shike.track.handover import promised_in
from shike.trigger.duration import parse_duration

if TYPE_CHECKING:
    from shike.client import Client

_RUN_ID = re.compile(r"[0-9]{1,19}")

P = ParamSpec("P")
R = TypeVar("R")

Duration = str | float | int | timedelta


class Call(Struct, Generic[R], frozen=True):
    """A call of a task, checked and ready to be submitted: `app.submit_many([t.bind(1), t.bind(2)])`."""

    definition: Definition
    payload: bytes
    how: How
    promised: dict[str, Any] | None = None  # arguments that take results of other runs: only a graph can submit them

    def entry(self, run_id: int, now: int, codec: Codec, gate: str | None = None) -> Entry:
        """The run this call becomes. `now` is only used to refuse a due time that is long past. `gate`: of its limits;
        None: as its task says."""
        definition, how = self.definition, self.how
        self.refuse_promised()
        if how.at and how.at < now - MISFIRE_GRACE_SECONDS * MICROS:
            raise BadTime(
                f"task {definition.name!r} cannot be due at {to_datetime(how.at).isoformat()}: that is past. "
                "submit() without a time runs it now; a schedule's past moments are run with backfill"
            )
        delay = how.delay_seconds if not how.at else -1.0
        run = Run(
            RECORD_VERSION,
            run_id,
            definition.name,
            codec.encode(self.payload),
            lane_of(definition, how),
            how.band if how.band >= 0 else definition.band,
            how.at,
            key=how.key,
            expires_at=self._expires_at(now),
            gate=definition.gate(self.payload) if gate is None else gate,
            options=pack_options(definition, how),
            owner=how.owner or definition.owner,
        )
        guards = (Absent(key=how.key, seconds=how.key_seconds),) if how.key else ()
        return Entry(run, how.at, 0.0 if not how.at and delay < 0 else delay, guards)

    def refuse_promised(self) -> None:
        """Raises `BadInput` for a call that takes the result of another run."""
        if self.promised is not None:
            raise BadInput(f"{self.definition.name!r} takes a run's result here: add it to that run's graph instead")

    def _expires_at(self, now: int) -> int:
        seconds = self.how.expires_seconds or self.definition.expires_seconds
        if not seconds:
            return NEVER
        due_at = self.how.at or now + int(max(self.how.delay_seconds, 0.0) * MICROS)
        return due_at + int(seconds * MICROS)


def checked(calls: Iterable[Call[R]]) -> list[Call[R]]:
    """Raises `BadInput` for what is not a list of calls."""
    if isinstance(calls, Call):
        raise BadInput("this takes a list of calls, [task.bind(…), …]; a single one is task.submit(…)")
    if not isinstance(calls, Iterable):
        raise BadInput(f"this takes a list of calls, [task.bind(…), …], not {calls!r:.60}")
    listed = list(calls)
    for call in listed:
        if not isinstance(call, Call):
            raise BadInput(f"{call!r:.60} is no call of a task; write task.bind(…) for each run")
    return listed


class Handle(Generic[R]):
    """A submitted run. In async code `await` it once: it is stored when the await returns."""

    __slots__ = ("__weakref__", "_client", "_definition", "_id", "_submission", "fresh")

    def __init__(
        self,
        client: Client,
        definition: Definition,
        submission: Awaitable[tuple[int, bool]] | None,
        run_id: int = 0,
        fresh: bool = True,
    ) -> None:
        self._client = client
        self._definition = definition
        self._submission = submission
        self._id = run_id  # 0: not stored yet
        self.fresh = fresh
        """False where a run with the same key was there before: this is a handle to that one."""

    @property
    def id(self) -> str:
        """The run's id, once it is stored."""
        if not self._id:
            raise BadInput("this run is not stored yet: in async code, `await` what submit() returned")
        return str(self._id)

    def __await__(self) -> Generator[Any, None, Handle[R]]:
        if self._submission is not None:
            submission, self._submission = self._submission, None
            self._id, self.fresh = yield from submission.__await__()
        return self

    def result(self, timeout: Duration | None = None) -> R:
        """Wait for the handler's value, in sync code. Raises `RunFailed`, or `WaitTimeout` (the run goes on)."""
        return self._client.wait_sync(int(self.id), self._definition, _seconds(timeout))  # type: ignore[no-any-return]

    async def wait(self, timeout: Duration | None = None) -> R:
        """As `result`, in async code. Told by the store, not polled for."""
        await self
        return await self._client.wait(int(self.id), self._definition, _seconds(timeout))  # type: ignore[no-any-return]

    def cancel(self) -> Any:
        """Ask that it does not run, or stops. In async code, await the answer: a bool.

        True: it is cancelled, or was asked to stop; how it ended, `wait` tells. False: it came to another end before.
        Raises `NotFound` where the store knows of no such run.
        """
        run_id = int(self.id)
        return self._client.both("Handle.cancel", lambda: self._cancel(run_id))

    async def _cancel(self, run_id: int) -> bool:
        answer = await self._client.cancel(run_id)
        if answer is Answer.UNKNOWN:
            raise NotFound(f"no run {run_id} in the store; was its history dropped?")
        return answer is not Answer.REFUSED

    def __repr__(self) -> str:
        return f"<run {self._id or 'not stored yet'} of {self._definition.name}>"


class Handles(list[Handle[R]]):
    """Runs submitted at once, in the order of their calls. In async code `await` it once: it is empty until then."""

    def __init__(self, submission: Awaitable[list[Handle[R]]] | None, stored: Iterable[Handle[R]] = ()) -> None:
        super().__init__(stored)
        self._submission = submission

    def __await__(self) -> Generator[Any, None, Handles[R]]:
        if self._submission is not None:
            submission, self._submission = self._submission, None
            self.extend((yield from submission.__await__()))
        return self


class Task(Generic[P, R]):
    """A registered handler. Call it to run it here and now; submit it to run it anywhere, at any time.

    `R` is what a run's result is: the handler's return type without `Snooze`, `Retry` and `Cancel`.
    """

    def __init__(
        self, client: Client, definition: Definition, function: Callable[P, Any], how: How | None = None
    ) -> None:
        self._client = client
        self.definition = definition
        self.function = function
        self.how = how or How()
        """How its calls are submitted, where that is not as the task says."""
        self.__name__ = definition.name
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    @property
    def name(self) -> str:
        """Under which its runs are stored; must not change while there are any."""
        return self.definition.name

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Call the handler itself, here and now, as if it were not a task."""
        return self.function(*args, **kwargs)

    def bind(self, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """A call as a value: for `app.submit_many` and `app.schedule`. Raises `BadArguments` if it does not fit."""
        try:
            return Call(self.definition, self.definition.encode(args, kwargs), self._client.carried(self.how))
        except BadArguments:
            if not promised_in((args, kwargs)):
                raise
        return Call(self.definition, b"", self._client.carried(self.how), self.definition.by_name(args, kwargs))

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Handle[R]:
        """Store a run. Sync code: stored when this returns. Async code: stored when the returned handle was awaited."""
        return self._client.submit(self.bind(*args, **kwargs))

    def handle(self, run_id: str) -> Handle[R]:
        """A handle to a run of this task that was submitted before, by its id."""
        if not isinstance(run_id, str) or not _RUN_ID.fullmatch(run_id) or int(run_id) >= 1 << 63:
            raise BadInput(f"{run_id!r} is no run id; it is what `handle.id` said")
        return Handle(self._client, self.definition, None, int(run_id), False)

    def at(self, when: datetime) -> Self:
        """The same task, due at an aware datetime."""
        at = to_micros(when)
        if at <= NEVER:
            raise BadTime(f"task {self.name!r} cannot be due at {when.isoformat()}: that is past")
        return self._with(at=at, delay_seconds=-1.0)

    def in_(self, delay: Duration) -> Self:
        """The same task, due so long from now, by the store's clock: `"10m"`, `90`, `timedelta(hours=2)`."""
        return self._with(delay_seconds=_delay(delay), at=NEVER)

    def options(
        self,
        *,
        key: str | None = None,
        key_ttl: Duration = 24 * 3600,
        queue: str | None = None,
        band: int | None = None,
        expires: Duration | None = None,
        retry: Backoff | int | None = None,
        timeout: Duration | None = None,
        on_unknown: OnUnknown | str | None = None,
        keep_result: bool | None = None,
        owner: str = "",
        route: Route | str | None = None,
    ) -> Self:
        """The same task with other settings for what is submitted through it.

        `key`: while it is remembered (`key_ttl`), a second submit with the same key stores nothing and gives a handle
        to the first run. `band`: 0 (first) … 7. `expires`: skipped if not started so long after it is due.
        """
        changes: dict[str, Any] = {}
        if key is not None:
            changes.update(key=check_key(key), key_seconds=key_seconds(key_ttl))
        if queue is not None:
            check_queue(queue)
            changes["queue"] = queue
        if band is not None:
            changes["band"] = check_band(band)
        if expires is not None:
            changes["expires_seconds"] = _delay(expires)
        if retry is not None:
            changes["retry"] = backoff(retry)
        if timeout is not None:
            changes["timeout_seconds"] = _delay(timeout)
        if on_unknown is not None:
            changes["on_unknown"] = member(OnUnknown, on_unknown)
        if keep_result is not None:
            changes["keep_result"] = _yes_or_no("keep_result", keep_result)
        if route is not None:
            changes["route"] = route_of(route) or Route(by=ANY)
        if owner:
            changes["owner"] = check_owner(owner)
        return self._with(**changes)

    def _with(self, **changes: Any) -> Self:
        return type(self)(self._client, self.definition, self.function, msgspec.structs.replace(self.how, **changes))

    def __repr__(self) -> str:
        return f"<task {self.name}>"


class AsyncTask(Task[P, R]):
    """A registered `async def`."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """As the handler itself: to be awaited."""
        return self.function(*args, **kwargs)  # type: ignore[no-any-return]


class SyncTask(Task[P, R]):
    """A registered `def`."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """As the handler itself."""
        return self.function(*args, **kwargs)  # type: ignore[no-any-return]


def task_of(client: Client, definition: Definition, function: Callable[..., Any]) -> Task[..., Any]:
    """The task of a registered handler: async where that is."""
    kind = AsyncTask if inspect.iscoroutinefunction(function) else SyncTask
    return kind(client, definition, function)


def backoff(retry: Backoff | int | None) -> Backoff:
    """`retry=5` means five attempts in all, exponentially apart."""
    if retry is None:
        return Backoff()
    if isinstance(retry, bool) or not isinstance(retry, int | Backoff):
        raise BadInput(f"retry={retry!r}: a whole number of attempts, or a Backoff")
    return retrying.check(Backoff(attempts=retry) if isinstance(retry, int) else retry)


def _yes_or_no(what: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadInput(f"{what}={value!r} is neither True nor False")
    return value


def _delay(delay: Duration) -> float:
    seconds = parse_duration(delay) / MICROS
    if seconds < 0:
        raise BadTime(f"a delay of {seconds:g} s lies in the past")
    return seconds


def _seconds(timeout: Duration | None) -> float | None:
    return None if timeout is None else _delay(timeout)


def check_key(key: str) -> str:
    if not isinstance(key, str) or not key:
        raise BadInput("a business key is a text that is not empty")
    if len(key) > KEY_CHARS_MAX:
        raise TooLarge(f"a business key may have {KEY_CHARS_MAX} characters", size=len(key), limit=KEY_CHARS_MAX)
    if not is_text(key):
        raise BadInput("a business key cannot hold lone surrogates")
    if "\0" in key:
        raise BadInput("a business key cannot hold NUL")  # PostgreSQL could not, and a store may move there
    return key


def key_seconds(ttl: Duration) -> float:
    seconds = _delay(ttl)
    if not 0 < seconds <= DEDUPE_SECONDS_MAX:
        raise BadTime(f"a key is remembered for more than 0 and at most {DEDUPE_SECONDS_MAX / 86400:.0f} days")
    return seconds
