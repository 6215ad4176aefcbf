"""Schedules over HTTP (R0.1, R0.2): made, edited, paused, listed ahead; what cannot be is refused, with the field."""

from __future__ import annotations

from typing import Any

import pytest

from shike.server.roles import Role
from tests.api.house import House, visit

HOURLY = {"task": "pay", "arguments": {"order": 1}, "cron": "0 * * * *", "tz": "Asia/Shanghai"}


def test_a_schedule_is_made_edited_and_deleted_and_each_step_compares() -> None:
    async def story(house: House) -> None:
        path = "/schedules/default/hourly"
        made = await house.ask("PUT", path, HOURLY, if_none_match="*")
        assert made.status == 201 and made.headers["location"] == "/api/v1/schedules/default/hourly"
        assert (await house.ask("PUT", path, HOURLY, if_none_match="*")).status == 412
        seen = made.headers["etag"]
        edited = await house.ask("PUT", path, HOURLY | {"cron": "30 * * * *"}, if_match=seen)
        assert edited.status == 200 and edited.body["schedule"]["version"] == made.body["schedule"]["version"] + 1
        assert (await house.ask("PUT", path, HOURLY, if_match=seen)).status == 412
        assert (await house.ask("DELETE", path, if_match=seen)).status == 412
        assert (await house.ask("GET", path, if_none_match=edited.headers["etag"])).status == 304
        assert (await house.ask("DELETE", path, if_match=edited.headers["etag"])).status == 204
        assert (await house.ask("GET", path)).status == 404
        assert (await house.ask("PUT", path, HOURLY, if_match=seen)).status == 412
        assert (await house.ask("PUT", path, HOURLY)).status == 201

    visit(story)


def test_tomorrows_firings_are_listed_today() -> None:
    """R0.2: hourly, so tomorrow has 24."""

    async def story(house: House) -> None:
        await house.ask("PUT", "/schedules/default/hourly", HOURLY)
        said = await house.ask("GET", "/schedules/default/hourly/next?limit=24")
        moments = [one["moment"] for one in said.body["moments"]]
        assert len(moments) == 24 == len(set(moments)) and all(one.endswith(":00:00Z") for one in moments)

    visit(story)


def test_it_is_paused_with_a_reason_and_resumed() -> None:
    async def story(house: House) -> None:
        await house.ask("PUT", "/schedules/default/hourly", HOURLY)
        paused = await house.ask("POST", "/schedules/default/hourly/pause", {"reason": "db"}, role=Role.OPERATOR)
        assert (paused.body["schedule"]["paused"], paused.body["schedule"]["reason"]) == (True, "db")
        assert (await house.ask("POST", "/schedules/default/hourly/pause", {})).field == "reason"
        late = {"reason": "x", "until": "2020-01-01T00:00:00Z"}
        assert (await house.ask("POST", "/schedules/default/hourly/pause", late)).field == "until"
        resumed = await house.ask("POST", "/schedules/default/hourly/resume", role=Role.OPERATOR)
        assert "paused" not in resumed.body["schedule"]
        (one,) = (await house.ask("GET", "/schedules?lang=zh")).body["schedules"]
        assert one["name"] == "default/hourly" and one["words"] and one["next"]

    visit(story)


def test_what_was_missed_is_counted_and_filled_up() -> None:
    async def story(house: House) -> None:
        await house.ask("PUT", "/schedules/default/hourly", HOURLY)
        day = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
        dry = await house.ask("POST", "/schedules/default/hourly/backfill", day | {"dry_run": True})
        assert (dry.status, dry.body["moments"], dry.body["to_run"]) == (200, 24, 24)
        done = await house.ask("POST", "/schedules/default/hourly/backfill", day)
        again = await house.ask("POST", "/schedules/default/hourly/backfill", day)
        assert (done.body["to_run"], again.body["to_run"], again.body["left_out"]) == (24, 0, 24)
        backwards = {"start": day["end"], "end": day["start"]}
        assert (await house.ask("POST", "/schedules/default/hourly/backfill", backwards)).field == "end"

    visit(story)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"cron": None}, ""),
    ({"every": "1h"}, "cron"),
    ({"cron": "61 * * * *"}, "cron"),
    ({"cron": "${SHIKE_STORE}"}, "cron"),
    ({"cron": None, "every": "${HOME}"}, "every"),
    ({"cron": None, "every": "never"}, "every"),
    ({"cron": None, "every": -5}, "every"),
    ({"tz": "Mars/Olympus"}, "tz"),
    ({"arguments": {"order": "x"}}, "arguments"),
    ({"misfire": "shrug"}, "misfire"),
    ({"misfire": "within"}, "misfire_window"),
    ({"overlap_max": -1}, "overlap_max"),
    ({"jitter": "much"}, "jitter"),
    ({"priority": 9}, "priority"),
    ({"start": "2026-01-01"}, "start"),
    ({"colour": "red"}, "colour"),
    ({"queue": "a,b"}, "queue"),
]


@pytest.mark.parametrize(("change", "field"), BAD, ids=[f"{field}-{n}" for n, (_, field) in enumerate(BAD)])
def test_what_cannot_be_scheduled_is_refused_with_its_field_and_nothing_is_made(
    change: dict[str, Any], field: str
) -> None:
    async def story(house: House) -> None:
        sent = {name: value for name, value in (HOURLY | change).items() if value is not None}
        if "cron" not in sent:
            sent.pop("tz")
        said = await house.ask("PUT", "/schedules/default/hourly", sent)
        assert said.status == 422 and said.field == field, said
        assert (await house.ask("GET", "/schedules")).body["schedules"] == []

    visit(story)


@pytest.mark.parametrize("name", ["a%20b", "a%0Ab", "x" * 201])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    async def story(house: House) -> None:
        assert (await house.ask("PUT", f"/schedules/default/{name}", HOURLY)).status == 422

    visit(story)


def test_a_name_may_be_chinese() -> None:
    async def story(house: House) -> None:
        made = await house.ask("PUT", "/schedules/default/日报", HOURLY)
        assert made.status == 201 and made.headers["location"].isascii()
        assert (await house.ask("GET", made.headers["location"])).body["schedule"]["name"] == "default/日报"

    visit(story)


def test_what_stands_in_the_environment_is_not_told() -> None:
    async def story(house: House) -> None:
        for field in ("cron", "every", "delay"):
            said = await house.ask("PUT", "/schedules/default/x", {"task": "a", field: "${PATH}"})
            assert said.status == 422 and "/bin" not in said.body["detail"]

    visit(story)
