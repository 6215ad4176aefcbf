"""HTTP tasks: an executor's URL is called; its status says how the attempt ended (R3.14).

    @app.task(name="charge", executor="http", retry=5, timeout="20s")
    def charge(order: int, cents: int) -> HttpCall:
        return HttpCall("https://pay.example.org/charge", body={"order": order, "cents": cents}, signed_by="PAY_KEY")

| answer | the attempt |
|---|---|
| 2xx | succeeded; its JSON (or text) is the result |
| 408, 425, 429, 5xx, none at all | failed: tried again as the task says, not before `Retry-After` |
| 3xx and any other 4xx | a dead letter at once: asking again would change nothing |
| 202, to a call with `report_to` | goes on: the executor reports later, signed, within `report_seconds` |

The body carries no secret; a signature does (`shike.egress.signing`), made with the *named* secret of this worker. The
executor gets the run's idempotency key and its token: it can refuse a repeat, and a late one.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any, Final

import msgspec
from msgspec import Struct

from shike.clock import MICROS, Clock, SystemClock
from shike.egress.exchange import Heard, exchange
from shike.egress.rules import Rules
from shike.egress.signing import signed
from shike.errors import AddressBlocked, BadArguments, BadSetting, CallFailed, CallRefused, UnsupportedExecutor
from shike.ids import Entropy
from shike.model import Executor
from shike.payload import to_json
from shike.secret import Secret
from shike.store.base import Store
from shike.worker.context import Context
from shike.worker.executor import Call
from shike.worker.outcome import Retry
from shike.worker.reports import Reports

CALLS_MAX: Final = 1_000  # of one worker at a time: each is a socket
CALL_SECONDS: Final = 30.0  # of a task without a time-out
AGAIN: Final = frozenset({408, 425, 429})
RETRY_AFTER_SECONDS_MAX: Final = 24 * 3600.0
REASON_CHARS: Final = 300  # of an answer that is kept as the reason of a failure
ACCEPTED: Final = 202
PATH: Final = "/api/v1/reports"
REPORT_TO: Final = "x-shike-report-to"
REPORT_SECRET: Final = "x-shike-report-secret"  # noqa: S105 - the name of a header
REPORT_SECONDS_MAX: Final = 7 * 86_400.0  # whoever needs longer claims its work itself
VERBS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


class HttpCall(Struct, frozen=True):
    """What is asked of an executor. `body`: any JSON value; `signed_by`: the name of the environment
    variable with the secret. `report_to`: where a server of this store is found by the executor, which then may answer
    202 and report there within `report_seconds`, and within the task's time-out if it has one."""

    url: str
    body: Any = None
    verb: str = "POST"
    headers: dict[str, str] = {}
    signed_by: str = ""
    report_to: str = ""
    report_seconds: float = 3600.0


