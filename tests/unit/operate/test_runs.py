"""What operators do with runs: look, take back, run again, move, follow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from shike.app import Shike
from shike.errors import BadInput, Conflict, NotFound
from shike.model import Backoff, Ended, State
from shike.operate import dead, queues, runs
from shike.operate.facts import RunFacts
from shike.store.verbs import Answer
from shike.testing import harness

START = datetime(2026, 1, 1, tzinfo=UTC)


class Shop:
    """A task that fails as long as it is told to."""

    def __init__(self) -> None:
        self.app = Shike("memory://")
        self.broken = False
        self.task = self.app.task(self.pay, name="pay", owner="treasury")
        self.patient = self.app.task(self.pay, name="patient", retry=Backoff(attempts=3, base_seconds=60, jitter=0))

    async def pay(self, order: int = 0) -> int:
        if self.broken:
            raise ValueError("the bank said no")
        return order


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_run_is_shown_with_its_life_in_order(shop: Shop) -> None:
    shop.broken = True
    with harness(shop.app, start=START) as time:
        handle = time.submit(shop.patient.bind(order=5))
        time.advance("1m1s")
        shop.broken = False
        time.advance("3m")
        run, steps = time.run(runs.show(shop.app.client, int(handle.id)))
    assert (run.state, run.attempts, run.arguments, run.result) == ("SUCCESS", 3, {"order": 5}, 5)
    words = [step.what for step in steps]
    assert words[0] == "created" and words[-1] == "success"
    assert words.count("attempt failed") == 2
    assert "the bank said no" in next(step.words for step in steps if step.what == "attempt failed")
    instants = [step.at for step in steps if step.at is not None]
    assert instants == sorted(instants)


@pytest.mark.parametrize("executor", ["async", "thread"])
def test_where_it_failed_is_shown_from_the_handlers_own_line_on(executor: str) -> None:
    app = Shike("memory://")

    async def later(order: int) -> float:
        return 1 / order

    def at_once(order: int) -> float:
        return 1 / order

    task = app.task(later if executor == "async" else at_once, name="divide")  # type: ignore[call-overload]
    with harness(app, start=START) as time:
        handle = time.submit(task.bind(0))
        run, _ = time.run(runs.show(app.client, int(handle.id)))
    first, second, *_ = run.traceback.splitlines()
    assert first.startswith("Traceback") and f'File "{__file__}"' in second
    assert run.traceback.rstrip().endswith("ZeroDivisionError: division by zero")


def test_a_waiting_run_is_taken_back_and_an_ended_one_is_not(shop: Shop) -> None:
    with harness(shop.app, start=START) as time:
        later = time.submit(shop.task.in_("1h").bind())
        assert time.run(runs.cancel(shop.app.client, int(later.id), "not needed")) is Answer.ACCEPTED
        run, _ = time.run(runs.show(shop.app.client, int(later.id)))
        assert (run.state, run.reason) == ("CANCELLED", "not needed")
        with pytest.raises(Conflict, match="CANCELLED"):
            time.run(runs.cancel(shop.app.client, int(later.id), "again"))
        with pytest.raises(NotFound):
            time.run(runs.cancel(shop.app.client, 12345, "who"))


def test_a_dead_letter_is_replayed_once_as_a_new_run(shop: Shop) -> None:
    shop.broken = True
    with harness(shop.app, start=START) as time:
        handle = time.submit(shop.task.bind(order=5))
        (letter,) = time.run(dead.listing(time.store, 10))
        assert (letter.owner, letter.reason) == ("treasury", "ValueError: the bank said no")
        shop.broken = False
        new_id = time.run(runs.retry(shop.app.client, int(handle.id)))
        time.run_due()
        again = time.find(str(new_id))
        assert isinstance(again, Ended) and again.state is State.SUCCESS
        assert (again.run.replay_of, again.run.args) == (int(handle.id), b'{"order":5}')
        with pytest.raises(Conflict, match=str(new_id)):
            time.run(runs.retry(shop.app.client, int(handle.id)))


def test_all_dead_letters_of_a_task_are_replayed_and_then_dropped(shop: Shop) -> None:
    shop.broken = True
    with harness(shop.app, start=START) as time:
        handles = [time.submit(shop.task.bind(order=number)) for number in range(3)]
        time.run(runs.retry(shop.app.client, int(handles[0].id)))
        letters = time.run(dead.pick(time.store, [int(handle.id) for handle in handles]))
        done = time.run(dead.replay_all(shop.app.client, letters))
        assert set(done.replayed) == {handle.id for handle in handles[1:]}
        assert done.before == [handles[0].id]
        assert time.run(dead.drop(time.store, letters)) == 3
        with pytest.raises(NotFound, match="no dead letter"):
            time.run(dead.pick(time.store, [int(handles[0].id)]))


def test_dead_letters_are_picked_page_by_page_oldest_first(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead, "PAGE", 2)
    shop.broken = True
    with harness(shop.app, start=START) as time:
        ids = [int(time.submit(shop.task.bind()).id) for _ in range(5)]
        picked = time.run(dead.pick(time.store, [], everything=True))
        assert [ended.run.id for ended in picked] == sorted(ids)
        assert time.run(dead.pick(time.store, [], task="patient")) == []
        assert time.run(dead.pick(time.store, [])) == []


def test_a_run_between_two_attempts_is_tried_now(shop: Shop) -> None:
    shop.broken = True
    with harness(shop.app, start=START) as time:
        handle = time.submit(shop.patient.bind())
        shop.broken = False
        assert time.run(runs.retry(shop.app.client, int(handle.id))) == int(handle.id)
        time.run_due()
        known = time.find(handle)
    assert known is not None and known.state is State.SUCCESS


def test_what_has_not_failed_is_not_retried(shop: Shop) -> None:
    with harness(shop.app, start=START) as time:
        done, waiting = time.submit(shop.task.bind()), time.submit(shop.task.in_("1h").bind())
        with pytest.raises(Conflict, match="succeeded"):
            time.run(runs.retry(shop.app.client, int(done.id)))
        with pytest.raises(Conflict, match="has not failed"):
            time.run(runs.retry(shop.app.client, int(waiting.id)))


def test_a_waiting_run_is_moved_in_time_and_priority(shop: Shop) -> None:
    with harness(shop.app, start=START) as time:
        handle = time.submit(shop.task.in_("1h").bind())
        time.run(runs.move(shop.app.client, int(handle.id), at=START + timedelta(minutes=5), band=0))
        run, _ = time.run(runs.show(shop.app.client, int(handle.id)))
        assert (run.run_at, run.band) == (START + timedelta(minutes=5), 0)
        assert run.due_at is not None and run.due_at > START + timedelta(minutes=59)
        with pytest.raises(BadInput, match="where to"):
            time.run(runs.move(shop.app.client, int(handle.id)))
        with pytest.raises(BadInput, match="band"):
            time.run(runs.move(shop.app.client, int(handle.id), band=9))


def test_a_run_is_followed_until_it_is_over(shop: Shop) -> None:
    async def follow(run_id: int) -> list[RunFacts]:
        return [run async for run in runs.follow(shop.app.client, run_id)]

    with harness(shop.app, start=START) as time:
        handle = time.submit(shop.task.in_("5s").bind())
        seen = time.run(follow(int(handle.id)))
    assert seen[0].state == "SCHEDULED" and seen[-1].state == "SUCCESS"
    assert all(one != other for one, other in pairwise(seen))


@pytest.mark.parametrize("text", ["", "x", "-5", "0", "٣", str(1 << 63), "1.5"])
def test_what_is_no_run_id_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="no run id"):
        runs.run_id_of(text)


def test_a_paused_queue_keeps_its_reason_and_grants_nothing(shop: Shop) -> None:
    with harness(shop.app, start=START) as time:
        with pytest.raises(BadInput, match="why"):
            time.run(queues.pause(time.store, "default", " "))
        time.run(queues.pause(time.store, "default", "the bank is down"))
        handle = time.run(_submit(shop))
        time.advance("5s")
        known = time.find(handle)
        assert known is not None and known.state not in (State.RUNNING, State.SUCCESS)
        (queue,) = time.run(queues.listing(time.store))
        assert (queue.name, queue.live, queue.paused, queue.reason) == ("default", 1, True, "the bank is down")
        assert time.run(queues.resume(time.store, "default")) is True
        assert time.run(queues.resume(time.store, "default")) is False
        time.advance("5s")
        known = time.find(handle)
    assert known is not None and known.state is State.SUCCESS


async def _submit(shop: Shop) -> str:
    return (await shop.task.submit()).id
