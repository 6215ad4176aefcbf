"""Reports of executors that answered 202 (R3.14): signed, in time, of the lease that holds the run, and once."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shike.bounds import RESULT_BYTES_MAX
from shike.clock import MICROS
from shike.egress.signing import SIGNATURE, STAMP, check
from shike.errors import BadField, Conflict, NotAwaited
from shike.model import Live
from shike.secret import Secret
from shike.server import reading
from shike.server.ask import Ask, Nothing
from shike.server.paging import number_of
from shike.server.routes import API, Logged, Route, Rule
from shike.server.shapes import NewReport
from shike.store.base import Control
from shike.track.report import Awaited, Report, decoded, encoded, key_of

TOKEN_DIGITS_MAX = 19


class Heard(Struct, frozen=True, kw_only=True):
    """`accepted`: the worker that waits will settle the run by it; `already`: this very report came before."""

    run: str
    answer: str


async def take(ask: Ask[bytes, Nothing]) -> Heard:
    """Take a report. Raises `NotAwaited` where nobody waits for it, `NotAuthenticated` for one that is not signed,
    `Conflict` where another one came first."""
    run_id, token = number_of(ask.path["run"]), _token(ask.path["token"])
    row, awaited = await _awaited(ask, run_id, token)
    now = await ask.desk.store.now()
    check(
        Secret(awaited.secret),
        now / MICROS,
        f"{run_id}.{token}",
        ask.body,
        stamp=ask.headers.get(STAMP, ""),
        signature=ask.headers.get(SIGNATURE, ""),
    )
    report = _report(ask.body)
    if awaited.report is not None:
        if msgspec.json.encode(awaited.report) == msgspec.json.encode(report):
            return Heard(run=str(run_id), answer="already")
        raise Conflict(f"another report of run {run_id}, token {token} came before")
    live = await ask.desk.store.live(run_id)
    if now >= awaited.until or not isinstance(live, Live) or live.token != token:
        raise _nobody(run_id, token)
    await ask.desk.store.put(row.key, encoded(replace(awaited, report=report)), expect=row.version)
    return Heard(run=str(run_id), answer="accepted")


async def _awaited(ask: Ask[Any, Any], run_id: int, token: int) -> tuple[Control, Awaited]:
    rows = [row for row in await ask.desk.store.controls(key_of(run_id, token)) if row.key == key_of(run_id, token)]
    if not rows:
        raise _nobody(run_id, token)
    return rows[0], decoded(rows[0].value)


def _nobody(run_id: int, token: int) -> NotAwaited:
    return NotAwaited(
        f"nobody waits for a report of run {run_id} with token {token}: it was settled, is too late, or another worker "
        "has the run by now"
    )


def _token(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > TOKEN_DIGITS_MAX:
        raise BadField(f"{text:.40} is no token", field="token")
    return int(text)


def _report(raw: bytes) -> Report:
    sent = reading.body(raw, NewReport)
    result = reading.json_value(sent.result, "result")
    if len(result) > RESULT_BYTES_MAX:
        raise BadField(f"a result has up to {RESULT_BYTES_MAX:,} bytes of JSON", field="result")
    return Report(outcome=sent.outcome, result=msgspec.Raw(result), error=sent.error, delay_seconds=sent.delay_seconds)


ROUTES = (
    Route(
        verb="POST", path=f"{API}/reports/{{run}}/{{token}}", role=None, rule=Rule.SIGNED, handler=take, body=bytes,
        answer=Heard, words="How work ended that an executor was called for and answered 202 to.",
        logged=Logged.SUMMED, example={"outcome": "ok", "result": {"size": 12}},
    ),
)  # fmt: skip
