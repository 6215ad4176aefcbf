"""Runs by qualifiers, as a person types them: `task:mail.send state:dead since:2h args.order:7 timeout`.

A search looks at the newest LOOKED_AT_MAX runs, whatever it is for, and says where it stopped: so it costs the same
with a million runs in the history, and never reads a hot table from end to end. One that is asked to be `deep` has the
store filter what it can (task, state, queue, schedule, key), through all it holds: about a second for each million.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shike.clock import MICROS, to_micros
from shike.errors import BadInput
from shike.lanes import queue_of
from shike.model import TERMINAL, Ended, Live, State
from shike.operate.facts import last_attempt, readable, state_now
from shike.operate.runs import runs_of
from shike.store.base import RunFilter, Store
from shike.store.codec import Codec
from shike.trigger.duration import parse_duration

LOOKED_AT_MAX: Final = 3_000  # runs in one search: they are read and unpacked within some 50 ms
PAGE: Final = 500
WORDS_MAX: Final = 20
STATES: Final = {state.name.lower(): state for state in State}
LATE: Final = re.compile(r"[>≥]?=?(.+)")
QUALIFIERS: Final = ("task", "state", "queue", "schedule", "worker", "key", "since", "until", "late", "id")
ARGUMENT: Final = "args."


class Search(Struct, frozen=True, kw_only=True):
    """What a person asked for. Empty: all that is not merely planned."""

    text: str = ""
    states: tuple[State, ...] = ()
    task: str = ""
    queue: str = ""
    schedule: str = ""
    key: str = ""
    worker: str = ""
    since: int = 0  # of due_at, UTC µs
    until: int = 0
    late_seconds: float | None = None  # started later than due_at by at least this
    run_id: int = 0
    arguments: tuple[tuple[str, str], ...] = ()
    words: tuple[str, ...] = ()  # in the task, the key or the reason

    @property
    def is_ahead(self) -> bool:
        """Whether planned moments that lie ahead are asked for."""
        live = {State.SCHEDULED, State.WAITING, State.PENDING, State.ASSIGNED}
        return bool(live & set(self.states)) or bool(self.run_id)


class Found(Struct, frozen=True, kw_only=True):
    """Runs that fit, newest first. `before`: where to go on; 0: there is nothing more."""

    runs: list[Live | Ended]
    before: int = 0
    looked_at: int = 0
    now: int


def parse(text: str, now: int) -> Search:
    """Read what was typed. Raises `BadInput`, saying which word cannot be understood."""
    words = text.split()
    if len(words) > WORDS_MAX:
        raise BadInput(f"a search has up to {WORDS_MAX} words")
    values: dict[str, Any] = {}
    states: list[State] = []
    arguments: list[tuple[str, str]] = []
    plain: list[str] = []
    for word in words:
        name, sign, value = word.partition(":")
        if not sign or (name not in QUALIFIERS and not name.startswith(ARGUMENT)):
            plain.append(word.lower())
        elif not value:
            raise BadInput(f"{word} needs a value behind the colon")
        elif name.startswith(ARGUMENT):
            arguments.append((name.removeprefix(ARGUMENT), value))
        elif name == "state":
            states += [_state(one) for one in value.split(",")]
        elif name in ("since", "until"):
            values[name] = _instant(value, now)
        elif name == "late":
            values["late_seconds"] = _seconds(value)
        elif name == "id":
            values["run_id"] = _number(value)
        elif name == "schedule":
            values[name] = value if "/" in value else f"default/{value}"
        else:
            values[name] = value
    return Search(text=text, states=tuple(states), arguments=tuple(arguments), words=tuple(plain), **values)


def named(wanted: Search, tasks: Collection[str]) -> Search:
    """A plain word that is a task's name means that task: the store finds it wherever it lies in the history."""
    word = next((word for word in wanted.words if word in tasks), "")
    if wanted.task or not word:
        return wanted
    return replace(wanted, task=word, words=tuple(other for other in wanted.words if other != word))


def _state(word: str) -> State:
    if word.lower() not in STATES:
        raise BadInput(f"{word:.40} is no state; there are {', '.join(STATES)}")
    return STATES[word.lower()]


def _instant(text: str, now: int) -> int:
    """`2h`: so long ago; or a date, with or without a time, in UTC unless it says otherwise."""
    if text[0].isdigit() and "-" in text:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise BadInput(f"{text:.40} is no time; write 2h, 2026-01-31 or 2026-01-31T02:30") from None
        return to_micros(at if at.tzinfo else at.replace(tzinfo=UTC))
    return now - parse_duration(text)


def _seconds(text: str) -> float:
    match = LATE.fullmatch(text)
    return parse_duration(match[1] if match else text) / MICROS


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise BadInput(f"{text:.40} is no run id")
    return int(text)


