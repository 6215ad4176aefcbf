"""What is asked over HTTP, or called by it, and must not be."""

from __future__ import annotations

from shike.errors.given import BadSetting
from shike.errors.root import BadInput, ShikeError
from shike.errors.stores import Conflict


class BadField(BadInput):
    """What was sent over HTTP does not fit: `field` is the path to it, as in `runs[3].priority`; empty: the whole."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class BadJSON(BadInput):
    """What was sent over HTTP is no JSON, or is nested too deep."""


class PreconditionFailed(Conflict):
    """The thing is no longer as `If-Match` says the caller saw it; `etag` is what it is now. Read it again."""

    def __init__(self, message: str, *, etag: str = "") -> None:
        super().__init__(message)
        self.etag = etag


class AccessError(ShikeError):
    """The server does not do this for whoever asks."""


class NotAuthenticated(AccessError):
    """No access key was sent, or none that is valid (any more)."""


class Forbidden(AccessError):
    """The access key is valid, and does not allow this; `needed` is the role, or the queue, that would."""

    def __init__(self, message: str, *, needed: str = "") -> None:
        super().__init__(message)
        self.needed = needed


class RateLimited(AccessError):
    """Too many requests of one access key or address. Wait `retry_after_seconds`, then go on."""

    def __init__(self, message: str, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class NotAwaited(ShikeError):
    """Nobody waits for this report: it comes too late, the attempt is over, or the run is another worker's by now.
    Whoever did the work has to be able to do without it."""


class UnguardedRoute(ShikeError):
    """The server does not start: a route is not in the route table, or stands there without a role."""


class OpenToAll(BadSetting):
    """The server does not start: it would listen to other machines, and there is no access key yet."""


class AddressBlocked(BadInput):
    """An outgoing call would go where it must not: to this machine, its network, or a port that is not allowed;
    `address` is what the name stands for."""

    def __init__(self, message: str, *, address: str = "") -> None:
        super().__init__(message)
        self.address = address


class CallFailed(ShikeError):
    """A call to the outside was not answered, or with a status that may be another one next time; `status` 0: with
    none. It is tried again as the task says."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class CallRefused(ShikeError):
    """The other side will not do this, however often it is asked: a dead letter at once; `status` says what it said."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status
