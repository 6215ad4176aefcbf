"""What is left, kept in Redis: a key per section against a key per segment: `python -m benchmarks.reserve_keys URL`.

Lines of 16 positions, so 15 segments and 120 sections each. Per segment a query reads the segments of its section and
takes the least; per section it reads one key, but a sale changes all sections that overlap. Both are told by a real
ledger whose units are fixed at sale, so the first is also asked how often it says more than can be had. Keys are made
under a prefix of their own, and deleted. Wall time, a pipeline of 100.
"""

from __future__ import annotations

import argparse
import random
import secrets
import time
from collections.abc import Callable
from typing import Any

import redis

from benchmarks.reserve import AT, Section, units
from shike.reserve import commands
from shike.reserve.ledger import Ledger
from shike.reserve.model import Line, Pool, Sale
from shike.reserve.query import available

POSITIONS = 16
SIZE = 500
PIPELINE = 100
PAIRS = [(start, end) for start in range(POSITIONS) for end in range(start + 1, POSITIONS)]


class Layout:
    """How the numbers of one line are kept."""

    name = ""

    def __init__(self, prefix: str) -> None:
        self.prefix = f"{prefix}:{self.name}"

    def rows(self, line: int, ledger: Ledger) -> dict[str, int]:
        raise NotImplementedError

    def ask(self, pipe: Any, line: int, section: Section) -> None:
        raise NotImplementedError

    def sell(self, pipe: Any, line: int, section: Section, ledger: Ledger) -> None:
        raise NotImplementedError


class PerSegment(Layout):
    name = "segment"

    def rows(self, line: int, ledger: Ledger) -> dict[str, int]:
        free = ledger.state.pools["all"].free
        return {f"{self.prefix}:{line}:{segment}": mask.bit_count() for segment, mask in enumerate(free)}

    def ask(self, pipe: Any, line: int, section: Section) -> None:
        pipe.mget([f"{self.prefix}:{line}:{segment}" for segment in range(*section)])

    def sell(self, pipe: Any, line: int, section: Section, ledger: Ledger) -> None:
        for segment in range(*section):
            pipe.decr(f"{self.prefix}:{line}:{segment}")


class PerSection(Layout):
    name = "section"

    def rows(self, line: int, ledger: Ledger) -> dict[str, int]:
        return {
            f"{self.prefix}:{line}:{start}:{end}": available(ledger.state, "all", start, end, at=AT)
            for start, end in PAIRS
        }

    def ask(self, pipe: Any, line: int, section: Section) -> None:
        pipe.get(f"{self.prefix}:{line}:{section[0]}:{section[1]}")

    def sell(self, pipe: Any, line: int, section: Section, ledger: Ledger) -> None:
        changed = [(start, end) for start, end in PAIRS if start < section[1] and section[0] < end]
        pipe.mset(
            {
                f"{self.prefix}:{line}:{start}:{end}": available(ledger.state, "all", start, end, at=AT)
                for start, end in changed
            }
        )


def sold_ledger(sales: int) -> Ledger:
    """One line, partly sold; all lines are shown like it."""
    ledger = Ledger("keys")
    pool = Pool("all", units(SIZE))
    ledger.do(commands.Open("open", AT, Line(tuple(map(str, range(POSITIONS)))), (pool,), sales=(Sale("", 1),)))
    draw = random.Random(1)
    for number in range(sales):
        ledger.do(commands.Hold(f"h{number}", AT, "all", *draw.choice(PAIRS)))
    return ledger


def rate(server: Any, count: int, do: Callable[[Any], None]) -> float:
    began = time.perf_counter()
    for _ in range(count // PIPELINE):
        pipe = server.pipeline(transaction=False)
        for _ in range(PIPELINE):
            do(pipe)
        pipe.execute()
    return count / (time.perf_counter() - began)


def measure(server: Any, layout: Layout, lines: int, count: int, ledger: Ledger) -> str:
    draw = random.Random(2)
    before = server.info("memory")["used_memory"]
    rows = layout.rows(0, ledger)
    for line in range(lines):
        server.mset({key.replace(":0:", f":{line}:", 1): value for key, value in rows.items()})
    memory = server.info("memory")["used_memory"] - before

    def query(pipe: Any) -> None:
        layout.ask(pipe, draw.randrange(lines), draw.choice(PAIRS))

    def sale(pipe: Any) -> None:
        layout.sell(pipe, draw.randrange(lines), draw.choice(PAIRS), ledger)

    def mixed(pipe: Any) -> None:
        (query if draw.random() < 0.8 else sale)(pipe)

    rates = [rate(server, amount, do) for amount, do in ((count, query), (count // 10, sale), (count // 2, mixed))]
    told = "  ".join(f"{value:>8,.0f}/s" for value in rates)
    return f"{layout.name:8} {len(rows) * lines:>9,} keys {memory / 2**20:>6.1f} MiB  {told}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--count", type=int, default=50_000)
    told = parser.parse_args()
    server = redis.Redis.from_url(told.url)
    prefix = f"bench{secrets.token_hex(4)}"
    ledger = sold_ledger(700)
    print(f"{'key per':8} {'':>14} {'':>10}  {'queries':>10}  {'sales':>10}  {'80 % / 20 %':>10}")
    try:
        for layout in (PerSegment(prefix), PerSection(prefix)):
            print(measure(server, layout, told.lines, told.count, ledger))
    finally:
        for keys in iter(lambda: list(server.scan_iter(f"{prefix}:*", count=10_000))[:100_000], []):
            for first in range(0, len(keys), 1_000):
                server.unlink(*keys[first : first + 1_000])
    wrong = [
        ledger.state.pools["all"].least(*section) - available(ledger.state, "all", *section, at=AT) for section in PAIRS
    ]
    more = sum(gap > 0 for gap in wrong)
    print(f"the least segment says more than can be had for {more} of {len(PAIRS)} sections, by {max(wrong)} at most")


if __name__ == "__main__":
    main()
