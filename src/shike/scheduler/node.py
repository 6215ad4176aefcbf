"""A node: the background roles of scheduling, put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from shike.bounds import LEASE_SECONDS
from shike.limit.gates import is_limit_gate
from shike.model import Load
from shike.runtime import Role, Runtime
from shike.scheduler.archivist import Archivist
from shike.scheduler.buckets import Buckets
from shike.scheduler.decider import Decider
from shike.scheduler.duty import Duty, Post
from shike.scheduler.forecast import Forecast
from shike.scheduler.gatekeeper import Gatekeeper
from shike.scheduler.janitor import Janitor, retention
from shike.scheduler.lateness import Lateness
from shike.scheduler.limiter import Limiter
from shike.scheduler.marshal import Marshal
from shike.scheduler.planner import Planner
from shike.scheduler.preset import CLASSIC, Preset
from shike.scheduler.rescue import Rescuer
from shike.scheduler.resumer import Resumer
from shike.scheduler.router import Router
from shike.scheduler.scanner import Scanner
from shike.scheduler.waker import Waker
from shike.session import Member
from shike.store.archiving import Archiving
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
        preset: Preset = CLASSIC,
        forecast: Forecast | None = None,
        waker: Waker | None = None,
        duties: Sequence[Duty] = (),
    ) -> None:
        clock = runtime.clock
        lateness = Lateness(clock)
        member.loads.append(lambda: msgspec.json.encode(Load(late_ms=lateness.told())))
        self.turned_over: Callable[[], None] = lambda: None  # told that its buckets are others
        self._lateness = lateness
        self._runtime = runtime
        self._roles: list[Role] = []
        self.buckets = Buckets(store, member, clock, self._buckets_changed)
        self.gatekeeper = Gatekeeper(store, self.buckets)
        self.limiter = Limiter(store, self.buckets, member.store_now)
        self.planner = Planner(store, member, self.buckets, lateness)
        self.scanner = Scanner(
            store, member, self.buckets, clock, self._gate_due, lateness, preset, waker, self._concerns
        )
        self.decider = Decider(store, member, clock, self.buckets, preset.buckets_min, forecast)
        self.rescuer = Rescuer(store, member, clock, lease_seconds)
        self.router = Router(store, member, clock, self.buckets, runtime.entropy.random)
        self.marshal = Marshal(store, member, self.buckets)
        self.resumer = Resumer(store, self.buckets)
        self.janitor = Janitor(store, keep or retention(lease_seconds=lease_seconds), runtime.entropy.random)
        self._waker = waker
        self._duties = duties
        self._post = Post(store, clock, runtime.entropy.random, lambda: self.buckets.holder_of(0) is not None)
        self._archivist = Archivist(store, self.buckets) if isinstance(store, Archiving) and store.archives else None
        self._unlisten = store.listen(self._hinted)

    @property
    def late_seconds(self) -> float:
        """How late the latest of its buckets was read or planned, in the last few seconds."""
        return max(self._lateness.told().values(), default=0) / 1_000

    async def start(self) -> None:
        """Start all roles. The member must have joined."""
        for name, role in {
            "buckets": self.buckets.run,
            "planner": self.planner.run,
            "scanner": self.scanner.run,
            "gatekeeper": self.gatekeeper.run,
            "limiter": self.limiter.run,
            "rescuer": self.rescuer.run,
            "router": self.router.run,
            "marshal": self.marshal.run,
            "resumer": self.resumer.run,
            "janitor": self.janitor.run,
            "decider": self.decider.run,
        }.items():
            self._roles.append(self._runtime.start(role, name))
        if self._archivist is not None:
            self._roles.append(self._runtime.start(self._archivist.run, "archivist"))
        if (waker := self._waker) is not None:
            self._roles.append(self._runtime.start(lambda: waker.run(self.scanner.woken), "waker"))
        for duty in self._duties:
            self._roles.append(self._runtime.start(partial(duty.run, self._post), duty.name))

    async def stop(self) -> None:
        """Stop all roles, then give the buckets to the other nodes. What is half decided is decided again by them."""
        self._unlisten()
        for role in self._roles:
            await role.stop()
        self._roles.clear()
        await self.buckets.hand_over()

    def _gate_due(self, gate: str) -> None:
        (self.limiter if is_limit_gate(gate) else self.gatekeeper).due(gate)

    def _concerns(self, gate: str) -> bool:
        return not is_limit_gate(gate) or self.limiter.concerns_gate(gate)

    def _buckets_changed(self) -> None:
        self.turned_over()
        self._lateness.keep(set(self.buckets.owned))
        self.planner.turn_over()
        self.scanner.turn_over()
        self.limiter.turn_over()
        self.marshal.turn_over()
        self.resumer.turn_over()

    def _hinted(self, hint: Hint) -> None:
        self.scanner.hinted(hint)
        self.gatekeeper.hinted(hint)
        self.limiter.hinted(hint)
        self.planner.hinted(hint)
        self.buckets.hinted(hint)
        self.rescuer.hinted(hint)
        self.router.hinted(hint)
        self.marshal.hinted(hint)
        self.resumer.hinted(hint)
