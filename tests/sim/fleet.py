"""Many seeds over a few processes, and what they add up to."""

from __future__ import annotations

import gc
import hashlib
import logging
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct, field

from tests.sim.cluster import LONG_SECONDS, SHORT_SECONDS, Cluster, Report
from tests.sim.loop import unheard
from tests.sim.mutants import MUTANTS, breed

SHOWN_MAX = 8  # violations of one seed that are printed
SAY_EVERY = 20


class Total(Struct):
    """What the seeds so far have shown."""

    seeds: int = 0
    seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    firings: int = 0
    duplicates: int = 0
    rescues: int = 0
    refused_acks: int = 0
    bad: list[Report] = field(default_factory=list)
    digests: list[tuple[int, str]] = field(default_factory=list)

    def add(self, report: Report) -> None:
        self.seeds += 1
        self.seconds += report.seconds
        self.faults.update(report.faults)
        self.firings += report.firings
        self.duplicates += report.duplicates
        self.rescues += report.rescues
        self.refused_acks += report.refused_acks
        self.digests.append((report.seed, report.digest))
        if report.violations:
            self.bad.append(report)

    @property
    def digest(self) -> str:
        return hashlib.blake2b(repr(sorted(self.digests)).encode(), digest_size=8).hexdigest()

    def line(self) -> str:
        return (
            f"{self.seeds} seeds, {self.seconds / 3600:.1f} simulated hours, {self.faults.total():,} faults, "
            f"{self.firings:,} firings, {self.duplicates} duplicates, {self.rescues} rescues, "
            f"{self.refused_acks} late acks refused, {sum(len(bad.violations) for bad in self.bad)} violations"
        )

    def summary(self, wall_seconds: float) -> str:
        faults = ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.faults.items()))
        speed = self.seconds / max(wall_seconds, 0.001)
        return f"{self.line()}\nfaults: {faults}\n{wall_seconds:.1f} s, {speed:,.0f} x real time, digest {self.digest}"


def sweep(
    seeds: Iterable[int],
    jobs: int = 1,
    say: Callable[[str], None] = lambda line: None,
    *,
    chaos_seconds: float = LONG_SECONDS,
) -> Total:
    """Run all seeds, in order; tell of each bad one at once, with the command that replays it."""
    total = Total()
    for report in _reports(seeds, jobs, chaos_seconds):
        total.add(report)
        for line in describe(report) if report.violations else ():
            say(line)
        if total.seeds % SAY_EVERY == 0:
            say(total.line())
    return total


def hunt(mutant: str, seeds: Iterable[int]) -> tuple[int, str] | None:
    """The first seed that sees the planted bug break its promise, and how; None: it escaped."""
    promise = MUTANTS[mutant].promise
    for seed in seeds:
        for violation in _run((seed, mutant, SHORT_SECONDS)).violations:
            if violation.startswith(promise):
                return seed, violation
    return None


def _reports(seeds: Iterable[int], jobs: int, chaos_seconds: float) -> Iterator[Report]:
    work = ((seed, "", chaos_seconds) for seed in seeds)
    if jobs <= 1:
        yield from map(_run, work)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(_run, work)


def _run(work: tuple[int, str, float]) -> Report:
    seed, mutant, chaos_seconds = work
    until = MUTANTS[mutant].promise if mutant else ""
    with quiet():
        report = Cluster(seed, breed(mutant), chaos_seconds=chaos_seconds, until=until).run()
    with unheard():
        gc.collect()  # the world, which was still at hand when it was buried: the next one shall not carry it along
    return report


class quiet:
    """Shike's warnings are expected here, thousands of them."""

    def __enter__(self) -> None:
        logging.disable(logging.CRITICAL)

    def __exit__(self, *_: object) -> None:
        logging.disable(logging.NOTSET)


def describe(report: Report, mutant: str = "") -> list[str]:
    """A failing seed, for a person: what is wrong and how to see it again."""
    planted = f" --mutant {mutant}" if mutant else ""
    shown = report.violations[:SHOWN_MAX]
    more = len(report.violations) - len(shown)
    lines = [f"seed {report.seed}: {len(report.violations)} violations", *(f"  {line}" for line in shown)]
    if more:
        lines.append(f"  … and {more} more")
    length = "" if report.chaos_seconds == LONG_SECONDS else f" --chaos {report.chaos_seconds:g}"
    return [*lines, f"  again: python -m tests.sim --seed {report.seed}{planted}{length} --trace"]


def replay(seed: int, mutant: str, chaos_seconds: float, *, trace: bool = False) -> int:
    """One seed again, with its story if wanted."""
    with quiet():
        report = Cluster(seed, breed(mutant), chaos_seconds=chaos_seconds, trace=print if trace else None).run()
    for line in describe(report, mutant) if report.violations else [f"seed {seed}: no violations"]:
        print(line)
    print(f"{report.firings} firings, {sum(report.faults.values())} faults, digest {report.digest}")
    return 1 if report.violations else 0
