"""What a message broker cannot do."""

from __future__ import annotations

from shike.errors.root import BadInput, ShikeError


class BrokerError(ShikeError):
    """A message broker could not do what was asked."""


class BadBrokerURL(BrokerError, ValueError):
    """The URL names no broker that Shike knows, or one whose driver is not installed."""


class BrokerUnavailable(BrokerError):
    """The broker did not answer, or the connection to it was lost. What was being sent may or may not have arrived."""


class BrokerLacks(BrokerError):
    """The broker has not what this needs, `needs`: install or set it there, or take another technique."""

    def __init__(self, message: str, *, needs: str = "") -> None:
        super().__init__(message)
        self.needs = needs


class BadSignature(BadInput):
    """A webhook is not signed by anybody who knows the secret, or not within the time allowed. Nothing was taken."""
