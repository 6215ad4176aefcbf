"""How fast the interval ledger is, and how well it packs, in one run: `python -m benchmarks.reserve`.

The line has 17 positions and three pools of 24, 200 and 976 named units, four rules each; demand is drawn by a gravity
law. All rates are CPU time of one core, the best of the repeats, each on a new ledger; ratios are of one repeat.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from shike.reserve import commands, events, snapshot
from shike.reserve.advice import advise
from shike.reserve.applying import apply
from shike.reserve.flow import optimum
from shike.reserve.journal import frames
from shike.reserve.journal.sqlite import SQLiteJournal
from shike.reserve.ledger import Ledger
from shike.reserve.model import Binding, Fill, Line, Measure, Pool, Rule, RuleKind, Sale, Unit, Want
from shike.reserve.query import available
from shike.reserve.state import State

POSITIONS = 17
SIZES = {"first": 24, "second": 200, "third": 976}
SHARES = [0.02, 0.17, 0.81]
PULL = 0.5  # of distance: sections are 8 segments long on average, and most segments fill up together
AT = 1_800_000_000_000_000
Section = tuple[int, int]


def units(count: int) -> tuple[Unit, ...]:
    """Rows of five, windows outside, the aisle between the third and the fourth."""
    place = (("window",), (), ("aisle",), ("aisle",), ("window",))
    return tuple(
        Unit(f"{number // 5 + 1}{'ABCDF'[number % 5]}", str(number // 5), str(number // 100), place[number % 5])
        for number in range(count)
    )


def rules(pool: str, size: int) -> list[Rule]:
    """One of each kind, and none that refuses much."""
    last = POSITIONS - 1
    return [
        Rule(f"{pool}-max", RuleKind.MAX, size, 1, 9, Measure.TICKETS, (pool,)),
        Rule(f"{pool}-min", RuleKind.MIN, size // 50, 0, last, Measure.THICKNESS, (pool,)),
        Rule(f"{pool}-board", RuleKind.BOARD, size, 3, pools=(pool,)),
        Rule(f"{pool}-share", RuleKind.MAX, size, 0, last, Measure.THICKNESS, (pool,), ("online",)),
    ]


def opened(*, with_rules: bool = True, binding: Binding = Binding.AT_SALE) -> Ledger:
    """A new ledger with everything on sale."""
    pools = tuple(Pool(name, units(size), binding=binding) for name, size in SIZES.items())
    bounds = tuple(rule for name, size in SIZES.items() for rule in rules(name, size)) if with_rules else ()
    ledger = Ledger("bench")
    line = Line(tuple(f"P{number}" for number in range(POSITIONS)))
    ledger.do(commands.Open("open", AT, line, pools, bounds, (Sale("", 1),)))
    return ledger


def sections(count: int, seed: int) -> list[Section]:
    """Asked for by a gravity law: big places more often, and the ends of the line are big."""
    draw = random.Random(seed)
    weight = [draw.uniform(1, 10) * (3 if place in (0, POSITIONS - 1) else 1) for place in range(POSITIONS)]
    pairs = [(start, end) for start in range(POSITIONS) for end in range(start + 1, POSITIONS)]
    gravity = [weight[start] * weight[end] * (end - start) ** PULL for start, end in pairs]
    return draw.choices(pairs, gravity, k=count)


def holds(count: int, *, seed: int = 1, wishes: bool = False, name: str = "c") -> list[commands.Hold]:
    draw = random.Random(seed)
    pools = draw.choices(list(SIZES), SHARES, k=count)
    found = []
    for number, (pool, (start, end)) in enumerate(zip(pools, sections(count, seed), strict=True)):
        want = Want((draw.choice(("window", "aisle")),)) if wishes else None
        who = (f"{name}{number}",)
        found.append(commands.Hold(f"{name}{number}", AT + number, pool, start, end, 1, who, want, channel="online"))
    return found


def rate(work: Callable[[], int]) -> float:
    """What was done a second of CPU time, without the collector's pauses for the driver's own lists."""
    gc.collect()
    gc.disable()
    began = time.process_time()
    done = work()
    spent = time.process_time() - began
    gc.enable()
    return done / spent


def all_of(ledger: Ledger, asked: Sequence[commands.Hold]) -> Callable[[], int]:
    def work() -> int:
        do = ledger.do
        for command in asked:
            do(command)
        return len(asked)

    return work


def bare(requests: int) -> float:
    """Nothing but best fit on the bitsets of the largest pool: what all features are measured by."""
    size = SIZES["third"]
    every = (1 << size) - 1
    free, untouched = [every] * (POSITIONS - 1), every
    asked = sections(requests, 1)

    def work() -> int:
        nonlocal untouched
        for start, end in asked:
            units = free[start]
            for mask in free[start + 1 : end]:
                units &= mask
            if units:
                used = units & ~untouched
                if used:
                    before = free[start - 1] if start else 0
                    after = free[end] if end < len(free) else 0
                    units = (used & ~before & ~after) or (used & ~(before & after)) or used
                bit = units & -units
                untouched &= ~bit
                for segment in range(start, end):
                    free[segment] ^= bit
        return requests

    return rate(work)


def speed(requests: int) -> Iterator[tuple[str, float]]:
    """One repeat: what was measured, and how many a second."""
    yield "bare bitsets", bare(requests)
    for label, with_rules, wishes in (
        ("no rules", False, False),
        ("4 rules", True, False),
        ("4 rules, wish", True, True),
    ):
        ledger = opened(with_rules=with_rules)
        yield f"hold, {label}", rate(all_of(ledger, holds(requests, wishes=wishes)))
        yield f"availability, {label}", rate(partial(_asked, ledger.state, requests))
        _fill(ledger)
        yield f"refusal, {label}", rate(all_of(ledger, holds(requests, seed=9, wishes=wishes, name="r")))


def _fill(ledger: Ledger) -> None:
    """Sell what is left, segment by segment, until everything is refused."""
    number = 0
    for pool in SIZES:
        for start in range(POSITIONS - 1):
            while ledger.do(commands.Hold(f"f{number}", AT, pool, start, start + 1)):
                number += 1


def _asked(state: State, requests: int) -> int:
    for start, end in ASKED[:requests]:
        available(state, "third", start, end, at=AT, channel="online")
    return requests


ASKED = sections(20_000, 5)


def journey(requests: int) -> Ledger:
    """A ledger with a life: holds, payments, refunds, releases."""
    ledger, draw = opened(), random.Random(3)
    for number, command in enumerate(holds(requests, seed=3, wishes=False)):
        answer = ledger.do(command)
        if isinstance(answer, events.Held):
            what = draw.random()
            if what < 0.8:
                ledger.do(commands.Confirm(f"p{number}", AT + number, answer.order, f"pay{number}"))
            if what < 0.2:
                ledger.do(commands.Refund(f"b{number}", AT + number, answer.order))
            elif what > 0.9:
                ledger.do(commands.Release(f"l{number}", AT + number, answer.order))
    return ledger


def keeping(requests: int) -> Iterator[tuple[str, float]]:
    """Frames, replay and snapshots, on CPU; what the disk takes is measured by `disk`."""
    ledger = journey(requests)
    made = [
        frames.encode("bench", first, 0, ledger.fresh[first : first + 100])
        for first in range(0, len(ledger.fresh), 100)
    ]
    chained, before = [], 0
    for frame in made:
        again = frames.encode("bench", frame.version, before, ledger.fresh[frame.version : frame.end])
        before = again.checksum
        chained.append(again)

    def encoded() -> int:
        for first in range(0, len(ledger.fresh), 100):
            frames.encode("bench", first, 0, ledger.fresh[first : first + 100])
        return len(ledger.fresh)

    def replayed() -> int:
        state, checksum = State(), 0
        for frame in chained:
            for event in frames.decode(frame, state.version, checksum):
                apply(state, event)
            checksum = frame.checksum
        assert snapshot.encode(state) == snapshot.encode(ledger.state)
        return state.version

    yield "frames of 100, encoded, events", rate(encoded)
    yield "replay from frames, events", rate(replayed)
    data = snapshot.encode(ledger.state)
    yield (
        f"snapshots written ({len(data) // 1024} KiB, {len(ledger.state.orders)} orders)",
        rate(lambda: len([snapshot.encode(ledger.state) for _ in range(20)])),
    )
    yield "snapshots read", rate(lambda: len([snapshot.decode(data) for _ in range(20)]))


async def disk(folder: Path, events_: int) -> dict[str, float]:
    """Events a second of wall time on SQLite FULL: a commit each, against frames of 100."""
    ledger = journey(events_)
    fresh = ledger.fresh
    found = {}
    for size, most in ((1, min(300, len(fresh))), (100, len(fresh))):
        journal = SQLiteJournal(f"sqlite:///{folder}/frames{size}.db")
        await journal.open()
        version = before = 0
        began = time.perf_counter()
        while version < most:
            frame = frames.encode("bench", version, before, fresh[version : version + size])
            await journal.append([frame])
            version, before = frame.end, frame.checksum
        found[f"SQLite FULL, frames of {size}"] = version / (time.perf_counter() - began)
        await journal.close()
    return found


def packing(
    load: float, *, binding: Binding, seed: int, fill: Fill = Fill.BEST, spread: float = 0.0
) -> dict[str, float]:
    """Tickets and unit-segments sold of the best that could have been, in percent; what was moved for them."""
    size = 1_200
    pool = Pool("all", units(size), binding=binding, fill=fill, spread_until=spread)
    ledger = Ledger("packing")
    ledger.do(commands.Open("open", AT, Line(tuple(map(str, range(POSITIONS)))), (pool,), (), (Sale("", 1),)))
    asked = demanded(load, size, seed)
    sold = Counter[Section]()
    moved: list[int] = []
    for number, section in enumerate(asked):
        answer = ledger.do(commands.Hold(f"h{number}", AT, "all", *section))
        if isinstance(answer, events.Held):
            sold[section] += 1
            if answer.moves:
                moved.append(len(answer.moves))
    demand, segments = Counter(asked), [size] * (POSITIONS - 1)
    tickets = optimum(segments, demand, dict.fromkeys(demand, 1)).value
    length = {section: section[1] - section[0] for section in demand}
    return {
        "tickets": 100 * sold.total() / tickets,
        "unit-segments": 100 * sum(length[s] * n for s, n in sold.items()) / optimum(segments, demand, length).value,
        "recovered": len(moved),
        "moves each": sum(moved) / len(moved) if moved else 0.0,
        "moves at most": max(moved, default=0),
    }


def demanded(load: float, size: int, seed: int) -> list[Section]:
    """As many requests as load the busiest segment so."""
    asked: list[Section] = []
    over = [0] * (POSITIONS - 1)
    for section in sections(40_000, seed):
        asked.append(section)
        for segment in range(*section):
            over[segment] += 1
        if max(over) >= load * size:
            return asked
    return asked


def earning(load: float, seed: int, *, solves: int = 20) -> tuple[float, float]:
    """Percent of the best possible revenue: first come, first served; bid prices, solved again `solves` times from a
    forecast that was drawn apart."""
    size = 1_200
    asked = demanded(load, size, seed)
    weights = Counter(sections(200_000, seed))  # the law is known, the draw is not
    fares = {section: 100 + 40 * (section[1] - section[0]) for section in weights}
    best = optimum([size] * (POSITIONS - 1), Counter(asked), fares).value
    earned = []
    for priced in (False, True):
        pool = Pool("all", units(size), binding=Binding.ON_DEMAND)
        ledger = Ledger("earning")
        ledger.do(commands.Open("open", AT, Line(tuple(map(str, range(POSITIONS)))), (pool,), (), (Sale("", 1),)))
        total = 0
        for number, section in enumerate(asked):
            if priced and number % (len(asked) // solves) == 0:
                left = len(asked) - number
                forecast = {s: left * n / 200_000 for s, n in weights.items()}
                prices = advise(ledger.state, "all", forecast, fares).prices
                ledger.do(commands.SetPrices(f"s{number}", AT, "all", prices))
            if ledger.do(commands.Hold(f"h{number}", AT, "all", *section, price=fares[section])):
                total += fares[section]
        earned.append(100 * total / best)
    return earned[0], earned[1]


def quality() -> None:
    """Print how well it packs and earns."""
    print(f"{'load':>5} {'binding, fill':24} {'tickets':>8} {'unit-segments':>14} {'recovered':>10} {'moves':>6}")
    kinds = [
        ("at_sale, best", Binding.AT_SALE, Fill.BEST, 0.0),
        ("at_sale, first", Binding.AT_SALE, Fill.FIRST, 0.0),
        ("at_sale, fresh", Binding.AT_SALE, Fill.FRESH, 0.0),
        ("at_sale, spread to 40 %", Binding.AT_SALE, Fill.BEST, 0.4),
        ("on_demand, best", Binding.ON_DEMAND, Fill.BEST, 0.0),
    ]
    for load in (0.9, 1.0, 1.3, 1.6):
        for name, binding, fill, spread in kinds:
            told = [packing(load, binding=binding, seed=seed, fill=fill, spread=spread) for seed in (1, 2, 3)]
            mean = {key: sum(one[key] for one in told) / len(told) for key in told[0]}
            most = max(one["moves at most"] for one in told)
            print(
                f"{load:>5} {name:24} {mean['tickets']:>7.2f}% {mean['unit-segments']:>13.2f}% "
                f"{mean['recovered']:>10.1f} {mean['moves each']:>4.1f} ≤{most:.0f}"
            )
    for load in (1.2, 1.6, 2.5):
        pairs = [earning(load, seed) for seed in (1, 2, 3)]
        first, priced = (sum(column) / len(pairs) for column in zip(*pairs, strict=True))
        print(f"revenue at load {load}: first come {first:.1f} %, bid prices {priced:.1f} % of the best possible")


def solving() -> float:
    """Milliseconds of CPU for exact bid prices of 17 positions, the slowest of some loads."""
    slowest = 0.0
    for load in (0.6, 1.0, 1.6, 2.5):
        demand = {section: float(count) for section, count in Counter(demanded(load, 1_200, 1)).items()}
        fares = {section: 100 + 40 * (section[1] - section[0]) for section in demand}
        began = time.process_time()
        optimum([1_200] * (POSITIONS - 1), demand, fares)
        slowest = max(slowest, time.process_time() - began)
    return 1_000 * slowest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3_000, help="asked of each ledger")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="only speed, not how well it packs")
    told = parser.parse_args()
    rates: dict[str, list[float]] = {}
    for _ in range(told.repeats):
        for what, measured in (*speed(told.requests), *keeping(told.requests)):
            rates.setdefault(what, []).append(measured)
    for what, all_ in rates.items():
        print(f"{what:44} {max(all_):>12,.0f}/s   median {median(all_):>12,.0f}/s")
    print(f"exact bid prices, 17 positions: at most {solving():.1f} ms")
    with TemporaryDirectory() as folder:
        for what, measured in asyncio.run(disk(Path(folder), told.requests)).items():
            print(f"{what:44} {measured:>12,.0f}/s of wall time")
    if not told.quick:
        quality()


if __name__ == "__main__":
    main()
