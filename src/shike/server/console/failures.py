"""Dead letters by fingerprint: the same kind of failure of the same task in the same place, whatever its numbers."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from shike.clock import MICROS
from shike.model import Ended
from shike.operate.facts import instant, last_attempt

HOURS: Final = 24
DIGITS: Final = 10  # of a fingerprint
VARYING: Final = re.compile(r"0x[0-9a-f]+|[0-9a-f]{16,}|\d+(?:\.\d+)*|'[^']*'|\"[^\"]*\"", re.IGNORECASE)
MODULE: Final = re.compile(r"^(?:\w+\.)+(?=\w+(?::|$))")  # of a failure's type
PLACE: Final = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')


class Group(Struct, frozen=True, kw_only=True):
    """Dead letters of one kind. `hours`: how many in each of the last HOURS, the oldest first."""

    fingerprint: str
    task: str
    kind: str  # the failure, without what varies
    place: str  # file, line and function where it was raised
    reason: str  # of the newest
    owner: str
    count: int
    waiting: int  # not replayed yet
    first_at: datetime | None
    last_at: datetime | None
    hours: list[int]


def fingerprint_of(ended: Ended) -> str:
    """What two dead letters of one kind have in common, hashed."""
    text = "\n".join((ended.run.task, kind_of(ended), place_of(ended)))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def kind_of(ended: Ended) -> str:
    """The failure without numbers, ids and quoted values."""
    last = last_attempt(ended)
    text = (last.error if last is not None else "") or ended.reason
    return VARYING.sub("…", MODULE.sub("", text))[:200]


def place_of(ended: Ended) -> str:
    """The innermost line of its traceback."""
    last = last_attempt(ended)
    found = PLACE.findall(last.traceback) if last is not None else []
    if not found:
        return ""
    file, line, function = found[-1]
    return f"{file.rpartition('/')[2]}:{line} {function}"


def grouped(letters: Iterable[Ended], now: int) -> list[Group]:
    """The groups, those with most that wait for somebody first."""
    by: dict[str, list[Ended]] = defaultdict(list)
    for ended in letters:
        by[fingerprint_of(ended)].append(ended)
    groups = [_group(fingerprint, members, now) for fingerprint, members in by.items()]
    return sorted(groups, key=lambda one: (-one.waiting, -one.count, one.fingerprint))


def _group(fingerprint: str, members: Sequence[Ended], now: int) -> Group:
    newest = max(members, key=lambda one: one.ended_at)
    hours = [0] * HOURS
    for one in members:
        place = HOURS - 1 - (now - one.ended_at) // (3600 * MICROS)
        if 0 <= place < HOURS:
            hours[place] += 1
    return Group(
        fingerprint=fingerprint,
        task=newest.run.task,
        kind=kind_of(newest),
        place=place_of(newest),
        reason=newest.reason,
        owner=newest.run.owner,
        count=len(members),
        waiting=sum(not one.replayed_as for one in members),
        first_at=instant(min(one.ended_at for one in members)),
        last_at=instant(newest.ended_at),
        hours=hours,
    )
