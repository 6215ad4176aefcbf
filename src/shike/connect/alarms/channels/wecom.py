"""WeCom (企业微信), by a group robot (developer.work.weixin.qq.com/document/path/91770).

Markdown of at most 4,096 bytes; the key in the URL is the secret; `errcode` 0 is the answer. At most 20 messages a
minute.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shike.connect.alarms.base import Letter
from shike.connect.alarms.channels.hook import Hook, cut
from shike.connect.alarms.letters import lines, title
from shike.egress.rules import PUBLIC
from shike.secret import Secret

CONTENT_BYTES_MAX: Final = 4_096
BUSY: Final = frozenset({-1, 45009})  # the system is busy; too many messages


class WeCom:
    """A robot of a group."""

    def __init__(self, url: str | Secret, *, name: str = "wecom", allow: Iterable[str] = (PUBLIC,)) -> None:
        self.name = name
        self._hook = Hook(url, allow=allow)

    async def send(self, letter: Letter) -> None:
        content = "\n".join([f"**{title(letter)}**", *(f"> {line}" for line in lines(letter))])
        heard = await self._hook.post({"msgtype": "markdown", "markdown": {"content": cut(content, CONTENT_BYTES_MAX)}})
        self._hook.accepted(heard, ("errcode",), BUSY.__contains__)
