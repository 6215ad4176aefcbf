"""Runs from an application whose database is not Shike's store: written there with its own rows, in one commit, and
moved on by a relay, each exactly once.

`outbox` is the face, `writing` puts rows on the user's connection, `relay` moves them, `accept` decides what they are;
`table` says what each of the dialects (`sqlite/`, `postgres/`, `mysql/`) does with its statements.
"""

from __future__ import annotations

from shike.outbox.outbox import Outbox
from shike.outbox.relay import Relay
from shike.outbox.rows import Counts, Refused

__all__ = ["Counts", "Outbox", "Refused", "Relay"]
