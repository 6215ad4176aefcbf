"""A disk of some megabytes that only one scenario sees: a tmpfs in a mount namespace of its own.

A namespace belongs to a thread, and to the threads and processes that it starts: the scenario runs on one, and its disk
is gone with it.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests import bounded, servers

MEGABYTES = 12
CHUNK = b"\0" * 4096
CLONE_NEWNS = 0x00020000
MS_PRIVATE = 1 << 18
MS_REC = 1 << 14


class SmallDisk:
    """What lies in `folder` has to fit into so many megabytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, seconds: float, meanwhile: Callable[[], None] | None = None) -> None:
        """Leave no room, for so long: what others give back meanwhile is taken, too. `meanwhile` is done once."""
        until = time.monotonic() + seconds
        with self._ballast.open("ab", buffering=0) as file:
            while time.monotonic() < until:
                try:
                    while file.write(CHUNK) == len(CHUNK):
                        pass
                except OSError:
                    pass
                if meanwhile is not None:
                    meanwhile()
                    meanwhile = None
                time.sleep(0.02)

    def clear(self) -> None:
        self._ballast.unlink()


def on_a_small_disk(folder: Path, story: Callable[[SmallDisk], None], megabytes: int = MEGABYTES) -> None:
    """Run a scenario that has one. Skips the test, or fails it, where this user may not mount."""
    folder.mkdir()
    ends: list[BaseException] = []
    allowed = []

    def run() -> None:
        if _mounted(folder, megabytes):
            allowed.append(True)
            try:
                story(SmallDisk(folder))
            except BaseException as error:
                ends.append(error)

    thread = threading.Thread(target=run, name="small disk", daemon=True)
    thread.start()
    bounded.joined(thread, seconds=bounded.CROWD_SECONDS)
    if not allowed:
        servers.missing("a mount namespace with a tmpfs of one's own needs more rights than there are")
    for error in ends:
        raise error


def _mounted(folder: Path, megabytes: int) -> bool:
    """Mount it for this thread alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    return (
        libc.unshare(CLONE_NEWNS) == 0
        and libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0
        and libc.mount(b"none", str(folder).encode(), b"tmpfs", 0, b"size=%dm" % megabytes) == 0
    )
