"""What is kept of ledgers: frames of events, a row each, and now and then a snapshot.

Read `base.py` (the whole interface), `frames.py` (how events become a frame, and what is checked), `reading.py` (from
frames to a ledger), then a journal: `memory`, `sqlite`, `postgres`, `mysql`, `redis`. One suite
holds them all.
"""

from shike.reserve.journal.base import Frame, Journal, Kept
from shike.reserve.journal.opening import open_journal

__all__ = ["Frame", "Journal", "Kept", "open_journal"]
