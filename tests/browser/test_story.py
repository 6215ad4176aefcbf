"""Somebody who never saw Shike finds out in a minute why last night's report of 02:30 was late (issue 6)."""

from __future__ import annotations

from collections.abc import Callable

from shike.server.roles import Role
from tests.browser.conftest import Visitor


def test_why_was_the_report_of_half_past_two_late(visitor: Callable[..., Visitor]) -> None:
    someone = visitor(Role.VIEWER)
    page = someone.go("/runs")
    page.fill("#q", "report.night state:success")  # tonight's may be under way just now
    page.press("#q", "Enter")
    page.click("tbody a >> text=report.night")
    page.wait_for_selector("#story")
    assert "T02:30:00" in str(page.get_attribute(".kv time", "datetime"))
    (late,) = page.locator(".figure[data-mood=warn] dd").all_inner_texts()
    assert "min" in late
    cause = page.inner_text(".waterfall tbody tr:first-child td:last-child")
    assert "all slots were busy" in cause and "backup.table" in cause
    meanwhile = page.inner_text("section[aria-labelledby=meanwhile]")
    assert "shop-1" in meanwhile and "backup.table" in meanwhile
    ends = page.eval_on_selector_all("section[aria-labelledby=meanwhile] time", "all => all.map(one => one.dateTime)")
    assert len(ends) > 1 and ends == sorted(ends, reverse=True), "the last to end first"
    someone.sound()
    page.click("section[aria-labelledby=meanwhile] tbody a")
    page.wait_for_selector("h1:text-is('backup.table')")
