"""From values to HTML: one environment that escapes everything, and the headers that keep foreign scripts out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shike.counted import counted
from shike.server.ask import Ask, Reply
from shike.server.console import pages, statics
from shike.server.console.catalogue import catalogue, say
from shike.server.console.page import CONSOLE, HTML, menu
from shike.server.console.visit import LANGUAGES, THEMES, Visit
from shike.server.problems import Problem
from shike.server.roles import LADDER, Access

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {"content-security-policy": POLICY, "cross-origin-opener-policy": "same-origin"}


def show(ask: Ask[Any, Any], template: str, /, *, page: str = "", status: int = 200, **values: Any) -> Reply:
    """A page or a part of one. `page`: which of the menu it belongs to."""
    html = _html(ask.visit, ask.who, template, page, values)
    return Reply(status=status, raw=html.encode(), media_type=HTML, headers=dict(HEADERS))


def told(ask: Ask[Any, Any], words: str, *, to: str = "") -> Reply:
    """After a deed: `words` are shown, on the page `to` (under the console), or on the same one, read anew."""
    headers = {"hx-trigger": json.dumps({"told": {"words": words}})}
    if to:
        headers["hx-redirect"] = f"{ask.visit.root}{CONSOLE}{to}"
    else:
        headers["hx-refresh"] = "true"
    return Reply(status=200, raw=b"", media_type=HTML, headers=headers)


def problem_page(visit: Visit, problem: Problem) -> Reply:
    """A refusal as a page."""
    html = _html(visit, None, "problem.html", "", {"problem": problem})
    return Reply(status=problem.status, raw=html.encode(), media_type=HTML, headers=dict(HEADERS))


def words_of(ask: Ask[Any, Any], key: str, /, **values: Any) -> str:
    """A sentence in the language of whoever looks."""
    return say(ask.visit.lang, key, **values)


def _html(visit: Visit, who: Access | None, template: str, page: str, values: dict[str, Any]) -> str:
    root = f"{visit.root}{CONSOLE}"
    return environment().get_template(template).render(
        t=partial(say, visit.lang),
        at=lambda path="": f"{root}{path}",
        file=lambda name: f"{root}{statics.address(name)}",
        has_file=lambda name: name in statics.statics(),
        has_word=lambda key: key in catalogue(visit.lang),
        visit=visit,
        who=who,
        may=partial(_may, who),
        page=page,
        menu=menu(pages.found()[0], who) if who is not None else [],
        languages=LANGUAGES,
        themes=THEMES,
        **values,
    )  # fmt: skip


def _may(who: Access | None, role: str) -> bool:
    """Whether whoever looks is at least this: what they may not do is not offered. The route table decides."""
    names = [str(one) for one in LADDER]
    return who is not None and str(who.role) in names and names.index(str(who.role)) >= names.index(role)


@cache
def environment() -> Environment:
    """The one environment: escapes everything, and stops at a name that is not there."""
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.filters |= {"when": when, "seconds": seconds, "number": number, "pretty": pretty, "counted": counted}
    return found


def when(at: datetime | None) -> Markup:
    """A time that the browser tells in its own zone."""
    if at is None:
        return Markup('<span class="none">–</span>')
    at = at.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(
        at.isoformat(timespec="milliseconds"), at.strftime("%Y-%m-%d %H:%M:%S")
    )


def seconds(value: float | None) -> str:
    """A length of time, as short as it can be told: 3 ms, 1.2 s, 4 min 5 s, 2 h 3 min, 5 d 1 h."""
    if value is None:
        return "–"
    sign, value = ("−", -value) if value < 0 else ("", value)
    if value < 1:
        return f"{sign}{value * 1_000:.3g} ms" if value >= 0.001 else f"{sign}{value * 1_000:.1f} ms" if value else "0"
    if value < 60:
        return f"{sign}{value:.3g} s"
    whole = round(value)
    for size, name, smaller, small_name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{sign}{whole // size} {name}" + (f" {rest} {small_name}" if rest else "")
    return f"{sign}{whole} s"


def number(value: float | None) -> str:
    """With thin spaces between thousands."""
    if value is None:
        return "–"
    return f"{value:,.0f}".replace(",", "\u202f") if value == int(value) else f"{value:,.1f}".replace(",", "\u202f")


def pretty(value: Any) -> str:
    """JSON for people."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
