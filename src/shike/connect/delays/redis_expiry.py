"""Redis: keys that expire, and the notification that they did, as a hint."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar, Final

from shike.connect.bounds import SCAN_SECONDS
from shike.connect.delays.base import Take
from shike.connect.delays.redis_set import RedisSetDelays
from shike.connect.redis import told
from shike.errors import BrokerError, BrokerLacks

log = logging.getLogger("shike.connect")

SETTING: Final = "notify-keyspace-events"
NEEDED: Final = "Ex"  # events by name of the event, of keys that expired


class RedisExpiryDelays(RedisSetDelays):
    """Delays by keyspace notifications: with each message goes a key that expires when it is due, and Redis publishes
    that it did. The word is a *hint*: the truth is the sorted set of `RedisSetDelays`, and a receiver looks there with
    each word, and every SCAN_SECONDS without one.

    Why never the only source: notifications go to whoever listens just then, and to nobody else, ever; and they are
    sent when Redis *removes* the key, not when its time is over. It looks for such keys ten times a second, twenty at a
    time: late by some 50 ms to a second at best, and by many where a hundred thousand other keys have a time to live.
    *Late* by up to SCAN_SECONDS, therefore. What is *lost* and the *bounds* are those of `RedisSetDelays`.

    The server's setting `notify-keyspace-events` is off by default. It is checked; where it lacks `Ex`, opening raises
    `BrokerLacks`. It is changed only by `set_notifications=True`, for the whole server and until its next start: each
    expired key, whoever's, then costs a message. Where a server does not say how it is set, that is logged.
    """

    announced: ClassVar[bool] = True

    def __init__(self, *args: Any, set_notifications: bool = False, **named: Any) -> None:
        super().__init__(*args, **named)
        self._set_notifications = set_notifications

    async def open(self) -> None:
        await super().open()
        try:
            await self._check()
        except BaseException:
            await self.close()
            raise

    async def _check(self) -> None:
        from redis.exceptions import ResponseError

        try:
            flags = (await self._link.asked(self._link.client.config_get(SETTING))).get(SETTING, "")
        except BrokerError as error:
            if not isinstance(error.__cause__, ResponseError):
                raise
            log.warning("this Redis does not say whether it notifies of expired keys (%s): the scan is sure", error)
            return
        flags = flags.decode() if isinstance(flags, bytes) else flags
        if "E" in flags and ("x" in flags or "A" in flags):
            return
        if not self._set_notifications:
            raise BrokerLacks(
                f"this Redis does not notify of expired keys ({SETTING} is {flags!r}): set {NEEDED} in redis.conf "
                "or by CONFIG SET, or open with set_notifications=True, which changes it for the whole server",
                needs=SETTING,
            )
        await self._link.asked(self._link.client.config_set(SETTING, "".join(dict.fromkeys(flags + NEEDED))))
        log.warning("%s of this Redis was %r; it is %r now, as was asked", SETTING, flags, flags + NEEDED)

    async def receive(self, take: Take) -> None:
        heard, over = asyncio.Event(), asyncio.Event()
        database = self._link.client.connection_pool.connection_kwargs.get("db", 0)
        async with self._link.client.pubsub(ignore_subscribe_messages=True) as ear:
            await self._link.asked(ear.subscribe(f"__keyevent@{database}__:expired"))
            listening = asyncio.ensure_future(self._listen(ear, heard, over))

            async def rest(seconds: float) -> None:
                if listening.done():
                    listening.result()
                try:
                    async with asyncio.timeout(SCAN_SECONDS):
                        await heard.wait()
                except TimeoutError:
                    pass
                heard.clear()

            try:
                await self._receive(take, rest)
            finally:
                over.set()
                listening.cancel()
                await asyncio.wait([listening])

    async def _listen(self, ear: Any, heard: asyncio.Event, over: asyncio.Event) -> None:
        prefix = self._wake.encode()
        while not over.is_set():  # not by cancelling alone: see `RedisLink.asked`
            async with told():
                word = await ear.get_message(timeout=SCAN_SECONDS)
            if word is not None and word["data"].startswith(prefix):
                heard.set()
