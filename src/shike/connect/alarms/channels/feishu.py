"""Feishu (飞书) and Lark, by a custom bot with a signature (open.feishu.cn/document/client-docs/bot-v3/add-custom-bot).

The body gets `timestamp` (s) and `sign`: the base64 of HMAC-SHA-256 over nothing, by the time, a line feed and the
secret as the key. Valid for an hour; at most 5 messages a second, 100 a minute.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from typing import Any, Final

from shike.clock import MICROS, Clock
from shike.connect.alarms.base import Letter
from shike.connect.alarms.channels.hook import Hook, cut
from shike.connect.alarms.letters import text
from shike.egress.rules import PUBLIC
from shike.secret import Secret

TEXT_BYTES_MAX: Final = 18_000  # a body has at most 20 KB
BUSY: Final = frozenset({9499, 11232, 11233})  # too many requests


class Feishu:
    """A custom bot of a group."""

    def __init__(
        self,
        url: str | Secret,
        secret: str | Secret | None = None,
        *,
        name: str = "feishu",
        allow: Iterable[str] = (PUBLIC,),
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self._secret = Secret(secret) if isinstance(secret, str) else secret
        self._hook = Hook(url, allow=allow, clock=clock)

    async def send(self, letter: Letter) -> None:
        body: dict[str, Any] = {"msg_type": "text", "content": {"text": cut(text(letter), TEXT_BYTES_MAX)}}
        if self._secret is not None:
            at = self._hook.clock.wall() // MICROS
            body |= {"timestamp": str(at), "sign": sign(self._secret.reveal(), at)}
        heard = await self._hook.post(body)
        self._hook.accepted(heard, ("code", "StatusCode"), BUSY.__contains__)


def sign(secret: str, seconds: int) -> str:
    """As Feishu's page has it: the text to be signed is the key, and nothing is what it signs."""
    return base64.b64encode(hmac.digest(f"{seconds}\n{secret}".encode(), b"", "sha256")).decode()
