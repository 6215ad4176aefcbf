"""Whether a process lives, without waiting for its lease: it holds a lock on a file, and the kernel lets go for it.

Proved is what happens on one machine, to processes of one user that see the same folder. Beside a file that is the
store, that is everybody; where the store is a server, leases decide about the others.

`flock` belongs to the open file, so it ends with the process however that ends, also by SIGKILL or a power cut. A
forked child inherits the open file; it closes it at once, so that a child cannot keep its dead parent's session alive.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from shike.errors import NotFound
from shike.ids.forks import FORKS
from shike.model import Session
from shike.store.verbs import Freed, NewSession

T = TypeVar("T")

_SAFE = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Liveness:
    """The lock files of one store, `<identity>.lock` in a folder. None: nothing can be proved."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}
        FORKS.in_child(self._let_go)

    # ---------------------------------------------------------------- around the verbs of a store

    async def opening(self, new: NewSession, write: Callable[[], Awaitable[Session]]) -> Session:
        """`Store.open_session`, which `write` does: held before anybody can see the session. A process without a pid is
        elsewhere (a worker behind the server): that this one lives proves nothing of it."""
        if not new.lease_seconds or not new.pid:
            return await write()
        self.hold(new.identity)
        try:
            return await write()
        except BaseException:  # it will be tried under another identity, perhaps for hours
            self.drop(new.identity)
            raise

    async def closing(self, session: str, seen_beat: int | None, write: Callable[[], Awaitable[bool]]) -> bool:
        """`Store.close_session`, which `write` does."""
        try:
            closed = await write()
        except NotFound:  # closed long ago, and forgotten
            self.drop(session)
            raise
        if seen_beat is None:
            self.drop(session)
        return closed

    async def freeing(self, session: str, write: Callable[[], Awaitable[Freed]]) -> Freed:
        """`Store.free`, which `write` does: what a dead process left behind is removed once nothing is left to free."""
        freed = await write()
        if not freed.left and self.is_gone(session):
            self._path(session).unlink(missing_ok=True)
        return freed

    # ---------------------------------------------------------------- what is proved

    def hold(self, identity: str) -> None:
        """Show that this process has the session. Where locks do not work, leases decide alone."""
        if identity in self._held or self._folder is None:
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
        return identity not in self._held and self._look(identity) is False

    def is_held(self, identity: str) -> bool:
        """Whether some process holds the lock: the one that has the session, so it lives, if only asleep."""
        return identity in self._held or self._look(identity) is True

    def _look(self, identity: str) -> bool | None:
        """Whether the lock is held; None: it cannot be told."""
        if self._folder is None:
            return None
        try:
            file = os.open(self._path(identity), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return None
        finally:
            os.close(file)
        return False

    def close(self) -> None:
        """This process leaves the store, or is about to end. Sessions that were not closed are seen to be gone."""
        self._let_go()

    def _let_go(self) -> None:
        held, self._held = self._held, {}
        for file in held.values():
            os.close(file)

    def _path(self, identity: str) -> Path:
        assert self._folder is not None
        name = identity if _SAFE.fullmatch(identity) else hashlib.sha256(identity.encode()).hexdigest()[:32]
        return self._folder / f"{name}.lock"


def of_this_machine(namespace: str) -> Path | None:
    """Where processes of this user and machine prove to each other that they live, whose store is a server. None where
    there is no such folder that nobody else can write to."""
    try:
        own = Path(tempfile.gettempdir()) / f"shike-{os.getuid()}"  # raises where there is no folder for such files
        folder = own / hashlib.sha256(namespace.encode()).hexdigest()[:16]
        own.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        facts = own.lstat()
    except OSError:
        return None
    is_ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and not facts.st_mode & 0o022
    return folder if is_ours else None
