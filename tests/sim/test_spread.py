"""Ledgers spread over processes, in virtual time: what a killed one had moves within three seconds, nothing that was
told is lost, nothing is sold twice; and the bugs that would break it are seen (R1.10, P9)."""

from __future__ import annotations

import asyncio

import pytest

from shike.reserve.spread.bounds import PARTS
from tests.sim.market import BelievingOwners, Market, UnfencedJournal

MOVED_SECONDS = 3.0
SEEDS_TO_CATCH = 50


async def trouble(market: Market) -> None:
    """Kills, pauses and cuts, one after the other and at once."""
    dice = market.dice
    await market.until(lambda: market.owned() == PARTS, 10.0)
    for _ in range(6):
        await asyncio.sleep(dice.uniform(0.5, 4.0))
        victim = dice.choice(market.sellers)
        what = dice.randrange(3)
        if what == 0:
            victim.kill()
            await asyncio.sleep(dice.uniform(0.1, 3.0))
            victim.boot()
        elif what == 1:
            await victim.pause(dice.uniform(0.5, 5.0))


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 13))])
def test_nothing_told_is_lost_and_nothing_sold_twice(seed: int) -> None:
    market = Market(3, seed=seed)
    assert market.play(trouble) == []
    assert sum(len(told) for told in market.told.values()) > 100, "there was something to compare"


@pytest.mark.parametrize("sellers", [2, 3, 4])
def test_a_killed_process_s_ledgers_move_within_3_s(sellers: int) -> None:
    async def story(market: Market) -> None:
        await market.until(lambda: market.owned() == PARTS, 10.0)
        await asyncio.sleep(7.3)
        market.sellers[0].kill()
        assert await market.until(lambda: market.owned() == PARTS, MOVED_SECONDS) > 0.5, "not before its lease was over"

    assert Market(sellers, seed=sellers).play(story) == []


def test_commands_reach_the_writer_through_any_process() -> None:
    async def story(market: Market) -> None:
        await market.until(lambda: market.owned() == PARTS, 10.0)
        await asyncio.sleep(20)
        shares = [len(owners.parts()) for owners in market.believed.values()]
        assert min(shares) > 0, shares

    market = Market(3, seed=3)
    assert market.play(story) == []
    askers = {command.partition(".")[0] for told in market.told.values() for command in told}
    assert askers >= {"m0", "m1", "m2"} and market.longest < 10.0


def test_the_fence_alone_keeps_two_who_believe_to_own_a_ledger_apart() -> None:
    """Ownership is for speed: without it, and with the fence, nothing goes wrong either."""
    assert Market(3, seed=5, owners=BelievingOwners).play(trouble) == []


def test_a_journal_without_its_fence_is_seen() -> None:
    for seed in range(1, SEEDS_TO_CATCH + 1):
        if Market(3, seed=seed, journal=UnfencedJournal, owners=BelievingOwners).play(trouble):
            return
    raise AssertionError(f"not seen in {SEEDS_TO_CATCH} seeds")
