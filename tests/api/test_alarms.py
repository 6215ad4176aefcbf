"""Alarms over HTTP (R2.9): listed, and taken over by name."""

from __future__ import annotations

from shike.connect.alarms.trying import letter
from shike.server.roles import Role
from shike.track.alarm import encoded, key_of
from tests.api.house import House, visit

ALARM = letter().told[0].alarm


def test_alarms_are_listed_and_taken_over_once() -> None:
    async def story(house: House) -> None:
        assert (await house.ask("GET", "/alarms", role=Role.VIEWER)).body == {"alarms": []}
        await house.store.put(key_of(ALARM.id), encoded(ALARM), expect=0)
        (shown,) = (await house.ask("GET", "/alarms", role=Role.VIEWER)).body["alarms"]
        assert (shown["id"], shown["phase"], shown["words"]) == (ALARM.id, "raised", ALARM.words)
        assert "shike_alarms 1\n" in (await house.ask("GET", "/metrics")).body
        path = f"/alarms/{ALARM.id}/ack"
        assert (await house.ask("POST", path, {}, role=Role.VIEWER)).status == 403
        taken = await house.ask("POST", path, {}, role=Role.OPERATOR)
        assert (taken.status, taken.body["acked_by"]) == (200, "operator")
        assert (await house.ask("POST", path, {}, role=Role.OPERATOR)).status == 200, "again is harmless"
        assert (await house.ask("POST", path, {}, role=Role.EDITOR)).status == 409
        assert (await house.ask("POST", "/alarms/ffff/ack", {})).status == 404
        assert (await house.ask("POST", "/alarms/%2e%2e/ack", {})).status == 404
        deeds = [one["deed"] for one in (await house.ask("GET", "/log?limit=20")).body["entries"]]
        assert f"POST /api/v1{path}" in deeds

    visit(story)
