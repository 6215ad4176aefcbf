"""Alarms on every store (R2.9): each rule can look, rows are compared and set, an end is told as its beginning."""

from __future__ import annotations

from shike.connect.alarms import Backlog, Dead, Failures, Late, Letter, NoSuccess, NoWorker, Pace, Poison
from shike.connect.alarms.telling import Teller
from shike.connect.alarms.watch import Watch
from shike.model import State
from shike.operate import alarms
from shike.track.alarm import ALARM_KEY, Notice
from tests.contract.world import TASK, World

PACE = Pace(after=0.0, recover=0.0, quiet=0.0)
RULES = (Dead(), Poison(), Failures(), Late("30s"), NoSuccess("never", "1h"), NoSuccess("daily/report", "1h"),
         NoWorker(), Backlog("30s"))  # fmt: skip


class Desk:
    """Keeps what it is told."""

    name = "desk"

    def __init__(self) -> None:
        self.told: list[tuple[str, str, Notice]] = []

    async def send(self, letter: Letter) -> None:
        self.told += [(told.alarm.rule, told.alarm.subject, told.notice) for told in letter.told]


class Looker:
    """Somebody new who watches, each time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.desk = Desk()

    async def __call__(self) -> list[tuple[str, str, Notice]]:
        """What is told at this look."""
        watch, before = Watch(), len(self.desk.told)
        for rule in RULES:
            watch.declare(rule, [self.desk], PACE)
        await watch.look(self.world.store, Teller(self.world.store, watch.channels, lambda: 0.5))
        return sorted(self.desk.told[before:])


async def test_every_rule_looks_at_every_store_and_what_it_finds_is_told_once(world: World) -> None:
    look = Looker(world)
    await world.session()
    assert await look() == []
    claimed = await world.started()
    await world.settle(claimed, State.DEAD, reason="poison: killed 3 processes")
    failing = await world.started()
    await world.settle(failing, State.FAILED, run_at=world.after(10_000), reason="no")
    told = [("dead", TASK, Notice.RAISED), ("failures>1", TASK, Notice.RAISED), ("poison", TASK, Notice.RAISED)]
    assert await look() == told
    assert await look() == []
    await world.store.drop_dead([claimed.run.id])
    assert await look() == [("dead", TASK, Notice.OVER), ("poison", TASK, Notice.OVER)]
    assert await look() == []


async def test_an_alarm_is_taken_over_while_it_is_watched(world: World) -> None:
    look = Looker(world)
    await world.session()
    claimed = await world.started()
    await world.settle(claimed, State.DEAD, reason="no")
    assert await look() == [("dead", TASK, Notice.RAISED)]
    (one,) = await alarms.listing(world.store)
    assert (await alarms.ack(world.store, one.id, by="lin")).acked_by == "lin"
    await look()
    (one,) = await alarms.listing(world.store)
    assert one.acked_by == "lin"
    assert len(await world.store.controls(ALARM_KEY)) == 1


async def test_what_waits_for_nobody_is_found_on_every_store(world: World) -> None:
    look = Looker(world)
    await world.add(queue="mail", due_at=world.after(-100))
    told = dict.fromkeys(rule for rule, _, _ in await look())
    assert told.keys() == {"backlog>30s", "late>30s", "no_worker>60s"}
