"""Signed webhooks: from headers and body to a message, or a refusal. Pure: the HTTP route is the server's.

The signature is that of the Standard Webhooks specification (standardwebhooks.com, 1.0): HMAC-SHA-256 over
`id.timestamp.body`, base64, behind `v1,`, in headers that travel with the body.
"""

from __future__ import annotations

import base64
import hmac
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Final

from shike.clock import MICROS
from shike.connect.bounds import BODY_BYTES_MAX, SECRET_BYTES_MIN, SIGNED_WITHIN_SECONDS
from shike.connect.sources.base import Message
from shike.errors import BadInput, BadSignature, TooLarge

ID: Final = "webhook-id"
AT: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
BASE64_PREFIX: Final = "whsec_"
VERSION: Final = "v1"
SIGNATURES_MAX: Final = 16  # of one request: the old key's and the new one's, while keys are changed
DIGITS_MAX: Final = 12


class Webhook:
    """What one sender posts. Several secrets: the old and the new one, while they are changed.

    A message that is sent again within `within_seconds` passes here, and becomes no second run: its id is signed,
    and an intake knows it. After that time it is refused.
    """

    def __init__(self, *secrets: str | bytes, within_seconds: float = SIGNED_WITHIN_SECONDS) -> None:
        """Raises `BadInput` for no secret, or one that is short. `whsec_…`: base64, as its sender shows it."""
        if not secrets:
            raise BadInput("a webhook without a secret would let anybody in; make one, and give it to the sender, too")
        self._keys = [_key(secret) for secret in secrets]
        self._within_micros = round(within_seconds * MICROS)

    def read(self, headers: Mapping[str, str], body: bytes, now: int) -> Message:
        """The message; `now` in UTC µs. Raises `BadSignature`, or `TooLarge`. Names of headers in any case."""
        given = {name.lower(): value for name, value in headers.items()}
        identity, at, signatures = (given.get(name, "") for name in (ID, AT, SIGNATURE))
        if not (identity and at and signatures):
            raise BadSignature(f"a webhook has the headers {ID}, {AT} and {SIGNATURE}; one of them is missing")
        if len(body) > BODY_BYTES_MAX:
            words = f"a webhook's body may have {BODY_BYTES_MAX:,} bytes"
            raise TooLarge(words, size=len(body), limit=BODY_BYTES_MAX)
        if not (at.isascii() and at.isdecimal() and len(at) <= DIGITS_MAX):
            raise BadSignature(f"{AT} is no time in seconds since 1970")
        wanted = [_signed(key, identity, at, body) for key in self._keys]
        if not any(_same(one, two) for one in signatures.split(" ")[:SIGNATURES_MAX] for two in wanted):
            raise BadSignature("the signature does not fit this body, id and time; does the sender know the secret?")
        if abs(now - int(at) * MICROS) > self._within_micros:
            words = f"it was signed more than {self._within_micros / MICROS:g} s from now"
            raise BadSignature(f"{words}: sent again by somebody, or one of the clocks is wrong")
        return Message(identity, body, "webhook", given)

    def sign(self, identity: str, body: bytes, now: int) -> dict[str, str]:
        """The headers of a webhook of ours, by the first secret."""
        at = str(now // MICROS)
        return {ID: identity, AT: at, SIGNATURE: _signed(self._keys[0], identity, at, body).decode()}


def _key(secret: str | bytes) -> bytes:
    key = secret.encode() if isinstance(secret, str) else secret
    if key.startswith(BASE64_PREFIX.encode()):
        try:
            key = base64.b64decode(key[len(BASE64_PREFIX) :], validate=True)
        except NotBase64:
            raise BadInput(f"behind {BASE64_PREFIX} a webhook's secret is base64") from None
    if len(key) < SECRET_BYTES_MIN:
        raise BadInput(f"a webhook's secret has at least {SECRET_BYTES_MIN} bytes; secrets.token_bytes(32) makes one")
    return key


def _signed(key: bytes, identity: str, at: str, body: bytes) -> bytes:
    told = b".".join((identity.encode(errors="surrogatepass"), at.encode(), body))
    return VERSION.encode() + b"," + base64.b64encode(hmac.digest(key, told, "sha256"))


def _same(given: str, wanted: bytes) -> bool:
    """In a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.encode(errors="replace"), wanted)
