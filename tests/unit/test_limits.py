"""R0.9: limits over the cluster by the public face, in virtual time: what runs together, how often, whose turn."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Annotated, Any

import pytest

from shike import Concurrency, Cooldown, Debounce, FairShare, Key, Rate, Shike
from shike.errors import BadLimit, NotFound
from shike.limit import shown as operating
from shike.limit import striking as strikes
from shike.model import Ended, Live, State
from shike.operate import explain as explaining
from shike.operate import runs as operating_runs
from shike.testing import Harness, harness


@pytest.fixture
def app() -> Shike:
    return Shike("memory://")


class Floor:
    """What goes on at once, by key, and the most there ever was."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.begun: list[str] = []

    async def work(self, key: str, seconds: float) -> None:
        self.begun.append(key)
        self.now[key] += 1
        self.now["*"] += 1
        for one in (key, "*"):
            self.most[one] = max(self.most[one], self.now[one])
        await asyncio.sleep(seconds)
        self.now[key] -= 1
        self.now["*"] -= 1


def test_no_more_than_the_cap_of_a_key_run_at_once_and_all_of_them_run(app: Shike) -> None:
    floor = Floor()

    @app.task(name="send", limits=[Concurrency(2)])
    async def send(tenant: Annotated[str, Key], n: int) -> None:
        await floor.work(tenant, 1.0)

    with harness(app) as h:
        for n in range(10):
            send.submit("acme", n)
            send.submit("zeta", n)
        h.advance("5.5s")
        assert (floor.most["acme"], floor.most["zeta"]) == (2, 2)
        assert len(floor.begun) == 20


def test_a_rate_spreads_runs_over_time(app: Shike) -> None:
    begun: list[datetime] = []

    @app.task(name="call", limits=[Rate("60/m", burst=2)])
    async def call() -> None:
        begun.append(h.now)

    with harness(app) as h:
        start = h.now
        for _ in range(5):
            call.submit()
        h.advance("10s")
        assert [round((at - start).total_seconds()) for at in begun] == [0, 0, 1, 2, 3]


def test_only_the_last_of_several_submits_runs(app: Shike) -> None:
    seen: list[int] = []

    @app.task(name="index", limits=[Debounce("10s", by="doc", max_wait="1m")])
    async def index(doc: str, version: int) -> None:
        seen.append(version)

    with harness(app) as h:
        handles = []
        for version in range(4):
            handles.append(index.submit("a", version))
            h.advance("5s")
        index.submit("b", 100)
        h.advance("30s")
        assert sorted(seen) == [3, 100]
        first = h.find(handles[0])
        assert isinstance(first, Ended) and first.state is State.SKIPPED
        assert first.reason == "debounce: a later one took its place"


def test_a_run_waits_its_rest_after_the_one_before_ended(app: Shike) -> None:
    begun: list[float] = []

    @app.task(name="sync", limits=[Cooldown("10s", by="user")])
    async def sync(user: str) -> None:
        begun.append(h.now.timestamp())
        await asyncio.sleep(2)

    with harness(app) as h:
        sync.submit("ann")
        sync.submit("ann")
        h.advance("20s")
        sync.submit("bob")
        h.advance("1m")
        sync.submit("ann")
        h.advance("1s")
        assert [round(at - begun[0]) for at in begun] == [0, 12, 20, 80]


def test_a_tenant_with_many_waiting_does_not_keep_another_from_its_turn(app: Shike) -> None:
    floor = Floor()

    @app.task(name="build", limits=[FairShare(2, by="tenant")])
    async def build(tenant: str, n: int) -> None:
        await floor.work(tenant, 1.0)

    with harness(app) as h:
        for n in range(300):
            build.submit("flood", n)
        h.advance("2.5s")
        for n in range(3):
            build.submit("small", n)
        h.advance("4s")
        assert floor.begun.count("small") == 3
        assert floor.most["*"] == 2


def test_a_retry_holds_its_permit_and_the_end_gives_it_back(app: Shike) -> None:
    tries: list[str] = []

    @app.task(name="flaky", limits=[Concurrency(1)], retry=2)
    async def flaky(name: str) -> None:
        tries.append(name)
        if name == "bad":
            raise ValueError("no")

    with harness(app) as h:
        flaky.submit("bad")
        h.advance("10ms")
        flaky.submit("good")
        h.advance("30s")
        assert tries == ["bad", "bad", "good"]


def test_cancelling_whoever_waits_or_holds_lets_the_next_one_go(app: Shike) -> None:
    floor = Floor()

    @app.task(name="long", limits=[Concurrency(1)])
    async def long(name: str) -> None:
        await floor.work(name, 1000.0)

    with harness(app) as h:
        first, second, _ = (long.submit(name) for name in "abc")
        h.advance("1s")
        second.cancel()
        first.cancel()
        h.advance("10s")
        assert floor.begun == ["a", "c"]


def test_runs_of_a_schedule_keep_to_the_limits_of_their_task(app: Shike) -> None:
    floor = Floor()

    @app.task(name="tick", limits=[Concurrency(1)])
    async def tick() -> None:
        await floor.work("tick", 3.0)

    app.schedule(tick, every="1s", initial_delay="1s")
    with harness(app) as h:
        h.advance("31s")
        assert floor.most["tick"] == 1
        assert len(floor.begun) >= 9


def test_why_a_run_waits_names_the_limit_and_who_has_it(app: Shike) -> None:
    @app.task(name="send", limits=[Concurrency(2, by="tenant")])
    async def send(tenant: str) -> None:
        await asyncio.sleep(100)

    with harness(app) as h:
        handles = [send.submit("acme") for _ in range(4)]
        h.advance("1s")
        why = why_of(h, app, handles[3])
        assert why.startswith("waits for limit tenant=acme (concurrency:tenant): 2 of 2 taken by runs ")
        assert handles[0].id in why and why.endswith("; 1 wait before it")
        assert why_of(h, app, handles[0]).startswith("it has no route")


