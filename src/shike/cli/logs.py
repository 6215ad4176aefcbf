"""Log lines on stderr: for people, or one JSON object each."""

from __future__ import annotations

import logging
import sys

import msgspec

from shike.cli.output import plain
from shike.clock import MICROS, to_datetime

RUN_FACTS = ("run_id", "attempt", "task")  # of the handler that logs: `shike.worker.lines`


class Lines(logging.Handler):
    """Writes to whatever `sys.stderr` is at the moment, so that a live screen can make room for them."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(self._words(record), file=sys.stderr, flush=True)
        except Exception:
            self.handleError(record)

    def _words(self, record: logging.LogRecord) -> str:
        at = to_datetime(int(record.created * MICROS))
        if self._as_json:
            line: dict[str, object] = {"at": at, "level": record.levelname.lower(), "logger": record.name}
            line["message"] = record.getMessage()
            line |= {name: getattr(record, f"shike_{name}") for name in RUN_FACTS if hasattr(record, f"shike_{name}")}
            if record.exc_info:
                line["error"] = logging.Formatter().formatException(record.exc_info)
            return msgspec.json.encode(line).decode()
        clock = at.astimezone().strftime("%H:%M:%S")
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        text = f"{clock} {level}{record.getMessage()}"
        return plain(f"{text}\n{logging.Formatter().formatException(record.exc_info)}" if record.exc_info else text)


def start_logging(level: str, *, as_json: bool = False) -> None:
    """Send the log to stderr. What the app itself configured stays as it is."""
    root = logging.getLogger()
    logging.getLogger("shike").setLevel(level.upper())
    if not root.handlers:
        root.addHandler(Lines(as_json=as_json))
        root.setLevel(logging.WARNING)
