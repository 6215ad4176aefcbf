"""Granted runs that are on the strike list do not begin: they are put off, or end with the strike's reason.

The list is read when somebody tells of a change, and else again with the first batch after STRIKE_LOOK_SECONDS; a batch
is not held up for it. So a worker that was not told obeys one batch late.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from shike.clock import MICROS, WALL_MIN
from shike.errors import ShikeError, StoreError
from shike.limit.bounds import STRIKE_HOLD_SECONDS, STRIKE_LOOK_SECONDS
from shike.limit.strikes import Deed, Strike, Strikes, arguments_of, listed
from shike.model import Run
from shike.outage import Outage
from shike.runtime import Role, Runtime
from shike.store.base import Store
from shike.store.codec import Codec, Plain
from shike.store.hints import Hint, HintKind
from shike.store.verbs import Ack, Claimed
from shike.track import settle

log = logging.getLogger("shike.worker")

LOOK_MICROS = round(STRIKE_LOOK_SECONDS * MICROS)


class Bouncer:
    """`ended` gets each run that may not begin, with what is to be said of it."""

    def __init__(
        self, store: Store, codec: Codec | None, now: Callable[[], int], ended: Callable[[Claimed, Ack], None]
    ) -> None:
        self._store = store
        self._codec = codec or Plain()
        self._now = now
        self._ended = ended
        self._strikes = Strikes()
        self._read_at = WALL_MIN
        self._wake = asyncio.Event()
        self._outage = Outage(log, "reading the strike list")

    async def begin(self, runtime: Runtime) -> Role:
        """Read the list, before anything is claimed; from then on, whenever it may be another. Raises `StoreError`."""
        self._strikes = Strikes(await listed(self._store))
        self._read_at = self._now()
        return runtime.start(self._run, "strikes")

    async def _run(self) -> None:
        unlisten = self._store.listen(self._hinted)
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                try:
                    self._strikes = Strikes(await listed(self._store))
                    self._outage.over()
                except StoreError as error:  # the last one stands
                    await asyncio.sleep(self._outage.pause(error))
                    self._wake.set()
        finally:
            unlisten()

    def let_in(self, runs: Iterable[Claimed]) -> list[Claimed]:
        """Those that may begin."""
        now = self._now()
        if not 0 <= now - self._read_at < LOOK_MICROS:
            self._read_at = now
            self._wake.set()
        if not self._strikes:
            return list(runs)
        begin = []
        for claimed in runs:
            strike = self._strikes.on(claimed.run, self._arguments(claimed.run), now)
            if strike is None:
                begin.append(claimed)
            else:
                self._ended(claimed, _told(claimed, strike))
        return begin

    def _hinted(self, hint: Hint) -> None:
        if hint.kind is HintKind.QUEUE or hint.kind is HintKind.MISSED:
            self._wake.set()

    def _arguments(self, run: Run) -> dict[str, object]:
        if not self._strikes.need_args or not run.args:
            return {}
        try:
            return arguments_of(self._codec.decode(run.args))
        except (ShikeError, ValueError):
            return {}  # whoever begins it says what is wrong


def _told(claimed: Claimed, strike: Strike) -> Ack:
    match strike.deed:
        case Deed.HOLD:
            return settle.put_off(claimed, STRIKE_HOLD_SECONDS, strike.words())
        case Deed.SKIP:
            return settle.skipped(claimed, strike.words())
        case Deed.CANCEL:
            return settle.withdrawn(claimed, strike.words())
