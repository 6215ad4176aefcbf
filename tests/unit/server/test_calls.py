"""Many runs are read together for speed: each means what it means alone, and is refused by the same words."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from shike.errors import BadInput
from shike.operate.accept import Tasks
from shike.server import calls as calls_module
from shike.server import reading
from shike.server.calls import call_of_run, calls_of_runs
from shike.server.roles import Access, Role
from shike.server.shapes import NewRun

WHO = Access(id="k", name="ada", role=Role.OPERATOR)
NOW = 1_800_000_000_000_000
PLAIN: list[dict[str, Any]] = [
    {"task": "resize", "arguments": {"width": 1}},
    {"task": "resize"},
    {"task": "resize", "arguments": {"width": 2}, "queue": "images", "priority": 0},
    {"task": "crop", "arguments": {"file": "a}[{.png"}},
]
SPECIAL: list[dict[str, Any]] = [
    {"task": "resize", "arguments": {"sizes": [1, {"deep": 2}]}},
    {"task": "resize", "key": "a"},
    {"task_id": "order-1", "description": "look at it", "tags": ["eu"]},
    {"task": "resize", "delay_seconds": 5},
    {"task": "resize", "timeout_seconds": 5, "retry": 3},
    {"task": "resize", "tags": ["gpu"], "owner": "ada"},
]


def runs(*given: dict[str, Any]) -> list[NewRun]:
    return reading.body(json.dumps(given).encode(), list[NewRun])


@pytest.mark.parametrize("given", [PLAIN, SPECIAL, [*PLAIN, *SPECIAL], [*SPECIAL, *PLAIN]])
@pytest.mark.parametrize("key", ["", "once"])
def test_a_run_of_many_is_the_call_that_it_is_alone(given: list[dict[str, Any]], key: str) -> None:
    tasks, sent = Tasks(None), runs(*given)
    alone = [call_of_run(WHO, tasks, run, "", f"{key}#{place}" if key else "", NOW) for place, run in enumerate(sent)]
    assert calls_of_runs(WHO, tasks, sent, key, NOW) == alone


def test_what_plain_runs_have_in_common_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    find = calls_module.call_of_work
    monkeypatch.setattr(calls_module, "call_of_work", lambda *words: looked.append(words) or find(*words))
    calls_of_runs(WHO, Tasks(None), runs(*[{"task": "resize", "arguments": {"n": n}} for n in range(50)]), "", NOW)
    assert len(looked) == 1


@pytest.mark.parametrize(
    "bad",
    [
        {"task": "resize", "arguments": [1]},
        {"task": "resize", "arguments": 5},
        {"task": "resize", "arguments": {"text": "x" * 2_000_000}},
        {"task": "no name\0"},
        {"task": "resize", "queue": "no queue\0"},
        {"task": ""},
    ],
)
@pytest.mark.parametrize("place", [0, 2])
def test_what_is_refused_alone_is_refused_among_others_by_its_place(bad: dict[str, Any], place: int) -> None:
    given = [*PLAIN]
    given.insert(place, bad)
    sent = runs(*given)
    with pytest.raises(BadInput) as alone:
        call_of_run(WHO, Tasks(None), sent[place], f"runs[{place}].", "", NOW)
    with pytest.raises(BadInput) as among:
        calls_of_runs(WHO, Tasks(None), sent, "", NOW)
    assert (str(among.value), among.value.field) == (str(alone.value), alone.value.field)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        ([], []),
        (['{"a":1}', "{}", "null", "[]", "[1,2]", '"x"'], [{"a": 1}, {}, None, [], [1, 2], "x"]),
        (['{"a":{}}'], None),
        (["[[1]]", "5"], None),
        (['{"a":"{"}'], None),
        (['{"a":"\\ud800"}'], None),
        (["[" * 50_000 + "]" * 50_000], None),
    ],
)
def test_values_are_read_together_where_nothing_in_them_is_nested(texts: list[str], values: Any) -> None:
    assert reading.flat_values([msgspec.Raw(text.encode()) for text in texts]) == values
