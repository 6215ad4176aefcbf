"""Golden bytes: what a program of today wrote, every later one must read, and the other way round.

If a test here fails, the record was changed in a way that stores in the field cannot follow. Append a field with a
default instead, and add its new golden bytes below the old ones; never edit those.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from shike.attempts import Failure, Fault, Frame, LogLine, Tail, UserStep, pack_report, split_report
from shike.model import (
    Attempt,
    Backoff,
    Fate,
    Growth,
    Link,
    Misfire,
    OnParent,
    OnUnknown,
    Options,
    Overlap,
    Run,
    Schedule,
    State,
    Ties,
    TimetableRow,
)

pack = msgspec.msgpack.encode

RUN = Run(
    1,
    0x123456789A00,
    "mail.send",
    b'[["\xe6\x97\xb6"],{"to":7}]',
    "mail",
    2,
    1_767_225_600_000_000,
    1_767_225_599_000_000,
    "invoice-7",
    "daily/report",
    1_767_225_600_000_000,
    12,
    1_767_312_000_000_000,
    Misfire.ONCE,
    60.0,
    1_767_229_200_000_000,
    "daily/report/one",
    0x987600,
    b'{"timeout_seconds":5.0}',
    "ann",
    3,
)
TIED = replace(
    RUN,
    ties=Ties(0x123456789900, 4, (Link(-1, -1),), (Link(1, 2, OnParent.FAIL, "yes"),), 60.0),
)
ATTEMPT = Attempt(1, 2, 77, "5e55", State.FAILED, 1, 2, 3, "ValueError: 7", "Traceback…", (("load", 2, 1),), "w1")
ROW = TimetableRow("daily/report", 3, 10, 20, 5, Fate.MISSED, 0x100, 11, 5)

TRACED = Attempt(
    1,
    2,
    77,
    "5e55",
    State.FAILED,
    1,
    2,
    3,
    "ValueError: 7",
    "",
    (),
    "w1",
    1,
    2,
    4,
    300,
    (UserStep("load", 2, 1), UserStep("read", 2, 1, 0, "OSError")),
    (LogLine(2, "INFO", "七"),),
    5,
    Failure("0f", (Fault("ValueError", "7", (Frame("a.py", 3, "f", "f()", True),)), Fault("OSError", "", (), "cause"))),
    "00-ab-cd-01",
)

BEFORE_TRACES: list[tuple[Any, str]] = [  # what programs before 0.3 wrote
    (
        ATTEMPT,
        "9c01024da43565353506010203ad56616c75654572726f723a2037ac54726163656261636be280a69193a46c6f61640201a27731",
    ),
    (Attempt(1, 2, 77, "5e55", State.FAILED), "9501024da43565353506"),
]
BEFORE_TIES: list[tuple[Any, str]] = [  # what programs before 0.2 wrote
    (
        RUN,
        "dc001501cf0000123456789a00a96d61696c2e73656e64c4125b5b22e697b6225d2c7b22746f223a377d5da46d61696c02"
        "cf0006474846204000cf000647484610fdc0a9696e766f6963652d37ac6461696c792f7265706f7274cf00064748462040"
        "000ccf0006475c63f7a000a46f6e6365cb404e000000000000cf000647491cb3e400b06461696c792f7265706f72742f6f"
        "6e65ce00987600c4177b2274696d656f75745f7365636f6e6473223a352e307da3616e6e03",
    ),
    (
        Run(1, 256, "t"),
        "dc001501cd0100a174c400a764656661756c74030000a0a0000000a3616c6ccb000000000000000000a000c400a000",
    ),
]

ARRAYS: list[tuple[Any, str]] = [
    (
        RUN,
        "dc001601cf0000123456789a00a96d61696c2e73656e64c4125b5b22e697b6225d2c7b22746f223a377d5da46d61696c02"
        "cf0006474846204000cf000647484610fdc0a9696e766f6963652d37ac6461696c792f7265706f7274cf00064748462040"
        "000ccf0006475c63f7a000a46f6e6365cb404e000000000000cf000647491cb3e400b06461696c792f7265706f72742f6f"
        "6e65ce00987600c4177b2274696d656f75745f7365636f6e6473223a352e307da3616e6e03c0",
    ),
    (
        TIED,
        "dc001601cf0000123456789a00a96d61696c2e73656e64c4125b5b22e697b6225d2c7b22746f223a377d5da46d61696c02"
        "cf0006474846204000cf000647484610fdc0a9696e766f6963652d37ac6461696c792f7265706f7274cf00064748462040"
        "000ccf0006475c63f7a000a46f6e6365cb404e000000000000cf000647491cb3e400b06461696c792f7265706f72742f6f"
        "6e65ce00987600c4177b2274696d656f75745f7365636f6e6473223a352e307da3616e6e0395cf00001234567899000491"
        "94ffffa4736b6970a091940102a46661696ca3796573cb404e000000000000",
    ),
    (
        Run(1, 256, "t"),
        "dc001601cd0100a174c400a764656661756c74030000a0a0000000a3616c6ccb000000000000000000a000c400a000c0",
    ),
    (
        ATTEMPT,
        "dc001501024da43565353506010203ad56616c75654572726f723a2037ac54726163656261636be280a69193a46c6f6164"
        "0201a2773100000000909000c0a0",
    ),
    (
        TRACED,
        "dc001501024da43565353506010203ad56616c75654572726f723a2037a090a27731010204cd012c9295a46c6f61640201"
        "ffa095a472656164020100a74f534572726f72919302a4494e464fa3e4b8830592a230669294aa56616c75654572726f72"
        "a1379195a4612e707903a166a3662829c3a094a74f534572726f72a090a56361757365ab30302d61622d63642d3031",
    ),
    (ROW, "99ac6461696c792f7265706f7274030a1405a66d6973736564cd01000b05"),
]

FIELDS: dict[type, tuple[str, ...]] = {
    Run: (
        "version",
        "id",
        "task",
        "args",
        "queue",
        "band",
        "due_at",
        "created_at",
        "key",
        "schedule",
        "moment",
        "ordinal",
        "next_due_at",
        "misfire",
        "misfire_seconds",
        "expires_at",
        "gate",
        "replay_of",
        "options",
        "owner",
        "schedule_version",
        "ties",
    ),
    Link: ("first", "last", "on_parent", "when"),
    Ties: ("graph", "size", "after", "before", "approval_seconds"),
    Attempt: (
        "version",
        "number",
        "token",
        "session",
        "state",
        "claimed_at",
        "started_at",
        "ended_at",
        "error",
        "traceback",
        "steps",
        "worker",
        "eligible_at",
        "room_at",
        "slots",
        "asked_micros",
        "spans",
        "lines",
        "lost",
        "failure",
        "traceparent",
    ),
    UserStep: ("name", "started_at", "micros", "inside", "error"),
    LogLine: ("at", "level", "text"),
    Frame: ("file", "line", "function", "source", "own"),
    Fault: ("kind", "message", "frames", "link"),
    Failure: ("fingerprint", "chain"),
    Tail: ("count", "lines"),
    TimetableRow: ("schedule", "version", "moment", "until", "count", "fate", "run_id", "due_at", "state"),
}

OPTIONS = Options(
    retry=Backoff(attempts=5, growth=Growth.LISTED, delays_seconds=(1.0, 60.0)),
    timeout_seconds=5.0,
    on_unknown=OnUnknown.ASK,
    keep_result=False,
    repeat_seconds=30.0,
)
OPTIONS_JSON = (
    b'{"retry":{"attempts":5,"growth":"listed","delays_seconds":[1.0,60.0]},"timeout_seconds":5.0,'
    b'"on_unknown":"ask","keep_result":false,"repeat_seconds":30.0}'
)
SCHEDULE = Schedule(
    name="daily/report", task="report", trigger=b"[1]", version=3, overlap=Overlap.QUEUE_ONE, overlap_max=2
)
SCHEDULE_JSON = (
    b'{"name":"daily/report","task":"report","trigger":"WzFd","version":3,"overlap":"queue_one","overlap_max":2}'
)


@pytest.mark.parametrize(("record", "golden"), ARRAYS)
def test_a_record_is_written_as_it_always_was(record: Any, golden: str) -> None:
    assert pack(record).hex() == golden


@pytest.mark.parametrize(("record", "golden"), ARRAYS + BEFORE_TIES + BEFORE_TRACES)
def test_a_record_that_was_written_is_read(record: Any, golden: str) -> None:
    assert msgspec.msgpack.decode(bytes.fromhex(golden), type=type(record)) == record


@pytest.mark.parametrize("kind", FIELDS)
def test_fields_are_only_ever_appended(kind: type) -> None:
    known = FIELDS[kind]
    assert kind.__struct_fields__[: len(known)] == known  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", FIELDS)
def test_every_field_has_its_golden_bytes(kind: type) -> None:
    """A field that was appended needs a record above that holds it."""
    assert len(kind.__struct_fields__) == len(FIELDS[kind])  # type: ignore[attr-defined]


@pytest.mark.parametrize("record", [RUN, ATTEMPT, TRACED, ROW])
def test_an_older_program_reads_a_newer_record(record: Any) -> None:
    newer = [*msgspec.to_builtins(record, builtin_types=(bytes,)), "a field of tomorrow", 7]
    assert msgspec.msgpack.decode(pack(newer), type=type(record)) == record


def test_a_newer_program_reads_an_older_record() -> None:
    older = msgspec.to_builtins(RUN, builtin_types=(bytes,))[:3]
    assert msgspec.msgpack.decode(pack(older), type=Run) == Run(1, RUN.id, RUN.task)
    older = msgspec.to_builtins(ATTEMPT)[:5]
    assert msgspec.msgpack.decode(pack(older), type=Attempt) == Attempt(1, 2, 77, "5e55", State.FAILED)


def test_options_are_written_and_read_as_they_always_were() -> None:
    assert msgspec.json.encode(OPTIONS) == OPTIONS_JSON
    assert msgspec.json.decode(OPTIONS_JSON, type=Options) == OPTIONS


def test_a_schedule_is_written_and_read_as_it_always_was() -> None:
    assert msgspec.json.encode(SCHEDULE) == SCHEDULE_JSON
    assert msgspec.json.decode(SCHEDULE_JSON, type=Schedule) == SCHEDULE
    assert msgspec.msgpack.decode(pack(SCHEDULE), type=Schedule) == SCHEDULE


def test_named_fields_of_tomorrow_do_not_disturb() -> None:
    assert msgspec.json.decode(b'{"of_tomorrow":1,' + OPTIONS_JSON[1:], type=Options) == OPTIONS
    assert msgspec.json.decode(b'{"of_tomorrow":1,' + SCHEDULE_JSON[1:], type=Schedule) == SCHEDULE


def test_what_is_as_the_task_says_takes_no_room() -> None:
    assert msgspec.json.encode(Options()) == b"{}"


def test_a_report_of_a_run_under_way_holds_its_progress_and_its_log() -> None:
    tail = Tail(7, (LogLine(2, "INFO", "seven\nlines"),))
    packed = b'{"done":3}\n[7,[[2,"INFO","seven\\nlines"]]]'
    assert pack_report(b'{"done":3}', tail) == packed
    assert split_report(packed) == (b'{"done":3}', tail)
    assert pack_report(b"3", Tail()) == b"3" and split_report(b"3") == (b"3", Tail())
    assert split_report(b"") == (b"", Tail()) and split_report(pack_report(b"", tail)) == (b"", tail)
    assert split_report(b'3\n{"of":"tomorrow"}') == (b"3", Tail())
