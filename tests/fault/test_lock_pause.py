"""A holder that is stopped past its lease, for real: another takes over, and the old one's write is refused (R0.6)."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from shike.locks import MySQLLocks, PostgresLocks
from tests import bounded
from tests.unit.locks.servers import KINDS, fresh_locks, shop_of


@contextmanager
def holder(kind: str, namespace: str, way: str) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-m", "tests.fault.lock_child", kind, namespace, way]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        bounded.killed(child)


async def line(child: subprocess.Popen[str]) -> list[str]:
    told: str = await asyncio.to_thread(bounded.line, child)
    return told.split()


def go_on(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGCONT)
    assert child.stdin is not None
    child.stdin.write("write now\n")
    child.stdin.flush()


@pytest.mark.parametrize("kind", KINDS)
def test_a_holder_that_slept_past_its_lease_is_refused_by_the_resource(kind: str) -> None:
    async def story() -> None:
        async with fresh_locks(kind) as locks:
            shop = shop_of(locks)
            await shop.fill(100)
            with holder(kind, locks.namespace, "lease") as child:
                held, old_token = await line(child)
                assert held == "held"
                child.send_signal(signal.SIGSTOP)
                successor = await locks.acquire("stock", timeout="20s")
                assert successor.token > int(old_token)
                assert await shop.write_fenced(99, successor.token)
                go_on(child)
                assert await line(child) == ["refused", "True", "False"]
            assert (await shop.read())[0] == 99
            assert await successor.release()

    bounded.run(story())


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_a_transaction_that_slept_past_its_lease_is_undone(kind: str) -> None:
    """Without any token: the server ended the transaction that held the row."""

    async def story() -> None:
        async with fresh_locks(kind) as locks:
            assert isinstance(locks, PostgresLocks | MySQLLocks)
            shop = shop_of(locks)
            await shop.fill(100)
            with holder(kind, locks.namespace, "row") as child:
                assert (await line(child))[0] == "held"
                child.send_signal(signal.SIGSTOP)
                async with locks.row("stock", timeout="20s"):
                    pass
                go_on(child)
                assert await line(child) == ["refused", "StoreUnavailable"]
            assert (await shop.read())[0] == 100

    bounded.run(story())
