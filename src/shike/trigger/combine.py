"""Triggers made of triggers, and the union of all kinds: sets of moments, joined, met, subtracted, filtered."""

from __future__ import annotations

from functools import lru_cache
from typing import Self

import msgspec

from shike.bounds import SEARCH_CANDIDATES, TRIGGER_DEPTH_MAX, TRIGGER_PARTS_MAX
from shike.errors import TriggerError
from shike.trigger.base import Trigger
from shike.trigger.calendar import Calendar
from shike.trigger.cron import Cron
from shike.trigger.every import Every
from shike.trigger.once import Disabled, Once


class AnyOf(Trigger, frozen=True):
    """The moments of any part; one that several parts name counts once."""

    triggers: tuple[AnyTrigger, ...]

    def __post_init__(self) -> None:
        _check(self.triggers)

    def next(self, after: int | None, ended: int | None = None) -> int | None:
        return min((moment for part in self.triggers if (moment := part.next(after)) is not None), default=None)

    def prev(self, before: int) -> int | None:
        return max((moment for part in self.triggers if (moment := part.prev(before)) is not None), default=None)

    def bound(self, anchor: int, seed: str) -> Self:
        return msgspec.structs.replace(self, triggers=tuple(part.bound(anchor, seed) for part in self.triggers))


class AllOf(Trigger, frozen=True):
    """The moments that all parts share.

    `next` and `prev` raise TriggerError where parts that both go on seem never to meet.
    """

    triggers: tuple[AnyTrigger, ...]

    def __post_init__(self) -> None:
        _check(self.triggers)

    def next(self, after: int | None, ended: int | None = None) -> int | None:
        moment = self.triggers[0].next(after)
        for _ in range(SEARCH_CANDIDATES):
            if moment is None:
                return None
            latest = moment
            for part in self.triggers:
                later = part.next(latest - 1)
                if later is None:
                    return None
                latest = later
            if latest == moment:
                return moment
            moment = latest
        raise _never_meet(self)

    def prev(self, before: int) -> int | None:
        moment = self.triggers[0].prev(before)
        for _ in range(SEARCH_CANDIDATES):
            if moment is None:
                return None
            earliest = moment
            for part in self.triggers:
                earlier = part.prev(earliest + 1)
                if earlier is None:
                    return None
                earliest = earlier
            if earliest == moment:
                return moment
            moment = earliest
        raise _never_meet(self)

    def bound(self, anchor: int, seed: str) -> Self:
        return msgspec.structs.replace(self, triggers=tuple(part.bound(anchor, seed) for part in self.triggers))


class Except(Trigger, frozen=True):
    """The moments of `trigger` that are not moments of `minus`.

    `next` and `prev` raise TriggerError where nothing seems ever to be left.
    """

    trigger: AnyTrigger
    minus: AnyTrigger

    def __post_init__(self) -> None:
        _check((self.trigger, self.minus))

    def next(self, after: int | None, ended: int | None = None) -> int | None:
        moment = self.trigger.next(after)
        for _ in range(SEARCH_CANDIDATES):
            if moment is None or not self.minus.matches(moment):
                return moment
            moment = self.trigger.next(moment)
        raise _never_meet(self)

    def prev(self, before: int) -> int | None:
        moment = self.trigger.prev(before)
        for _ in range(SEARCH_CANDIDATES):
            if moment is None or not self.minus.matches(moment):
                return moment
            moment = self.trigger.prev(moment)
        raise _never_meet(self)

    def bound(self, anchor: int, seed: str) -> Self:
        trigger, minus = self.trigger.bound(anchor, seed), self.minus.bound(anchor, seed)
        return msgspec.structs.replace(self, trigger=trigger, minus=minus)


