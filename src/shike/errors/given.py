"""What a caller gave cannot be used: a trigger, arguments, a setting, a graph."""

from __future__ import annotations

from shike.errors.root import BadInput


class TriggerError(BadInput):
    """A trigger cannot be read or can never fire."""


class CronError(TriggerError):
    """A cron expression cannot be read; `expression` and `field` say where."""

    def __init__(self, message: str, *, expression: str = "", field: str = "") -> None:
        super().__init__(message)
        self.expression = expression
        self.field = field


class ZoneError(TriggerError):
    """A time zone name is not in the tz database of this machine."""


class CrontabError(BadInput):
    """A line of a crontab file cannot be read; `file` and `line` say where."""

    def __init__(self, message: str, *, file: str = "", line: int = 0) -> None:
        super().__init__(f"{file}:{line}: {message}" if file else message)
        self.file = file
        self.line = line


class UnknownTask(BadInput):
    """No task of that name is registered in this app."""


class DuplicateName(BadInput):
    """Two tasks or two schedules ask for the same name."""


class BadArguments(BadInput):
    """The arguments do not fit the task's signature, or JSON cannot hold them."""


class TooLarge(BadInput):
    """A payload, name or batch is over its bound; `size` and `limit` are in the bound's own unit."""

    def __init__(self, message: str, *, size: int, limit: int) -> None:
        super().__init__(message)
        self.size = size
        self.limit = limit


class GraphError(BadInput):
    """A graph of work cannot be submitted. Nothing of it was stored."""


class GraphCycle(GraphError):
    """Runs of a graph wait for each other in a circle; `cycle` names them, each waiting for the next."""

    def __init__(self, message: str, *, cycle: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.cycle = cycle


class MissingParent(GraphError):
    """A run of a graph depends on one that is not in the graph; `child` names it."""

    def __init__(self, message: str, *, child: str = "") -> None:
        super().__init__(message)
        self.child = child


class BadTime(BadInput):
    """A time is naive, out of range, or a delay is negative."""


class BadSetting(BadInput):
    """A setting or option has a value that cannot be used."""


class ImportFailed(BadInput):
    """The app named on the command line does not import, or is not a Shike."""


class UnknownRoute(BadInput):
    """No route has this name; `name`. A route is a file of `shike.route.strategies`, or `any`."""

    def __init__(self, message: str, *, name: str = "") -> None:
        super().__init__(message)
        self.name = name


class BadLimit(BadInput):
    """A limit can never be met, goes by an argument that its task does not have, or cannot be read; `limit`."""

    def __init__(self, message: str, *, limit: str = "") -> None:
        super().__init__(message)
        self.limit = limit


class BadPredicate(BadInput):
    """A predicate over runs cannot be read; `at` is the character, from 0, where it went wrong."""

    def __init__(self, message: str, *, at: int = 0) -> None:
        super().__init__(message)
        self.at = at


class UnsupportedExecutor(BadInput):
    """A task asks for a kind of executor this worker does not have or does not allow."""


class BadCommand(BadInput):
    """What was asked of a ledger makes no sense there: a section that does not go forward, a pool it does not have.
    Nothing was changed."""
