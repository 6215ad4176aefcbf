"""A mail relay shared by tenants: none floods it, none exceeds its own rate, and a report is sent once it settles.

Shows limits over the whole cluster: turns among tenants, a rate for each of them, and the last of several. Change them
while it runs: `shike limits set fair_mail.send rate:tenant rate=600/m`; stop one tenant: `shike strikes add
'task=fair_mail.send and tenant=acme' --reason 'their relay bounces'`.

    shike up examples/fair_mail.py
    python examples/fair_mail.py             # in another terminal: 200 letters of one tenant, 5 of another
"""

from __future__ import annotations

import asyncio
import csv
from pathlib import Path
from typing import Annotated

from shike import Debounce, FairShare, Key, Rate, Shike

app = Shike("sqlite:///fair_mail.db")
OUTBOX = Path("letters.csv")
REPORTS = Path("reports.csv")


@app.task(name="fair_mail.send", limits=[FairShare(4, weights={"paying": 2.0}), Rate("300/m", burst=30)])
async def send(tenant: Annotated[str, Key], letter: int) -> None:
    await asyncio.sleep(0.02)  # the relay at work
    _write(OUTBOX, tenant, letter)
    await report.submit(tenant)


@app.task(name="fair_mail.report", limits=[Debounce("2s", max_wait="10s")])
async def report(tenant: Annotated[str, Key]) -> None:
    sent = sum(row[0] == tenant for row in _rows(OUTBOX))
    _write(REPORTS, tenant, sent)


def _write(file: Path, *words: object) -> None:
    with file.open("a", newline="") as out:
        csv.writer(out).writerow(words)


def _rows(file: Path) -> list[list[str]]:
    with file.open(newline="") as found:
        return list(csv.reader(found))


def fill() -> None:
    """A flood, and somebody who has little to send."""
    app.submit_many([send.bind("flood", letter) for letter in range(200)])
    app.submit_many([send.bind("small", letter) for letter in range(5)])


if __name__ == "__main__":
    fill()
