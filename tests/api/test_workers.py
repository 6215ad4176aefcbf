"""Workers in any language (R3.14): the verbs of our own, under the same promises."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace

from shike.connect import Outlet, to_table
from shike.model import Ended, Live, SessionState, State
from shike.scheduler.rescue import Rescuer
from shike.server.grants import Grants
from shike.server.roles import Role
from shike.session import Member
from shike.store.base import RunFilter
from shike.store.verbs import Answer, Move
from tests.api.house import House, Said, shop, visit


class Hand:
    """A worker on the other side of the wire."""

    def __init__(self, house: House, session: str, key: str) -> None:
        self._house = house
        self.session = session
        self.key = key
        self.home = f"/worker/sessions/{session}"
        self.number = 0
        self.beats = 0

    async def claim(self, count: int = 10, *, tasks: tuple[str, ...] = ("resize",), **more: Any) -> Said:
        self.number += 1
        wanted = {"number": self.number, "tasks": list(tasks), "queues": [{"queue": "default", "count": count}]}
        return await self._house.ask("POST", f"{self.home}/claims", wanted | more, key=self.key)

    async def beat(self, holds: list[int], **more: Any) -> Said:
        self.beats += 1
        sent = {"number": self.beats, "received": self.number, "holds": holds}
        return await self._house.ask("POST", f"{self.home}/beats", sent | more, key=self.key)

    async def ack(self, *acks: dict[str, Any]) -> Said:
        return await self._house.ask("POST", f"{self.home}/acks", {"acks": list(acks)}, key=self.key)


async def hand(house: House, *, name: str = "w", queues: tuple[str, ...] = (), lease: float = 30.0) -> Hand:
    key = await house.key(Role.WORKER, queues=queues, name=name)
    said = await house.ask("POST", "/worker/sessions", {"name": name, "lease_seconds": lease}, key=key)
    assert said.status == 201, said
    return Hand(house, said.body["session"], key)


def named(run: dict[str, Any], outcome: str = "ok", **more: Any) -> dict[str, Any]:
    return {"run": run["run"], "token": run["token"], "outcome": outcome, **more}


async def resize(house: House, count: int = 1, **more: Any) -> list[str]:
    return [await house.submit(task="resize", arguments={"n": n}, **more) for n in range(count)]


async def state(house: House, run: str) -> State:
    known = await house.store.find(int(run))
    assert known is not None
    return known.state


def test_a_run_is_claimed_worked_on_and_acknowledged() -> None:
    async def story(house: House) -> None:
        (run,) = await resize(house)
        worker = await hand(house)
        (granted,) = (await worker.claim()).body["runs"]
        assert granted["run"] == run and granted["arguments"] == {"n": 0} and granted["attempt"] == 1
        report = {"run": run, "token": granted["token"], "value": 0.5, "log": ["half"]}
        beat = await worker.beat([granted["token"]], tasks=["resize"], queues=["default"], progress=[report])
        assert beat.body["cancels"] == []
        shown = (await house.ask("GET", f"/runs/{run}")).body["run"]
        assert (shown["state"], shown["progress"]) == ("RUNNING", {"value": 0.5, "log": ["half"]})
        assert (await house.ask("GET", "/workers")).body["workers"][0]["tasks"] == ["resize"]
        said = await worker.ack(named(granted, result={"size": 3}, seconds=0.25))
        assert said.body == {"answers": ["accepted"]}
        over = (await house.ask("GET", f"/runs/{run}")).body["run"]
        assert (over["state"], over["result"]) == ("SUCCESS", {"size": 3})
        assert (await house.ask("DELETE", worker.home, key=worker.key)).status == 204
        assert (await worker.claim()).status == 410

    visit(story)


def test_a_success_that_is_reported_over_http_is_told_by_the_outlets_of_the_servers_app() -> None:
    async def story(house: House) -> None:
        (run, other) = await resize(house, 2)
        worker = await hand(house)
        granted = (await worker.claim()).body["runs"]
        await worker.ack(named(granted[0]), named(granted[1], "cancelled"))
        (teller,) = await house.store.runs(RunFilter(task="shike.outlet.sizes"))
        assert json.loads(teller.run.args) == {"run_id": run}, "other ends are told by a scheduler"
        assert await state(house, other) is State.CANCELLED

    app = shop()

    @app.task(name="resize")
    async def resize_here(n: int) -> None: ...

    Outlet(app, "sizes", to_table("sqlite:///told.db", "sizes"), [resize_here])
    visit(story, app)


def test_an_acknowledgement_is_compared_with_its_lease() -> None:
    """P3: one accepted success; a repeat is told, a late one is refused."""

    async def story(house: House) -> None:
        await resize(house, 3)
        worker, other = await hand(house), await hand(house, name="o")
        mine = (await worker.claim()).body["runs"]
        assert (await other.ack(*map(named, mine))).body["answers"] == ["refused"] * 3
        assert (await worker.ack(named(mine[0]) | {"token": mine[0]["token"] + 1})).body["answers"] == ["refused"]
        assert (await worker.ack(named(mine[0]))).body["answers"] == ["accepted"]
        assert (await worker.ack(named(mine[0]))).body["answers"] == ["already"]
        assert (await worker.ack({"run": "77", "token": 1, "outcome": "ok"})).body["answers"] == ["unknown"]
        assert (await worker.ack(named(mine[1]), named(mine[0]), named(mine[2]))).body["answers"] == [
            "accepted", "already", "accepted",
        ]  # fmt: skip

    visit(story)


def test_an_acknowledgement_is_taken_by_a_server_that_did_not_grant_the_run() -> None:
    async def story(house: House) -> None:
        (run,) = await resize(house, retry=3)
        worker = await hand(house)
        (granted,) = (await worker.claim()).body["runs"]
        house.desk.grants = Grants()  # as after a restart, or behind a load balancer
        assert (await worker.ack(named(granted, "failed", error="no disk", log="df: full"))).body["answers"] == [
            "accepted"
        ]
        assert await state(house, run) is State.FAILED
        (attempt,) = await house.store.attempts(int(run))
        assert (attempt.error, attempt.traceback) == ("no disk", "df: full")

    visit(story)


@pytest.mark.parametrize(
    ("outcome", "more", "becomes", "attempts"),
    [
        ("ok", {}, State.SUCCESS, 1),
        ("failed", {}, State.FAILED, 1),
        ("retry", {"delay_seconds": 60}, State.FAILED, 1),
        ("snooze", {"delay_seconds": 60}, State.SCHEDULED, 0),
        ("cancelled", {}, State.CANCELLED, 1),
        ("release", {}, State.SCHEDULED, 0),
    ],
)
def test_each_outcome_means_what_it_means_to_our_own_workers(
    outcome: str, more: dict[str, Any], becomes: State, attempts: int
) -> None:
    async def story(house: House) -> None:
        (run,) = await resize(house, retry=2)
        worker = await hand(house)
        (granted,) = (await worker.claim()).body["runs"]
        assert (await worker.ack(named(granted, outcome, **more))).body["answers"] == ["accepted"]
        known = await house.store.find(int(run))
        assert known is not None and (known.state, known.attempts) == (becomes, attempts)

    visit(story)


def test_after_its_last_attempt_a_run_is_a_dead_letter() -> None:
    async def story(house: House) -> None:
        runs = await resize(house, 2)
        worker = await hand(house)
        granted = (await worker.claim()).body["runs"]
        await worker.ack(named(granted[0], "failed", error="no"), named(granted[1], "retry"))
        assert [await state(house, run) for run in runs] == [State.DEAD, State.DEAD]

    visit(story)


def test_the_same_number_brings_the_same_batch_and_a_higher_one_the_next() -> None:
    async def story(house: House) -> None:
        await resize(house, 4)
        worker = await hand(house)
        first = (await worker.claim(2)).body
        worker.number -= 1
        assert (await worker.claim(2)).body["runs"] == first["runs"], "its answer was lost"
        second = (await worker.claim(2)).body["runs"]
        assert {one["run"] for one in second}.isdisjoint(one["run"] for one in first["runs"]) and len(second) == 2
        empty = await worker.claim(2)
        (later,) = await resize(house)
        assert empty.body["runs"] == [] and [one["run"] for one in (await worker.claim(2)).body["runs"]] == [later]

    visit(story)


def test_what_a_beat_does_not_name_is_given_back() -> None:
    async def story(house: House) -> None:
        (run,) = await resize(house)
        worker = await hand(house)
        (granted,) = (await worker.claim()).body["runs"]
        await worker.beat([])
        assert await state(house, run) is State.SCHEDULED
        assert (await worker.ack(named(granted))).body["answers"] == ["refused"]

    visit(story)


def test_what_a_router_gave_to_a_worker_elsewhere_is_its_own() -> None:
    async def story(house: House) -> None:
        (run,) = await resize(house)
        worker, other = await hand(house), await hand(house, name="o")
        move = Move(run_id=int(run), version=0, to=State.ASSIGNED, worker=worker.session)
        assert await house.store.move([move]) == [Answer.ACCEPTED]
        assert (await other.claim()).body["runs"] == []
        (granted,) = (await worker.claim()).body["runs"]
        assert granted["run"] == run and granted["queue"] == "default"
        worker.number -= 1
        assert (await worker.claim()).body["runs"] == [granted], "its answer was lost"
        assert (await worker.ack(named(granted))).body["answers"] == ["accepted"]

    visit(story)


def test_who_was_asked_to_stop_hears_it_with_a_beat() -> None:
    async def story(house: House) -> None:
        (run,) = await resize(house)
        worker = await hand(house)
        (granted,) = (await worker.claim()).body["runs"]
        assert (await house.ask("POST", f"/runs/{run}/cancel", {})).body["answer"] == "asked"
        beat = await worker.beat([granted["token"]])
        assert beat.body["cancels"] == [{"run": run, "token": granted["token"]}]

    visit(story)


def test_a_claim_waits_for_work_and_comes_back_as_soon_as_there_is_some() -> None:
    async def story(house: House) -> None:
        worker = await hand(house)
        waiting = asyncio.create_task(worker.claim(wait_seconds=30))
        while not house.desk.waiters:
            await asyncio.sleep(0)
        (run,) = await resize(house)
        assert [one["run"] for one in (await waiting).body["runs"]] == [run]
        assert house.desk.waiters == 0 and (await worker.claim(wait_seconds=0.01)).body["runs"] == []

    visit(story)


def test_a_run_that_is_too_late_is_not_handed_out() -> None:
    async def story(house: House) -> None:
        (run,) = await resize(house, expires_seconds=0.001)
        await asyncio.sleep(0.005)
        worker = await hand(house)
        assert (await worker.claim()).body["runs"] == []
        assert await state(house, run) is State.SKIPPED
        (fresh,) = await resize(house)
        assert [one["run"] for one in (await worker.claim()).body["runs"]] == [fresh]

    visit(story)


def test_a_worker_that_slept_past_its_lease_and_wakes_is_refused() -> None:
    """P3, with a session that others closed and freed, as a rescuer does."""

    async def story(house: House) -> None:
        (run,) = await resize(house)
        sleeper, other = await hand(house), await hand(house, name="o")
        (granted,) = (await sleeper.claim()).body["runs"]
        await house.store.close_session(sleeper.session, seen_beat=None, reason="no beat for a whole lease")
        await house.store.free(sleeper.session, 10)
        (again,) = (await other.claim()).body["runs"]
        assert again["run"] == run and again["token"] > granted["token"] and again["attempt"] == granted["attempt"]
        assert (await sleeper.ack(named(granted))).body["answers"] == ["refused"]
        gone = await sleeper.beat([granted["token"]])
        assert gone.status == 410 and gone.body["type"].endswith("session-closed")
        assert (await sleeper.claim()).status == 410
        assert (await other.ack(named(again))).body["answers"] == ["accepted"]
        assert (await sleeper.ack(named(granted))).body["answers"] == ["refused"]

    visit(story)


def test_a_session_is_of_the_key_that_opened_it() -> None:
    async def story(house: House) -> None:
        worker = await hand(house)
        stranger = await house.key(Role.WORKER, name="stranger")
        for verb, path, body in (
            ("POST", "/claims", {"number": 1, "tasks": ["resize"]}),
            ("POST", "/beats", {"number": 1, "received": 0, "holds": []}),
            ("POST", "/acks", {"acks": [{"run": "7", "token": 1, "outcome": "ok"}]}),
            ("DELETE", "", None),
        ):
            assert (await house.ask(verb, f"{worker.home}{path}", body, key=stranger)).status == 404, path
        async with house.app.running() as engine:
            assert engine.member.session is not None
            ours = f"/worker/sessions/{engine.member.session.id}"
            assert (await house.ask("DELETE", ours, key=worker.key)).status == 404

    visit(story)


def test_a_worker_of_one_queue_gets_nothing_of_others() -> None:
    async def story(house: House) -> None:
        await resize(house)
        worker = await hand(house, queues=("images",))
        assert (await worker.claim()).status == 403
        assert (await worker.claim(queues=[{"queue": "images"}])).body["runs"] == []

    visit(story)


def test_a_worker_that_died_is_missed_though_its_server_lives(tmp_path: Any) -> None:
    """The server's own process proves nothing of a worker elsewhere: only its beats do."""

    async def story(house: House) -> None:
        (run,) = await resize(house)
        worker = await hand(house, lease=5.0)
        (granted,) = (await worker.claim()).body["runs"]
        assert not house.store.is_alive(worker.session) and not house.store.is_gone(worker.session)
        now = await house.store.now()
        (session,) = [one for one in await house.store.sessions() if one.id == worker.session]
        assert session.pid == 0 and session.state is SessionState.OPEN and session.expires_at > now
        member = Member(house.store, house.app.runtime, kind="node")
        late = replace(session, expires_at=now - 1)
        rescuer = Rescuer(house.store, member, house.app.runtime.clock, 0.0)
        rescuer._seen[session.id] = (session.beat, -1e9)
        assert rescuer._is_dead(late, now)
        assert isinstance(await house.store.find(int(run)), Live) and granted["token"]

    from tests.api.house import shop

    visit(story, shop(f"sqlite:///{tmp_path / 'shike.db'}"))


