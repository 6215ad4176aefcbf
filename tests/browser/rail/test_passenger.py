"""A passenger at the railway's pages: finds a train, sees its seats along the line, holds, pays, changes, gives back,
waits; by mouse and by keyboard, on a phone, in the dark, in Chinese (R1.1, R1.6, R1.7)."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from urllib.parse import quote, urlencode

import pytest

from tests.browser.rail.conftest import PHONE, Traveller
from tests.browser.rail.site import DAY, EMPTY, FULL, LATER, key

expect = pytest.importorskip("playwright.sync_api").expect
DOCUMENTS = count(1_000_000)
WAY = {"from": "Berlin Hbf", "to": "Köln Hbf"}


def train(name: str, **more: str) -> str:
    return f"/rail/trains/{quote(key(name))}?{urlencode({**WAY, 'class': 'second', **more})}"


def fill_in(one: Traveller) -> None:
    one.page.get_by_label("Name").fill("Ada Lovelace")
    one.page.get_by_label("Number").fill(f"X{next(DOCUMENTS)}")


def hold(one: Traveller, name: str = EMPTY) -> None:
    one.go(train(name))
    fill_in(one)
    one.page.get_by_role("button", name="Hold for 15 minutes").click()
    one.page.wait_for_url(re.compile("/rail/orders/"))


def pay(one: Traveller) -> None:
    one.page.get_by_role("button", name="Pay", exact=True).click()
    one.page.wait_for_url(re.compile("/rail/pay/"))
    one.page.get_by_role("button", name="Pay now").click()
    one.page.wait_for_url(re.compile("/rail/orders/"))
    expect(one.page.locator("h1 .badge")).to_have_text("ticketed")


def test_from_search_to_ticket_and_back(traveller: Callable[..., Traveller]) -> None:
    one = traveller()
    page = one.go("/rail")
    page.get_by_label("From").fill("Berlin Hbf")
    page.get_by_label("To", exact=True).fill("Köln Hbf")
    page.get_by_label("Date").fill(str(DAY))
    page.get_by_role("button", name="Search").click()
    page.locator(".journey", has_text=EMPTY).locator("a.offer", has_text="Second").click()
    expect(page.locator("h1")).to_contain_text(EMPTY)
    one.sound()
    fill_in(one)
    page.get_by_role("radio", name="Window").check()
    page.get_by_role("button", name="Hold for 15 minutes").click()
    page.wait_for_url(re.compile("/rail/orders/"))
    expect(page.locator(".countdown time")).to_have_text(re.compile(r"\d+:\d\d"))
    expect(page.locator(".seat-name")).to_have_text(re.compile(r"\d\d-\d\d"))
    one.sound()
    pay(one)
    page.get_by_role("button", name="What would come back?").click()
    expect(page.locator("[data-quoted]")).to_contain_text("comes back")
    one.sound()
    page.get_by_role("button", name="Give back now").click()
    expect(page.locator("h1 .badge")).to_have_text("closed")
    one.go("/rail/orders")
    expect(page.locator(".list .badge")).to_have_text("closed")
    one.sound()


def test_a_seat_is_chosen_on_the_map(traveller: Callable[..., Traveller]) -> None:
    one = traveller()
    page = one.go(train(EMPTY))
    seat = page.locator("[data-seats] .seat.free").nth(40)
    name = seat.get_attribute("data-name")
    seat.click()
    expect(page.locator("[data-own-seat]")).to_contain_text(f"{name} (1 of 1)")
    fill_in(one)
    page.get_by_role("button", name="Hold for 15 minutes").click()
    page.wait_for_url(re.compile("/rail/orders/"))
    expect(page.locator(".seat-name")).to_have_text(str(name))


def test_tickets_are_changed_into_another_train(traveller: Callable[..., Traveller]) -> None:
    one = traveller()
    hold(one)
    pay(one)
    one.page.get_by_role("button", name="Show trains").click()
    one.page.locator(".journey", has_text=LATER).locator("button.offer", has_text="Second").click()
    expect(one.page.locator("[data-change-quoted]")).to_contain_text("To pay")
    one.page.get_by_role("button", name="Change now").click()
    expect(one.page.locator("h2", has_text=LATER)).to_be_visible()


def test_who_cannot_hold_is_told_what_else_there_is_and_waits(traveller: Callable[..., Traveller]) -> None:
    one = traveller()
    page = one.go(train(FULL))
    fill_in(one)
    one.expected = 1
    page.get_by_role("button", name="Try to hold anyway").click()
    expect(page.locator(".buy .trouble")).to_contain_text("not so many seats")
    expect(page.locator(".buy .trouble a").first).to_contain_text("first")
    one.sound()
    page.get_by_role("button", name="Wait for seats").click()
    page.wait_for_url(re.compile("/rail/orders/"))
    expect(page.locator("h1 .badge")).to_have_text("waiting")
    page.get_by_role("button", name="Give it up").click()
    expect(page.locator("h1 .badge")).to_have_text("cancelled")


def test_the_slider_shows_the_seats_of_each_stretch(traveller: Callable[..., Traveller]) -> None:
    one = traveller()
    page = one.go(train(FULL))
    whole = int(page.locator("[data-count=taken]").inner_text())
    page.get_by_label("Along the line").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#along-where")).to_have_text("Berlin Ostbahnhof → Berlin Hbf")
    first = int(page.locator("[data-count=taken]").inner_text())
    page.keyboard.press("End")
    expect(page.locator("#along-where")).to_have_text("Düsseldorf Hbf → Köln Hbf")
    assert int(page.locator("[data-count=taken]").inner_text()) != whole and first > 0
    page.locator("[data-seats] .seat.taken").first.click()
    expect(page.locator("[data-seat-words]")).to_contain_text("→")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.classList.contains('chosen')")


def test_the_triangle_is_walked_by_arrows_and_leads_to_a_ride(traveller: Callable[..., Traveller]) -> None:
    one = traveller()
    page = one.go(train(FULL))
    assert page.locator(".triangle td a").count() == 136, "all pairs of 17 calls"
    page.locator(".triangle td a[aria-current]").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("Wannsee|Zoologischer"))
    expect(page.locator(".lead")).to_contain_text("Düsseldorf Hbf")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_pages_hold_up_on_a_phone(traveller: Callable[..., Traveller], scheme: str, lang: str) -> None:
    one = traveller(viewport=PHONE, color_scheme=scheme, has_touch=True)
    for path in (f"/rail?{urlencode({**WAY, 'date': str(DAY)})}&lang={lang}", train(FULL, lang=lang), "/rail/orders"):
        one.go(path)
        assert one.page.get_attribute("html", "lang") == {"en": "en", "zh": "zh-Hans"}[lang]
        one.sound()


def test_nothing_inline_runs(traveller: Callable[..., Traveller]) -> None:
    one = traveller()
    answer = one.page.goto("/rail")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert one.page.evaluate("document.querySelectorAll('script:not([src]), [style], [onclick]').length") == 0
