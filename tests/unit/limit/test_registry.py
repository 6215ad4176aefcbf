"""R0.9: a kind of limit is a file, and without the file there is no such kind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import shike
from shike.errors import BadLimit
from shike.limit.registry import kind_of, make, minds_ends, names

SOURCE = Path(shike.__file__).parent


@pytest.mark.parametrize("word", names())
def test_nobody_but_the_public_face_knows_a_kind_by_its_file(word: str) -> None:
    knows = [
        str(file.relative_to(SOURCE))
        for file in SOURCE.rglob("*.py")
        if re.search(rf"\bkinds\.{word}\b", file.read_text(encoding="utf-8"))
    ]
    assert knows == ["__init__.py"]


@pytest.mark.parametrize("word", names())
def test_a_kind_is_found_by_its_word(word: str) -> None:
    assert kind_of(word).word == word


def test_an_unknown_kind_is_refused_with_a_near_one() -> None:
    with pytest.raises(BadLimit, match="did you mean rate"):
        make("rat", {})
    assert not minds_ends("leaky:tenant")


def test_what_a_kind_does_not_have_is_refused() -> None:
    with pytest.raises(BadLimit, match="rate has no cap"):
        make("rate", {"cap": 1})
    with pytest.raises(BadLimit, match="cap"):
        make("concurrency", {})
    assert minds_ends("cooldown:user#2")
