"""What becomes of runs, leases, locks and timers."""

from __future__ import annotations

from shike.errors.root import ShikeError


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


class LockBusy(ShikeError, TimeoutError):
    """None of these locks came free in the time given; `names`. Wait longer, or do without."""

    def __init__(self, message: str, *, names: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.names = names


class LockLost(ShikeError):
    """The lease of this lock passed before it was renewed: another may hold it now. Stop, and take it again."""

    def __init__(self, message: str, *, name: str = "", token: int = 0) -> None:
        super().__init__(message)
        self.name = name
        self.token = token


class StaleToken(ShikeError):
    """Work came with a lower fencing token than was seen before: whoever sent it holds the lock no more."""

    def __init__(self, message: str, *, name: str = "", token: int = 0, newest: int = 0) -> None:
        super().__init__(message)
        self.name = name
        self.token = token
        self.newest = newest


class ApprovalError(ShikeError):
    """A run cannot be approved so."""


class ApprovalUsed(ApprovalError):
    """Somebody decided before, `by`, `at` (UTC µs). An approval counts once: what is to run again needs another one."""

    def __init__(self, message: str, *, by: str = "", at: int = 0) -> None:
        super().__init__(message)
        self.by = by
        self.at = at


class ApprovalExpired(ApprovalError):
    """The time in which a run could be approved is over, and so is the run: submit the work anew."""


class ApprovalMismatch(ApprovalError):
    """The approval is for something else than what waits: look at the request again, and approve that."""


class NoWorker(ShikeError):
    """No worker that is open may do this work. Start one that serves its queue, task and tags."""


class RunFailed(ShikeError):
    """A waited-for run ended without success; `state` and `reason` say how."""

    def __init__(self, message: str, *, run_id: str = "", state: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.run_id = run_id
        self.state = state
        self.reason = reason


class WaitTimeout(ShikeError, TimeoutError):
    """The run had not ended when the time to wait was over. The run itself goes on."""


class TimersClosed(ShikeError):
    """A delay queue was closed: nobody waits for it any more."""


class HandlerTimeout(ShikeError, TimeoutError):
    """A handler ran longer than its task's timeout and was stopped."""


class PoisonRun(ShikeError):
    """A run killed the process it ran in too often and was moved to the dead letters."""


class CommandFailed(ShikeError):
    """A command task ended with an exit status other than 0; `status`, `stdout` and `stderr` say more."""

    def __init__(self, message: str, *, status: int, stdout: str = "", stderr: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.stdout = stdout
        self.stderr = stderr


class ContainerFailed(CommandFailed):
    """A container task ended with an exit status other than 0 (125: its engine could not start it)."""


class ContainerRefused(ContainerFailed):
    """… with one that says that asking again would change nothing: the run is a dead letter at once."""


class EngineMissing(ShikeError):
    """A worker is to run containers, and the program that does it is not there. `engine` is its name."""

    def __init__(self, message: str, *, engine: str) -> None:
        super().__init__(message)
        self.engine = engine


class ChildDied(ShikeError):
    """The child process a handler ran in ended before it answered. `status` as `subprocess` tells it: −9 is SIGKILL."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status
