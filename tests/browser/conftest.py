"""One server and one browser for all tests here; a page of its own for each. Whatever the browser complains of fails.

The browser is Debian's `chromium` (`make services` installs it). Where there is none these tests are skipped, and say
so; where CI is set they fail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shike.server.roles import Role
from tests.browser.site import Site

if os.environ.get("CI"):
    import playwright.sync_api as playwright
else:
    playwright = pytest.importorskip("playwright.sync_api", reason="THE CONSOLE IS NOT TESTED: no playwright here")

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text("utf-8")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WAIT_MILLIS = 45_000
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--in-process-gpu", "--renderer-process-limit=1"]


@pytest.fixture(scope="package")  # no longer: while it is open, an event loop runs in this thread
def browser() -> Iterator[playwright.Browser]:
    if CHROMIUM is None:
        words = "THE CONSOLE IS NOT TESTED: there is no chromium here; `make services` installs it"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with Site() as found:
        yield found


class Visitor:
    """A browser window of somebody who has signed in. Errors that the browser reports are kept, and fail the test."""

    def __init__(self, browser: playwright.Browser, site: Site, **how: object) -> None:
        how.setdefault("viewport", WIDE)
        how.setdefault("timezone_id", "Asia/Shanghai")
        how.setdefault("locale", "en-GB")
        self.site = site
        self.context = browser.new_context(base_url=site.url, reduced_motion="reduce", **how)
        self.context.set_default_timeout(WAIT_MILLIS)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.refusals = 0  # that the test provokes: the browser reports each, and so does htmx
        self.page.on("console", lambda told: self.errors.append(told.text) if told.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def sign_in(self, role: Role = Role.ADMIN) -> Visitor:
        """By a cookie: the form has a test of its own."""
        secret, _ = self.site.do(self.site.desk.sign_ins.by_key(self.site.key(role)))
        self.context.add_cookies([{"name": "shike_sign_in", "value": secret, "url": self.site.url, "httpOnly": True}])
        return self

    def prefer(self, *, theme: str = "", lang: str = "") -> Visitor:
        """A theme and a language, as if they had been chosen."""
        for name, value in (("shike_theme", theme), ("shike_lang", lang)):
            if value:
                self.context.add_cookies([{"name": name, "value": value, "url": self.site.url}])
        return self

    def go(self, path: str = "", *, wait: str = "main h1") -> playwright.Page:
        """Open a page of the console and wait until it is there."""
        self.page.goto(f"/console{path}")
        self.page.wait_for_selector(wait)
        return self.page

    def sound(self) -> None:
        """Accessible, as far as axe can tell; no wider than the window; and nothing to complain of."""
        self.page.evaluate(AXE)
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        broken = [
            (one["id"], one["help"], [node["html"][:160] for node in one["nodes"][:3]]) for one in found["violations"]
        ]
        assert not broken, broken
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 1, f"the page is {wide} px wider than the window"
        self.quiet()

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for what no selector tells. The page's policy forbids what playwright would evaluate."""
        for _ in range(WAIT_MILLIS // 50):
            if holds():
                return
            self.page.wait_for_timeout(50)
        raise AssertionError("it did not come true")

    def quiet(self) -> None:
        """Nothing that the browser complained of."""
        assert len(self.errors) <= 2 * self.refusals, self.errors


@pytest.fixture
def visitor(browser: playwright.Browser, site: Site) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors; at the end nobody's browser may have complained."""
    made: list[Visitor] = []

    def make(role: Role | None = Role.ADMIN, **how: object) -> Visitor:
        made.append(Visitor(browser, site, **how))
        return made[-1].sign_in(role) if role is not None else made[-1]

    yield make
    for one in made:
        one.context.close()
    for one in made:
        one.quiet()
