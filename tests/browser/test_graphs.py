"""The pages of graphs, workers, buckets, access keys and the log, in a browser (R2.14)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from shike.app import Shike
from shike.engine import Roles
from shike.model import TERMINAL
from shike.operate.graphs import picture
from shike.server.roles import Role
from tests.browser.conftest import PHONE, WIDE, Visitor
from tests.browser.site import Site

Makes = Callable[..., Visitor]
QUEUE = "bakery"
ENDS = {state.name for state in TERMINAL}


async def baked(app: Shike) -> str:
    """A graph that has come as far as it can: one branch failed, one waits for a person. Its id."""
    if "bakery.step" not in app.tasks:

        @app.task(name="bakery.step", queue=QUEUE)
        async def step(x: object = None) -> str:
            return "yes"

        @app.task(name="bakery.fail", queue=QUEUE)
        async def fail() -> None:
            raise ValueError("the oven is cold")

    step, fail = app.find_task("bakery.step"), app.find_task("bakery.fail")
    graph = app.graph()
    dough = graph.add(step.bind())
    oven = graph.add(fail.bind()).after(dough)
    bread = graph.add(step.bind(dough.result)).after(oven)
    left = graph.add(step.bind()).when(dough, "yes")
    pay = graph.add(step.bind(), approval="1d").after(left)
    for name, node in {"dough": dough, "oven": oven, "bread": bread, "left": left, "pay": pay}.items():
        node.name = name
    await graph.submit()
    async with app.running(Roles(scheduler=False, queues=(QUEUE,))):
        async with asyncio.timeout(50):
            while any(node.state not in ENDS for node in (await picture(app.client, int(graph.id))).nodes[:-1]):
                await asyncio.sleep(0.02)
    return str(graph.id)


@pytest.fixture
def graph(site: Site) -> str:
    return site.do(baked(site.app))


def test_a_graph_is_drawn_and_says_why_a_run_waits(visitor: Makes, graph: str) -> None:
    someone = visitor(Role.VIEWER)
    page = someone.go("/graphs")
    page.click(f"#table a:text-is('{graph}')")
    page.wait_for_selector("svg.graph")
    states = {
        node.locator(".name").text_content(): node.get_attribute("data-state")
        for node in page.locator("svg.graph .node").all()
    }
    assert states == {"dough": "SUCCESS", "oven": "DEAD", "bread": "SKIPPED", "left": "SUCCESS", "pay": "WAITING"}
    waits = page.inner_text("section[aria-labelledby=waits]")
    assert "pay" in waits and "1 of 1 met" in waits and "waits for a person" in waits and "left" in waits
    assert "the oven is cold" in page.inner_text("section[aria-labelledby=nodes]")
    assert page.locator("text=Run again from here").count() == 0
    someone.sound()


def test_what_waits_for_a_person_is_looked_at_and_approved(visitor: Makes, graph: str) -> None:
    someone = visitor(Role.OPERATOR)
    page = someone.go(f"/graphs/{graph}")
    page.click("text=Look at it")
    page.wait_for_selector("#dialog[open] pre")
    assert "bakery.step" in page.inner_text("#dialog")
    someone.sound()
    page.click("#dialog >> text=Approve")
    page.wait_for_selector(".toast:has-text('was approved')")
    page.wait_for_selector("svg.graph .node:has-text('pay')[data-state=PENDING]")
    page.click("text=Cancel the graph")
    page.wait_for_selector("#dialog[open] .count:text-is('1')")
    page.click("#dialog button[type=submit]")
    page.wait_for_selector("svg.graph .node:has-text('pay')[data-state=CANCELLED]")


def test_a_graph_runs_again_from_a_node(visitor: Makes, graph: str) -> None:
    someone = visitor(Role.OPERATOR)
    page = someone.go(f"/graphs/{graph}")
    page.click("section[aria-labelledby=nodes] tr:has-text('oven') >> text=Run again from here")
    page.wait_for_selector("#dialog[open] .count:text-is('2')")
    page.click("#dialog button[type=submit]")
    page.wait_for_selector(".toast:has-text('2 runs were submitted')")
    assert graph not in page.inner_text("h1")
    names = page.locator("svg.graph .name").all_text_contents()
    assert sorted(names) == ["bread", "oven"]


def test_workers_and_buckets_are_shown(visitor: Makes, graph: str) -> None:
    someone = visitor(Role.VIEWER)
    page = someone.go("/workers")
    page.fill("#run", graph)
    page.click("text=Explain")
    page.wait_for_selector("#answer:has-text('it has no route')")
    someone.sound()
    page = someone.go("/buckets")
    assert page.locator(".ranges rect").count() >= 1
    someone.sound()


def test_a_key_is_made_shown_once_rotated_and_revoked(visitor: Makes) -> None:
    someone = visitor(Role.ADMIN)
    page = someone.go("/access")
    page.click("text=New key")
    page.wait_for_selector("#dialog[open]")
    page.fill("#f-name", "two words")
    page.click("#dialog button[type=submit]")
    page.wait_for_selector("#f-name[aria-invalid=true]")
    someone.refusals += 1
    page.fill("#f-name", "ci")
    page.select_option("#f-role", "operator")
    page.fill("#f-queues", "mail, parcels")
    page.click("#dialog button[type=submit]")
    page.wait_for_selector("#new-key")
    first = page.inner_text("#new-key").strip()
    assert someone.site.do(someone.site.desk.keys.who(first)).queues == ("mail", "parcels")
    someone.sound()
    page.click("text=I have it")
    page.wait_for_selector("tr:has-text('ci')")
    assert first not in page.content()
    page.click("tr:has-text('ci') >> button:has-text('Rotate')")
    page.fill("#f-hours", "0")
    page.click("#dialog button[type=submit]")
    page.wait_for_selector("#new-key")
    assert page.inner_text("#new-key").strip() != first
    page.click("text=I have it")
    page.wait_for_selector("#new-key", state="detached")
    page.wait_for_load_state()
    page.click("tr:has-text('ci') >> button:has-text('Revoke')")
    page.wait_for_selector("#dialog[open]")
    page.click("#dialog button[type=submit]")
    page.wait_for_selector("tr.void:has-text('ci')")


def test_the_log_tells_of_it_and_is_checked(visitor: Makes) -> None:
    someone = visitor(Role.ADMIN)
    someone.site.do(someone.site.desk.log.note(None, "10.0.0.7", "POST /somewhere", 200, {"a": 1}, {"a": 2}))
    page = someone.go("/log")
    page.fill("#q", "10.0.0.7")
    page.press("#q", "Enter")
    page.wait_for_selector("tbody tr:has-text('/somewhere')")
    page.click("tbody summary")
    assert '"a": 2' in page.inner_text("tbody pre")
    page.click("text=Check the chain")
    page.wait_for_selector("#checked .note[data-mood=good]")
    someone.sound()
    page.click("text=Drop old entries")
    page.wait_for_selector("#dialog[open]")
    page.fill("#f-keep_days", "x")
    page.click("#dialog button[type=submit]")
    page.wait_for_selector("#f-keep_days[aria-invalid=true]")
    someone.refusals += 1
    page.fill("#f-keep_days", "400")
    page.click("#dialog button[type=submit]")
    page.wait_for_selector(".toast:has-text('0 entries were dropped')")


def test_who_is_no_admin_sees_no_keys(visitor: Makes) -> None:
    someone = visitor(Role.EDITOR)
    page = someone.go("")
    assert page.locator("nav >> text=Access keys").count() == 0
    someone.refusals += 1
    page.goto("/console/access")
    page.wait_for_selector("h1")
    assert "needs the role admin" in page.inner_text("main")


@pytest.mark.parametrize(("theme", "lang", "size"), [("dark", "zh", WIDE), ("light", "en", PHONE)])
def test_a_graph_is_sound_in_each_dress(
    visitor: Makes, graph: str, theme: str, lang: str, size: dict[str, int]
) -> None:
    someone = visitor(viewport=size).prefer(theme=theme, lang=lang)
    someone.go(f"/graphs/{graph}")
    someone.sound()


def test_a_strike_is_made_and_lifted(visitor: Makes) -> None:
    someone = visitor(Role.OPERATOR)
    page = someone.go("/limits")
    page.click(".head >> text=Strike")
    page.wait_for_selector("#dialog[open]")
    page.fill("#f-predicate", "task = = mail")
    page.fill("#f-reason", "their relay bounces")
    page.click("#dialog button[type=submit]")
    page.wait_for_selector("#f-predicate[aria-invalid=true]")
    someone.refusals += 1
    someone.sound()
    page.fill("#f-predicate", "task=bakery.nothing")
    page.click("#dialog button[type=submit]")
    page.wait_for_selector("td:text-is('task=bakery.nothing')")
    someone.sound()
    page.click("button:text-is('Lift')")
    page.wait_for_selector("text=Nothing is struck")
