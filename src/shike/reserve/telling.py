"""From a ledger of time to the dispatcher: what is committed there, as `shike.limit.slots` has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shike.errors import BadCommand
from shike.limit.bounds import RESERVATIONS_TOLD_MAX, SLOTS_MAX
from shike.limit.slots import Cap, Page, Reservation, Slots, tell
from shike.reserve.journal.base import Journal
from shike.reserve.journal.reading import Read, follow, load
from shike.reserve.model import NOWHERE, Measure, OrderState, RuleKind
from shike.reserve.state import State
from shike.store.base import Store


def check_sizes(kinds: Mapping[str, int]) -> None:
    """Raises `BadCommand` for more slots than a dispatcher can count."""
    for kind, size in kinds.items():
        if size > SLOTS_MAX:
            raise BadCommand(f"a dispatcher counts at most {SLOTS_MAX:,} slots of a kind; {kind!r} has {size:,}")


class Teller:
    """Tells one ledger to one store. Reads the journal and not the clerk's memory, which may be ahead of it: what was
    told and then not committed would stand there for good."""

    def __init__(self, journal: Journal, ledger: str, slot_micros: int, store: Store) -> None:
        self._journal, self._ledger, self._slot, self._store = journal, ledger, slot_micros, store
        self._read: Read | None = None

    async def tell(self) -> bool:
        """Whether it was news. Raises `DamagedJournal`, `StoreUnavailable`."""
        read, self._read = self._read, None  # what fails half-way is read anew
        if read is None:
            read = await load(self._journal, self._ledger)
        else:
            await follow(self._journal, self._ledger, read)
        self._read = read
        return await tell(self._store, self._ledger, page_of(read.state, self._slot))


def page_of(state: State, slot: int) -> Page:
    """What a dispatcher has to know of a ledger whose positions are slots of so many µs."""
    return Page(
        state.version,
        {
            name: Slots(pool.size, tuple(_reservations(state, name, slot)), tuple(_caps(state, name, slot)))
            for name, pool in state.pools.items()
        },
    )


def _reservations(state: State, kind: str, slot: int) -> list[Reservation]:
    """Those that were kept and are not over when the line stands where it does; the soonest first."""
    kept = [
        Reservation(order.channel, order.count, order.start * slot, order.end * slot)
        for order in state.live_orders(kind)
        if order.state is OrderState.CONFIRMED and order.end > state.position
    ]
    return sorted(kept, key=lambda one: (one.start, one.end, one.tenant))[:RESERVATIONS_TOLD_MAX]


def _caps(state: State, kind: str, slot: int) -> Iterator[Cap]:
    """The `max` rules by thickness: how many at once. Where a rule is about several kinds, each is held to it alone."""
    for one in state.rules.values():
        rule = one.rule
        is_cap = rule.kind is RuleKind.MAX and rule.measure is Measure.THICKNESS and rule.end != NOWHERE
        if is_cap and (not rule.pools or kind in rule.pools):
            yield Cap(rule.count, rule.start * slot, rule.end * slot, rule.channels, rule.since, rule.until)
