"""What all chat hooks have in common: JSON posted to a secret URL, through the guard, and an answer that is read.

The URL of a hook is its password: no error, log or list tells more of it than its host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from shike.clock import Clock, SystemClock
from shike.connect.alarms.bounds import ANSWER_BYTES_MAX, SEND_SECONDS
from shike.egress.exchange import Heard, exchange
from shike.egress.rules import PUBLIC, Rules, Target
from shike.errors import AddressBlocked, CallFailed, CallRefused
from shike.secret import Secret

AGAIN: Final = frozenset({408, 425, 429})  # besides 5xx: it may go well later
SHOWN_BY_RULES: Final = 20  # characters of a URL that is none: an error shows at least so many, and must not show these
SAID_CHARS_MAX: Final = 200  # of what a hook answers, in an error


class Hook:
    """A secret URL, and where it may lead: public addresses, or what is named by `allow` (HOST:PORT)."""

    def __init__(self, url: str | Secret, *, allow: Iterable[str] = (PUBLIC,), clock: Clock | None = None) -> None:
        """Raises `AddressBlocked` for a URL that could never be called."""
        self._url = url if isinstance(url, Secret) else Secret(url)
        self._rules = Rules.parse(allow)
        self.clock = clock or SystemClock()
        self.host = self._checked().host

    def __repr__(self) -> str:
        return f"<hook at {self.host}>"

    def _checked(self) -> Target:
        text = self._url.reveal()
        try:
            return self._rules.target(text)
        except AddressBlocked as error:
            if not text or text[:SHOWN_BY_RULES] not in str(error):
                raise
        raise AddressBlocked(
            "the URL of a hook is http:// or https:// with a host and no password in it; this one is not"
        )

    async def post(
        self, body: Any, *, query: str = "", headers: Mapping[str, str] | None = None, raw: bytes | None = None
    ) -> Heard:
        """Its answer, with a status of 2xx. Raises `CallFailed`, `CallRefused`, `AddressBlocked`."""
        url = self._url.reveal()
        if query:
            url += f"{'&' if urlsplit(url).query else '?'}{query}"
        sent = raw if raw is not None else msgspec.json.encode(body)
        told = {"content-type": "application/json; charset=utf-8", "user-agent": "shike", **(headers or {})}
        heard = await exchange(self._rules, "POST", url, told, sent, seconds=SEND_SECONDS, bytes_max=ANSWER_BYTES_MAX)
        if 200 <= heard.status < 300:
            return heard
        words = f"{self.host} answered {heard.status}: {_said(heard)}"
        if heard.status >= 500 or heard.status in AGAIN:
            raise CallFailed(words, status=heard.status)
        raise CallRefused(words, status=heard.status)

    def accepted(self, heard: Heard, names: Iterable[str], is_later: Callable[[int], bool]) -> None:
        """Look at the number by which these hooks say in a 200 how it went: the first of `names` that is there; 0 is
        well. Raises `CallFailed` for one that `is_later`, which may go well next time, else `CallRefused`."""
        try:
            said = msgspec.json.decode(heard.body)
        except msgspec.DecodeError:
            said = None
        code = next((said[name] for name in names if name in said), None) if isinstance(said, dict) else None
        if code == 0:
            return
        words = f"{self.host} did not take it: {_said(heard)}"
        if not isinstance(code, int) or is_later(code):
            raise CallFailed(words, status=heard.status)
        raise CallRefused(words, status=heard.status)


def _said(heard: Heard) -> str:
    return repr(heard.body[:SAID_CHARS_MAX].decode("utf-8", "replace"))


def cut(text: str, bytes_max: int) -> str:
    """The beginning of a text that has at most so many bytes, at the end of a line where there is one."""
    raw = text.encode()
    if len(raw) <= bytes_max:
        return text
    mark = " …"
    short = raw[: bytes_max - len(mark.encode())].decode(errors="ignore")
    return (short.rpartition("\n")[0] or short) + mark
