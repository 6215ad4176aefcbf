"""Real schedulers and workers on slots that tenants have reserved, killed in the middle of it (R1.13)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from shike.clock import SystemClock
from shike.limit.slots import permit_at
from shike.model import State
from shike.reserve.clerk import Clerk
from shike.reserve.journal import open_journal
from shike.reserve.time_pool import TimePool
from shike.store.base import Store
from tests import bounded
from tests.fault.test_kill import Site

PATIENCE = 90.0  # seconds after which it is stuck, however busy the machine
SLOTS, HOARDERS, MINE = 3, 6, range(100, 104)


async def reserve_one(store: Store, journal_url: str, app: Any) -> int:
    """One slot of three is acme's for an hour."""
    journal = open_journal(journal_url)
    async with Clerk(journal) as clerk:
        pool = TimePool(clerk, "workers", SystemClock(), store=store)
        await pool.open({"gpu": SLOTS})
        now = app.now()
        number = await pool.reserve("gpu", 1, now, now + timedelta(hours=1), id="r", tenant="acme")
    await journal.close()
    assert isinstance(number, int)
    return number


def test_a_reserved_slot_is_there_whoever_hoards_the_others_and_whoever_is_killed(site: Site) -> None:
    site.ask(lambda store: reserve_one(store, f"sqlite:///{site.folder}/pool.db", site.app))
    node, victim = site.start("node"), site.start("worker")
    hoarders = site.submit("hoard", [{"n": n} for n in range(HOARDERS)])
    site.until(
        lambda: site.notes_file.exists() and len(site.notes("begin")) == SLOTS - 1,
        "the free slots are not used",
        PATIENCE,
    )
    first, *others = site.submit("slotted", [{"tenant": "acme", "n": n, "seconds": 0.2} for n in MINE])
    site.until(lambda: site.ended(first), "the reserved slot is not there", PATIENCE)
    bounded.killed(victim)
    bounded.killed(node)
    site.start("node")
    site.start("worker")
    site.until(lambda: all(site.ended(one) for one in others), "the reserved slot is not there any more", PATIENCE)
    assert site.notes("end") and not any(n in range(HOARDERS) for n, *_ in site.notes("end"))
    Path(f"{site.notes_file}.go").touch()
    site.until(lambda: all(site.ended(one) for one in hoarders), "slots did not come back", PATIENCE)
    for run_id in (*hoarders, first, *others):
        ended = site.ended(run_id)
        assert ended is not None and ended.state is State.SUCCESS
    assert most_under_way(site) <= SLOTS
    assert site.ask(lambda store: store.holders(permit_at("workers", "gpu"))) == []


def most_under_way(site: Site) -> int:
    """A killed run counts until it has ended elsewhere: it holds its slot."""
    under_way: set[str] = set()
    most = 0
    for line in site.notes_file.read_text().splitlines():
        word, n, *_ = line.split()
        if word == "begin":
            under_way.add(n)
        elif word == "end":
            under_way.discard(n)
        most = max(most, len(under_way))
    return most
