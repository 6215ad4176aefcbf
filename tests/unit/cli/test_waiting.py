"""What waits, from the command line: moved, counted first, paused, put in order, explained (R2.5)."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.conftest import Shell


def submitted(shell: Shell, *words: str) -> str:
    return str(shell("submit", *words, "--json").json["run"])


def test_one_run_is_reprioritised_rescheduled_and_rerouted(shell: Shell, shop: Path) -> None:
    run = submitted(shell, "pay", "order=5")
    assert shell("runs", "reprioritise", run, "--band", "0").out == f"run {run} is in band 0 now\n"
    assert shell("runs", "reschedule", run, "--at", "in 1h").code == 0
    assert shell("runs", "reroute", run, "--to-queue", "bulk").out == f"run {run} goes to bulk\n"
    facts = shell("runs", "show", run, "--json").json["run"]
    assert (facts["band"], facts["queue"], facts["state"]) == (0, "bulk", "SCHEDULED")
    assert shell("runs", "reroute", run, "--worker", "nobody").code == 2


def test_many_are_counted_before_they_are_changed(shell: Shell, shop: Path) -> None:
    run = submitted(shell, "pay", "order=5")
    submitted(shell, "pay", "order=6")
    submitted(shell, "mail", "to=me")
    words = ("runs", "reprioritise", "--task", "pay", "--band", "1")
    assert shell(*words).out == "2 runs would be changed; --yes does it\n"
    assert shell("runs", "show", run, "--json").json["run"]["band"] == 3
    assert shell(*words, "--yes").out == "2 runs of 2 changed\n"
    assert shell("runs", "show", run, "--json").json["run"]["band"] == 1
    assert shell("runs", "reroute", "--task", "pay", "--to-queue", "bulk", "--yes", "--json").json["runs"]["moved"] == 2
    assert shell("runs", "reprioritise", run, "--task", "pay", "--band", "1").code == 2
    assert shell("runs", "reprioritise", "--band", "1").code == 2


def test_a_task_is_paused_explained_and_resumed(shell: Shell, shop: Path) -> None:
    run = submitted(shell, "pay", "order=5")
    assert shell("pause", "--task", "pay", "--reason", "the bank is down").out == "task pay is paused\n"
    shell("pause", "--queue", "mail", "--reason", "repair", "--until", "in 1h")
    assert "the bank is down" in shell("pauses").out and "repair" in shell("pauses").out
    assert "task pay is paused: the bank is down" in shell("doctor").out
    told = shell("explain", run).out
    assert "it is paused by its task pay: the bank is down, until it is resumed" in told
    assert "it stands at about place 1 of the queue default, in band 3" in told
    assert shell("resume", "--task", "pay", "--json").json["answer"] == "resumed"
    assert shell("resume", "--task", "pay").out == "task pay was not paused\n"
    assert shell("pause", "--task", "pay", "--tag", "x", "--reason", "both").code == 2
    shell("up", "--drain", "--plain")
    assert shell("runs", "show", run, "--json").json["run"]["state"] == "SUCCESS"


def test_a_queue_is_put_in_order(shell: Shell, shop: Path) -> None:
    submitted(shell, "mail", "to=me")
    assert shell("queues", "order", "mail", "deadline").out == "queue mail goes out by deadline\n"
    assert "deadline" in shell("queues", "list").out
    assert shell("queues", "order", "mail", "alphabetical").code == 2
