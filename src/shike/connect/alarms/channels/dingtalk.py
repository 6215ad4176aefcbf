"""DingTalk (钉钉), by a custom robot with a signature (open.dingtalk.com/document/robots/custom-robot-access).

The query gets `timestamp` (ms) and `sign`: the URL-encoded base64 of HMAC-SHA-256, by the secret, over the time, a line
feed, and the secret. Valid for an hour; at most 20 messages a minute, else it is silenced for ten.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote_plus

from shike.clock import Clock
from shike.connect.alarms.base import Letter
from shike.connect.alarms.channels.hook import Hook, cut
from shike.connect.alarms.letters import lines, title
from shike.egress.rules import PUBLIC
from shike.secret import Secret

TEXT_BYTES_MAX: Final = 18_000  # the robot takes 20,000 bytes in all
BUSY: Final = frozenset({-1, 130101, 410100, 660026})  # the system is busy; messages come too fast


class DingTalk:
    """A custom robot of a group. `secret`: the one that begins with SEC; without it the robot has to go by keywords."""

    def __init__(
        self,
        url: str | Secret,
        secret: str | Secret | None = None,
        *,
        name: str = "dingtalk",
        allow: Iterable[str] = (PUBLIC,),
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self._secret = Secret(secret) if isinstance(secret, str) else secret
        self._hook = Hook(url, allow=allow, clock=clock)

    async def send(self, letter: Letter) -> None:
        shown = title(letter)
        words = "\n\n".join([f"#### {shown}", *(f"- {line}" for line in lines(letter))])
        body = {"msgtype": "markdown", "markdown": {"title": shown, "text": cut(words, TEXT_BYTES_MAX)}}
        heard = await self._hook.post(body, query=self._signature())
        self._hook.accepted(heard, ("errcode",), BUSY.__contains__)

    def _signature(self) -> str:
        if self._secret is None:
            return ""
        millis = self._hook.clock.wall() // 1_000
        return f"timestamp={millis}&sign={quote_plus(sign(self._secret.reveal(), millis))}"


def sign(secret: str, millis: int) -> str:
    """As DingTalk's page has it, before it is URL-encoded."""
    return base64.b64encode(hmac.digest(secret.encode(), f"{millis}\n{secret}".encode(), "sha256")).decode()
