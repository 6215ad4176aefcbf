"""Every error Shike raises, in one tree. Each says what is wrong and what to do next; facts are attributes."""

from __future__ import annotations


class ShikeError(Exception):
    """The root: `except ShikeError` catches whatever Shike raises on purpose."""


class BadInput(ShikeError, ValueError):
    """Something a caller gave cannot be used. Nothing was stored."""


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


class BadTime(BadInput):
    """A time is naive, out of range, or a delay is negative."""


class BadSetting(BadInput):
    """A setting or option has a value that cannot be used."""


class ImportFailed(BadInput):
    """The app named on the command line does not import, or is not a Shike."""


class UnsupportedExecutor(BadInput):
    """A task asks for a kind of executor this worker does not have or does not allow."""


class StoreError(ShikeError):
    """The store could not do what was asked."""


class BadStoreURL(StoreError, ValueError):
    """The store URL names no store that Shike knows."""


class StoreUnavailable(StoreError):
    """The store did not answer. Verbs are idempotent: the same call may be repeated."""


class StoreFull(StoreError):
    """The disk or the store's own size limit is full; nothing of this call was written."""


class ForeignStore(StoreError):
    """The database is corrupt, is not Shike's, or was written by a version this program cannot read."""


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


class ClockError(ShikeError):
    """The clock went back further than can be waited out."""


class DuplicateMachine(ShikeError):
    """Another live process uses the same machine number for its ids."""


class IdsUsedUp(ShikeError):
    """This session has no run ids left, or is the parent process's after a fork: open a new session."""


class DayForgotten(ShikeError):
    """A day older than what the receiver remembers: whether it saw a number is not known."""

    def __init__(self, message: str, *, day: int, oldest_day: int) -> None:
        super().__init__(message)
        self.day = day
        self.oldest_day = oldest_day


class LeaseLost(ShikeError):
    """The run was taken away from this attempt; whatever it reports now is refused."""


class RunFailed(ShikeError):
    """A waited-for run ended without success; `state` and `reason` say how."""

    def __init__(self, message: str, *, run_id: str = "", state: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.run_id = run_id
        self.state = state
        self.reason = reason


class WaitTimeout(ShikeError, TimeoutError):
    """The run had not ended when the time to wait was over. The run itself goes on."""


class HandlerTimeout(ShikeError, TimeoutError):
    """A handler ran longer than its task's timeout and was stopped."""


class PoisonRun(ShikeError):
    """A run killed the process it ran in too often and was moved to the dead letters."""


class CommandFailed(ShikeError):
    """A command task ended with an exit status other than 0; `status` and `stderr` say more."""

    def __init__(self, message: str, *, status: int, stderr: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.stderr = stderr


class ChildDied(ShikeError):
    """The child process a handler ran in ended before it answered. `status` as `subprocess` tells it: −9 is SIGKILL."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status
