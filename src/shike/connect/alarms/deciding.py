"""What becomes of an alarm, from how it stood and what was found: pure, so that every way through it can be tested."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from msgspec import Struct
from msgspec.structs import replace

from shike.clock import MICROS
from shike.connect.alarms.base import Finding, Pace
from shike.connect.alarms.bounds import KEPT_SECONDS, LOOK_SECONDS, WORDS_CHARS_MAX, WORSE
from shike.track.alarm import Alarm, Notice, Owed, Phase, id_of

FRESH_SECONDS = 4 * LOOK_SECONDS  # so old may what a row says be: each look would be a write else


class Case(Struct, frozen=True, kw_only=True):
    """What an alarm is judged by."""

    rule: str
    after_seconds: float
    pace: Pace
    channels: Sequence[str]
    now: int


def found(before: Alarm | None, finding: Finding, case: Case) -> Alarm:
    """The condition holds."""
    now = case.now
    if before is None or before.phase is Phase.OVER:
        before = Alarm(
            id=id_of(case.rule, finding.subject),
            rule=case.rule,
            subject=finding.subject,
            phase=Phase.WATCHED,
            words="",
            since=now,
            over_at=before.over_at if before else 0,
            told_at=before.told_at if before else 0,  # who comes and goes is told of in its time
            owed=before.owed if before else (),
        )
    alarm = _seen(before, finding, now)
    if alarm.phase is Phase.EASED:
        alarm = replace(alarm, phase=Phase.RAISED, gone_at=0)
    if alarm.phase is Phase.WATCHED:
        if _rested(now, alarm.since) < case.after_seconds:
            return alarm
        alarm = replace(alarm, phase=Phase.RAISED, raised_at=now)
    return _told(alarm, case)


def missing(before: Alarm, case: Case) -> Alarm | None:
    """The condition does not hold; None: there is nothing left to be kept."""
    now = case.now
    if before.phase is Phase.WATCHED:
        return replace(before, phase=Phase.OVER) if before.over_at else None
    if before.phase is Phase.OVER:
        return None if _rested(now, before.over_at) >= KEPT_SECONDS and not before.owed else before
    if before.phase is Phase.RAISED:
        before = replace(before, phase=Phase.EASED, gone_at=now)
    if _rested(now, before.gone_at) < case.pace.recover:
        return before
    over = replace(before, phase=Phase.OVER, over_at=now)
    return _owing(over, Notice.OVER, case) if before.is_told else over


def _seen(alarm: Alarm, finding: Finding, now: int) -> Alarm:
    """With what is known now; where it was told lately, as it was."""
    if alarm.words and _rested(now, alarm.seen_at) < FRESH_SECONDS and finding.count < WORSE * alarm.count:
        return alarm
    words = finding.words[:WORDS_CHARS_MAX]
    about = {
        blank: value[:WORDS_CHARS_MAX] if isinstance(value, str) else value for blank, value in finding.about.items()
    }
    return replace(
        alarm, words=words, count=finding.count, seen_at=now, owner=finding.owner, saying=finding.saying, about=about
    )


def _told(alarm: Alarm, case: Case) -> Alarm:
    """It is raised: whether somebody has to be told, now."""
    rested = _rested(case.now, alarm.told_at)
    if alarm.told_at and rested < case.pace.quiet:
        return alarm
    if not alarm.is_told:
        return _owing(alarm, Notice.RAISED, case)
    if alarm.acked_at:
        return alarm
    is_worse = alarm.count >= WORSE * alarm.told_count > 0
    is_due = case.pace.repeat > 0 and rested >= case.pace.repeat
    return _owing(alarm, Notice.AGAIN, case) if is_worse or is_due else alarm


def _rested(now: int, then: int) -> float:
    """The seconds since an instant. One that lies ahead is of before the clock was set back: long ago."""
    return (now - then) / MICROS if then <= now else inf


def _owing(alarm: Alarm, notice: Notice, case: Case) -> Alarm:
    """Every channel is to be told; one that was not told yet of its last reminder needs no second one."""
    kept = tuple(one for one in alarm.owed if one.notice is not notice)
    owed = (*kept, *(Owed(channel=channel, notice=notice) for channel in case.channels))
    return replace(alarm, owed=owed, told_at=case.now, told_count=alarm.count, is_told=True)
