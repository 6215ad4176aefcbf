"""What a store cannot do, or refuses."""

from __future__ import annotations

from shike.errors.root import ShikeError


class StoreError(ShikeError):
    """The store could not do what was asked."""


class BadStoreURL(StoreError, ValueError):
    """The store URL names no store that Shike knows."""


class StoreUnavailable(StoreError):
    """The store did not answer. Verbs are idempotent: the same call may be repeated."""


class StoreFrozen(StoreUnavailable):
    """The store is being moved to another one and takes no such call meanwhile. Repeat it: that lasts seconds."""


class StoreMoved(StoreError):
    """The store was moved to another one, `to` (without its password). Whatever was not accepted before goes there."""

    def __init__(self, message: str, *, to: str = "") -> None:
        super().__init__(message)
        self.to = to


class StoreLost(StoreError):
    """The server came back without what this store held, or with another store in its place. What this process holds is
    of the lost one: it has to end, and may open the store anew."""


class UnsafeStore(StoreError):
    """The server is set to lose what it has accepted (P8), and nobody has said that this may be; `accept` is the word
    that would say so, in the URL."""

    def __init__(self, message: str, *, accept: str = "") -> None:
        super().__init__(message)
        self.accept = accept


class StoreFull(StoreError):
    """The disk or the store's own size limit is full; nothing of this call was written."""


class AccessDenied(StoreError):
    """The store does not let us in, or does not allow what is needed: a wrong user, password, or missing rights."""


class ForeignStore(StoreError):
    """The database is corrupt, is not Shike's, or was written by a version this program cannot read."""


class StillRunning(StoreError):
    """A store cannot be moved yet: `count` runs are under way on it. Everything goes on as before."""

    def __init__(self, message: str, *, count: int = 0) -> None:
        super().__init__(message)
        self.count = count


class BadArchive(StoreError):
    """An exported file is damaged or cut off, or was written by a version this program cannot read; `offset` says where
    in the file. What was imported up to there is in the store, and is no harm: import a good copy over it."""

    def __init__(self, message: str, *, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class Conflict(StoreError):
    """A compare-and-set lost: the row is no longer as the caller saw it. Read it again."""


class NotFound(StoreError, LookupError):
    """No run, schedule, session or dead letter of that id is in the store."""


class SessionClosed(StoreError):
    """This session was closed (it missed its beats). It dies once: the process must open a new one."""

    def __init__(self, message: str, *, session: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.session = session
        self.reason = reason


class StaleEpoch(StoreError):
    """A write carried an old epoch: another node owns the bucket now."""
