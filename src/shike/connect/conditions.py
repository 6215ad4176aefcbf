"""Which messages are wanted: a value at a path, and what has to hold of it. Data, not code: nothing is evaluated."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec
from msgspec import Struct

from shike.bounds import JSON_DEPTH_MAX
from shike.connect.bounds import BODY_BYTES_MAX
from shike.connect.sources.base import Message
from shike.errors import BadInput, TooLarge

MISSING: Final = object()  # what a path leads to where nothing is


class View:
    """A message by paths: `order.total`, `lines.0.sku` into its JSON body; `$id`, `$topic`, `$topic.1` (a word of it,
    from 0), `$headers.trace`, `$text` (the body as it is) and `$body` (all of its JSON)."""

    def __init__(self, message: Message) -> None:
        self._message = message
        self._decoded: Any = MISSING

    @property
    def body(self) -> Any:
        """Raises `BadInput` for what is no JSON, and `TooLarge`."""
        if self._decoded is MISSING:
            raw = self._message.body
            if len(raw) > BODY_BYTES_MAX:
                words = f"the body has more than {BODY_BYTES_MAX:,} bytes; send a reference to the data"
                raise TooLarge(words, size=len(raw), limit=BODY_BYTES_MAX)
            try:
                self._decoded = msgspec.json.decode(raw)
            except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
                raise BadInput(f"the body is no JSON ({error})") from None
        return self._decoded

    def at(self, path: str) -> Any:
        """The value there, or MISSING."""
        first, _, rest = path.partition(".")
        if not first.startswith("$"):
            return _walk(self.body, path)
        if first == "$id":
            return self._message.id or MISSING
        if first == "$topic":
            return _walk(self._message.topic.replace("/", ".").split("."), rest) if rest else self._message.topic
        if first == "$headers":
            return self._message.headers.get(rest, MISSING)
        if first == "$text":
            return self._message.body.decode()
        return _walk(self.body, rest)


ROOTS: Final = ("$id", "$topic", "$headers", "$text", "$body")


def check_path(path: Any) -> str:
    """Raises `BadInput` for what is no path."""
    words = path.split(".") if isinstance(path, str) else []
    known = bool(words) and (not words[0].startswith("$") or words[0] in ROOTS)
    if not known or not all(words) or len(words) > JSON_DEPTH_MAX:
        raise BadInput(f"{path!r:.60} is no path; write order.total, lines.0.sku, or {', '.join(ROOTS)}")
    return str(path)


def _walk(value: Any, path: str) -> Any:
    for word in path.split(".") if path else ():
        if isinstance(value, dict):
            value = value.get(word, MISSING)
        elif isinstance(value, list) and word.isascii() and word.isdecimal() and len(word) < 7:
            value = value[int(word)] if int(word) < len(value) else MISSING
        else:
            return MISSING
    return value


class Condition(Struct, frozen=True):
    """What has to hold of a value. One that is not there, or of another kind, does not meet it."""

    @abstractmethod
    def holds(self, value: Any) -> bool: ...


class Equals(Condition, frozen=True):
    """Exactly this value; 1 is not True."""

    value: Any

    def holds(self, value: Any) -> bool:
        return bool(value == self.value) and isinstance(value, bool) == isinstance(self.value, bool)


class OneOf(Condition, frozen=True):
    """One of these."""

    values: tuple[Any, ...]

    def holds(self, value: Any) -> bool:
        return any(Equals(one).holds(value) for one in self.values)


class Between(Condition, frozen=True):
    """A number from `least` up to `most`, both included."""

    least: float
    most: float

    def holds(self, value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and self.least <= value <= self.most


class Like(Condition, frozen=True):
    """A text of this pattern: `*` any signs, `?` one, `[ab]` one of these."""

    pattern: str

    def holds(self, value: Any) -> bool:
        return isinstance(value, str) and fnmatchcase(value, self.pattern)


class Present(Condition, frozen=True):
    """There, whatever it is; or not there, with `wanted` False."""

    wanted: bool = True

    def holds(self, value: Any) -> bool:
        return (value is not MISSING) is self.wanted


def at_least(number: float) -> Condition:
    return Between(number, float("inf"))


def at_most(number: float) -> Condition:
    return Between(float("-inf"), number)


def between(least: float, most: float) -> Condition:
    return Between(least, most)


def one_of(*values: Any) -> Condition:
    return OneOf(values)


def like(pattern: str) -> Condition:
    return Like(pattern)


def present() -> Condition:
    return Present()


def absent() -> Condition:
    return Present(wanted=False)


class Where:
    """All of these hold: path → a condition, or the value that it equals."""

    def __init__(self, wanted: Mapping[str, Any]) -> None:
        """Raises `BadInput` for what is no path."""
        self._conditions = [
            (check_path(path), one if isinstance(one, Condition) else Equals(one)) for path, one in wanted.items()
        ]

    def holds(self, view: View) -> bool:
        """Raises `BadInput` for a body that cannot be read where a condition looks into it."""
        return all(condition.holds(view.at(path)) for path, condition in self._conditions)