class HttpPool:
    """Calls at most `size` executors at once, where the worker's rules allow. Belongs to one event loop."""

    kind = Executor.HTTP
    abandoned = 0  # a call that is given up is cut off

    def __init__(self, size: int, rules: Rules, clock: Clock | None = None) -> None:
        if not 1 <= size <= CALLS_MAX:
            raise BadSetting(f"a worker can make 1 to {CALLS_MAX:,} calls at once, not {size}")
        self.size = size
        self._rules = rules
        self._clock = clock or SystemClock()
        self._seats = asyncio.Semaphore(size)
        self._reports: Reports | None = None

    def attach(self, store: Store, entropy: Entropy) -> None:
        """See `Attached`: reports that come later are in the store."""
        self._reports = Reports(store, entropy)

    async def run(self, call: Call) -> Any:
        """See `Pool.run`. Raises `UnsupportedExecutor` for a place that is not allowed, `CallFailed`, `CallRefused`."""
        wanted = _wanted(call)
        if not wanted.report_to:
            return judged(await self._asked(call, wanted, {}))
        reports, run_id, token = self._reports, call.context.run.id, call.context.token
        if reports is None:
            raise UnsupportedExecutor("this worker has no store where a report could come")
        begun, seconds = self._clock.monotonic(), wanted.report_seconds
        secret = await reports.expect(run_id, token, seconds)
        try:
            headers = {REPORT_TO: f"{wanted.report_to.rstrip('/')}{PATH}/{run_id}/{token}", REPORT_SECRET: secret}
            heard = await self._asked(call, wanted, headers)
            if heard.status != ACCEPTED:
                return judged(heard)
            return await reports.wait(run_id, token, seconds - (self._clock.monotonic() - begun))
        finally:
            await reports.forget(run_id, token)

    async def _asked(self, call: Call, wanted: HttpCall, more: dict[str, str]) -> Heard:
        """What the executor answers; waits for a seat."""
        body = b"" if wanted.body is None and wanted.verb == "GET" else to_json(wanted.body, "body")
        seconds = call.definition.timeout_seconds or CALL_SECONDS
        async with self._seats:
            try:
                return await exchange(
                    self._rules,
                    wanted.verb,
                    wanted.url,
                    self._headers(wanted, call.context, body) | more,
                    body,
                    seconds=min(seconds, CALL_SECONDS) if more else seconds,
                )
            except AddressBlocked as error:
                raise UnsupportedExecutor(str(error)) from None

    async def close(self) -> None:
        """See `Pool.close`."""
        if self._reports is not None:
            await self._reports.close()

    def _headers(self, wanted: HttpCall, context: Context, body: bytes) -> dict[str, str]:
        headers = {
            "content-type": "application/json",
            "accept": "application/json",
            "user-agent": "shike",
            **wanted.headers,
            "idempotency-key": _plain(context.idempotency_key),
            "x-shike-run": context.id,
            "x-shike-token": str(context.token),
            "x-shike-attempt": str(context.attempt),
        }
        if wanted.signed_by:
            identity = f"{context.id}.{context.token}"
            headers |= signed(Secret.named(wanted.signed_by), self._clock.wall() // MICROS, identity, body)
        return headers


def judged(heard: Heard) -> Any:
    """What an answer means: a value, another try at a time that was asked for, or an error."""
    if 200 <= heard.status < 300:
        return _value(heard)
    words = f"the executor answered {heard.status}: {_shown(heard)}"
    if heard.status in AGAIN or heard.status >= 500:
        seconds = _retry_after(heard)
        if seconds is not None:
            return Retry(seconds, reason=words)
        raise CallFailed(words, status=heard.status)
    raise CallRefused(words, status=heard.status)


def _wanted(call: Call) -> HttpCall:
    handler = call.definition.handler
    wanted = handler(*call.args, **call.kwargs) if handler is not None else None
    if not isinstance(wanted, HttpCall) or wanted.verb not in VERBS:
        raise BadArguments(f"HTTP task {call.definition.name!r} needs a handler that returns an HttpCall")
    if wanted.report_to and not 0 < wanted.report_seconds <= REPORT_SECONDS_MAX:
        raise BadArguments(f"report_seconds={wanted.report_seconds!r}: above 0, at most {REPORT_SECONDS_MAX:.0f}")
    return wanted


def _value(heard: Heard) -> Any:
    if not heard.body:
        return None
    try:
        return msgspec.json.decode(heard.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return heard.body.decode("utf-8", "replace")


def _shown(heard: Heard) -> str:
    text = " ".join(heard.body.decode("utf-8", "replace").split())
    return text[:REASON_CHARS] or "nothing"


def _retry_after(heard: Heard) -> float | None:
    """Seconds; a date is passed over: it would be by the other side's clock."""
    text = heard.headers.get("retry-after", "")
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        return None
    return math.ceil(min(float(text), RETRY_AFTER_SECONDS_MAX))


def _plain(text: str) -> str:
    """A business key may hold any sign; a header may not."""
    return (
        text
        if text.isascii() and text.isprintable()
        else msgspec.json.encode(text).decode().encode("ascii", "backslashreplace").decode()
    )
