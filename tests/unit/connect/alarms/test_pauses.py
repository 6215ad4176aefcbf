"""What is paused is silent on purpose: by its task, a tag of it, its key or its queue (R2.9)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shike.app import Shike
from shike.connect.alarms import Backlog, Finding, Late, NoSuccess, NoWorker, Rule
from shike.connect.alarms import sight as module
from shike.connect.alarms.sight import Sight
from shike.connect.alarms.watch import watch_of
from shike.testing import harness
from shike.waiting.pauses import pause, resume, what_of
from tests.unit.worker.world import World, run

TAGS = {"pay": frozenset({"money"})}
HOLDS = [{"task": "pay"}, {"tag": "money"}, {"key": "order/7"}, {"queue": "shop"}]


class Looking:
    def __init__(self, store: Any, rule: Rule) -> None:
        self._store = store
        self._eyes = rule.eyes()

    async def __call__(self) -> dict[str, Finding]:
        found = await self._eyes.look(Sight(self._store, await self._store.now(), TAGS))
        return {one.subject: one for one in found}


@pytest.mark.parametrize("hold", HOLDS, ids=lambda hold: next(iter(hold)))
def test_what_is_held_back_is_no_backlog_is_not_late_and_waits_for_no_worker(hold: dict[str, str]) -> None:
    async def story(world: World) -> None:
        rules = [Looking(world.store, one) for one in (Backlog("60s"), Late("30s", "shop"), NoWorker())]
        await world.submit("pay", queue="shop", key="order/7")
        await asyncio.sleep(100)
        await pause(world.store, what_of(**hold), "stocktaking")
        for looking in rules:
            assert await looking() == {}
        await asyncio.sleep(100)
        await resume(world.store, what_of(**hold))
        for looking, subject in zip(rules, ("shop", "shop", "all queues"), strict=True):
            assert (await looking()).keys() == {subject}

    run(story)


def test_others_of_the_same_queue_are_found_beside_what_is_held_back() -> None:
    async def story(world: World) -> None:
        looking = Looking(world.store, Late("30s", "shop"))
        await world.submit("pay", 5, queue="shop")
        await asyncio.sleep(50)
        await world.submit("send", queue="shop")
        await pause(world.store, what_of(task="pay"), "stocktaking")
        assert await looking() == {}, "the other one has just come"
        await asyncio.sleep(40)
        assert 39 < (await looking())["shop"].count < 42, "and not the 90 s of what is held back"

    run(story)


def test_a_lane_whose_first_runs_are_all_held_back_counts_as_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit that the page names."""
    monkeypatch.setattr(module, "HALL_READ", 3)

    async def story(world: World) -> None:
        looking = Looking(world.store, Late("30s", "shop"))
        await world.submit("pay", 3, queue="shop")
        await world.submit("send", queue="shop")
        await pause(world.store, what_of(task="pay"), "stocktaking")
        await asyncio.sleep(40)
        assert await looking() == {}

    run(story)


@pytest.mark.parametrize(
    "hold", [{"task": "report"}, {"tag": "night"}, {"queue": "nights"}], ids=["task", "tag", "queue"]
)
def test_a_schedule_whose_task_is_paused_is_silent_on_purpose_and_counted_anew_afterwards(hold: dict[str, str]) -> None:
    app = Shike()

    @app.task(name="report", tags=["night"], queue="nights")
    async def report() -> None: ...

    app.schedule(report, cron="0 * * * *", name="hourly")
    tags = {"report": frozenset({"night"})}
    with harness(app) as time:
        rules = [NoSuccess("default/hourly", "2h"), Late("2m", "default/hourly")]
        eyes = [rule.eyes() for rule in rules]

        def look() -> list[str]:
            async def one() -> list[str]:
                sight = Sight(time.store, await time.store.now(), tags)
                return [found.saying for each in eyes for found in await each.look(sight)]

            return time.run(one())

        time.advance("3h")
        assert look() == []
        time.run(pause(time.store, what_of(**hold), "the books are closed"))
        for _ in range(10):
            time.advance("1h")
            assert look() == []
        time.run(resume(time.store, what_of(**hold)))
        time.advance("1m")
        assert look() == [], "what was held back has begun late on purpose, and is done"


def test_silence_is_counted_from_the_end_of_a_pause_also_by_whoever_watches_next() -> None:
    app = Shike()

    @app.task(name="heartbeat")
    async def heartbeat() -> None: ...

    with harness(app) as time:

        def look() -> list[str]:
            async def one() -> list[str]:
                found = await NoSuccess("heartbeat", "1h").eyes().look(Sight(time.store, await time.store.now()))
                return [one.saying for one in found]

            return time.run(one())

        assert look() == []
        time.submit(heartbeat.bind())
        time.run(pause(time.store, what_of(task="heartbeat"), "maintenance"))
        time.advance("5h")
        assert look() == []
        time.run(resume(time.store, what_of(task="heartbeat")))
        time.advance("50m")
        assert look() == [], "it could not have run before"
        time.advance("11m")
        assert look() == ["no_success"]


def test_a_watch_knows_the_tags_of_the_tasks_of_its_app() -> None:
    app = Shike()

    @app.task(name="report", tags=["night"])
    async def report() -> None: ...

    app.alarm(NoSuccess("report", "1h"))
    watch = watch_of(app)
    assert watch._tags() == {"report": frozenset({"night"})}
