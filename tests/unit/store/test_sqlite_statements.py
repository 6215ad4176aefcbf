"""Every statement in `sql/*.sql` is used, fits the layout, and reads no table from end to end on a hot path."""

from __future__ import annotations

import re
import sqlite3
from importlib import resources

import pytest

from shike.store.sqlite.statements import Statements, _texts, migrations

SOURCES = resources.files("shike.store.sqlite")
SQL = Statements("shike")
HOT = [
    "lane_first", "lane_take", "lane_has", "lanes_of", "lease_grant", "lease_of_claim", "leases_open", "leases_of",
    "history_write", "run_delete", "run_back", "session_state", "session_find", "dedupe_find", "holder_count",
    "holder_release", "runs_asked", "lanes_eligible", "run_facts", "timetable_fate", "schedule_find",
]  # fmt: skip
SMALL = ("json_each", "found", "wanted", "v", "q", "(")  # as long as a call's own words, or a few lanes


@pytest.fixture(scope="module")
def connection() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    for name in ("meta_make",):
        connection.execute(SQL.plain(name))
    for _, script in migrations():
        connection.executescript(script.replace("{ns}", "shike"))
    connection.execute(SQL.dated("history_make", "20260101"))
    return connection


def prepared(name: str) -> str:
    return SQL.many(name, 1, "20260101")


def plan_of(connection: sqlite3.Connection, name: str) -> list[str]:
    statement = prepared(name)
    places = re.findall(r"\?(\d*)", statement)
    values = [0] * max(len([place for place in places if not place]), *(int(place or 0) for place in places), 0)
    return [row[3] for row in connection.execute(f"explain query plan {statement}", values)]


@pytest.mark.parametrize("name", sorted(_texts()))
def test_it_fits_the_layout(connection: sqlite3.Connection, name: str) -> None:
    plan_of(connection, name)


def test_each_is_used_somewhere() -> None:
    files = [*SOURCES.iterdir(), SOURCES.parent / "row_records.py"]  # type: ignore[attr-defined]
    code = "".join(file.read_text() for file in files if file.name.endswith(".py"))
    unused = [name for name in _texts() if f'"{name}"' not in code]
    assert unused == []


@pytest.mark.parametrize("name", HOT)
def test_a_hot_one_searches_and_never_scans(connection: sqlite3.Connection, name: str) -> None:
    scans = [step for step in plan_of(connection, name) if re.match(r"SCAN (?!CONSTANT)", step)]
    large = [step for step in scans if not step.split()[1].startswith(SMALL)]
    assert [step for step in large if "INDEX shike_run_asked" not in step] == [], "that index holds asked runs only"


def test_many_rows_are_one_step() -> None:
    assert SQL.many("lane_insert", 3).count("(?, ?, ?, ?)") == 3


def test_a_day_is_part_of_the_tables_name() -> None:
    assert "shike_history_20260101" in SQL.dated("history_make", "20260101")
