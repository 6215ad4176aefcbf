"""Graphs over HTTP: named nodes, results that are handed on, states, approvals, and what is wrong with one (R2.14)."""

from __future__ import annotations

from typing import Any

import pytest

from shike.app import Shike
from shike.server.roles import Role
from shike.store.memory import MemoryStore
from tests.api.house import House, visit


def bakery() -> Shike:
    app = Shike(MemoryStore())

    @app.task(name="count")
    async def count(number: int) -> list[int]:
        return list(range(number))

    @app.task(name="total")
    async def total(parts: list[Any], note: str = "") -> str:
        return f"{sum(map(sum, parts))} {note}".strip()

    @app.task(name="check", queue="desk")
    async def check() -> str:
        return "yes"

    return app


def node(name: str, task: str = "check", **more: Any) -> dict[str, Any]:
    return {"name": name, "task": task} | more


GRAPH = [
    node("sum", "total", arguments={"parts": [{"$result": "three"}, {"$result": "two"}], "note": "loaves"}),
    node("two", "count", arguments={"number": 2}),
    node("three", "count", arguments={"number": 3}),
    node("ask", after=["sum"]),
    node("bake", when={"ask": "yes"}),
    node("throw away", when={"ask": "no"}),
]


def test_a_graph_hands_its_results_on_and_chooses_a_branch() -> None:
    async def story(house: House) -> None:
        nodes = [one | {"name": one["name"].replace(" ", "-")} for one in GRAPH]
        said = await house.ask("POST", "/graphs", {"nodes": nodes}, role=Role.SCHEDULER)
        assert said.status == 201 and said.headers["location"] == f"/api/v1/graphs/{said.body['graph']}"
        runs = said.body["runs"]
        before = await house.ask("GET", f"/graphs/{said.body['graph']}")
        assert before.body["states"] == {"PENDING": 2, "WAITING": 4} and before.body["is_over"] is False
        by_name = {one["name"]: one for one in before.body["nodes"]}
        assert set(by_name) == set(runs) and by_name["sum"]["run"] == runs["sum"]
        assert {tie["run"] for tie in by_name["sum"]["after"]} == {runs["two"], runs["three"]}
        assert by_name["bake"]["after"] == [{"run": runs["ask"], "on_parent": "skip", "when": "yes"}]
        async with house.app.running() as engine:
            await engine.until_idle()
        after = (await house.ask("GET", f"/graphs/{runs['bake']}", role=Role.SCHEDULER)).body
        assert {one["name"]: one["state"] for one in after["nodes"]} == {
            "two": "SUCCESS", "three": "SUCCESS", "sum": "SUCCESS", "ask": "SUCCESS", "bake": "SUCCESS",
            "throw-away": "SKIPPED",
        }  # fmt: skip
        assert after["is_over"] is True
        assert (await house.ask("GET", f"/runs/{runs['sum']}")).body["run"]["result"] == "4 loaves"

    visit(story, bakery())


def test_tasks_that_only_workers_know_take_results_too() -> None:
    async def story(house: House) -> None:
        nodes = [node("a", "far"), node("b", "away", arguments={"x": {"y": {"$result": "a"}}, "z": 1})]
        said = await house.ask("POST", "/graphs", {"nodes": nodes})
        known = await house.store.find(int(said.body["runs"]["b"]))
        assert known is not None and known.run.args == b'{"x":{"y":{"$":-1}},"z":1}'

    visit(story, bakery())


