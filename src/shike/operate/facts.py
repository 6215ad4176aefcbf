"""Runs as operators see them: ids are texts, times are datetimes, what is not known is left out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from shike.attempts import NO_TAIL, LogLine, split_report
from shike.clock import MICROS, to_datetime
from shike.counted import counted
from shike.lanes import queue_of
from shike.model import IN_LANE, NEVER, Attempt, Ended, Live, State
from shike.store.children import UNTIL_FREED
from shike.store.codec import Codec, Plain
from shike.store.orders import eligible_since

RUN_ID_MAX = (1 << 63) - 1


class Line(Struct, frozen=True, kw_only=True):
    """One line that a handler logged."""

    at: datetime | None
    level: str
    text: str


class RunFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run, live or ended."""

    id: str
    task: str
    state: str
    queue: str
    band: int
    due_at: datetime | None
    run_at: datetime | None = None  # live: when it is eligible
    started_at: datetime | None = None  # of the last attempt
    ended_at: datetime | None = None
    late_seconds: float | None = None  # from due_at to the start of the first attempt, where that is known
    attempts: int = 0
    schedule: str = ""
    moment: datetime | None = None
    key: str = ""
    owner: str = ""
    reason: str = ""
    replay_of: str = ""
    replayed_as: str = ""
    arguments: Any = None
    result: Any = None
    progress: Any = None
    traceback: str = ""  # of the last attempt that failed
    log: tuple[Line, ...] = ()  # the end of what it logs, or what its last attempt logged


def instant(micros: int) -> datetime | None:
    """A datetime, or None where none is set."""
    return None if micros == NEVER else to_datetime(micros)


def state_now(known: Live | Ended, now: int) -> State:
    """The state in words of the model: what is in a lane and eligible is PENDING."""
    if isinstance(known, Live) and known.state in IN_LANE and known.run_at <= now:
        return State.PENDING if known.state is not State.FAILED else State.FAILED
    return known.state


def run_facts(known: Live | Ended, now: int, *, codec: Codec | None = None, full: bool = False) -> RunFacts:
    """What a list shows of a run; with `full` also its arguments, result and progress."""
    run = known.run
    ended = known if isinstance(known, Ended) else None
    live = known if isinstance(known, Live) else None
    last = last_attempt(known)
    started_at = last.started_at if last is not None else NEVER
    progress, tail = split_report(live.progress) if live is not None else (b"", NO_TAIL)
    lines = last.lines if last is not None else tail.lines
    return RunFacts(
        id=str(run.id),
        task=run.task,
        state=state_now(known, now).name,
        queue=queue_of(run.queue),
        band=live.band if live is not None else run.band,
        due_at=instant(run.due_at),
        run_at=instant(eligible_since(live)) if live is not None and live.run_at != UNTIL_FREED else None,
        started_at=instant(started_at),
        ended_at=instant(ended.ended_at) if ended is not None else None,
        late_seconds=(started_at - run.due_at) / MICROS
        if last is not None and last.number == 1 and started_at
        else None,
        attempts=known.attempts,
        schedule=run.schedule,
        moment=instant(run.moment),
        key=run.key,
        owner=run.owner,
        reason=ended.reason if ended is not None else live.cancel if live is not None else "",
        replay_of=_id(run.replay_of),
        replayed_as=_id(ended.replayed_as) if ended is not None else "",
        arguments=readable(run.args, codec) if full else None,
        result=readable(ended.result, codec) if full and ended is not None else None,
        progress=readable(progress) if full else None,
        log=lines_of(lines) if full else (),
    )


def lines_of(lines: Iterable[LogLine]) -> tuple[Line, ...]:
    """As people read them."""
    return tuple(Line(at=instant(line.at), level=line.level, text=line.text) for line in lines)


def last_attempt(known: Live | Ended) -> Attempt | None:
    """The attempt that ended a run, where one was made."""
    if not isinstance(known, Ended) or not known.trace:
        return None
    return _attempt.decode(known.trace)


def readable(packed: bytes, codec: Codec | None = None) -> Any:
    """JSON as values; what this process has no codec for is told by its size."""
    if not packed:
        return None
    try:
        return msgspec.json.decode((codec or Plain()).decode(packed))
    except (ValueError, msgspec.MsgspecError):
        return f"<{counted(len(packed), 'byte')} that only the app's codec can read>"


def _id(run_id: int) -> str:
    return str(run_id) if run_id else ""


_attempt = msgspec.msgpack.Decoder(Attempt)
