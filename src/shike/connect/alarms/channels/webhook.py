"""A webhook of your own: JSON, signed as the Standard Webhooks specification says (`shike.connect.webhook`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from shike.clock import Clock, to_datetime
from shike.connect.alarms.base import Letter, Told
from shike.connect.alarms.channels.hook import Hook
from shike.connect.alarms.letters import title
from shike.connect.webhook import Webhook
from shike.egress.rules import PUBLIC
from shike.secret import Secret


class ToWebhook:
    """Posts `{"source", "at", "title", "alarms": […]}`; the receiver checks it by `Webhook(secret).read`."""

    def __init__(
        self,
        url: str | Secret,
        secret: str | Secret,
        *,
        name: str = "webhook",
        allow: Iterable[str] = (PUBLIC,),
        clock: Clock | None = None,
    ) -> None:
        """Raises `BadInput` for a secret that is short."""
        self.name = name
        self._hook = Hook(url, allow=allow, clock=clock)
        self._signer = Webhook(secret.reveal() if isinstance(secret, Secret) else secret)

    async def send(self, letter: Letter) -> None:
        raw = msgspec.json.encode(
            {
                "source": letter.source,
                "at": to_datetime(letter.at),
                "title": title(letter),
                "alarms": [_facts(told) for told in letter.told],
            }
        )
        headers = self._signer.sign(letter.identity, raw, self._hook.clock.wall())
        await self._hook.post(None, headers=headers, raw=raw)


def _facts(told: Told) -> dict[str, Any]:
    alarm = told.alarm
    return {
        "id": alarm.id,
        "notice": told.notice,
        "rule": alarm.rule,
        "subject": alarm.subject,
        "words": alarm.words,
        "count": alarm.count,
        "since": to_datetime(alarm.since),
        "owner": alarm.owner,
        "acked_by": alarm.acked_by,
    }
