"""`python -m benchmarks`: take the measures, print the tables, and with `--write` put them into the docs page."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace

from benchmarks.brokers import versions
from benchmarks.conditions import machine
from benchmarks.driver import take
from benchmarks.figures import keep
from benchmarks.measure import Measure, Outcome, Row, Size
from benchmarks.measures import MEASURES
from benchmarks.report import as_json, markdown, write


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(MEASURES), help="this measure; may be repeated")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_const", dest="size", const=Size.QUICK, help="a minute: does it work")
    sizes.add_argument("--full", action="store_const", dest="size", const=Size.FULL, help="also with 1 M pending")
    parser.add_argument("--servers", action="store_true", help="every measure that needs a server, and no other")
    parser.add_argument("--rows", default="", help="only rows whose name holds one of these, comma-separated")
    parser.add_argument("--json", action="store_true", help="every figure of every repeat, as JSON")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    parser.add_argument("--note", default="", help="added to the conditions under each table")
    parser.set_defaults(size=Size.STANDARD)
    return parser.parse_args()


def _narrowed(measure: Measure, names: str) -> Measure:
    wanted = [name for name in names.split(",") if name]
    rows = tuple(row for row in measure.rows if not wanted or any(name in row.name for name in wanted))
    return replace(measure, rows=rows)


def _chosen(options: argparse.Namespace) -> list[Measure]:
    wanted = [_narrowed(MEASURES[name], options.rows) for name in options.only or MEASURES]
    return [
        measure
        for measure in wanted
        if measure.rows
        and not (measure.full_only and options.size is not Size.FULL)
        and not (options.servers and not any(row.service for row in measure.rows))
    ]


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    options = _options()
    outcomes = []
    _progress(machine())
    for measure in _chosen(options):
        began = time.monotonic()
        outcome = take(measure, options.size, note=options.note, tell=_progress)
        outcomes.append(outcome)
        _progress(f"{measure.name}: {time.monotonic() - began:.0f} s")
        if options.write:  # at once: a later measure may break
            keep([outcome])
            write([outcome], servers=versions())
        if not options.json:
            print(f"\n## {measure.title}\n\n{markdown(outcome)}", flush=True)
    if options.json:
        print(json.dumps(as_json(outcomes), indent=1))
    if failed := [row.title for outcome in outcomes for row in outcome.measure.rows if _failed(outcome, row)]:
        sys.exit(f"of ours failed: {', '.join(failed)}")


def _failed(outcome: Outcome, row: Row) -> bool:
    return row.ours and row.name in outcome.failures


if __name__ == "__main__":
    main()
