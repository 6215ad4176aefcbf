"""Staff over HTTP: heat, refusals by cause, quotas, advice with before and after, disruption; each deed in the log
(R1.4, R1.5, P10)."""

from __future__ import annotations

import re

import pytest

from shike.rail.refusals import Refusals
from shike.server.roles import Role
from tests.api.rail.railway import K1, K9, Railway, at, ride_along
from tests.unit.rail.shop import DAY


def test_heat_tells_each_seat_along_the_line() -> None:
    async def story(here: Railway) -> None:
        token = await here.passenger()
        await here.buy(token, "1", "A C")
        await here.hold(token, "2", "B D")
        said = await here.ask("GET", at(K1, "heat?class=second"), role=Role.VIEWER)
        assert said.body["taken"] == [1, 2, 1] and len(said.body["seats"]) == 3
        assert sorted((one["from"], one["to"], one["state"]) for one in said.body["takes"]) == [
            (0, 2, "confirmed"),
            (1, 3, "held"),
        ]

    ride_along(story)


def test_refusals_are_counted_by_cause_and_section() -> None:
    async def story(here: Railway) -> None:
        await here.fill("B C")
        token = await here.passenger()
        for number in range(2):
            await here.hold(token, f"9{number}")
        said = await here.ask("GET", at(K1, "refusals"), role=Role.VIEWER)
        assert said.body["by_reason"] == {"full": 2}
        assert said.body["by_section"] == [{"reason": "full", "from": "A", "to": "D", "count": 2}]

    ride_along(story)


def test_refusals_are_those_of_all_processes() -> None:
    async def story(here: Railway) -> None:
        elsewhere = Refusals(here.house.books)
        elsewhere.note(K1, "quota", "A", "B")
        await elsewhere.keep()
        await here.fill("B C")
        await here.hold(await here.passenger(), "9")
        said = await here.ask("GET", at(K1, "refusals"), role=Role.VIEWER)
        assert said.body["by_reason"] == {"full": 1, "quota": 1}
        day = await here.ask("GET", f"/departures?date={DAY}", role=Role.VIEWER)
        assert {one["train"]: one["refused"] for one in day.body["departures"]}[K1] == 2

    ride_along(story)


def test_a_day_with_many_trains_is_told_in_pages_and_found_by_name_station_or_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shike.rail.web.staff_pages.TRAINS_A_PAGE", 2)

    async def shown(here: Railway, query: str) -> tuple[list[str], int]:
        page = await here.ask("GET", f"/rail/staff/day?date={DAY}&{query}", role=Role.VIEWER)
        assert page.status == 200
        return re.findall(r">(K\d)</a></th>", page.body), page.body.count("&page=") + page.body.count("&amp;page=")

    async def story(here: Railway) -> None:
        here.house.refusals.note(f"K3/{DAY}/1", "full", "D", "G")
        first, links = await shown(here, "")
        assert (first, links) == (["K1", "K5"], 2)
        assert (await shown(here, "page=2"))[0] == ["K2", "K3"]
        assert (await shown(here, "text=k2"))[0] == ["K2"]
        assert (await shown(here, "text=g"))[0] == ["K5", "K3"]  # a station of theirs
        assert (await shown(here, "order=refused"))[0] == ["K3", "K1"]
        assert (await shown(here, "text=nowhere"))[0] == []
        for odd in ("page=0", "order=sideways", "page=many"):
            assert (await here.ask("GET", f"/rail/staff/day?{odd}", role=Role.VIEWER)).status == 422

    ride_along(story)


def test_a_quota_is_set_holds_and_is_dropped() -> None:
    async def story(here: Railway) -> None:
        keep = {"kind": "min", "class": "second", "from": "A", "to": "D", "count": 3}
        said = await here.ask("PUT", at(K1, "rules/long"), keep, role=Role.OPERATOR)
        assert [(one["name"], one["count"], one["to"]) for one in said.body["rules"]] == [("long", 3, "D")]
        token = await here.passenger()
        refused = await here.hold(token, "1", "A B")
        assert refused.status == 409 and refused.body["reason"] == "quota" and refused.body["rule"] == "long"
        dropped = await here.ask("DELETE", at(K1, "rules/long"), role=Role.OPERATOR)
        assert dropped.body["rules"] == [] and (await here.hold(token, "2", "A B")).status == 201
        bad = await here.ask("PUT", at(K1, "rules/odd"), {**keep, "kind": "maybe"}, role=Role.OPERATOR)
        assert bad.status == 422 and bad.body["field"] == "kind"

    ride_along(story)


