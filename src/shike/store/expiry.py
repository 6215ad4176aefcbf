"""When a session's time is over: the same in every store, also when the store's own clock is set."""

from __future__ import annotations

from shike.clock import MICROS
from shike.model import NEVER, Session


def expiry(now: int, lease_seconds: float) -> int:
    """Until when a beat of this instant renews; NEVER: this session does not beat."""
    return now + round(lease_seconds * MICROS) if lease_seconds else NEVER


def is_over(session: Session, now: int) -> bool:
    """Whether the store's clock says that the lease is over, because it is past or because it cannot be.

    No beat renews for longer than a lease, so an expiry further ahead than that was written before the clock was set
    back: were it believed, a session that died then would be missed for as long as the clock had jumped. A living one
    renews within a beat; so whoever closes sessions waits, on a clock of its own, for a lease without one.
    """
    if not session.expires_at:
        return False
    latest = expiry(now, session.lease_seconds) or session.expires_at  # an older program does not say its lease
    return not now <= session.expires_at <= latest
