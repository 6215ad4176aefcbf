"""Log records know their run, and the run keeps the last of them: bounded, without a handler of ours on any logger."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from shike.bounds import LOG_LINE_CHARS_MAX, LOG_TAIL_BYTES, LOG_TAIL_LINES
from shike.cli.logs import Lines
from shike.worker import lines
from shike.worker.context import Context, running
from shike.worker.notes import Notes, Told
from tests.unit.worker.calls import RUN

log = logging.getLogger("tests.lines")


@pytest.fixture
def context() -> Iterator[Context]:
    """A run is under way here, in a worker that listens."""
    one = Context(RUN, 1, 2, 0, 0, lambda: 5)
    stop = lines.listen()
    token = running.set(one)
    log.setLevel(logging.INFO)
    yield one
    running.reset(token)
    stop()


def kept(context: Context) -> list[str]:
    notes = context.noted()
    return [line.text for line in notes.tail().lines] if notes is not None else []


def test_a_handlers_lines_are_kept_and_know_their_run(context: Context, caplog: pytest.LogCaptureFixture) -> None:
    log.info("number %d", 7)
    log.debug("below the app's level")
    (record,) = caplog.records
    assert (record.shike_run_id, record.shike_attempt, record.shike_task) == (str(RUN.id), 2, RUN.task)
    assert kept(context) == ["number 7"]


def test_the_structured_log_tells_run_attempt_and_task(context: Context, caplog: pytest.LogCaptureFixture) -> None:
    log.info("seven")
    said = Lines(as_json=True)._words(caplog.records[0])
    assert f'"run_id":"{RUN.id}","attempt":2,"task":"{RUN.task}"' in said and '"message":"seven"' in said


def test_an_app_may_use_names_like_ours_in_its_own_records(context: Context) -> None:
    log.info("mine", extra={"run_id": 1, "attempt": 2, "task": "t"})
    assert kept(context) == ["mine"]


def test_the_oldest_lines_make_room(context: Context) -> None:
    for number in range(LOG_TAIL_LINES + 10):
        log.info("%d", number)
    assert kept(context) == [str(number) for number in range(10, LOG_TAIL_LINES + 10)]
    for _ in range(20):
        log.info("x" * 10_000)
    assert sum(map(len, kept(context))) <= LOG_TAIL_BYTES
    assert all(len(text) <= LOG_LINE_CHARS_MAX for text in kept(context))
    notes = context.noted()
    assert notes is not None and notes.lost + len(notes.tail().lines) == notes.lines_count == LOG_TAIL_LINES + 30


def test_a_line_that_cannot_be_formatted_harms_nobody(context: Context) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no words")

    record = log.makeRecord(log.name, logging.INFO, __file__, 1, "said %s", (Broken(),), None)
    assert kept(context) == ["said %s"] and record.levelno == logging.INFO
    log.makeRecord(log.name, logging.INFO, __file__, 1, "half a sign: \ud800", (), None)
    assert kept(context)[1].isascii()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No worker of another test listens."""
    found = logging.getLogRecordFactory()
    logging.setLogRecordFactory(logging.LogRecord)
    monkeypatch.setattr(lines, "_users", 0)
    yield
    logging.setLogRecordFactory(found)


def test_workers_come_and_go_and_the_last_one_leaves_no_trace(alone: None) -> None:
    before = logging.getLogRecordFactory()
    first, second = lines.listen(), lines.listen()
    assert logging.getLogRecordFactory() is not before
    first()
    first()
    assert logging.getLogRecordFactory() is not before
    second()
    assert logging.getLogRecordFactory() is before


def test_who_wrapped_ours_meanwhile_stays(alone: None) -> None:
    before = logging.getLogRecordFactory()
    stop = lines.listen()
    ours = logging.getLogRecordFactory()
    try:
        logging.setLogRecordFactory(lambda *args, **kwargs: ours(*args, **kwargs))
        wrapped = logging.getLogRecordFactory()
        stop()
        assert logging.getLogRecordFactory() is wrapped
        assert log.makeRecord("n", logging.INFO, "f", 1, "still here", (), None).getMessage() == "still here"
    finally:
        logging.setLogRecordFactory(before)


def test_what_another_process_noted_is_told_as_it_was() -> None:
    notes, told = Notes(lambda: 7), Told()
    notes.log(log.makeRecord("n", logging.INFO, "f", 1, "there", (), None))
    begun = notes.begin("work", None)
    assert begun is not None
    notes.end(begun)
    told.take(notes.tail(), notes.steps(9), 3)
    assert told.tail() == notes.tail() and told.steps(0) == notes.steps(9) and told.lost == 3
    assert told.tail(2).lines == () and told.tail(2).count == 1
