"""`shike rail simulate`: a day's sale is played and proved, and the writer is killed while it sells."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from shike.cli import output
from shike.cli.rail import AsJson, Source, read, service_day
from shike.cli.root import FINE, FOUND
from shike.errors import BadSetting

if TYPE_CHECKING:
    from shike.rail.sale.simulate import Played


def simulate(
    feed: Source,
    day: Annotated[str, Parameter(name="DAY", help="The service day whose trains are sold, 2019-05-03.")],
    /,
    *,
    buyers: Annotated[int, Parameter(help="So many come.")] = 10_000,
    kills: Annotated[int, Parameter(help="So often the writer is killed in the middle (kill -9).")] = 1,
    seed: Annotated[int, Parameter(help="The crowd: the same seed brings the same.")] = 1,
    picture: Annotated[Path | None, Parameter(help="Draw the sale into this file, as SVG.")] = None,
    journal: Annotated[Path | None, Parameter(help="Keep what was sold in this new SQLite file.")] = None,
    json: AsJson = False,
) -> int:
    """Sell a day's trains to a crowd that pays late, twice or never, kill the writer meanwhile, and prove that nothing
    was sold twice and nothing lost (exit code 1 if something was)."""
    from shike.rail.composition import known_trains
    from shike.rail.counter import url_of
    from shike.rail.journey import Trade
    from shike.rail.ladder import known_ladders
    from shike.rail.sale.picture import draw
    from shike.rail.sale.simulate import simulate as play
    from shike.rail.tariff import known_tariffs

    if picture is not None and not picture.parent.is_dir():
        raise BadSetting(f"there is no folder {picture.parent} to draw into")
    timetable = read(feed).timetable
    when = service_day(day, timetable)
    trade = Trade(timetable, known_trains(), known_tariffs("EUR"), known_ladders())

    def say(words: str) -> None:
        if not json:
            print(words, file=sys.stderr, flush=True)

    with TemporaryDirectory(prefix="shike-rail-") as folder:
        file = journal or Path(folder) / "sale.db"
        played = asyncio.run(play(trade, when, url_of(file), buyers=buyers, seed=seed, kills=kills, say=say))
    if picture is not None:
        picture.write_text(draw(played), encoding="utf-8")
    if json:
        output.as_json(_facts(played))
    else:
        _print(played)
    return FINE if played.proof.clean else FOUND


def _print(played: Played) -> None:
    tally, proof = played.tally, played.proof
    rows = [(name, f"{tally.counts[name]:,}") for name in _COUNTED if tally.counts[name]]
    rows += [(f"refused: {reason}", f"{count:,}") for reason, count in sorted(tally.refusals.items())]
    output.table(("what", "count"), [("buyers", f"{played.buyers:,}"), *rows])
    print()
    for outage in played.outages:
        print(
            f"killed after {outage.answers:,} answers with {outage.open:,} commands open; "
            f"they were asked again, and answered from {output.seconds(outage.seconds)} later on"
        )
    rate = played.answers / played.seconds if played.seconds else 0
    print(f"{played.answers:,} commands in {output.seconds(played.seconds)}: {rate:,.0f} a second")
    for problem in proof.problems:
        print(f"PROBLEM {problem}")
    if proof.clean:
        print(
            f"clean: {proof.events:,} events of {proof.ledgers} trains were counted again, and no seat is sold twice; "
            f"all {proof.told:,} things that were told are kept; of {proof.payments:,} payments "
            f"{proof.payments - proof.paid_back:,} are a ticket's and {proof.paid_back:,} go back"
        )
    else:
        print(f"{proof.problem_count:,} problems")


_COUNTED = (
    "held",
    "too early",
    "refused",
    "paid",
    "tickets",
    "paid too late",
    "paid twice",
    "expired",
    "given back",
    "tickets given back",
    "two trains",
    "onward refused",
    "changed",
    "change refused",
    "wait",
    "served",
    "waited in vain",
)


def _facts(played: Played) -> dict[str, object]:
    proof = played.proof
    return {
        "day": played.day.isoformat(),
        "trains": played.trains,
        "buyers": played.buyers,
        "counts": dict(played.tally.counts),
        "refusals": {str(reason): count for reason, count in played.tally.refusals.items()},
        "kills": [
            {"answers": one.answers, "open": one.open, "seconds": round(one.seconds, 3)} for one in played.outages
        ],
        "commands": played.answers,
        "seconds": round(played.seconds, 3),
        "events": proof.events,
        "told": proof.told,
        "tickets": proof.tickets,
        "payments": proof.payments,
        "paid_back": proof.paid_back,
        "problem_count": proof.problem_count,
        "problems": proof.problems,
    }
