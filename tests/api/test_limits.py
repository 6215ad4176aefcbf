"""Limits and strikes over HTTP (R0.9): shown, changed and reset by compare-and-set, by whoever may; and logged."""

from __future__ import annotations

from typing import Annotated, Any

from shike import Concurrency, Key, Rate, Shike
from shike.limit.gates import gate_of
from shike.limit.rows import declare
from shike.model import State
from shike.operate.accept import Tasks, Wish, call_of
from shike.server.roles import Role
from tests.api.house import House, visit
from tests.api.test_workers import hand

ONE = "/limits/send/concurrency:tenant"


def post() -> Shike:
    app = Shike("memory://")

    @app.task(name="send", limits=[Concurrency(2), Rate("100/m", burst=20)])
    async def send(tenant: Annotated[str, Key]) -> None: ...

    return app


async def told(house: House) -> None:
    """A worker of this program was started."""
    await declare(house.store, [house.app.tasks["send"].limits])  # type: ignore[list-item]


def test_limits_are_listed_changed_and_reset() -> None:
    async def story(house: House) -> None:
        assert (await house.ask("GET", "/limits", role=Role.VIEWER)).body == {"limits": []}
        assert (await house.ask("GET", ONE)).status == 404
        await told(house)
        listed = (await house.ask("GET", "/limits?task=send", role=Role.VIEWER)).body["limits"]
        assert [one["name"] for one in listed] == ["concurrency:tenant", "rate:tenant"]
        seen = await house.ask("GET", ONE, role=Role.VIEWER)
        assert (seen.status, seen.body["limit"]["words"], seen.body["keys"]) == (200, "2 at once", [])
        etag = seen.headers["etag"]
        wanted = {"numbers": {"cap": 8}}
        assert (await house.ask("PATCH", ONE, wanted, role=Role.VIEWER)).status == 403
        changed = await house.ask("PATCH", ONE, wanted, role=Role.OPERATOR, if_match=etag)
        assert (changed.status, changed.body["limit"]["words"]) == (200, "8 at once")
        assert changed.body["limit"]["changed_by"] == "operator"
        assert changed.headers["etag"] != etag
        late = await house.ask("PATCH", ONE, {"numbers": {"cap": 9}}, if_match=etag)
        assert late.status == 412
        fresh = await house.ask("PATCH", ONE, {"numbers": {"cap": 9}}, if_match=changed.headers["etag"])
        assert fresh.status == 200
        assert (await house.ask("POST", f"{ONE}/reset", role=Role.OPERATOR, if_match=etag)).status == 412
        reset = await house.ask("POST", f"{ONE}/reset", role=Role.OPERATOR)
        assert (reset.status, reset.body["limit"]["words"]) == (200, "2 at once")
        deeds = [one["deed"] for one in (await house.ask("GET", "/log?limit=20")).body["entries"]]
        assert f"PATCH /api/v1{ONE}" in deeds and f"POST /api/v1{ONE}/reset" in deeds

    visit(story, post())


def test_numbers_that_cannot_be_are_refused_by_name() -> None:
    async def story(house: House) -> None:
        await told(house)
        for numbers in ({"cap": 0}, {"cap": "many"}, {"caps": 3}, {"by": "letter"}, {}):
            said = await house.ask("PATCH", ONE, {"numbers": numbers})
            assert (said.status, said.field) in ((400, "numbers"), (422, "numbers")), (numbers, said)
        assert (await house.ask("PATCH", "/limits/send/nothing", {"numbers": {"cap": 1}})).status == 404
        assert (await house.ask("PATCH", "/limits/nobody/concurrency", {"numbers": {"cap": 1}})).status == 404
        some = await house.key(Role.ADMIN, queues=("mail",))
        assert (await house.ask("GET", "/limits", key=some)).status == 403
        assert (await house.ask("GET", ONE)).body["limit"]["numbers"] == {"cap": 2}

    visit(story, post())


def test_strikes_are_made_listed_and_lifted() -> None:
    async def story(house: House) -> None:
        wanted = {"predicate": "task=send and tenant=acme", "reason": "their relay bounces"}
        assert (await house.ask("POST", "/strikes", wanted, role=Role.VIEWER)).status == 403
        made = await house.ask("POST", "/strikes", wanted, role=Role.OPERATOR)
        assert (made.status, made.body["who"], made.body["deed"]) == (201, "operator", "hold")
        assert made.headers["location"].endswith(f"/strikes/{made.body['id']}")
        (listed,) = (await house.ask("GET", "/strikes", role=Role.VIEWER)).body["strikes"]
        assert listed == made.body
        for field, bad in (("predicate", "task = ="), ("until", "2020-01-01T00:00:00Z"), ("deed", "kill")):
            said = await house.ask("POST", "/strikes", wanted | {field: bad})
            assert said.status in (400, 422) and said.field == field, said
        assert (await house.ask("DELETE", f"/strikes/{listed['id']}", role=Role.VIEWER)).status == 403
        assert (await house.ask("DELETE", f"/strikes/{listed['id']}", role=Role.OPERATOR)).status == 204
        assert (await house.ask("DELETE", f"/strikes/{listed['id']}")).status == 404
        assert (await house.ask("GET", "/strikes")).body == {"strikes": []}

    visit(story)


async def gate(house: House, run: str) -> tuple[str, State]:
    known: Any = await house.store.find(int(run))
    return known.run.gate, known.state


def test_a_run_of_a_task_that_the_server_has_not_got_waits_for_its_limits() -> None:
    async def story(house: House) -> None:
        here = post()
        await declare(house.store, [here.tasks["send"].limits])  # type: ignore[list-item]
        run = await house.submit(task="send", arguments={"tenant": "acme"})
        assert await gate(house, run) == (gate_of("send", {"tenant": "acme"}), State.WAITING)
        said = await house.ask("POST", "/runs", {"task": "send", "arguments": {}})
        assert said.status in (400, 422) and said.field == "arguments", said

    visit(story)


def test_a_worker_in_another_language_is_not_granted_what_never_stood_at_its_gate() -> None:
    async def story(house: House) -> None:
        worker = await hand(house)
        stray = call_of(Tasks(None).find("send"), b'{"tenant":"acme"}', Wish())
        keyless = call_of(Tasks(None).find("send"), b'{"tenant":null}', Wish())
        now = await house.store.now()
        codec = house.app.client.codec
        await house.store.submit([stray.entry(7 << 8, now, codec, ""), keyless.entry(8 << 8, now, codec, "")])
        await told(house)
        granted = await worker.claim(tasks=("send",), wait_seconds=0.3)
        assert (granted.status, granted.body["runs"]) == (200, [])
        assert await gate(house, str(7 << 8)) == (gate_of("send", {"tenant": "acme"}), State.WAITING)
        assert (await gate(house, str(8 << 8)))[1] is State.DEAD

    visit(story, post())
