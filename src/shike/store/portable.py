"""What a store adds to the protocol so that everything in it can be carried to another: to move, export or import it.

A store that is moved passes through *phases*. They cost nothing while there is none: an SQL store makes triggers for
them, so that the database itself refuses, whatever process asks, and waits for the steps that are under way.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Any, Final, Protocol, runtime_checkable

import msgspec
from msgspec import Struct

from shike.errors import StoreFrozen, StoreMoved
from shike.store.base import Store
from shike.store.records import Kind, Place, Record

MARKER_KEY: Final = "store/move"  # the control row that holds a `Marker`; it is not carried
ALL_TIME: Final = (0, 1 << 62)


class Phase(StrEnum):
    """How far a move has come, as one of its two stores shows it."""

    COPYING = "copying"  # FROM: everything goes on; only retention rests, for the history is being read
    DRAINING = "draining"  # FROM: no claim is granted; what runs ends, what comes is kept
    SEALED = "sealed"  # FROM: nothing changes but the beats of sessions
    MOVED = "moved"  # FROM: for ever; every write says where to
    LOADING = "loading"  # TO: no session opens and no claim is granted
    OPENED = "opened"  # TO: in use; the row tells where it came from


RETENTION_RESTS: Final = frozenset({Phase.COPYING, Phase.DRAINING, Phase.SEALED, Phase.MOVED, Phase.LOADING})


class Marker(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of one move."""

    phase: Phase
    id: str  # of the move, the same in both stores
    peer: str  # the other store, without its password
    began_at: int = 0
    copied_until: int = 0  # FROM: what ended before has been copied and compared


class Reader(Protocol):
    """Reads records page by page. `words` says what is seen: one instant of the store, or less."""

    words: str

    async def read(self, kind: Kind, after: Place, limit: int, span: tuple[int, int] = ALL_TIME) -> Sequence[Record]:
        """At most `limit` records behind `after` (`()`: from the first); fewer: there are no more. `span`: of ENDED,
        only those that ended in [start, end)."""
        ...


@runtime_checkable
class Portable(Store, Protocol):
    """A store that can be moved, exported and imported into."""

    def snapshot(self, *, still: bool = False) -> AbstractAsyncContextManager[Reader]:
        """To read everything as it is at one instant, while others go on. `still`: nothing of what is read changes
        meanwhile, so that a store to which instants are dear need not make one."""
        ...

    async def load(self, kind: Kind, records: Sequence[Record]) -> None:
        """Write records; repeating is harmless. BUCKETS come all at once; MARKS comes last, and closes the books."""
        ...

    async def restrict(self, marker: Marker | None) -> None:
        """Write the marker and do what its phase says, from this step on; None takes it away. What was under way is
        done before, or is refused."""
        ...

    async def marker(self) -> Marker | None:
        """Where a move stands that this store takes part in."""
        ...


def encoded(marker: Marker) -> bytes:
    return msgspec.json.encode(marker)


def decoded(value: bytes | str) -> Marker:
    return msgspec.json.decode(value, type=Marker)


def refusal(marker: Marker) -> StoreFrozen | StoreMoved:
    """What a verb says that the phase does not allow."""
    match marker.phase:
        case Phase.MOVED:
            return StoreMoved(
                f"this store was moved to {marker.peer}: use that one (--store, SHIKE_STORE or the app's own setting)",
                to=marker.peer,
            )
        case Phase.LOADING:
            return StoreFrozen(f"this store is being filled from {marker.peer}; repeat the call when that is done")
        case _:
            return StoreFrozen(
                f"this store is being moved to {marker.peer}; repeat the call (`shike move FROM --cancel` gives up)"
            )


def refusal_of(words: str) -> StoreFrozen | StoreMoved:
    """As `refusal`, from the marker that a trigger answered with."""
    start, end = words.find("{"), words.rfind("}")
    try:
        return refusal(decoded(words[start : end + 1]))
    except (msgspec.DecodeError, msgspec.ValidationError):
        return StoreFrozen("this store is being moved; repeat the call")


async def refuse_unfinished(store: Store) -> None:
    """Nobody may use a store that is being filled. Raises `StoreFrozen`."""
    marker = await store.marker() if isinstance(store, Portable) else None
    if marker is not None and marker.phase is Phase.LOADING:
        raise refusal(marker)


def is_portable(store: Any) -> bool:
    """Whether a store can be moved, exported and imported into."""
    return isinstance(store, Portable)
