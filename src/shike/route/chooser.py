"""From a snapshot and one run after the other to decisions: fitness first, then affinity, then the run's strategy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from shike.model import OnGone, Route
from shike.route.bounds import AFFINE_KEYS_MAX
from shike.route.fitness import Field, Given, preferred, rule_of, unfit
from shike.route.nouns import Ask, Candidate, Decision, Snapshot
from shike.route.registry import make
from shike.route.strategy import Strategy

NOBODY = Snapshot(id="", at=0, workers=())


class Chooser:
    """Decides for one snapshot at a time. Strategies, and who had the last run of a key, outlive it."""

    def __init__(self, draw: Callable[[], float], strategies: Mapping[str, Any] | None = None) -> None:
        self._draw = draw
        self._strategies: dict[str, Strategy] = {}
        self._memories = dict(strategies or {})
        self._affine: dict[str, int] = {}  # key → number of the worker that had its last run; a queue of use
        self._snapshot = NOBODY
        self._given = Given(())
        self._fields: dict[object, Field] = {}
        self.crowded = False  # whether a run was left since the last look for want of room alone

    def look(self, snapshot: Snapshot) -> None:
        """From here on decide by this one."""
        self._snapshot = snapshot
        self._given = Given(snapshot.workers)
        self._fields = {}
        self.crowded = False

    def decide(self, ask: Ask, *, besides: str = "", moved: int = 0) -> Decision | None:
        """Who gets this run; None: nobody may have it now, or nobody has room. `besides`: a session that may not, as
        the run is being moved away from it. Raises `UnknownRoute`."""
        route = self.present(ask.route)
        if route is not ask.route:
            ask = replace(ask, route=route)
        field = self._field(ask, besides)
        if not len(field):
            return None
        if route.affinity and (known := self._as_before(route, field)) is not None:
            rule = f"as before for {route.affinity}"
            return self._decided(ask, field, known, (), ((known, 1.0),), rule, moved, besides)
        strategy = self.strategy(route.by)
        without: tuple[int, ...] = ()
        if strategy.by_load:
            field, without = self._roomy(field) if self._given.full else (field, ())
            if not len(field):
                self.crowded = True
                return None
        choice = strategy.choose(ask, field)
        rule = rule_of(route)
        return self._decided(ask, field, choice.place, choice.view, choice.best, rule, moved, besides, without)

    def anew(self, ask: Ask, source: str, moved: int) -> Decision | None:
        """Where a part of divided work goes that stands in the lane of `source`, now that workers came or went; None:
        it stays, or its strategy divides nothing. Raises `UnknownRoute`."""
        strategy = self.strategy(ask.route.by)
        if not strategy.divides:
            return None
        field = self._field(ask, "")
        if not len(field):
            return None
        choice = strategy.choose(ask, field)
        if field.workers[choice.place].session == source:
            return None
        rule = f"divided anew among {len(field)}"
        return self._decided(ask, field, choice.place, choice.view, choice.best, rule, moved, source)

    def present(self, route: Route) -> Route:
        """The route as it is meant now: of a run whose own worker is gone, without that worker."""
        return present(self._snapshot, route)

    def strategy(self, name: str) -> Strategy:
        """The one of that name, with what it remembers."""
        found = self._strategies.get(name)
        if found is None:
            found = self._strategies[name] = make(name, self._draw)
            if name in self._memories:
                found.recall(self._memories[name])
        return found

    def memories(self) -> dict[str, Any]:
        """What strategies have to know after a restart, by name."""
        told = {name: strategy.memory() for name, strategy in self._strategies.items()}
        return self._memories | {name: memory for name, memory in told.items() if memory is not None}

    def _field(self, ask: Ask, besides: str) -> Field:
        route = ask.route
        kind = route.required, route.preferred, route.anti, route.slots, route.session, ask.task, ask.queue, besides
        field = self._fields.get(kind)
        if field is None:
            fit = candidates(self._snapshot, route, ask.task, ask.queue)
            fit = [worker for worker in fit if worker.session != besides]
            field = self._fields[kind] = Field(fit, self._given)
        return field

    def _roomy(self, field: Field) -> tuple[Field, tuple[int, ...]]:
        """Of a field, those that have room, and the numbers of the others. Who is full stays so until the next
        snapshot, so their count says which they are."""
        full = self._given.full
        found = field.cache.get(len(full))
        if found is None:
            some = Field([worker for worker in field.workers if worker.number not in full], self._given)
            found = some, tuple([number for number in field.numbers if number in full])
            field.cache[len(full)] = found
        return found

    def _as_before(self, route: Route, field: Field) -> int | None:
        number = self._affine.get(route.affinity)
        return None if number is None else field.place_of.get(number)

    def _decided(
        self,
        ask: Ask,
        field: Field,
        place: int,
        view: Any,
        best: tuple[tuple[int, float], ...],
        rule: str,
        moved: int,
        source: str,
        without: tuple[int, ...] = (),
    ) -> Decision:
        worker, route = field.workers[place], ask.route
        self._given.note(worker.number, route.slots)
        if route.affinity:
            self._affine.pop(route.affinity, None)
            self._affine[route.affinity] = worker.number
            if len(self._affine) > AFFINE_KEYS_MAX:
                del self._affine[next(iter(self._affine))]
        return Decision(
            by=route.by,
            to=worker.session,
            worker=worker.name,
            rule=rule,
            best=tuple([(field.workers[one].session, score) for one, score in best]),
            snapshot=self._snapshot.id,
            view=view,
            without=without,
            moved=moved,
            source=source,
        )


def candidates(snapshot: Snapshot, route: Route, task: str, queue: str) -> list[Candidate]:
    """Who may have such a run, in order."""
    route = present(snapshot, route)
    return preferred([worker for worker in snapshot.workers if not unfit(worker, route, task, queue)], route)


def is_gone(snapshot: Snapshot, route: Route) -> bool:
    """Whether a run is meant for one worker, and that one's session is over: sessions never come back."""
    return bool(route.session) and all(worker.session != route.session for worker in snapshot.workers)


def present(snapshot: Snapshot, route: Route) -> Route:
    """A route without the worker that it was meant for, where that is gone and another may do the work."""
    if route.on_gone is OnGone.FAILOVER and is_gone(snapshot, route):
        return replace(route, session="")
    return route
