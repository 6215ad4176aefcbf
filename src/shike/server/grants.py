"""What was granted over HTTP and is not settled: remembered so that an acknowledgement costs no look into the store.

Only a cache: another server, or this one after it was started anew, finds the run in the store.
"""

from __future__ import annotations

from collections import OrderedDict

from msgspec.structs import replace

from shike.server.bounds import GRANT_ARGS_BYTES, GRANTS_KEPT
from shike.store.verbs import Claimed


class Grants:
    """Claimed runs by (run, token), with when they were claimed; the oldest are forgotten beyond GRANTS_KEPT."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, int], tuple[Claimed, int]] = OrderedDict()

    def keep(self, claimed: Claimed, at: int) -> None:
        """Remember it; without long arguments, unless its end may plan a run that has the same."""
        run = claimed.run
        lean = (
            claimed
            if run.options or len(run.args) <= GRANT_ARGS_BYTES
            else replace(claimed, run=replace(run, args=b""))
        )
        self._kept[run.id, claimed.token] = (lean, at)
        if len(self._kept) > GRANTS_KEPT:
            self._kept.popitem(last=False)

    def find(self, run_id: int, token: int) -> tuple[Claimed, int] | None:
        """What was kept."""
        return self._kept.get((run_id, token))

    def drop(self, run_id: int, token: int) -> None:
        """It is settled, or was never ours."""
        self._kept.pop((run_id, token), None)
