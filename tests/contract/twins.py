"""Several stores that are told the same words under one clock and must give the same answers."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from shike.clock import ManualClock
from shike.errors import ShikeError
from shike.store.base import Counts, RunFilter, Store
from shike.store.memory import MemoryStore
from shike.store.sqlite.database import TOKENS_PER_OPENING
from shike.store.verbs import Batch, NewSession, Retention
from tests.contract.stores import BESIDE, STORES

FOR_EVER = 1 << 60
SKIPPED_TOKENS = {"sqlite": TOKENS_PER_OPENING}  # by a store that was just made; the others begin at 1


class Twins:
    """Passes each verb to every store and compares what they say."""

    def __init__(self, kinds: Sequence[str], *, virtual_buckets: int) -> None:
        self.clock = ManualClock()
        self.dead: set[str] = set()  # sessions whose process is known to be dead
        self._loop = asyncio.new_event_loop()
        self._folder = tempfile.TemporaryDirectory(prefix="shike-twins-")
        self.kinds = kinds
        self.last = virtual_buckets - 1
        self.stores: list[Store] = []
        try:
            self._open()
        except BaseException:  # a server that is not there skips the test
            self.close()
            raise

    def _open(self) -> None:
        for kind in self.kinds:
            make = (STORES | BESIDE)[kind]
            self.stores.append(make(Path(self._folder.name), self.clock, virtual_buckets=self.last + 1))
        for store in self.stores:
            store.is_alive = lambda session: session not in self.dead  # type: ignore[method-assign]
            self._loop.run_until_complete(store.open())
        model = self.stores[0]
        assert isinstance(model, MemoryStore)
        self.tables = model._tables
        self.tables.token = SKIPPED_TOKENS.get(self.kinds[-1], 0)  # only that tokens grow is promised: skip as many

    def close(self) -> None:
        for store in self.stores:
            self._loop.run_until_complete(store.close())
        self._loop.close()
        self._folder.cleanup()

    def ask(self, verb: str, *args: Any, **fields: Any) -> Any:
        """What all stores answer; an error they agree on is an answer too."""
        last_token = self.tables.token
        if verb == "claim" and self.kinds[-1].startswith("redis"):
            self._stride()
        strided = self.tables.token
        answers = [self._ask_one(store, verb, *args, **fields) for store in self.stores]
        if self.tables.token == strided:  # nothing was granted: an instant that was not given may be gone back behind
            self.tables.token = last_token
        for kind, answer in zip(self.kinds[1:], answers[1:], strict=True):
            assert answer == answers[0], f"{verb}: {kind} says {answer}, {self.kinds[0]} says {answers[0]}"
        return answers[0]

    def _stride(self) -> None:
        """A token of Redis is a time in ms, or the next one, and a virtual bucket; here all runs live in the first."""
        count = self.last + 1
        self.tables.token = max(self.tables.token // count + 1, self.clock.wall() // 1000) * count - 1

    def _ask_one(self, store: Store, verb: str, *args: Any, **fields: Any) -> Any:
        try:
            answer = self._loop.run_until_complete(getattr(store, verb)(*args, **fields))
        except ShikeError as error:
            return type(error)
        if isinstance(answer, Batch) and (answer.more or "redis-slices" in self.kinds):
            return replace(answer, next_at=0)  # nobody needs to know it then
        if isinstance(answer, Counts) and "redis-archive" in self.kinds:
            return replace(answer, ended={})  # of what Redis itself still keeps
        return answer

    def join(self, identity: str, lease_seconds: float) -> None:
        words: dict[str, Any] = {"name": "n", "kind": "worker", "host": "h", "pid": 1, "protocol": 1}
        self.ask("open_session", NewSession(identity=identity, lease_seconds=lease_seconds, **words))

    def purge(self, **fields: float) -> None:
        keep: dict[str, Any] = {"success_seconds": 1e9, "dead_seconds": 1e9, "rows_max": 1000} | fields
        self.ask("purge", Retention(**keep))

    def compare(self, run_ids: Sequence[int], gates: Sequence[str], schedules: Sequence[str]) -> None:
        """Read everything there is."""
        for run_id in run_ids:
            self.ask("find", run_id)
            self.ask("attempts", run_id)
        for gate in gates:
            self.ask("holders", gate)
            self.ask("gate_waiters", gate, 1000)
        for name in schedules:
            self.ask("timetable", name, 0, FOR_EVER)
            self.ask("versions", name)
        for verb in ("schedules", "buckets", "counts"):
            self.ask(verb)
        self.ask("sessions")
        self.ask("sessions", all=True)
        self.ask("left_over")
        self.ask("controls", "")
        self.ask("dead", 1000)
        self.ask("runs", RunFilter(limit=1000))
        self.ask("due", 0, self.last, -1, FOR_EVER, 1000)
        self.ask("gated", 0, self.last, -1, FOR_EVER, 1000)
        self.ask("due", 0, self.last, self.tables.now(), FOR_EVER, 3)
        self.ask("gated", 0, self.last, self.tables.now() - 1, FOR_EVER, 3)
        self.ask("to_plan", 0, self.last, FOR_EVER, 1000)

    def assert_conserved(self) -> None:
        """In the model each live run stands in one lane, at one gate or in one lease, and permits are live runs'."""
        tables = self.tables
        lanes = [lane for kind in (tables.lanes, tables.suspects) for _, lane in kind.all()]
        lanes += [gate.waiters for gate in tables.gates.by_key.values()]
        places = [live.run.id for lane in lanes for live in lane.between(-1, FOR_EVER)]
        for session in tables.sessions.values():
            for lease in session.open.values():
                held = tables.open_runs(lease)
                assert 0 < lease.left == len(held)
                places += [live.run.id for live in held]
        assert sorted(places) == sorted(tables.runs)
        assert not tables.runs.keys() & (tables.over.rows.keys() | tables.dead.rows.keys())
        assert all(run_id in tables.runs for gate in tables.gates.by_key.values() for run_id in gate.holders)
