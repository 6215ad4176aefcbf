"""Waiting for executors that answered 202 and will report later: one look a second for all, and only while any is
waited for."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from shike.clock import MICROS
from shike.errors import CallFailed, CallRefused, StoreError
from shike.ids import Entropy
from shike.store.base import Control, Store
from shike.track.report import PREFIX, Awaited, Report, decoded, encoded, key_of, value_of
from shike.worker.outcome import Retry

log = logging.getLogger("shike.worker")

LOOK_SECONDS: Final = 1.0  # a report waits for so long at most before its worker hears of it
SECRET_BYTES: Final = 32
LEFT_SECONDS: Final = 3_600.0  # a row whose worker died goes so long after nobody waits for it any more


class Reports:
    """Of one worker, on its event loop."""

    def __init__(self, store: Store, entropy: Entropy) -> None:
        self._store = store
        self._entropy = entropy
        self._waiting: dict[str, asyncio.Future[Report]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def expect(self, run_id: int, token: int, seconds: float) -> str:
        """From now on a report of this attempt is taken, for so long; the secret that it is to be signed with."""
        secret = self._entropy.token_hex(SECRET_BYTES)
        until = await self._store.now() + round(seconds * MICROS)
        row = encoded(Awaited(secret=secret, until=until))
        await self._store.put(key_of(run_id, token), row, expect=None)
        return secret

    async def wait(self, run_id: int, token: int, seconds: float) -> Any:
        """What the report says: a value, or `Retry`. Raises `CallFailed` for a failure or where none comes in time, and
        `CallRefused`."""
        key = key_of(run_id, token)
        future = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="shike:reports")
        try:
            async with asyncio.timeout(seconds):
                report = await future
        except TimeoutError:
            raise CallFailed(f"the executor said 202, and did not report within {seconds:g} s", status=202) from None
        finally:
            self._waiting.pop(key, None)
        return meant(report)

    async def forget(self, run_id: int, token: int) -> None:
        """No report of this attempt is taken any more."""
        try:
            await self._store.put(key_of(run_id, token), None, expect=None)
        except StoreError as error:
            log.info("a row of a report stays for a while: %s", error)

    async def close(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def _look(self) -> None:
        while self._waiting:
            try:
                now = await self._store.now()
                for row in await self._store.controls(PREFIX):
                    await self._heard(row, now)
            except StoreError as error:
                log.warning("reports of executors are looked for later: %s", error)
            await asyncio.sleep(LOOK_SECONDS)

    async def _heard(self, row: Control, now: int) -> None:
        try:
            awaited = decoded(row.value)
        except ValueError:
            return  # of a newer program
        future = self._waiting.get(row.key)
        if future is not None and not future.done() and awaited.report is not None:
            future.set_result(awaited.report)
        elif future is None and now > awaited.until + round(LEFT_SECONDS * MICROS):
            await self._store.put(row.key, None, expect=None)


def meant(report: Report) -> Any:
    """A report as a handler's end."""
    match report.outcome:
        case "ok":
            return value_of(report)
        case "retry":
            return Retry(report.delay_seconds, reason=report.error or "the executor asked for another try")
        case "refused":
            raise CallRefused(f"the executor refused: {report.error or 'it did not say why'}", status=202)
        case _:
            raise CallFailed(f"the executor failed: {report.error or 'it did not say why'}", status=202)
