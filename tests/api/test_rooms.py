"""Dead letters, queues, workers, nodes, proofs, health, figures and streams over HTTP."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from shike.errors import StoreError, StoreLost, StoreMoved, StoreUnavailable
from shike.server.bounds import STREAM_EVENTS_MAX
from shike.server.roles import Role
from shike.server.streams import LOST, Ear
from shike.store.hints import Hint, HintKind
from tests.api.house import House, visit


async def dead_letters(house: House, count: int) -> list[str]:
    """Runs that failed for good."""
    runs = [await house.submit(arguments={"order": -1}, retry=1) for _ in range(count)]
    async with house.app.running() as engine:
        await engine.until_idle()
    return runs


def test_dead_letters_are_listed_replayed_once_and_dropped() -> None:
    async def story(house: House) -> None:
        runs = await dead_letters(house, 3)
        first = await house.ask("GET", "/dead?limit=2")
        rest = await house.ask("GET", f"/dead?limit=2&cursor={first.body['next']}")
        assert [one["id"] for one in first.body["dead"] + rest.body["dead"]] == sorted(runs, key=int, reverse=True)
        done = await house.ask("POST", "/dead/replay", {"runs": runs[:1]}, role=Role.OPERATOR)
        again = await house.ask("POST", "/dead/replay", {"task": "pay"}, role=Role.OPERATOR)
        assert list(done.body["replayed"]) == runs[:1] and again.body["before"] == runs[:1]
        assert len(again.body["replayed"]) == 2
        assert (await house.ask("POST", "/dead/drop", {"runs": runs})).body == {"dropped": 3}
        assert (await house.ask("POST", "/dead/drop", {"runs": runs[:1]})).status == 404
        assert (await house.ask("POST", "/dead/replay", {})).field == "runs"
        assert (await house.ask("POST", "/dead/replay", {"runs": ["x"]})).field == "runs[0]"

    visit(story)


def test_a_queue_is_paused_with_a_reason_and_resumed() -> None:
    async def story(house: House) -> None:
        run = await house.submit()
        assert (await house.ask("POST", "/queues/default/pause", {"reason": "db"})).body["paused"] is True
        async with house.app.running():
            await house.submit(delay_seconds=600)
            said = await house.ask("GET", f"/runs/{run}")
            assert said.body["run"]["state"] == "PENDING"
            assert (await house.ask("POST", "/queues/default/resume")).body["changed"] is True
            assert (await house.ask("GET", f"/runs/{run}?wait_seconds=10")).body["run"]["state"] == "SUCCESS"
        assert (await house.ask("POST", "/queues/default/resume")).body["changed"] is False
        assert (await house.ask("POST", "/queues/defualt/pause", {"reason": "x"})).status == 404
        assert (await house.ask("POST", "/queues/default/pause", {"reason": ""})).field == "reason"

    visit(story)


def test_workers_and_nodes_are_shown_without_what_would_let_others_speak_for_them() -> None:
    async def story(house: House) -> None:
        async with house.app.running() as engine:
            assert engine.member.session is not None
            identity = engine.member.session.id
            workers, nodes = await house.ask("GET", "/workers"), await house.ask("GET", "/nodes")
            assert workers.body["workers"][0]["session"] == identity[:8] and nodes.body["nodes"][0]["kind"] == "all"
            assert identity not in str(workers.body) + str(nodes.body)

    visit(story)


def test_an_interval_is_proven() -> None:
    async def story(house: House) -> None:
        await house.ask("PUT", "/schedules/default/quick", {"task": "pay", "arguments": {"order": 1}, "every": 1})
        start = house.app.now() - timedelta(hours=1)
        async with house.app.running():
            await asyncio.sleep(0)
        span = f"start={start.isoformat().replace('+00:00', 'Z')}&end=2126-01-01T00:00:00Z"
        said = await house.ask("GET", f"/audit?{span}&only=quick")
        assert said.status == 200 and said.body["sound"] is True and said.body["holes"] == 0
        assert (await house.ask("GET", f"/audit?{span}&only=slow")).status == 404
        assert (await house.ask("GET", "/audit?start=2026-01-01T00:00:00Z")).field == "end"

    visit(story)


def test_it_is_alive_without_its_store_and_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(house: House) -> None:
        async def gone() -> int:
            raise StoreUnavailable("the store is away")

        monkeypatch.setattr(house.store, "now", gone)
        assert (await house.ask("GET", "/livez", role=None)).body == {"status": "alive"}
        ready = await house.ask("GET", "/readyz", role=None)
        assert ready.status == 503 and ready.body["type"].endswith("store-unavailable")
        said = await house.ask("GET", "/schedules/default/x/next", role=None)
        assert said.status == 401, "whoever asks is told nothing of the store"

    visit(story)


def test_a_store_that_does_not_answer_is_a_503_with_a_time_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(house: House) -> None:
        await house.ask("GET", "/me")

        async def gone(*_: object) -> None:
            raise StoreUnavailable("the store is away")

        monkeypatch.setattr(house.store, "find", gone)
        said = await house.ask("GET", "/runs/7")
        assert said.status == 503 and said.headers["retry-after"] == "1"

    visit(story)


def test_a_store_that_was_moved_or_lost_is_told_to_whoever_runs_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(house: House) -> None:
        heard: list[StoreError] = []
        house.opening.on_gone.append(heard.append)
        for error in (StoreMoved("it went", to="sqlite:///new.db"), StoreLost("it is empty")):

            async def gone(*_: object, error: StoreError = error) -> None:
                raise error

            monkeypatch.setattr(house.store, "find", gone)
            assert (await house.ask("GET", "/runs/7")).status == 503
        assert [type(one) for one in heard] == [StoreMoved, StoreLost]

    visit(story)


def test_backlog_and_lateness_are_figures() -> None:
    async def story(house: House) -> None:
        for _ in range(3):
            await house.submit()
        await house.submit(task="mail", arguments={"to": "a"}, delay_seconds=600)
        text = (await house.ask("GET", "/metrics")).body
        assert 'shike_runs{state="eligible"} 3' in text and 'shike_queue_runs{queue="mail"} 1' in text
        assert 'shike_backlog_seconds{queue="default"}' in text and 'shike_backlog_seconds{queue="mail"}' not in text
        for line in text.splitlines():
            assert line.startswith("#") or float(line.rpartition(" ")[2]) >= 0

    visit(story)


def test_a_run_is_followed_until_it_is_over() -> None:
    async def story(house: House) -> None:
        run = await house.submit()
        async with house.app.running():
            said = await house.ask("GET", f"/runs/{run}/events")
        events = [part.split("\n") for part in said.body.split("\n\n") if part]
        assert said.headers["content-type"] == "text/event-stream"
        assert events[-1][0] == "event: end"
        assert json.loads(events[-2][1].removeprefix("data: "))["state"] == "SUCCESS"

    visit(story)


def test_a_slow_listener_is_told_what_it_lost_and_holds_up_nobody() -> None:
    async def story(house: House) -> None:
        ear = Ear()
        for number in range(STREAM_EVENTS_MAX + 5):
            ear.hear(Hint(HintKind.ENDED, run_ids=(number,)))
        ear.hear(Hint(HintKind.SESSION, name="identity"))
        read = await ear.read()
        assert read.count(b"event: ended") == STREAM_EVENTS_MAX and read.endswith(LOST)
        ear.hear(Hint(HintKind.SESSION, name="identity"))
        ear.hear(Hint(HintKind.DUE, queue="mail>identity", at=1))
        assert b"identity" not in await ear.read()

    visit(story)


def test_a_path_that_is_not_there_and_a_verb_that_is_not_are_told() -> None:
    async def story(house: House) -> None:
        nothing = await house.ask("GET", "/nothing")
        wrong = await house.ask("PATCH", "/me", {})
        assert nothing.status == 404 and nothing.body["type"].endswith("no-such-path")
        assert wrong.status == 405 and "GET" in wrong.headers["allow"]
        head = await house.client.head("/livez")
        assert head.status_code == 200 and head.content == b""

    visit(story)
