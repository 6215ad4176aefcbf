"""Shike: the right work, at the right moment, on the right worker.

The public names, and nothing else. They load on first use, so that `import shike` stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from shike.app import Shike as Shike
    from shike.call import Call as Call
    from shike.call import Handle as Handle
    from shike.call import Task as Task
    from shike.engine import Roles as Roles
    from shike.errors import ShikeError as ShikeError
    from shike.limit.declared import Key as Key
    from shike.limit.kinds.concurrency import Concurrency as Concurrency
    from shike.limit.kinds.cooldown import Cooldown as Cooldown
    from shike.limit.kinds.debounce import Debounce as Debounce
    from shike.limit.kinds.fair_share import FairShare as FairShare
    from shike.limit.kinds.rate import Rate as Rate
    from shike.limit.kinds.reserved import Reserved as Reserved
    from shike.model import Backoff as Backoff
    from shike.model import Executor as Executor
    from shike.model import Growth as Growth
    from shike.model import Misfire as Misfire
    from shike.model import OnUnknown as OnUnknown
    from shike.model import Overlap as Overlap
    from shike.model import Route as Route
    from shike.model import State as State
    from shike.task import Outcome as Outcome
    from shike.trigger import DST as DST
    from shike.trigger import all_of as all_of
    from shike.trigger import any_of as any_of
    from shike.trigger import calendar as calendar
    from shike.trigger import cron as cron
    from shike.trigger import during as during
    from shike.trigger import every as every
    from shike.trigger import except_for as except_for
    from shike.trigger import once as once
    from shike.worker.context import Context as Context
    from shike.worker.context import current as current
    from shike.worker.context import currents as currents
    from shike.worker.outcome import Cancel as Cancel
    from shike.worker.outcome import Retry as Retry
    from shike.worker.outcome import Snooze as Snooze
    from shike.worker.steps import step as step
    from shike.worker.steps import traced as traced

_HOME = {
    "Backoff": "shike.model",
    "Call": "shike.call",
    "Cancel": "shike.worker.outcome",
    "Concurrency": "shike.limit.kinds.concurrency",
    "Context": "shike.worker.context",
    "Cooldown": "shike.limit.kinds.cooldown",
    "DST": "shike.trigger",
    "Debounce": "shike.limit.kinds.debounce",
    "Executor": "shike.model",
    "FairShare": "shike.limit.kinds.fair_share",
    "Growth": "shike.model",
    "Handle": "shike.call",
    "Key": "shike.limit.declared",
    "Misfire": "shike.model",
    "OnUnknown": "shike.model",
    "Outcome": "shike.task",
    "Overlap": "shike.model",
    "Rate": "shike.limit.kinds.rate",
    "Reserved": "shike.limit.kinds.reserved",
    "Retry": "shike.worker.outcome",
    "Roles": "shike.engine",
    "Route": "shike.model",
    "Shike": "shike.app",
    "ShikeError": "shike.errors",
    "Snooze": "shike.worker.outcome",
    "State": "shike.model",
    "Task": "shike.call",
    "all_of": "shike.trigger",
    "any_of": "shike.trigger",
    "calendar": "shike.trigger",
    "cron": "shike.trigger",
    "current": "shike.worker.context",
    "currents": "shike.worker.context",
    "during": "shike.trigger",
    "every": "shike.trigger",
    "except_for": "shike.trigger",
    "once": "shike.trigger",
    "step": "shike.worker.steps",
    "traced": "shike.worker.steps",
}

__all__ = [
    "DST",
    "Backoff",
    "Call",
    "Cancel",
    "Concurrency",
    "Context",
    "Cooldown",
    "Debounce",
    "Executor",
    "FairShare",
    "Growth",
    "Handle",
    "Key",
    "Misfire",
    "OnUnknown",
    "Outcome",
    "Overlap",
    "Rate",
    "Reserved",
    "Retry",
    "Roles",
    "Route",
    "Shike",
    "ShikeError",
    "Snooze",
    "State",
    "Task",
    "__version__",
    "all_of",
    "any_of",
    "calendar",
    "cron",
    "current",
    "currents",
    "during",
    "every",
    "except_for",
    "once",
    "step",
    "traced",
]


if not TYPE_CHECKING:  # a type checker shall refuse names that are not there

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module 'shike' has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