def test_a_fixed_delay_goes_on_with_its_arguments_after_a_worker_elsewhere() -> None:
    async def story(house: House) -> None:
        every = {"task": "resize", "arguments": {"n": 7}, "delay": 0.5}
        assert (await house.ask("PUT", "/schedules/default/again", every)).status == 201
        from shike.engine import Roles

        async with house.app.running(Roles(worker=False)):
            worker = await hand(house)
            for _ in range(3):
                (granted,) = (await worker.claim(wait_seconds=20)).body["runs"]
                assert granted["arguments"] == {"n": 7}
                assert (await worker.ack(named(granted))).body["answers"] == ["accepted"]

    visit(story)


BAD = [
    ("claims", {"number": 0, "tasks": ["a"]}, "number"),
    ("claims", {"number": 1, "tasks": []}, "tasks"),
    ("claims", {"number": 1}, "tasks"),
    ("claims", {"number": 1 << 63, "tasks": ["a"]}, "number"),
    ("claims", {"number": 1, "tasks": ["a"], "wait_seconds": 31}, "wait_seconds"),
    ("claims", {"number": 1, "tasks": ["a"], "queues": [{"queue": "default"}, {"queue": "a:b"}]}, "queues[1].queue"),
    ("claims", {"number": 1, "tasks": ["a"], "queues": [{"queue": "default", "count": 1001}]}, "queues[0].count"),
    ("beats", {"number": 1, "received": 0, "holds": [0]}, "holds[0]"),
    ("beats", {"number": 1, "received": 0, "holds": [], "lease_seconds": 1e9}, "lease_seconds"),
    ("acks", {"acks": []}, "acks"),
    ("acks", {"acks": [{"run": "7", "token": 1, "outcome": "fine"}]}, "acks[0].outcome"),
    ("acks", {"acks": [{"run": 7, "token": 1, "outcome": "ok"}]}, "acks[0].run"),
    ("acks", {"acks": [{"run": "7", "token": 1, "outcome": "ok", "result": "x" * 70_000}]}, "acks[0].result"),
    ("acks", {"acks": [{"run": "7", "token": 1, "outcome": "ok", "more": 1}]}, "acks[0].more"),
]


@pytest.mark.parametrize(("verb", "body", "field"), BAD, ids=[f"{verb}-{field}" for verb, _, field in BAD])
def test_what_a_worker_cannot_mean_is_refused_with_its_field(verb: str, body: dict[str, Any], field: str) -> None:
    async def story(house: House) -> None:
        worker = await hand(house)
        said = await house.ask("POST", f"{worker.home}/{verb}", body, key=worker.key)
        assert said.status == 422 and said.field == field, said

    visit(story)


def test_of_acknowledgements_with_a_bad_one_among_them_none_is_taken() -> None:
    async def story(house: House) -> None:
        (run,) = await resize(house)
        worker = await hand(house)
        (granted,) = (await worker.claim()).body["runs"]
        deep: Any = 1
        for _ in range(70):
            deep = [deep]
        said = await worker.ack(named(granted), named(granted, result=deep))
        assert said.status == 422 and said.field == "acks[1].result"
        assert await state(house, run) is State.RUNNING
        assert not isinstance(await house.store.find(int(run)), Ended)

    visit(story)
