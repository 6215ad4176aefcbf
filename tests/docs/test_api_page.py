"""docs/api.md is whole and true: it names everything that is public, and its program runs."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import shike
from shike import errors, events
from shike.declare import Policies
from shike.task import SETTINGS
from shike.testing import Harness

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
TEXT = PAGE.read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
WORDS = set(re.findall(r"[A-Za-z_.]+", TEXT))
FACE = [(shike.Shike, "app"), (shike.Task, "task"), (shike.Handle, "handle"), (shike.Context, "run"), (Harness, "h")]
OPTIONS = [name for name in inspect.signature(shike.Task.options).parameters if name != "self"]
INNER = {"latest_progress", "stored", "open", "close"}  # called by Shike itself, as the next line
INNER |= {"report", "hear", "notes", "logged", "until", "noted"}


def methods() -> Iterator[str]:
    for kind, name in FACE:
        for attribute, part in vars(kind).items():
            public = not attribute.startswith("_") and (callable(part) or isinstance(part, property))
            if public and not (kind is not shike.Shike and attribute in INNER):
                yield f"{name}.{attribute}"


def test_the_program_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, Any] = {"__name__": "page"}
    for number, block in enumerate(CODE):
        exec(compile(block, f"{PAGE.name}, block {number}", "exec"), namespace)  # noqa: S102 - it is our own page
    assert len(CODE) > 8 and "page.send SUCCESS" in capsys.readouterr().out


@pytest.mark.parametrize("name", shike.__all__)
def test_every_public_name_is_on_the_page(name: str) -> None:
    assert name == "__version__" or re.search(rf"\b{name}\b", TEXT)


@pytest.mark.parametrize("name", list(methods()))
def test_every_public_method_is_on_the_page(name: str) -> None:
    assert name in WORDS


@pytest.mark.parametrize("name", [*SETTINGS, *OPTIONS, *Policies.__struct_fields__])
def test_every_setting_of_a_task_a_submit_and_a_schedule_is_on_the_page(name: str) -> None:
    assert f"`{name}`" in TEXT


@pytest.mark.parametrize("name", events.NAMES)
def test_every_event_is_on_the_page(name: str) -> None:
    assert f"`{name}`" in TEXT


def test_every_error_of_the_page_is_one_of_ours() -> None:
    named = set(re.findall(r"`([A-Z]\w+)`", TEXT[TEXT.index("## Errors") :])) - {"ValueError"}
    assert len(named) > 15 and all(issubclass(getattr(errors, name), errors.ShikeError) for name in named)


def test_the_contents_lead_to_the_sections() -> None:
    headings = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    links = re.findall(r"\]\(#([a-z-]+)\)", TEXT)
    assert links == [heading.lower().replace(" ", "-") for heading in headings]
