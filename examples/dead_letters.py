"""Retries, dead letters, and running them again when the trouble is over.

Shows a policy of pauses, the dead letter of a run whose attempts are used up (with its owner and its reason), and its
replay: a new run that knows which one it replaces. The trouble is a file called `bank.down`.

    touch bank.down && shike up examples/dead_letters.py
    python examples/dead_letters.py charge     # in another terminal: three charges, dead after nine seconds
    shike dead list --app examples/dead_letters.py
    rm bank.down && python examples/dead_letters.py replay
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import shike
from shike.operate import dead

PAUSES = shike.Backoff(attempts=4, growth=shike.Growth.LISTED, delays_seconds=(1, 3, 5), jitter=0)

app = shike.Shike("sqlite:///dead_letters.db")


class BankDown(Exception):
    """The bank does not answer."""


@app.task(retry=PAUSES, owner="payments", timeout="10s")
def charge(card: str, cents: int) -> str:
    """Charge a card. The key lets the bank see that a second attempt is the same charge."""
    if Path("bank.down").exists():
        raise BankDown(f"no answer for {card}")
    with Path("charges.csv").open("a", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerow([shike.current().idempotency_key, card, cents])
    return f"charged {card}"


async def replay_all() -> int:
    """Run every dead charge again, each once; gives how many there were."""
    letters = await dead.pick(await app.client.store(), [], task=charge.name)
    return len((await dead.replay_all(app.client, letters)).replayed)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["charge"]:
            for card in ("ada", "bob", "cyd"):
                print(charge.submit(card, 990))
        case ["replay"]:
            print(f"{app.client.sync(replay_all())} charges are tried again")
        case _:
            print(__doc__)
