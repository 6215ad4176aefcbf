"""The cluster under faults keeps P1–P7: with fresh seeds, with seeds that once failed, and alike on every machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.sim.chaos import Kind, script
from tests.sim.cluster import SHORT_SECONDS, STRIKES_PER_SECOND
from tests.sim.fleet import describe, sweep
from tests.sim.seeds import fresh

HERE = Path(__file__).parent
FRESH_SEEDS = int(os.environ.get("SHIKE_SIM_SEEDS", "4"))
PARTS = 8  # so that processes of pytest can share the work evenly


def corpus() -> list[tuple[int, float]]:
    lines = (HERE / "corpus.txt").read_text(encoding="utf-8").splitlines()
    words = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return [(int(seed), float(chaos_seconds)) for seed, chaos_seconds, *_ in words]


@pytest.mark.parametrize("part", range(PARTS))
def test_fresh_seeds_break_no_promise(part: int) -> None:
    start = fresh()
    seeds = range(start + part, start + FRESH_SEEDS, PARTS)
    total = sweep(seeds, chaos_seconds=SHORT_SECONDS)
    assert not total.bad, "\n".join(line for report in total.bad for line in describe(report))


@pytest.mark.parametrize(("seed", "chaos_seconds"), corpus())
def test_a_seed_that_once_failed_stays_mended(seed: int, chaos_seconds: float) -> None:
    total = sweep([seed], chaos_seconds=chaos_seconds)
    assert not total.bad, "\n".join(describe(total.bad[0]))


def test_the_weather_is_rough() -> None:
    """Were the faults lost by mistake, nothing else here would notice."""
    days = 3
    total = sweep(range(days), chaos_seconds=SHORT_SECONDS)
    assert total.faults.keys() >= {"kill", "pause", "partition", "skew", "lost answer", "slow call", "late commit"}
    assert total.faults.total() >= days * 40
    assert total.firings > days * 400
    assert total.rescues > days * 5


def test_forty_short_days_hold_every_kind_of_strike() -> None:
    strikes = round(SHORT_SECONDS * STRIKES_PER_SECOND)
    scripts = [script(Random(seed), 5, SHORT_SECONDS, strikes) for seed in range(40)]
    assert {strike.kind for day in scripts for strike in day} == {*Kind}


def test_the_same_seed_tells_the_same_story_whatever_the_hash_seed() -> None:
    def digest(hash_seed: str) -> str:
        command = [sys.executable, "-m", "tests.sim", "--seed", "11", "--chaos", "60"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            command, cwd=HERE.parent.parent, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.rpartition("digest ")[2]

    assert digest("0") == digest("1")
