"""The page of limits, in a browser: who may changes one, and resets it (R0.9)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shike import Concurrency
from shike.limit.declared import Limits, named
from shike.limit.rows import declare
from shike.server.roles import Role
from tests.browser.conftest import Visitor
from tests.browser.site import Site

Makes = Callable[..., Visitor]
ROW = "tr:has(td:text-is('bakery.print'))"


@pytest.fixture(autouse=True)
def limited(site: Site) -> None:
    """A program has told of a limit."""
    site.do(declare(site.store, [Limits("bakery.print", tuple(named([Concurrency(3)])), (), {})]))


def test_a_limit_is_changed_and_reset(visitor: Makes) -> None:
    someone = visitor(Role.OPERATOR)
    page = someone.go("/limits")
    page.click(f"{ROW} >> button:text-is('Change')")
    page.wait_for_selector("#dialog[open]")
    assert page.input_value("#f-numbers") == "cap=3"
    someone.sound()
    page.fill("#f-numbers", "cap=none")
    page.click("#dialog button[type=submit]")
    page.wait_for_selector("#f-numbers[aria-invalid=true]")
    someone.refusals += 1
    page.fill("#f-numbers", "cap=5")
    page.click("#dialog button[type=submit]")
    page.wait_for_selector(f"{ROW} >> td:text-is('5 at once')")
    someone.sound()
    page.click(f"{ROW} >> button:text-is('Reset')")
    page.wait_for_selector(f"{ROW} >> td:text-is('3 at once')")
    assert page.locator("button:text-is('Reset')").count() == 0


def test_who_only_looks_changes_no_limit(visitor: Makes) -> None:
    page = visitor(Role.VIEWER).go("/limits")
    page.wait_for_selector(f"{ROW} >> td:text-is('3 at once')")
    assert page.locator("button:text-is('Change')").count() == page.locator("button:text-is('Lift')").count() == 0


def test_the_dialog_in_chinese(visitor: Makes) -> None:
    someone = visitor(Role.OPERATOR).prefer(lang="zh")
    page = someone.go("/limits")
    page.click(f"{ROW} >> button:text-is('修改')")
    page.wait_for_selector("#dialog[open] #f-numbers")
    assert "bakery.print" in page.inner_text("#dialog-title")
    someone.sound()
