"""Workers in any language (R3.14): open a session, claim, beat, acknowledge, say good-bye. The verbs of a worker of our
own, under the same promises: every acknowledgement carries (run, token, session) and is compared in the step that takes
it (P3).

A session's identity is 96 random bits and the id of the access key that opened it: no other key can speak for it. The
session is not of this server: it lives on if the server is started anew, or if its next request goes to another one.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from shike.bands import order_of
from shike.bounds import BEAT_SECONDS, RESULT_BYTES_MAX, SLEEP_SECONDS_MAX
from shike.clock import MICROS, to_datetime
from shike.errors import BadField, BadInput
from shike.lanes import lane_of_worker, queue_of
from shike.model import PROTOCOL_VERSION, Load
from shike.operate.facts import instant
from shike.route.tags import check_tags
from shike.runtime import woken
from shike.server import reading
from shike.server.acks import ack_of
from shike.server.ask import Ask, Nothing, Reply
from shike.server.bounds import BULK_BYTES_MAX
from shike.server.paging import number_of
from shike.server.roles import Access, Role
from shike.server.routes import API, Logged, Route, Rule
from shike.server.shapes import NewAcks, NewBeat, NewClaim, NewWorker, Progress
from shike.server.turnback import without_strays
from shike.store.hints import Hint, HintKind
from shike.store.verbs import Answer, Batch, Beat, Claim, Claimed, NewSession, Want
from shike.task import check_name, check_queue
from shike.track import settle
from shike.worker import serving
from shike.worker.context import Context

HOME: Final = f"{API}/worker/sessions"
ONE: Final = f"{HOME}/{{session}}"
CHANCE_BYTES: Final = 12  # of a session's identity; the other four are the key's id
BEATS_PER_LEASE: Final = 3


class Opened(Struct, frozen=True, kw_only=True):
    """A session. Beat every `beat_seconds`: after `lease_seconds` of silence what it holds is another's."""

    session: str
    lease_seconds: float
    beat_seconds: float
    expires_at: datetime


