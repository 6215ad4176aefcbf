"""Failures of runs in Sentry: an event each, whatever the handler ran on; the SDK loads on use (`shike[sentry]`).

    Sentry(app)        # after sentry_sdk.init(dsn=…); `Sentry(app, dsn=…)` does that, too

What an attempt has kept (error and traceback as text, `shike.worker.failure`) becomes an exception with its frames: a
handler in a child process, a thread or elsewhere is told alike, and nothing but names, lines and the message leaves the
process: no arguments, no local variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from shike.errors import BadSetting
from shike.events import RUN_ENDED, Event
from shike.model import State

if TYPE_CHECKING:
    from shike.app import Shike

FRAMES_MAX: Final = 100  # the innermost: where it broke
_FRAME: Final = re.compile(
    r'^  File "(?P<file>[^"\n]+)", line (?P<line>\d+), in (?P<name>.+)\n(?:    (?P<code>\S.*)\n)?', re.M
)
_ERROR: Final = re.compile(r"(?P<type>[\w.]+)(?:: (?P<value>.*))?", re.DOTALL)


class Sentry:
    """Tells Sentry of each attempt that failed: a warning while the run is tried again, an error when it is dead.

    Those that this process worked on, and no more: declare it where workers are. What the SDK does with events (limits,
    sampling, `before_send`) is its own. `told` counts them.
    """

    def __init__(self, app: Shike, dsn: str = "", *, retried: bool = True, **options: Any) -> None:
        """`retried`: also of attempts after which the run is tried again. Raises `BadSetting` without the SDK."""
        try:
            import sentry_sdk
        except ImportError:
            raise BadSetting("telling Sentry needs one more package: pip install 'shike[sentry]'") from None
        if dsn:
            sentry_sdk.init(dsn=dsn, **options)
        self._sdk = sentry_sdk
        self._app = app
        self._states = {State.DEAD.name, State.FAILED.name} if retried else {State.DEAD.name}
        self.told = 0
        app.on(RUN_ENDED, self._heard)

    async def _heard(self, event: Event) -> None:
        if event.state not in self._states:
            return
        store = await self._app.client.store()
        attempts = await self._app.client.here(store.attempts(int(event.run_id)))
        last = attempts[-1] if attempts else None
        trace, error = (last.traceback, last.error) if last is not None else ("", event.reason)
        number = last.number if last is not None else 0
        self._sdk.capture_event(told(event, error or event.reason, trace, number, self._app.namespace))
        self.told += 1


def told(event: Event, error: str, trace: str, attempt: int, namespace: str) -> Any:
    """The event, as Sentry's SDK takes it."""
    match = _ERROR.match(error)
    name = match["type"] if match else "Failure"
    return {
        "level": "error" if event.state == State.DEAD.name else "warning",
        "logger": "shike",
        "transaction": event.task,
        "tags": {"shike.task": event.task, "shike.state": event.state, "shike.namespace": namespace},
        "contexts": {"shike": {"run": event.run_id, "attempt": attempt, "reason": event.reason}},
        "exception": {
            "values": [
                {
                    "type": name,
                    "value": (match["value"] or "") if match else error,
                    "mechanism": {"type": "shike", "handled": True},
                    **({"stacktrace": {"frames": frames}} if (frames := list(_frames(trace))[-FRAMES_MAX:]) else {}),
                }
            ]
        },
    }


def _frames(trace: str) -> Iterator[dict[str, Any]]:
    """Of the last exception of the chain: what it came of is before it in the text."""
    last = trace.rpartition("Traceback (most recent call last):\n")[2]
    for match in _FRAME.finditer(last):
        frame: dict[str, Any] = {
            "filename": match["file"],
            "abs_path": match["file"],
            "lineno": int(match["line"]),
            "function": match["name"],
            "in_app": "site-packages" not in match["file"],
        }
        if match["code"]:
            frame["context_line"] = match["code"]
        yield frame
