"""The way from a process to what lies outside of it and is no store of Shike's: journal, orders, people, gateway.

As with the store, each leg may fail by itself: who was told "no answer" does not know whether the words were heard, and
the last words of a killed process may still arrive.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from shike.errors import StoreUnavailable
from tests.sim.faults import Weather
from tests.sim.loop import Process, SimLoop

TIMEOUT_SECONDS = 3.0
LEG_SECONDS = 0.01  # there, and back
SLOW_SECONDS = 2.5  # what is slow takes up to so long to arrive


class Wire:
    """Each method of `outside`, which must not really wait for anything, through the weather."""

    def __init__(self, outside: Any, loop: SimLoop, home: Process, weather: Weather, dice: Random) -> None:
        self._outside, self._loop, self._home, self._weather, self._dice = outside, loop, home, weather, dice

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name.startswith("_"):
            raise AttributeError(name)
        method = getattr(self._outside, name)

        def called(*args: Any, **named: Any) -> Awaitable[Any]:
            return self._send(name, lambda: _done(method(*args, **named)))

        self.__dict__[name] = called
        return called

    def _send(self, name: str, deed: Callable[[], tuple[Any, bool]]) -> Awaitable[Any]:
        loop, weather, dice = self._loop, self._weather, self._dice
        answer = loop.create_future()
        there = LEG_SECONDS * dice.random()
        if weather.strikes(dice, weather.refused, "refused words"):
            loop.call_later(there, _fail, answer, f"{name}: nobody was there")
            return answer
        if weather.strikes(dice, weather.slow_call, "slow words"):
            there += SLOW_SECONDS * dice.random()
        is_lost = weather.strikes(dice, weather.lost_answer, "lost words")
        if is_lost:
            loop.call_later(TIMEOUT_SECONDS, _fail, answer, f"{name}: no answer in {TIMEOUT_SECONDS} s")

        def arrive() -> None:
            reply, failed = deed()
            if not is_lost:
                loop.call_later(LEG_SECONDS * dice.random(), _tell, answer, reply, failed)

        loop.call_later(there, arrive, context=self._home.context)
        return answer


def _done(work: Any) -> tuple[Any, bool]:
    """Run it to its end in this one step: (answer, False) or (error, True)."""
    try:
        work.send(None)
    except StopIteration as ended:
        return ended.value, False
    except Exception as error:
        return error, True
    raise AssertionError(f"{work!r} waits for something")


def _tell(answer: Any, reply: Any, failed: bool) -> None:
    if not answer.done():
        (answer.set_exception if failed else answer.set_result)(reply)


def _fail(answer: Any, words: str) -> None:
    if not answer.done():
        answer.set_exception(StoreUnavailable(words))
