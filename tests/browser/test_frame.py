"""What holds on every page: the way in and out, language, theme, keys, refusals; and each page in each dress."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from shike.server.console import pages
from shike.server.roles import Role
from tests.browser.conftest import PHONE, WIDE, Visitor

Makes = Callable[..., Visitor]
PATHS = [page.path for page in pages.found()[0]]


def test_a_key_lets_in_and_a_wrong_one_says_so(visitor: Makes) -> None:
    someone = visitor(None)
    page = someone.go("", wait="#sign-in")
    assert page.url.endswith("/console/sign-in?next=%2Fconsole")
    someone.sound()
    page.fill("#key", "shike_0badbad0_" + "0" * 64)
    page.click("button[type=submit]")
    page.wait_for_selector(".toast[data-mood=bad]")
    someone.refusals += 1  # the browser reports the 401
    page.fill("#key", someone.site.key(Role.VIEWER))
    page.click("button[type=submit]")
    page.wait_for_selector("main h1")
    assert page.url.endswith("/console")
    assert "viewer" in page.inner_text(".who")
    cookie = next(one for one in someone.context.cookies() if one["name"] == "shike_sign_in")
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax"
    page.click(".who button")
    page.wait_for_selector("#sign-in")
    page.goto("/console")
    page.wait_for_selector("#sign-in")


def test_a_link_lets_in_once(visitor: Makes) -> None:
    first, second = visitor(None), visitor(None)
    secret = first.site.do(first.site.desk.sign_ins.link("ada", Role.OPERATOR))
    first.page.goto(f"/console/sign-in#once={secret}")
    first.page.wait_for_selector("main.main h1")
    assert "ada" in first.page.inner_text(".who") and secret not in first.page.url
    second.page.goto(f"/console/sign-in#once={secret}")
    second.page.wait_for_selector(".toast[data-mood=bad]")
    second.refusals += 1


def test_language_and_theme_are_chosen_and_kept(visitor: Makes) -> None:
    someone = visitor()
    page = someone.go()
    page.select_option("#lang", "zh")
    page.wait_for_selector("html[lang=zh-Hans]")
    page.select_option("#theme", "dark")
    page.wait_for_selector("html[data-theme=dark]")
    page.reload()
    assert page.get_attribute("html", "lang") == "zh-Hans" and page.get_attribute("html", "data-theme") == "dark"
    assert re.search("[\u4e00-\u9fff]", page.inner_text("main h1"))


def test_keys_go_to_pages_and_show_what_there_is(visitor: Makes) -> None:
    someone = visitor()
    page = someone.go()
    page.keyboard.press("?")
    page.wait_for_selector("#help[open]")
    page.click("#help [data-close]")
    for one in pages.found()[0]:
        page.keyboard.press("g")
        page.keyboard.press(one.letter)
        page.wait_for_url(f"**/console{one.path}")
        page.wait_for_selector("main h1")


def test_what_is_not_there_is_a_page_too(visitor: Makes) -> None:
    someone = visitor()
    someone.refusals += 1
    page = someone.go("/runs/1", wait="h1")
    assert "no run 1" in page.inner_text("main")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("theme", "lang", "size"), [("light", "en", WIDE), ("dark", "zh", WIDE), ("dark", "en", PHONE)]
)
def test_each_page_is_sound_in_each_dress(
    visitor: Makes, path: str, theme: str, lang: str, size: dict[str, int]
) -> None:
    someone = visitor(viewport=size).prefer(theme=theme, lang=lang)
    someone.go(path)
    someone.sound()
