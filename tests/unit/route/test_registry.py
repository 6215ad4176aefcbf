"""A strategy is a file: taking it away takes its route away, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from shike.errors import BadInput, UnknownRoute
from shike.model import Route
from shike.route import registry, strategies
from shike.route.tags import route_of


@pytest.fixture
def without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The strategies, but for one file."""
    copy = tmp_path / "strategies"
    shutil.copytree(Path(strategies.__path__[0]), copy, ignore=shutil.ignore_patterns("smart.py", "__pycache__"))
    monkeypatch.setattr(strategies, "__path__", [str(copy)])
    registry.names.cache_clear()
    yield "smart"
    monkeypatch.undo()
    registry.names.cache_clear()


def test_without_its_file_a_route_is_unknown_and_all_others_work(without: str) -> None:
    with pytest.raises(UnknownRoute):
        registry.make(without, Random(0).random)
    others = registry.names()[1:]
    assert without not in others
    assert len(others) == 12
    for name in others:
        assert registry.make(name, Random(0).random)


def test_an_unknown_name_says_what_was_meant_and_what_there_is() -> None:
    with pytest.raises(
        UnknownRoute, match=r"no route 'round-robin'; did you mean round_robin\? There are: any, "
    ) as told:
        registry.check("round-robin")
    assert told.value.name == "round-robin"
    assert isinstance(told.value, BadInput)
    with pytest.raises(UnknownRoute):
        registry.make("any", Random(0).random)
    with pytest.raises(UnknownRoute, match="no route 'x'; there are: any, "):
        registry.check("x")


def test_words_of_a_route_are_texts_that_can_be_stored() -> None:
    for wrong in ({"key": "\ud800"}, {"affinity": "x" * 401}, {"session": 7}):
        with pytest.raises(BadInput, match="texts of at most 400"):
            route_of(Route(by="consistent_hash", **wrong))  # type: ignore[arg-type]
