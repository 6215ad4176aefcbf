"""A message becomes a run, once for each id, whatever the store does meanwhile; what never can be one is set aside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from shike import Shike
from shike.connect import ANEW, Became, Intake, Map, Message, at_least
from shike.connect.bounds import ASIDE_BODY_BYTES, ASIDE_KEPT
from shike.errors import BadInput, StoreUnavailable
from shike.outage import Outage
from tests.unit.connect.brokers import run


class Shop:
    def __init__(self, **how: Any) -> None:
        self.app = Shike("memory://")
        self.paid: list[int] = []

        @self.app.task
        async def pay(order: int) -> None:
            self.paid.append(order)

        self.pay = pay
        self.intake = Intake(self.app, "orders", None, pay, **how)

    async def send(self, *orders: int, id: str = "{}") -> list[Became]:
        wanted = [Message(id.format(order), json.dumps({"order": order}).encode()) for order in orders]
        return [answer.became for answer in await asyncio.gather(*map(self.intake.accept, wanted))]

    async def stored(self) -> int:
        counts = await (await self.app.client.store()).counts()
        return counts.eligible


def test_each_id_becomes_one_run_also_in_one_batch_and_after_it_ran() -> None:
    async def story() -> None:
        shop = Shop()
        assert sorted(await shop.send(7, 8, 7, 8, 9)) == [Became.REPEAT] * 2 + [Became.RUN] * 3
        ended = asyncio.Event()
        shop.app.on("run.ended", lambda event: ended.set() if len(shop.paid) == 3 else None)
        async with shop.app.running():
            await asyncio.wait_for(ended.wait(), 60)
            assert await shop.send(7) == [Became.REPEAT]
        assert sorted(shop.paid) == [7, 8, 9]
        assert shop.intake.counts == {Became.RUN: 3, Became.REPEAT: 3, Became.PASSED: 0, Became.ASIDE: 0}

    run(story())


def test_two_intakes_do_not_take_each_others_ids_for_their_own() -> None:
    async def story() -> None:
        shop = Shop()
        other = Intake(shop.app, "refunds", None, shop.pay)
        message = Message("1", b'{"order": 1}')
        assert [(await one.accept(message)).became for one in (shop.intake, other)] == [Became.RUN, Became.RUN]

    run(story())


def test_what_the_filter_does_not_want_is_passed_over() -> None:
    async def story() -> None:
        shop = Shop(where={"order": at_least(8)})
        assert await shop.send(7, 8) == [Became.PASSED, Became.RUN]
        assert await shop.stored() == 1

    run(story())


def test_messages_that_say_to_be_anew_are_a_run_each() -> None:
    async def story() -> None:
        shop = Shop(map=Map(id=ANEW))
        assert await shop.send(7, 7, id="same") == [Became.RUN, Became.RUN]

    run(story())


def test_a_key_of_the_runs_makes_two_messages_one_run() -> None:
    async def story() -> None:
        shop = Shop(map=Map(key="order", args={"order": "order"}))
        assert await shop.send(7, id="a") + await shop.send(7, id="b") == [Became.RUN, Became.REPEAT]

    run(story())


@pytest.mark.parametrize("sent", ["x" * 5_000, "with\0nul", "lone \udc80", "two words", "中文"])
def test_any_id_is_an_id(sent: str) -> None:
    async def story() -> None:
        shop = Shop()
        message = Message(sent, b'{"order": 1}')
        assert [(await shop.intake.accept(message)).became for _ in "12"] == [Became.RUN, Became.REPEAT]

    run(story())


def test_many_messages_share_few_writes() -> None:
    async def story() -> None:
        shop = Shop()
        store = await shop.app.client.store()
        real, sizes = store.submit, []

        async def counted(entries: Sequence[Any], *, repeat: bool = False) -> Any:
            sizes.append(len(entries))
            await asyncio.sleep(0.1)  # a store that takes its time: what comes meanwhile goes together
            return await real(entries, repeat=repeat)

        store.submit = counted  # type: ignore[method-assign]
        assert await shop.send(*range(100)) == [Became.RUN] * 100
        assert len(sizes) < 20, sizes

    run(story())


BAD = {
    "no JSON": Message("1", b"{"),
    "no id": Message("", b'{"order": 1}'),
    "JSON object": Message("2", b"[1]"),
    "do not fit": Message("3", b'{"order": "many"}'),
    "no argument": Message("4", b'{"order": 1, "shell": "rm"}'),
    "more than": Message("5", b" " * 300_000),
}


def test_what_never_can_be_a_run_is_set_aside_with_its_reason_and_holds_up_nothing() -> None:
    async def story() -> None:
        shop = Shop()
        answers = await asyncio.gather(*map(shop.intake.accept, [*BAD.values(), Message("good", b'{"order": 9}')]))
        assert [one.became for one in answers] == [Became.ASIDE] * len(BAD) + [Became.RUN]
        for message in BAD.values():
            await shop.intake.accept(message)  # it comes again: it lies there once
        aside = {one.id: one for one in await shop.intake.set_aside()}
        assert sorted(aside) == sorted(message.id for message in BAD.values())
        assert "no JSON" in aside["1"].reason and "id=ANEW" in aside[""].reason and aside["2"].body == b"[1]"
        assert (aside["5"].size_bytes, len(aside["5"].body)) == (300_000, ASIDE_BODY_BYTES)
        assert await shop.intake.clear_aside() == len(BAD) and await shop.intake.set_aside() == []

    run(story())


def test_what_is_set_aside_is_bounded_and_the_newest_stay() -> None:
    async def story() -> None:
        shop = Shop()
        for number in range(ASIDE_KEPT + 5):
            await shop.intake.accept(Message(str(number), b"{"))
        kept = [int(one.id) for one in await shop.intake.set_aside()]
        assert len(kept) == ASIDE_KEPT and kept[-1] == ASIDE_KEPT + 4 and kept[0] == 5

    run(story())


def test_one_that_the_store_refuses_does_not_take_its_batch_along(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        shop = Shop()
        real = shop.app.client.deliver

        async def picky(entries: Sequence[Any]) -> Any:
            if any(b"13" in entry.run.args for entry in entries):
                raise BadInput("thirteen is refused")
            return await real(entries)

        monkeypatch.setattr(shop.app.client, "deliver", picky)
        answers = await shop.send(*range(10, 20))
        assert answers == [Became.RUN] * 3 + [Became.ASIDE] + [Became.RUN] * 6

    run(story())


def test_a_store_that_is_away_makes_a_message_wait_and_be_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outage, "pause", lambda self, error: 0.0)

    async def story() -> None:
        shop = Shop()
        real, tries = shop.app.client.deliver, []

        async def deaf(entries: Sequence[Any]) -> Any:
            tries.append(len(entries))
            answer = await real(entries) if len(tries) != 1 else None
            if len(tries) < 3:
                raise StoreUnavailable("the answer was lost")
            return answer

        monkeypatch.setattr(shop.app.client, "deliver", deaf)
        await shop.intake._patiently(Message("7", b'{"order": 7}'))
        assert len(tries) == 3 and await shop.stored() == 1

    run(story())


@pytest.mark.parametrize("name", ["", "Orders", "a b", "x" * 100, None, "a.b"])
def test_a_name_that_brokers_cannot_hold_is_refused(name: Any) -> None:
    shop = Shop()
    with pytest.raises(BadInput, match="short word"):
        Intake(shop.app, name, None, shop.pay)
    with pytest.raises(BadInput, match=r"@app\.task"):
        Intake(shop.app, "orders", None, print)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="no source"):
        run(shop.intake.run())
