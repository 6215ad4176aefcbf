"""Signed webhooks become runs of the intakes of the app (R2.11)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from shike.app import Shike
from shike.connect import Intake, Map, Webhook, at_least
from shike.errors import DuplicateName
from shike.server.bounds import REFUSALS_BURST
from tests.api.house import House, Said, shop, visit

SECRET = b"a secret of some length"
HOOK = Webhook(SECRET)


def office() -> Shike:
    app = shop()
    pay = app.find_task("pay")
    Intake(app, "paid", HOOK, pay, where={"total": at_least(10)}, map=Map(args={"order": "order"}))
    Intake(app, "by-hand", None, pay)
    return app


async def post(house: House, body: Any, *, name: str = "paid", identity: str = "m-1", **headers: str) -> Said:
    raw = json.dumps(body).encode()
    signed = HOOK.sign(identity, raw, await house.store.now()) | headers
    return await house.ask("POST", f"/hooks/{name}", raw=raw, role=None, **signed)


def test_a_signed_message_is_a_run_once() -> None:
    async def story(house: House) -> None:
        first, again = await post(house, {"order": 7, "total": 12}), await post(house, {"order": 7, "total": 12})
        assert (first.status, first.body["became"], again.body["became"]) == (200, "run", "repeat")
        assert first.body["run"] == again.body["run"]
        run = (await house.ask("GET", f"/runs/{first.body['run']}")).body["run"]
        assert (run["task"], run["arguments"]) == ("pay", {"order": 7})
        assert (await post(house, {"total": 1}, identity="m-2")).body == {"became": "passed"}
        aside = await post(house, {"order": "x", "total": 99}, identity="m-3")
        assert aside.body["became"] == "aside" and "order" in aside.body["reason"]
        log = (await house.ask("GET", "/log")).body["entries"]
        assert any(one["deed"] == "POST /api/v1/hooks/{intake}" and one["count"] == 4 for one in log)

    visit(story, office())


def test_nobody_without_the_secret_is_heard() -> None:
    async def story(house: House) -> None:
        bad = await post(house, {"order": 7, "total": 12}, webhook_signature="v1,AAAA")
        assert bad.status == 401 and bad.body["type"].endswith("bad-signature")
        old = await post(house, {"order": 7, "total": 12}, webhook_timestamp="1000000000")
        unsigned = await house.ask("POST", "/hooks/paid", {"order": 7}, role=None)
        assert (old.status, unsigned.status) == (401, 401)
        assert (await post(house, {}, name="by-hand")).status == 404
        assert (await post(house, {}, name="nothing")).status == 404
        assert (await house.ask("GET", "/runs")).body["runs"] == []
        tries = [await post(house, {}, webhook_signature="v1,AAAA") for _ in range(int(REFUSALS_BURST) + 5)]
        assert tries[-1].status == 429
        assert (await post(house, {"order": 7, "total": 12})).status == 200, "who signs is not kept waiting by others"

    visit(story, office())


def test_a_body_that_is_too_long_or_no_json_is_refused() -> None:
    async def story(house: House) -> None:
        long = await house.ask("POST", "/hooks/paid", raw=b" " * 3_000_000, role=None)
        form = await house.ask("POST", "/hooks/paid", raw=b"a=b", role=None, content_type="text/plain")
        assert (long.status, form.status) == (413, 415)

    visit(story, office())


def test_two_intakes_of_one_name_are_refused() -> None:
    app = office()
    with pytest.raises(DuplicateName, match="paid"):
        Intake(app, "paid", HOOK, app.find_task("pay"))


def test_intakes_with_a_source_are_read_beside_the_rest(tmp_path: Path) -> None:
    from shike.cli.intakes import read_beside
    from shike.connect.sources.base import Message, Source, Take

    class Post(Source):
        """Has one message, and waits."""

        async def open(self, name: str) -> None: ...

        async def close(self) -> None: ...

        async def receive(self, take: Take) -> None:
            await take(Message("m-1", b'{"order": 3, "total": 11}'))
            await asyncio.Event().wait()

    app = office()
    Intake(app, "queue", Post("post://"), app.find_task("pay"), map=Map(args={"order": "order"}))

    async def story(house: House) -> None:
        async with read_beside(app, False) as names:
            assert names == []
        async with read_beside(app, True) as names:
            assert names == ["queue"]
            async with asyncio.timeout(60):
                while not (found := (await house.ask("GET", "/runs")).body["runs"]):
                    await asyncio.sleep(0.01)
        assert found[0]["task"] == "pay"

    visit(story, app)
