"""`python -m tests.sim`: many seeds at once, or one again.

python -m tests.sim --seeds 300 --jobs 2      seeds 0 … 299, on two cores
python -m tests.sim --seed 17 --trace         one seed, with everything that happened
python -m tests.sim --mutants                 each planted bug and the first seed that catches it
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.sim.cluster import LONG_SECONDS
from tests.sim.fleet import hunt, replay, sweep
from tests.sim.mutants import MUTANTS


def main() -> int:
    options = _options()
    if options.seed is not None:
        return replay(options.seed, options.mutant, options.chaos, trace=options.trace)
    if options.mutants:
        return _hunt(options.seeds or 50)
    started = time.monotonic()
    seeds = range(options.start, options.start + (options.seeds or 40))
    total = sweep(seeds, options.jobs, say=print, chaos_seconds=options.chaos)
    print(total.summary(time.monotonic() - started))
    return 1 if total.bad else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description="Simulate the cluster.")
    parser.add_argument("--seeds", type=int, default=0, help="how many seeds (40; 50 for --mutants)")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--trace", action="store_true", help="with --seed: print all that happened")
    parser.add_argument("--mutant", default="", choices=["", *MUTANTS], help="with --seed: plant this bug")
    parser.add_argument("--mutants", action="store_true", help="show that each planted bug is caught")
    parser.add_argument("--chaos", type=float, default=LONG_SECONDS, help="simulated seconds of faults per seed")
    return parser.parse_args()


def _hunt(seeds: int) -> int:
    escaped = 0
    for name, mutant in MUTANTS.items():
        caught = hunt(name, range(seeds))
        escaped += caught is None
        print(f"{mutant.promise} {name:24} " + (f"seed {caught[0]}: {caught[1]}" if caught else "NOT CAUGHT"))
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main())
