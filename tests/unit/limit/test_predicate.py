"""R0.9: the predicates of the strike list pick runs, and nothing in them is ever evaluated."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.errors import BadPredicate
from shike.limit.predicate import holds, needs_args, parse
from shike.model import RECORD_VERSION, Run

RUN = Run(RECORD_VERSION, 1 << 8, "mail.send", queue="mail>", band=3, key="k1", owner="ops")
ARGS = {"tenant": "acme", "size": 120, "vip": True, "ratio": 0.5, "task": "inner", "nothing": None, "list": [1]}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("task=mail.send", True),
        ("task=mail.send and tenant=acme", True),
        ("task=mail.send AND tenant=zeta", False),
        ("tenant=zeta or size>100", True),
        ("not tenant=acme", False),
        ("not (tenant=zeta or vip=false)", True),
        ("task^=mail.", True),
        ("queue=mail", True),
        ("band>=3 and band<4", True),
        ("band!=3", False),
        ("size>=120 and size<=120", True),
        ("ratio<1", True),
        ("vip=true", True),
        ("vip!=true", False),
        ("vip=1", False),
        ("arg.task=inner", True),
        ('tenant="acme"', True),
        ("owner=ops and key=k1", True),
        ("missing=1", False),
        ("missing!=1", False),
        ("not missing=1", True),
        ("nothing=x", False),
        ("list=1", False),
        ("size=abc", False),
        ("size!=abc", True),
        ("tenant<b", True),
        ("tenant=zeta or tenant=acme and size=1", False),  # `and` binds closer
    ],
)
def test_a_predicate_picks_runs_by_what_is_known_of_them(text: str, meant: bool) -> None:
    assert holds(parse(text), RUN, ARGS) is meant


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is a text such as"),
        ("   ", "is a text such as"),
        (None, "is a text such as"),
        ("tenant", "compared with nothing"),
        ("tenant=", "a value is missing"),
        ("=acme", "a name is missing"),
        ("tenant=acme size=1", "is too much"),
        ("(tenant=acme", "not closed"),
        ("tenant=acme)", "is too much"),
        ("tenant ! acme", "cannot be read"),
        ('tenant="acme', "cannot be read"),
        ('tenant="ac\tme"', "cannot be read"),
        ("(" * 30 + "a=1" + ")" * 30, "nested deeper"),
        ("not " * 30 + "a=1", "nested deeper"),
        ("a=" + "x" * 2_000, "at most 1,000"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_place(text: Any, words: str) -> None:
    with pytest.raises(BadPredicate, match=words):
        parse(text)


@given(st.text(max_size=60))
def test_any_text_is_a_predicate_or_refused(text: str) -> None:
    try:
        node = parse(text)
    except BadPredicate:
        return
    assert holds(node, RUN, ARGS) in (True, False)
    assert needs_args(node) in (True, False)


def test_arguments_are_read_only_where_a_predicate_asks_for_them() -> None:
    assert not needs_args(parse("task=a and queue=b"))
    assert needs_args(parse("task=a and not x=1"))