class During(Trigger, frozen=True):
    """The moments of `trigger` at which every calendar is open.

    A fixed delay that would end while one is closed waits for the opening. `next` and `prev` raise TriggerError where
    the trigger and its calendars seem never to meet.
    """

    trigger: AnyTrigger
    calendars: tuple[Calendar, ...]

    def __post_init__(self) -> None:
        _check((self.trigger,), after_end=True)
        for calendar in self.calendars:
            if not isinstance(calendar, Calendar):
                raise TriggerError(f"{calendar!r:.60} is no calendar; write calendar(keep=[…], exclude=[…])")
        if len(self.calendars) > TRIGGER_PARTS_MAX:
            raise TriggerError(f"a trigger takes at most {TRIGGER_PARTS_MAX} calendars")

    @property
    def after_end(self) -> bool:
        return self.trigger.after_end

    def next(self, after: int | None, ended: int | None = None) -> int | None:
        moment = self.trigger.next(after, ended)
        for _ in range(SEARCH_CANDIDATES):
            if moment is None:
                return None
            opening = self._opening(moment)
            if opening == moment or opening is None or self.after_end:
                return opening
            moment = self.trigger.next(opening - 1)
        raise _never_meet(self)

    def prev(self, before: int) -> int | None:
        moment = self.trigger.prev(before)
        for _ in range(SEARCH_CANDIDATES):
            if moment is None:
                return None
            latest: int | None = moment
            for calendar in self.calendars:
                latest = None if latest is None else calendar.prev_open(latest)
            if latest == moment or latest is None:
                return latest
            moment = self.trigger.prev(latest + 1)
        raise _never_meet(self)

    def bound(self, anchor: int, seed: str) -> Self:
        return msgspec.structs.replace(self, trigger=self.trigger.bound(anchor, seed))

    def _opening(self, moment: int) -> int | None:
        """The first instant from `moment` on at which every calendar is open."""
        opening: int | None = moment
        for _ in range(SEARCH_CANDIDATES):
            before = opening
            for calendar in self.calendars:
                opening = None if opening is None else calendar.next_open(opening)
            if opening == before:
                return opening
        raise _never_meet(self)


AnyTrigger = Once | Disabled | Every | Cron | AnyOf | AllOf | Except | During


def any_of(*triggers: AnyTrigger) -> AnyOf:
    """Due whenever one of them is. Raises TriggerError for none, or for a fixed delay among them."""
    return AnyOf(triggers)


def all_of(*triggers: AnyTrigger) -> AllOf:
    """Due when all of them are due at the same instant. Raises TriggerError as `any_of`."""
    return AllOf(triggers)


def except_for(trigger: AnyTrigger, minus: AnyTrigger) -> Except:
    """The first without the moments of the second. Raises TriggerError as `any_of`."""
    return Except(trigger, minus)


def during(trigger: AnyTrigger, *calendars: Calendar) -> During:
    """The trigger, only while all calendars are open."""
    return During(trigger, calendars)


def encode(trigger: AnyTrigger) -> bytes:
    """The trigger as JSON, as a schedule row stores it."""
    return msgspec.json.encode(trigger)


@lru_cache(maxsize=4096)
def decode(data: bytes) -> AnyTrigger:
    """The trigger that `encode` wrote. Raises TriggerError for anything else."""
    try:
        return _decoder().decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise TriggerError(f"this is no stored trigger: {error}") from error


@lru_cache(maxsize=1)
def _decoder() -> msgspec.json.Decoder[AnyTrigger]:
    return msgspec.json.Decoder(AnyTrigger)


def _check(parts: tuple[Trigger, ...], *, after_end: bool = False) -> None:
    if not 1 <= len(parts) <= TRIGGER_PARTS_MAX:
        raise TriggerError(f"a combination has 1 to {TRIGGER_PARTS_MAX} triggers, not {len(parts)}")
    for part in parts:
        if not isinstance(part, Trigger):
            raise TriggerError(f"{part!r:.60} is no trigger; write cron(…), every(…) or once(…)")
    if not after_end and any(part.after_end for part in parts):
        raise TriggerError("a fixed delay cannot be combined: its moments are not known ahead; use a fixed rate")
    if max(map(_depth, parts)) >= TRIGGER_DEPTH_MAX:
        raise TriggerError(f"combinations are nested deeper than {TRIGGER_DEPTH_MAX}")


def _depth(trigger: Trigger) -> int:
    match trigger:
        case AnyOf(triggers=parts) | AllOf(triggers=parts):
            return 1 + max(map(_depth, parts))
        case Except(trigger=base, minus=minus):
            return 1 + max(_depth(base), _depth(minus))
        case During(trigger=base):
            return 1 + _depth(base)
        case _:
            return 0


def _never_meet(trigger: Trigger) -> TriggerError:
    kind = type(trigger).__name__
    return TriggerError(f"{kind}: no moment among {SEARCH_CANDIDATES:,} candidates; its parts seem never to meet")
