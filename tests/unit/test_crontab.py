"""Crontab files are read as cron reads them; what cannot be read is named by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.bounds import NAME_CHARS_MAX
from shike.cli.crontab_app import app_of
from shike.clock import to_micros
from shike.crontab import PATH, REBOOT, CronEntry, Crontab, environment, names, parse, read
from shike.errors import CrontabError
from shike.trigger.cron_parse import NICKNAMES

DATA = Path(__file__).parents[1] / "data" / "cron"


def user(text: str) -> Crontab:
    return parse(text, "tab", system=False)


def system(text: str) -> Crontab:
    return parse(text, "tab", system=True)


def one(found: Crontab) -> CronEntry:
    assert not found.problems
    (entry,) = found.entries
    return entry


def problem(found: Crontab) -> CrontabError:
    assert not found.entries
    (error,) = found.problems
    return error


def test_an_entry_has_five_fields_and_the_rest_is_the_shells() -> None:
    entry = one(user("*/5 1-3 * * mon   echo 'a  b' # not a comment"))
    assert entry.when == "*/5 1-3 * * mon"
    assert entry.argv == ("/bin/sh", "-c", "echo 'a  b' # not a comment")


def test_a_system_file_has_a_user_between_time_and_command() -> None:
    entry = one(system("25 6\t* * *\troot\ttest -x /usr/sbin/anacron || run-parts --report dir"))
    assert (entry.user, entry.command) == ("root", "test -x /usr/sbin/anacron || run-parts --report dir")
    assert one(system("* * * * * www-data:web/daemon true")).user == "www-data"
    assert one(user("* * * * * root true")).command == "root true"


def test_blank_lines_and_comments_say_nothing() -> None:
    assert user("\n  \n# a comment\n\t# another\n").entries == []
    assert user("").entries == []


def test_variables_hold_for_the_lines_below_them() -> None:
    found = user('A=1\n* * * * * one\nA = "two words"\nB=\n * * * * * two\n')
    assert [entry.variables for entry in found.entries] == [{"A": "1"}, {"A": "two words", "B": ""}]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("X=plain words  ", "plain words"),
        ("X='quoted  '", "quoted  "),
        ('"X"="a=b"', "a=b"),
        ('X="it\'s"', "it's"),
        ("X=$HOME/bin", "$HOME/bin"),
        ("X = 'unclosed", "'unclosed"),
    ],
)
def test_variables_are_taken_literally_and_lose_one_pair_of_quotes(line: str, value: str) -> None:
    assert user(f"{line}\n@daily true").entries[0].variables == {"X": value}


def test_cron_tz_moves_the_lines_below_it_to_another_zone() -> None:
    found = user("0 9 * * * one\nCRON_TZ=Asia/Shanghai\n0 9 * * * two")
    nine_utc, nine_there = (entry.trigger for entry in found.entries)
    assert nine_utc is not None and nine_there is not None
    from datetime import UTC, datetime

    start = to_micros(datetime(2026, 1, 1, tzinfo=UTC))
    hours = [((trigger.next(start) or 0) - start) // 3_600_000_000 for trigger in (nine_utc, nine_there)]
    assert hours == [9, 1]
    assert "Asia/Sanghai" in str(problem(user("CRON_TZ=Asia/Sanghai")))


def test_a_percent_ends_the_command_and_begins_its_stdin() -> None:
    entry = one(user(r"0 0 * * * mail -s 50\% boss%Dear boss,%%done 100\%"))
    assert entry.command == "mail -s 50% boss"
    assert entry.stdin == "Dear boss,\n\ndone 100%\n"
    assert one(user("0 0 * * * cat%")).stdin == "\n"
    assert one(user("0 0 * * * cat")).stdin == ""


def test_other_backslashes_stay_for_the_shell() -> None:
    assert one(user(r"0 0 * * * echo \\ \n")).command == r"echo \\ \n"


@pytest.mark.parametrize("nickname", [*NICKNAMES, "@Daily"])
def test_nicknames_stand_for_a_time(nickname: str) -> None:
    assert one(user(f"{nickname} true")).trigger is not None


def test_reboot_has_no_moments() -> None:
    entry = one(system(f"{REBOOT} root touch here"))
    assert entry.trigger is None
    assert entry.command == "touch here"


def test_a_minus_before_the_minute_is_read_over() -> None:
    assert one(user("-*/10 * * * * true")).trigger == one(user("*/10 * * * * true")).trigger


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("61 * * * * root true", "'61'"),
        ("0 0 31 2 * root true", "would never run"),
        ("* * * *", "4 words cannot be an entry"),
        ("hello", "one word cannot be an entry"),
        ("* * * * * root", "no command"),
        ("@daily root", "no command after the user"),
        ("@often root true", "@often is not known"),
        ("* * * * * 'root true", "no user name"),
        ("* * * * * root true\r", "Windows"),
        ("* * * * * root tr\0ue", "NUL"),
        ("* * * * * root " + "x" * 10_001, "characters"),
    ],
)
def test_a_bad_line_is_named_and_spoils_only_itself(line: str, words: str) -> None:
    found = system(f"# first\n{line}\n@daily root true")
    assert [entry.line for entry in found.entries] == [3]
    (error,) = found.problems
    assert (error.file, error.line) == ("tab", 2)
    assert words in str(error) and str(error).startswith("tab:2: ")


def test_an_edit_of_the_time_keeps_the_name_and_an_edit_of_the_command_does_not() -> None:
    before, moved, changed = (
        one(user(line)).name for line in ("@daily /bin/a x", "@hourly /bin/a x", "@daily /bin/a y")
    )
    assert before == moved != changed
    assert before.startswith("tab:a-")


def test_the_same_command_at_two_times_has_two_names() -> None:
    found = user("0 1 * * * true\n0 2 * * * true\n0 3 * * * true")
    given_names = [name for name, _ in names(found.entries)]
    assert len(set(given_names)) == 3
    assert given_names[1] == f"{given_names[0]}-2"


def test_the_environment_is_crons_and_the_file_cannot_change_who_one_is() -> None:
    entry = one(user("LOGNAME=root\nHOME=/srv\n@daily true"))
    found = environment(entry, "/home/bob", "bob")
    assert found == {"HOME": "/srv", "SHELL": "/bin/sh", "PATH": PATH, "LOGNAME": "bob", "USER": "bob"}


def test_a_folder_stands_for_the_files_that_cron_would_read(tmp_path: Path) -> None:
    for name in ("good", "also-good", "backup.bak", ".hidden", "old~"):
        (tmp_path / name).write_text("@daily root true")
    found = read(tmp_path, system=True)
    assert [Path(entry.file).name for entry in found.entries] == ["also-good", "good"]


def test_a_line_that_is_no_text_spoils_only_itself_and_a_comment_may_hold_anything(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"# caf\xe9\n0 5 * * * echo caf\xe9\n0 6 * * * true\n")
    found = read(tmp_path / "latin", system=False)
    assert [entry.line for entry in found.entries] == [3]
    assert [problem.line for problem in found.problems] == [2]
    assert "latin:2: the line is not UTF-8 text" in str(found.problems[0])


def test_a_file_that_is_missing_or_too_large_is_named(tmp_path: Path) -> None:
    with pytest.raises(CrontabError, match="cannot be read"):
        read(tmp_path / "gone", system=True)
    (tmp_path / "huge").write_bytes(b"#" * (1 << 20) + b"##")
    with pytest.raises(CrontabError, match="more than a crontab"):
        read(tmp_path / "huge", system=True)


@pytest.mark.parametrize("name", ["packages", "everything"])
def test_files_of_the_formats_in_use_are_read_whole(name: str) -> None:
    found = read(DATA / name, system=True)
    assert found.problems == []
    assert len(found.entries) >= 6


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader_and_each_line_is_accounted_for(text: str) -> None:
    found = system(text)
    lines = {entry.line for entry in found.entries} | {error.line for error in found.problems}
    assert len(lines) == len(found.entries) + len(found.problems)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines)


@given(st.text(alphabet="a%\\ \t", min_size=1, max_size=30).map(lambda text: f"x{text}"))
def test_command_and_stdin_hold_every_sign_but_the_percents(rest: str) -> None:
    entry = one(user(f"* * * * * {rest}"))
    rest = rest.rstrip()
    bare = rest.replace("\\%", "")
    kept = entry.command + entry.stdin
    assert kept.count("%") == rest.count("\\%")
    assert kept.count("a") == rest.count("a")
    assert entry.stdin.count("\n") == bare.count("%")


def test_a_file_that_cannot_be_read_spoils_only_itself_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "good").write_text("0 5 * * * root true\n")
    (tmp_path / "latin").write_bytes(b"0 5 * * * root echo \xe9\n")
    found = read(tmp_path, system=True)
    assert [entry.command for entry in found.entries] == ["true"]
    assert [(problem.file, problem.line) for problem in found.problems] == [(str(tmp_path / "latin"), 1)]


def test_a_long_mailto_keeps_no_entry_from_running() -> None:
    found = user(f"MAILTO={'m' * 5_000}\n0 5 * * * true\n")
    app, _ = app_of(
        list(names(found.entries)),
        store="memory://",
        namespace="shike",
        overlap="skip",
        misfire="skip",
        retry=1,
        timeout=None,
    )
    assert [len(task.owner) for task in app.tasks.values()] == [NAME_CHARS_MAX]
