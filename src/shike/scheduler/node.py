"""A node: the background roles of scheduling, put together."""

from __future__ import annotations

from shike.bounds import LEASE_SECONDS
from shike.runtime import Role, Runtime
from shike.scheduler.buckets import Buckets
from shike.scheduler.gatekeeper import Gatekeeper
from shike.scheduler.janitor import Janitor, retention
from shike.scheduler.planner import Planner
from shike.scheduler.rescue import Rescuer
from shike.scheduler.scanner import Scanner
from shike.session import Member
from shike.store.base import Store
from shike.store.hints import Hint
from shike.store.verbs import Retention


class Node:
    """Any number of nodes on one store make one timetable: they share buckets, and safety needs no leader."""

    def __init__(
        self,
        store: Store,
        runtime: Runtime,
        member: Member,
        *,
        lease_seconds: float = LEASE_SECONDS,
        keep: Retention | None = None,
    ) -> None:
        clock = runtime.clock
        self._runtime = runtime
        self._roles: list[Role] = []
        self.buckets = Buckets(store, member, self._buckets_changed)
        self.gatekeeper = Gatekeeper(store, self.buckets)
        self.planner = Planner(store, member, self.buckets)
        self.scanner = Scanner(store, member, self.buckets, clock, self.gatekeeper.due)
        self.rescuer = Rescuer(store, member, clock, lease_seconds)
        self.janitor = Janitor(store, keep or retention(lease_seconds=lease_seconds), runtime.entropy.random)
        self._unlisten = store.listen(self._hinted)

    async def start(self) -> None:
        """Start all roles. The member must have joined."""
        for name, role in {
            "buckets": self.buckets.run,
            "planner": self.planner.run,
            "scanner": self.scanner.run,
            "gatekeeper": self.gatekeeper.run,
            "rescuer": self.rescuer.run,
            "janitor": self.janitor.run,
        }.items():
            self._roles.append(self._runtime.start(role, name))

    async def stop(self) -> None:
        """Stop all roles. What is half decided is decided again by whoever takes the buckets."""
        self._unlisten()
        for role in self._roles:
            await role.stop()
        self._roles.clear()

    def _buckets_changed(self) -> None:
        self.planner.look()
        self.scanner.start_over()

    def _hinted(self, hint: Hint) -> None:
        self.scanner.hinted(hint)
        self.gatekeeper.hinted(hint)
        self.planner.hinted(hint)
        self.rescuer.hinted(hint)