async def search(
    store: Store,
    wanted: Search,
    *,
    limit: int,
    before: int = 0,
    deep: bool = False,
    codec: Codec | None = None,
    covers: Callable[[str], bool] = lambda queue: True,
) -> Found:
    """The newest runs that fit, below `before`. `covers`: whether the runs of a queue concern whoever asks."""
    now = await store.now()
    if wanted.run_id:
        one = await store.find(wanted.run_id)
        fits = one is not None and covers(one.run.queue) and fit(one, wanted, now, codec)
        return Found(runs=[one] if one is not None and fits else [], now=now, looked_at=1)
    if wanted.states == (State.DEAD,) and not deep:
        letters = await store.dead(LOOKED_AT_MAX, before=before, task=wanted.task)
        return _of_letters([one for one in letters if covers(one.run.queue)], letters, wanted, limit, now, codec)
    asked = RunFilter(before=before, limit=PAGE)
    if deep:
        asked = replace(
            asked, states=wanted.states, task=wanted.task, queue=wanted.queue, schedule=wanted.schedule, key=wanted.key
        )
    found: list[Live | Ended] = []
    looked_at = 0
    while True:
        page = await runs_of(store, replace(asked, limit=min(PAGE, LOOKED_AT_MAX - looked_at)))
        for one in page:
            looked_at += 1
            if covers(one.run.queue) and fit(one, wanted, now, codec):
                found.append(one)
                if len(found) == limit:
                    return Found(runs=found, before=one.run.id, looked_at=looked_at, now=now)
        if len(page) < asked.limit or looked_at >= LOOKED_AT_MAX:
            whole = len(page) < min(asked.limit, LOOKED_AT_MAX) and looked_at < LOOKED_AT_MAX
            return Found(runs=found, before=0 if whole or not page else page[-1].run.id, looked_at=looked_at, now=now)
        asked = replace(asked, before=page[-1].run.id)


def _of_letters(
    mine: Sequence[Ended], letters: Sequence[Ended], wanted: Search, limit: int, now: int, codec: Codec | None
) -> Found:
    """Dead letters lie apart, by id: no history has to be looked through for them."""
    found = [one for one in mine if fit(one, wanted, now, codec)]
    more = letters[-1].run.id if len(letters) == LOOKED_AT_MAX else 0
    before = found[limit - 1].run.id if len(found) > limit else more
    return Found(runs=list(found[:limit]), before=before, looked_at=len(letters), now=now)


def fit(known: Live | Ended, wanted: Search, now: int, codec: Codec | None = None) -> bool:
    """Whether a run is one of those that were asked for."""
    run = known.run
    return (
        (not wanted.states or known.state in wanted.states or state_now(known, now) in wanted.states)
        and (wanted.is_ahead or not _lies_ahead(known, now))
        and wanted.task in ("", run.task)
        and wanted.queue in ("", queue_of(run.queue))
        and wanted.schedule in ("", run.schedule)
        and wanted.key in ("", run.key)
        and (not wanted.since or run.due_at >= wanted.since)
        and (not wanted.until or run.due_at < wanted.until)
        and (wanted.late_seconds is None or late_seconds(known) >= wanted.late_seconds)
        and (not wanted.worker or worker_of(known) == wanted.worker)
        and _says(known, wanted.words)
        and (not wanted.arguments or _takes(readable(run.args, codec), wanted.arguments))
    )


def late_seconds(known: Live | Ended) -> float:
    """From due_at to the start of the first attempt, where that is known; else −1."""
    last = last_attempt(known)
    if last is None or last.number != 1 or not last.started_at or not known.run.due_at:
        return -1.0
    return (last.started_at - known.run.due_at) / MICROS


def worker_of(known: Live | Ended) -> str:
    """Who made the last attempt, by name; of a run that is routed the session in whose lane it stands."""
    if isinstance(known, Live):
        return known.worker
    last = last_attempt(known)
    return last.worker if last is not None else ""


def _lies_ahead(known: Live | Ended, now: int) -> bool:
    return isinstance(known, Live) and bool(known.run.schedule) and known.run.due_at > now


def _says(known: Live | Ended, words: Sequence[str]) -> bool:
    if not words:
        return True
    reason = known.reason if isinstance(known, Ended) else known.cancel
    text = f"{known.run.id} {known.run.task} {known.run.key} {known.run.schedule} {reason}".lower()
    return all(word in text for word in words)


def _takes(arguments: Any, wanted: Sequence[tuple[str, str]]) -> bool:
    """Whether arguments have these values, by path: `args.order:7`, `args.customer.name:ada`."""
    for path, text in wanted:
        value = arguments
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        if value is None or shown != text:
            return False
    return True


def is_over(known: Live | Ended) -> bool:
    """Whether nothing more becomes of it."""
    return known.state in TERMINAL
