"""Runs come in: concurrent submissions share one script call, each of them stored whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from shike.errors import Conflict
from shike.store.guards import Entry
from shike.store.redis.base import Base
from shike.store.redis.records import number_of
from shike.store.redis.tape import PLAIN_WORDS, is_plain, micros, put_entry, put_plain
from shike.store.verbs import Submitted


class Submission(NamedTuple):
    """What one caller hands over."""

    entries: Sequence[Entry]
    repeat: bool


def weight(submission: Submission) -> int:
    return len(submission.entries)


async def submit(base: Base, submissions: list[Submission]) -> list[list[Submitted] | BaseException]:
    """Store them in one step; on a cluster a step a bucket, so that a refused submission over several buckets may be
    stored in some of them: the same words again, as a repeat, complete it."""
    if base.server.one_step:
        buckets = sorted({base.bucket_of(entry.run.id) for one in submissions for entry in one.entries})
        return await _step(base, submissions, buckets or [0])
    return await _bucket_by_bucket(base, submissions)


async def _step(base: Base, submissions: list[Submission], buckets: list[int]) -> list[list[Submitted] | BaseException]:
    entries = [entry for submission in submissions for entry in submission.entries]
    if all(map(is_plain, entries)) and len({entry.run.id for entry in entries}) == len(entries):
        now = await _plain_step(base, entries, buckets)
        if now:
            return [[_stored(entry, now) for entry in submission.entries] for submission in submissions]
    return await _careful_step(base, submissions, buckets)


async def _plain_step(base: Base, entries: Sequence[Entry], buckets: list[int]) -> int:
    """The store's time when they were stored; 0: one of them is known, and nothing was done."""
    parts: dict[int, list[Any]] = {bucket: [] for bucket in buckets}
    for entry in entries:
        put_plain(parts[base.bucket_of(entry.run.id)], entry, base.buckets)
    tape: list[Any] = []
    for part in parts.values():
        tape.append(len(part) // PLAIN_WORDS)
        tape += part
    return int(await base.server.script("submit_plain", base.tags(buckets), tape))


async def _careful_step(
    base: Base, submissions: list[Submission], buckets: list[int]
) -> list[list[Submitted] | BaseException]:
    place_of = {bucket: place for place, bucket in enumerate(buckets, 1)}
    tape: list[Any] = [len(submissions)]
    count = base.buckets
    for submission in submissions:
        tape += ("1" if submission.repeat else "0", len(submission.entries))
        for entry in submission.entries:
            put_entry(tape, entry, count, place_of[base.bucket_of(entry.run.id)])
    now, conflicts, exceptions = await base.server.script("submit", base.tags(buckets), tape)
    answers: list[list[Submitted] | BaseException] = [
        [_stored(entry, now) for entry in submission.entries] for submission in submissions
    ]
    for group, place, run_id, fresh, due_at, why in exceptions:
        stored = answers[group - 1]
        assert isinstance(stored, list)
        stored[place - 1] = Submitted(number_of(run_id), bool(fresh), due_at, why.decode())
    for group, run_id in conflicts:
        answers[group - 1] = Conflict(
            f"run {number_of(run_id)} is in the store already; nothing of this submission was stored"
        )
    return answers


def _stored(entry: Entry, now: int) -> Submitted:
    run = entry.run
    if entry.delay_seconds >= 0:
        return Submitted(run.id, True, now + micros(entry.delay_seconds))
    return Submitted(run.id, True, run.due_at or entry.run_at or now)


async def _bucket_by_bucket(base: Base, submissions: list[Submission]) -> list[list[Submitted] | BaseException]:
    parts: dict[int, list[tuple[int, list[int]]]] = {}  # bucket → of each submission: its number, places in it
    for number, submission in enumerate(submissions):
        places: dict[int, list[int]] = {}
        for place, entry in enumerate(submission.entries):
            places.setdefault(base.bucket_of(entry.run.id), []).append(place)
        for bucket, listed in places.items():
            parts.setdefault(bucket, []).append((number, listed))
    answers: list[list[Any] | BaseException] = [[None] * len(one.entries) for one in submissions]
    for bucket, groups in parts.items():
        wanted = [
            Submission([submissions[number].entries[place] for place in listed], submissions[number].repeat)
            for number, listed in groups
        ]
        for (number, listed), stored in zip(groups, await _step(base, wanted, [bucket]), strict=True):
            _note(answers, number, listed, stored)
    return answers


def _note(answers: list[Any], number: int, listed: list[int], stored: list[Submitted] | BaseException) -> None:
    if isinstance(stored, BaseException):
        answers[number] = stored
    elif isinstance(answers[number], list):
        for place, one in zip(listed, stored, strict=True):
            answers[number][place] = one
