"""What is written must be read for ever: golden bytes of frames and snapshots, and room for further fields."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from shike.errors import DamagedJournal
from shike.reserve import commands, events, snapshot
from shike.reserve.applying import APPLY
from shike.reserve.deciding import DECIDE
from shike.reserve.journal import frames
from shike.reserve.ledger import ANSWERS
from shike.reserve.model import Move
from tests.unit.reserve.worlds import AT, ask, held, hold, opened, pool, same

HELD = (
    b'1 [["Held",1800000000000000,"c",1,"seat",0,2,[0,1],["p","q"],1800000900000000,"net",700,false,[[3,0,2]]],'
    b'["Confirmed",1800000000000000,"d",1,"pay"],["Expired",1800000000000000,"e",2]]'
)


def test_the_golden_bytes_of_a_frame() -> None:
    told = [
        events.Held(
            AT, "c", 1, "seat", 0, 2, (0, 1), ("p", "q"), AT + 900_000_000, "net", 700, False, (Move(3, 0, 2),)
        ),
        events.Confirmed(AT, "d", 1, "pay"),
        events.Expired(AT, "e", 2),
    ]
    frame = frames.encode("L", 4, 7, told)
    assert frame.body == HELD
    assert frames.decode(frame, 4, 7) == told


def test_fields_that_were_appended_are_read_over_and_those_that_are_missing_filled_in() -> None:
    decoder = msgspec.json.Decoder(events.AnyEvent)
    assert decoder.decode(b'["Confirmed",5,"d",1,"pay","something new"]') == events.Confirmed(5, "d", 1, "pay")
    short = decoder.decode(b'["Held",5,"c",1,"seat",0,2,[0],[],9]')
    assert short == events.Held(5, "c", 1, "seat", 0, 2, (0,), (), 9)


def test_a_record_of_a_newer_kind_is_left_to_the_program_that_wrote_it() -> None:
    frame = frames.encode("L", 0, 0, [events.Expired(AT, "e", 2)])
    body = b"2" + frame.body[1:]
    newer = msgspec.structs.replace(frame, body=body, checksum=frames.checksum("L", 0, 1, 0, body))
    with pytest.raises(DamagedJournal, match="newer program"):
        frames.decode(newer, 0, 0)
    with pytest.raises(DamagedJournal, match="newer version"):
        snapshot.decode(snapshot.encode(opened().state).replace(b"[1,", b"[2,", 1))


def test_a_snapshot_has_all_that_a_later_command_looks_at() -> None:
    """Also who asked for what before: a repeat is answered after a restart."""
    ledger = opened(pool(size=4), segments=4)
    command = commands.Hold("mine", AT, "seat", 1, 3, people=("p",))
    first = held(ledger.do(command))
    ask(ledger, commands.Confirm, first.order, "pay")
    ask(ledger, commands.Confirm, 9, "for nothing")
    ask(ledger, commands.Block, "seat", (3,), 1, 2)
    ask(ledger, commands.SetPrices, "seat", (1, 2, 3, 4))
    ask(ledger, commands.Join, "seat", 0, 4, 4)
    ask(ledger, commands.Advance, 1)
    read = snapshot.decode(snapshot.encode(ledger.state))
    assert same(read, ledger.state)
    assert (read.people, read.done["mine"], read.orphans) == ({"p": 0b0110}, first, {"for nothing": 9})
    assert read.pools["seat"].prices == (1, 2, 3, 4) and len(read.queues) == 1


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'[1,"x"]', b"[1,2"])
def test_what_is_no_snapshot_is_told_so(data: bytes) -> None:
    with pytest.raises(DamagedJournal, match="cannot be read"):
        snapshot.decode(data, "L")


def test_every_command_is_decided_every_event_applied_and_every_answer_known() -> None:
    asked: tuple[Any, ...] = get_args(commands.AnyCommand)
    told: tuple[Any, ...] = get_args(events.AnyEvent)
    assert set(asked) == set(DECIDE) == set(ANSWERS)
    assert set(told) == set(APPLY) == {event for some in ANSWERS.values() for event in some}
    assert isinstance(hold(opened(), 0, 1), events.Held)
