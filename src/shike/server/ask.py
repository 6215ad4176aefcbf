"""A request, after it was let in and read; and what is answered. What the rooms behind the door see of HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Struct, field

from shike.errors import BadField, PreconditionFailed
from shike.server.bounds import HEADER_CHARS_MAX
from shike.server.console.visit import NOWHERE, Visit
from shike.server.roles import Access

if TYPE_CHECKING:
    from shike.server.desk import Desk

B = TypeVar("B")
Q = TypeVar("Q")

ANY_VERSION = 0


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """No query parameters, or an empty object as the body."""


class Ask(Generic[B, Q]):
    """Who asks for what. `body` and `query` were checked against the types in the route table."""

    __slots__ = ("address", "after", "before", "body", "desk", "headers", "path", "query", "visit", "who")

    def __init__(
        self, desk: Desk, who: Access, path: dict[str, str], query: Q, body: B, headers: dict[str, str], address: str
    ) -> None:
        self.desk = desk
        self.who = who
        self.path = path
        self.query = query
        self.body = body
        self.headers = headers  # only those that a handler may go by, in small letters
        self.address = address
        self.before: Any = None  # for the log: what was there
        self.after: Any = None  # … and what is there now
        self.visit: Visit = NOWHERE  # of the console: language, theme, and where it is mounted

    @property
    def idempotency_key(self) -> str:
        """As the caller gave it; empty: none. Raises `BadField`."""
        key = self.headers.get("idempotency-key", "")
        if len(key) > HEADER_CHARS_MAX or not key.isprintable():
            raise BadField(
                f"an idempotency key has up to {HEADER_CHARS_MAX} printable signs", field="header.Idempotency-Key"
            )
        return key

    def expected(self) -> int | None:
        """The version in `If-Match`; None: none was given, or any will do (`*`). Raises `BadField`."""
        return _version(self.headers.get("if-match", ""), "If-Match")

    def only_new(self) -> bool:
        """Whether `If-None-Match: *` asks that nothing be there yet."""
        return self.headers.get("if-none-match", "").strip() == "*"

    def must_match(self, now: str) -> None:
        """Raises `PreconditionFailed` where `If-Match` names another version than the present one."""
        given = self.headers.get("if-match", "").strip()
        if given and given not in ("*", now):
            raise PreconditionFailed(f"it is {now} now, not {given:.40}; read it again", etag=now)


class Reply(Struct, kw_only=True):
    """An answer with a status or headers of its own. What a handler returns else is the value of a plain 200."""

    value: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None  # sent as it is, as `media_type`
    media_type: str = "application/json"
    stream: AsyncIterator[bytes] | None = None  # sent as it comes


def etag_of(version: int | str) -> str:
    """A version as an entity tag."""
    return f'"{version}"'


def _version(text: str, name: str) -> int | None:
    text = text.strip()
    if text in ("", "*"):
        return None
    bare = text.removeprefix('"').removesuffix('"')
    if len(bare) + 2 != len(text) or not bare.isascii() or not bare.isdigit() or len(bare) > 18:
        raise BadField(f'{name} is the ETag of what you saw, such as "3"', field=f"header.{name}")
    return int(bare)
