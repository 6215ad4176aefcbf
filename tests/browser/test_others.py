"""Now, failures and audit: each of their deeds, in a browser."""

from __future__ import annotations

from collections.abc import Callable

from shike.connect.alarms.trying import letter
from shike.model import Ended
from shike.server.roles import Role
from shike.track.alarm import encoded, key_of
from tests.browser.conftest import Visitor
from tests.browser.test_runs import submitted

Makes = Callable[..., Visitor]


def test_now_draws_what_is_ahead_and_changes_by_itself(visitor: Makes) -> None:
    someone = visitor(Role.VIEWER)
    page = someone.go()
    page.wait_for_selector("[data-plot] canvas")
    assert page.locator("[data-plot] canvas").count() == 3
    assert "second of the minute" in page.inner_text("section[aria-labelledby=late] .u-legend")
    page.wait_for_selector("body[data-listening]")
    total = int(page.inner_text("[data-pick=total]"))
    for number in range(20):
        submitted(someone.site, delay=f"{100 + 30 * number}s")
    someone.until(lambda: int(page.inner_text("[data-pick=total]")) > total)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 700, "height": 900})
    someone.until(lambda: (page.locator("[data-plot] canvas").first.bounding_box() or {"width": 9e9})["width"] < 700)
    someone.sound()


def test_dead_letters_of_a_kind_are_replayed_one_edited_and_all(visitor: Makes) -> None:
    someone = visitor(Role.OPERATOR)
    page = someone.go("/failures")
    someone.sound()
    page.click("tbody a >> text=CarrierDown")
    page.wait_for_selector("h1")
    someone.sound()
    waiting = int(page.inner_text(".figure[data-mood=bad] dd"))
    page.click("tbody button >> nth=0")
    page.wait_for_selector("dt:text-is('Replay of')")
    page.go_back()
    page.reload()
    page.wait_for_selector("text=replayed as")
    page.click("tbody a:text-is('Edited') >> nth=0")
    page.wait_for_selector("#f-arguments")
    page.go_back()
    page.click("button:text-is('Replay all')")
    page.wait_for_selector("dialog[open]")
    assert page.inner_text(".count") == str(waiting - 1)
    someone.sound()
    page.click("dialog .main-deed")
    page.wait_for_url("**/failures")
    page.wait_for_selector(".toast")
    assert f"{waiting - 1} dead letters run again" in page.inner_text(".toasts")
    letters = someone.site.do(someone.site.store.dead(500))
    down = [one for one in letters if isinstance(one, Ended) and "carrier" in one.reason]
    assert down and all(one.replayed_as for one in down)
    page.click("tbody a >> text=CarrierDown")
    page.click("button:text-is('Drop all')")
    page.wait_for_selector("dialog[open]")
    page.click("dialog .main-deed")
    page.wait_for_url("**/failures")
    page.wait_for_selector(".toast")
    assert page.locator("tbody a >> text=CarrierDown").count() == 0


def test_an_alarm_appears_by_itself_and_is_taken_over(visitor: Makes) -> None:
    someone = visitor(Role.OPERATOR)
    page = someone.go("/alarms")
    someone.sound()
    page.wait_for_selector("body[data-listening]")
    alarm = letter().told[0].alarm
    row = someone.site.do(someone.site.store.put(key_of(alarm.id), encoded(alarm), expect=0))
    page.click("button:text-is('I look after it')")
    page.wait_for_selector(".toast")
    assert "operator looks after it" in page.inner_text(".toasts")
    page.click("nav.tabs a[href$='all=true']")
    page.wait_for_selector("nav.tabs a[href$='all=true'][aria-current]")
    assert "operator" in page.inner_text("tbody") and page.locator("tbody button").count() == 0
    someone.sound()
    assert row is not None


def test_an_audit_proves_the_day(visitor: Makes) -> None:
    someone = visitor(Role.VIEWER)
    page = someone.go("/audit")
    page.wait_for_selector("[data-proof=sound]")
    assert "accounted for, once" in page.inner_text("[data-proof]")
    assert "report.night" in page.inner_text("tbody")
    someone.sound()
    page.click("text=Last hour")
    page.wait_for_selector("[data-proof=sound]")
    page.fill("#f-start", "2026-01-02T00:00")
    page.fill("#f-end", "2026-01-01T00:00")
    page.click("button[type=submit]")
    page.wait_for_selector("text=the end comes after the start")
    someone.refusals += 1
