"""Runs by qualifiers; and what lies ahead, second by second. Both at a bounded cost (issue 6)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.app import Shike
from shike.clock import MICROS, ManualClock
from shike.errors import BadInput
from shike.model import Ended, Live, State
from shike.operate.ahead import ahead
from shike.operate.search import LOOKED_AT_MAX, named, parse, search
from shike.server.console.recent import LOOKED_UP_MAX, Recent
from shike.store.base import RunFilter
from shike.store.hints import Hint, HintKind
from shike.store.memory import MemoryStore
from shike.trigger import cron, every

NOW = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z


def test_what_a_person_types_is_read() -> None:
    text = "task:mail.send state:dead,failed since:2h until:2026-01-02 args.order:7 late:>1m schedule:night Refused"
    wanted = parse(text, NOW)
    assert (wanted.task, wanted.states, wanted.schedule) == ("mail.send", (State.DEAD, State.FAILED), "default/night")
    assert (wanted.since, wanted.until) == (NOW - 7_200 * MICROS, NOW + 86_400 * MICROS)
    assert (wanted.arguments, wanted.late_seconds, wanted.words) == ((("order", "7"),), 60.0, ("refused",))
    assert named(parse("mail.send late:1s", NOW), ["mail.send"]).task == "mail.send"
    assert named(parse("task:a mail.send", NOW), ["mail.send"]).words == ("mail.send",)
    assert parse("https://x.example a:b", NOW).words == ("https://x.example", "a:b")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("state:odd", "no state"),
        ("since:yesterday", "length of time"),
        ("since:2026-13-01", "no time"),
        ("task:", "needs a value"),
        ("id:x", "no run id"),
        ("late:-1s", "length of time"),
        ("a " * 21, "up to 20 words"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        parse(text, NOW)


@given(st.text(max_size=80), st.sampled_from(["", "since:", "late:", "id:", "state:", "args.", "until:2"]))
def test_whatever_is_typed_is_read_or_refused(text: str, prefix: str) -> None:
    with contextlib.suppress(BadInput):
        parse(prefix + text, NOW)


class Counted(MemoryStore):
    """Counts the rows that it hands out."""

    rows = 0

    async def runs(self, wanted: RunFilter) -> list[Live | Ended]:  # type: ignore[override]
        found = await super().runs(wanted)
        self.rows += len(found)
        return found


def shop(store: MemoryStore) -> Shike:
    app = Shike(store)

    @app.task(name="pay")
    async def pay(order: int) -> None: ...

    @app.task(name="mail", queue="mail")
    async def mail(to: dict[str, str]) -> None: ...

    return app


def test_a_search_finds_looks_at_a_bounded_number_and_goes_on() -> None:
    async def story() -> None:
        store = Counted(ManualClock(NOW))
        app = shop(store)
        pay, mail = app.find_task("pay"), app.find_task("mail")
        first = await mail.options(key="k-1").submit(to={"name": "Ada"})
        for start in range(0, LOOKED_AT_MAX + 500, 500):
            await app.client.submit_many([pay.bind(order=start + number) for number in range(500)])

        async def ask(text: str, **how: Any) -> Any:
            return await search(store, parse(text, NOW), limit=10, **how)

        found = await ask("args.order:17 pay")
        assert not found.runs and found.looked_at == LOOKED_AT_MAX == store.rows and found.before
        on = await ask("args.order:17 pay", before=found.before)
        assert [one.run.task for one in on.runs] == ["pay"] and on.before == 0
        assert [str(one.run.id) for one in (await ask("key:k-1", deep=True)).runs] == [first.id]
        assert [str(one.run.id) for one in (await ask("args.to.name:Ada", before=found.before)).runs] == [first.id]
        assert (await ask(f"id:{first.id}")).runs and not (await ask("id:7")).runs
        assert not (await ask("key:k-1", deep=True, covers=lambda queue: queue != "mail")).runs
        store.rows = 0
        assert len((await ask("state:pending queue:default")).runs) == 10 and store.rows <= 500
        await app.client.close()

    asyncio.run(story())


def test_what_lies_ahead_is_known_by_the_second() -> None:
    async def story() -> None:
        clock = ManualClock(NOW)
        store = MemoryStore(clock)
        app = shop(store)
        pay = app.find_task("pay")
        app.schedule(pay.bind(order=1), every("10s"), name="often")
        app.schedule(pay.bind(order=1), cron("* * * * *"), name="minutely")
        app.schedule(pay.bind(order=1), cron("0 0 2 1 *"), name="far")
        await app.store_schedules()
        await pay.in_("95s").submit(order=2)
        found = await ahead(store, await store.schedules(), 120)
        assert found.start == NOW // MICROS + 1 and len(found.planned) == 120
        planned = {place + 1: runs for place, runs in enumerate(found.planned) if runs}
        assert planned == {second: 2 if second % 60 == 0 else 1 for second in range(10, 121, 10)}
        assert {place + 1 for place, runs in enumerate(found.delayed) if runs} == {95}
        assert found.by_schedule == {"default/often": 12, "default/minutely": 2} and found.total == 15
        await app.client.close()

    asyncio.run(story())


class Ending(MemoryStore):
    """Counts how many runs are looked up."""

    looks = 0

    async def ended(self, run_id: int) -> Ended | None:  # type: ignore[override]
        self.looks += 1
        return await super().ended(run_id)


def test_what_ended_is_counted_exactly_and_looked_up_within_bounds() -> None:
    async def story() -> None:
        store = Ending(ManualClock(NOW))
        app = shop(store)
        await app.client.settle_here()
        kept = Recent()
        store.listen(kept.hear)
        await kept.read(store)
        kept.hear(Hint(HintKind.ENDED, run_ids=tuple(range(1, 2_001))))
        await kept.read(store)
        assert sum(kept.ended.values()) == 2_000 and store.looks <= LOOKED_UP_MAX and kept.is_sampled
        await app.client.close()

    asyncio.run(story())
