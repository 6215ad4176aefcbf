"""Take each message once, though it is delivered at least once.

A worker that dies, or an answer that gets lost, makes a delivery repeat: no scheduler can know whether the other side
heard it. The receiver can: `SeenToday` keeps one bit per message and day (a million messages are 128 KiB). The
sender numbers its messages from 0 each day. Here the network loses the answer to every third message.

    shike up examples/receive_once.py
    python examples/receive_once.py            # in another terminal: a hundred payments
"""

from __future__ import annotations

import csv
from pathlib import Path

import shike
from shike.clock import to_micros
from shike.ids import SeenToday, day_of

SEEN = Path("seen.bits")

app = shike.Shike("sqlite:///receive_once.db")


class Receiver:
    """The other side: books payments, and knows what it has seen, also after a restart."""

    def __init__(self) -> None:
        self.seen = SeenToday.load(SEEN.read_bytes()) if SEEN.exists() else SeenToday()

    def take(self, number: int, day: int, cents: int) -> bool:
        """Book a payment; False if it was booked before. Mark first, and take the mark back if the work fails."""
        if not self.seen.first_time(number, day):
            return False
        try:
            with Path("payments.csv").open("a", encoding="utf-8", newline="") as lines:
                csv.writer(lines).writerow([day, number, cents])
        except OSError:
            self.seen.forget(number, day)
            raise
        SEEN.write_bytes(self.seen.save())
        return True


@app.task(retry=shike.Backoff(attempts=5, growth=shike.Growth.FIXED, base_seconds=1), keep_result=False)
async def deliver(number: int, day: int, cents: int) -> None:
    """Deliver one payment until the receiver's answer is heard."""
    Receiver().take(number, day, cents)
    if number % 3 == 0 and shike.current().attempt == 1:
        raise ConnectionError("the receiver has it, but its answer got lost")


def pay(count: int) -> None:
    """The sender: numbers of today, from 0."""
    day = day_of(to_micros(app.now()))
    app.submit_many([deliver.bind(number, day, 100 + number) for number in range(count)])


if __name__ == "__main__":
    pay(100)
    print("a hundred payments are on their way; each is once in payments.csv")
