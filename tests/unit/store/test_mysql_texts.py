"""Values are written into statements so that nothing in them is read as anything else (R0.20)."""

from __future__ import annotations

import asyncmy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shike.errors import BadInput
from shike.store.mysql.options import parse
from shike.store.mysql.texts import HEX_BYTES_MAX, MARIADB, MYSQL, Flavour, Text, literal
from tests import bounded, servers


def filled(text: str, *values: object, rows: list[tuple[object, ...]] | None = None, flavour: Flavour = MARIADB) -> str:
    return Text(text, flavour).fill(values, rows or ())


def test_values_stand_where_their_numbers_are() -> None:
    assert filled("select $2, $1 from t where a in $3", 1, "x", [4, 5]) == "select 'x', 1 from t where a in (4, 5)"


def test_an_empty_list_has_nothing_in_it() -> None:
    assert filled("a in $1", []) == "a in (null)"


def test_rows_are_written_side_by_side() -> None:
    assert filled("values $*", rows=[(1, b"\x00"), (2, None)]) == "values (1, x'00'), (2, null)"
    assert filled("values $*", rows=[(1,), (2,)], flavour=MYSQL) == "values row(1), row(2)"


def test_columns_of_rows_are_cut_out_and_each_is_written_once() -> None:
    rows = [(1, "a", True), (2, "a", False)]
    assert filled("$*[2] | $*(1) | $*[3, 2]", rows=rows) == "('a') | (1, 2) | (1, 'a'), (0, 'a')"


def test_rows_become_a_table() -> None:
    table = filled("from $1[] as w (low)", [16, 32])
    assert table == "from (with w (low) as (values (16), (32)) select low from w) w"
    assert "where false" in filled("from $1[] as w (low)", [])


def test_a_column_that_holds_one_value_is_written_once() -> None:
    rows = [(1, "a", 5, b""), (2, "a", 6, b""), (3, "a", 5, b"")]
    table = filled("from $* as v (id, name, at, body)", rows=rows)
    assert table == (
        "from (with v (id, at) as (values (1, 5), (2, 6), (3, 5)) select id, 'a' as name, at, x'' as body from v) v"
    )
    assert filled("from $* as v (id, name)", rows=[(1, "a")]) == (
        "from (with v (id) as (values (1)) select id, 'a' as name from v) v"
    )


def test_statements_that_write_and_belong_together_are_a_step() -> None:
    assert Text("set @a = 1;\ninsert into t values (@a)", MARIADB).is_step
    assert not Text("insert into t values (1)", MARIADB).is_step
    assert not Text("set @a = 1;\nselect @a", MARIADB).is_step


def test_a_text_with_signs_is_written_in_hexadecimal() -> None:
    assert literal("it's") == "_utf8mb4 x'69742773'"
    assert literal("plain.name-1") == "'plain.name-1'"


def test_half_a_character_is_refused() -> None:
    with pytest.raises(BadInput):
        literal("\ud800")


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(TypeError):
        literal(object())


ANY = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1), st.text(st.characters(codec="utf-8")), st.binary(), st.booleans(), st.none()
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8")), st.binary(), ANY), min_size=1, max_size=5))
def test_the_server_reads_what_was_written(rows: list[tuple[str, bytes, object]]) -> None:
    found = bounded.run(_ask(Text("select a, b from $* as v (a, b, c)", MARIADB).fill((), rows)))
    assert [(a, b) for a, b in found] == [(a, b) for a, b, _ in rows]


def test_long_bytes_are_read_whole() -> None:
    """MariaDB keeps 16 bits of the length of a literal that it makes a column of."""
    rows = [(length, bytes([7]) * length) for length in (HEX_BYTES_MAX - 1, HEX_BYTES_MAX, 70_000, 0)]
    found = bounded.run(_ask(Text("select a, b from $* as v (a, b)", MARIADB).fill((), rows)))
    assert [tuple(row) for row in found] == rows


async def _ask(script: str) -> list[tuple[object, ...]]:
    connection = asyncmy.Connection(**parse(servers.url("mysql")).words, autocommit=True)
    await connection.connect()
    try:
        await connection.query(script)
        return list(connection._result.rows)
    finally:
        connection.close()
