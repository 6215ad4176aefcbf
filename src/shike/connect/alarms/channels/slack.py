"""Slack, by an incoming webhook (docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).

A JSON `text`, in which &, < and > are entities; the URL is the secret, and `ok` the answer. One message a second.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shike.connect.alarms.base import Letter
from shike.connect.alarms.channels.hook import Hook, cut
from shike.connect.alarms.letters import text
from shike.egress.rules import PUBLIC
from shike.secret import Secret

TEXT_BYTES_MAX: Final = 12_000  # Slack cuts at 40,000 characters; nobody reads so many
ENTITIES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Slack:
    """An incoming webhook of a channel."""

    def __init__(self, url: str | Secret, *, name: str = "slack", allow: Iterable[str] = (PUBLIC,)) -> None:
        self.name = name
        self._hook = Hook(url, allow=allow)

    async def send(self, letter: Letter) -> None:
        await self._hook.post({"text": cut(text(letter).translate(ENTITIES), TEXT_BYTES_MAX)})
