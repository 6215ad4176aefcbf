"""The console through its door: who gets in, what is refused, what is escaped, what it costs (P10, issue 6)."""

from __future__ import annotations

import pytest

from shike.clock import ManualClock
from shike.errors import NotAuthenticated
from shike.server.bounds import LINK_SECONDS, SIGN_IN_SECONDS
from shike.server.console import table
from shike.server.meters import Meters
from shike.server.openapi import PATH
from shike.server.roles import LADDER, MACHINES, Role
from shike.server.routes import Logged, Route, Rule
from shike.server.table import SERVED, TABLE
from shike.store.memory import MemoryStore
from tests.api.browsing import look, send, signed_in
from tests.api.house import House, shop, visit

# ---------------------------------------------------------------- who gets in


def least(route: Route) -> set[Role]:
    """Written by hand, and on purpose a second time: viewers look, operators do; more is said here."""
    special = {"/console/sign-out": Role.VIEWER}
    lowest = special.get(route.path, Role.VIEWER if route.verb == "GET" else Role.OPERATOR)
    return set(LADDER[LADDER.index(lowest) :])


HERE = ("now", "runs", "run", "failures", "audit", "entrance", "statics", "stream", "alarms")
MINE = tuple(
    route for route in table.ROUTES
    if route.handler.__module__.rpartition(".")[2] in HERE
)  # fmt: skip


@pytest.mark.parametrize("role", [*Role, None])
def test_every_route_lets_in_whom_it_should_and_nobody_else(role: Role | None) -> None:
    async def story(house: House) -> None:
        cookie = await signed_in(house, role) if role in LADDER else ""
        for route in MINE:
            house.desk.meters = Meters(house.desk.clock)  # nobody would have to wait by and by
            path = PATH.sub("1", route.path)
            if route.path.endswith("/live") and role in LADDER:
                continue  # it would not end
            said = await (look(house, path, cookie) if route.verb == "GET" else send(house, path, cookie))
            if route.role is None:
                assert said.status_code in (200, 303, 401, 404), path
            elif role not in LADDER:
                assert said.status_code == (303 if route.verb == "GET" else 401), path
                assert route.verb != "GET" or "/console/sign-in?next=" in said.headers["location"]
            elif role in least(route):
                assert said.status_code not in (401, 403), (path, said.status_code)
                assert said.status_code < 500, path
                cookie = await signed_in(house, role) if route.path.endswith("sign-out") else cookie
            else:
                assert said.status_code == 403, path

    visit(story)


def test_what_is_served_is_guarded_and_what_changes_something_is_logged() -> None:
    assert {route.path for route in SERVED} >= {route.path for route in TABLE}
    for route in table.ROUTES:
        assert (route.role is None) == (route.rule in (Rule.OPEN, Rule.PROOF)), route.name
        assert route.verb == "GET" or route.logged is not Logged.NO, route.name


@pytest.mark.parametrize("role", MACHINES)
def test_machines_do_not_sign_in(role: Role) -> None:
    async def story(house: House) -> None:
        said = await send(house, "/console/sign-in", key=await house.key(role))
        assert said.status_code == 401 and "set-cookie" not in said.headers

    visit(story)


def test_an_access_key_in_a_header_opens_no_page_and_a_cookie_no_api() -> None:
    async def story(house: House) -> None:
        key, cookie = await house.key(Role.ADMIN), await signed_in(house)
        assert (await look(house, "/console", authorization=f"Bearer {key}")).status_code == 303
        assert (await look(house, "/api/v1/me", cookie)).status_code == 401

    visit(story)


