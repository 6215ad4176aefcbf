"""The watch (R2.9): nothing told twice, nothing forgotten; over restarts, kills, hung channels, and two who watch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from shike.connect.alarms import Eyes, Finding, Letter, Pace, Rule
from shike.connect.alarms.bounds import ALARMS_MAX, SEND_PAUSE_SECONDS, SEND_TRIES, SUBJECTS_MAX
from shike.connect.alarms.sight import Sight
from shike.connect.alarms.telling import Teller
from shike.connect.alarms.watch import Watch
from shike.errors import CallFailed, CallRefused, DuplicateName, StoreUnavailable
from shike.operate import alarms
from shike.scheduler.duty import Post
from shike.scheduler.node import Node
from shike.session import Member
from shike.store.base import Control
from shike.track.alarm import ALARM_KEY, Notice
from tests.unit.worker.world import World, run

PACE = Pace(after=0.0, recover=0.0, quiet=0.0)


class Killed(BaseException):
    """The process is gone, in the middle of it."""


class Switch(Rule, frozen=True):
    """Finds what it is told to."""

    kind = "switch"
    found: Callable[[], list[Finding]]

    @property
    def name(self) -> str:
        return "switch"

    def eyes(self) -> Eyes:
        rule = self

        class Looking:
            async def look(self, sight: Sight) -> list[Finding]:
                return rule.found()

        return Looking()


class Desk:
    """A channel that keeps what it is told."""

    def __init__(self, name: str = "desk") -> None:
        self.name = name
        self.letters: list[Letter] = []
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None
        self.hangs = False

    async def send(self, letter: Letter) -> None:
        self.before()
        if self.hangs:
            await asyncio.sleep(1e6)
        self.letters.append(letter)
        self.after()

    @property
    def told(self) -> list[tuple[str, Notice]]:
        return [(told.alarm.subject, told.notice) for letter in self.letters for told in letter.told]


class Stage:
    """A store, a rule, channels; and whoever watches, for as long as they live."""

    def __init__(self, world: World, *channels: Desk) -> None:
        self.world = world
        self.store = world.store
        self.subjects: list[str] = []
        self.channels = channels or (Desk(),)
        self.pace = PACE

    @property
    def desk(self) -> Desk:
        return self.channels[0]

    def watch(self) -> Watch:
        watch = Watch()
        rule = Switch(lambda: [Finding(subject=one, words=f"{one} is wrong") for one in self.subjects])
        watch.declare(rule, self.channels, self.pace)
        return watch

    async def look(self, times: int = 1, watch: Watch | None = None) -> None:
        """By somebody who has just begun to watch, unless it is said who."""
        watch = watch or self.watch()
        teller = Teller(self.store, watch.channels, self.world.runtime.entropy.random)
        for _ in range(times):
            await watch.look(self.store, teller)
            await asyncio.sleep(watch.look_seconds)


def on_stage(story: Callable[[Stage], Awaitable[None]], *channels: Desk) -> None:
    run(lambda world: story(Stage(world, *channels)))


def test_it_is_told_once_whoever_watches_and_its_end_once() -> None:
    async def story(stage: Stage) -> None:
        stage.subjects = ["a", "b"]
        for _ in range(5):
            await stage.look()
        assert stage.desk.told == [("a", Notice.RAISED), ("b", Notice.RAISED)]
        assert len(stage.desk.letters) == 1, "grouped"
        stage.subjects = ["b"]
        for _ in range(5):
            await stage.look()
        assert stage.desk.told[2:] == [("a", Notice.OVER)]

    on_stage(story)


Fault = Callable[[], None]


def killing(stage: Stage, step: int) -> Callable[[], bool]:
    """Have whoever watches die at the step of that number: before a write, after it, before a message, after it."""
    steps, struck = [0], [False]
    put = type(stage.store).put

    def tick() -> None:
        steps[0] += 1
        if steps[0] == step:
            struck[0] = True
            raise Killed

    async def counted(key: str, value: bytes | None, *, expect: int | None) -> Control | None:
        tick()
        written = await put(stage.store, key, value, expect=expect)
        tick()
        return written

    stage.store.put = counted  # type: ignore[method-assign,assignment]
    for channel in stage.channels:
        channel.before = channel.after = tick
    return lambda: struck[0]


async def a_life_with_a_kill(stage: Stage, step: int) -> bool:
    """Two alarms are raised, and end; whoever watches is killed once. Whether it was."""
    struck = killing(stage, step)
    for subjects in (["a", "b"], []):
        stage.subjects = subjects
        for _ in range(2 + int(SEND_PAUSE_SECONDS / 10)):
            try:
                await stage.look()
            except Killed:
                pass
    return struck()


def repeats(stage: Stage) -> list[str]:
    """What is wrong with what was told."""
    wrong = []
    for channel in stage.channels:
        for subject in ("a", "b"):
            for notice in (Notice.RAISED, Notice.OVER):
                times = channel.told.count((subject, notice))
                if not 1 <= times <= 2:
                    wrong.append(f"{channel.name}: {subject} {notice} was told {times} times")
    return wrong


def lives(check: Callable[[Stage], list[str]]) -> list[str]:
    """Of one life for each step at which a kill is possible: what was wrong."""
    wrong: list[str] = []
    more = [True]

    async def story(step: int, stage: Stage) -> None:
        more[0] = await a_life_with_a_kill(stage, step)
        wrong.extend(f"killed at {step}: {words}" for words in check(stage))

    step = 0
    while more[0]:
        step += 1
        on_stage(partial(story, step), Desk("one"), Desk("two"))
    assert step > 20, "that many steps at least"
    return wrong


def test_killed_at_any_step_it_repeats_at_most_once_and_forgets_nothing() -> None:
    assert lives(repeats) == []


def test_who_strikes_off_before_telling_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted bug."""
    deliver = Teller._deliver

    async def hasty(self: Teller, name: str, taken: Any, now: int) -> None:
        for one in taken:
            await self._strike(one, given_up=False)
        await deliver(self, name, taken, now)

    monkeypatch.setattr(Teller, "_deliver", hasty)
    assert any("told 0 times" in words for words in lives(repeats))


