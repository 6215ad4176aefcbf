"""Graphs at the command line: why a run waits, what waits for approval, and the end of a whole graph (R2.14)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Shell

PLAN = """
from shike import Shike

app = Shike("sqlite:///plan.db?synchronous=normal")

@app.task(name="count")
async def count(number: int) -> int:
    return number

def plan():
    graph = app.graph()
    first = graph.add(count.bind(7))
    second = graph.add(count.bind(first.result), approval="1d")
    graph.add(count.bind(second.result))
    return [node.handle.id for node in graph.submit().nodes]
"""


@pytest.fixture
def ids(folder: Path) -> list[str]:
    (folder / "plan.py").write_text(PLAN, encoding="utf-8")
    words: dict[str, object] = {"__name__": "plan_of_the_test"}
    exec(compile(PLAN, "plan.py", "exec"), words)  # noqa: S102 - it is our own text
    stored: list[str] = words["plan"]()  # type: ignore[operator]
    words["app"].client.close_sync()  # type: ignore[attr-defined]
    return stored


def test_it_is_told_why_a_run_waits(shell: Shell, ids: list[str]) -> None:
    shown = shell("runs", "show", ids[1], "--app", "plan.py")
    assert f"waits for 1 of 1 parents: {ids[0]} (count) PENDING" in " ".join(shown.out.split())


def test_what_waits_for_approval_is_shown_and_approved_once(shell: Shell, ids: list[str]) -> None:
    assert shell("approvals", "list", "--app", "plan.py").out == "nothing waits for approval\n"
    assert "still waits for its parents" in shell("approvals", "show", ids[1], "--app", "plan.py").err
    shell("up", "--drain", "--plain", "--app", "plan.py")
    listed = shell("approvals", "list", "--app", "plan.py", "--json")
    assert listed.code == 1
    (request,) = listed.json["approvals"]
    assert (request["run"], request["arguments"]) == (ids[1], {"number": 7})
    assert "waits for approval until" in " ".join(shell("runs", "show", ids[1], "--app", "plan.py").out.split())
    assert request["digest"] in shell("approvals", "show", ids[1], "--app", "plan.py").out
    wrong = shell("approvals", "approve", ids[1], "--digest", "0" * 32, "--app", "plan.py")
    assert wrong.code == 1 and "look at it again" in wrong.err
    words = ("approvals", "approve", ids[1], "--digest", request["digest"], "--by", "ann", "--app", "plan.py")
    assert shell(*words).out == f"run {ids[1]} approved by ann\n"
    again = shell(*words)
    assert again.code == 1 and "was approved by ann" in again.err and "counts once" in again.err
    shell("up", "--drain", "--plain", "--app", "plan.py")
    assert shell("runs", "show", ids[2], "--app", "plan.py", "--json").json["run"]["result"] == 7


def test_a_refusal_is_final(shell: Shell, ids: list[str]) -> None:
    shell("up", "--drain", "--plain", "--app", "plan.py")
    digest = shell("approvals", "show", ids[1], "--app", "plan.py", "--json").json["digest"]
    words = ("approvals", "refuse", ids[1], "--digest", digest, "--by", "ann", "--app", "plan.py")
    assert shell(*words, "--json").json == {"run": ids[1], "decision": "refused", "by": "ann"}
    shown = shell("runs", "show", ids[2], "--app", "plan.py", "--json").json["run"]
    assert shown["state"] == "SKIPPED" and "is CANCELLED" in shown["reason"]


def test_a_whole_graph_is_cancelled_by_any_of_its_runs(shell: Shell, ids: list[str]) -> None:
    answer = shell("runs", "cancel", ids[2], "--graph", "--app", "plan.py")
    assert "3 runs taken back or asked" in answer.out
    states = [shell("runs", "show", one, "--app", "plan.py", "--json").json["run"]["state"] for one in ids]
    assert states == ["CANCELLED"] * 3


def test_a_run_of_no_graph_has_none_to_cancel(shell: Shell, shop: Path) -> None:
    run = shell("submit", "pay", "order=5", "--json").json["run"]
    answer = shell("runs", "cancel", run, "--graph")
    assert answer.code == 2 and "belongs to no graph" in answer.err
