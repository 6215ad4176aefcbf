"""How one worker takes suspects: runs that were under way in a process that died (`shike.store.lost`).

With child processes each gets one to itself, as many at a time as there are. Without, they share this process in
parties as large as the store allows, one party after the other, and other work goes on beside them. Only a run that is
left as the one suspect of a death gets the process to itself: what runs is over before it begins, and nothing else
begins until it is over. Both waits are bounded, for new work has to be on time (P5).
"""

from __future__ import annotations

from collections.abc import Callable

from shike.bounds import CLAIM_RUNS_MAX, QUARANTINE_SECONDS
from shike.model import Manner
from shike.store.verbs import Batch


def is_alone(batch: Batch) -> bool:
    """Whether nothing else should run beside it."""
    return batch.manner is Manner.TOGETHER and batch.runs[0].together == 1


class Quarantine:
    """The suspects under way. `places`: child processes that can take one each; 0: there are none."""

    def __init__(self, places: int, monotonic: Callable[[], float]) -> None:
        self._places = places
        self._monotonic = monotonic
        self._left: dict[int, int] = {}  # token → suspects of that lease not settled yet
        self._until = 0.0  # the youngest party has had its time then
        self._alone = 0  # the token of a run that has the process to itself

    @property
    def closed(self) -> bool:
        """Whether nothing may be claimed now: somebody is alone here, or waits for that."""
        return self._alone > 0 and self._monotonic() < self._until

    def wish(self) -> tuple[Manner, int]:
        """How suspects are welcome now, and how many; `ORDINARY`: not at all."""
        if self._places:
            free = self._places - sum(self._left.values())
            return (Manner.APART, free) if free > 0 else (Manner.ORDINARY, 0)
        if self._left and self._monotonic() < self._until:
            return Manner.ORDINARY, 0
        return Manner.TOGETHER, CLAIM_RUNS_MAX

    def take(self, batch: Batch) -> None:
        """Note a batch of suspects."""
        token = batch.runs[0].token
        self._left[token] = len(batch.runs)
        self._until = self._monotonic() + QUARANTINE_SECONDS
        if is_alone(batch):
            self._alone = token

    def ended(self, token: int, count: int) -> bool:
        """Runs of this lease are settled. Whether that makes room for other suspects, or for everybody."""
        left = self._left.get(token)
        if left is None:
            return False
        if left > count:
            self._left[token] = left - count
            return self._places > 0
        del self._left[token]
        if token == self._alone:
            self._alone = 0
        return True

    def clear(self) -> None:
        """Their leases are lost."""
        self._left.clear()
        self._alone = 0
