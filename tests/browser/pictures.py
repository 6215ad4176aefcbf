"""Pictures of every page, to be looked at: `python -m tests.browser.pictures FOLDER [PATH …]`.

The site is alive: its worker works, so the plots move. Each page is taken wide and light, wide and dark in Chinese, and
as a phone shows it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from shike.demo.day import LATE
from shike.model import State
from shike.operate.dead import fingerprint_of
from shike.server.console import pages
from shike.store.base import RunFilter
from tests.browser.conftest import CHROMIUM, FLAGS, PHONE, WIDE, Visitor
from tests.browser.site import Site

DRESSES = (("light-en", "light", "en", WIDE), ("dark-zh", "dark", "zh", WIDE), ("phone", "light", "en", PHONE))


def _others(site: Site) -> list[str]:
    """The run that was late, a dead letter, its kind, and the form of a new run."""
    (late,) = site.do(site.store.runs(RunFilter(task=LATE, states=(State.SUCCESS,), limit=1)))
    (dead,) = site.do(site.store.dead(1))
    kind = fingerprint_of(dead)
    return [f"/runs/{late.run.id}", f"/runs/{dead.run.id}", f"/failures/{kind}", f"/runs/new?again={dead.run.id}"]


def main(folder: Path, paths: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with Site(alive=True) as site, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for path in paths or [*(page.path for page in pages.found()[0]), *_others(site)]:
            for name, theme, lang, size in DRESSES:
                someone = Visitor(browser, site, viewport=size).sign_in().prefer(theme=theme, lang=lang)
                page = someone.go(path)
                page.wait_for_timeout(1500)
                words = (
                    re.sub(
                        r"\W+", "-", re.sub(r"[0-9a-f]{10,}|\d{6,}", lambda found: f"one-{found[0][-3:]}", path)
                    ).strip("-")
                    or "now"
                )
                page.screenshot(path=folder / f"{words}-{name}.png", full_page=True)
                print(f"{words}-{name}", *someone.errors)
                someone.context.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
