"""The command line from end to end, in this process: each command by what a person types and reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shike.timer.build import build
from tests.unit.cli.conftest import Shell


def submitted(shell: Shell, *words: str) -> str:
    return str(shell("submit", *words, "--json").json["run"])


def test_a_submitted_run_is_worked_off_and_shown(shell: Shell, shop: Path) -> None:
    run = submitted(shell, "pay", "order=5", "note=thank you")
    assert shell("runs", "show", run, "--json").json["run"]["state"] == "PENDING"
    assert shell("up", "--drain", "--plain").code == 0
    answer = shell("runs", "show", run)
    assert answer.code == 0
    assert "SUCCESS" in answer.out and "5 thank you" in answer.out
    assert [line.split()[2] for line in answer.out.splitlines() if re.match(r"\d{4}-", line)] == [
        "created",
        "due",
        "claimed",
        "started",
        "attempt",
        "success",
    ]


def test_a_failed_run_is_a_dead_letter_that_is_replayed_and_dropped(shell: Shell, shop: Path) -> None:
    run = submitted(shell, "pay", "order=-1")
    shell("up", "--drain", "--plain")
    listed = shell("dead", "list")
    assert listed.code == 1
    assert run in listed.out and "the bank said no" in listed.out and "treasury" in listed.out
    assert shell("runs", "show", run).code == 1
    told = shell("runs", "show", run)
    assert "ValueError: the bank said no" in told.out and "shop.py" in told.out and "in pay" in told.out
    replayed = shell("dead", "replay", run, "--json").json
    assert list(replayed["replayed"]) == [run]
    assert shell("dead", "replay", "--all", "--json").json == {"replayed": {}, "before": [run]}
    assert shell("dead", "drop", run).out == "1 dead letter dropped\n"
    assert shell("dead", "drop", run).code == 2


def test_a_key_stores_a_run_once(shell: Shell, shop: Path) -> None:
    first = shell("submit", "pay", "order=5", "--key", "order/5", "--json").json
    second = shell("submit", "pay", "order=5", "--key", "order/5", "--json").json
    assert (first["fresh"], second["fresh"]) == (True, False)
    assert first["run"] == second["run"]


def test_a_waiting_run_is_moved_and_cancelled(shell: Shell, shop: Path) -> None:
    run = submitted(shell, "pay", "order=5", "--in", "1h")
    assert shell("runs", "move", run, "--at", "in 2h", "--band", "0").code == 0
    shown = shell("runs", "show", run, "--json").json["run"]
    assert (shown["state"], shown["band"]) == ("SCHEDULED", 0)
    assert shell("runs", "cancel", run, "--reason", "changed my mind").code == 0
    assert shell("runs", "cancel", run).code == 2
    assert shell("runs", "follow", run, "--json").json["reason"] == "changed my mind"


def test_runs_are_listed_by_state_and_task(shell: Shell, shop: Path) -> None:
    one, two = submitted(shell, "pay", "order=5"), submitted(shell, "mail", "to=bob")
    ids = [run["id"] for run in shell("runs", "list", "--json").json["runs"]]
    assert ids == [two, one]
    assert [run["id"] for run in shell("runs", "list", "--task", "pay", "--json").json["runs"]] == [one]
    assert shell("runs", "list", "--state", "dead").out == "no runs\n"
    assert shell("runs", "list", "--state", "sleeping").code == 2
    older = shell("runs", "list", "--before", two, "--json").json["runs"]
    assert [run["id"] for run in older] == [one]


def test_a_task_is_named_by_its_last_part_wherever_one_is_asked_for(shell: Shell, folder: Path) -> None:
    (folder / "bank.py").write_text(
        "from shike import Shike\napp = Shike('sqlite:///bank.db')\n@app.task\nasync def pay(): raise ValueError"
    )
    run = str(shell("submit", "pay", "--json", "--app", "bank.py").json["run"])
    assert run in shell("runs", "list", "--task", "pay", "--app", "bank.py").out
    assert run in shell("runs", "list", "--task", "pay", "--app", "bank.py", "--store", "sqlite:///bank.db").out
    shell("up", "--drain", "--plain", "--app", "bank.py")
    assert run in shell("dead", "list", "--task", "pay", "--app", "bank.py").out
    assert "no runs" in shell("runs", "list", "--task", "gone", "--app", "bank.py").out
    assert shell("dead", "replay", "--task", "pay", "--app", "bank.py").out.startswith(f"{run} runs again")
    assert shell("dead", "drop", "--task", "pay", "--app", "bank.py").out == "1 dead letter dropped\n"


def test_a_submit_to_a_queue_that_the_app_does_not_name_says_who_would_serve_it(shell: Shell, shop: Path) -> None:
    assert "nothing in the app names queue bulk" in shell("submit", "pay", "order=5", "--queue", "bulk").err
    assert shell("submit", "pay", "order=5", "--queue", "mail").err == ""


def test_schedules_are_listed_paused_resumed_and_deleted(shell: Shell, shop: Path) -> None:
    shell("up", "--drain", "--plain")
    (one,) = shell("schedules", "list", "--json").json["schedules"]
    assert (one["name"], one["words"]) == ("default/mail", "every weekday at 06:00, Asia/Shanghai")
    assert "每个工作日 06:00" in shell("schedules", "list", "--lang", "zh").out
    assert len(shell("schedules", "next", "mail", "--count", "3", "--json").json["moments"]) == 3
    assert shell("schedules", "pause", "mail").code == 2
    assert shell("schedules", "pause", "mail", "--reason", "holidays", "--until", "in 2h").code == 0
    assert "paused: holidays" in shell("schedules", "list").out
    assert shell("schedules", "resume", "mail").out == "default/mail goes on\n"
    assert shell("schedules", "delete", "mail").code == 0
    assert shell("schedules", "list").out.startswith("no schedules")
    assert shell("schedules", "next", "mail").code == 2


def test_a_value_of_the_settings_fills_a_schedule(shell: Shell, shop: Path) -> None:
    (shop / "shike.toml").write_text('[values]\nMAIL_CRON = "0 9 1 * *"')
    shell("up", "--drain", "--plain")
    (one,) = shell("schedules", "list", "--json").json["schedules"]
    assert one["words"] == "on the 1st of the month at 09:00, Asia/Shanghai"


def test_past_moments_are_backfilled_and_the_audit_accounts_for_them(shell: Shell, shop: Path) -> None:
    shell("up", "--drain", "--plain")
    span = ("--from", "2026-01-01", "--to", "2026-01-15")
    preview = shell("schedules", "backfill", "mail", *span, "--dry-run", "--json").json
    assert preview["to_run"] == 10
    assert shell("schedules", "backfill", "mail", *span, "--json").json["to_run"] == 10
    assert shell("schedules", "backfill", "mail", *span, "--json").json["to_run"] == 0
    shell("up", "--drain", "--plain")
    audit = shell("audit", *span)
    assert audit.code == 0
    assert "10 backfilled success" in audit.out and "nothing is lost" in audit.out
    report = shell("audit", *span, "--json").json
    assert (report["sound"], report["holes"], report["doubles"]) == (True, 0, 0)


def test_a_simulated_day_is_a_picture(shell: Shell, shop: Path) -> None:
    shell("up", "--drain", "--plain")
    answer = shell("schedules", "simulate", "--day", "2027-01-04")
    assert answer.code == 0
    assert "1  default/mail" in answer.out and "▏" in answer.out


def test_a_queue_is_paused_with_its_reason(shell: Shell, shop: Path) -> None:
    submitted(shell, "mail", "to=bob")
    shell("queues", "pause", "mail", "--reason", "the server is down")
    assert "paused: the server is down" in shell("queues", "list").out
    assert "mail is paused: the server is down (1 run in it)" in shell("doctor").out
    assert shell("queues", "resume", "mail", "--json").json == {"queue": "mail", "answer": "resumed"}
    assert shell("queues", "resume", "mail", "--json").json["answer"] == "unchanged"


def test_a_queue_that_nothing_tells_of_is_not_paused_by_a_slip_of_the_pen(shell: Shell, shop: Path) -> None:
    submitted(shell, "pay", "order=5")
    for words in (("pause", "mial", "--reason", "why"), ("resume", "mial")):
        refused = shell("queues", *words)
        assert (refused.code, refused.err) == (2, "shike: there is no queue 'mial'; did you mean mail?\n")
    assert shell("queues", "pause", "mail", "--reason", "the app names it, no run does").code == 0
    assert shell("queues", "pause", "bulk", "--reason", "not yet", "--create").code == 0
    assert shell("queues", "resume", "bulk", "--store", "sqlite:///shop.db").out == "queue bulk goes on\n"


def test_the_doctor_names_what_is_wrong(shell: Shell, shop: Path) -> None:
    submitted(shell, "pay", "order=5")
    sick = shell("doctor")
    assert sick.code == 1
    assert "no worker is there" in sick.out
    assert "a power loss may take the last commits" in sick.out
    shell("up", "--drain", "--plain")
    findings = shell("doctor", "--json").json["findings"]
    assert {"level": "fine", "what": "timer", "words": build().about()} in findings
    assert {"integrity", "clock", "runs", "versions"} <= {finding["what"] for finding in findings}


def test_settings_are_shown_with_their_origin(shell: Shell, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIKE_SLOTS", "7")
    shown = shell("config", "show", "--store", "sqlite:///other.db", "--json").json
    assert shown["slots"] == {"value": 7, "origin": "SHIKE_SLOTS"}
    assert shown["store"]["origin"] == "--store"
    assert shown["threads"]["origin"] == "default"
    assert "SHIKE_APP" in shell("config", "show").out


def test_another_store_may_be_named(shell: Shell, shop: Path) -> None:
    run = submitted(shell, "pay", "order=5", "--store", "sqlite:///other.db")
    assert (shop / "other.db").exists() and not (shop / "shop.db").exists()
    assert shell("runs", "show", run, "--store", "sqlite:///other.db").code == 0


@pytest.mark.parametrize(
    ("expression", "more", "code", "words"),
    [
        ("0 9 * * mon-fri", ("--tz", "Asia/Shanghai"), 0, "every weekday at 09:00, Asia/Shanghai"),
        ("0 9 * * mon-fri", ("--tz", "Asia/Shanghai", "--lang", "zh"), 0, "每个工作日 09:00（Asia/Shanghai）"),
        ("30 2 * * *", ("--tz", "Europe/Berlin"), 1, "ahead over 1 of its times; what it skips runs once"),
        ("30 2 * * *", ("--tz", "Europe/Berlin", "--dst", "skip"), 1, "what it skips is left out"),
        ("30 2 * * *", ("--tz", "Europe/Berlin", "--dst", "twice"), 1, "what comes twice runs both times"),
        ("30 2 * * *", ("--tz", "Europe/Berlin", "--dst", "utc"), 0, "02:30"),
        ("30 4 * * *", ("--tz", "Europe/Berlin"), 0, "04:30"),
        ("*/15 * * * *", ("--tz", "Europe/Berlin"), 0, "every 15 minutes"),
        ("-", (), 0, "never"),
        ("0 0 31 2 *", (), 2, "never run"),
        ("61 * * * *", (), 2, "values go from 0 to 59"),
        ("* * * * *", ("--tz", "Asia/Sanghai"), 2, "Asia/Shanghai"),
        ("* * * * *", ("--next", "-1"), 2, "--next"),
        ("0 9 * * *", ("--tz", "Z"), 0, "09:00:00+00:00"),
        ("0 0 9 * * *", (), 2, "say --seconds first or --seconds last"),
        ("0 0 9 * * * 2030", (), 2, "say --seconds first"),
    ],
)
def test_cron_explains_an_expression(
    shell: Shell, expression: str, more: tuple[str, ...], code: int, words: str
) -> None:
    answer = shell("cron", expression, *more, "--after", "2026-01-01")
    assert answer.code == code
    assert words in (answer.out if code < 2 else answer.err)


def test_cron_lists_as_many_moments_as_asked(shell: Shell) -> None:
    answer = shell("cron", "0 9 * * *", "--next", "10", "--after", "2026-01-01T00:00+00:00", "--json").json
    assert len(answer["next"]) == 10
    assert answer["next"][0] == "2026-01-01T09:00:00Z"
