"""Runs over HTTP (R0.1, R2.1): taken, found, changed; what cannot be is refused, with the field."""

from __future__ import annotations

from typing import Any

import pytest

from shike.server.roles import Role
from tests.api.house import House, visit


def test_a_run_is_taken_found_and_worked_on() -> None:
    async def story(house: House) -> None:
        said = await house.ask("POST", "/runs", {"task": "pay", "arguments": {"order": 7}, "priority": 1})
        assert said.status == 201 and said.body["fresh"] is True
        assert said.headers["location"] == f"/api/v1/runs/{said.body['run']}"
        async with house.app.running():
            shown = await house.ask("GET", f"/runs/{said.body['run']}?wait_seconds=10")
        assert (shown.body["run"]["state"], shown.body["run"]["result"]) == ("SUCCESS", "7")
        assert shown.body["run"]["band"] == 1
        assert [step["what"] for step in shown.body["timeline"]][-1] == "success"

    visit(story)


def test_a_task_of_another_language_is_taken_by_its_name() -> None:
    async def story(house: House) -> None:
        run = await house.submit(task="resize", arguments={"file": "a.png"})
        shown = await house.ask("GET", f"/runs/{run}")
        assert shown.body["run"]["arguments"] == {"file": "a.png"}

    visit(story)


def test_the_json_of_an_agents_task_is_taken_once() -> None:
    """R2.1: task_id, description, priority, dependencies, tags, assigned_to."""

    async def story(house: House) -> None:
        task = {
            "task_id": "clean-17",
            "description": "clean the data",
            "priority": 2,
            "dependencies": [],
            "tags": ["gpu"],
        }
        first = await house.ask("POST", "/runs", task)
        again = await house.ask("POST", "/runs", task)
        assert (first.status, again.status) == (201, 200)
        assert again.body == {"run": first.body["run"], "fresh": False}
        shown = (await house.ask("GET", f"/runs/{first.body['run']}")).body["run"]
        assert shown["task"] == "task" and shown["key"] == "clean-17"
        assert shown["arguments"] == {"task_id": "clean-17", "description": "clean the data", "tags": ["gpu"]}

    visit(story)


BAD_RUNS: list[tuple[dict[str, Any], str]] = [
    ({}, "task"),
    ({"task": "pay", "arguments": {"order": "seven"}}, "arguments"),
    ({"task": "pay", "arguments": {"orders": 7}}, "arguments"),
    ({"task": "pay", "arguments": []}, "arguments"),
    ({"task": "pay"}, "arguments"),
    ({"task": "pay", "priority": 8}, "priority"),
    ({"task": "pay", "priority": "high"}, "priority"),
    ({"task": "pay", "prioritty": 1}, "prioritty"),
    ({"task": 5}, "task"),
    ({"task": "pay you"}, "task"),
    ({"task": "resize", "queue": "a:b"}, "queue"),
    ({"task": "resize", "due_at": "tomorrow"}, "due_at"),
    ({"task": "resize", "due_at": "2020-01-01T00:00:00Z"}, "due_at"),
    ({"task": "resize", "due_at": "2030-01-01T00:00:00"}, "due_at"),
    ({"task": "resize", "due_at": "2130-01-01T00:00:00Z", "delay_seconds": 5}, "delay_seconds"),
    ({"task": "resize", "delay_seconds": -1}, "delay_seconds"),
    ({"task": "resize", "key": "k", "key_seconds": 0}, "key_seconds"),
    ({"task": "resize", "retry": 0}, "retry"),
    ({"task": "resize", "retry": {"attempts": 1000}}, "retry"),
    ({"task": "resize", "owner": "x" * 201}, "owner"),
    ({"task_id": "a", "key": "b"}, "key"),
    ({"task_id": "a", "arguments": {}}, "arguments"),
]


