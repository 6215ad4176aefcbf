"""Limits and strikes at the command line: shown, changed, reset; and why a run waits (R0.9)."""

from __future__ import annotations

from pathlib import Path

import pytest

from shike import Shike
from shike.cli.limits import row_of
from shike.limit.shown import KeyFacts
from tests.unit.cli.conftest import Shell

MAIL = """
from shike import Concurrency, Rate, Shike

app = Shike("sqlite:///mail.db?synchronous=normal")

@app.task(name="send", limits=[Concurrency(2, by="tenant"), Rate("1000/s")])
async def send(tenant: str) -> None: ...

@app.task(limits=[Concurrency(2)])
async def unnamed() -> None: ...

@app.task(name="plain")
async def plain(tenant: str) -> None: ...
"""


@pytest.fixture
def mail(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (folder / "mail.py").write_text(MAIL, encoding="utf-8")
    monkeypatch.setenv("SHIKE_APP", "mail.py")
    made = Shike("sqlite:///mail.db?synchronous=normal")
    made.open()  # the store is there, and no program with the task has started yet
    made.client.close_sync()
    return folder


def test_limits_are_listed_once_a_program_has_told_them_and_changed_by_name(shell: Shell, mail: Path) -> None:
    assert shell("limits", "list").out == "no task has declared a limit\n"
    shell("up", "--drain", "--plain")
    listed = shell("limits", "list", "send", "--json").json["limits"]
    assert [(one["name"], one["words"]) for one in listed] == [
        ("concurrency:tenant", "2 at once"),
        ("rate", "1000 in 1s"),
    ]
    said = shell("limits", "set", "send", "concurrency:tenant", "cap=8", "--who", "ann")
    assert (said.code, said.out) == (0, "send concurrency:tenant: 8 at once\n")
    assert "changed by ann" in shell("limits", "list").out
    shell("up", "--drain", "--plain")  # a program that starts again does not undo it
    assert "8 at once" in shell("limits", "list").out
    assert shell("limits", "reset", "send", "concurrency:tenant").out == "send concurrency:tenant: 2 at once\n"
    assert shell("limits", "set", "send", "rate", "rate=5/m", "burst=2").out == "send rate: 5 in 1m\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("set", "send", "concurrency:tenant", "cap=0"), "cap=0 is no whole number from 1"),
        (("set", "send", "concurrency:tenant", "cap=many"), "cap='many' is no whole number"),
        (("set", "send", "concurrency:tenant", "size=4"), "concurrency has no size; it has: cap, by"),
        (("set", "send", "concurrency:tenant", "by=x"), "stands in the code"),
        (("set", "send", "concurrency:tenant"), "say what to set"),
        (("set", "send", "concurrency:tenant", "cap"), "write NAME=VALUE"),
        (("set", "send", "debounce", "window=5s"), "it has: concurrency:tenant, rate"),
        (("set", "nobody", "rate", "rate=1/s"), "no task 'nobody' has declared limits"),
        (("show", "send", "region=eu"), "tenant is missing"),
    ],
)
def test_what_cannot_be_is_refused_in_words(shell: Shell, mail: Path, words: tuple[str, ...], said: str) -> None:
    shell("up", "--drain", "--plain")
    answer = shell("limits", *words)
    assert answer.code == 2 and said in answer.err


def test_a_task_is_meant_by_the_name_that_it_is_submitted_by(shell: Shell, mail: Path) -> None:
    shell("up", "--drain", "--plain")
    said = shell("limits", "set", "unnamed", "concurrency", "cap=3").out
    assert said == "mail.unnamed concurrency: 3 at once\n"
    assert [one["words"] for one in shell("limits", "list", "unnamed", "--json").json["limits"]] == ["3 at once"]
    assert shell("limits", "show", "unnamed").out == "no limit of unnamed is in use\n"
    assert shell("limits", "reset", "unnamed", "concurrency").out == "mail.unnamed concurrency: 2 at once\n"


def test_a_run_that_waits_says_for_what_and_its_key_is_shown(shell: Shell, mail: Path) -> None:
    shell("submit", "send", "tenant=acme")
    run_id = shell("runs", "list", "--json").json["runs"][0]["id"]
    assert "no program that has task send has told its limits yet" in shell("explain", run_id).out
    assert "waits for a limit" in " ".join(shell("runs", "show", run_id).out.split())
    shell("up", "--drain", "--plain")
    assert shell("runs", "show", run_id, "--json").json["run"]["state"] == "SUCCESS"
    (key, rate) = shell("limits", "show", "send", "tenant=acme", "--json").json["keys"]
    assert (key["name"], key["key"], key["cap"], key.get("taken", 0)) == ("concurrency:tenant", "tenant=acme", 2, 0)
    assert rate["key"] == "all"
    assert shell("limits", "show", "plain").out == "no limit of plain is in use\n"


def test_a_key_in_use_is_shown_with_the_runs_that_have_it() -> None:
    key = KeyFacts(task="send", name="concurrency:tenant", key="tenant=acme", cap=8, taken=3, holders=("7", "8"))
    assert row_of(key) == ("concurrency:tenant", "tenant=acme", "3 of 8", "7, 8 …", "", "")


def test_strikes_are_added_listed_and_removed(shell: Shell, mail: Path) -> None:
    assert shell("strikes", "list").out == "nothing is struck\n"
    words = ("task=plain and tenant=acme", "--reason", "bounces", "--deed", "cancel", "--who", "ann", "--for", "2h")
    added = shell("strikes", "add", *words, "--json").json["strike"]
    assert added["id"] in shell("strikes", "list").out, (added, shell("strikes", "list").out)
    shell("submit", "plain", "tenant=acme")
    shell("submit", "plain", "tenant=zeta")
    shell("up", "--drain", "--plain")
    states = {run["state"]: run.get("reason", "") for run in shell("runs", "list", "--json").json["runs"]}
    assert states == {"SUCCESS": "", "CANCELLED": f"struck by ann ({added['id']}): bounces"}
    assert "tenant=acme" in shell("strikes", "list").out
    assert "is removed" in shell("strikes", "remove", added["id"]).out
    assert shell("strikes", "list", "--json").json == {"strikes": []}
    assert shell("strikes", "remove", added["id"]).code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tenant",), "compared with nothing"),
        (("tenant=a", "--deed", "burn"), "'burn' is no Deed: hold, skip, cancel"),
        (("tenant=a", "--for", "0s"), "would be over already"),
    ],
)
def test_a_strike_that_makes_no_sense_is_refused(shell: Shell, mail: Path, words: tuple[str, ...], said: str) -> None:
    answer = shell("strikes", "add", *words, "--reason", "because")
    assert answer.code == 2 and said in answer.err
    assert shell("strikes", "add", "tenant=a", "--reason", " ").code == 2
