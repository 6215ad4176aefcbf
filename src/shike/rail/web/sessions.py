"""Passengers' sessions: who made an order may see and change it, without an account.

A session is a number that is signed: nothing is kept of it. Orders bear it in their names, so an order is a session's
if its name begins with it. Whoever has the token has the orders; it lies in a cookie that no script can read.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final, NamedTuple

from shike.clock import MICROS, Clock
from shike.ids import Entropy
from shike.rail.web.bounds import SESSION_SECONDS

ID_BYTES: Final = 8
MAC_CHARS: Final = 40  # 160 bits
KEPT_CHARS: Final = 20  # of the hash of an idempotency key: 80 bits, within one session
_TOKEN: Final = re.compile(rf"pass_([0-9a-f]{{8}}[0-9a-f]{{{2 * ID_BYTES}}})_([0-9a-f]{{{MAC_CHARS}}})")


class Session(NamedTuple):
    """`token` is shown to its passenger alone; `id` begins the names of orders."""

    id: str
    token: str


class Sessions:
    """Of one railway. `key` is its own; all its processes have the same."""

    def __init__(self, key: bytes, clock: Clock, entropy: Entropy) -> None:
        self._key = hmac.new(key, b"sessions of passengers", hashlib.sha256).digest()
        self._clock = clock
        self._entropy = entropy

    def make(self) -> Session:
        """A new one, good for SESSION_SECONDS."""
        id = f"{self._clock.wall() // MICROS:08x}{self._entropy.token_hex(ID_BYTES)}"
        return Session(id, f"pass_{id}_{self._mac(id)}")

    def who(self, token: str) -> str:
        """Whose token this is; "" for one that is not ours, or too old."""
        match = _TOKEN.fullmatch(token)
        if match is None or not hmac.compare_digest(match[2], self._mac(match[1])):
            return ""
        age = self._clock.wall() // MICROS - int(match[1][:8], 16)
        return match[1] if age < SESSION_SECONDS else ""

    def order_name(self, session: str, key: str) -> str:
        """What an order is called: the same for the same idempotency key, another for none."""
        word = hashlib.sha256(key.encode()).hexdigest()[:KEPT_CHARS] if key else self._entropy.token_hex(ID_BYTES)
        return f"{session}-{word}"

    def _mac(self, id: str) -> str:
        return hmac.new(self._key, id.encode(), hashlib.sha256).hexdigest()[:MAC_CHARS]


def is_of(order: str, session: str) -> bool:
    """Whether an order, or a payment of one, is a session's."""
    return bool(session) and order.startswith(f"{session}-")
