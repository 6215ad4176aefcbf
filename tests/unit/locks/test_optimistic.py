"""Compare-and-set with bounded, jittered tries; the fence; the pauses between tries."""

from __future__ import annotations

from itertools import islice

import pytest

from shike.bounds import LOCK_POLL_SECONDS, LOCK_POLL_SECONDS_MAX
from shike.errors import Conflict, StaleToken
from shike.ids import SystemEntropy
from shike.locks import Fence, Versioned, change
from shike.locks.waiting import pauses
from tests import bounded


class Cell:
    """A value that others change `rivals` times between our reading and our writing."""

    def __init__(self, value: int, rivals: int = 0) -> None:
        self.value, self.version, self.rivals, self.writes = value, 1, rivals, 0

    async def read(self) -> Versioned[int]:
        seen = Versioned(self.value, self.version)
        if self.rivals:
            self.rivals -= 1
            self.value, self.version = self.value + 10, self.version + 1
        return seen

    async def write(self, value: int, version: int) -> bool:
        if version != self.version:
            return False
        self.value, self.version, self.writes = value, version + 1, self.writes + 1
        return True


def test_a_change_builds_on_what_rivals_wrote() -> None:
    cell = Cell(0, rivals=3)
    assert bounded.run(change(cell.read, cell.write, lambda value: value + 1)) == 31
    assert (cell.value, cell.writes) == (31, 1)


def test_a_change_that_changes_nothing_writes_nothing() -> None:
    cell = Cell(7)
    assert bounded.run(change(cell.read, cell.write, lambda value: value)) == 7
    assert cell.writes == 0


def test_after_so_many_tries_it_gives_up_and_says_what_to_do() -> None:
    cell = Cell(0, rivals=99)
    with pytest.raises(Conflict, match="3 times in a row: take a lock instead"):
        bounded.run(change(cell.read, cell.write, lambda value: value + 1, tries=3))
    assert cell.writes == 0


def test_pauses_double_up_to_a_bound_and_are_never_half_as_long_as_drawn() -> None:
    drawn = list(islice(pauses(SystemEntropy()), 50))
    assert LOCK_POLL_SECONDS / 2 <= drawn[0] <= LOCK_POLL_SECONDS
    assert all(LOCK_POLL_SECONDS_MAX / 2 <= pause <= LOCK_POLL_SECONDS_MAX for pause in drawn[10:])
    assert len(set(drawn)) == len(drawn)


def test_a_fence_lets_the_newest_through_again_and_refuses_who_came_before() -> None:
    fence = Fence()
    fence.admit("stock", 4)
    fence.admit("stock", 7)
    fence.admit("stock", 7)
    fence.admit("another", 1)
    with pytest.raises(StaleToken, match="older than 7") as stale:
        fence.admit("stock", 4)
    assert (stale.value.name, stale.value.token, stale.value.newest) == ("stock", 4, 7)
