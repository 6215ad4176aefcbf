"""What becomes of a row: the run that it stands for, or the reason why there never can be one."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from shike import Shike
from shike.bounds import ARGS_BYTES_MAX, RELAY_REMEMBER_SECONDS
from shike.clock import MICROS
from shike.errors import BadInput
from shike.outbox.accept import anything, call_of, entry_of, spread_of, written
from shike.outbox.rows import Row
from shike.store.codec import Plain
from shike.store.guards import Absent, Entry
from shike.task import Definition

WRITTEN_AT = 1_750_000_000 * MICROS
LONG_AFTER = WRITTEN_AT + 10 * 86_400 * MICROS

app = Shike("memory://")


@app.task(name="mail", queue="post", band=1, owner="ada", expires="2h")
def mail(number: int, note: str = "") -> int:
    return number


def row(args: str = '{"number": 1}', options: str = "{}", task: str = "mail", **words: Any) -> Row:
    return Row(**{"id": 7, "identity": "abc", "created_at": WRITTEN_AT, **words}, task=task, args=args, options=options)


def entry(given: Row) -> Entry:
    return entry_of(given, call_of(given, app.find_task), 5, Plain())


def test_a_row_by_hand_is_a_run_as_the_task_says() -> None:
    found = entry(row())
    assert (found.run.task, found.run.queue, found.run.band, found.run.owner) == ("mail", "post", 1, "ada")
    assert found.run.args == b'{"number": 1}'
    assert found.run.expires_at == WRITTEN_AT + 7_200 * MICROS
    assert found.guards == (Absent("outbox/abc", RELAY_REMEMBER_SECONDS),)


def test_a_delay_counts_from_when_the_row_was_written_and_an_instant_stays_one() -> None:
    assert entry(row(options='{"delay_seconds": 90}')).run_at == WRITTEN_AT + 90 * MICROS
    assert entry(row(options=f'{{"at": {WRITTEN_AT + 5}}}')).run_at == WRITTEN_AT + 5
    assert entry(row(options='{"delay_seconds": 0}')).delay_seconds == 0


def test_a_key_of_the_users_own_is_checked_beside_the_rows_identity_in_one_bucket() -> None:
    given = row(options='{"key": "order/7", "key_seconds": 60}')
    assert entry(given).guards == (Absent("order/7", 60), Absent("outbox/abc", RELAY_REMEMBER_SECONDS))
    assert spread_of(given, call_of(given, app.find_task)) == "order/7"
    assert spread_of(row(), call_of(row(), app.find_task)) == "abc"


@pytest.mark.parametrize(
    "task",
    [
        mail,
        mail.in_("90s"),
        mail.options(key="k", key_ttl="1m", queue="other", band=7, expires="1s", retry=3, timeout="5s", owner="bob"),
        mail.options(on_unknown="fail", keep_result=False),
    ],
)
def test_what_was_written_by_a_call_comes_out_as_the_run_of_that_call_with_an_app_and_without(task: Any) -> None:
    call = task.bind(1, note="时刻 \u0000")
    wanted = call.entry(5, WRITTEN_AT, Plain())
    if wanted.delay_seconds > 0:
        at = WRITTEN_AT + round(wanted.delay_seconds * MICROS)
        wanted = replace(wanted, run=replace(wanted.run, due_at=at), run_at=at, delay_seconds=-1.0)
    name, args, options = written(call, WRITTEN_AT)
    for find in (app.find_task, anything):
        given = row(args, options, name)
        found = entry_of(given, call_of(given, find), 5, Plain())
        assert (found.run, found.run_at, found.delay_seconds) == (wanted.run, wanted.run_at, wanted.delay_seconds)
        assert found.guards[:-1] == wanted.guards


def test_a_row_that_was_late_on_its_way_is_not_refused_for_that() -> None:
    given = row(options=f'{{"at": {WRITTEN_AT + MICROS}}}', created_at=WRITTEN_AT)
    assert entry(given).run.due_at < LONG_AFTER


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (row(task="nope"), "no task is called 'nope'; this app has: mail"),
        (row(task=""), "no task is called ''"),
        (row("{}"), "the arguments do not fit task 'mail'"),
        (row('{"number": "x"}'), "Expected `int`"),
        (row('{"number": 1, "other": 2}'), "unknown field"),
        (row("[1]"), "no JSON object"),
        (row("null"), "no JSON object"),
        (row(""), "no JSON object"),
        (row('{"number": NaN}'), "no JSON object"),
        (row("{" * 5_000), "no JSON object"),
        (row('{"note":' + "[" * 3_000 + "]" * 3_000 + "}"), "no JSON object|nested"),
        (row(f'{{"note": "{"x" * ARGS_BYTES_MAX}"}}'), "more than 65,536 bytes"),
        (row(options="[]"), "options cannot be read"),
        (row(options="{"), "options cannot be read"),
        (row(options='{"dealy": 5}'), "unknown field `dealy`"),
        (row(options='{"band": 9}'), "band=9"),
        (row(options='{"band": -3}'), "band=-3"),
        (row(options='{"queue": "a b"}'), "queue name"),
        (row(options='{"delay_seconds": 1e300}'), "century|calendar|range|long"),
        (row(options='{"delay_seconds": 5, "at": 5}'), "both"),
        (row(options='{"at": -5}'), "calendar"),
        (row(options='{"at": 5}'), "past"),
        (row(options='{"at": 999999999999999999}'), "calendar"),
        (row(options='{"key": "x", "key_seconds": -5}'), "negative"),
        (row(options='{"delay_seconds": -5}'), "negative"),
        (row(options=f'{{"key": "{"k" * 401}"}}'), "400 characters"),
        (row(options='{"retry": {"attempts": 0}}'), "attempts"),
        (row(options='{"timeout_seconds": -1}'), "past|negative"),
        (row(options='{"on_unknown": "pray"}'), "options cannot be read"),
        (row(identity=""), "identity"),
        (row(identity="i" * 400), "identity"),
        (row(created_at=0), "created_at"),
        (row(created_at=1 << 62), "created_at"),
    ],
)
def test_what_never_can_be_a_run_is_told_why(given: Row, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        call_of(given, app.find_task)


def test_without_an_app_any_name_that_a_task_can_have_will_do() -> None:
    assert isinstance(anything("shop.mail").definition, Definition)
    with pytest.raises(BadInput, match="spaces"):
        call_of(row(task="a b"), anything)
