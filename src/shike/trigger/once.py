"""One moment, and the trigger that has none."""

from __future__ import annotations

from datetime import datetime

from shike.clock import WALL_MAX, WALL_MIN, to_micros
from shike.errors import BadTime
from shike.trigger.base import Trigger


class Once(Trigger, frozen=True):
    """A single moment."""

    at: int

    def __post_init__(self) -> None:
        check_instant(self.at)

    def next(self, after: int | None, ended: int | None = None) -> int | None:
        return self.at if after is None or after < self.at else None

    def prev(self, before: int) -> int | None:
        return self.at if self.at < before else None


class Disabled(Trigger, frozen=True):
    """No moment at all: the value `-` in a configuration switches a schedule off and keeps its row."""

    def next(self, after: int | None, ended: int | None = None) -> int | None:
        return None

    def prev(self, before: int) -> int | None:
        return None


def once(at: datetime | int) -> Once:
    """A trigger with one moment: an aware datetime, or UTC microseconds.

    Raises BadTime where the datetime is naive or before 1970. A moment in the past is a misfire, not an error.
    """
    return Once(to_instant(at))


def to_instant(at: datetime | int) -> int:
    """UTC microseconds of what a caller gave as an instant. Raises BadTime."""
    if isinstance(at, datetime):
        return check_instant(to_micros(at))
    return check_instant(at)


def check_instant(at: object) -> int:
    """The instant itself, if it is one the stores can hold. Raises BadTime."""
    if isinstance(at, bool) or not isinstance(at, int):
        raise BadTime(f"{at!r} is no instant; give an aware datetime or UTC microseconds")
    if not WALL_MIN <= at <= WALL_MAX:
        raise BadTime(f"{at} is outside the years 1970 to 9999; instants are microseconds")
    return at
