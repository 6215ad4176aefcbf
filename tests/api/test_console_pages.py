"""What the console shows: text and nothing else, in two languages, at a bounded cost (P10, issue 6)."""

from __future__ import annotations

import asyncio
import gzip
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient

from shike.clock import ManualClock
from shike.operate.sayings import ROUTED, SENTENCES
from shike.server.console import pages, stream
from shike.server.console.catalogue import WORDS, catalogue, say
from shike.server.console.live import Live, Topic
from shike.server.console.render import number, seconds
from shike.server.console.statics import HOME, address, statics
from shike.server.console.visit import LANGUAGES, visit_of
from shike.server.problems import TITLES
from tests.api.browsing import ORIGIN, look, send, signed_in
from tests.api.house import House, visit

BYTES_MAX = 120_000  # of all styles and scripts, compressed: the goal of issue 6
TEMPLATES = sorted((Path(pages.__file__).parents[1] / "templates").glob("*.html"))

# ---------------------------------------------------------------- what is shown


NASTY = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def test_everything_is_text_and_secrets_are_hidden() -> None:
    async def story(house: House) -> None:
        run = await house.submit(
            arguments={"order": 1, "note": NASTY}, key=NASTY.replace(" ", "_"), delay_seconds=900,
        )  # fmt: skip
        secret = await house.submit(task="other", arguments={"password": "hunter2", "x": {"api_key": "hunter2"}})
        cookie = await signed_in(house)
        for path in (f"/console/runs/{run}", "/console/runs?q=" + NASTY, f"/console/runs/new?again={run}"):
            said = await look(house, path, cookie)
            assert said.status_code == 200 and "&lt;script&gt;" in said.text
            assert "<script>alert" not in said.text and "<img src=x" not in said.text
        for path in (f"/console/runs/{secret}", f"/console/runs/new?again={secret}"):
            assert "hunter2" not in (await look(house, path, cookie)).text
        said = await send(house, "/console/runs/new", cookie, task="other", arguments='{"password": "‹secret›"}')
        assert said.status_code == 422 and said.json()["field"] == "arguments"

    visit(story)


def test_nothing_inline_and_nothing_from_elsewhere() -> None:
    async def story(house: House) -> None:
        cookie = await signed_in(house)
        for page in pages.found()[0]:
            said = await look(house, f"/console{page.path}", cookie)
            policy = said.headers["content-security-policy"]
            assert said.status_code == 200 and said.headers["cache-control"] == "no-store"
            assert "unsafe" not in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
            assert not re.search(r"(?:src|href)=\"(?:https?:)?//", said.text), page.name
            assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", said.text), page.name
            assert re.findall(r"<script(?! src=)[^>]*>", said.text).count('<script type="application/json">') == len(
                re.findall(r"<script(?! src=)", said.text)
            )

    visit(story)
    for path in TEMPLATES:
        assert not re.search(r"\|\s*safe|autoescape false|\sstyle=|hx-on", path.read_text("utf-8")), path.name


def test_each_page_has_a_letter_of_its_own() -> None:
    letters = [page.letter for page in pages.found()[0]]
    assert len(letters) == len(set(letters)), letters


def test_every_sentence_is_there_in_every_language() -> None:
    for path in WORDS.glob("*.toml"):
        for key, texts in tomllib.loads(path.read_text("utf-8")).items():
            assert set(texts) == set(LANGUAGES), (path.name, key)
            assert len({frozenset(re.findall(r"{(\w+)}", text)) for text in texts.values()}) == 1, (path.name, key)
            assert re.search("[\u4e00-\u9fff]", texts["zh"]) or texts["zh"] == texts["en"], (path.name, key)
    used = {key for path in TEMPLATES for key in re.findall(r"\bt\(\"([\w.]+)\"[,)]", path.read_text("utf-8"))}
    assert used <= set(catalogue("en"))
    assert say("zh", "now.title") != say("en", "now.title")


def test_every_way_to_wait_has_a_sentence_in_every_language_with_blanks_that_are_filled() -> None:
    told = tomllib.loads((WORDS / "causes.toml").read_text("utf-8"))
    assert set(told) == set(SENTENCES)
    for saying, texts in told.items():
        blanks = set(re.findall(r"{(\w+)}", SENTENCES[saying]))
        assert set(re.findall(r"{(\w+)}", texts["en"])) <= blanks, saying


def test_every_word_about_a_workers_choice_and_every_refusal_has_a_sentence_in_every_language() -> None:
    told = tomllib.loads((WORDS / "why.toml").read_text("utf-8"))
    assert {saying: texts["en"] for saying, texts in told.items()} == dict(ROUTED)
    titles = tomllib.loads((WORDS / "problem.toml").read_text("utf-8"))
    assert {key: texts["en"] for key, texts in titles.items()} == {f"title_{one}": TITLES[one] for one in TITLES}


