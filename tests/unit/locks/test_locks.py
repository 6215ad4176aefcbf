"""What every lock does, on each real server (R0.6)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest
from asyncmy.errors import OperationalError

from shike.clock import ManualClock
from shike.errors import BadInput, BadSetting, BadStoreURL, LockBusy, LockLost, StoreUnavailable
from shike.locks import Locks, MySQLLocks, PostgresLocks, RedisLocks, SyncLocks
from shike.locks.base import Grant
from shike.locks.mysql import DEADLOCK_TRIES
from tests import bounded
from tests.servers import free_port
from tests.unit.locks.servers import KINDS, fresh_locks, fresh_namespace, locks_of, shop_of, sit_on_a_connection

kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
def test_a_lock_that_is_held_is_busy_and_one_that_was_released_is_free(kind: str) -> None:
    async def story() -> None:
        async with fresh_locks(kind) as locks:
            first = await locks.acquire("report")
            with pytest.raises(LockBusy, match="'report' did not come free within 0") as busy:
                await locks.acquire("report", timeout=0)
            assert busy.value.names == ("report",)
            assert not first.lost and 0 < first.seconds_left <= 10
            assert await first.release() is True
            assert await first.release() is False
            second = await locks.acquire("report", timeout=0)
            assert second.token > first.token

    bounded.run(story())


@kinds
def test_a_waiter_has_the_lock_as_soon_as_it_is_given_back(kind: str) -> None:
    async def story() -> None:
        async with fresh_locks(kind) as locks:
            first = await locks.acquire("report")
            waiting = asyncio.create_task(locks.acquire("report", timeout="20s"))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            await first.release()
            assert (await waiting).token > first.token

    bounded.run(story())


@kinds
def test_tokens_only_grow_also_when_the_server_forgot_the_locks(kind: str) -> None:
    async def story() -> None:
        async with fresh_locks(kind) as locks:
            tokens = []
            for turn in range(6):
                held = await locks.acquire("report")
                tokens.append(held.token)
                await held.release()
                if turn == 3:
                    await shop_of(locks).wipe()
                    await locks.close()
            assert all(old < new for old, new in pairwise(tokens))

    bounded.run(story())


@kinds
def test_a_lease_that_passes_frees_the_lock_and_its_holder_is_told(kind: str) -> None:
    async def story() -> None:
        async with fresh_locks(kind) as locks:
            old = await locks.acquire("report", lease="100ms")
            new = await locks.acquire("report", timeout="10s")
            assert old.lost and new.token > old.token
            with pytest.raises(LockLost, match="take the lock again") as lost:
                await old.renew()
            assert (lost.value.name, lost.value.token) == ("report", old.token)
            assert await old.release() is False
            assert not new.lost
            await new.renew()  # the old one's release took nothing away

    bounded.run(story())


@kinds
def test_a_holder_with_a_wrong_clock_cannot_renew_or_release_what_another_has(kind: str) -> None:
    """The holder's own clock stands still, so that only the server can know."""

    async def story() -> None:
        async with fresh_locks(kind) as locks:
            locks.clock = ManualClock()
            old = await locks.acquire("report", lease="50ms")
            await asyncio.sleep(0.1)
            new = await locks_of_same(locks).acquire("report")
            assert not old.lost
            assert await old.release() is False
            again = await locks.acquire("other", lease="50ms")
            await asyncio.sleep(0.1)
            with pytest.raises(LockLost):
                await again.renew()
            await new.renew()

    def locks_of_same(locks: Locks) -> Locks:
        other = locks_of(kind, locks.namespace)
        others.append(other)
        return other

    async def all_of_it() -> None:
        try:
            await story()
        finally:
            for other in others:
                await other.close()

    others: list[Locks] = []
    bounded.run(all_of_it())


@kinds
def test_a_block_keeps_its_lock_for_longer_than_the_lease(kind: str) -> None:
    async def story() -> None:
        async with fresh_locks(kind) as locks:
            async with locks.hold("report", lease="300ms") as held:
                await asyncio.sleep(0.8)
                assert not held.lost
                with pytest.raises(LockBusy):
                    await locks.acquire("report", timeout=0)
            await locks.acquire("report", timeout=0)

    bounded.run(story())


@kinds
def test_a_block_that_lost_its_lock_on_the_way_ends_with_an_error(kind: str) -> None:
    async def story() -> None:
        async with fresh_locks(kind) as locks:
            with pytest.raises(LockLost, match="others may have worked too"):
                async with locks.hold("report") as held:
                    await locks._free("report", held.owner)
            with pytest.raises(ZeroDivisionError):
                async with locks.hold("report") as held:
                    await locks._free("report", held.owner)
                    raise ZeroDivisionError

    bounded.run(story())


