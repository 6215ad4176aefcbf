"""The pages of runs: search with completion, follow live, deal with many, with one, make a new one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shike.model import State
from shike.server.roles import Role
from shike.store.base import RunFilter
from tests.browser.conftest import Visitor
from tests.browser.site import Site

Makes = Callable[..., Visitor]


def submitted(site: Site, *, key: str = "", delay: str = "", order: int = 1) -> str:
    """A run that nobody works on: there is no worker here."""

    async def store() -> str:
        task = site.app.find_task("payment.take")
        call: Any = task.in_(delay) if delay else task
        handle = await site.app.client.submit(call.options(key=key or None).bind(order=order))
        return str(handle.id)

    return site.do(store())


def state_of(site: Site, run: str) -> State:
    found = site.do(site.store.find(int(run)))
    assert found is not None
    return found.state


def test_a_search_is_completed_as_it_is_typed(visitor: Makes) -> None:
    someone = visitor(Role.VIEWER)
    page = someone.go("/runs")
    page.click("#q")
    page.keyboard.type("sta")
    page.wait_for_selector("#q-options [data-value='state:']")
    someone.until(lambda: page.locator("#q-options [role=option]").count() == 1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#q-options [data-value='state:dead']")
    page.keyboard.type("dea")
    someone.until(lambda: page.locator("#q-options [role=option]").count() == 1)
    page.keyboard.press("ArrowDown")
    someone.sound()
    page.keyboard.press("Enter")
    assert page.input_value("#q") == "state:dead "
    page.wait_for_selector("#q-options [data-value='task:']")  # what may come next; without it Escape leaves the field
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs?q=state%3Adead**")
    page.wait_for_selector("tbody tr")
    states = page.eval_on_selector_all("tbody .state", "all => all.map(one => one.dataset.state)")
    assert set(states) == {"DEAD"}


def test_what_cannot_be_read_says_which_word(visitor: Makes) -> None:
    someone = visitor(Role.VIEWER)
    page = someone.go("/runs?q=state:nonsense", wait="h1")
    someone.refusals += 1
    assert "nonsense is no state" in page.inner_text("main")


def test_a_new_run_appears_by_itself_and_not_while_it_is_paused(visitor: Makes) -> None:
    someone = visitor(Role.VIEWER)
    page = someone.go("/runs?q=key:live-1")
    page.wait_for_selector("body[data-listening]")
    submitted(someone.site, key="live-1")
    page.wait_for_selector("tbody tr")
    page.keyboard.press("p")
    page.wait_for_selector("[data-live-toggle][aria-pressed=false]")
    page.wait_for_selector("body:not([data-listening])")
    page.keyboard.press("j")
    assert page.locator("tr.here").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_selector("#facts")


def test_all_that_match_are_cancelled_after_they_were_counted(visitor: Makes) -> None:
    someone = visitor(Role.OPERATOR)
    runs = [submitted(someone.site, delay="3h", order=7_000_001) for _ in range(3)]
    page = someone.go("/runs?q=args.order:7000001")
    page.click("button:text-is('Cancel')")
    page.wait_for_selector("dialog[open]")
    assert page.inner_text(".count") == "3"
    someone.sound()
    page.fill("#f-reason", "not wanted")
    page.click("dialog .main-deed")
    page.wait_for_selector(".toast")
    assert "3 runs are cancelled" in page.inner_text(".toasts")
    assert {state_of(someone.site, run) for run in runs} == {State.CANCELLED}
    entry = someone.site.do(someone.site.desk.log.page(0, 1))[0]
    assert entry.deed == "POST /console/runs/bulk" and entry.after["done"] == 3 and entry.role == "operator"


def test_more_than_were_counted_are_left_alone(visitor: Makes) -> None:
    someone = visitor(Role.OPERATOR)
    first = submitted(someone.site, delay="3h", order=7_000_002)
    page = someone.go("/runs?q=args.order:7000002")
    page.click("button:text-is('Run now')")
    page.wait_for_selector("dialog[open]")
    submitted(someone.site, delay="3h", order=7_000_002)
    page.click("dialog .main-deed")
    page.wait_for_selector("dialog .wrong")
    someone.refusals += 1
    assert "There are 2 now" in page.inner_text("dialog .wrong")
    page.click("dialog [data-close]")
    known = someone.site.do(someone.site.store.live(int(first)))
    assert known is not None and known.version == 1


def test_one_run_is_promoted_and_cancelled_with_a_reason(visitor: Makes) -> None:
    someone = visitor(Role.OPERATOR)
    run = submitted(someone.site, delay="3h")
    page = someone.go(f"/runs/{run}")
    page.click("button:text-is('Run now')")
    page.wait_for_selector(".toast")
    page.wait_for_selector(".state[data-state=PENDING]")
    page.click("button:text-is('Cancel')")
    page.wait_for_selector("dialog[open]")
    page.fill("#f-reason", "<b>changed</b> my mind")
    page.click("dialog .main-deed")
    page.wait_for_selector(".state[data-state=CANCELLED]")
    assert "<b>changed</b> my mind" in page.inner_text("main")
    page.click("button:text-is('Run again')")
    page.wait_for_selector("dt:text-is('Replay of')")


def test_a_run_is_edited_and_run_again(visitor: Makes) -> None:
    someone = visitor(Role.OPERATOR)
    (dead,) = someone.site.do(someone.site.store.runs(RunFilter(task="parcel.announce", states=(State.DEAD,), limit=1)))
    page = someone.go(f"/runs/{dead.run.id}")
    calls = page.locator("pre.calls")
    assert calls.count() == 2 and "parcel_announce" in calls.first.inner_text()
    assert "carrier" in calls.first.inner_text() or "weight" in calls.first.inner_text(), "the line itself"
    someone.sound()
    page.click("text=Edit and run again")
    page.wait_for_selector("#f-arguments")
    page.fill("#f-arguments", '{"order": "many"}')
    page.click("button[type=submit]")
    page.wait_for_selector(".wrong")
    someone.refusals += 1
    assert page.get_attribute("#f-arguments", "aria-invalid") == "true"
    someone.sound()
    page.fill("#f-arguments", '{"order": 8}')
    page.fill("#f-delay", "2h")
    page.click("button[type=submit]")
    page.wait_for_selector(".toast")
    page.wait_for_selector(".state[data-state=SCHEDULED]")
    assert '"order": 8' in page.inner_text("pre")


def test_viewers_are_offered_no_deeds(visitor: Makes) -> None:
    someone = visitor(Role.VIEWER)
    run = submitted(someone.site, delay="3h")
    page = someone.go(f"/runs/{run}")
    assert page.locator("main button:not(.live)").count() == 0 and page.locator("main a.button").count() == 0
    page = someone.go("/runs")
    assert page.locator("main button:text-is('Cancel')").count() == 0
