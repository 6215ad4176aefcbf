"""From what a user writes to a schedule: exactly one kind, words that are checked, values from configuration."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from shike.app import Shike
from shike.clock import MICROS, to_micros
from shike.declare import configured, trigger_of
from shike.errors import BadInput, BadSetting, BadTime, CronError, DuplicateName, TriggerError, ZoneError
from shike.model import Misfire, Options, Overlap, Schedule
from shike.trigger import Cron, Every, Once, cron


def declare(**words: Any) -> Schedule:
    """A schedule of a task that takes one optional argument."""
    app = Shike("memory://", values={"PERIOD": "90s", "EXPR": "0 9 * * *"})

    @app.task(name="report", queue="slow", band=2, owner="team")
    async def report(n: int = 1) -> None: ...

    return app.schedule(words.pop("what", report), **words)


# ---------------------------------------------------------------- one kind


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ({"cron": "0 9 * * mon-fri", "tz": "Asia/Shanghai"}, Cron),
        ({"trigger": "@daily"}, Cron),
        ({"trigger": cron("0 0 * * *")}, Cron),
        ({"every": "90s", "initial_delay": "5s"}, Every),
        ({"delay": "10m"}, Every),
        ({"at": datetime(2030, 1, 1, tzinfo=UTC)}, Once),
    ],
)
def test_each_way_to_say_when_makes_its_trigger(words: dict[str, Any], kind: type) -> None:
    assert isinstance(trigger_of(declare(**words)), kind)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ({}, TriggerError),
        ({"cron": "* * * * *", "every": "5m"}, TriggerError),
        ({"every": "5m", "delay": "5m"}, TriggerError),
        ({"trigger": cron("0 0 * * *"), "at": datetime(2030, 1, 1, tzinfo=UTC)}, TriggerError),
        ({"cron": "* * * * *", "initial_delay": "5m"}, TriggerError),
        ({"at": datetime(2030, 1, 1, tzinfo=UTC), "initial_delay": "5m"}, TriggerError),
        ({"every": "5m", "tz": "Asia/Shanghai"}, TriggerError),
        ({"cron": "0 0 31 2 *"}, TriggerError),
        ({"cron": "61 * * * *"}, CronError),
        ({"cron": "0 9 * * *", "tz": "Mars/Olympus"}, ZoneError),
        ({"at": datetime(2030, 1, 1)}, BadTime),
        ({"every": "-5m"}, BadInput),
        ({"every": "soon"}, BadInput),
        ({"every": 0}, BadInput),
        ({"every": "5m", "initial_delay": "-5m"}, BadInput),
        ({"every": "5m", "start": datetime(2030, 1, 1)}, BadTime),
        ({"every": "5m", "start": "tomorrow"}, BadInput),
        (
            {"every": "5m", "start": datetime(2030, 1, 2, tzinfo=UTC), "end": datetime(2030, 1, 1, tzinfo=UTC)},
            BadTime,
        ),
        ({"every": "5m", "misfire": "ignore"}, BadInput),
        ({"every": "5m", "overlap": "maybe"}, BadInput),
        ({"every": "5m", "misfire": "within"}, BadInput),
        ({"every": "5m", "misfire_window": "1h"}, BadInput),
        ({"every": "5m", "jitter": "-1s"}, BadInput),
        ({"every": "5m", "grace": "1s"}, BadInput),
        ({"every": "5m", "group": "a/b"}, BadInput),
        ({"every": "5m", "name": "a b"}, BadInput),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_is_declared(words: dict[str, Any], kind: type[BadInput]) -> None:
    with pytest.raises(kind):
        declare(**words)


def test_two_schedules_of_one_name_are_refused_and_of_one_function_are_not() -> None:
    app = Shike("memory://")

    @app.task(name="report")
    async def report() -> None: ...

    app.schedule(report, every="5m")
    with pytest.raises(DuplicateName):
        app.schedule(report, every="6m")
    app.schedule(report, every="6m", name="again")
    app.schedule(report, every="7m", group="other")
    assert [one.name for one in app.schedules] == ["default/report", "default/again", "other/report"]


@pytest.mark.parametrize("how", ["key", "at", "in"])
def test_a_call_with_a_time_or_a_key_of_its_own_cannot_be_scheduled(how: str) -> None:
    app = Shike("memory://")

    @app.task(name="report")
    async def report() -> None: ...

    call = {
        "key": report.options(key="k").bind(),
        "at": report.at(datetime(2030, 1, 1, tzinfo=UTC)).bind(),
        "in": report.in_("5m").bind(),
    }[how]
    with pytest.raises(BadInput, match="cannot be scheduled"):
        app.schedule(call, every="5m")


# ---------------------------------------------------------------- what it says


def test_a_schedule_takes_over_what_its_task_and_its_call_say() -> None:
    schedule = declare(
        every="5m", misfire="all", misfire_grace="2m", overlap="queue_one", jitter="10s", count=3, expires="1h",
        start=datetime(2030, 1, 1, tzinfo=UTC), end=datetime(2031, 1, 1, tzinfo=UTC), name="r", group="g",
    )  # fmt: skip
    assert (schedule.name, schedule.task, schedule.queue, schedule.band, schedule.owner) == (
        "g/r", "report", "slow", 2, "team",
    )  # fmt: skip
    assert (schedule.misfire, schedule.overlap) == (Misfire.ALL, Overlap.QUEUE_ONE)
    assert (schedule.misfire_grace_seconds, schedule.jitter_seconds, schedule.expires_seconds) == (120, 10, 3_600)
    assert (schedule.count, schedule.start_at) == (3, to_micros(datetime(2030, 1, 1, tzinfo=UTC)))
    assert schedule.tz_version, "which rules of time zones it was made under"


def test_only_a_fixed_delay_plans_its_next_moment_at_the_end_of_a_run() -> None:
    def repeat_seconds(schedule: Schedule) -> float | None:
        return msgspec.json.decode(schedule.options or b"{}", type=Options).repeat_seconds

    assert repeat_seconds(declare(delay="10m")) == 600.0
    assert repeat_seconds(declare(every="10m")) is None
    trigger = trigger_of(declare(delay="10m"))
    assert isinstance(trigger, Every) and trigger.interval_micros == 600 * MICROS


# ---------------------------------------------------------------- values from elsewhere (R3.11)


def test_values_come_from_the_settings_then_the_environment_then_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERIOD", "1h")
    monkeypatch.setenv("OTHER", "2h")
    values = {"PERIOD": "90s"}
    assert configured("${PERIOD}", values) == "90s"
    assert configured("${OTHER}", values) == "2h"
    assert configured("${NOWHERE:-3h}", values) == "3h"
    assert configured("${NOWHERE:-}", values) == ""
    assert configured("0 ${HOUR:-9} * * ${DAYS:-mon-fri}", values) == "0 9 * * mon-fri"
    assert configured("no reference: $PERIOD {PERIOD}", values) == "no reference: $PERIOD {PERIOD}"


def test_a_value_that_is_no_text_is_refused() -> None:
    with pytest.raises(BadSetting, match="the value of PERIOD is 5; give a text"):
        configured("${PERIOD}", {"PERIOD": 5})  # type: ignore[dict-item]


def test_a_value_that_is_nowhere_is_asked_for_by_name() -> None:
    with pytest.raises(BadSetting, match="NOWHERE"):
        declare(every="${NOWHERE}")


def test_triggers_are_filled_in_from_configuration() -> None:
    trigger = trigger_of(declare(every="${PERIOD}"))
    assert isinstance(trigger, Every) and trigger.interval_micros == 90 * MICROS
    assert isinstance(trigger_of(declare(cron="${EXPR}")), Cron)


def test_a_dash_switches_a_schedule_off() -> None:
    assert trigger_of(declare(cron="${SWITCHED_OFF:--}")).next(None) is None