def test_a_sign_in_ends_with_its_key_with_its_time_and_when_it_is_left() -> None:
    async def story(house: House) -> None:
        left, revoked, old = [await signed_in(house) for _ in range(3)]
        assert (await send(house, "/console/sign-out", left)).headers["set-cookie"].startswith("shike_sign_in=;")
        assert (await look(house, "/console", left)).status_code == 303
        ids = [one.id for one in await house.desk.keys.listing()]
        await house.desk.keys.revoke(ids[0])
        house.desk.sign_ins._known.clear()
        assert (await look(house, "/console", revoked)).status_code == 303
        link = await house.desk.sign_ins.link("ada", Role.VIEWER)
        cookie, access = await house.desk.sign_ins.by_link(link)
        assert (access.name, access.role) == ("ada", Role.VIEWER)
        with pytest.raises(NotAuthenticated):
            await house.desk.sign_ins.by_link(link)
        late = await house.desk.sign_ins.link("ada", Role.VIEWER)
        clock.advance(LINK_SECONDS + 1)
        with pytest.raises(NotAuthenticated):
            await house.desk.sign_ins.by_link(late)
        assert (await look(house, "/console", cookie)).status_code == 200
        clock.advance(SIGN_IN_SECONDS)
        house.desk.sign_ins._known.clear()  # of the last two seconds
        for one in (cookie, old, "", "0" * 64, "x" * 9_000):
            assert (await look(house, "/console", one)).status_code == 303

    clock = Hand()
    visit(story, shop(MemoryStore(clock)))


class Hand(ManualClock):
    """A clock with a hand on it."""

    def advance(self, by: float) -> None:
        self._wall += round(by * 1e6)


def test_the_store_holds_no_secret_of_a_sign_in() -> None:
    async def story(house: House) -> None:
        cookie, link = await signed_in(house), await house.desk.sign_ins.link("ada", Role.ADMIN)
        rows = await house.store.controls("signin")
        assert len(rows) == 2
        assert not any(secret.encode() in row.value or secret in row.key for row in rows for secret in (cookie, link))

    visit(story)


@pytest.mark.parametrize(
    "headers", [{}, {"origin": "null"}, {"origin": "http://evil.example"}, {"origin": "http://shike.evil.example"}]
)
def test_forms_of_other_sites_are_refused(headers: dict[str, str]) -> None:
    async def story(house: House) -> None:
        cookie, run = await signed_in(house), await house.submit()
        said = await send(house, f"/console/runs/{run}/cancel", cookie, headers)
        assert said.status_code == 403 and said.json()["needed"] == "Origin"
        assert (await send(house, "/console/sign-in", headers=headers, key="x")).status_code == 403
        assert (await send(house, f"/console/runs/{run}/cancel", cookie)).status_code == 200

    visit(story)


def test_wrong_keys_are_slowed_down() -> None:
    async def story(house: House) -> None:
        statuses = [
            (await send(house, "/console/sign-in", key=f"shike_{n:08x}_" + "0" * 64)).status_code for n in range(40)
        ]
        assert statuses[0] == 401 and 429 in statuses

    visit(story)


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/console", "//evil.example/console/", "/console/\\evil", "/consoles"]
)
def test_after_signing_in_nobody_is_sent_elsewhere(wanted: str) -> None:
    async def story(house: House) -> None:
        said = await send(house, "/console/sign-in", key=await house.key(Role.VIEWER), next=wanted)
        assert said.headers["hx-redirect"] == "/console"
        said = await send(house, "/console/sign-in", key=await house.key(Role.VIEWER), next="/console/runs?q=a")
        assert said.headers["hx-redirect"] == "/console/runs?q=a"

    visit(story)


def test_a_key_of_some_queues_sees_those_alone() -> None:
    async def story(house: House) -> None:
        mine = await house.submit(task="mail", arguments={"to": "me"})
        other = await house.submit(key="not-mine")
        cookie = await signed_in(house, Role.OPERATOR, ("mail",))
        page = (await look(house, "/console/runs", cookie)).text
        assert mine in page and other not in page and "not-mine" not in page
        assert "/console/audit" not in page  # it is about everything
        assert (await look(house, "/console", cookie)).headers["location"] == "/console/runs"
        for path in (f"/console/runs/{other}", f"/console/runs/new?again={other}", f"/console/runs/{other}/cancel"):
            assert (await look(house, path, cookie)).status_code == 404
        assert (await look(house, "/console/audit", cookie)).status_code == 403
        assert (await look(house, "/console/live?topics=recent", cookie)).status_code == 403
        assert (await send(house, "/console/runs/bulk", cookie, deed="cancel", expected="10")).status_code == 200
        assert (await house.store.live(int(other))) is not None and (await house.store.live(int(mine))) is None
        said = await send(house, "/console/runs/new", cookie, task="pay", arguments='{"order": 1}')
        assert said.status_code == 403

    visit(story)
