"""What a sale has come to: everything in the journal, against the promises and against what was told.

Four questions. Was anything sold twice, at any version (P9)? Is everything that was told in the journal, just as it
was told? Is each payment a ticket's, or on its way back, and never both? And over two trains: has whoever wanted both
got both or none, and whoever changed not both (R1.15)?
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from shike.errors import DamagedJournal
from shike.rail.sale.bounds import PROBLEMS_MAX, RECOUNT_EVENTS
from shike.rail.sale.recount import Recount
from shike.reserve.applying import apply
from shike.reserve.events import AnyEvent
from shike.reserve.journal.base import Journal
from shike.reserve.journal.reading import events_of
from shike.reserve.model import OrderState
from shike.reserve.state import State
from shike.reserve.verify import violations

Told = Mapping[str, Mapping[str, AnyEvent]]  # ledger → command → event
Take = tuple[str, int]  # an order of a ledger
Pairs = Sequence[tuple[Take, Take]]


class Fill(Struct, frozen=True):
    """How full one class of one train is at the end, segment by segment."""

    ledger: str
    pool: str
    size: int
    taken: tuple[int, ...]

    @property
    def share(self) -> float:
        return sum(self.taken) / max(1, self.size * len(self.taken))


class Proof(Struct):
    """What was found. `problems` are sentences, the first of them; `problem_count` is of all."""

    ledgers: int = 0
    events: int = 0
    told: int = 0
    tickets: int = 0
    payments: int = 0
    paid_back: int = 0  # payments that no ticket has come of
    fullest: Fill | None = None
    problem_count: int = 0
    problems: list[str] = []

    @property
    def clean(self) -> bool:
        return not self.problem_count

    def add(self, ledger: str, words: str) -> None:
        self.problem_count += 1
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(f"{ledger}: {words}")


async def prove(journal: Journal, told: Told, *, both: Pairs = (), one: Pairs = ()) -> Proof:
    """Read every ledger of a journal from its first event. What was told of a ledger that is not there is lost too.
    Of the pairs `both` are paid for in the end, or neither; of `one` never both."""
    proof, after = Proof(), ""
    paid: set[Take] = set()
    missing = set(told)
    while page := await journal.ledgers(after):
        for ledger in page:
            missing.discard(ledger)
            state = await _ledger(journal, ledger, told.get(ledger, {}), proof)
            paid |= {(ledger, number) for number, kept in state.orders.items() if kept.state is OrderState.CONFIRMED}
        after = page[-1]
    for ledger in sorted(missing):
        proof.add(ledger, "there was something told of it, and the journal has nothing")
    for first, second in both:
        if (first in paid) is not (second in paid):
            proof.add(
                first[0], f"order {first[1]} is for a journey with order {second[1]} of {second[0]}; one is paid for"
            )
    for old, new in one:
        if old in paid and new in paid:
            proof.add(old[0], f"order {old[1]} was changed into order {new[1]} of {new[0]}, and is paid for still")
    return proof


async def _ledger(journal: Journal, ledger: str, told: Mapping[str, AnyEvent], proof: Proof) -> State:
    state, recount, answers = State(), Recount(), dict(told)
    try:
        async for version, event in events_of(journal, ledger):
            apply(state, event)
            problems = recount.take(event)
            if not version % RECOUNT_EVENTS:
                problems += violations(state)
            for words in problems:
                proof.add(ledger, f"after event {version}: {words}")
            if event.command and answers.get(event.command) == event:
                del answers[event.command]
    except DamagedJournal as error:
        proof.add(ledger, str(error))
    for words in _at_the_end(state, recount, answers):
        proof.add(ledger, words)
    proof.ledgers += 1
    proof.events += state.version
    proof.told += len(told)
    proof.tickets += recount.tickets
    proof.payments += len(recount.payments)
    proof.paid_back += sum(fate == "back" for fate in recount.payments.values())
    for pool, size in recount.sizes.items():
        fill = Fill(ledger, pool, size, tuple(recount.filled(pool)))
        if proof.fullest is None or fill.share > proof.fullest.share:
            proof.fullest = fill
    return state


def _at_the_end(state: State, recount: Recount, answers: Mapping[str, AnyEvent]) -> Iterator[str]:
    """What may not be once the sale is over; `answers` are those that were told and not found."""
    yield from violations(state)
    for command, event in answers.items():
        yield f"{type(event).__name__} was told to {command!r}, and the journal does not say so"
    if recount.open_holds:
        yield f"{recount.open_holds} holds are neither paid for nor over"
    for payment, fate in recount.payments.items():
        if not fate:
            yield f"payment {payment!r} is neither a ticket's nor on its way back"
