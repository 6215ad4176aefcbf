"""The railway's door: closed by default (P10), one table with a rule for each route, limits, and pages that load
nothing from elsewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from httpx import ASGITransport, AsyncClient
from msgspec.structs import replace

from shike.errors import UnguardedRoute
from shike.rail.web import door
from shike.rail.web.bounds import ADDRESS_BURST, SESSION_BURST
from shike.rail.web.building import router
from shike.rail.web.openapi import packed
from shike.rail.web.rendering import LANGUAGES, POLICY, language_of
from shike.rail.web.routes import Logged, Route, Rule, checked
from shike.rail.web.table import TABLE
from shike.server.roles import Role
from shike.server.web import build
from tests.api.rail.railway import K1, Railway, at, order, ride_along

WEB = Path(__file__).parents[3] / "src/shike/rail/web"
WORDS = msgspec.toml.decode((WEB / "words.toml").read_bytes(), type=dict[str, dict[str, str]])
DYNAMIC = re.compile(r"t\('([a-z_]+)'[),]|t\.raw\('([a-z_]+)'\)")


def test_strangers_do_not_come_in_unless_it_is_public() -> None:
    async def story(here: Railway) -> None:
        assert (await here.ask("GET", "/stations?text=A")).status == 401
        assert (await here.ask("POST", "/session")).status == 401
        page = await here.ask("GET", "/rail")
        assert page.status == 401 and page.headers["content-type"].startswith("text/html")
        assert (await here.ask("GET", "/stations?text=A", role=Role.VIEWER)).status == 200
        assert (await here.ask("GET", "/stations?text=A", role=Role.SCHEDULER)).status == 200
        begun = await here.ask("POST", "/session", role=Role.SCHEDULER)
        assert (await here.hold(begun.body["token"], "1")).status == 201, "a program may sell on"

    ride_along(story, is_public=False)


def test_every_route_says_who_may() -> None:
    for route in TABLE:
        assert route.rule in Rule and route.words
        if route.rule is Rule.ROLE:
            assert route.role in (Role.VIEWER, Role.OPERATOR) and (route.verb == "GET" or route.logged is Logged.EACH)
        if route.verb not in ("GET",) and "{order}" in route.path:
            assert route.rule is Rule.OWN


@pytest.mark.parametrize(
    "broken",
    [
        {"role": Role.VIEWER},
        {"rule": Rule.ROLE},
        {"verb": "POST"},
        {"verb": "BREW"},
        {"path": "/elsewhere"},
        {"words": ""},
        {"rule": Rule.OWN},
    ],
)
def test_a_table_that_leaves_something_open_is_not_served(broken: dict[str, object]) -> None:
    async def handler(ask: object) -> None: ...

    good = Route(verb="GET", path="/rail/v1/x", rule=Rule.OPEN, handler=handler, words="x")
    checked([good])
    with pytest.raises(UnguardedRoute):
        checked([replace(good, **broken)])
    with pytest.raises(UnguardedRoute):
        checked([good, good])


def test_a_deed_by_cookie_is_taken_from_our_own_pages_alone() -> None:
    async def story(here: Railway) -> None:
        cookie = f"shike_passenger={await here.passenger()}"
        body = order("1")
        for headers in (
            {"sec_fetch_site": "cross-site"},
            {"origin": "http://evil.example"},
            {"sec_fetch_site": "same-site"},
        ):
            said = await here.ask("POST", "/orders", body, cookie=cookie, **headers)
            assert said.status == 403, headers
        ours = {"sec_fetch_site": "same-origin", "origin": "http://rail.example"}
        assert (await here.ask("POST", "/orders", body, cookie=cookie, **ours)).status == 201

    ride_along(story)


def test_cookies_of_who_came_by_https_never_travel_in_the_clear() -> None:
    async def story(here: Railway) -> None:
        key = await here.key(Role.VIEWER)
        for path, body in (("/session", None), ("/staff/session", {"key": key})):
            plain = await here.ask("POST", path, body)
            assert "Secure" not in plain.headers["set-cookie"]
            safe = await here.ask("POST", path, body, x_forwarded_proto="https")
            assert safe.headers["set-cookie"].endswith("; Secure")
        page = await here.ask("GET", "/rail?lang=zh", x_forwarded_proto="https, http")
        assert page.headers["set-cookie"].endswith("; Secure")

    ride_along(story)


def test_who_asks_too_much_is_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SESSION_PER_SECOND", "ADDRESS_PER_SECOND"):  # so that nothing comes back while the test is slow
        monkeypatch.setattr(door, name, 1e-3)

    async def story(here: Railway) -> None:
        token = await here.passenger()
        deeds = [await here.ask("POST", "/orders", {}, token=token) for _ in range(int(SESSION_BURST) + 1)]
        assert deeds[-1].status == 429 and int(deeds[-1].headers["retry-after"]) >= 1
        asked = [(await here.ask("GET", "/stations?text=A")).status for _ in range(int(ADDRESS_BURST) + 1)]
        assert 429 in asked

    ride_along(story)


def test_the_document_tells_every_route_for_programs() -> None:
    told = json.loads(packed())
    named = {(verb.upper(), path) for path, verbs in told["paths"].items() for verb in verbs}
    assert named == {(one.verb, one.path) for one in TABLE if not one.is_page and one.rule is not Rule.FILE}
    ids = [verb["operationId"] for verbs in told["paths"].values() for verb in verbs.values()]
    assert len(set(ids)) == len(ids)
    problem = told["paths"]["/rail/v1/orders"]["post"]["responses"]
    assert {"409", "425", "201"} <= set(problem)


def test_it_stands_in_the_server_of_shike() -> None:
    async def story(here: Railway) -> None:
        both = build(here.house.opening, beside=[router(here.house)])
        transport = ASGITransport(both)  # type: ignore[arg-type]
        async with AsyncClient(transport=transport, base_url="http://host") as client:
            assert (await client.get("/livez")).status_code == 200
            assert (await client.get("/rail/v1/stations?text=A")).json()["stations"]
            assert (await client.get("/rail")).headers["content-security-policy"] == POLICY

    ride_along(story)


def test_pages_are_pages_also_when_something_is_wrong() -> None:
    async def story(here: Railway) -> None:
        for path, status in (
            (f"/rail{at('K77/2026-11-22/1', '').rstrip('/')}", 404),
            (f"/rail/staff{at(K1, '')[:-1]}", 401),
        ):
            said = await here.ask("GET", path)
            assert said.status == status and "<h1>" in said.body, said
            assert said.headers["content-security-policy"] == POLICY
        assert (await here.ask("GET", "/rail/static/rail.css")).status == 200
        assert (await here.ask("GET", "/rail/static/..%2Fdoor.py")).status == 404
        found = await here.ask("GET", f"/rail{at(K1, '')[:-1]}?lang=zh")
        assert "座位图" in found.body and found.headers["set-cookie"].startswith("shike_language=zh")

    ride_along(story)


def test_every_word_of_the_pages_is_known_in_both_languages() -> None:
    assert set(WORDS) == set(LANGUAGES) and set(WORDS["en"]) == set(WORDS["zh"])
    for template in (WEB / "templates").glob("*.html"):
        for plain, raw in DYNAMIC.findall(template.read_text(encoding="utf-8")):
            assert (plain or raw) in WORDS["en"], (template.name, plain or raw)
    for name, words in WORDS["en"].items():
        assert set(re.findall(r"{\w+}", words)) == set(re.findall(r"{\w+}", WORDS["zh"][name])), name


def test_a_language_is_asked_for_remembered_or_preferred() -> None:
    assert language_of({}) == "en"
    assert language_of({"accept-language": "zh-CN,zh;q=0.9"}) == "zh"
    assert language_of({"accept-language": "zh", "cookie": "a=b; shike_language=en"}) == "en"
    assert language_of({"cookie": "shike_language=xx"}, "zh") == "zh"


def test_sessions_are_not_guessed() -> None:
    async def story(here: Railway) -> None:
        for token in ("pass_", "pass_00000000" + "0" * 16 + "_" + "0" * 40, "shike_00000000_" + "0" * 64, "x" * 5000):
            assert (await here.ask("GET", "/orders", token=token)).status == 401

    ride_along(story)
