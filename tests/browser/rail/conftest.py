"""One railway for all tests here, a window of its own for each. Whatever the browser complains of fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.rail.site import Site

playwright = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright (make .venv/.dev)")

ABOVE = Path(__file__).parents[1]
AXE = (ABOVE / "axe" / "axe.min.js").read_text("utf-8")
WAIT_MILLIS = 45_000
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

playwright.expect.set_options(timeout=WAIT_MILLIS)


@pytest.fixture(scope="session")
def railway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("railway")) as found:
        yield found


class Traveller:
    """A browser window. Errors that the browser reports are kept, and fail the test."""

    def __init__(self, browser: playwright.Browser, railway: Site, **how: object) -> None:
        how.setdefault("viewport", WIDE)
        how.setdefault("locale", "en-GB")
        self.railway = railway
        self.context = browser.new_context(base_url=railway.url, reduced_motion="reduce", **how)
        self.context.set_default_timeout(WAIT_MILLIS)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.expected = 0  # refusals that the test provokes: the browser reports each as an error
        self.page.on("console", lambda told: self.errors.append(told.text) if told.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def go(self, path: str) -> playwright.Page:
        self.page.goto(path)
        self.page.wait_for_selector("main h1")
        return self.page

    def sound(self) -> None:
        """Accessible, as far as axe can tell; no wider than the window; and nothing to complain of."""
        self.page.evaluate(AXE)
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        broken = [(one["id"], [node["html"][:160] for node in one["nodes"][:3]]) for one in found["violations"]]
        assert not broken, broken
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 1, f"the page is {wide} px wider than the window"
        self.quiet()

    def quiet(self) -> None:
        assert len(self.errors) <= self.expected, self.errors


@pytest.fixture
def traveller(browser: playwright.Browser, railway: Site) -> Iterator[Callable[..., Traveller]]:
    """Makes travellers; at the end nobody's browser may have complained."""
    made: list[Traveller] = []

    def make(**how: object) -> Traveller:
        made.append(Traveller(browser, railway, **how))
        return made[-1]

    yield make
    for one in made:
        one.context.close()
    for one in made:
        one.quiet()