def test_a_refusal_has_its_title_in_the_language_of_whoever_looks() -> None:
    async def story(house: House) -> None:
        cookie = await signed_in(house)
        for lang, title in (("zh", "未找到"), ("en", "Not found")):
            said = await look(house, "/console/runs/12345", f"{cookie}; shike_lang={lang}")
            assert said.status_code == 404 and f"<h1>{title}</h1>" in said.text

    visit(story)


def test_why_a_worker_is_or_is_not_chosen_is_told_in_chinese() -> None:
    async def story(house: House) -> None:
        cookie = f"{await signed_in(house)}; shike_lang=zh"
        run = await house.submit(task="pay", arguments={"order": 1})
        said = (await look(house, f"/console/runs/{run}", cookie)).text
        assert "没有路由：其队列中任何空闲的执行器都可领取" in said and "it has no route" not in said
        said = (await look(house, f"/console/workers/why?run={run}", cookie)).text
        assert "没有路由" in said

    visit(story)


@pytest.mark.parametrize(
    ("accepted", "lang"),
    [("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("en-GB,zh", "en"), ("fr", "en"), ("", "en"), (";;,", "en")],
)
def test_the_browser_says_which_language(accepted: str, lang: str) -> None:
    told = visit_of({"accept-language": accepted}, root="", address="", is_secure=False)
    assert told.lang == lang
    chosen = visit_of(
        {"accept-language": accepted, "cookie": "shike_lang=zh; shike_theme=dark; x"},
        root="",
        address="",
        is_secure=True,
    )
    assert (chosen.lang, chosen.theme) == ("zh", "dark")
    odd = visit_of({"cookie": "shike_lang=../../etc; shike_theme="}, root="", address="", is_secure=False)
    assert (odd.lang, odd.theme) == ("en", "auto")


def test_lengths_and_numbers_as_people_read_them() -> None:
    told = [seconds(value) for value in (None, 0, 0.0004, 0.0123, 1.234, 61, 3_725, 90_000, -5)]
    assert told == ["–", "0", "0.4 ms", "12.3 ms", "1.23 s", "1 min 1 s", "1 h 2 min", "1 d 1 h", "−5 s"]
    assert (number(1_234_567), number(0.5), number(None)) == ("1\u202f234\u202f567", "0.5", "–")


# ---------------------------------------------------------------- files


def test_styles_and_scripts_are_small_kept_for_good_and_licensed() -> None:
    sent = [one for one in statics().values() if one.name.endswith((".js", ".css"))]
    assert sum(len(one.packed) for one in sent) <= BYTES_MAX
    for name in ("htmx.LICENSE.txt", "uPlot.LICENSE.txt"):
        assert (HOME / name).read_text("utf-8").strip()

    async def story(house: House) -> None:
        for one in statics().values():
            said = await look(house, f"/console{address(one.name)}", accept_encoding="gzip")
            assert said.status_code == 200 and "immutable" in said.headers["cache-control"]
            assert said.content == one.raw == gzip.decompress(one.packed)  # httpx unpacks
            again = await look(house, f"/console{address(one.name)}", if_none_match=said.headers["etag"])
            assert again.status_code == 304 and not again.content
        old = await look(house, "/console/static/000000000000/console.css")
        assert old.status_code == 200 and old.headers["cache-control"] == "no-cache"
        for name in ("nothing.js", "..", "%2e%2e", "..%2f..%2f__init__.py"):
            assert (await look(house, f"/console/static/0/{name}")).status_code == 404

    visit(story)


# ---------------------------------------------------------------- live


def test_two_hundred_viewers_share_one_reader() -> None:
    async def whole() -> None:
        reads = 0

        async def read(desk: Any) -> int:
            nonlocal reads
            reads += 1
            return reads // 3  # it changes with every third reading

        live, topic = Live(ManualClock()), Topic(name="busy", seconds=0.0, read=read)
        viewers = [live.join(None, [topic]) for _ in range(200)]  # type: ignore[arg-type]
        assert len(live.feeds) == 1
        told = await asyncio.gather(*(viewer.read() for viewer in viewers))
        assert set(told) == {b"event: busy\ndata: 0\n\n"} and reads <= 3
        late = live.join(None, [topic])  # type: ignore[arg-type]
        assert (await late.read()).startswith(b"event: busy")
        for viewer in (*viewers, late):
            live.leave(viewer)
        assert not live.feeds
        before = reads
        for _ in range(20):
            await asyncio.sleep(0)
        assert reads <= before + 1  # nobody looks: nothing is read

    asyncio.run(whole())


def test_what_many_ask_for_at_once_is_made_once_and_an_error_is_not_kept() -> None:
    async def whole() -> None:
        made = 0
        clock = ManualClock()
        live = Live(clock)

        async def make() -> int:
            nonlocal made
            made += 1
            await asyncio.sleep(0)
            if made == 1:
                raise ValueError("no")
            return made

        assert all(isinstance(one, ValueError) for one in await asyncio.gather(
            *(live.shared("x", 1.0, make) for _ in range(50)), return_exceptions=True,
        ))  # fmt: skip
        assert await asyncio.gather(*(live.shared("x", 1.0, make) for _ in range(50))) == [2] * 50
        live.forget()
        assert await live.shared("x", 1.0, make) == 3

    asyncio.run(whole())


def test_topics_are_known_by_name() -> None:
    async def story(house: House) -> None:
        cookie = await signed_in(house)
        said = await look(house, "/console/live?topics=nonsense", cookie, hx_request="true")
        assert said.status_code == 422 and said.json()["field"] == "topics"

    visit(story)
    assert {"ahead", "recent", "changes"} <= set(stream.topics())


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("path", "form", "field"),
    [
        ("/console/runs/new", {"task": "pay", "arguments": "{"}, "arguments"),
        ("/console/runs/new", {"task": "pay", "arguments": "[]"}, "arguments"),
        ("/console/runs/new", {"task": "pay", "arguments": '{"order": NaN}'}, "arguments"),
        ("/console/runs/new", {"task": "pay", "arguments": '{"order": "x"}'}, "arguments"),
        ("/console/runs/new", {"task": "pay", "arguments": '{"order": 1}', "delay": "soon"}, "delay"),
        ("/console/runs/new", {"task": "pay", "arguments": '{"order": 1}', "priority": "9"}, "priority"),
        ("/console/runs/new", {"task": "pay", "arguments": '{"order": 1}', "priority": "x"}, "priority"),
        ("/console/runs/new", {"task": "pay", "arguments": "[" * 100_000}, "arguments"),
        ("/console/runs/new", {"arguments": "{}"}, "task"),
        ("/console/runs/new", {"task": "pay", "more": "x"}, "more"),
        ("/console/runs/bulk", {"deed": "explode", "expected": "1"}, "deed"),
        ("/console/runs/bulk", {"deed": "cancel", "expected": "-1"}, "expected"),
        ("/console/runs/bulk", {"deed": "cancel", "expected": "5", "q": "state:x"}, "q"),
    ],
)
def test_what_cannot_be_used_names_its_field(path: str, form: dict[str, str], field: str) -> None:
    async def story(house: House) -> None:
        said = await send(house, path, await signed_in(house), **form)
        assert said.status_code == 422 and said.json()["field"] == field, said.text
        assert not (await house.store.counts()).by_queue

    visit(story)


def test_other_bodies_than_forms_are_refused() -> None:
    async def story(house: House) -> None:
        cookie = {"cookie": f"shike_sign_in={await signed_in(house)}", **ORIGIN}
        json = await house.client.post("/console/runs/new", json={"task": "pay"}, headers=cookie)
        assert json.status_code == 415
        long = await house.client.post("/console/runs/new", data={"task": "x" * 2_000_000}, headers=cookie)
        assert long.status_code == 413

    visit(story)


def test_a_path_that_is_not_there_is_a_page() -> None:
    async def story(house: House) -> None:
        said = await look(house, "/console/nowhere", await signed_in(house))
        assert said.status_code == 404 and "<h1>Not found</h1>" in said.text
        assert "default-src 'none'" in said.headers["content-security-policy"]
        assert (await look(house, "/nowhere")).headers["content-type"] == "application/problem+json"

    visit(story)


def test_mounted_elsewhere_its_links_lead_there() -> None:
    async def story(house: House) -> None:
        cookie = await signed_in(house)
        transport = ASGITransport(house.client._transport.app, root_path="/shike")  # type: ignore[attr-defined]
        async with AsyncClient(transport=transport, base_url="http://shike") as client:
            said = await client.get("/console/runs", headers={"cookie": f"shike_sign_in={cookie}"})
            assert said.status_code == 200
            links = set(re.findall(r"(?:href|src|hx-get|hx-post|action)=\"([^\"]*)\"", said.text))
            assert all(one.startswith(("/shike/console", "#")) for one in links), links
            out = await client.get("/console/runs")
            assert out.headers["location"].startswith("/shike/console/sign-in?next=")

    visit(story)
