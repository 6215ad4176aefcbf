"""Both READMEs say the same, and what they say works."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from shike import State
from shike.cli.root import COMMANDS
from shike.testing import Harness

ROOT = Path(__file__).parents[2]
PAGES = {"en": ROOT / "README.md", "zh": ROOT / "README.zh.md"}


def text(page: str) -> str:
    return PAGES[page].read_text(encoding="utf-8")


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, code) of each."""
    return re.findall(r"^```(\w+)\n(.*?)^```", text(page), re.DOTALL | re.MULTILINE)


def python(page: str) -> list[str]:
    return [code for language, code in blocks(page) if language == "python"]


def shape(code: str) -> str:
    """A program without its comments and the words of its texts."""
    tree = compile(code, "README", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            node.values = [part for part in node.values if isinstance(part, ast.FormattedValue)]
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not node.value.isascii():
            node.value = "words"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            node.args = [argument for argument in node.args if not isinstance(argument, ast.Constant)]
    return ast.dump(tree)


def without_fences(page: str) -> str:
    return re.sub(r"^```.*?^```", "", text(page), flags=re.DOTALL | re.MULTILINE)


def test_they_have_the_same_sections_and_tables() -> None:
    english, chinese = (re.findall(r"^(#+ |\|)", without_fences(page), re.MULTILINE) for page in PAGES)
    assert english == chinese


def test_they_link_to_the_same_pages() -> None:
    english, chinese = (set(re.findall(r"\]\(([^)]+)\)", text(page))) for page in PAGES)
    assert english - {"README.zh.md"} == chinese - {"README.md"}


def test_they_show_the_same_code() -> None:
    assert [language for language, _ in blocks("en")] == [language for language, _ in blocks("zh")]
    assert [shape(code) for code in python("en")] == [shape(code) for code in python("zh")]
    english, chinese = (
        [re.sub(r" *#.*", "", code) for language, code in blocks(page) if language == "console"] for page in PAGES
    )
    assert english == chinese


def test_they_make_the_same_promises() -> None:
    english, chinese = (re.findall(r"^\| (P\d+) \|", text(page), re.MULTILINE) for page in PAGES)
    assert english == chinese and len(english) == 9


def test_every_command_of_the_page_is_one() -> None:
    named = re.findall(r"^\$ shike (\w+)", text("en"), re.MULTILINE)
    assert len(named) > 4 and set(named) <= COMMANDS.keys()


@pytest.mark.parametrize("page", PAGES)
def test_its_shop_and_its_test_work(
    page: str, shike_harness: Callable[..., Harness], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, _, tests = python(page)
    module = ModuleType("shop")
    monkeypatch.setitem(sys.modules, "shop", module)
    names: dict[str, Any] = vars(module)
    exec(compile(shop, "shop.py", "exec"), names)  # noqa: S102 - it is our own page
    names["State"] = State
    exec(compile(tests, "test_shop.py", "exec"), names)  # noqa: S102
    names["test_unpaid_orders_are_cancelled"](shike_harness)
    with_harness = shike_harness(names["app"])
    sent = with_harness.submit(names["send_receipt"].bind(7, "ada@example.org"))
    assert "7" in sent.result() and "ada@example.org" in sent.result()
