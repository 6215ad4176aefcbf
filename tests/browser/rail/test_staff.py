"""Staff at the railway's pages: sign in, see seats along the line and refusals by cause, take the advisor's prices,
call a train off (R1.4, R1.5)."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest

from shike.server.roles import Role
from tests.browser.rail.conftest import PHONE, Traveller
from tests.browser.rail.site import DAY, DOOMED, FULL, PLANNED, Site, key
from tests.browser.rail.test_passenger import fill_in, hold, train

expect = pytest.importorskip("playwright.sync_api").expect


def control(name: str, **more: str) -> str:
    return f"/rail/staff/trains/{quote(key(name))}?class=second" + "".join(f"&{k}={v}" for k, v in more.items())


def sign_in(one: Traveller, site: Site, role: Role = Role.OPERATOR) -> None:
    one.go("/rail/staff")
    one.page.get_by_label("Access key").fill(site.staff_key(role))
    one.page.get_by_role("button", name="Sign in").click()
    one.page.wait_for_url("**/rail/staff/day")


def test_strangers_are_sent_to_the_door(traveller: Callable[..., Traveller], railway: Site) -> None:
    one = traveller()
    one.expected = 2
    one.go(control(FULL))
    expect(one.page.locator("h1")).to_have_text("Who are you?")
    one.go("/rail/staff")
    one.page.get_by_label("Access key").fill("shike_0")
    one.page.get_by_role("button", name="Sign in").click()
    expect(one.page.locator(".trouble")).to_be_visible()
    one.sound()


def test_a_train_s_seats_and_why_people_were_refused(traveller: Callable[..., Traveller], railway: Site) -> None:
    passenger = traveller()
    passenger.expected = 1
    passenger.go(train(FULL))
    fill_in(passenger)
    passenger.page.get_by_role("button", name="Try to hold anyway").click()
    expect(passenger.page.locator(".buy .trouble")).to_be_visible()
    one = traveller()
    sign_in(one, railway)
    one.page.get_by_label("Date").fill(str(DAY))
    one.page.get_by_role("button", name="Show trains").click()
    one.page.get_by_role("link", name=FULL).click()
    page = one.page
    expect(page.locator("h1")).to_contain_text(key(FULL))
    assert page.locator(".grid rect.confirmed").count() > 300 and page.locator(".grid rect.held").count() > 5
    expect(page.locator("section[aria-labelledby=refusals]")).to_contain_text("really full")
    one.sound()


def test_advice_is_looked_at_and_taken(traveller: Callable[..., Traveller], railway: Site) -> None:
    one = traveller()
    sign_in(one, railway)
    page = one.go(control(PLANNED))
    page.get_by_role("navigation", name="Demand").get_by_text("2.0×").click()
    expect(page.locator("section[aria-labelledby=advisor] caption")).to_contain_text("2.0")
    page.get_by_role("button", name="Set these quotas").click()
    expect(page.locator("section[aria-labelledby=quotas]")).to_contain_text("advice second")
    page.get_by_role("button", name="Set these bid prices").click()
    expect(page.get_by_role("button", name="No bid prices any more")).to_be_visible()
    page.get_by_role("button", name="No bid prices any more").click()
    expect(page.locator("section[aria-labelledby=quotas]")).to_contain_text("none")


def test_a_train_that_does_not_run_is_called_off(traveller: Callable[..., Traveller], railway: Site) -> None:
    passenger, one = traveller(), traveller()
    hold(passenger, DOOMED)
    sign_in(one, railway)
    page = one.go(control(DOOMED))
    page.get_by_role("button", name="The train does not run").click()
    page.get_by_role("button", name="Yes").click()
    expect(page.locator("h1 .badge")).to_have_text("cancelled")
    passenger.page.reload()
    expect(passenger.page.locator("h1 .badge")).to_have_text("cancelled")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_staff_s_pages_hold_up_on_a_phone(traveller: Callable[..., Traveller], railway: Site, scheme: str) -> None:
    one = traveller(viewport=PHONE, color_scheme=scheme)
    sign_in(one, railway, Role.VIEWER)
    for path in ("/rail/staff/day?lang=zh", control(FULL, load="1.2")):
        one.go(path)
        one.sound()
    assert one.page.locator("#disruption").count() == 0, "a viewer only looks"
    assert re.search("viewer", railway.staff_key(Role.VIEWER)) is None
