"""What a store tells its listeners after a commit: latency stands on it, and nothing else does."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Hint(Struct, frozen=True, gc=False):
    """Told to listeners after a commit. Hints may be lost, doubled or late; nothing may depend on them but latency."""

    kind: HintKind
    queue: str = ""
    at: int = 0  # DUE: the run_at
    run_ids: tuple[int, ...] = ()  # ENDED, CANCEL
    name: str = ""  # SCHEDULE, GATED, FREED, SESSION


class HintKind(StrEnum):
    """What a hint is about."""

    DUE = "due"  # a run entered a lane of `queue`, eligible at `at`
    GATED = "gated"  # a run waits for the permit `name`, from `at`
    FREED = "freed"  # a holder of the permit `name` ended
    ENDED = "ended"  # these runs are over
    CANCEL = "cancel"  # these running runs should stop
    SCHEDULE = "schedule"  # the schedule `name` was made, changed or needs planning
    QUEUE = "queue"  # `queue` was paused or resumed
    SESSION = "session"  # a process joined, as the session `name`
    MISSED = "missed"  # what was committed before now may not have been told: told by a process's own ear, as it opens
    BUCKET = "bucket"  # buckets changed hands or sizes; told by the node that did it, not by the store
