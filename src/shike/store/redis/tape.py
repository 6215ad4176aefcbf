"""How a script is told of runs: each becomes a few words on the tape, in the order that `lua/entries.lua` takes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, TypeAlias

from shike.clock import MICROS
from shike.store.guards import Absent, Choose, Effect, Entry, Guard, Insert, PlanNext
from shike.store.redis.bodies import pack_body, pack_parts, places

Word: TypeAlias = bytes | str | int
PLAIN_WORDS: Final = 4  # of an entry of the usual kind
_NUMBERS = struct.Struct(">ddBBB")
_WHEN = struct.Struct(">ddd")
_NEXT = struct.Struct(">IdQIId")
_EIGHT = struct.Struct(">Q")


def put_entry(tape: list[Word], entry: Entry, buckets: int, place: int = 1) -> None:
    """An entry of a store of so many virtual buckets; its own stands at `place` of KEYS."""
    run = entry.run
    delay = entry.delay_seconds
    numbers = _NUMBERS.pack(
        entry.run_at,
        micros(delay) if delay >= 0 else -1.0,
        len(entry.guards),
        len(entry.effects),
        place,
    )
    tape += (_EIGHT.pack(run.id), pack_body(run, buckets), numbers)
    if entry.guards:
        put_guards(tape, entry.guards)
    if entry.effects:
        put_effects(tape, entry.effects, buckets)


def is_plain(entry: Entry) -> bool:
    """Whether an entry is of the usual kind, which `lua/submit_plain.lua` stores."""
    run = entry.run
    if entry.guards or entry.effects or run.schedule or run.gate or run.ties:
        return False
    return entry.delay_seconds >= 0 or not entry.run_at or not run.due_at or entry.run_at == run.due_at


def put_plain(tape: list[Word], entry: Entry, buckets: int) -> None:
    run, delay = entry.run, entry.delay_seconds
    at = 0 if delay >= 0 else entry.run_at or run.due_at
    when = b""
    if delay > 0 or at or run.created_at:
        when = _WHEN.pack(at, micros(delay) if delay >= 0 else -1.0, run.created_at)
    kind, rest = pack_parts(run, buckets)
    tape += (_EIGHT.pack(run.id), kind, rest, when)


def put_guards(tape: list[Word], guards: Sequence[Guard]) -> None:
    for guard in guards:
        if isinstance(guard, Absent):
            tape += (b"A", guard.key, micros(guard.seconds))
        else:
            tape += (b"B", guard.key, guard.cap)


def put_effects(tape: list[Word], effects: Sequence[Effect], buckets: int) -> None:
    for effect in effects:
        if isinstance(effect, Insert):
            tape.append(b"I")
            put_entry(tape, effect.entry, buckets)
        elif isinstance(effect, PlanNext):
            _put_next(tape, effect, buckets)
        elif isinstance(effect, Choose):
            tape += (b"C", len(effect.branches), *effect.branches)
        else:
            tape += (b"R", _EIGHT.pack(effect.run_id))


def _put_next(tape: list[Word], effect: PlanNext, buckets: int) -> None:
    run = effect.entry.run
    moment, expiry = places(run)
    numbers = _NEXT.pack(
        effect.version, micros(effect.delay_seconds), run.ordinal, moment, expiry, run.expires_at - run.due_at
    )
    tape += (b"P", effect.schedule, numbers)
    put_entry(tape, effect.entry, buckets)


def micros(seconds: float) -> int:
    return round(seconds * MICROS)
