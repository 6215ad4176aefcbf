"""The one protocol of everything that waits in memory: what a timer structure promises, whichever it is.

A structure holds items until their time comes. It wakes, it does not decide: the store is the truth.
It reads no clock, never sleeps, calls no code of its user and has no opinion on what a tick is — the
owner hands in `now`, in the same unit as every `when` (Shike uses UTC microseconds). It is not
thread-safe: one owner at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar, final

T = TypeVar("T")

Token = int
"""Names one insertion. Never given out twice by the same queue, whatever becomes of the item."""


@final
class Gone:
    """Stands where an item was. `None` is a fine item, so it cannot mean "nothing"."""

    __slots__ = ()


GONE: Final = Gone()


@dataclass(frozen=True, slots=True)
class TimerStats:
    """What a structure holds at this instant; counting it may visit every bucket."""

    live: int
    """Items that wait."""
    dead: int
    """Places of cancelled items not yet given back."""
    buckets: int
    """Separate parts that the structure keeps."""
    worst_bucket: int
    """Places in the fullest part: what one call may have to sort."""
    bytes_estimate: int
    """Memory of the structure itself, without the items; an estimate."""


class TimerQueue(Protocol[T]):
    """Items in order of time.

    Promises, the same for every structure:

    - never early: `pop_due(now)` returns only items with `when <= now`, and all of them within `limit`;
      a `now` smaller than the last one is no error, it is a smaller question
    - order: by `when`; among equal ones, first in, first out
    - a `when` in the past is due at the next `pop_due`; any int is a time, negative or 2**62
    - cancelling wins until the item was popped, and lets go of the item at once
    - a returned list is the caller's: inserting, cancelling or moving while walking it is always legal
    """

    def insert(self, when: int, item: T) -> Token:
        """Keep `item` until `when`."""

    def insert_many(self, whens: Sequence[int], items: Sequence[T], *, ascending: bool = False) -> list[Token]:
        """As `insert` for each pair in turn. `ascending=True` says that `whens` never decrease (what a store
        reads ahead is sorted): a hint that makes it faster, and if untrue only slower.

        Raises `BadInput` when the two differ in length; then nothing was inserted.
        """

    def cancel(self, token: Token) -> bool:
        """Let go of an item. False: it was popped, moved or cancelled, or nothing here has that token.

        Each queue counts for itself, so a token of another queue may name something here: keep them apart.
        """

    def cancel_many(self, tokens: Iterable[Token]) -> int:
        """As `cancel` for each; how many were let go."""

    def move(self, token: Token, when: int) -> Token | None:
        """Wait until `when` instead, under a new token, behind those that already wait for the same `when`.

        None: too late (see `cancel`), nothing was moved.
        """

    def pop_due(self, now: int, limit: int | None = None) -> list[T]:
        """Take out what is due, in order; at most `limit` items, the rest stays due."""

    def next_due(self) -> int | None:
        """When to look again: never later than the earliest item (a structure that is less precise says so).

        It may be early, by less than the slot or bucket that holds the item; a structure that ticks names its next
        tick. None: nothing waits.
        """

    def maintain(self, budget: int) -> bool:
        """Work for idle moments that makes the next `pop_due` shorter. Starts no further step once about `budget`
        items were touched. False: nothing is left to do for now.
        """

    def drain(self) -> list[tuple[int, T]]:
        """Take out everything, due or not, in order, with its time: for shutdown and hand-over."""

    def __len__(self) -> int:
        """How many items wait."""

    def stats(self) -> TimerStats:
        """What it holds, for metrics and `doctor`."""
