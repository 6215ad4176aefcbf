"""A WSGI program, as a person writes it: web pages, and a schedule that ticks beside them. gunicorn runs it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from shike import Shike, current

app = Shike(f"sqlite:///{os.environ['WEB_STORE']}")
notes = os.open(os.environ["WEB_NOTES"], os.O_APPEND | os.O_CREAT | os.O_WRONLY)


@app.task
def tick() -> None:
    os.write(notes, f"{current().run.moment} {os.getpid()}\n".encode())


@app.task
def order(number: int) -> None:
    os.write(notes, f"order-{number} {os.getpid()}\n".encode())


app.schedule(tick, every=0.25, name="ticks")
app.start()


def page(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Stores an order and says its number."""
    number = int(environ["PATH_INFO"].strip("/") or 0)
    run = order.submit(number)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{run.id}\n".encode()]
