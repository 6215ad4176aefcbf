"""Runs end, come back, or are changed by operators and nodes: one script call for a batch."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

from shike.model import State
from shike.store.checks import OUTCOMES, check_ack, check_move
from shike.store.redis.base import Base
from shike.store.redis.bodies import pack_body
from shike.store.redis.routed import living
from shike.store.redis.tape import micros, put_effects, put_guards
from shike.store.verbs import Ack, Answer, Move

ANSWERS: Final = {ord(str(int(answer))): answer for answer in Answer}
NO_BAND: Final = 255

PLAIN: Final = [bytes((state,)) for state in State]

_ACK = struct.Struct(">BddBB")
_TAIL = struct.Struct(">QHIII")
_MOVE = struct.Struct(">IBdBB")
_EIGHT = struct.Struct(">Q")


async def settle(base: Base, session: str, acks: Sequence[Ack]) -> list[Answer]:
    for ack in acks:
        if ack.state not in OUTCOMES or ack.delay_seconds or ack.effects:
            check_ack(ack)
    count, who = base.buckets, session.encode()

    def put(tape: list[Any], place: int) -> None:
        ack = acks[place]
        if ack.delay_seconds or ack.run_at or ack.effects or ack.died:
            numbers = _ACK.pack(ack.state, ack.run_at, micros(ack.delay_seconds), len(ack.effects), ack.died)
        else:
            numbers = PLAIN[ack.state]
        reason, result, trace = ack.reason.encode(), ack.result, ack.trace
        sizes = _TAIL.pack(ack.token, len(who), len(reason), len(result), len(trace))
        tape += (_EIGHT.pack(ack.run_id), numbers, b"".join((sizes, who, reason, result, trace)))
        if ack.effects:
            put_effects(tape, ack.effects, count)

    found = await base.by_bucket([ack.run_id for ack in acks], "settle", (session, base.bound, base.crashes_max), put)
    return _answers(len(acks), found)


async def move(base: Base, moves: Sequence[Move]) -> list[Answer]:
    for wanted in moves:
        check_move(wanted)
    open_workers = await living(base, moves)

    def put(tape: list[Any], place: int) -> None:
        wanted = moves[place]
        run_at = -1 if wanted.run_at is None else wanted.run_at
        band = NO_BAND if wanted.band is None else wanted.band
        numbers = _MOVE.pack(wanted.version, wanted.to, run_at, band, len(wanted.guards))
        worker = wanted.worker if wanted.worker in open_workers else ""
        body = b"" if wanted.run is None else pack_body(wanted.run, base.buckets)
        tape += (_EIGHT.pack(wanted.run_id), numbers, wanted.reason, worker, wanted.note, body)
        put_guards(tape, wanted.guards)

    found = await base.by_bucket([wanted.run_id for wanted in moves], "move", (base.bound,), put)
    return _answers(len(moves), found)


def _answers(count: int, found: list[tuple[list[int], bytes]]) -> list[Answer]:
    """In the order in which they were asked for."""
    if len(found) == 1:
        order, digits = found[0]
        if order == list(range(count)):
            return [ANSWERS[digit] for digit in digits]
    answers = [Answer.UNKNOWN] * count
    for order, digits in found:
        for place, digit in zip(order, digits, strict=True):
            answers[place] = ANSWERS[digit]
    return answers
