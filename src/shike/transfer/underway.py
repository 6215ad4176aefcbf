"""What was under way when a file was written: nobody knows how that ended, so whoever imports the file takes it for
lost, as a rescue would (`shike.store.lost`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from shike.model import State
from shike.store.lost import lost
from shike.store.records import (
    DAY_MICROS,
    RECORDS_VERSION,
    DigestRecord,
    EndedRecord,
    Kind,
    LiveRecord,
    PermitRecord,
    Record,
)

UNBLAMED = 0, 1  # crashes, and how many would be poison: that a file was written says nothing of a run


def rescued(pages: Iterable[tuple[Kind, list[Record]]], written_at: int) -> Iterator[tuple[Kind, list[Record]]]:
    """The pages of a file, in the order of `Kind`, with each run that was under way as the rescue leaves it: in its
    lane again, or over where its task says that an unknown outcome is no success (`on_unknown`)."""
    under_way = _UnderWay(written_at)
    rest = iter(pages)
    page = next(rest, None)
    for kind in Kind:
        while page is not None and page[0] is kind:
            yield kind, under_way.told(kind, page[1])
            page = next(rest, None)
        if more := under_way.added(kind):
            yield kind, more


@dataclass(slots=True)
class _UnderWay:
    """Those that are over, and what follows from that."""

    written_at: int
    over: dict[int, EndedRecord] = field(default_factory=dict)
    digests: Counter[tuple[int, str, State]] = field(default_factory=Counter)

    def told(self, kind: Kind, page: Sequence[Record]) -> list[Record]:
        found: list[Record] = []
        for record in page:
            match record:
                case LiveRecord(running=True):
                    found += self._rescue(record)
                case PermitRecord():
                    kept = tuple(run_id for run_id in record.run_ids if run_id not in self.over)
                    found += [replace(record, run_ids=kept)] if kept else []
                case DigestRecord():
                    more = self.digests.pop((record.day, record.task, record.state), 0)
                    found.append(replace(record, count=record.count + more))
                case _:
                    found.append(record)
        return found

    def _rescue(self, record: LiveRecord) -> list[Record]:
        state, reason = lost(record.run.options, record.cancel, *UNBLAMED)
        if state is State.SCHEDULED:
            return [replace(record, running=False)]
        ended = EndedRecord(RECORDS_VERSION, record.run, state, self.written_at, record.attempts, 0, "", reason)
        self.over[record.run.id] = ended
        self.digests[self.written_at // DAY_MICROS, record.run.task, state] += 1
        return []

    def added(self, kind: Kind) -> list[Record]:
        """What comes behind all that the file has of a kind."""
        if kind is Kind.DIGESTS:
            return [DigestRecord(RECORDS_VERSION, *key, count) for key, count in self.digests.items()]
        if kind in (Kind.ENDED, Kind.DEAD):
            return [one for one in self.over.values() if (one.state is State.DEAD) is (kind is Kind.DEAD)]
        return []
