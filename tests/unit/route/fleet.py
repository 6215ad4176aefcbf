"""Workers for tests, made in a line."""

from __future__ import annotations

from random import Random
from typing import Any

from shike.model import Route
from shike.route.chooser import Chooser
from shike.route.nouns import Ask, Candidate, Snapshot


def worker(number: int, **named: Any) -> Candidate:
    fields: dict[str, Any] = {
        "name": f"worker-{number}",
        "host": f"host-{number}",
        "slots": 4,
        "answer_ms": float(number),
    }
    return Candidate(session=f"{number:032x}", number=number, **(fields | named))


def snapshot(*workers: Candidate) -> Snapshot:
    return Snapshot(id="1", at=0, workers=workers)


def ask(by: str = "least_busy", run_id: int = 1, key: str = "", task: str = "t", **named: Any) -> Ask:
    return Ask(run_id, task, "default>", Route(by=by, **named), key or task)


def chooser(*workers: Candidate, seed: int = 0) -> Chooser:
    made = Chooser(Random(seed).random)
    made.look(snapshot(*workers))
    return made
