"""Golden bytes of the records that are carried: an export of today is read for ever."""

from __future__ import annotations

import pytest

from shike.model import Ended, Fate, Planned, Run, Schedule, State, TimetableRow
from shike.store.records import (
    RECORDS_VERSION,
    TYPES,
    AttemptRecord,
    BucketRecord,
    ControlRecord,
    DigestRecord,
    EndedRecord,
    KeyRecord,
    Kind,
    LiveRecord,
    MarksRecord,
    MomentRecord,
    PermitRecord,
    Record,
    ScheduleRecord,
    Tally,
    VersionRecord,
    packed,
    record_of_ended,
    unpacked,
)

V = RECORDS_VERSION
RUN = Run(1, 1 << 8, "mail")
SCHEDULE = Schedule(name="s/a", task="mail", trigger=b"t")
GOLDEN: dict[Kind, Record] = {
    Kind.SCHEDULES: ScheduleRecord(V, Planned(schedule=SCHEDULE, cursor=5)),
    Kind.VERSIONS: VersionRecord(V, SCHEDULE, 1, 2, 3, 4, False),
    Kind.TIMETABLE: MomentRecord(V, TimetableRow("s/a", 1, 5, 5, 1, Fate.PLANNED, 256, 5)),
    Kind.CONTROLS: ControlRecord(V, "queue/a", b"paused", 2),
    Kind.KEYS: KeyRecord(V, "invoice", 256, 9),
    Kind.RUNS: LiveRecord(V, RUN, State.FAILED, 7, 3, 1, 0, 2, True, 4, "why", b"half", True),
    Kind.PERMITS: PermitRecord(V, "gate", (256, 512)),
    Kind.ATTEMPTS: AttemptRecord(V, 256, 11, b"body"),
    Kind.ENDED: EndedRecord(V, RUN, State.SUCCESS, 8, 1, 11, "me", "", b"42", b"trace"),
    Kind.DEAD: EndedRecord(V, RUN, State.DEAD, 8, 3, 12, "me", "poison", b"", b"", 512),
    Kind.DIGESTS: DigestRecord(V, 20_000, "mail", State.SUCCESS, 3),
    Kind.BUCKETS: BucketRecord(V, 0, 63, 4),
    Kind.MARKS: MarksRecord(V, 7, 12),
}
BYTES = {
    Kind.SCHEDULES: (
        "91920188a87363686564756c65de0003a46e616d65a3732f61a47461736ba46d61696ca774726967676572c40174a663"
        "7572736f7205a76f7264696e616c00a7706c616e5f617400a6706175736564c2a6726561736f6ea0a9726573756d655f"
        "617400a764656c65746564c2"
    ),
    Kind.VERSIONS: "919701de0003a46e616d65a3732f61a47461736ba46d61696ca774726967676572c4017401020304c2",
    Kind.TIMETABLE: "91920199a3732f6101050501a7706c616e6e6564cd010005ff",
    Kind.CONTROLS: "919401a771756575652f61c40670617573656402",
    Kind.KEYS: "919401a7696e766f696365cd010009",
    Kind.RUNS: (
        "919d01dc001601cd0100a46d61696cc400a764656661756c74030000a0a0000000a3616c6ccb000000000000000000a0"
        "00c400a000c0060703010002c304a3776879c40468616c66c3"
    ),
    Kind.PERMITS: "919301a46761746592cd0100cd0200",
    Kind.ATTEMPTS: "919401cd01000bc404626f6479",
    Kind.ENDED: (
        "919b01dc001601cd0100a46d61696cc400a764656661756c74030000a0a0000000a3616c6ccb000000000000000000a0"
        "00c400a000c00508010ba26d65a0c4023432c405747261636500"
    ),
    Kind.DEAD: (
        "919b01dc001601cd0100a46d61696cc400a764656661756c74030000a0a0000000a3616c6ccb000000000000000000a0"
        "00c400a000c00708030ca26d65a6706f69736f6ec400c400cd0200"
    ),
    Kind.DIGESTS: "919501cd4e20a46d61696c0503",
    Kind.BUCKETS: "919401003f04",
    Kind.MARKS: "919301070c",
}
OLDER: list[tuple[Kind, str, Record]] = [
    (
        Kind.RUNS,
        "919c01dc001501cd0100a46d61696cc400a764656661756c74030000a0a0000000a3616c6ccb000000000000000000a0"
        "00c400a000060703010002c304a3776879c40468616c66",
        LiveRecord(V, RUN, State.FAILED, 7, 3, 1, 0, 2, True, 4, "why", b"half"),
    ),
    (  # before runs had ties
        Kind.RUNS,
        "919d01dc001501cd0100a46d61696cc400a764656661756c74030000a0a0000000a3616c6ccb000000000000000000a0"
        "00c400a000060703010002c304a3776879c40468616c66c3",
        GOLDEN[Kind.RUNS],
    ),
    (  # before runs had ties
        Kind.ENDED,
        "919b01dc001501cd0100a46d61696cc400a764656661756c74030000a0a0000000a3616c6ccb000000000000000000a0"
        "00c400a0000508010ba26d65a0c4023432c405747261636500",
        GOLDEN[Kind.ENDED],
    ),
    (  # before runs had ties
        Kind.DEAD,
        "919b01dc001501cd0100a46d61696cc400a764656661756c74030000a0a0000000a3616c6ccb000000000000000000a0"
        "00c400a0000708030ca26d65a6706f69736f6ec400c400cd0200",
        GOLDEN[Kind.DEAD],
    ),
]


def test_what_older_programs_wrote_is_read() -> None:
    for kind, written, record in OLDER:
        assert unpacked(kind, bytes.fromhex(written)) == [record]


def test_each_kind_has_its_golden_bytes() -> None:
    assert BYTES.keys() == TYPES.keys()


@pytest.mark.parametrize("kind", Kind)
def test_what_was_written_once_is_read_for_ever(kind: Kind) -> None:
    golden = bytes.fromhex(BYTES[kind])
    assert unpacked(kind, golden) == [GOLDEN[kind]]
    assert packed([GOLDEN[kind]]) == golden


def test_a_record_with_fields_of_a_newer_program_is_read() -> None:
    newer = packed([GOLDEN[Kind.KEYS]]).replace(b"\x94", b"\x95", 1) + b"\x07"
    assert unpacked(Kind.KEYS, newer) == [GOLDEN[Kind.KEYS]]


def test_a_run_that_is_over_is_told_whole() -> None:
    ended = Ended(RUN, State.DEAD, 8, 3, 12, "me", "poison", b"r", b"t", 512)
    assert record_of_ended(ended).ended() == ended


def test_a_tally_does_not_depend_on_the_order_but_on_everything_else() -> None:
    one, other, less = Tally(), Tally(), Tally()
    records = list(GOLDEN.values())
    one.add(records)
    other.add(reversed(records))
    less.add(records[1:])
    assert one == other != less
