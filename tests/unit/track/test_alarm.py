"""The row of an alarm, as it lies in stores: what was written once is read for ever (R2.9)."""

from __future__ import annotations

from shike.track.alarm import Alarm, Notice, Owed, Phase, decoded, encoded, id_of, key_of

ALARM = Alarm(
    id="8f3a", rule="late:mail>30s", subject="mail", phase=Phase.RAISED, words="a run waits", count=31.5, since=1,
    seen_at=2, raised_at=3, told_at=4, told_count=31.5, is_told=True, acked_at=5, acked_by="lin", owner="ops",
    owed=(Owed(channel="slack", notice=Notice.AGAIN, tries=1, next_at=6),), untold=("mail",),
)  # fmt: skip
GOLDEN = (
    b'{"id":"8f3a","rule":"late:mail>30s","subject":"mail","phase":"raised","words":"a run waits","count":31.5,'
    b'"since":1,"seen_at":2,"raised_at":3,"told_at":4,"told_count":31.5,"is_told":true,"acked_at":5,"acked_by":"lin","owner":"ops",'
    b'"owed":[{"channel":"slack","notice":"again","tries":1,"next_at":6}],"untold":["mail"]}'
)


def test_its_bytes_are_those_that_were_written_once() -> None:
    assert encoded(ALARM) == GOLDEN
    assert decoded(GOLDEN) == ALARM


def test_what_a_newer_version_adds_is_passed_over_and_what_is_none_is_left_alone() -> None:
    assert decoded(GOLDEN[:-1] + b',"mood":"bad"}') == ALARM
    assert decoded(b'{"id":"x"}') is None
    assert decoded(b"paused by hand") is None


def test_an_alarm_is_known_by_its_rule_and_its_subject() -> None:
    assert id_of("dead", "pay") == "572faf6d2565" != id_of("dea", "dpay")
    assert key_of("8f3a") == "alarm/8f3a"
