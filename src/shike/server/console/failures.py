"""Kinds of dead letters as a page shows them: `shike.operate.dead` groups, this adds the hours in which they ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from shike.clock import MICROS
from shike.model import Ended
from shike.operate.dead import Group, by_fingerprint, group_of

HOURS: Final = 24


class Kind(Struct, frozen=True, kw_only=True):
    """Dead letters of one kind. `hours`: how many in each of the last HOURS, the oldest first."""

    group: Group
    owner: str  # of the newest
    hours: list[int]


def kinds(letters: Iterable[Ended], now: int) -> list[Kind]:
    """The kinds of dead letters, which come newest first; those with most that wait for somebody first."""
    found = [kind_of(fingerprint, members, now) for fingerprint, members in by_fingerprint(letters).items()]
    return sorted(found, key=lambda one: (-one.group.waiting, -one.group.count, one.group.fingerprint))


def kind_of(fingerprint: str, members: Sequence[Ended], now: int) -> Kind:
    """One kind; its dead letters come newest first."""
    hours = [0] * HOURS
    for one in members:
        place = HOURS - 1 - (now - one.ended_at) // (3600 * MICROS)
        if 0 <= place < HOURS:
            hours[place] += 1
    return Kind(group=group_of(fingerprint, members), owner=members[0].run.owner, hours=hours)
