"""The pages of schedules, in a browser: what each says, did and will do; made, edited, paused, filled up (R0.1)."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from shike.server.roles import Role
from tests.browser.conftest import PHONE, WIDE, Visitor

Makes = Callable[..., Visitor]


def test_they_are_found_by_a_word_while_it_is_typed(visitor: Makes) -> None:
    someone = visitor(Role.VIEWER)
    page = someone.go("/schedules")
    assert page.locator("tbody tr").count() >= 10 and page.locator("text=New schedule").count() == 0
    page.fill("#q", "report.n")
    page.wait_for_selector("#table tbody tr:only-child")
    page.click("#table tbody a")
    page.wait_for_selector("h1:text-is('default/report.night')")
    assert "every day at 02:30" in page.inner_text(".head")
    late = page.locator(".moments [data-became=late]")
    assert late.count() in (1, 2), "a quarter of an hour, as in each night that the day holds a part of"
    assert "min" in str(late.last.get_attribute("title"))
    assert page.locator(".calendar td.runs b").count() >= 35
    assert page.locator(".head button").count() == 0, "a viewer may look"
    someone.sound()
    late.last.click()
    page.wait_for_selector("h1:text-is('report.night')")


def test_what_a_cron_says_is_told_while_it_is_typed_with_the_days_the_clock_is_set(visitor: Makes) -> None:
    someone = visitor(Role.EDITOR)
    page = someone.go("/schedules/new")
    page.fill("#f-cron", "30 2 * * *")
    page.wait_for_selector("#seen .words:text-is('every day at 02:30, UTC')")
    page.fill("#f-tz", "Europe/Berlin")
    page.wait_for_selector("#seen th:text-is('In Europe/Berlin')")
    page.wait_for_selector("#seen .note:has-text('jumps 60 minutes ahead')")
    page.wait_for_selector("#seen .note:has-text('60 minutes back')")
    there, here = page.locator("#seen tbody tr").first.locator("td").all_inner_texts()
    assert "02:30:00" in there and re.search(r"\d\d:30:00", here) and there[4:] != here
    someone.sound()
    page.fill("#f-cron", "30 25 * * *")
    page.wait_for_selector("#seen .note:has-text('25')")
    page.check("[name=kind][value=every]")
    assert page.is_hidden("#f-cron") and page.is_visible("#f-every")
    page.fill("#f-every", "90m")
    page.wait_for_selector("#seen .words:has-text('30 minutes')")


def test_one_is_made_edited_paused_resumed_and_deleted(visitor: Makes) -> None:
    someone = visitor(Role.EDITOR)
    page = someone.go("/schedules/new")
    page.fill("#f-name", "tea")
    page.fill("#f-task", "mail.send")
    page.fill("#f-cron", "0 16 * * mon-fri")
    page.click("text=Store")
    page.wait_for_selector("#f-arguments[aria-invalid=true]")
    someone.refusals += 1
    page.fill("#f-arguments", '{"order": 7, "what": "tea"}')
    page.click("text=Store")
    page.wait_for_selector("h1:text-is('default/tea')")
    assert "tea is stored" in page.inner_text(".toast")
    page.click(".head >> text=Edit")
    page.wait_for_selector("#f-cron")
    assert page.input_value("#f-cron") == "0 16 * * mon-fri" and '"tea"' in page.input_value("#f-arguments")
    page.fill("#f-cron", "0 17 * * *")
    page.click("text=Store")
    page.wait_for_selector(".head:has-text('17:00')")
    page.click(".head >> text=Pause")
    page.wait_for_selector("#dialog[open]")
    page.fill("#f-reason", "no tea left")
    someone.sound()
    page.click("#dialog button[type=submit]")
    page.wait_for_selector(".note:has-text('no tea left')")
    page.click(".head >> text=Resume")
    page.wait_for_selector(".head >> text=Pause")
    page.click(".head >> text=Delete")
    page.wait_for_selector("#dialog[open]")
    page.click("#dialog button[type=submit]")
    page.wait_for_url("**/console/schedules")
    assert "tea" not in page.inner_text("#table")


def test_a_single_moment_is_a_schedule_too(visitor: Makes) -> None:
    someone = visitor(Role.EDITOR)
    page = someone.go("/schedules/new")
    page.fill("#f-name", "once")
    page.fill("#f-task", "report.night")
    page.check("[name=kind][value=at]")
    page.fill("#f-at", "2036-02-29T09:00")
    page.fill("#f-tz", "Asia/Shanghai")
    page.wait_for_selector("#seen .words:has-text('2036-02-29 01:00:00')")
    page.click("text=Store")
    page.wait_for_selector("h1:text-is('default/once')")
    stored = someone.site.do(someone.site.store.schedule("default/once"))
    assert stored is not None and stored.schedule.task == "report.night"


def test_who_was_slower_is_told(visitor: Makes) -> None:
    someone = visitor(Role.EDITOR)
    page = someone.go("/schedules/default/tidy/edit", wait="#f-cron")
    page.evaluate("document.querySelector('[name=version]').value = '99'")
    page.click("text=Store")
    page.wait_for_selector(".toast[data-mood=bad]:has-text('changed in between')")
    someone.refusals += 1


def test_past_moments_are_filled_up_after_a_look(visitor: Makes) -> None:
    someone = visitor(Role.OPERATOR)
    page = someone.go("/schedules/default/backup")
    page.click(".head >> text=Backfill")
    page.wait_for_selector("#would .count")
    page.fill("#f-start", "2026-01-01T00:00")
    page.fill("#f-end", "2026-01-01T00:00")
    page.dispatch_event("#f-end", "change")
    page.wait_for_selector("#would .note")
    someone.sound()


@pytest.mark.parametrize(("theme", "lang", "size"), [("light", "en", WIDE), ("dark", "zh", PHONE)])
@pytest.mark.parametrize("path", ["/schedules/day", "/schedules/new", "/schedules/default/orders"])
def test_each_is_sound_in_each_dress(visitor: Makes, path: str, theme: str, lang: str, size: dict[str, int]) -> None:
    someone = visitor(viewport=size).prefer(theme=theme, lang=lang)
    someone.go(path)
    someone.sound()
