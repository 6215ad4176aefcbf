"""What alarms look for (R2.9, R0.11, R0.12, R2.4): each rule in virtual time, on a store in memory, with real runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from shike.app import Shike
from shike.clock import MICROS
from shike.connect.alarms import (
    Backlog,
    Dead,
    Failures,
    Finding,
    Late,
    NoSuccess,
    NoWorker,
    Poison,
    Rule,
)
from shike.connect.alarms.bounds import MOMENTS_BACK_SECONDS
from shike.connect.alarms.held import Held
from shike.connect.alarms.rules.dead import POISON
from shike.connect.alarms.rules.opening import RULES, rule_of
from shike.connect.alarms.sight import Sight
from shike.errors import BadInput
from shike.lanes import hall_of
from shike.model import (
    RECORD_VERSION,
    Backoff,
    Ended,
    Fate,
    Growth,
    Live,
    Options,
    Planned,
    Route,
    Run,
    Schedule,
    State,
    TimetableRow,
)
from shike.operate import dead, queues
from shike.store import lost
from shike.testing import harness
from shike.testing.harness import START
from tests.unit.worker.world import World, run


class Looking:
    """The eyes of a rule, and a store."""

    def __init__(self, store: Any, rule: Rule) -> None:
        self._store = store
        self._eyes = rule.eyes()

    async def __call__(self) -> dict[str, Finding]:
        found = await self._eyes.look(Sight(self._store, await self._store.now()))
        assert len({one.subject for one in found}) == len(found)
        return {one.subject: one for one in found}


def fails(world: World, name: str, **settings: Any) -> None:
    async def handler() -> None:
        raise ValueError("the bank said no")

    world.task(handler, name=name, **settings)


def test_dead_letters_are_found_by_task_until_they_are_dealt_with() -> None:
    async def story(world: World) -> None:
        fails(world, "pay.card")
        fails(world, "mail")
        await world.worker()
        every, pay = Looking(world.store, Dead()), Looking(world.store, Dead("pay.*"))
        assert await every() == {}
        await world.submit("pay.card", 3, owner="treasury")
        await world.submit("mail")
        await asyncio.sleep(1)
        found = await every()
        assert {task: one.count for task, one in found.items()} == {"pay.card": 3, "mail": 1}
        assert found["pay.card"].owner == "treasury"
        assert "3 dead letters of pay.card; the last, run " in found["pay.card"].words
        assert "the bank said no" in found["pay.card"].words
        assert (await pay()).keys() == {"pay.card"}
        await dead.drop(world.store, await dead.pick(world.store, [], task="pay.card"))
        assert await pay() == {}

    run(story)


def test_a_dead_letter_that_was_replayed_is_dealt_with() -> None:
    app = Shike()
    bad = [True]

    @app.task(name="pay")
    async def pay() -> None:
        if bad[0]:
            raise ValueError("no")

    with harness(app) as time:
        looking = Looking(time.store, Dead())
        time.submit(pay.bind())
        assert time.run(looking()).keys() == {"pay"}
        bad[0] = False
        letters = time.run(time.store.dead(10))
        time.run(dead.replay_all(app.client, letters))
        assert time.run(looking()) == {}


def test_poison_is_a_dead_letter_that_killed_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(world: World) -> None:
        looking = Looking(world.store, Poison())
        fails(world, "mail")
        await world.worker()
        await world.submit("mail")
        await asyncio.sleep(1)
        assert await looking() == {}, "a dead letter, and no poison"
        letters = [replace(one, reason=f"{POISON}: killed 3 processes") for one in await world.store.dead(1)]

        async def poisoned(*_: Any) -> list[Ended]:
            return letters

        monkeypatch.setattr(world.store, "dead", poisoned)
        (found,) = (await looking()).values()
        assert "1 poison run of mail" in found.words

    run(story)


def test_what_a_store_calls_poison_is_what_the_rule_calls_so() -> None:
    assert f'f"{POISON}: killed' in Path(lost.__file__).read_text()


def test_runs_that_fail_are_found_while_they_wait_for_their_next_attempt() -> None:
    async def story(world: World) -> None:
        retry = Backoff(attempts=3, growth=Growth.FIXED, base_seconds=100.0, jitter=0.0)
        fails(world, "pay", retry=retry)
        await world.worker()
        few, many = Looking(world.store, Failures(3)), Looking(world.store, Failures(4))
        await world.submit("pay", 3)
        await asyncio.sleep(1)
        found = await few()
        assert found["pay"].count == 3 and "ValueError: the bank said no" in found["pay"].words
        assert await many() == {}
        await asyncio.sleep(300)
        assert await few() == {}, "they are dead letters now"

    run(story)


def test_runs_that_fail_and_are_too_old_to_be_named_are_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shike.connect.alarms.sight.LIVE_READ", 2)

    async def story(world: World) -> None:
        fails(world, "pay", retry=Backoff(attempts=3, growth=Growth.FIXED, base_seconds=100.0, jitter=0.0))
        await world.worker()
        await world.submit("pay", 3)
        await asyncio.sleep(1)
        await world.submit("other", 2)
        found = await Looking(world.store, Failures(3))()
        assert {subject: one.count for subject, one in found.items()} == {"older runs": 3}
        assert await Looking(world.store, Failures(3, "pay"))() == {}, "whose they are is not known"

    run(story)


def test_a_schedule_that_fires_often_and_fails_for_a_while_is_not_taken_for_silent() -> None:
    app, bad = Shike(), [False]

    @app.task(name="tick")
    async def tick() -> None:
        if bad[0]:
            raise ValueError("no")

    app.schedule(tick, every="10s", name="often")
    with harness(app) as time:
        time.advance("2h")
        bad[0] = True
        time.advance("30m")
        rule = NoSuccess("default/often", "1h")
        assert time.run(Looking(time.store, rule)()) == {}, "who begins to watch has not looked at all moments"
        looking = Looking(time.store, rule)
        time.run(looking())
        time.advance("50m")
        (found,) = time.run(looking()).values()
        assert found.count > 3_600


def test_a_queue_that_waits_longer_than_it_may_is_late() -> None:
    async def story(world: World) -> None:
        looking = Looking(world.store, Late("30s", "mail"))
        await world.submit("send", queue="mail")
        await world.submit("send", queue="bulk")
        await asyncio.sleep(29)
        assert await looking() == {}
        await asyncio.sleep(2)
        found = await looking()
        assert found.keys() == {"mail"} and 30 < found["mail"].count < 32
        await queues.pause(world.store, "mail", "on purpose")
        assert await looking() == {}

    run(story)


def test_a_moment_that_was_started_late_is_found_while_it_is_in_the_window() -> None:
    app = Shike()

    @app.task(name="report", queue="reports")
    async def report() -> None: ...

    app.schedule(report, cron="0 * * * *", name="hourly")
    with harness(app, start=datetime(2026, 1, 1, 11, 59, tzinfo=UTC)) as time:
        looking, other = Looking(time.store, Late("2m")), Looking(time.store, Late("2m", "default/nightly"))
        time.advance("30s")
        assert time.run(looking()) == {}
        time.run(queues.pause(time.store, "reports", "to be late, and nobody looks meanwhile"))
        time.advance("5m")
        time.run(queues.resume(time.store, "reports"))
        time.advance("10s")
        found = time.run(looking())
        assert found.keys() == {"default/hourly"} and 260 < found["default/hourly"].count < 300
        assert "s late; it may start 120 s after its time" in found["default/hourly"].words
        assert time.run(Looking(time.store, Late("2m", "default/*"))()).keys() == {"default/hourly"}, (
            "who begins now, too"
        )
        assert time.run(other()) == {}
        time.advance(MOMENTS_BACK_SECONDS)
        assert time.run(looking()) == {}


class Window:
    """A sight of one schedule whose rows and runs are made up."""

    def __init__(self, *rows: TimetableRow, known: Live | Ended | None = None) -> None:
        self.now = START + 600 * MICROS
        self._rows = rows
        self._known = known

    async def oldest(self) -> dict[str, int]:
        return {}

    async def held(self) -> Held:
        return Held()

    async def schedules(self) -> list[Planned]:
        return [Planned(schedule=Schedule(name="default/hourly", task="report", trigger=b""))]

    async def moments(self, schedule: str, since: int) -> list[TimetableRow]:
        return [row for row in self._rows if row.until >= since]

    async def find(self, run_id: int) -> Live | Ended | None:
        return self._known


def row(seconds: int, fate: Fate, count: int = 1, run_id: int = 0) -> TimetableRow:
    at = START + seconds * MICROS
    return TimetableRow("default/hourly", 1, at, at, count, fate, run_id, at)


def test_moments_that_nobody_was_there_to_plan_are_late() -> None:
    async def story() -> None:
        sight = Window(row(0, Fate.MISSED), row(500, Fate.PAUSED))
        (found,) = await Late("2m").eyes().look(sight)  # type: ignore[arg-type]
        assert found.count == 600 and "missed: 1 moment: nobody was there to plan them in time" in found.words
        sight = Window(row(590, Fate.MISSED), row(100, Fate.MISSED, count=40))
        (found,) = await Late("2m").eyes().look(sight)  # type: ignore[arg-type]
        assert found.count == 500 and "missed: 40 moments" in found.words

    asyncio.run(story())


def test_a_moment_that_was_skipped_because_it_was_late_is_late() -> None:
    run = Run(RECORD_VERSION, 7, "report", due_at=START, owner="ops")
    skipped = Ended(run, State.SKIPPED, START + 400 * MICROS, 0, 0, "", "misfire")

    async def story() -> None:
        sight = Window(row(0, Fate.PLANNED, run_id=7), known=skipped)
        (found,) = await Late("2m").eyes().look(sight)  # type: ignore[arg-type]
        assert (found.count, found.owner) == (400, "ops") and "run 7 was skipped: misfire" in found.words

    asyncio.run(story())


def test_a_run_that_takes_longer_than_the_window_is_looked_at_until_it_is_over() -> None:
    app, seconds = Shike(), [1.0]

    @app.task(name="report")
    async def report() -> None:
        await asyncio.sleep(seconds[0])

    app.schedule(report, every="4h", name="long")
    with harness(app) as time:
        looking = Looking(time.store, NoSuccess("default/long", "5h"))
        time.advance("1m")
        assert time.run(looking()) == {}
        seconds[0] = 3_600.0
        time.advance("4h")
        assert time.run(looking()) == {}
        time.advance("50m")
        assert time.run(looking()) == {}, "the last ended 4 h 50 min ago"
        time.advance("11m")
        assert time.run(looking()) == {}, "the long one has ended just now, its moment was an hour ago"
        time.advance("3h")
        assert time.run(looking()) == {}


def test_a_schedule_that_has_not_succeeded_for_too_long_is_found_also_when_it_is_silent() -> None:
    app, bad = Shike(), [False]

    @app.task(name="report")
    async def report() -> None:
        if bad[0]:
            raise ValueError("no")

    app.schedule(report, cron="0 6 * * *", name="daily")
    with harness(app, start=datetime(2026, 1, 1, tzinfo=UTC)) as time:
        looking = Looking(time.store, NoSuccess("default/daily", "26h"))
        assert time.run(looking()) == {}, "made just now"
        for _ in range(3):
            time.advance("24h")
            assert time.run(looking()) == {}
        bad[0] = True
        time.advance("8h")
        assert time.run(looking()) == {}, "the last was 26 hours ago at eight"
        time.advance("24h")
        (found,) = time.run(looking()).values()
        assert "has not succeeded for" in found.words and "the last one was at 2026-01-03 06:00 UTC" in found.words
        bad[0] = False
        time.advance("24h")
        assert time.run(looking()) == {}
        time.run(time.store.control_schedule("default/daily", paused=True, reason="a holiday"))
        time.advance("72h")
        assert time.run(looking()) == {}, "it is silent on purpose"


def test_a_task_that_nobody_submits_any_more_is_found_by_its_silence() -> None:
    app = Shike()

    @app.task(name="heartbeat")
    async def heartbeat() -> None: ...

    with harness(app) as time:
        looking = Looking(time.store, NoSuccess("heartbeat", "1h"))
        assert time.run(looking()) == {}
        time.advance("50m")
        time.submit(heartbeat.bind())
        time.advance("30m")
        assert time.run(looking()) == {}
        time.advance("31m")
        (found,) = time.run(looking()).values()
        assert found.subject == "heartbeat"
        again = Looking(time.store, NoSuccess("heartbeat", "1h"))
        assert time.run(again()).keys() == {"heartbeat"}, "whoever watches next knows it at once"
        time.submit(heartbeat.bind())
        assert time.run(again()) == {}


def test_a_task_that_never_was_is_found_when_the_rule_is_old_enough_over_restarts() -> None:
    async def story(world: World) -> None:
        rule = NoSuccess("never", "1h")
        assert await Looking(world.store, rule)() == {}
        await asyncio.sleep(3_000)
        assert await Looking(world.store, rule)() == {}
        await asyncio.sleep(700)
        (found,) = (await Looking(world.store, rule)()).values()
        assert "there was none" in found.words

    run(story)


def test_work_that_no_worker_may_have_is_found_by_queue_task_and_tags() -> None:
    async def story(world: World) -> None:
        looking, gpu = Looking(world.store, NoWorker()), Looking(world.store, NoWorker("1m", "tags*"))
        fails(world, "pay")
        await world.submit("pay")
        assert (await looking()).keys() == {"all queues"}
        await world.worker(tags=("cpu",))
        await asyncio.sleep(2)
        assert await looking() == {}
        await world.submit("pay", 2, queue="bulk")
        await world.submit("new")
        route = msgspec.json.encode(Options(route=Route(by="first", required=("gpu", "eu"))))
        await world.submit("pay", queue=hall_of("default"), options=route)
        found = await looking()
        assert {subject: one.count for subject, one in found.items()} == {
            "queue bulk": 1, "task new": 1, "tags eu,gpu": 1,
        }  # fmt: skip
        assert found["tags eu,gpu"].words == "1 run is due, for a worker with eu, gpu, and there is none"
        assert (await gpu()).keys() == {"tags eu,gpu"}
        await world.worker(tags=("gpu", "eu"))
        await asyncio.sleep(2)
        assert (await looking()).keys() == {"queue bulk", "task new"}

    run(story)


def test_a_backlog_that_grows_is_found_and_one_that_is_caught_up_with_is_not() -> None:
    async def story(world: World) -> None:
        looking = Looking(world.store, Backlog("60s"))
        for _ in range(20):
            await world.submit("send", queue="mail")
            await asyncio.sleep(10)
        found = await looking()
        assert found["mail"].count == 200
        await asyncio.sleep(15)
        assert (await looking())["mail"].count == 215
        oldest = await world.store.due(0, world.store.virtual_buckets - 1, -1, world.clock.wall(), 10)
        ((run_at, lane),) = oldest

        async def later(*_: Any) -> list[tuple[int, str]]:
            return [(run_at + 100_000_000, lane)]

        world.store.due = later  # type: ignore[method-assign]
        await asyncio.sleep(15)
        assert await looking() == {}, "the oldest is 130 s old now, and was 215"

    run(story)


TEXTS = {
    "failures>5": Failures(5),
    "failures:pay>1": Failures(1, "pay"),
    "dead": Dead(),
    "dead:pay.*": Dead("pay.*"),
    "poison": Poison(),
    "late:mail>30s": Late("30s", "mail"),
    "late>60s": Late(),
    "no_success:default/report>93600s": NoSuccess("default/report", "26h"),
    "no_worker>120s": NoWorker("2m"),
    "no_worker:tags*>60s": NoWorker("1m", "tags*"),
    "backlog:mail>600s": Backlog("10m", "mail"),
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_rule_is_the_one_of_its_name(text: str) -> None:
    assert TEXTS[text].name == text == rule_of(text).name
    assert type(rule_of(text)) is type(TEXTS[text])


def test_every_rule_can_be_written_as_a_text() -> None:
    assert {text.partition(":")[0].partition(">")[0] for text in TEXTS} == RULES.keys()


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "dead>5", "failures>many", "failures>0", "failures>-1", "late>soon", "late>0s", "no_success>1h",
     "no_success:pay", "no_success:pay.*>1h", "no_worker>-1m", "backlog:mail>x"],
)  # fmt: skip
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        rule_of(text)


@pytest.mark.parametrize(
    ("pace", "words"),
    [({"afer": "5m"}, "there are: after, repeat"), ({"after": "soon"}, "soon"), ({"repeat": -1}, "negative")],
)
def test_what_is_no_pace_is_refused(pace: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        Shike("memory://").alarm(Dead(), **pace)