def test_advice_shows_before_and_after_and_prices_bind() -> None:
    async def story(here: Railway) -> None:
        said = await here.ask("GET", at(K1, "advice?class=second&load=2.0"), role=Role.VIEWER)
        assert [one["policy"] for one in said.body["played"]] == ["as_it_is", "with_rules", "with_prices"]
        assert len(said.body["prices"]) == 3 and said.body["best_cents"] > 0
        assert (await here.ask("GET", at(K1, "availability"))).body["version"] == 1, "asking changes nothing"
        dear = {"class": "second", "prices": [10**6] * 3}
        assert (await here.ask("POST", at(K1, "prices"), dear, role=Role.OPERATOR)).status == 200
        token = await here.passenger()
        assert (await here.hold(token, "1")).body["reason"] == "price"
        none = {"class": "second", "prices": []}
        assert (await here.ask("POST", at(K1, "prices"), none, role=Role.OPERATOR)).body["prices"] == {}
        assert (await here.hold(token, "2")).status == 201

    ride_along(story)


def test_a_train_that_does_not_run_gives_everything_back() -> None:
    async def story(here: Railway) -> None:
        token = await here.passenger()
        bought = await here.buy(token, "1")
        held = (await here.hold(token, "2")).body["order"]
        said = await here.ask("POST", at(K1, "cancel"), {"note": "storm"}, role=Role.OPERATOR)
        assert said.body == {"orders": sorted([bought, held])}
        back = (await here.ask("GET", f"/orders/{bought}", token=token)).body
        assert back["state"] == "closed" and back["back_cents"] == back["paid_cents"] == 15000
        assert (await here.hold(token, "3")).status == 409
        assert (await here.ask("GET", at(K1, "").rstrip("/"))).body["state"] == "cancelled"

    ride_along(story)


def test_a_train_is_put_on_sale() -> None:
    async def story(here: Railway) -> None:
        assert (await here.ask("POST", at(K9, "open"), {}, role=Role.OPERATOR)).body == {"done": True}
        assert (await here.ask("POST", at(K9, "open"), {}, role=Role.OPERATOR)).body == {"done": False}
        token = await here.passenger()
        assert (await here.hold(token, "1", "A B", K9)).status == 201
        day = await here.ask("GET", f"/departures?date={DAY}", role=Role.VIEWER)
        assert [one["train"] for one in day.body["departures"]][:2] == [K1, K9]

    ride_along(story)


@pytest.mark.parametrize("verb_path", [("GET", "heat"), ("POST", "cancel"), ("POST", "prices"), ("PUT", "rules/r")])
def test_passengers_and_strangers_are_no_staff(verb_path: tuple[str, str]) -> None:
    async def story(here: Railway) -> None:
        verb, path = verb_path
        body = None if verb == "GET" else {}
        assert (await here.ask(verb, at(K1, path), body)).status == 401
        assert (await here.ask(verb, at(K1, path), body, token=await here.passenger())).status == 401
        if verb != "GET":
            assert (await here.ask(verb, at(K1, path), body, role=Role.VIEWER)).status == 403
        assert (await here.ask(verb, at(K1, path), body, role=Role.WORKER)).status == 403

    ride_along(story)


def test_each_deed_of_staff_is_in_the_log() -> None:
    async def story(here: Railway) -> None:
        await here.ask("POST", at(K9, "open"), {}, role=Role.OPERATOR)
        await here.ask("DELETE", at(K1, "rules/none"), role=Role.OPERATOR)
        log = (await here.house.opening.desk()).log
        (second, first), checked = await log.page(0, 2), await log.check()
        assert first.deed == f"POST /rail/v1/trains/{K9}/open" and first.role == "operator"
        assert first.status == 200 and first.after["train"] == K9
        assert second.status == 404 and checked.sound

    ride_along(story)
