"""`python -m tests.sim.railway`: many seeds at once, or one again.

python -m tests.sim.railway --seeds 60 --long     seeds 0 … 59, with holds of 15 minutes
python -m tests.sim.railway --seed 17             one seed
python -m tests.sim.railway --planted             each planted bug, and the first seed that sees it
"""

from __future__ import annotations

import argparse
import sys

from tests.sim.railway.bounds import LONG_HOLD_SECONDS, SHORT_HOLD_SECONDS
from tests.sim.railway.planted import PLANTED, story_of


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.railway", description="Simulate a railway.")
    parser.add_argument("--seeds", type=int, default=40, help="how many seeds (40)")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--long", action="store_true", help="holds of 15 minutes, as in life")
    parser.add_argument("--planted", action="store_true", help="show that each planted bug is seen")
    options = parser.parse_args()
    if options.planted:
        return _hunt(options.seeds)
    hold_seconds = LONG_HOLD_SECONDS if options.long else SHORT_HOLD_SECONDS
    seeds = range(options.seeds) if options.seed is None else [options.seed]
    broken = 0
    for seed in seeds:
        found = story_of(seed, hold_seconds=hold_seconds)
        broken += bool(found)
        for line in found:
            print(f"seed {seed}: {line}")
    print(f"{len(seeds)} railways, {broken} with something wrong")
    return 1 if broken else 0


def _hunt(seeds: int) -> int:
    escaped = 0
    for name in PLANTED:
        caught = next(((seed, found[0]) for seed in range(seeds) if (found := story_of(seed, name))), None)
        escaped += caught is None
        print(f"{name:20} " + (f"seed {caught[0]}: {caught[1]}" if caught else "NOT SEEN"))
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main())