class Granted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run to be done. `token` grows with every claim of a run: hand it on to whatever must refuse a late writer."""

    run: str
    token: int
    attempt: int
    task: str
    arguments: Raw
    queue: str
    due_at: datetime | None
    idempotency_key: str
    timeout_seconds: float = 0.0
    moment: datetime | None = None


class GrantedAll(Struct, frozen=True, kw_only=True):
    """The answer to a claim. The next claim has a higher number, whether there were runs or not."""

    number: int
    runs: list[Granted]
    more: bool


class Stop(Struct, frozen=True, kw_only=True):
    """A run that should stop: somebody took it back."""

    run: str
    token: int


class Renewed(Struct, frozen=True, kw_only=True):
    """The answer to a beat."""

    expires_at: datetime
    cancels: list[Stop]


class Settled(Struct, frozen=True, kw_only=True):
    """What became of each acknowledgement, in order: `accepted`, `already` (it was heard before), `refused` (the lease
    is another's by now) or `unknown`."""

    answers: list[str]


def identity_for(who: Access, chance: str) -> str:
    """The identity of a new session of this key."""
    return f"{chance}{who.id}"


def is_of(session: str, who: Access) -> bool:
    """Whether it was this key that opened the session."""
    return len(session) == 2 * CHANCE_BYTES + len(who.id) and session.endswith(who.id) and session.isalnum()


async def open_session(ask: Ask[NewWorker, Nothing]) -> Reply:
    """A worker comes."""
    wanted = ask.body
    try:
        check_name("worker", wanted.name)
    except BadInput as error:
        raise reading.named(error, "name") from None
    session = await ask.desk.store.open_session(
        NewSession(
            identity=identity_for(ask.who, ask.desk.entropy.token_hex(CHANCE_BYTES)),
            name=wanted.name,
            kind="worker",
            host=wanted.host or ask.address,
            pid=0,
            lease_seconds=wanted.lease_seconds,
            protocol=PROTOCOL_VERSION,
        )
    )
    ask.desk.store.tell(Hint(HintKind.SESSION, name=session.id))
    opened = Opened(
        session=session.id,
        lease_seconds=wanted.lease_seconds,
        beat_seconds=max(BEAT_SECONDS, wanted.lease_seconds / BEATS_PER_LEASE),
        expires_at=to_datetime(session.expires_at),
    )
    return Reply(value=opened, status=201, headers={"location": f"{HOME}/{session.id}"})


async def close_session(ask: Ask[None, Nothing]) -> Reply:
    """A worker goes; what it held is given back by whoever plans."""
    await ask.desk.store.close_session(ask.path["session"], seen_beat=None, reason="stopped")
    return Reply(status=204, raw=b"")


async def claim(ask: Ask[NewClaim, Nothing]) -> GrantedAll:
    """Runs to be done; waits for some for up to `wait_seconds`."""
    wanted, store = ask.body, ask.desk.store
    request = _claim(ask)
    batch = await _grant(ask, request)
    if batch.runs or not wanted.wait_seconds:
        return _granted(ask, batch)
    queues, due = {want.queue for want in request.wants}, asyncio.Event()

    def hinted(hint: Hint) -> None:
        if queue_of(hint.queue) in queues:
            due.set()

    clock, deadline = ask.desk.clock, ask.desk.clock.monotonic() + wanted.wait_seconds
    async with ask.desk.waiting():
        unlisten = store.listen(hinted)
        try:
            while not batch.runs and (left := deadline - clock.monotonic()) > 0:
                ahead = (batch.next_at - batch.now) / MICROS if batch.next_at else SLEEP_SECONDS_MAX
                await woken(due, min(left, max(ahead, 0.0), SLEEP_SECONDS_MAX))
                due.clear()
                batch = await _grant(ask, request)
        finally:
            unlisten()
    return _granted(ask, batch)


def _claim(ask: Ask[NewClaim, Nothing]) -> Claim:
    wanted = ask.body
    for place, want in enumerate(wanted.queues):
        try:
            check_queue(want.queue)
        except BadInput as error:
            raise BadField(str(error), field=f"queues[{place}].queue") from None
        ask.who.may_use(want.queue)
    return Claim(
        session=ask.path["session"],
        number=wanted.number,
        wants=tuple(Want(want.queue, want.count, want.count) for want in wanted.queues),
        tasks=frozenset(wanted.tasks),
        bands=order_of(wanted.number),
    )


async def _grant(ask: Ask[Any, Any], request: Claim) -> Batch:
    """A batch: of the worker's own lanes, where a router put something, else of the shared ones; without those that
    must not start any more, or have to wait for their limits: these are settled here, as any worker would. A claim that
    granted nothing used up no number."""
    own = tuple([Want(lane_of_worker(want.queue, request.session), want.count, want.count) for want in request.wants])
    batch = await ask.desk.store.claim(msgspec.structs.replace(request, wants=own))
    if not batch.runs:
        batch = await ask.desk.store.claim(request)
    batch = await without_strays(ask, request.session, batch)
    late = {one.run.id: words for one in batch.runs if (words := settle.refusal(one, batch.now))}
    if not late:
        return batch
    skipped = [settle.skipped(one, late[one.run.id]) for one in batch.runs if one.run.id in late]
    await ask.desk.store.settle(request.session, skipped)
    return msgspec.structs.replace(batch, runs=[one for one in batch.runs if one.run.id not in late])


def _granted(ask: Ask[Any, Any], batch: Batch) -> GrantedAll:
    codec, grants = ask.desk.client.codec, ask.desk.grants
    runs = []
    for claimed in batch.runs:
        grants.keep(claimed, batch.now)
        runs.append(_one(claimed, codec.decode(claimed.run.args) or b"{}"))
    return GrantedAll(number=batch.number, runs=runs, more=batch.more)


def _one(claimed: Claimed, arguments: bytes) -> Granted:
    run = claimed.run
    options = settle.options_of(run.options)
    return Granted(
        run=str(run.id),
        token=claimed.token,
        attempt=claimed.attempt,
        task=run.task,
        arguments=Raw(arguments),
        queue=queue_of(run.queue),
        due_at=instant(run.due_at),
        idempotency_key=Context(run, claimed.token, claimed.attempt, 0, 0).idempotency_key,
        timeout_seconds=options.timeout_seconds or 0.0,
        moment=instant(run.moment),
    )


async def beat(ask: Ask[NewBeat, Nothing]) -> Renewed:
    """A sign of life renews all that the worker holds, and says how far its runs are."""
    sent = ask.body
    reports = tuple((number_of(one.run), one.token, _report(place, one)) for place, one in enumerate(sent.progress))
    reply = await ask.desk.store.beat(
        Beat(
            session=ask.path["session"],
            number=sent.number,
            lease_seconds=sent.lease_seconds,
            received=sent.received,
            holds=tuple(sent.holds),
            load=_told(sent),
            progress=reports,
        )
    )
    cancels = [Stop(run=str(run_id), token=token) for run_id, token in reply.cancels]
    return Renewed(expires_at=to_datetime(reply.expires_at), cancels=cancels)


def _told(sent: NewBeat) -> bytes:
    """What it serves and how busy it is, as the beats of our own workers tell it; empty: nothing."""
    try:
        tags = check_tags(sent.tags)
    except BadInput as error:
        raise reading.named(error, "tags") from None
    served: dict[str, Any] = {}
    if sent.queues or sent.tasks:
        served = msgspec.json.decode(serving.pack(sent.queues, sent.tasks) or b"{}")
    load = msgspec.to_builtins(Load(slots=sent.slots, busy=sent.busy, tags=tags))
    return msgspec.json.encode(served | load) if served or load else b""


def _report(place: int, progress: Progress) -> bytes:
    """What is shown of a run under way: its progress; and what it said last, where it says something."""
    field = f"progress[{place}].value"
    value = reading.json_value(progress.value, field)
    if progress.log:
        value = msgspec.json.encode({"value": Raw(value), "log": progress.log})
    if len(value) > RESULT_BYTES_MAX:
        raise BadField(f"a progress report has up to {RESULT_BYTES_MAX:,} bytes", field=field)
    return value


async def acknowledge(ask: Ask[NewAcks, Nothing]) -> Settled:
    """How attempts ended: each is compared with its lease in the step that takes it."""
    acks = [await ack_of(ask, place, one) for place, one in enumerate(ask.body.acks)]
    answers = await ask.desk.store.settle(ask.path["session"], acks)
    for ack, answer in zip(acks, answers, strict=True):
        if answer is not Answer.GUARDED:
            ask.desk.grants.drop(ack.run_id, ack.token)
    return Settled(answers=[answer.name.lower() for answer in answers])


_WORKER: Final[dict[str, Any]] = {"role": Role.WORKER, "rule": Rule.SESSION, "logged": Logged.SUMMED}

ROUTES = (
    Route(
        verb="POST", path=HOME, role=Role.WORKER, rule=Rule.QUEUE, handler=open_session, body=NewWorker, answer=Opened,
        status=201, words="Open a session. It lives once: one that was closed is never opened again.",
        logged=Logged.EACH, example={"name": "resizer-1"},
    ),
    Route(
        verb="DELETE", path=ONE, handler=close_session, status=204, words="Say good-bye: what it held is given back.",
        **_WORKER,
    ),
    Route(
        verb="POST", path=f"{ONE}/claims", handler=claim, body=NewClaim, answer=GrantedAll, lasting=True,
        words="Claim runs; waits up to `wait_seconds`. The same `number` again brings the same batch.",
        example={"number": 1, "tasks": ["resize"], "queues": [{"queue": "default", "count": 10}]}, **_WORKER,
    ),
    Route(
        verb="POST", path=f"{ONE}/beats", handler=beat, body=NewBeat, answer=Renewed,
        words="Renew all that it holds; tell progress; hear what should stop.",
        example={"number": 1, "received": 1, "holds": [7]}, **_WORKER,
    ),
    Route(
        verb="POST", path=f"{ONE}/acks", handler=acknowledge, body=NewAcks, answer=Settled,
        words="Say how attempts ended; each one is answered.", body_bytes_max=BULK_BYTES_MAX,
        example={"acks": [{"run": "5629499534213120", "token": 7, "outcome": "ok", "result": {"size": 12}}]}, **_WORKER,
    ),
)  # fmt: skip