def test_who_does_not_move_a_notice_ahead_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted bug: two who watch at once both tell it."""
    assert told_by_two() == 1
    monkeypatch.setattr("shike.connect.alarms.telling.SEND_PAUSE_SECONDS", 0.0)
    assert told_by_two() == 2


def told_by_two() -> int:
    """How often it is told when two nodes believe that it is their turn."""
    counts = []

    async def story(stage: Stage) -> None:
        stage.subjects = ["a"]

        async def slowly() -> None:
            await asyncio.gather(stage.look(3), stage.look(3))

        send = stage.desk.send

        async def late(letter: Letter) -> None:
            await asyncio.sleep(5)
            await send(letter)

        stage.desk.send = late  # type: ignore[method-assign]
        await slowly()
        counts.append(len(stage.desk.letters))

    on_stage(story)
    return min(counts[0], 2)


def test_a_channel_that_fails_is_tried_again_and_one_that_hangs_holds_up_no_other() -> None:
    failing, hung, well = Desk("failing"), Desk("hung"), Desk("well")

    async def story(stage: Stage) -> None:
        tries = []

        def fail() -> None:
            tries.append(stage.world.loop.time())
            if len(tries) < 3:
                raise CallFailed("down")

        failing.before, hung.hangs = fail, True
        stage.subjects = ["a"]
        watch = stage.watch()
        await stage.look(1, watch)
        assert well.told == [("a", Notice.RAISED)]
        await stage.look(30, watch)
        assert failing.told == [("a", Notice.RAISED)] and len(well.letters) == 1
        assert tries[1] - tries[0] >= SEND_PAUSE_SECONDS and tries[2] - tries[1] >= 2 * SEND_PAUSE_SECONDS
        (one,) = await alarms.listing(stage.store)
        assert one.waiting == ["hung"]

    on_stage(story, failing, hung, well)


def test_a_clock_that_is_set_back_puts_no_message_off_for_ever() -> None:
    failing = Desk("failing")

    async def story(stage: Stage) -> None:
        def fail() -> None:
            failing.before = lambda: None
            raise CallFailed("down")

        failing.before = fail
        stage.subjects = ["a"]
        await stage.look()
        stage.world.clock._start -= 30 * 86_400_000_000
        await stage.look(2)
        assert ("a", Notice.RAISED) in failing.told

    on_stage(story, failing)


def test_what_is_refused_or_failed_too_often_is_given_up_and_shown() -> None:
    refusing, failing = Desk("refusing"), Desk("failing")

    async def story(stage: Stage) -> None:
        tries = []

        def refuse() -> None:
            raise CallRefused("no such hook", status=404)

        def fail() -> None:
            tries.append(None)
            raise CallFailed("down")

        refusing.before, failing.before = refuse, fail
        stage.subjects, stage.pace = ["a"], Pace(after=0.0, repeat=0.0)
        await stage.look(int(SEND_PAUSE_SECONDS * 2 ** (SEND_TRIES + 1) / 15), stage.watch())
        assert len(tries) == SEND_TRIES
        (one,) = await alarms.listing(stage.store)
        assert one.untold == ["refusing", "failing"] and one.waiting == []

    on_stage(story, refusing, failing)


def test_who_takes_it_over_is_not_reminded_and_hears_of_the_end() -> None:
    async def story(stage: Stage) -> None:
        stage.pace = Pace(after=0.0, recover=0.0, quiet=0.0, repeat=60.0)
        stage.subjects = ["a"]
        watch = stage.watch()
        await stage.look(10, watch)
        assert stage.desk.told[0] == ("a", Notice.RAISED) and stage.desk.told[-1] == ("a", Notice.AGAIN)
        (one,) = await alarms.listing(stage.store)
        taken = await alarms.ack(stage.store, one.id[:6], by="lin")
        assert (taken.acked_by, taken.id) == ("lin", one.id)
        before = len(stage.desk.told)
        await stage.look(20, watch)
        assert len(stage.desk.told) == before
        stage.subjects = []
        await stage.look(2, watch)
        assert stage.desk.told[before:] == [("a", Notice.OVER)]
        stage.subjects = ["a"]
        await stage.look(2, watch)
        (again,) = await alarms.listing(stage.store)
        assert again.acked_by == "", "another time is another matter"

    on_stage(story)


def test_more_subjects_than_anybody_reads_are_some_and_a_number() -> None:
    async def story(stage: Stage) -> None:
        stage.subjects = [f"s{number}" for number in range(SUBJECTS_MAX + 30)]
        await stage.look(3, stage.watch())
        assert len(await alarms.listing(stage.store)) == SUBJECTS_MAX + 1 <= ALARMS_MAX
        assert ("…", Notice.RAISED) in stage.desk.told

    on_stage(story)


def test_a_rule_that_raises_disturbs_no_other_and_what_it_raised_stays(caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> None:
        stage.subjects = ["a"]
        watch = stage.watch()
        await stage.look(2, watch)

        def fails() -> list[Finding]:
            raise RuntimeError("a rule of somebody's own")

        class Other(Switch, frozen=True):
            @property
            def name(self) -> str:
                return "other"

        watch.declare(Other(fails), stage.channels, PACE)
        stage.subjects = ["a", "b"]
        with caplog.at_level(logging.ERROR, "shike.alarms"):
            await stage.look(5, watch)
        assert stage.desk.told == [("a", Notice.RAISED), ("b", Notice.RAISED)]
        told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        assert told == ["the alarm other cannot be looked for"], "once"

    on_stage(story)


def test_a_rule_that_nobody_declares_any_more_is_forgotten_in_time() -> None:
    async def story(stage: Stage) -> None:
        stage.subjects = ["a"]
        await stage.look(2)
        other = Watch()
        await stage.look(100, other)
        assert len(await stage.store.controls(ALARM_KEY)) == 1
        await stage.look(200, other)
        assert await stage.store.controls(ALARM_KEY) == []

    on_stage(story)


def test_the_role_waits_out_a_store_that_is_down_and_looks_only_in_its_turn() -> None:
    async def story(stage: Stage) -> None:
        stage.subjects = ["a"]
        ours, looks = [False], []
        controls = stage.store.controls

        async def counted(prefix: str) -> Any:
            looks.append(None)
            if len(looks) < 3:
                raise StoreUnavailable("down")
            return await controls(prefix)

        stage.store.controls = counted  # type: ignore[method-assign]
        post = Post(stage.store, stage.world.clock, lambda: 0.5, lambda: ours[0])
        role = asyncio.ensure_future(stage.watch().run(post))
        await asyncio.sleep(100)
        assert looks == []
        ours[0] = True
        await asyncio.sleep(100)
        assert stage.desk.told == [("a", Notice.RAISED)]
        role.cancel()
        await asyncio.wait([role])

    on_stage(story)


def test_one_node_of_two_watches_and_the_other_takes_over() -> None:
    async def story(stage: Stage) -> None:
        stage.subjects = ["a"]
        world, nodes = stage.world, []
        for name in ("one", "two"):
            member = Member(world.store, world.runtime, kind="node", name=name)
            await member.join()
            node = Node(world.store, world.runtime, member, duties=[stage.watch()])
            await node.start()
            nodes.append((node, member))
        await asyncio.sleep(60)
        assert stage.desk.told == [("a", Notice.RAISED)]
        stage.subjects = []
        holder = next(pair for pair in nodes if pair[0].buckets.holder_of(0) is not None)
        await holder[0].stop()
        await world.kill(holder[1])
        await asyncio.sleep(60)
        assert stage.desk.told == [("a", Notice.RAISED), ("a", Notice.OVER)]

    on_stage(story)


def test_the_same_rule_twice_and_two_channels_of_one_name_are_refused() -> None:
    watch, rule = Watch(), Switch(list)
    watch.declare(rule, [Desk()], PACE)
    with pytest.raises(DuplicateName, match="declared twice"):
        watch.declare(rule, [], PACE)

    class Other(Switch, frozen=True):
        @property
        def name(self) -> str:
            return "other"

    with pytest.raises(DuplicateName, match="two channels"):
        watch.declare(Other(list), [Desk()], PACE)
