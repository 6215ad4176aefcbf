"""In which order a claim serves the bands: the lowest number first, and by turns each other one before it (R2.5).

Who always serves band 0 first never comes to band 6 while there is enough to do above. So each `AGEING_CLAIMS`-th claim
of a session is an *ageing* claim: it begins with one of the lower bands, and which one goes round. That is a bound, not
a hope: see `waits_at_most`.
"""

from __future__ import annotations

from typing import Final

from shike.bounds import AGEING_CLAIMS, BANDS
from shike.errors import BadInput

IN_ORDER: Final = tuple(range(BANDS))
_TURNS: Final = BANDS - 1  # band 0 needs no help


def check_band(band: int) -> int:
    """Raises `BadInput` for what is no band."""
    if isinstance(band, bool) or not isinstance(band, int) or not 0 <= band < BANDS:
        raise BadInput(f"band={band!r}: a whole number from 0 (first) to {BANDS - 1}")
    return band


def order_of(number: int) -> tuple[int, ...]:
    """The bands of a session's claim of this number, in the order in which it serves them.

    The number of claims between two turns is odd and so is that of the turns, so that together with virtual buckets,
    a power of two of which a claim on a cluster begins with another each time, each band meets each bucket.
    """
    turn, rest = divmod(number, AGEING_CLAIMS)
    if rest:
        return IN_ORDER
    first = BANDS - 1 - turn % _TURNS
    return (first, *IN_ORDER[:first], *IN_ORDER[first + 1 :])


def waits_at_most(ahead: int, claim_runs: int, buckets: int = 1) -> int:
    """After how many claims of one session, at the latest, a run is granted before which so many of its own band stand,
    where each claim asks for so many: whatever comes in above it. `buckets`: how many virtual buckets a claim looks
    into one at a time (on a Redis cluster; else 1)."""
    turns = ahead // claim_runs + 1
    return turns * _TURNS * AGEING_CLAIMS * buckets
