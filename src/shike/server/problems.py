"""Errors as problem+json (RFC 9457): a sentence, a stable type, the field it is about, facts; never a traceback."""

from __future__ import annotations

import math
from typing import Final

import msgspec
from msgspec import Struct

from shike import errors
from shike.server.wire import BadBody

MEDIA_TYPE: Final = "application/problem+json"
URN: Final = "urn:shike:problem:"

# The first that fits says which status and type an error has; what is not here is ours: 500, without its words.
STATUS: Final[tuple[tuple[type[errors.ShikeError], int, str], ...]] = (
    (errors.NotAuthenticated, 401, "not-authenticated"),
    (errors.BadSignature, 401, "bad-signature"),
    (errors.Forbidden, 403, "forbidden"),
    (errors.RateLimited, 429, "rate-limited"),
    (errors.BadJSON, 400, "bad-json"),
    (errors.BadField, 422, "bad-field"),
    (errors.PreconditionFailed, 412, "precondition-failed"),
    (errors.Conflict, 409, "conflict"),
    (errors.ApprovalError, 409, "approval"),
    (errors.NotAwaited, 410, "not-awaited"),
    (errors.SessionClosed, 410, "session-closed"),
    (errors.NotFound, 404, "not-found"),
    (errors.TooLarge, 422, "too-large"),
    (errors.BadInput, 422, "bad-input"),
    (errors.StoreFull, 507, "store-full"),
    (errors.StoreUnavailable, 503, "store-unavailable"),
    (errors.StoreError, 503, "store-trouble"),
)
TITLES: Final = {
    400: "Not understood",
    401: "Who are you?",
    403: "Not allowed",
    404: "Not found",
    405: "Not that verb",
    409: "Conflict",
    410: "Gone",
    412: "Changed in between",
    413: "Too large",
    415: "Not JSON",
    422: "Cannot be used",
    429: "Too many requests",
    500: "Our fault",
    503: "Not now",
    507: "Full",
}
RETRY_SECONDS: Final = 1


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong. `field` is the path in what was sent, such as `runs[3].priority`."""

    type: str
    title: str
    status: int
    detail: str
    field: str = ""
    needed: str = ""
    etag: str = ""
    limit: int = 0
    retry_after_seconds: float = 0.0


def problem_of(error: errors.ShikeError) -> Problem:
    """An error of ours as a problem."""
    if isinstance(error, BadBody):
        return plain(error.status, str(error), error.name)
    for kind, status, name in STATUS:
        if isinstance(error, kind):
            return Problem(
                type=f"{URN}{name}",
                title=TITLES[status],
                status=status,
                detail=str(error),
                field=getattr(error, "field", "arguments" if isinstance(error, errors.BadArguments) else ""),
                needed=getattr(error, "needed", ""),
                etag=getattr(error, "etag", ""),
                limit=getattr(error, "limit", 0),
                retry_after_seconds=getattr(error, "retry_after_seconds", 0.0),
            )
    return unexpected()


def plain(status: int, detail: str, name: str = "") -> Problem:
    """A problem that no error of ours stands for: a path that is not there, a body that is too long."""
    return Problem(
        type=f"{URN}{name}" if name else "about:blank", title=TITLES.get(status, "Error"), status=status, detail=detail
    )


def unexpected() -> Problem:
    """A fault of ours: its words are in the server's log, and nowhere else."""
    return plain(500, "the server failed at this; its log says how", "our-fault")


def headers_of(problem: Problem) -> dict[str, str]:
    """What a client should know without reading the body."""
    found = {"cache-control": "no-store"}
    if problem.status == 401:
        found["www-authenticate"] = 'Bearer realm="shike"'
    if problem.status in (429, 503):
        found["retry-after"] = str(max(RETRY_SECONDS, math.ceil(problem.retry_after_seconds)))
    return found


encode = msgspec.json.Encoder().encode