def why_of(h: Harness, app: Shike, handle: Any) -> str:
    store = operate(h, app, app.client.store())
    return operate(h, app, explaining.explain(store, app.runtime.clock, int(handle.id))).words  # type: ignore[no-any-return]


def operate(h: Harness, app: Shike, work: Any) -> Any:
    return app.client.sync(work)


def test_a_limit_is_changed_and_reset_while_everything_runs(app: Shike) -> None:
    floor = Floor()

    @app.task(name="send", limits=[Concurrency(1)])
    async def send(n: int) -> None:
        await floor.work("send", 10.0)

    with harness(app) as h:
        store = operate(h, app, app.client.store())
        for n in range(40):
            send.submit(n)
        h.advance("1s")
        assert floor.most["send"] == 1
        fact = operate(h, app, operating.set_limit(store, "send", "concurrency", {"cap": 4}, "ann"))
        assert (fact.words, fact.numbers, fact.declared, fact.changed_by) == (
            "4 at once", {"cap": 4}, {"cap": 1}, "ann",
        )  # fmt: skip
        h.advance("5s")
        assert floor.most["send"] == 4
        (key,) = operate(h, app, operating.keys(store, "send"))
        assert (key.name, key.key, key.cap, key.taken, key.waiting) == ("concurrency", "all", 4, 4, 36)
        assert key.why == "4 of 4 taken"
        operate(h, app, operating.reset(store, "send", "concurrency"))
        (listed,) = operate(h, app, operating.listing(store))
        assert (listed.task, listed.numbers, listed.declared) == ("send", {"cap": 1}, {})
        h.advance("20s")
        floor.most.clear()
        h.advance("30s")
        assert floor.most["send"] == 1
        with pytest.raises(BadLimit, match="cap=0"):
            operate(h, app, operating.set_limit(store, "send", "concurrency", {"cap": 0}))
        with pytest.raises(BadLimit, match="has no rate"):
            operate(h, app, operating.set_limit(store, "send", "concurrency", {"rate": "1/s"}))
        with pytest.raises(NotFound, match="it has: concurrency"):
            operate(h, app, operating.set_limit(store, "send", "rate", {"cap": 1}))
        with pytest.raises(NotFound, match="no task 'nobody'"):
            operate(h, app, operating.set_limit(store, "nobody", "rate", {"cap": 1}))


def test_a_run_that_waits_for_a_limit_is_not_moved_past_it(app: Shike) -> None:
    @app.task(name="send", limits=[Concurrency(1)])
    async def send() -> None:
        await asyncio.sleep(100)

    with harness(app) as h:
        send.submit()
        waits = send.submit()
        h.advance("1s")
        operate(h, app, operating_runs.move(app.client, int(waits.id), band=0))
        h.advance("5s")
        live = h.find(waits)
        assert isinstance(live, Live) and (live.state, live.band) == (State.WAITING, 0)


def test_struck_runs_are_held_and_begin_once_the_strike_is_removed(app: Shike) -> None:
    begun: list[str] = []

    @app.task(name="send")
    async def send(tenant: str) -> None:
        begun.append(tenant)

    with harness(app) as h:
        store = operate(h, app, app.client.store())
        strike = operate(h, app, strikes.add(store, "task=send and tenant=acme", "their relay bounces", who="ann"))
        h.advance("1s")
        acme, _ = send.submit("acme"), send.submit("zeta")
        h.advance("30s")
        assert begun == ["zeta"]
        live = h.find(acme)
        assert isinstance(live, Live) and live.attempts == 0
        assert why_of(h, app, acme) == f"struck by ann ({strike.id}): their relay bounces"
        operate(h, app, strikes.remove(store, strike.id))
        h.advance("30s")
        assert begun == ["zeta", "acme"]


@pytest.mark.parametrize(("deed", "state"), [("skip", State.SKIPPED), ("cancel", State.CANCELLED)])
@pytest.mark.parametrize("limited", [False, True])
def test_struck_runs_end_with_the_reason_where_the_strike_says_so(
    app: Shike, deed: str, state: State, limited: bool
) -> None:
    @app.task(name="send", limits=[Concurrency(4)] if limited else ())
    async def send(tenant: str) -> None: ...

    with harness(app) as h:
        store = operate(h, app, app.client.store())
        operate(h, app, strikes.add(store, "tenant=acme", "bounces", deed=deed, who="ann"))
        h.advance("1s")
        handle = send.submit("acme")
        h.advance("5s")
        ended = h.find(handle)
        assert isinstance(ended, Ended) and ended.state is state
        assert ended.reason.startswith("struck by ann (") and ended.reason.endswith("bounces")


def test_a_struck_run_takes_no_permit_and_a_strike_ends_by_itself(app: Shike) -> None:
    begun: list[str] = []

    @app.task(name="send", limits=[Concurrency(1)])
    async def send(tenant: str) -> None:
        begun.append(tenant)

    with harness(app) as h:
        store = operate(h, app, app.client.store())
        until = h.now + timedelta(seconds=60)
        operate(h, app, strikes.add(store, "tenant=acme", "bounces", until=until))
        h.advance("1s")
        struck = send.submit("acme")
        h.advance("1s")
        send.submit("zeta")
        h.advance("20s")
        assert begun == ["zeta"]
        assert why_of(h, app, struck).startswith("struck by an operator")
        h.advance("60s")
        assert begun == ["zeta", "acme"]
