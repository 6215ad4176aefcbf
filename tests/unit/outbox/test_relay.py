"""The relay: each row exactly one run, in order, whatever stops in between and whoever else relays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from shike import Shike
from shike.errors import BadInput, ForeignStore, StoreFrozen, StoreMoved, StoreUnavailable, TooLarge
from shike.outbox import Outbox, Relay
from shike.outbox.opening import layout, open_table
from shike.store.base import RunFilter
from tests.unit.outbox.worlds import DRIVERS, World

PATIENCE_SECONDS = 30.0


class Killed(BaseException):
    """As far as what follows is concerned, the process is no more."""


async def write(world: World, outbox: Outbox, *calls: Any) -> None:
    async with DRIVERS[world.kind][0](world) as connection:
        outbox.submit_on(connection, calls)


async def stored(app: Shike) -> list[tuple[str, str]]:
    """The runs in the store in the order in which they would be claimed: their arguments and keys."""
    found = await (await app.client.store()).runs(RunFilter(limit=10_000))
    lives = sorted(found, key=lambda live: live.run.id)
    return [(live.run.args.decode(), live.run.key) for live in lives]


def numbers(*wanted: int) -> list[tuple[str, str]]:
    return [(f'{{"number":{n}}}', "") for n in wanted]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(0.01)


# ---------------------------------------------------------------- each row one run


def test_what_was_committed_is_handed_on_in_order_and_the_outbox_is_empty(world: World, app: Shike) -> None:
    async def story() -> None:
        outbox, task = Outbox(app, world.url), app.find_task("mail")
        await write(world, outbox, *map(task.bind, range(25)))
        await outbox.relay(rows_max=10).drain()
        assert await stored(app) == numbers(*range(25))
        assert (await outbox.counts())[:2] == (0, 0) and not await outbox.refused()

    asyncio.run(story())


@pytest.mark.parametrize("step", ["take", "read", "deliver", "done", "give_back"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_step_each_row_is_still_one_run(world: World, app: Shike, step: str, when: str) -> None:
    async def story() -> None:
        outbox, task = Outbox(app, world.url), app.find_task("mail")
        await write(world, outbox, *(task.options(key="two" if n == 2 else None).bind(n) for n in range(5)))
        first = outbox.relay(rows_max=3, lease_seconds=0.2)
        plant(first, step, when)
        with pytest.raises(Killed):
            await first.drain()
        await outbox.relay(poll_seconds=0.05).drain()
        wanted = numbers(*range(5))
        wanted[2] = (wanted[2][0], "two")
        assert await stored(app) == wanted
        assert (await outbox.counts())[:2] == (0, 0)

    asyncio.run(story())


def plant(relay: Relay, step: str, when: str) -> None:
    """Let a relay die at a step, and never say good-bye."""
    holder: Any = relay._client if step == "deliver" else relay._table
    real = getattr(holder, step)

    async def dies(*args: Any) -> Any:
        setattr(holder, step, real)
        relay._table.give_back = gone  # type: ignore[method-assign]
        if when == "after":
            await real(*args)
        raise Killed

    async def gone(owner: str) -> None:
        return None

    setattr(holder, step, dies)


def test_an_answer_that_was_lost_is_no_second_run(world: World, app: Shike) -> None:
    async def story() -> None:
        outbox, task = Outbox(app, world.url), app.find_task("mail")
        await write(world, outbox, task.bind(1))
        relay = outbox.relay()
        deliver = app.client.deliver

        async def unheard(entries: Any) -> Any:
            await deliver(entries)
            app.client.deliver = deliver  # type: ignore[method-assign]
            raise StoreUnavailable("no answer")

        app.client.deliver = unheard  # type: ignore[method-assign]
        with pytest.raises(StoreUnavailable):
            await relay.step()
        await relay.drain()
        assert await stored(app) == numbers(1)

    asyncio.run(story())


def test_a_key_of_the_users_own_is_kept_as_by_submit(world: World, app: Shike) -> None:
    async def story() -> None:
        outbox, task = Outbox(app, world.url), app.find_task("mail")
        await task.options(key="order/1").submit(0)
        await write(world, outbox, *(task.options(key=f"order/{n}").bind(n) for n in (1, 2, 2, 3)))
        await outbox.relay().drain()
        assert [key for _, key in await stored(app)] == ["order/1", "order/2", "order/3"]
        assert (await outbox.counts())[:2] == (0, 0)

    asyncio.run(story())


# ---------------------------------------------------------------- two of them


def test_two_relays_at_once_hand_on_each_row_once_and_in_order(world: World, app: Shike) -> None:
    async def story() -> None:
        outbox, task = Outbox(app, world.url), app.find_task("mail")
        await write(world, outbox, *map(task.bind, range(200)))
        relays = [outbox.relay(rows_max=7, poll_seconds=0.02) for _ in range(2)]
        running = [asyncio.ensure_future(relay.run()) for relay in relays]
        await until(lambda: sum(relay.handed_on for relay in relays) >= 200)
        for one in running:
            one.cancel()
        await asyncio.wait(running, timeout=PATIENCE_SECONDS)
        assert await stored(app) == numbers(*range(200))

    asyncio.run(story())


def test_who_drains_beside_another_ends_when_nothing_is_left(world: World, app: Shike) -> None:
    async def story() -> None:
        outbox, task = Outbox(app, world.url), app.find_task("mail")
        other = outbox.relay(poll_seconds=0.02)
        running = asyncio.ensure_future(other.run())
        await write(world, outbox, *map(task.bind, range(5)))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await outbox.relay(poll_seconds=0.02).drain()
        assert world.waiting() == 0 and not running.done()
        running.cancel()
        await asyncio.wait([running], timeout=PATIENCE_SECONDS)

    asyncio.run(story())


def test_one_that_slept_past_its_lease_does_no_harm_when_it_wakes(world: World, app: Shike) -> None:
    async def story() -> None:
        outbox, task = Outbox(app, world.url), app.find_task("mail")
        await write(world, outbox, *map(task.bind, range(4)))
        sleeper, awake = outbox.relay(rows_max=2, lease_seconds=0.05), outbox.relay(poll_seconds=0.05)
        read, has_read, go_on = sleeper._table.read, asyncio.Event(), asyncio.Event()

        async def slow(limit: int) -> Any:
            rows = await read(limit)
            has_read.set()
            await go_on.wait()
            return rows

        sleeper._table.read = slow  # type: ignore[method-assign]
        late = asyncio.ensure_future(sleeper.step())
        async with asyncio.timeout(PATIENCE_SECONDS):
            await has_read.wait()
            await awake.drain()  # once the sleeper's lease is over
            go_on.set()
            assert (await late).rows == 2
        await sleeper._table.close()
        assert await stored(app) == numbers(*range(4))

    asyncio.run(story())


# ---------------------------------------------------------------- what never can be a run


def test_a_bad_row_is_set_aside_and_the_others_go_on_and_it_is_tried_again_on_demand(world: World, app: Shike) -> None:
    async def story() -> None:
        outbox, task = Outbox(app, world.url), app.find_task("mail")
        await write(world, outbox, task.bind(1))
        world.ask("insert into shike_outbox (task, args) values ('later', '{}')")
        world.ask("insert into shike_outbox (task, args) values ('mail', 'no json')")
        await write(world, outbox, task.bind(2))
        relay = outbox.relay()
        await relay.drain()
        assert (relay.handed_on, relay.refused) == (2, 2)
        assert await stored(app) == numbers(1, 2)
        unknown, unread = await outbox.refused()
        assert "no task is called 'later'" in unknown.reason and "no JSON object" in unread.reason
        app.task(nothing, name="later")
        table = open_table(world.url, "shike")
        assert await table.retry([int(unknown.id)]) == 1
        await outbox.relay().drain()
        assert [row.id for row in await outbox.refused()] == [unread.id]
        assert len(await stored(app)) == 3
        assert (await table.retry(None), (await table.counts()).refused) == (1, 0)
        await outbox.relay().drain()
        assert (await table.drop([int(unknown.id)]), await table.drop(None), await table.drop([])) == (0, 1, 0)
        assert tuple(await table.counts()) == (0, 0, 0)
        await table.close()

    asyncio.run(story())


def nothing() -> None: ...


def test_what_the_store_itself_refuses_is_found_among_many(world: World, app: Shike) -> None:
    async def story() -> None:
        outbox, task = Outbox(app, world.url), app.find_task("mail")
        await write(world, outbox, *map(task.bind, range(20)))
        deliver = app.client.deliver

        async def particular(entries: Any) -> Any:
            if any(entry.run.args == b'{"number":13}' for entry in entries):
                raise TooLarge("this store takes no 13", size=13, limit=12)
            return await deliver(entries)

        app.client.deliver = particular  # type: ignore[method-assign]
        await outbox.relay().drain()
        app.client.deliver = deliver  # type: ignore[method-assign]
        assert await stored(app) == numbers(*(n for n in range(20) if n != 13))
        (row,) = await outbox.refused()
        assert (row.args, row.reason) == ('{"number":13}', "this store takes no 13")

    asyncio.run(story())


def test_a_reason_that_no_database_holds_is_kept_as_far_as_it_can_be(world: World, app: Shike) -> None:
    async def story() -> None:
        outbox = Outbox(app, world.url)
        await write(world, outbox, app.find_task("mail").bind(1))

        def find(name: str) -> Any:
            raise ValueError("nul \0, half a sign \ud800, and much more: " + "x" * 100_000)

        await Relay(open_table(world.url, "shike"), app.client, find).drain()
        (row,) = await outbox.refused()
        assert row.reason.startswith("nul �, half a sign ?, and much more")

    asyncio.run(story())


# ---------------------------------------------------------------- outages


def test_outages_of_either_database_are_waited_out(
    world: World, app: Shike, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        outbox, task = Outbox(app, world.url), app.find_task("mail")
        await write(world, outbox, *map(task.bind, range(3)))
        relay = outbox.relay(poll_seconds=0.02)
        deliver, take = app.client.deliver, relay._table.take
        faults = [StoreUnavailable("down"), StoreFrozen("moving"), TimeoutError()]

        async def now_and_then(entries: Any) -> Any:
            if faults:
                raise faults.pop()
            return await deliver(entries)

        async def down(owner: str, lease_micros: int) -> bool:
            relay._table.take = take  # type: ignore[method-assign]
            raise ConnectionResetError("cut off")

        monkeypatch.setattr(app.client, "deliver", now_and_then)
        relay._table.take = down  # type: ignore[method-assign]
        running = asyncio.ensure_future(relay.run())
        await until(lambda: relay.handed_on == 3)
        running.cancel()
        await asyncio.wait([running], timeout=PATIENCE_SECONDS)
        assert await stored(app) == numbers(0, 1, 2)

    asyncio.run(story())
    assert "works again" in caplog.text


def test_a_store_that_moved_away_ends_it_and_loses_nothing(world: World, app: Shike) -> None:
    async def story() -> None:
        outbox, task = Outbox(app, world.url), app.find_task("mail")
        await write(world, outbox, task.bind(1))
        deliver = app.client.deliver

        async def moved(entries: Any) -> Any:
            raise StoreMoved("it lies elsewhere", to="sqlite:////new.db")

        app.client.deliver = moved  # type: ignore[method-assign]
        with pytest.raises(StoreMoved):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await outbox.relay().run()
        app.client.deliver = deliver  # type: ignore[method-assign]
        assert world.waiting() == 1
        await outbox.relay().drain()
        assert await stored(app) == numbers(1)

    asyncio.run(story())


# ---------------------------------------------------------------- in this process, and the table


def test_a_relay_in_the_app_hands_on_what_is_committed_while_it_runs(world: World, app: Shike) -> None:
    async def story() -> None:
        outbox, task = Outbox(app, world.url), app.find_task("mail")
        async with app.running(), outbox.relaying() as relay:
            for n in range(3):
                await write(world, outbox, task.bind(n))
                await until(lambda: relay.handed_on > n)  # noqa: B023  # waited for here
        assert relay.handed_on == 3
        await app.client.close()

    asyncio.run(story())


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_commit_on_postgresql_wakes_the_relay(world: World, app: Shike) -> None:
    async def story() -> None:
        outbox, task = Outbox(app, world.url), app.find_task("mail")
        relay = outbox.relay(poll_seconds=3_600.0)
        running = asyncio.ensure_future(relay.run())
        for n in range(3):
            await write(world, outbox, task.bind(n))
            await until(lambda: relay.handed_on > n)  # noqa: B023  # waited for here
        running.cancel()
        await asyncio.wait([running], timeout=PATIENCE_SECONDS)

    asyncio.run(story())


def test_the_lease_is_one_relays_until_it_is_given_back(world: World) -> None:
    async def story() -> None:
        table = open_table(world.url, "shike")
        assert await table.take("ada", 60_000_000)
        assert await table.take("ada", 60_000_000), "its own"
        assert not await table.take("bob", 60_000_000)
        await table.give_back("bob")
        assert not await table.take("bob", 60_000_000)
        await table.give_back("ada")
        assert await table.take("bob", 1)
        await table.close()
        await table.check()  # connects anew
        await table.close()

    asyncio.run(story())


def test_a_table_that_is_not_there_is_named_so_and_its_sql_makes_it(world: World) -> None:
    async def story() -> None:
        table = open_table(world.url, "by_hand")
        for question in (table.check, table.counts, lambda: table.read(1)):
            with pytest.raises(ForeignStore, match="shike outbox create"):
                await question()
        await table.close()
        bare = "\n".join(line.partition("--")[0] for line in layout(world.url, "by_hand").splitlines())
        for statement in filter(str.strip, bare.split(";\n")):
            world.ask(statement)
        await table.check()
        await table.create()
        assert tuple(await table.counts()) == (0, 0, 0)
        await table.close()

    asyncio.run(story())


def test_namespaces_that_are_no_names_of_tables_are_refused(world: World, app: Shike) -> None:
    with pytest.raises(BadInput, match="lower-case"):
        Outbox(app, world.url, namespace="x; drop table orders")