@pytest.mark.parametrize(("run", "field"), BAD_RUNS, ids=[f"{field}-{n}" for n, (_, field) in enumerate(BAD_RUNS)])
def test_what_cannot_be_taken_is_refused_with_its_field_and_nothing_is_stored(run: dict[str, Any], field: str) -> None:
    async def story(house: House) -> None:
        said = await house.ask("POST", "/runs", run)
        assert said.status == 422 and said.field == field, said
        assert said.headers["content-type"] == "application/problem+json" and said.body["detail"]
        bulk = await house.ask("POST", "/runs/bulk", {"runs": [{"task": "resize"}, run]})
        assert bulk.status == 422 and bulk.field == f"runs[1].{field}", bulk
        assert (await house.store.counts()).by_queue == {}

    visit(story)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 100_000, 422),
        (b'{"task":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 422),
        (b'{"task":"a","arguments":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        (b'{"task":"a","arguments":' + b'{"a":' * 70 + b"1" + b"}" * 71, 422),
        (b'{"task":"a","arguments":{"a":NaN}}', 400),
        (b'{"task":"a","arguments":{"a":1e999}}', 422),
        (b'{"task":"a","arguments":{"a":"\\ud800"}}', 400),
        (b'{"task":"a","delay_seconds":NaN}', 400),
        (b'{"task":"a","delay_seconds":Infinity}', 400),
        (b'{"task":"\\u0000"}', 422),
        (b'{"task":"a","arguments":{"a":"' + b"x" * 70_000 + b'"}}', 422),
        (b'{"task":"a","arguments":{"a":"' + b"x" * 1_100_000 + b'"}}', 413),
        (b"null", 422),
        (b"[]", 422),
        (b'"task"', 422),
    ],
)
def test_bytes_that_are_no_run_are_a_4xx_and_nothing_is_stored(raw: bytes, status: int) -> None:
    async def story(house: House) -> None:
        said = await house.ask("POST", "/runs", raw=raw)
        assert said.status == status, said
        assert (await house.store.counts()).by_queue == {}

    visit(story)


def test_an_idempotency_key_takes_a_run_once_and_is_not_used_for_another() -> None:
    async def story(house: House) -> None:
        run = {"task": "pay", "arguments": {"order": 7}}
        first = await house.ask("POST", "/runs", run, idempotency_key="a1")
        again = await house.ask("POST", "/runs", run, idempotency_key="a1")
        other = await house.ask("POST", "/runs", run | {"arguments": {"order": 8}}, idempotency_key="a1")
        theirs = await house.ask("POST", "/runs", run, idempotency_key="a1", role=Role.OPERATOR)
        assert (first.status, again.status, other.status, theirs.status) == (201, 200, 409, 201)
        assert first.body["run"] == again.body["run"] != theirs.body["run"]
        assert (await house.store.counts()).by_queue == {"default": 2}

    visit(story)


def test_a_bulk_is_taken_as_a_whole_and_once() -> None:
    async def story(house: House) -> None:
        runs = {"runs": [{"task": "pay", "arguments": {"order": n}} for n in range(100)]}
        first = await house.ask("POST", "/runs/bulk", runs, idempotency_key="b")
        again = await house.ask("POST", "/runs/bulk", runs, idempotency_key="b")
        assert len({one["run"] for one in first.body["runs"]}) == 100
        assert [one["run"] for one in again.body["runs"]] == [one["run"] for one in first.body["runs"]]
        assert not any(one["fresh"] for one in again.body["runs"])
        assert (await house.ask("POST", "/runs/bulk", {"runs": []})).field == "runs"
        assert (await house.ask("POST", "/runs/bulk", {"runs": [{"task": "a"}] * 1_001})).field == "runs"

    visit(story)


def test_lists_come_in_pages() -> None:
    async def story(house: House) -> None:
        made = [await house.submit() for _ in range(5)]
        found, cursor = [], ""
        while True:
            page = await house.ask("GET", f"/runs?limit=2&cursor={cursor}")
            found += [run["id"] for run in page.body["runs"]]
            cursor = page.body["next"]
            if not cursor:
                break
        assert found == sorted(made, key=int, reverse=True)
        assert (await house.ask("GET", "/runs?state=pending&task=pay&queue=default")).body["runs"]
        assert (await house.ask("GET", "/runs?queue=mail")).body["runs"] == []

    visit(story)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"), ("limit=501", "limit"), ("limit=many", "limit"), ("state=happy", "state"),
        ("cursor=x", "cursor"), ("cursor=99999999999999999999", "cursor"), ("colour=red", "colour"),
        ("limit=1&limit=2", "limit"), ("ahead=perhaps", "ahead"),
    ],
)  # fmt: skip
def test_a_query_that_cannot_be_used_is_refused_with_its_field(query: str, field: str) -> None:
    async def story(house: House) -> None:
        said = await house.ask("GET", f"/runs?{query}")
        assert said.status == 422 and said.field == field, said

    visit(story)


def test_a_change_compares_the_version_that_was_seen() -> None:
    async def story(house: House) -> None:
        run = await house.submit(delay_seconds=600)
        etag = (await house.ask("GET", f"/runs/{run}")).headers["etag"]
        assert (await house.ask("GET", f"/runs/{run}", if_none_match=etag)).status == 304
        first = await house.ask("PATCH", f"/runs/{run}", {"priority": 0}, if_match=etag)
        late = await house.ask("PATCH", f"/runs/{run}", {"priority": 5}, if_match=etag)
        assert (first.status, late.status) == (200, 412)
        assert late.body["etag"] == (await house.ask("GET", f"/runs/{run}")).headers["etag"] != etag
        assert (await house.ask("GET", f"/runs/{run}")).body["run"]["band"] == 0
        assert (await house.ask("POST", f"/runs/{run}/cancel", {"reason": "late"}, if_match=etag)).status == 412
        assert (await house.ask("PATCH", f"/runs/{run}", {})).field == "run_at"
        assert (await house.ask("PATCH", f"/runs/{run}", {"priority": 1}, if_match="x")).status in (412, 422)

    visit(story)


def test_a_run_is_cancelled_once_and_retried_as_a_new_one() -> None:
    async def story(house: House) -> None:
        run = await house.submit(delay_seconds=600)
        assert (await house.ask("POST", f"/runs/{run}/cancel", {"reason": "no"})).body["answer"] == "accepted"
        again = await house.ask("POST", f"/runs/{run}/cancel")
        assert again.status == 409 and "over" in again.body["detail"]
        retried = await house.ask("POST", f"/runs/{run}/retry")
        assert retried.status == 200 and retried.body["run"] != run

    visit(story)


@pytest.mark.parametrize("run", ["0", "7", "x", "-1", "9223372036854775808", "1" * 40, "%00", "%2e%2e"])
def test_a_run_that_is_not_there_is_a_4xx(run: str) -> None:
    async def story(house: House) -> None:
        for verb, path, body in (("GET", "", None), ("PATCH", "", {"priority": 1}), ("POST", "/cancel", {}),
                                 ("POST", "/retry", None), ("GET", "/events", None)):  # fmt: skip
            said = await house.ask(verb, f"/runs/{run}{path}", body)
            assert said.status in (404, 422), (verb, path, said)

    visit(story)


def test_secrets_in_arguments_are_not_shown() -> None:
    async def story(house: House) -> None:
        run = await house.submit(
            task="call", arguments={"url": "u", "api_key": "s3cret", "deep": [{"Password": "s3cret"}]}
        )
        assert "s3cret" not in str((await house.ask("GET", f"/runs/{run}")).body)
        assert (await house.ask("GET", f"/runs/{run}")).body["run"]["arguments"]["url"] == "u"

    visit(story)
