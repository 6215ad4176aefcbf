"""Failures told to Sentry: by the SDK itself, whose transport is a list here (R4.1, R2.9)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from shike.app import Shike
from shike.connect.sentry import Sentry, told
from shike.errors import BadSetting
from shike.events import RUN_ENDED, Event
from shike.model import Backoff
from shike.testing import harness


class Kept(Transport):
    """Keeps what would be sent."""

    events: list[dict[str, Any]]

    def capture_envelope(self, envelope: Envelope) -> None:
        event = envelope.get_event()
        assert event is not None
        type(self).events.append(dict(event))


@pytest.fixture
def sent() -> Iterator[list[dict[str, Any]]]:
    Kept.events = []
    scope = sentry_sdk.get_global_scope()
    before = scope.client
    scope.set_client(
        sentry_sdk.Client(
            dsn="https://public@sentry.invalid/1",
            transport=Kept,
            default_integrations=False,  # they would change threads, logging and more, for all tests that follow
            auto_enabling_integrations=False,
            auto_session_tracking=False,
        )
    )
    yield Kept.events
    scope.set_client(before)


def pay_at(bank: str) -> None:
    raise ValueError(f"{bank} said no")


def shop(**settings: Any) -> tuple[Shike, Any]:
    app = Shike()

    @app.task(name="pay", **settings)
    async def pay(order: int, card: str) -> None:
        pay_at("the bank")

    return app, pay


def test_each_failed_attempt_is_an_event_with_its_frames_and_without_arguments(sent: list[dict[str, Any]]) -> None:
    app, pay = shop(retry=Backoff(attempts=2, base_seconds=1.0))
    sentry = Sentry(app)
    with harness(app) as time:
        handle = time.submit(pay.bind(order=7, card="4111-1111"))
        time.advance("10s")
        time.run(asyncio.sleep(1))
    assert [one["level"] for one in sent] == ["warning", "error"] and sentry.told == 2
    event = sent[1]
    (error,) = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("ValueError", "the bank said no")
    frames = error["stacktrace"]["frames"]
    assert [frame["function"] for frame in frames] == ["pay", "pay_at"]
    assert frames[1]["context_line"] == 'raise ValueError(f"{bank} said no")' and frames[1]["in_app"]
    assert event["tags"]["shike.task"] == event["transaction"] == "pay"
    context = event["contexts"]["shike"]
    assert context == {"run": str(handle.id), "attempt": 2, "reason": "ValueError: the bank said no"}
    assert "4111" not in repr(sent)


def test_only_what_is_dead_where_that_is_asked_for(sent: list[dict[str, Any]]) -> None:
    app, pay = shop(retry=Backoff(attempts=3, base_seconds=1.0))
    Sentry(app, retried=False)
    with harness(app) as time:
        time.submit(pay.bind(order=7, card=""))
        time.advance("60s")
        time.run(asyncio.sleep(1))
    assert [one["level"] for one in sent] == ["error"]


def test_what_went_well_is_no_event(sent: list[dict[str, Any]]) -> None:
    app = Shike()

    @app.task(name="fine")
    async def fine() -> None: ...

    Sentry(app)
    with harness(app) as time:
        time.submit(fine.bind())
    assert sent == []


def test_without_the_sdk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    with pytest.raises(BadSetting, match=r"shike\[sentry\]"):
        Sentry(Shike("memory://"))


CHAIN = """Traceback (most recent call last):
  File "a.py", line 3, in f
    g()
K: y

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "b.py", line 4, in h
    i()
    ~^^
E: x
"""


@pytest.mark.parametrize(
    ("error", "trace", "kind", "value", "frames"),
    [
        ("TimeoutError", "", "TimeoutError", "", 0),
        ("shop.errors.NoMoney: none\nleft", "", "shop.errors.NoMoney", "none\nleft", 0),
        ("", "", "Failure", "", 0),
        ("‹?›", "nonsense", "Failure", "‹?›", 0),
        ("E: x", 'Traceback (most recent call last):\n  File "a.py", line 3, in f\nE: x\n', "E", "x", 1),
        (
            "E: x",
            CHAIN,
            "E",
            "x",
            1,
        ),
    ],
)
def test_an_event_is_made_of_whatever_an_attempt_has_kept(
    error: str, trace: str, kind: str, value: str, frames: int
) -> None:
    event = told(Event(event=RUN_ENDED, task="t", state="DEAD", run_id="1"), error, trace, 1, "shike")
    (one,) = event["exception"]["values"]
    assert (one["type"], one["value"]) == (kind, value)
    assert len(one.get("stacktrace", {"frames": []})["frames"]) == frames
