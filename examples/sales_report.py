"""The nightly sales report, by mail: ten past midnight, yesterday's tickets, for the people in the office.

Shows cron with a time zone, and the *moment*: a report is about the day it was planned for, so a machine that was
off for three nights sends three reports, each about its own day, and a retry at noon still writes about yesterday.

    SMTP=localhost:25 MAIL_TO=you@example.org shike up examples/sales_report.py
    python examples/sales_report.py            # in another terminal: do not wait for midnight

The departures are real (see data/README.md); how many tickets were sold is made up.
"""

from __future__ import annotations

import csv
import os
import smtplib
import zlib
from collections import Counter
from datetime import date, timedelta
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import shike

BERLIN = ZoneInfo("Europe/Berlin")
DEPARTURES = Path(__file__).parent / "data" / "berlin_departures.csv"

app = shike.Shike("sqlite:///sales_report.db")


def sold_on(day: date) -> Counter[str]:
    """Tickets by destination."""
    tickets: Counter[str] = Counter()
    with DEPARTURES.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            tickets[row["to"]] += zlib.crc32(f"{day} {row['train']}".encode()) % 400
    return tickets


def letter(day: date, tickets: Counter[str]) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "sales@example.org"
    mail["To"] = os.environ.get("MAIL_TO", "office@example.org")
    mail["Subject"] = f"Sales of {day}: {tickets.total():,} tickets"
    best = "\n".join(f"{number:>7,}  {place}" for place, number in tickets.most_common(10))
    mail.set_content(f"The best ten destinations from Berlin:\n\n{best}\n")
    return mail


@app.task(retry=shike.Backoff(attempts=10, base_seconds=30, max_seconds=1800), timeout="2m")
def send_report() -> int:
    """Mail one day's report; gives the number of tickets."""
    run = shike.current()
    planned_for = run.moment or app.now()
    day = planned_for.astimezone(BERLIN).date() - timedelta(days=1)
    tickets = sold_on(day)
    mail = letter(day, tickets)
    mail["Message-ID"] = f"<{run.id}@sales.example.org>"  # the same for each attempt: mailboxes show it once
    host, _, port = os.environ.get("SMTP", "localhost:25").partition(":")
    with smtplib.SMTP(host, int(port or 25), timeout=30) as server:
        server.send_message(mail)
    return tickets.total()


app.schedule(send_report, cron="10 0 * * *", tz="Europe/Berlin", misfire="all")


if __name__ == "__main__":
    print(f"{send_report.submit().result('1m'):,} tickets; the report is in the mail")
