"""The one seam for randomness."""

from __future__ import annotations

import os
from typing import Protocol


class Entropy(Protocol):
    """The one place that chance comes from; the simulator hands in a seeded one."""

    def token_hex(self, count: int) -> str:
        """`count` random bytes, in hex."""

    def random(self) -> float:
        """Uniform in [0, 1)."""


class SystemEntropy:
    """The operating system's randomness. Safe to use after a fork, unlike a seeded generator."""

    def token_hex(self, count: int) -> str:
        return os.urandom(count).hex()

    def random(self) -> float:
        return (int.from_bytes(os.urandom(7), "big") >> 3) * 2.0**-53


def fresh_identity(entropy: Entropy) -> str:
    """128 random bits in hex: the identity of a session, never used twice."""
    return entropy.token_hex(16)
