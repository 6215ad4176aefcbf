"""Who sent this, and when: an HMAC over time, identity and body, which the receiver checks with the same secret."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from shike.errors import NotAuthenticated
from shike.secret import Secret

STAMP: Final = "x-shike-timestamp"
SIGNATURE: Final = "x-shike-signature"
AGE_SECONDS_MAX: Final = 300.0  # of a message: as much as clocks differ, and no replay after it


def signed(secret: Secret, at_seconds: int, identity: str, body: bytes) -> dict[str, str]:
    """The two headers that sign a message."""
    return {STAMP: str(at_seconds), SIGNATURE: f"v1={_digest(secret, at_seconds, identity, body)}"}


def check(secret: Secret, now_seconds: float, identity: str, body: bytes, *, stamp: str, signature: str) -> None:
    """Raises `NotAuthenticated` for a message that was not signed with this secret, or longer ago than
    AGE_SECONDS_MAX. Whoever must not take one twice remembers `identity` for that long."""
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
        raise NotAuthenticated("the time of the signature cannot be read")
    if abs(now_seconds - int(stamp)) > AGE_SECONDS_MAX:
        raise NotAuthenticated(f"the signature is not of the last {AGE_SECONDS_MAX:.0f} s; are both clocks right?")
    wanted = f"v1={_digest(secret, int(stamp), identity, body)}"
    if not hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace")):
        raise NotAuthenticated("the signature is not that of this message")


def _digest(secret: Secret, at_seconds: int, identity: str, body: bytes) -> str:
    message = f"{at_seconds}.{identity}.".encode() + body
    return hmac.new(secret.reveal().encode(), message, hashlib.sha256).hexdigest()
