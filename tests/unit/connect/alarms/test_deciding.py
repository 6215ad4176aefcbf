"""What becomes of an alarm (R2.9): raised after its time, told once, again when worse, over when it stays away."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shike.clock import MICROS
from shike.connect.alarms.base import Finding, Pace
from shike.connect.alarms.bounds import KEPT_SECONDS
from shike.connect.alarms.deciding import Case, found, missing
from shike.track.alarm import Alarm, Notice, Phase

START = 1_767_225_600
PACE = Pace(after=60.0, repeat=3_600.0, quiet=300.0, recover=120.0)


class Story:
    """One alarm, from look to look; what was owed is told at once."""

    def __init__(self, pace: Pace = PACE) -> None:
        self.alarm: Alarm | None = None
        self.told: list[tuple[int, Notice]] = []
        self.pace = pace

    def look(self, at: int, count: float = 0.0) -> Alarm | None:
        """At so many seconds; with a count: it holds."""
        case = Case(
            rule="late", after_seconds=self.pace.after or 0.0, pace=self.pace, channels=("one", "two"),
            now=(START + at) * MICROS,
        )  # fmt: skip
        if count:
            self.alarm = found(self.alarm, Finding(subject="mail", words=f"{count:g}", count=count), case)
        elif self.alarm is not None:
            self.alarm = missing(self.alarm, case)
        if self.alarm is not None and self.alarm.owed:
            assert sorted(one.channel for one in self.alarm.owed) == ["one", "two"], "every channel, once"
            self.told += [(at, self.alarm.owed[0].notice)]
            self.alarm = replace(self.alarm, owed=())
        return self.alarm

    @property
    def phase(self) -> Phase:
        assert self.alarm is not None
        return self.alarm.phase


def test_it_is_raised_when_it_has_lasted_and_over_when_it_stays_away() -> None:
    story = Story()
    story.look(0, 1)
    assert story.phase is Phase.WATCHED
    for at in (30, 60, 90, 120):
        story.look(at, 1)
    assert story.told == [(60, Notice.RAISED)]
    story.look(150)
    assert story.phase is Phase.EASED
    story.look(180, 1)
    assert story.phase is Phase.RAISED
    for at in range(210, 600, 30):
        story.look(at)
    assert story.told == [(60, Notice.RAISED), (330, Notice.OVER)]
    assert story.phase is Phase.OVER


def test_what_passes_before_its_time_was_nothing() -> None:
    story = Story()
    story.look(0, 1)
    assert story.look(30) is None and story.told == []


def test_reminders_come_until_somebody_takes_it_over_and_the_end_is_told_anyway() -> None:
    story = Story(replace(PACE, after=0.0))
    for at in range(0, 7_300, 100):
        story.look(at, 1)
    assert story.told == [(0, Notice.RAISED), (3_600, Notice.AGAIN), (7_200, Notice.AGAIN)]
    assert story.alarm is not None
    story.alarm = replace(story.alarm, acked_by="lin", acked_at=1)
    for at in range(7_300, 20_000, 100):
        story.look(at, 1 if at < 15_000 else 0)
    assert story.told[3:] == [(15_200, Notice.OVER)]


def test_twice_as_bad_is_told_before_the_reminder() -> None:
    story = Story(replace(PACE, after=0.0))
    story.look(0, 10)
    story.look(100, 40)
    assert story.told == [(0, Notice.RAISED)], "not so soon"
    story.look(400, 15)
    story.look(500, 20)
    assert story.told[1:] == [(500, Notice.AGAIN)]
    story.look(900, 30)
    assert len(story.told) == 2


def test_what_comes_and_goes_is_told_at_most_once_in_its_quiet_time() -> None:
    story = Story(Pace(after=0.0, repeat=0.0, quiet=300.0, recover=0.0))
    for at in range(0, 3_000, 10):
        story.look(at, at // 10 % 2)
    raised = [at for at, notice in story.told if notice is Notice.RAISED]
    over = [at for at, notice in story.told if notice is Notice.OVER]
    assert all(later - before >= 300 for before, later in pairwise(raised))
    assert len(raised) - len(over) in (0, 1) and 5 <= len(raised) <= 10


def test_what_is_over_is_forgotten_after_a_week() -> None:
    story = Story(Pace(after=0.0, recover=0.0))
    story.look(0, 1)
    story.look(10)
    assert story.look(10 + int(KEPT_SECONDS) - 1) is not None
    assert story.look(10 + int(KEPT_SECONDS)) is None


def test_a_clock_that_is_set_back_silences_nothing() -> None:
    story = Story(replace(PACE, after=0.0))
    story.look(100_000, 1)
    story.look(0, 1)
    assert story.told == [(100_000, Notice.RAISED), (0, Notice.AGAIN)]
    story.look(10)
    story.look(140)
    assert story.told[2:] == [(140, Notice.OVER)]
    story.look(500, 1)
    assert story.told[3:] == [(500, Notice.RAISED)]
    story.look(600)
    story.look(50)
    assert story.phase is Phase.OVER, "gone at an instant that is still to come"


@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(0, 3)), max_size=80),
    st.sampled_from([Pace(after=a, repeat=r, quiet=q, recover=c) for a in (0.0, 90.0) for r in (0.0, 500.0)
                     for q in (0.0, 300.0) for c in (0.0, 200.0)]),
)  # fmt: skip
def test_whatever_happens_raised_and_over_take_turns(looks: list[tuple[int, int]], pace: Pace) -> None:
    """An end is told of what was told, and of nothing else; a reminder only while it lasts."""
    story, at = Story(pace), 0
    for pause, count in looks:
        at += pause
        story.look(at, count)
    is_raised = False
    for _, notice in story.told:
        assert (notice is Notice.RAISED) is not is_raised, story.told
        is_raised = notice is not Notice.OVER