@kinds
def test_one_of_many_is_whichever_is_free_and_each_is_given_once(kind: str) -> None:
    async def story() -> None:
        async with fresh_locks(kind) as locks:
            bays = [f"bay-{number}" for number in range(5)]
            holds = [await locks.acquire_any(bays) for _ in bays]
            assert [held.name for held in holds] == bays
            with pytest.raises(LockBusy, match="any of 5 locks"):
                await locks.acquire_any(bays, timeout=0)
            await holds[3].release()
            assert (await locks.acquire_any(bays, timeout=0)).name == "bay-3"

    bounded.run(story())


@kinds
def test_ten_at_once_for_ten_of_ten_all_get_one_of_their_own(kind: str) -> None:
    async def story() -> None:
        async with fresh_locks(kind) as locks:
            bays = [f"bay-{number}" for number in range(10)]
            holds = await asyncio.gather(*(locks.acquire_any(bays[::1], timeout="10s") for _ in bays))
            assert sorted(held.name for held in holds) == bays

    bounded.run(story())


@kinds
def test_those_who_wait_for_a_connection_of_their_own_process_do_not_blame_the_server(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shike.locks.base.LOCK_ANSWER_SECONDS", 0.5)

    async def story() -> None:
        async with fresh_locks(kind) as locks:
            asked = locks._take

            async def slow(names: tuple[str, ...], owner: str, lease_us: int) -> object:
                await sit_on_a_connection(locks, 0.15)
                return await asked(names, owner, lease_us)

            monkeypatch.setattr(locks, "_take", slow)
            await asyncio.gather(*(locks.acquire(f"report-{number}") for number in range(60)))

    bounded.run(story())


@kinds
def test_one_event_loop_after_another_may_use_the_same_locks(kind: str) -> None:
    locks = locks_of(kind, fresh_namespace())

    async def story() -> int:
        async with locks:

            async def take() -> int:
                async with locks.hold("report") as held:
                    return held.token

            return max(await asyncio.gather(*(take() for _ in range(20))))

    async def wipe() -> None:
        async with locks:
            await shop_of(locks).wipe()

    first, second = bounded.run(story()), bounded.run(story())
    assert first < second
    bounded.run(wipe())


@kinds
def test_a_cancelled_taker_leaves_no_lock_behind(kind: str) -> None:
    async def story() -> None:
        async with fresh_locks(kind) as locks:
            await (await locks.acquire("warm")).release()
            taking = asyncio.create_task(locks.acquire("report"))
            for _ in range(3):
                await asyncio.sleep(0)
            taking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await taking
            await locks.acquire("report", timeout="1s")

    bounded.run(story())


class Unfreeable(Locks):
    """A server that grants when it is told to, and then cannot be reached any more."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.grants, self.refused = asyncio.Event(), asyncio.Event(), 0

    async def _take(self, names: tuple[str, ...], owner: str, lease_us: int) -> Grant | None:
        self.asked.set()
        await self.grants.wait()
        return Grant(names[0], 1)

    async def _free(self, name: str, owner: str) -> bool:
        self.refused += 1
        raise StoreUnavailable("gone")

    async def _extend(self, name: str, owner: str, lease_us: int) -> bool:
        raise AssertionError("nobody renews here")

    async def open(self) -> None: ...

    async def _disconnect(self) -> None: ...


def test_a_cancelled_taker_is_cancelled_whatever_the_server_says() -> None:
    async def story() -> None:
        locks = Unfreeable()
        taking = asyncio.create_task(locks.acquire("report"))
        await locks.asked.wait()
        taking.cancel()
        await asyncio.sleep(0)
        locks.grants.set()
        with pytest.raises(asyncio.CancelledError):
            await taking
        assert locks.refused == 1

    bounded.run(story())


@kinds
def test_names_that_differ_in_a_blank_at_the_end_or_in_case_are_two(kind: str) -> None:
    names = ("a", "a ", "A", "é", "e")

    async def story() -> None:
        async with fresh_locks(kind) as locks:
            held = [await locks.acquire(name, timeout=0) for name in names]
            for name in names:
                with pytest.raises(LockBusy):
                    await locks.acquire(name, timeout=0)
            assert [await one.release() for one in held] == [True] * len(names)
            assert (await locks.acquire_any(names[::-1], timeout=0)).name == "e"

    bounded.run(story())


@pytest.mark.parametrize("deadlocks", [1, DEADLOCK_TRIES])
def test_a_deadlock_on_mysql_is_not_taken_for_a_lock_that_is_held(deadlocks: int) -> None:
    """Two that make the rows of their names for the first time may meet so."""

    async def story() -> None:
        async with fresh_locks("mysql") as locks:
            assert isinstance(locks, MySQLLocks)
            cursor, left = locks._cursor, [deadlocks]

            def meeting() -> Any:
                if left[0]:
                    left[0] -= 1
                    raise OperationalError(1213, "Deadlock found when trying to get lock")
                return cursor()

            locks._cursor = meeting  # type: ignore[method-assign]
            if deadlocks < DEADLOCK_TRIES:
                assert await (await locks.acquire("report", timeout=0)).release()
            else:  # for ever, as it were
                with pytest.raises(LockBusy):
                    await locks.acquire("report", timeout=0)
            assert left == [0]

    bounded.run(story())


@kinds
def test_sync_code_holds_the_same_locks(kind: str) -> None:
    namespace = fresh_namespace()

    async def wipe() -> None:
        async with locks_of(kind, namespace) as locks:
            await shop_of(locks).wipe()

    with SyncLocks(locks_of(kind, namespace)) as locks, SyncLocks(locks_of(kind, namespace)) as others:
        with locks.hold("report") as held, pytest.raises(LockBusy):
            others.acquire("report", timeout=0)
        with others.hold("report") as next_one:
            assert next_one.token > held.token and not next_one.lost
        with pytest.raises(ZeroDivisionError), locks.hold("report"):
            raise ZeroDivisionError
        assert locks.acquire_any(["report", "other"], timeout=0).release() is True
    bounded.run(wipe())


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_a_row_is_one_transactions_at_a_time_and_its_errors_are_its_own(kind: str) -> None:
    async def story() -> None:
        async with fresh_locks(kind) as locks:
            assert isinstance(locks, PostgresLocks | MySQLLocks)
            async with locks.row("stock") as first:
                with pytest.raises(LockBusy, match="did not come free in time"):
                    async with locks.row("stock", timeout="100ms"):
                        pass
            with pytest.raises(FileNotFoundError):
                async with locks.row("stock") as failed:
                    raise FileNotFoundError
            async with locks.row("stock") as last:
                assert first.token < failed.token < last.token

    bounded.run(story())


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_a_program_that_never_asked_for_a_row_before_waits_for_it_like_any_other(kind: str) -> None:
    """To make sure that the row is there, it must not wait for whoever has it locked."""

    async def story() -> None:
        async with fresh_locks(kind) as locks, locks_of(kind, locks.namespace) as newcomer:
            assert isinstance(locks, PostgresLocks | MySQLLocks) and isinstance(newcomer, PostgresLocks | MySQLLocks)
            async with locks.row("stock"):
                with pytest.raises(LockBusy, match="did not come free in time"):
                    async with newcomer.row("stock", timeout="100ms"):
                        pass

    bounded.run(story())


@kinds
def test_many_may_ask_before_anybody_has_opened(kind: str) -> None:
    async def story() -> None:
        locks = locks_of(kind, fresh_namespace())
        try:
            held = await asyncio.gather(*[locks.acquire(f"shelf {number}") for number in range(8)])
            assert not any(one.lost for one in held)
        finally:
            await shop_of(locks).wipe()
            await locks.close()

    bounded.run(story())


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_the_server_undoes_a_row_that_stands_still_for_longer_than_its_lease(kind: str) -> None:
    async def story() -> None:
        async with fresh_locks(kind) as locks:
            assert isinstance(locks, PostgresLocks | MySQLLocks)
            with pytest.raises(StoreUnavailable):
                async with locks.row("stock", lease="1s"):
                    await asyncio.sleep(2.5)
            async with locks.row("stock", timeout="5s"):
                pass

    bounded.run(story())


@pytest.mark.parametrize(
    "locks",
    [
        lambda port: RedisLocks(f"redis://127.0.0.1:{port}/0"),
        lambda port: PostgresLocks(f"postgresql://postgres@127.0.0.1:{port}/test"),
        lambda port: MySQLLocks(f"mysql://root@127.0.0.1:{port}/test"),
    ],
    ids=KINDS,
)
def test_a_server_that_is_not_there_is_an_error_of_ours(locks: object) -> None:
    async def story() -> None:
        asked = locks(free_port())  # type: ignore[operator]
        try:
            with pytest.raises(StoreUnavailable):
                await asked.acquire("report", timeout=0)
        finally:
            await asked.close()

    bounded.run(story())


def test_words_that_cannot_be_used_are_refused_before_anything_is_asked() -> None:
    locks = RedisLocks("redis://127.0.0.1:1/0")
    for names in ([], [""], ["x" * 201], ["nul\0"], [f"{number}" for number in range(101)]):
        with pytest.raises(BadInput):
            bounded.run(locks.acquire_any(names))
    with pytest.raises(BadInput, match="over before the answer"):
        bounded.run(locks.acquire("report", lease=0.0001))
    with pytest.raises(BadSetting, match="namespace"):
        RedisLocks("redis://127.0.0.1", namespace="No Good")
    with pytest.raises(BadStoreURL, match="mysql://user:password@host"):
        MySQLLocks("postgresql://x/y")


def test_importing_the_locks_loads_no_driver() -> None:
    code = "import sys, shike.locks; print({'redis', 'asyncpg', 'asyncmy'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=bounded.SECONDS)
    assert told.stdout == b"set()\n"
