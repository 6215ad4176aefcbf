"""The other half of a lock: the check that the protected thing makes."""

from __future__ import annotations

import threading

from shike.errors import StaleToken


class Fence:
    """Remembers the highest token seen per name and refuses lower ones. Thread-safe; one process, in memory.

    In a database the same check is one more condition, in the statement that writes, so that check and write are one
    step: `update stock set units = units - 1, fence = :token where id = :id and fence <= :token`; no row changed means
    refused.
    """

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}
        self._lock = threading.Lock()

    def admit(self, name: str, token: int) -> None:
        """Let the holder of `token` through. Raises `StaleToken` if a higher one was here before."""
        with self._lock:
            newest = self._newest.get(name, 0)
            if token < newest:
                raise StaleToken(
                    f"token {token} of {name!r} is older than {newest}: its holder lost the lock",
                    name=name,
                    token=token,
                    newest=newest,
                )
            self._newest[name] = token
