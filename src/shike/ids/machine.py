"""Machine numbers for snowflake ids, and the claim that keeps two processes from using the same."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from shike.errors import BadInput, DuplicateMachine
from shike.ids.forks import FORKS

MACHINE_BITS: Final = 10
MACHINES: Final = 1 << MACHINE_BITS


def check_machine(machine: int) -> None:
    """Raises `BadInput` for a number that does not fit."""
    if not 0 <= machine < MACHINES:
        raise BadInput(f"there is no machine {machine}; choose a number from 0 to {MACHINES - 1}")


class MachineLock:
    """Claims a machine number for this process, on this host, for as long as it lives or until released.

    An advisory lock on a file under `directory`: the kernel lets go of it with the process, however that
    dies. A forked child does not hold it, and does not keep it when the parent dies. It sees one host only:
    give hosts numbers from different ranges, or claim them in a store that they share.
    """

    def __init__(self, directory: str | Path, machine: int) -> None:
        """Raises `DuplicateMachine` when another live process, or another lock in this one, has the number."""
        import fcntl  # POSIX only, and only needed here

        check_machine(machine)
        self.machine = machine
        self.path = Path(directory) / f"machine-{machine}.lock"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file: int | None = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip() or "unknown"
            self.release()
            raise DuplicateMachine(
                f"machine {machine} is in use by process {holder} ({self.path}); choose another number"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)
        FORKS.in_child(self.release)

    @property
    def held(self) -> bool:
        """Whether this process has the number."""
        return self._file is not None

    def release(self) -> None:
        """Let another process have the number. Repeating it does nothing; the file stays."""
        # In a forked child this closes one of two descriptors, which does not unlock the parent's.
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self.release()
