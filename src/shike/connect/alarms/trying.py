"""A letter that says it is a test: whether a channel works is better known before it is needed."""

from __future__ import annotations

from shike.clock import SystemClock
from shike.connect.alarms.base import Letter, Told
from shike.connect.alarms.sayings import ENGLISH, sentence
from shike.track.alarm import Alarm, Notice, Phase, id_of


def letter(source: str = "shike", language: str = ENGLISH) -> Letter:
    """One alarm, raised now, about nothing."""
    now = SystemClock().wall()
    alarm = Alarm(
        id=id_of("test", "test"),
        rule="test",
        subject="test",
        phase=Phase.RAISED,
        words=sentence("test", {}),
        saying="test",
        count=1.0,
        since=now,
        raised_at=now,
    )
    return Letter(
        identity=f"alarm-test-{now}", at=now, source=source, told=(Told(alarm, Notice.RAISED),), language=language
    )
