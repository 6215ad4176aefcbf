"""What cannot be read of a timetable, or sold on a train."""

from __future__ import annotations

from shike.errors.root import BadInput, ShikeError


class BadFeed(BadInput):
    """A timetable or a table of the railway cannot be read; `file`, `line` and `field` say where. Nothing was taken."""

    def __init__(self, message: str, *, file: str = "", line: int = 0, field: str = "") -> None:
        where = ":".join(str(part) for part in (file, line) if part)
        spelt = f"{where}: {field}: {message}" if field else f"{where}: {message}"
        super().__init__(spelt if where else message)
        self.file = file
        self.line = line
        self.field = field


class UnknownStation(BadInput):
    """No station, or more than one, has that name; `suggestions` are names that it may have meant."""

    def __init__(self, message: str, *, name: str = "", suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.name = name
        self.suggestions = suggestions


class UnknownTrain(BadInput):
    """No train of that number runs on that day, or it has no such class or carriage; `suggestions` may help."""

    def __init__(self, message: str, *, suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.suggestions = suggestions


class BadTrip(BadInput):
    """No train goes that way: from a station to itself, against the direction, or past the days that are sold."""


class BadPassenger(BadInput):
    """A passenger's name, document or kind cannot be right; `field` says which."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class BadOrder(BadInput):
    """An order as a whole cannot be: nobody travels, too many do, or one of them twice."""


class TradeRefused(ShikeError):
    """The rules of the railway do not allow this, or not any more; nothing was changed. `reason` is a word for
    programs: `departed`, `changed_once`, `not_on_sale` (then `opens_at` says when), `person`, `full`, …"""

    def __init__(self, message: str, *, reason: str, opens_at: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.opens_at = opens_at


class BadNotice(BadInput):
    """A callback of a payment gateway is not signed by it, or is about no payment of ours. It was not acted on."""
