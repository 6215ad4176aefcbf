"""A request to the railway, after it was let in and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Struct

from shike.errors import BadField
from shike.server.bounds import HEADER_CHARS_MAX
from shike.server.roles import Access

if TYPE_CHECKING:
    from shike.rail.web.house import House

B = TypeVar("B")
Q = TypeVar("Q")


class Visitor(Struct, frozen=True):
    """Who asks: a passenger by session, staff by access key, or neither."""

    session: str = ""
    access: Access | None = None


class Ask(Generic[B, Q]):
    """Who asks the house for what."""

    __slots__ = ("after", "body", "headers", "house", "path", "query", "who")

    def __init__(
        self, house: House, who: Visitor, path: dict[str, str], query: Q, body: B, headers: dict[str, str]
    ) -> None:
        self.house = house
        self.who = who
        self.path = path
        self.query = query
        self.body = body
        self.headers = headers
        self.after: Any = None  # for the log

    @property
    def idempotency_key(self) -> str:
        """As the caller gave it; empty: none. Raises `BadField`."""
        key = self.headers.get("idempotency-key", "")
        if len(key) > HEADER_CHARS_MAX or not key.isprintable():
            words = f"an idempotency key has up to {HEADER_CHARS_MAX} printable signs"
            raise BadField(words, field="header.Idempotency-Key")
        return key

    @property
    def departure(self) -> str:
        """The key of the departure that the path names."""
        return f"{self.path['train']}/{self.path['day']}/{self.path['run']}"

    def cookie(self, name: str) -> str:
        """A cookie that was sent; empty: none."""
        return cookie(self.headers.get("cookie", ""), name)


def cookie(header: str, name: str) -> str:
    """One cookie of a header."""
    for part in header.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""
