"""One contestant in one measure, in a process of its own: `python -m shike.bench.child life heap 10000 5`."""

from __future__ import annotations

import json
import sys

from shike.bench.contestants import CONTESTANTS
from shike.bench.measures import MEASURES


def main(measure: str, contestant: str, pending: str, seconds: str) -> None:
    """Print the figures as JSON."""
    figures = MEASURES[measure](CONTESTANTS[contestant].make(), int(pending), float(seconds))
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
