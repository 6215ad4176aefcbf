"""`app.waiting` in a program, and the roles of a node behind it: pauses that end, queues in order (R2.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from shike.app import Shike
from shike.engine import Roles
from shike.errors import BadInput, Conflict
from shike.model import State
from shike.operate.explain import explain
from shike.operate.queues import listing
from shike.testing import harness
from shike.waiting import orders, pauses
from shike.waiting.bulk import Outcome, Which
from shike.waiting.pauses import what_of
from tests import bounded

START = datetime(2026, 1, 1, tzinfo=UTC)


class Shop:
    """Tasks that write down what they did."""

    def __init__(self) -> None:
        self.app = Shike("memory://")
        self.done: list[int] = []
        self.pay = self.app.task(self._do, name="pay", tags=["billing"])
        self.mail = self.app.task(self._do, name="mail", band=5)

    async def _do(self, number: int) -> None:
        self.done.append(number)


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    yield made
    made.app.client.close_sync()


def test_sync_code_does_it_at_once(shop: Shop) -> None:
    waiting = shop.app.waiting
    first, second = shop.pay.in_("1h").submit(1), shop.mail.in_("1h").submit(2)
    waiting.reprioritise(first, 0)
    waiting.reschedule(int(second.id), shop.app.now() + timedelta(minutes=5))
    waiting.reroute(second, queue="bulk")
    assert waiting.count(Which(queue="bulk")) == 1
    assert waiting.reroute_all(Which(task="mail"), queue="default") == Outcome(found=1, moved=1)
    assert waiting.reprioritise_all(Which(band=0), 2) == Outcome(found=1, moved=1)
    assert waiting.reschedule_all(Which(task="pay"), shop.app.now()) == Outcome(found=1, moved=1)
    assert str(waiting.pause(key="order 7", reason="look first").what) == "key order 7"
    assert [one.what.name for one in waiting.pauses()] == ["order 7"]
    assert waiting.resume(key="order 7") is True
    assert waiting.order("default", "fifo") == "fifo"


def test_async_code_awaits_it(shop: Shop) -> None:
    async def story() -> None:
        handle = await shop.pay.in_("1h").submit(1)
        await shop.app.waiting.reprioritise(handle, 0)
        with pytest.raises(BadInput, match="whole number"):
            await shop.app.waiting.reprioritise(handle, 9)
        await handle.cancel()
        with pytest.raises(Conflict, match="CANCELLED"):
            await shop.app.waiting.reprioritise(handle, 0)
        await shop.app.client.close()

    bounded.run(story())


def test_a_tag_rests_and_goes_on_by_itself(shop: Shop) -> None:
    with harness(shop.app, start=START) as time:
        what = pauses.what_of(tag="billing")
        time.run(pauses.pause(time.store, what, "the bank is down", time.run(time.store.now()) + 10_000_000))
        held, free = time.submit(shop.pay.bind(1)), time.submit(shop.mail.bind(2))
        time.advance("5s")
        assert shop.done == [2]
        why = time.run(explain(time.store, shop.app.client.runtime.clock, int(held.id), shop.pay.definition.tags))
        assert why.paused == ("paused by its tag billing: the bank is down, until 2026-01-01 00:00:10 UTC",)
        assert why.place == "stands at about place 1 of the queue default, in band 3"
        assert time.run(explain(time.store, shop.app.client.runtime.clock, int(free.id))).place == ""
        time.advance("10s")
        known = time.find(held)
    assert known is not None and known.state is State.SUCCESS
    assert shop.done == [2, 1]


def test_a_node_keeps_a_queue_in_the_order_that_was_chosen(shop: Shop) -> None:
    """While nobody works, so that all of it waits: then one after the other."""

    async def submit() -> None:
        for number, expires in ((1, "9m"), (2, "3m"), (3, "6m")):
            await shop.pay.options(expires=expires).submit(number)

    async def ranked() -> None:
        store = await shop.app.client.store()
        await orders.choose(store, "default", "deadline")
        async with shop.app.running(Roles(worker=False)):
            await submit()
            while any(live.run_at > 1 << 49 for live in await store.standing("default", 9)):
                await asyncio.sleep(0.01)
        facts = await listing(store)
        assert [(one.name, one.order) for one in facts] == [("default", "deadline")]
        async with shop.app.running(Roles(slots=1)):
            while len(shop.done) < 3:
                await asyncio.sleep(0.01)
        await shop.app.client.close()

    bounded.run(ranked())
    assert shop.done == [2, 3, 1]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Which(band="3"), "band='3'"),  # type: ignore[arg-type]
        (lambda: Which(band=8), "band=8"),
        (lambda: Which(task=5), "task=5 is no text"),  # type: ignore[arg-type]
        (lambda: Which(task="mail", states=("SCHEDULED",)), "'SCHEDULED' does not wait"),  # type: ignore[arg-type]
        (lambda: what_of(key=5), "a business key is a text"),  # type: ignore[arg-type]
    ],
)
def test_what_picks_nothing_for_ever_is_refused(wrong: Callable[[], object], words: str) -> None:
    """R2.5: else it is answered by "0 runs", as though nothing waited."""
    with pytest.raises(BadInput, match=words):
        wrong()


def test_a_reason_is_a_text(shop: Shop) -> None:
    """R2.5"""
    with pytest.raises(BadInput, match="say why"):
        shop.app.waiting.pause(queue="default", reason=None)  # type: ignore[arg-type]


def test_tags_of_a_task_are_words() -> None:
    app = Shike("memory://")
    for tags in ("billing", ["two words"], [""], [str(n) for n in range(17)]):
        with pytest.raises(BadInput):
            app.task(name="t", tags=tags)(lambda: None)  # type: ignore[arg-type]
