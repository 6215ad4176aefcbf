"""What every system runs: append one 32-byte record to one file. Rates and lateness are read from that file.

The body is the same for everybody and costs about two microseconds, so that what is measured is the system around
it. The file is named by the environment variable `BENCH_LOG` and opened once per process.
"""

from __future__ import annotations

import asyncio
import os
import struct
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

LOG_VARIABLE = "BENCH_LOG"
NAP_SECONDS = 0.01
DOZE_SECONDS = 4.0
START, END = 0, 1

_RECORD = struct.Struct("<QQQII")  # number, UTC nanoseconds, reserved, process, START or END
RECORD_BYTES = _RECORD.size


class Record(NamedTuple):
    """One line of the log: run `number` started or ended `at_ns`."""

    number: int
    at_ns: int
    reserved: int
    pid: int
    event: int


@cache
def _log() -> tuple[int, int]:
    fd = os.open(os.environ[LOG_VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    return fd, os.getpid()


def _note(number: int, event: int) -> None:
    fd, pid = _log()
    os.write(fd, _RECORD.pack(number, time.time_ns(), 0, pid, event))


def mark(number: int) -> None:
    """The body: say that run `number` started, and be done."""
    _note(number, START)


def mark_result(number: int) -> int:
    """As `mark`, with a result worth keeping."""
    _note(number, START)
    return number


def nap(number: int) -> None:
    """A run that takes 10 ms, for the crash: it says when it starts and when it ends."""
    _note(number, START)
    time.sleep(NAP_SECONDS)
    _note(number, END)


async def nap_async(number: int) -> None:
    """`nap` as an async handler."""
    _note(number, START)
    await asyncio.sleep(NAP_SECONDS)
    _note(number, END)


def doze(number: int) -> int:
    """A run long enough to be stopped in; its result says which process ended it."""
    _note(number, START)
    time.sleep(DOZE_SECONDS)
    _note(number, END)
    return os.getpid()


async def doze_async(number: int) -> int:
    """`doze` as an async handler."""
    _note(number, START)
    await asyncio.sleep(DOZE_SECONDS)
    _note(number, END)
    return os.getpid()


def read(log: Path) -> list[Record]:
    """All whole records, in the order in which they were written."""
    data = log.read_bytes() if log.exists() else b""
    return [Record(*fields) for fields in _RECORD.iter_unpack(data[: len(data) // RECORD_BYTES * RECORD_BYTES])]


def count(log: Path) -> int:
    """How many records there are, without reading them."""
    try:
        return os.stat(log).st_size // RECORD_BYTES
    except FileNotFoundError:
        return 0