@pytest.mark.parametrize(
    ("nodes", "field", "words"),
    [
        ([node("a", after=["b"]), node("b", after=["a"])], "nodes[0].after", "a waits for b waits for a"),
        ([node("a", after=["a"])], "nodes[0].after", "wait for each other"),
        ([node("x"), node("a", after=["x", "b"])], "nodes[1].after[1]", "no node is called 'b'"),
        ([node("a", when={"b": "yes"})], "nodes[0].when.b", "no node"),
        ([node("x"), node("a", when={"x": "it's"})], "nodes[1].when.x", "quotes"),
        ([node("a", "total", arguments={"parts": {"$result": "b"}})], "nodes[0].arguments", "no node"),
        ([node("a", "total", arguments={"parts": {"$result": 7}})], "nodes[0].arguments", "no node"),
        ([node("x"), node("a", "total", arguments={"party": {"$result": "x"}})], "nodes[1].arguments", "missing"),
        ([node("a", "total", arguments={"parts": 7})], "nodes[0].arguments", "parts"),
        ([node("a"), node("a")], "nodes[1].name", "two nodes"),
        ([node("a", "")], "nodes[0].task", "name it"),
        ([node("a", "two words")], "nodes[0].task", "spaces"),
        ([node("a", priority=9)], "nodes[0].priority", "<= 7"),
        ([node("a", approval_seconds=0)], "nodes[0].approval_seconds", "> 0"),
        ([node("a", on_parent="shrug")], "nodes[0].on_parent", "shrug"),
        ([node("a", queue="a,b")], "nodes[0].queue", "queue"),
        ([], "nodes", "length >= 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_graph_is_told_by_its_field(nodes: list[Any], field: str, words: str) -> None:
    async def story(house: House) -> None:
        said = await house.ask("POST", "/graphs", {"nodes": nodes})
        assert (said.status, said.field) == (422, field) and words in said.body["detail"], said
        assert (await house.ask("GET", "/runs")).body["runs"] == []

    visit(story, bakery())


def test_a_graph_with_a_key_is_stored_once() -> None:
    async def story(house: House) -> None:
        sent = {"nodes": [node("a"), node("b", after=["a"])], "key": "monday"}
        first, again = await house.ask("POST", "/graphs", sent), await house.ask("POST", "/graphs", sent)
        assert (first.status, again.status) == (201, 200)
        assert again.body == first.body | {"fresh": False}
        other = await house.ask("POST", "/graphs", sent | {"nodes": [node("a")]})
        assert other.status == 409
        header = [await house.ask("POST", "/graphs", {"nodes": [node("a")]}, idempotency_key="x") for _ in range(2)]
        assert [one.body["fresh"] for one in header] == [True, False]
        assert len((await house.ask("GET", "/runs")).body["runs"]) == 3

    visit(story, bakery())


def test_many_nodes_under_one_key_and_page_by_page() -> None:
    async def story(house: House) -> None:
        nodes = [node("first"), *[node(f"n{n}", after=["first"]) for n in range(450)]]
        first = await house.ask("POST", "/graphs", {"nodes": nodes, "key": "many"})
        assert first.status == 201 and len(first.body["runs"]) == 451
        seen, cursor = [], "0"
        while cursor:
            page = (await house.ask("GET", f"/graphs/{first.body['graph']}?limit=200&cursor={cursor}")).body
            seen += [one["name"] for one in page["nodes"]]
            cursor = page.get("next", "")
        assert seen == [one["name"] for one in nodes]

    visit(story, bakery())


def test_a_graph_is_taken_back_as_a_whole() -> None:
    async def story(house: House) -> None:
        said = await house.ask("POST", "/graphs", {"nodes": [node("a"), node("b", after=["a"])]})
        path = f"/graphs/{said.body['runs']['b']}/cancel"
        assert (await house.ask("POST", path, {"reason": "rain"}, role=Role.OPERATOR)).body["cancelled"] == 2
        facts = (await house.ask("GET", f"/graphs/{said.body['graph']}")).body
        assert facts["states"] == {"CANCELLED": 2} and facts["nodes"][0]["reason"] == "rain"
        alone = (await house.ask("POST", "/runs", {"task": "check"})).body["run"]
        assert (await house.ask("GET", f"/graphs/{alone}")).status == 409
        assert (await house.ask("GET", "/graphs/77")).status == 404

    visit(story, bakery())


def test_what_waits_for_a_person_is_shown_approved_once_and_for_what_was_looked_at() -> None:
    async def story(house: House) -> None:
        nodes = [node("a"), node("b", after=["a"], approval_seconds=600), node("c", approval_seconds=600)]
        runs = (await house.ask("POST", "/graphs", {"nodes": nodes})).body["runs"]
        async with house.app.running() as engine:
            await engine.until_idle()
            listed = (await house.ask("GET", "/approvals")).body["requests"]
            assert {one["run"] for one in listed} == {runs["b"], runs["c"]}
            told = (await house.ask("GET", f"/graphs/{runs['a']}")).body["nodes"]
            assert [bool(one.get("approval_until")) for one in told] == [False, True, True]
            request = (await house.ask("GET", f"/runs/{runs['b']}/approval")).body
            approve = f"/runs/{runs['b']}/approve"
            assert (await house.ask("POST", approve, {"digest": "another"})).status == 409
            said = await house.ask("POST", approve, {"digest": request["digest"]}, role=Role.OPERATOR)
            assert said.body == {"run": runs["b"], "granted": True}
            again = await house.ask("POST", approve, {"digest": request["digest"]})
            assert again.status == 409 and "operator" in again.body["detail"]
            assert again.body["type"].endswith("approval")
            other = (await house.ask("GET", f"/runs/{runs['c']}/approval")).body["digest"]
            assert (await house.ask("POST", f"/runs/{runs['c']}/refuse", {"digest": other})).body["granted"] is False
            assert (await house.ask("GET", f"/runs/{runs['a']}/approval")).status == 409
            await engine.until_idle()
        states = {one["name"]: one["state"] for one in (await house.ask("GET", f"/graphs/{runs['a']}")).body["nodes"]}
        assert states == {"a": "SUCCESS", "b": "SUCCESS", "c": "CANCELLED"}

    visit(story, bakery())


def test_a_key_of_some_queues_sees_and_takes_back_only_its_own() -> None:
    async def story(house: House) -> None:
        desk = await house.key(Role.OPERATOR, queues=("desk",))
        mixed = {"nodes": [node("a"), node("b", "count", arguments={"number": 1}, after=["a"])]}
        assert (await house.ask("POST", "/graphs", mixed, key=desk)).status == 403
        graph = (await house.ask("POST", "/graphs", mixed)).body["graph"]
        seen = await house.ask("GET", f"/graphs/{graph}", key=desk)
        assert [one["name"] for one in seen.body["nodes"]] == ["a"]
        assert (await house.ask("POST", f"/graphs/{graph}/cancel", {}, key=desk)).status == 404
        mine = (await house.ask("POST", "/graphs", {"nodes": [node("a", approval_seconds=60)]}, key=desk)).body["graph"]
        theirs = {"nodes": [node("b", "count", arguments={"number": 1}, approval_seconds=60)]}
        other = (await house.ask("POST", "/graphs", theirs)).body["graph"]
        assert [one["run"] for one in (await house.ask("GET", "/approvals", key=desk)).body["requests"]] == [mine]
        assert (await house.ask("GET", f"/graphs/{other}", key=desk)).status == 404
        assert (await house.ask("GET", f"/runs/{other}/approval", key=desk)).status == 404

    visit(story, bakery())
