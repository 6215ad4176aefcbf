"""Where the stores of the scenarios are: a file, or a private server that a scenario may kill, cut off and start again.

One server of each kind serves all scenarios of a test process, each in a namespace of its own.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Final

from shike.store import opening
from tests import servers

SERVERS: Final[dict[str, Callable[..., servers.Private]]] = {
    "redis": servers.PrivateRedis,
    "postgres": servers.PrivatePostgres,
    "mysql": servers.PrivateMariaDB,
}
TO_COME = frozenset(getattr(opening, "TO_COME", {}).values())  # not served by this version
SERVED: Final = tuple(kind for kind in SERVERS if kind not in TO_COME)
STORES: Final = ("sqlite", *SERVED)
PATIENCE: Final = {  # a call that nobody answers is given up after 3 s, so that a scenario need not wait for 30
    "redis": "timeout_seconds=3",
    "postgres": "call_seconds=3&connect_seconds=2",
    "mysql": "call_seconds=3&connect_seconds=2",
}
START_TRIES = 20

_namespaces = count()


class Ground:
    """A private server, or (`server` is None) files in a folder."""

    def __init__(self, kind: str, folder: Path, *options: str, **places: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.server = SERVERS[kind](folder, *options, **places) if kind in SERVERS else None

    def url(self, folder: Path, port: int = 0) -> str:
        """The store of one scenario, by the way of a proxy at `port`, if one is given."""
        if self.server is None:
            return f"sqlite:///{folder / 'shike.db'}"
        where = self.server.url.replace(f":{self.server.port}/", f":{port or self.server.port}/")
        return f"{where}?{PATIENCE[self.kind]}"

    def restart(self, down_seconds: float) -> None:
        """Killed, away for a while, and back."""
        assert self.server is not None
        self.server.kill()
        time.sleep(down_seconds)
        self.start()

    def start(self) -> None:
        """The old one's last children may still hold what the new one needs: tried until it comes up."""
        assert self.server is not None
        for attempt in range(START_TRIES):
            try:
                self.server.start()
                break
            except RuntimeError:
                if attempt == START_TRIES - 1:
                    raise
                time.sleep(0.2)

    def close(self) -> None:
        if self.server is not None:
            self.server.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def new_ground(kind: str, *options: str) -> Ground:
    """One that a scenario has to itself; its server is not started yet."""
    return Ground(kind, Path(tempfile.mkdtemp(prefix=f"shike-{kind}-")), *options)


@lru_cache
def ground_of(kind: str) -> Ground:
    """The one that all scenarios of this process share; started."""
    ground = new_ground(kind)
    atexit.register(ground.close)
    if ground.server is not None:
        ground.start()
    return ground


def new_namespace() -> str:
    return f"river{os.getpid()}x{next(_namespaces)}"
