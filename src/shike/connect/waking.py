"""A delay broker wakes the scheduler: the other side of `shike.scheduler.waker`."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from shike.clock import MICROS
from shike.connect.bounds import ASKED_MAX, SENT_AT_ONCE
from shike.connect.delays.base import Delayed, Delays
from shike.connect.delays.opening import open_delays
from shike.errors import BrokerError
from shike.ids import Entropy, SystemEntropy
from shike.outage import Outage

log = logging.getLogger("shike.connect")

MILLI = MICROS // 1_000
AT_CHARS = 20  # of a moment in µs; more are a word of somebody else


class BrokerWaker:
    """Has a broker say when a moment has come, instead of the scheduler's own timer:

        app.run(Roles(waker=BrokerWaker("amqp://guest:guest@localhost/")))

    It promises nothing. A word that is lost is made up for by the node's timer, WAKER_PATIENCE_SECONDS later; one that
    comes early or twice finds nothing due; while the broker is not there, the node goes by its own timer at once, and
    the log says when that began and when it was over. One waker serves one scheduler at a time. Words travel by the
    millisecond, rounded up. Raises `BadBrokerURL` at once for a URL that names no broker.
    """

    def __init__(self, url: str, *, entropy: Entropy | None = None, **named: Any) -> None:
        self._entropy = entropy or SystemEntropy()
        self._named = {"transient": True, **named}
        self._url = url
        self._asked: deque[tuple[int, float]] = deque()  # (moment, when by the loop's time)
        self._some_asked: asyncio.Event | None = None
        self._outage = Outage(log, "waking the scheduler by its broker")
        self.answers = False
        self.woken = 0
        """How many words came."""
        self._delays()

    def _delays(self) -> Delays:
        return open_delays(self._url, f"wake-{self._entropy.token_hex(8)}", **self._named)

    def ask(self, at: int, seconds: float) -> None:
        """See `Waker.ask`. What is asked for while ASKED_MAX others wait to be sent is forgotten."""
        if len(self._asked) < ASKED_MAX:
            self._asked.append((at, asyncio.get_running_loop().time() + seconds))
            if self._some_asked is not None:
                self._some_asked.set()

    async def run(self, woken: Callable[[int], None]) -> None:
        """The role; waits out the broker's outages."""
        while True:
            try:
                async with self._delays() as delays:
                    await self._serve(delays, woken)
            except BrokerError as error:
                pause = self._outage.pause(error)
            finally:
                self.answers = False
                self._asked.clear()
            await asyncio.sleep(pause)

    async def _serve(self, delays: Delays, woken: Callable[[int], None]) -> None:
        async def take(word: Delayed) -> None:
            if word.body.isdigit() and len(word.body) < AT_CHARS:
                self.woken += 1
                woken(int(word.body))

        self._outage.over()
        self.answers = True
        self._some_asked = some = asyncio.Event()
        works = [asyncio.ensure_future(delays.receive(take))]
        works += [asyncio.ensure_future(self._hand_over(delays, some)) for _ in range(SENT_AT_ONCE)]
        try:
            done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
            for work in done:
                work.result()
        finally:
            for work in works:
                work.cancel()
            await asyncio.wait(works)

    async def _hand_over(self, delays: Delays, some: asyncio.Event) -> None:
        """Send what is asked for, one at a time."""
        loop = asyncio.get_running_loop()
        while True:
            while not self._asked:
                some.clear()
                await some.wait()
            at, due = self._asked.popleft()
            at = -(-at // MILLI) * MILLI
            await delays.send(str(at).encode(), max(due - loop.time(), 0.0))
