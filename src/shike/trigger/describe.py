"""Triggers in plain words: takes a trigger apart and lets one language put it together again."""

from __future__ import annotations

from typing import Protocol

from shike.clock import to_datetime
from shike.errors import BadInput
from shike.trigger.base import Lang, Trigger
from shike.trigger.calendar import Calendar
from shike.trigger.combine import AllOf, AnyOf, During, Except
from shike.trigger.cron import DST, Cron
from shike.trigger.cron_facts import Facts, facts_of
from shike.trigger.duration import UNITS
from shike.trigger.every import Every
from shike.trigger.once import Disabled, Once
from shike.trigger.words_en import English
from shike.trigger.words_zh import Chinese

Length = list[tuple[int, str]]


class Words(Protocol):
    """One language. Lengths are (number, unit) pairs, days and hours are runs."""

    def once(self, instant: str) -> str: ...
    def never(self) -> str: ...
    def every(self, length: Length, delay: bool, initial: Length) -> str: ...
    def cron(self, facts: Facts, tz: str) -> str: ...
    def any_of(self, parts: list[str]) -> str: ...
    def all_of(self, parts: list[str]) -> str: ...
    def minus(self, base: str, minus: str) -> str: ...
    def during(self, base: str, calendars: list[Calendar]) -> str: ...


_WORDS: dict[str, Words] = {"en": English(), "zh": Chinese()}


def describe(trigger: Trigger, lang: Lang = "en") -> str:
    """The trigger in plain words. Raises BadInput for a language that is not there."""
    words = _WORDS.get(lang)
    if words is None:
        raise BadInput(f"no language {lang!r}; there are {', '.join(_WORDS)}")
    return _say(trigger, words)


def _say(trigger: Trigger, words: Words) -> str:
    match trigger:
        case Once(at=at):
            instant = to_datetime(at)
            return words.once(instant.isoformat(" ", "seconds" if not at % 1_000_000 else "auto")[:-6] + " UTC")
        case Disabled():
            return words.never()
        case Every():
            initial = _length(trigger.initial_delay_micros)
            return words.every(_length(trigger.interval_micros), trigger.delay, initial)
        case Cron():
            tz = "UTC" if trigger.dst is DST.UTC else trigger.tz
            return words.cron(facts_of(trigger.parsed), tz)
        case AnyOf(triggers=parts):
            return words.any_of([_say(part, words) for part in parts])
        case AllOf(triggers=parts):
            return words.all_of([_say(part, words) for part in parts])
        case Except(trigger=base, minus=minus):
            return words.minus(_say(base, words), _say(minus, words))
        case During(trigger=base, calendars=calendars):
            return words.during(_say(base, words), list(calendars))
    return type(trigger).__name__


def _length(micros: int) -> Length:
    parts, rest = [], micros
    for unit in ("d", "h", "m", "s", "ms", "us"):
        number, rest = divmod(rest, UNITS[unit])
        if number:
            parts.append((number, unit))
    return parts
