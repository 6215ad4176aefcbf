"""The JSON of R2.1: dependencies become graphs, tags and `assigned_to` become routes."""

from __future__ import annotations

from typing import Any

import pytest

from shike.ids.runs import BUCKET_BITS
from shike.model import Live
from shike.server.bounds import PLAN_RUNS_MAX
from shike.server.roles import Role
from shike.track.settle import options_of
from tests.api.house import House, Said, visit


def work(name: str, *after: str, **more: Any) -> dict[str, Any]:
    return {"task": "pay", "arguments": {"order": 1}, "task_id": name, "dependencies": list(after)} | more


async def bulk(house: House, *runs: dict[str, Any], **headers: str) -> Said:
    return await house.ask("POST", "/runs/bulk", {"runs": list(runs)}, role=Role.SCHEDULER, **headers)


async def state(house: House, run: str) -> str:
    return str((await house.ask("GET", f"/runs/{run}")).body["run"]["state"])


def test_runs_that_depend_on_each_other_are_a_graph_in_any_order() -> None:
    async def story(house: House) -> None:
        said = await bulk(house, work("c", "a", "b"), work("a"), work("alone"), work("b", "a"))
        assert said.status == 201 and [one["fresh"] for one in said.body["runs"]] == [True] * 4
        c, a, alone, b = [one["run"] for one in said.body["runs"]]
        assert int(a) + (1 << BUCKET_BITS) == int(b) and int(c) == int(b) + (1 << BUCKET_BITS)
        assert [await state(house, run) for run in (c, a, alone, b)] == ["WAITING", "PENDING", "PENDING", "WAITING"]
        async with house.app.running() as engine:
            await engine.until_idle()
        assert [await state(house, run) for run in (c, a, alone, b)] == ["SUCCESS"] * 4
        assert (await house.ask("GET", f"/runs/{alone}")).body["run"]["key"] == "alone"
        assert (await house.ask("GET", "/runs?key=b")).body["runs"][0]["id"] == b

    visit(story)


def test_the_same_request_again_stores_nothing_and_answers_the_same() -> None:
    async def story(house: House) -> None:
        runs = work("a"), work("b", "a"), work("c", "b")
        first, again = await bulk(house, *runs), await bulk(house, *runs)
        assert [one["run"] for one in again.body["runs"]] == [one["run"] for one in first.body["runs"]]
        assert [one["fresh"] for one in again.body["runs"]] == [False] * 3
        alone = await house.ask("POST", "/runs", work("b"))
        assert alone.status == 200 and alone.body == {"run": first.body["runs"][1]["run"], "fresh": False}
        other = await bulk(house, work("b"), work("x", "b"))
        assert other.status == 409 and first.body["runs"][0]["run"] in other.body["detail"]
        assert (await house.ask("GET", "/runs?key=x")).body["runs"] == []

    visit(story)


def test_what_is_done_before_may_be_depended_on_by_a_single_run() -> None:
    async def story(house: House) -> None:
        await house.ask("POST", "/runs", work("a"))
        await house.ask("POST", "/runs", work("bad", arguments={"order": -1}, retry=1))
        waits = await house.ask("POST", "/runs", work("b", "a"))
        assert waits.field == "dependencies[0]" and "not over yet" in waits.body["detail"]
        async with house.app.running() as engine:
            await engine.until_idle()
        assert (await house.ask("POST", "/runs", work("b", "a"))).status == 201
        failed = await house.ask("POST", "/runs", work("c", "a", "bad"))
        assert failed.field == "dependencies[1]" and "DEAD" in failed.body["detail"]

    visit(story)


@pytest.mark.parametrize(
    ("runs", "field", "words"),
    [
        ([work("a", "b"), work("b", "a")], "runs[0].dependencies", "a waits for b waits for a"),
        ([work("a", "a")], "runs[0].dependencies", "wait for each other"),
        ([work("a"), work("b", "a", "nobody")], "runs[1].dependencies[1]", "no work 'nobody'"),
        ([work("a"), work("a"), work("b", "a")], "runs[1].task_id", "twice"),
        ([work("a"), work("b", "a", arguments={"order": "x"})], "runs[1].arguments", "order"),
        ([work("a"), *[work(f"n{n}", "a") for n in range(PLAN_RUNS_MAX)]], "runs[0].dependencies", "POST"),
    ],
)  # fmt: skip
def test_dependencies_that_make_no_sense_are_told_by_their_field(
    runs: list[dict[str, Any]], field: str, words: str
) -> None:
    async def story(house: House) -> None:
        said = await bulk(house, *runs)
        assert (said.status, said.field) == (422, field) and words in said.body["detail"], said
        assert (await house.ask("GET", "/runs")).body["runs"] == []

    visit(story)


def test_an_idempotency_key_stands_for_runs_that_depend_on_each_other_too() -> None:
    async def story(house: House) -> None:
        runs = work("a"), {"task": "pay", "arguments": {"order": 2}, "dependencies": ["a"]}
        first = await bulk(house, *runs, idempotency_key="monday")
        again = await bulk(house, *runs, idempotency_key="monday")
        assert first.status == again.status == 201
        assert [one["run"] for one in again.body["runs"]] == [one["run"] for one in first.body["runs"]]
        assert not any(one["fresh"] for one in again.body["runs"])

    visit(story)


def test_tags_and_assigned_to_are_what_the_worker_must_have() -> None:
    async def story(house: House) -> None:
        run = await house.submit(tags=["gpu"], assigned_to="agent-3", task_id="cut")
        known = await house.store.find(int(run))
        assert isinstance(known, Live)
        route = options_of(known.run.options).route
        assert route is not None and route.required == ("gpu", "worker:agent-3")
        for sent, field in (
            ({"tags": ["two words"]}, "tags"), ({"assigned_to": "a" * 150}, "assigned_to"),
            ({"assigned_to": "a b"}, "assigned_to"), ({"tags": [""]}, "tags[0]"), ({"tags": ["x"] * 17}, "tags"),
        ):  # fmt: skip
            said = await house.ask("POST", "/runs", {"task": "pay", "arguments": {"order": 1}} | sent)
            assert (said.status, said.field) == (422, field), said

    visit(story)


def test_a_run_assigned_to_a_worker_in_another_language_goes_to_that_one() -> None:
    async def story(house: House) -> None:
        from shike.engine import Roles

        async with house.app.running(Roles(worker=False)):
            sessions = []
            for name, tags in (("one", []), ("two", ["gpu"])):
                opened = await house.ask("POST", "/worker/sessions", {"name": name}, role=Role.WORKER)
                sessions.append(opened.body["session"])
                beat = {
                    "number": 1, "received": 0, "holds": [], "queues": ["default"], "tasks": ["pay"], "slots": 5,
                    "tags": tags,
                }  # fmt: skip
                said = await house.ask("POST", f"/worker/sessions/{sessions[-1]}/beats", beat, role=Role.WORKER)
                assert said.status == 200, said
            meant = {await house.submit(assigned_to="one"): 0, await house.submit(tags=["gpu"]): 1}
            for run, place in meant.items():
                claim = {"number": 1, "tasks": ["pay"], "wait_seconds": 30}
                said = await house.ask("POST", f"/worker/sessions/{sessions[place]}/claims", claim, role=Role.WORKER)
                assert [one["run"] for one in said.body["runs"]] == [run]

    visit(story)
