"""One scenario: a ground, the processes on it, a journal of effects outside of it, and work that goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from shike.errors import StoreError, StoreUnavailable
from shike.model import Ended, Live, Session
from shike.store.base import RunFilter, Store
from tests import bounded
from tests.fault.real.grounds import Ground, new_namespace
from tests.fault.real.river_app import Note, Options, build

ROOT = Path(__file__).parents[3]
PATIENCE = 60.0  # seconds: what heals later than this does not heal (P5)
LOOK_SECONDS = 0.05
LEASE = 1.5
FEW = 10
STREAM_BATCH = 2
STREAM_SECONDS = 0.1


class Site:
    """A store of its own on a ground. `accepted` maps each run that the store took to its number."""

    def __init__(
        self, ground: Ground, folder: Path, *, ticks: bool = True, disk: Path | None = None, port: int = 0
    ) -> None:
        self.ground = ground
        self.folder = folder
        self.disk = disk or folder
        self.namespace = new_namespace()
        self.url = ground.url(self.disk, port)
        self.notes_file = folder / "notes"
        self.log_file = folder / "log"
        self.app = build(self.url, self.namespace, str(self.notes_file), ticks=ticks)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.accepted: dict[int, int] = {}
        self.doubtful = 0  # submits whose answer was never heard
        self.started_at = time.monotonic()
        self._numbers = iter(range(1, 1 << 40))
        self._lock = threading.Lock()

    # ------------------------------------------------------------ processes

    def start(
        self, role: str, *, port: int = 0, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[bytes]:
        """A process of the river; `port`: its way to the server leads through a proxy there."""
        words = msgspec.json.encode(Options(**{"lease": LEASE} | options)).decode()
        url = self.ground.url(self.disk, port)
        command = [sys.executable, "-m", "tests.fault.real.river_app"]
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                [*command, url, self.namespace, str(self.notes_file), role, words],
                cwd=ROOT,
                stderr=log,
                env={**os.environ, **(env or {})},
            )
        self.processes.append(process)
        return process

    def up(self, *processes: subprocess.Popen[bytes]) -> None:
        """Wait until they have joined."""
        for process in processes:
            self.until(lambda process=process: self.session_of(process), "a process did not join")  # type: ignore[misc]

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        bounded.killed(process)

    def struck(self, process: subprocess.Popen[bytes], what: str) -> None:
        """Wait until a process has met its doom."""
        self.until(lambda: process.poll() is not None, f"{what} was never reached")
        assert process.returncode == -signal.SIGKILL, f"{what}: it ended with {process.returncode}: {self.log()}"

    def close(self) -> None:
        for process in self.processes:
            bounded.killed(process)
        bounded.done(self.app.client.close_sync, "closing the store")

    # ------------------------------------------------------------ work

    def submit(self, count: int, *, seconds: float = 0.02, queue: str = "default", delay: float = 0.0) -> list[int]:
        """Runs of `work`, one atomic step; what the store took is written down as accepted."""
        with self._lock:
            numbers = [next(self._numbers) for _ in range(count)]
        task = self.app.find_task("work").options(queue=queue)
        task = task.in_(delay) if delay else task
        handles = self.app.submit_many([task.bind(n=n, seconds=seconds) for n in numbers])
        ids = [int(handle.id) for handle in handles]
        self.accepted.update(zip(ids, numbers, strict=True))
        return ids

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Somebody submits all the time, whatever happens meanwhile."""
        over = threading.Event()

        def submit() -> None:
            while not over.wait(STREAM_SECONDS):
                try:
                    self.submit(STREAM_BATCH)
                except StoreError:
                    self.doubtful += STREAM_BATCH

        thread = threading.Thread(target=submit, name="stream", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            bounded.joined(thread)

    # ------------------------------------------------------------ looking

    def ask(self, question: Callable[[Store], Any]) -> Any:
        """The answer of the store; asked for twice, where the server is busy."""

        async def asked() -> Any:
            return await question(await self.app.client.store())

        try:
            return self.app.client.sync(asked())
        except StoreUnavailable:
            return self.app.client.sync(asked())

    def find(self, run_id: int) -> Live | Ended | None:
        found: Live | Ended | None = self.ask(lambda store: store.find(run_id))
        return found

    def sessions(self) -> list[Session]:
        return list(self.ask(lambda store: store.sessions(all=True)))

    def session_of(self, process: subprocess.Popen[bytes]) -> Session | None:
        """The newest session of a process."""
        own = [one for one in self.sessions() if one.pid == process.pid and one.kind != "client"]
        return own[-1] if own else None

    def notes(self, *kinds: str) -> list[Note]:
        """The journal, in order: of these kinds, or all of it."""
        if not self.notes_file.exists():
            return []
        lines = self.notes_file.read_bytes().splitlines(keepends=True)
        notes = [msgspec.json.decode(line, type=Note) for line in lines if line.endswith(b"\n")]
        return [note for note in notes if not kinds or note.what in kinds]

    def until(self, what: Callable[[], object], why: str, seconds: float = PATIENCE) -> float:
        """Wait for something to become true; how long that took. While the store is away, it is not."""
        start = time.monotonic()
        while True:
            try:
                if what():
                    return time.monotonic() - start
            except StoreError:
                pass
            assert time.monotonic() - start < seconds, f"{why}\n{self.log()}"
            time.sleep(LOOK_SECONDS)

    def until_over(self, run_ids: Sequence[int], why: str = "runs were lost", seconds: float = PATIENCE) -> float:
        """Wait until these runs have ended. Asks for one of those that are left, and for all when it has."""
        left = set(run_ids)

        def all_over() -> bool:
            while left and isinstance(self.find(min(left)), Ended):
                left.discard(min(left))
                if len(left) > FEW:
                    left.difference_update(self.ended())
            return not left

        return self.until(all_over, why, seconds)

    def ended(self) -> dict[int, Ended]:
        """Every run that is over."""
        rows = self.ask(lambda store: store.runs(RunFilter(limit=1_000_000)))
        return {row.run.id: row for row in rows if isinstance(row, Ended)}

    def log(self) -> str:
        return self.log_file.read_text()[-4_000:]
