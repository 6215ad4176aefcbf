"""Whether a process lives, without waiting for its lease: it holds a lock on a file, and the kernel lets go for it.

`flock` belongs to the open file, so it ends with the process however that ends, also by SIGKILL or a power cut. A
forked child inherits the open file; it closes it at once, so that a child cannot keep its dead parent's session alive.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from pathlib import Path

from shike.ids.forks import FORKS

_SAFE = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Liveness:
    """The lock files of one store: `<database>-shike/<identity>.lock`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}
        FORKS.in_child(self._let_go)

    def hold(self, identity: str) -> None:
        """Show that this process has the session. Where locks do not work, leases decide alone."""
        if identity in self._held:
            return
        try:
            file = os.open(self._path(identity), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return
        self._held[identity] = file

    def drop(self, identity: str) -> None:
        """The session is closed: nothing is left to prove."""
        file = self._held.pop(identity, None)
        if file is not None:
            self._path(identity).unlink(missing_ok=True)
            os.close(file)

    def is_gone(self, identity: str) -> bool:
        """Whether the lock file is there and nobody holds it. A file that is missing proves nothing: somebody may
        have tidied up."""
        if identity in self._held:
            return False
        try:
            file = os.open(self._path(identity), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(file)
        return True

    def tidy(self, identity: str) -> None:
        """Remove what a dead process left behind, once its session is closed and freed."""
        if self.is_gone(identity):
            self._path(identity).unlink(missing_ok=True)

    def close(self) -> None:
        """This process leaves the store, or is about to end. Sessions that were not closed are seen to be gone."""
        self._let_go()

    def _let_go(self) -> None:
        held, self._held = self._held, {}
        for file in held.values():
            os.close(file)

    def _path(self, identity: str) -> Path:
        name = identity if _SAFE.fullmatch(identity) else hashlib.sha256(identity.encode()).hexdigest()[:32]
        return self._folder / f"{name}.lock"
