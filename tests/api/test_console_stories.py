"""What the console tells of a run and of failures is what `shike.operate` derives, in the words of whoever looks
(R0.9, R0.12, R2.9)."""

from __future__ import annotations

import logging
import re
from html import unescape

from shike.app import Shike
from shike.connect.alarms.trying import letter
from shike.operate import dead, queues, traces
from shike.server.roles import Role
from shike.store.memory import MemoryStore
from shike.track.alarm import encoded, key_of
from shike.worker.steps import step
from tests.api.browsing import look, send, signed_in
from tests.api.house import House, shop, visit

ALARM = letter().told[0].alarm
WAIT_SECONDS = 60.0
log = logging.getLogger("tests.console")
log.setLevel(logging.INFO)


def bank() -> Shike:
    """One task, that fails in a step and says what it did."""
    app = Shike(MemoryStore())

    @app.task(name="pay", retry=1)
    async def pay(order: int, password: str = "") -> None:
        log.info("order %d", order)
        with step("ask the bank"):
            try:
                raise OSError("no route")
            except OSError as error:
                raise ValueError("<b>the bank</b> said no") from error

    return app


def words(html: str) -> str:
    """What is read, without the tags."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def test_a_run_that_waits_for_a_paused_queue_says_so_in_two_languages() -> None:
    async def story(house: House) -> None:
        run = await house.submit()
        await queues.pause(house.store, "default", "stocktaking")
        cookie = await signed_in(house)
        (bar,) = (await traces.of_run(house.store, int(run))).bars
        assert bar.saying == "queue_paused_now_because"
        assert "queue default is paused: stocktaking" in words((await look(house, f"/console/runs/{run}", cookie)).text)
        said = await look(house, f"/console/runs/{run}", cookie, accept_language="zh")
        assert "队列 default 已暂停：stocktaking" in words(said.text)

    visit(story)


def test_a_failure_is_told_with_its_steps_chain_lines_log_and_no_secret() -> None:
    async def story(house: House) -> None:
        arguments = {"order": 7, "password": "open sesame"}
        run = int(await house.submit(arguments=arguments))
        async with house.app.running():
            await house.app.client.ended(run, WAIT_SECONDS)
        cookie = await signed_in(house)
        html = (await look(house, f"/console/runs/{run}", cookie)).text
        page = words(html)
        (record,) = await traces.failures(house.app.client, run)
        for raised in record.chain:
            assert raised.kind in page and raised.message in page
            for call in raised.calls:
                assert f"{call.file}:{call.line}" in page and call.function in page and call.source in page
        assert "It came of" in page and "ask the bank" in page and "INFO order 7" in page
        assert "open sesame" not in html and "‹secret›" in page and "<b>the bank" not in html
        assert record.traceback == "", "it was taken apart"

    visit(story, bank())


def test_failures_are_grouped_as_everywhere() -> None:
    async def story(house: House) -> None:
        runs = [int(await house.submit(arguments={"order": order})) for order in (1, 22)]
        async with house.app.running():
            for run in runs:
                await house.app.client.ended(run, WAIT_SECONDS)
        (group,) = (await dead.grouped(house.store)).groups
        assert group.count == 2
        cookie = await signed_in(house)
        html = (await look(house, "/console/failures", cookie)).text
        assert re.findall(r"/console/failures/(\w+)", html) == [group.fingerprint]
        assert group.place in words(html) and group.kind in words(html)
        one = words((await look(house, f"/console/failures/{group.fingerprint}", cookie)).text)
        assert all(str(run) in one for run in runs)

    visit(story, bank())


def test_an_alarm_is_shown_and_taken_over_by_name() -> None:
    async def story(house: House) -> None:
        viewer, operator = await signed_in(house, Role.VIEWER), await signed_in(house, Role.OPERATOR)
        assert "No alarm is raised" in (await look(house, "/console/alarms", viewer)).text
        await house.store.put(key_of(ALARM.id), encoded(ALARM), expect=0)
        house.desk.live.forget()
        for cookie, offered in ((viewer, False), (operator, True)):
            said = words((await look(house, "/console/alarms", cookie)).text)
            assert ALARM.words in said and ("I look after it" in said) is offered
        path = f"/console/alarms/{ALARM.id}/ack"
        assert (await send(house, path, viewer)).status_code == 403
        assert (await send(house, path, operator)).status_code == 200
        said = await look(house, "/console/alarms?all=true", viewer)
        assert "operator" in words(said.text) and "I look after it" not in said.text
        assert (await send(house, path, await signed_in(house, Role.EDITOR))).status_code == 409
        some = await signed_in(house, Role.VIEWER, queues=("mail",))
        assert (await look(house, "/console/alarms", some)).status_code == 403
        assert f"POST {path}" in [entry.deed for entry in await house.desk.log.page(0, 20)]

    visit(story, shop())
