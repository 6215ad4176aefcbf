"""Closed by default (P10): who may do what is in one table, and holds for every path, verb and role."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from shike.errors import OpenToAll, UnguardedRoute
from shike.server.keys import Keys
from shike.server.meters import Meters
from shike.server.openapi import PATH, document
from shike.server.opening import Opening
from shike.server.roles import LADDER, MACHINES, Role, may
from shike.server.routes import Logged, Route, Rule, checked
from shike.server.serving import first_key, is_loopback
from shike.server.table import TABLE
from shike.server.web import build, refuse_unguarded
from tests.api.house import House, shop, visit

ROOT = Path(__file__).parents[2]
OPEN = {"/livez", "/readyz"}
WHO_MAY = {  # written by hand, and on purpose a second time: a slip in the table is seen here
    "GET": {"viewer", "operator", "editor", "admin"},
    "runs": {"operator", "editor", "admin"},
    "schedules": {"editor", "admin"},
    "admin": {"admin"},
    "worker": {"worker"},
}
SIGNED = {"/api/v1/reports/{run}/{token}", "/api/v1/hooks/{intake}"}
ALSO = {
    ("POST", "/api/v1/graphs"): {"scheduler"},
    ("GET", "/api/v1/graphs/{graph}"): {"scheduler"},
    ("POST", "/api/v1/runs"): {"scheduler"},
    ("POST", "/api/v1/runs/bulk"): {"scheduler"},
    ("GET", "/api/v1/runs/{run}"): {"scheduler"},
    ("GET", "/api/v1/runs/{run}/events"): {"scheduler"},
    ("GET", "/api/v1/me"): {"worker", "scheduler"},
    ("GET", "/api/v1/openapi.json"): {"worker", "scheduler"},
}


def expected(verb: str, path: str) -> set[str]:
    also = ALSO.get((verb, path), set())
    if path.startswith("/api/v1/worker/"):
        return WHO_MAY["worker"]
    if path.startswith(("/api/v1/keys", "/api/v1/log")):
        return WHO_MAY["admin"]
    if verb == "GET":
        return WHO_MAY["GET"] | also
    if path.startswith("/api/v1/schedules") and verb in ("PUT", "DELETE"):
        return WHO_MAY["schedules"]
    return WHO_MAY["runs"] | also


def operations() -> Iterator[tuple[str, str]]:
    """All that the OpenAPI tells of."""
    for path, verbs in document(TABLE)["paths"].items():
        for verb in verbs:
            yield verb.upper(), path


@pytest.mark.parametrize("role", [*Role, None])
def test_every_operation_lets_in_whom_it_should_and_nobody_else(role: Role | None) -> None:
    async def story(house: House) -> None:
        for verb, path in operations():
            if path == "/api/v1/events" and role in expected(verb, path):
                continue  # it would not end
            house.desk.meters = Meters(house.desk.clock)  # nobody would have to wait by and by
            said = await house.ask(verb, PATH.sub("1", path), raw=b"{", role=role)
            if path in OPEN:
                assert said.status == 200, (verb, path)
            elif path in SIGNED:  # there is nothing to be signed for: what there is has tests of its own
                assert said.status in (404, 410), (verb, path, said)
            elif role is None:
                assert said.status == 401 and said.headers["www-authenticate"], (verb, path, said)
            elif role in expected(verb, path):
                assert said.status not in (401, 403), (verb, path, said)
            else:
                assert said.status == 403 and said.body["needed"], (verb, path, said)

    visit(story)


def test_the_openapi_tells_of_every_route_of_the_table_and_of_no_other() -> None:
    assert set(operations()) == {(route.verb, route.path) for route in TABLE}


def test_a_route_without_a_role_does_not_start() -> None:
    (route,) = [one for one in TABLE if one.path == "/metrics"]
    for bad, words in (
        (replace(route, role=None), "no role"),
        (replace(route, verb="POST"), "not logged"),
        (replace(route, words=""), "does not say"),
        (replace(route, rule=Rule.OPEN), "no role"),
        (replace(route, verb="POST", role=None, rule=Rule.OPEN, logged=Logged.EACH), "open to all"),
        (replace(route, verb="POST", rule=Rule.SIGNED, body=bytes, logged=Logged.EACH), "no role"),
        (replace(route, verb="POST", role=None, rule=Rule.SIGNED, logged=Logged.EACH), "as something else"),
        (replace(route, verb="POST", body=bytes, logged=Logged.EACH), "as something else"),
        (replace(route, also=(Role.ADMIN,)), "as a machine"),
        (replace(route, verb="LOOK"), "verb"),
    ):
        with pytest.raises(UnguardedRoute, match=words):
            checked([bad])
        with pytest.raises(UnguardedRoute):
            build(Opening(shop().client), (*TABLE, bad))
    with pytest.raises(UnguardedRoute, match="twice"):
        checked([route, route])
    with pytest.raises(TypeError):
        Route(verb="GET", path="/x", handler=route.handler, words="x")  # type: ignore[call-arg]


def test_a_route_past_the_table_does_not_start() -> None:
    from litestar import get

    @get("/back-door")
    async def back_door() -> str:
        return "come in"

    application = build(Opening(shop().client))
    application.register(back_door)
    with pytest.raises(UnguardedRoute, match="back-door"):
        refuse_unguarded(application)


def test_the_ladder() -> None:
    for place, role in enumerate(LADDER):
        assert [may(role, least, ()) for least in LADDER] == [step <= place for step in range(len(LADDER))]
        assert not any(may(role, machine, ()) for machine in MACHINES)
    for machine in MACHINES:
        assert not any(may(machine, least, ()) for least in LADDER)
        assert may(machine, Role.VIEWER, (machine,))


BAD_KEYS = ["", "x", "shike_", "shike_00000000_" + "0" * 64, "shike_0000000g_" + "0" * 64, "é" * 20, "a" * 5_000]


@pytest.mark.parametrize("key", BAD_KEYS, ids=range(len(BAD_KEYS)))
def test_a_key_that_is_none_lets_nobody_in(key: str) -> None:
    async def story(house: House) -> None:
        mine = await house.key(Role.ADMIN)
        wrong = mine[:-1] + ("0" if mine[-1] != "0" else "1")
        for given in (key.encode("latin-1"), wrong.encode(), mine.upper().encode(), mine.encode() + b"0"):
            sent = await house.client.get("/api/v1/me", headers={b"authorization": b"Bearer " + given})
            assert sent.status_code == 401
        basic = await house.client.get("/api/v1/me", headers={"authorization": f"Basic {mine}"})
        in_query = await house.client.get(f"/api/v1/me?key={mine}")
        assert (basic.status_code, in_query.status_code) == (401, 401)
        assert (await house.ask("GET", "/me")).body["role"] == "admin"

    visit(story)


def test_a_key_is_stored_as_a_hash_and_listed_without_its_secret() -> None:
    async def story(house: House) -> None:
        key = await house.key(Role.OPERATOR)
        secret = key.rpartition("_")[2]
        rows = await house.store.controls("")
        assert rows and all(secret.encode() not in row.value and key.encode() not in row.value for row in rows)
        listed = await house.ask("GET", "/keys")
        assert secret not in str(listed.body) and "digest" not in str(listed.body)
        assert secret not in str((await house.ask("GET", "/log")).body)

    visit(story)


def test_a_rotated_key_works_beside_the_old_one_for_its_grace_and_a_revoked_one_not_at_all() -> None:
    async def story(house: House) -> None:
        old = await house.key(Role.VIEWER)
        rotated = await house.ask("POST", f"/keys/{old[6:14]}/rotate", {"grace_seconds": 3600})
        new = rotated.body["key"]
        assert rotated.status == 200 and new != old
        for key in (old, new):
            assert (await house.ask("GET", "/me", key=key)).status == 200
        last = (await house.ask("POST", f"/keys/{old[6:14]}/rotate", {"grace_seconds": 0})).body["key"]
        statuses = [(await house.ask("GET", "/me", key=key)).status for key in (old, new, last)]
        assert statuses == [401, 401, 200]
        assert (await house.ask("DELETE", f"/keys/{old[6:14]}")).body["revoked_at"]
        assert (await house.ask("GET", "/me", key=last)).status == 401
        assert (await house.ask("POST", f"/keys/{old[6:14]}/rotate", {})).status == 409
        assert (await house.ask("DELETE", "/keys/00000000")).status == 404

    visit(story)


def test_a_key_of_one_queue_sees_and_does_nothing_in_others() -> None:
    async def story(house: House) -> None:
        mail = await house.key(Role.EDITOR, queues=("mail",))
        theirs = await house.submit(delay_seconds=600)
        mine = await house.submit(task="mail", arguments={"to": "ada"}, delay_seconds=600)
        assert (await house.ask("GET", f"/runs/{mine}", key=mail)).status == 200
        for verb, path, body in (
            ("GET", "", None), ("PATCH", "", {"priority": 1}), ("POST", "/cancel", {}), ("POST", "/retry", None),
            ("GET", "/events", None),
        ):  # fmt: skip
            assert (await house.ask(verb, f"/runs/{theirs}{path}", body, key=mail)).status == 404, path
        listed = await house.ask("GET", "/runs", key=mail)
        assert [run["id"] for run in listed.body["runs"]] == [mine]
        assert (await house.ask("GET", "/runs?queue=default", key=mail)).status == 403
        assert (await house.ask("POST", "/runs", {"task": "pay", "arguments": {"order": 1}}, key=mail)).status == 403
        assert (await house.ask("POST", "/runs", {"task": "mail", "arguments": {"to": "b"}}, key=mail)).status == 201
        moved = {"task": "mail", "arguments": {"to": "b"}, "queue": "default"}
        assert (await house.ask("POST", "/runs", moved, key=mail)).status == 403
        daily = {"task": "pay", "arguments": {"order": 1}, "every": "1h"}
        assert (await house.ask("PUT", "/schedules/default/a", daily)).status == 201
        assert (await house.ask("GET", "/schedules", key=mail)).body["schedules"] == []
        for verb, path, sent in (
            ("GET", "", None), ("POST", "/pause", {"reason": "x"}), ("POST", "/resume", None), ("GET", "/next", None),
            ("DELETE", "", None),
        ):  # fmt: skip
            assert (await house.ask(verb, f"/schedules/default/a{path}", sent, key=mail)).status == 404, path
        assert (await house.ask("PUT", "/schedules/default/a", daily | {"queue": "mail"}, key=mail)).status == 403
        assert (await house.ask("POST", "/queues/default/pause", {"reason": "x"}, key=mail)).status == 404
        assert [one["name"] for one in (await house.ask("GET", "/queues", key=mail)).body["queues"]] == ["mail"]
        for path in ("/nodes", "/audit?start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z", "/events", "/metrics"):
            assert (await house.ask("GET", path, key=mail)).status == 403, path

    visit(story)


def test_a_key_of_some_queues_makes_no_keys() -> None:
    async def story(house: House) -> None:
        admin = await house.key(Role.ADMIN, queues=("mail",))
        assert (await house.ask("POST", "/keys", {"name": "more", "role": "admin"}, key=admin)).status == 403

    visit(story)


def test_beyond_this_machine_nothing_starts_without_a_key() -> None:
    async def story(house: House) -> None:
        keys = house.desk.keys
        for host in ("0.0.0.0", "::", "192.168.1.4", "example.org"):  # noqa: S104 - to be refused
            with pytest.raises(OpenToAll, match="no access key yet"):
                await first_key(keys, host)
        first = await first_key(keys, "127.0.0.1")
        assert first is not None and first.facts.role is Role.ADMIN
        assert await first_key(keys, "127.0.0.1") is None and await first_key(keys, "::") is None
        await keys.revoke(first.facts.id)
        with pytest.raises(OpenToAll):
            await first_key(keys, "::")

    visit(story)
    assert [is_loopback(host) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1")] == [True] * 4


def test_who_guesses_keys_has_to_wait() -> None:
    async def story(house: House) -> None:
        seen = [(await house.ask("GET", "/me", key="shike_x")) for _ in range(40)]
        assert seen[0].status == 401 and seen[-1].status == 429 and int(seen[-1].headers["retry-after"]) >= 1
        assert (await house.ask("GET", "/me")).status == 200, "others behind the same proxy do not wait for them"

    visit(story)


def test_a_key_that_runs_wild_has_to_wait() -> None:
    async def story(house: House) -> None:
        made = await house.ask("POST", "/keys", {"name": "slow", "role": "viewer", "per_second": 1})
        statuses = [(await house.ask("GET", "/me", key=made.body["key"])).status for _ in range(3)]
        assert statuses[0] == 200 and statuses[-1] == 429

    visit(story)


def test_no_other_type_than_json_is_read_so_that_no_page_can_post_a_form() -> None:
    async def story(house: House) -> None:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            said = await house.ask("POST", "/runs", raw=b'{"task":"a"}', content_type=kind)
            assert said.status == 415, kind
        assert (await house.ask("POST", "/runs", raw=b"\x1f\x8b", content_encoding="gzip")).status == 415

    visit(story)


def test_answers_forbid_sniffing_framing_and_caching() -> None:
    async def story(house: House) -> None:
        for path, role in (("/runs", Role.VIEWER), ("/me", None), ("/nothing", Role.VIEWER)):
            headers = (await house.ask("GET", path, role=role)).headers
            assert headers["cache-control"] == "no-store", path
            if path != "/nothing":
                assert headers["x-content-type-options"] == "nosniff" and "frame-ancestors" in str(headers), path

    visit(story)


def test_an_unforeseen_error_tells_nothing_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(house: House) -> None:
        async def broken(**_: Any) -> Any:
            raise RuntimeError("the password is hunter2")

        monkeypatch.setattr(house.store, "counts", broken)
        said = await house.ask("GET", "/queues")
        assert said.status == 500 and "hunter2" not in str(said.body)

    visit(story)


ODD = re.compile(
    r"""(?ix) \b(?:password|passwd|secret|token|access_?key|api_?key)\b ["']? \s* [=:] \s*
    ["'](?!\s*["'])[^"'{}<>$\s]{3,}["']"""
)
FINE = re.compile(r"‹secret›|SHIKE_|x{3}|wrong|hunter2|s3cret|guest")


def test_the_repository_holds_no_default_secret() -> None:
    """Sources, examples and settings; tests may hold made-up ones to be hidden."""
    files = [
        *ROOT.glob("src/**/*.py"), *ROOT.glob("examples/**/*"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md"),
        *ROOT.glob("*.toml"), ROOT / "Makefile",
    ]  # fmt: skip
    found = [
        f"{file.relative_to(ROOT)}: {match[0]}"
        for file in files
        if file.is_file() and file.suffix in (".py", ".md", ".toml", ".sh", ".js", "")
        for match in ODD.finditer(file.read_text(encoding="utf-8"))
        if not FINE.search(match[0])
    ]
    assert found == []
    assert ODD.search('password = "admin"') and ODD.search("default_token: 'letmein'".replace("default_", ""))


def test_the_log_tells_who_did_what_and_shows_where_it_was_changed() -> None:
    async def story(house: House) -> None:
        await house.ask("POST", "/queues/default/pause", {"reason": "db"}, role=Role.OPERATOR)
        await house.ask("POST", "/queues/nowhere/pause", {"reason": "db"}, role=Role.OPERATOR)
        await house.ask("POST", "/queues/default/resume", role=Role.ADMIN)
        await house.submit()
        log = (await house.ask("GET", "/log")).body["entries"]
        told = [(one["deed"], one.get("status"), one["role"], one.get("count", 1)) for one in reversed(log)]
        assert told[:3] == [
            ("POST /api/v1/queues/default/pause", 200, "operator", 1),
            ("POST /api/v1/queues/nowhere/pause", 404, "operator", 1),
            ("POST /api/v1/queues/default/resume", 200, "admin", 1),
        ]
        assert ("POST /api/v1/runs", None, "admin", 1) in told
        assert log[-1]["after"] == {"reason": "db"} and log[-1]["address"] == "127.0.0.1"
        assert (await house.ask("GET", "/log/check")).body["sound"] is True
        rows = await house.store.controls("log/")
        await house.store.put(rows[1].key, rows[1].value.replace(b"404", b"200"), expect=rows[1].version)
        checked = (await house.ask("GET", "/log/check")).body
        assert (checked["sound"], checked["broken_at"]) == (False, 2)
        await house.store.put(rows[1].key, None, expect=None)
        assert (await house.ask("GET", "/log/check")).body["broken_at"] == 2

    visit(story)


def test_two_servers_write_one_chain() -> None:
    async def story(house: House) -> None:
        import asyncio

        from shike.server.log import Log

        logs = [Log(house.store, house.desk.clock) for _ in range(4)]
        await asyncio.gather(*[log.note(None, "", f"deed {n}", 200) for n in range(25) for log in logs])
        found = await logs[0].check()
        assert (found.sound, found.entries) == (True, 100)
        assert [entry.number for entry in await logs[1].page(0, 500)] == list(range(100, 0, -1))

    visit(story)


def test_keys_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(house: House) -> None:
        made = await house.desk.keys.make("short", Role.VIEWER, days=1)
        now = await house.store.now()

        async def tomorrow() -> int:
            return now + 86_400_000_001

        assert (await house.ask("GET", "/me", key=made.key)).status == 200
        monkeypatch.setattr(house.store, "now", tomorrow)
        fresh = Keys(house.store, house.desk.clock, house.desk.entropy)
        monkeypatch.setattr(house.desk, "keys", fresh)
        assert (await house.ask("GET", "/me", key=made.key)).status == 401

    visit(story)
