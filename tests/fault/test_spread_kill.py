"""SIGKILL at processes that share ledgers over Redis: others take over what they wrote, nothing that was told is lost,
nothing is sold twice (R1.10, P9)."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from shike.reserve import commands
from shike.reserve.clerk import Clerk
from shike.reserve.events import AnyEvent
from shike.reserve.journal import open_journal
from shike.reserve.journal.reading import events_of, verify
from shike.reserve.model import Line, Pool, Sale, Unit
from shike.reserve.spread.bounds import PARTS
from tests import bounded
from tests.fault.spread_child import AT, LEDGERS, SEGMENTS
from tests.servers import PrivateRedis

ROOT = Path(__file__).parents[2]
PROCESSES = 3
DECODER = msgspec.json.Decoder(AnyEvent)


class Seller:
    """A child process, and all that it told so far."""

    def __init__(self, redis: str, journal: str, name: str) -> None:
        words = [sys.executable, "-m", "tests.fault.spread_child", redis, journal, name]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT)
        self.told: list[bytes] = []
        self.parts = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.endswith(b"\n"):
                return  # it was killed in the middle of a line: nothing was told
            if line.startswith(b"= "):
                self.parts = int(line[2:])
            else:
                self.told.append(line)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(bounded.SECONDS)
        bounded.joined(self._reader)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.parts = 0


def until(holds: object, what: str) -> float:
    """Wait for something that comes; how long it took."""
    began = time.monotonic()
    while not holds():  # type: ignore[operator]
        assert time.monotonic() - began < 2 * bounded.SECONDS, f"no {what} after {2 * bounded.SECONDS:.0f} s"
        time.sleep(0.02)
    return time.monotonic() - began


async def opened(url: str) -> None:
    journal = open_journal(url)
    async with Clerk(journal) as clerk:
        pool = Pool("seat", tuple(Unit(f"s{number}") for number in range(40)))
        line = Line(tuple(str(number) for number in range(SEGMENTS + 1)))
        for ledger in LEDGERS:
            await clerk.do(ledger, commands.Open("open", AT, line, (pool,), sales=(Sale(opens_at=1),)))
        await clerk.close()
    await journal.close()


async def compared(url: str, told: list[bytes]) -> None:
    journal = open_journal(url)
    await journal.open()
    kept: dict[tuple[str, str], AnyEvent] = {}
    for ledger in LEDGERS:
        verdict = await verify(journal, ledger)
        assert verdict.clean, verdict
        async for _, event in events_of(journal, ledger):
            kept[ledger, event.command] = event
    await journal.close()
    for line in told:
        ledger, rest = line.decode().split("/2026-11-22/1 ", 1)
        command, _, event = rest.partition(" ")
        assert kept.get((f"{ledger}/2026-11-22/1", command)) == DECODER.decode(event), line
    assert len(told) > 100, "there was something to compare"


@pytest.mark.slow
def test_what_a_killed_process_wrote_another_writes_on(tmp_path: Path) -> None:
    server = PrivateRedis(tmp_path)
    server.start()
    sellers: list[Seller] = []
    told: list[bytes] = []
    journal = f"sqlite:///{tmp_path}/journal.db"
    try:
        bounded.run(opened(journal))
        sellers = [Seller(server.url, journal, f"s{number}") for number in range(PROCESSES)]
        until(lambda: sum(one.parts for one in sellers) == PARTS and all(one.parts for one in sellers), "even shares")
        for life in range(3):
            victim = max(sellers, key=lambda one: one.parts)
            before = [len(one.told) for one in sellers if one is not victim]
            victim.kill()
            told += victim.told
            sellers.remove(victim)
            until(lambda: sum(one.parts for one in sellers) == PARTS, "new owners")
            until(lambda b=before: all(len(one.told) > had + 20 for one, had in zip(sellers, b, strict=True)), "sales")  # type: ignore[misc]
            sellers.append(Seller(server.url, journal, f"r{life}"))
            until(lambda: all(one.parts for one in sellers), "a share of the new one")
    finally:
        for one in sellers:
            one.kill()
            told += one.told
        server.stop()
    bounded.run(compared(journal, told))
